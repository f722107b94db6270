/* SPDX-License-Identifier: MIT */
/* System calls, a trapped one, and processes that take turns. */
#include "yard.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define CALLS  200000
#define TURNS  5000
#define TRAPS  20000
#define WARMUP 500
#define WORDS  4 /* as many as a message of the benchmark has */

/* ---- System calls ---------------------------------------------------------------------------- */

static void measure_getpid(void) {
    uint64_t start_ns = now_ns();
    for (unsigned i = 0; i < CALLS; i++)
        syscall(SYS_getpid);
    figure_time("getpid", now_ns() - start_ns, CALLS);
}

static void trap_handler(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 42;
}

/* getppid traps from here on; the handler answers it, and sigreturn goes on. */
static void trap_set(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof(program) / sizeof(program[0]), program};
    struct sigaction action = {.sa_sigaction = trap_handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
        die("seccomp");
}

static void measure_trap(void) {
    trap_set();
    for (unsigned i = 0; i < WARMUP; i++)
        syscall(SYS_getppid);
    uint64_t start_ns = now_ns();
    for (unsigned i = 0; i < TRAPS; i++)
        syscall(SYS_getppid);
    figure_time("sigsys", now_ns() - start_ns, TRAPS);
}

/* ---- Two processes that take turns by futex -------------------------------------------------- */

static void turn_pass(uint32_t *word, uint32_t whose) {
    __atomic_store_n(word, whose, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void turn_await(uint32_t *word, uint32_t other) {
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == other)
        syscall(SYS_futex, word, FUTEX_WAIT, other, NULL, NULL, 0);
}

static void measure_futex(void) {
    uint32_t *word =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (word == MAP_FAILED)
        die("mmap");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        for (unsigned i = 0; i < WARMUP + TURNS; i++) {
            turn_await(word, 0);
            turn_pass(word, 0);
        }
        _exit(0);
    }
    uint64_t start_ns = 0;
    for (unsigned i = 0; i < WARMUP + TURNS; i++) {
        if (i == WARMUP)
            start_ns = now_ns();
        turn_pass(word, 1);
        turn_await(word, 1);
    }
    figure_time("futex", now_ns() - start_ns, TURNS);
    waitpid(pid, NULL, 0);
}

void yard_calls(void) {
    measure_getpid();
    measure_futex();
    measure_trap();
}

/* ---- Pipes ----------------------------------------------------------------------------------- */

static void words_echo(int from, int to) {
    uint64_t words[WORDS];
    while (read(from, words, sizeof(words)) == (ssize_t)sizeof(words)) {
        if (write(to, words, sizeof(words)) != (ssize_t)sizeof(words))
            break;
    }
    _exit(0);
}

void yard_ipc(void) {
    int there[2], back[2];
    uint64_t words[WORDS] = {0}, longest_ns = 0;
    if (pipe(there) != 0 || pipe(back) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        close(there[1]);
        close(back[0]);
        words_echo(there[0], back[1]);
    }
    uint64_t start_ns = 0, last_ns = 0;
    for (unsigned i = 0; i < WARMUP + TURNS; i++) {
        if (i == WARMUP)
            start_ns = last_ns = now_ns();
        if (write(there[1], words, sizeof(words)) != (ssize_t)sizeof(words) ||
            read(back[0], words, sizeof(words)) != (ssize_t)sizeof(words))
            die("pipe");
        uint64_t at_ns = now_ns();
        if (i >= WARMUP && at_ns - last_ns > longest_ns)
            longest_ns = at_ns - last_ns;
        last_ns = at_ns;
    }
    figure_time("pipe", last_ns - start_ns, TURNS);
    figure_time("pipe.longest", longest_ns, 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
