/* SPDX-License-Identifier: MIT */
/*
 * Calls made so often from one place that Axolotl patches it: all stays as it is on Linux. Each
 * site is a function in assembly, so that nothing else is between its number and its syscall.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* musl has no header for it */
#define FUTEX_WAIT 0

#include "say.h"

#define OFTEN   300 /* more often than it takes */
#define THREADS 4
#define PAGE    4096

/* A call with four arguments; NAME_site is what may be patched, NAME_call its syscall. */
#define SITE(name, number)                                                                     \
    long name(long a, long b, long c, long d);                                                 \
    extern uint8_t name##_site[] __attribute__((visibility("hidden")));                        \
    extern uint8_t name##_call[] __attribute__((visibility("hidden")));                        \
    __asm__(".text\n.balign 16\n.globl " #name "\n.hidden " #name "_site, " #name              \
            "_call\n.globl " #name "_site, " #name "_call\n.type " #name ", @function\n" #name \
            ":\n\tmov %rcx, %r10\n" #name "_site:\n\tmov $" #number ", %eax\n" #name           \
            "_call:\n\tsyscall\n\tret\n")

/* Each is by itself in a page, so that others are not touched when one of them is patched. */
#define NEXT_PAGE __asm__(".text\n.balign 4096\n")

SITE(get_parent, 110); /* getppid */
SITE(close_it, 3);
SITE(no_call, 499);
SITE(wait_on, 202); /* futex */
SITE(sleep_for, 35);

/* umask(c + 0x12), with the address computed last. */
long add_mask(long a, long b, long c);
extern uint8_t add_mask_site[] __attribute__((visibility("hidden")));
__asm__(".text\n.balign 16\n.globl add_mask\n.globl add_mask_site\n.hidden add_mask_site\n"
        ".type add_mask, @function\n"
        "add_mask:\n mov $95, %eax\n"
        "add_mask_site: {disp32} lea 0x12(%rdx), %rdi; syscall; ret\n");
NEXT_PAGE;
SITE(first, 186); /* gettid */
SITE(second, 186);
SITE(third, 186);
SITE(fourth, 186);
NEXT_PAGE;
SITE(rewritten, 39); /* getpid */
NEXT_PAGE;

extern char __executable_start[], etext[];

static bool is_axolotl(void) {
    struct utsname name;
    CHECK(uname(&name) == 0);
    return strstr(name.version, "Axolotl") != NULL;
}

/* Patched here, and left as it is on Linux; its syscall is there in any case. */
static void check_patched(const uint8_t *site) {
    CHECK(site[0] == (is_axolotl() ? 0xe9 : 0xb8));
    CHECK(site[5] == 0x0f && site[6] == 0x05);
}

/* ---- Results --------------------------------------------------------------------------------- */

static void results(void) {
    pid_t parent = getppid();
    for (int i = 0; i < OFTEN; i++) {
        CHECK(get_parent(0, 0, 0, 0) == parent);
        CHECK(close_it(-1, 0, 0, 0) == -EBADF);
        CHECK(no_call(0, 0, 0, 0) == -ENOSYS);
        CHECK_ERROR(syscall(SYS_close, -1), EBADF); /* the C library's own function */
        CHECK_ERROR(syscall(SYS_tgkill, -1, 1, 0), EINVAL);
    }
    long mask = umask(022);
    for (long i = 0, last = 022; i < OFTEN; i++) {
        CHECK(add_mask(0, 0, i % 64) == last);
        last = i % 64 + 0x12;
    }
    umask((mode_t)mask);
    CHECK(add_mask_site[0] == (is_axolotl() ? 0xe9 : 0x48));
    check_patched(get_parent_site);
    check_patched(close_it_site);
    check_patched(no_call_site);
    puts("results are right");
}

/* ---- Registers ------------------------------------------------------------------------------- */

/* Sets every register and flag, and the red zone, makes a call, and tells what they are then. */
struct state {
    uint64_t flags, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15, rsp, zone[16];
};
void keep(const struct state *before, struct state *after, void *vectors);
extern uint8_t keep_site[] __attribute__((visibility("hidden")));
__asm__(".text\n.balign 16\n.globl keep\n.globl keep_site\n.hidden keep_site\n"
        ".type keep, @function\n"
        "keep:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi; push %rdi\n"
        "movdqu (%rdx), %xmm0; movdqu 16(%rdx), %xmm7; movdqu 32(%rdx), %xmm15\n"
        "push %rdx\n"
        /* the red zone is copied from the end of the state */
        ".set offset, 0\n"
        ".rept 16\n mov 112+offset(%rdi), %rax; mov %rax, -128+offset(%rsp)\n"
        ".set offset, offset+8\n .endr\n"
        "mov 8(%rdi), %rbx; mov 16(%rdi), %rdx; mov 24(%rdi), %rsi; mov 40(%rdi), %rbp\n"
        "mov 48(%rdi), %r8; mov 56(%rdi), %r9; mov 64(%rdi), %r10; mov 72(%rdi), %r12\n"
        "mov 80(%rdi), %r13; mov 88(%rdi), %r14; mov 96(%rdi), %r15\n"
        /* popfq goes through the stack: below the red zone */
        "mov (%rdi), %rax; mov 32(%rdi), %rdi\n"
        "lea -256(%rsp), %rsp; push %rax; popfq; lea 256(%rsp), %rsp\n"
        "keep_site: mov $110, %eax; syscall\n"
        "lea -256(%rsp), %rsp; pushfq; pop %rax; lea 256(%rsp), %rsp; cld\n"
        /* alignment checks end here */
        "lea -256(%rsp), %rsp; pushq $0x202; popfq; lea 256(%rsp), %rsp\n"
        "mov 16(%rsp), %rcx\n" /* after */
        "mov %rax, (%rcx); mov %rbx, 8(%rcx); mov %rdx, 16(%rcx); mov %rsi, 24(%rcx)\n"
        "mov %rdi, 32(%rcx); mov %rbp, 40(%rcx); mov %r8, 48(%rcx); mov %r9, 56(%rcx)\n"
        "mov %r10, 64(%rcx); mov %r12, 72(%rcx); mov %r13, 80(%rcx); mov %r14, 88(%rcx)\n"
        "mov %r15, 96(%rcx); mov %rsp, 104(%rcx)\n"
        ".set offset, 0\n"
        ".rept 16\n mov -128+offset(%rsp), %rax; mov %rax, 112+offset(%rcx)\n"
        ".set offset, offset+8\n .endr\n"
        "pop %rdx\n"
        "movdqu %xmm0, (%rdx); movdqu %xmm7, 16(%rdx); movdqu %xmm15, 32(%rdx)\n"
        "pop %rdi; pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

#define FLAGS_ALIGNMENT 0x40000

static void registers(void) {
    /* carry, parity, adjust, zero, sign, direction, overflow: none, each, all; alignment check */
    static const uint64_t flags[] = {
        0, 0x1, 0x4, 0x10, 0x40, 0x80, 0x400, 0x800, 0xcd5, FLAGS_ALIGNMENT, 0x40cd5};
    static const unsigned count = sizeof(flags) / sizeof(flags[0]);
    for (unsigned i = 0; i < OFTEN; i++) {
        struct state before, after;
        uint64_t vectors[6], wanted[6];
        uint64_t *words = (uint64_t *)&before;
        for (unsigned k = 0; k < sizeof(before) / sizeof(uint64_t); k++)
            words[k] = (i + 1) * 0x9e3779b97f4a7c15 + k;
        for (unsigned k = 0; k < 6; k++)
            vectors[k] = wanted[k] = ~words[k];
        before.flags = flags[i % count] | 0x202;
        keep(&before, &after, vectors);
        CHECK(after.flags == before.flags);
        before.rsp = after.rsp;
        CHECK(memcmp(&before, &after, sizeof(before)) == 0);
        CHECK(memcmp(vectors, wanted, sizeof(wanted)) == 0);
    }
    check_patched(keep_site);
    puts("registers, flags and the red zone are kept");
}

/* ---- Jumps to the syscall itself ------------------------------------------------------------- */

static long call_at(const uint8_t *address, long number) {
    long result = number;
    __asm__ volatile("call *%1" : "+a"(result) : "r"(address) : "rcx", "r11", "memory");
    return result;
}

static void jumps(void) {
    for (int i = 0; i < OFTEN; i++) {
        CHECK(call_at(get_parent_call, SYS_getpid) == getpid());
        CHECK(get_parent(0, 0, 0, 0) == getppid());
    }
    check_patched(get_parent_site);
    puts("a jump to the syscall makes the call in eax");
}

/* ---- Signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t alarms;
static volatile int word;
static int word_at;

static void on_alarm(int number, siginfo_t *info, void *context) {
    uintptr_t pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    (void)number;
    (void)info;
    CHECK(pc >= (uintptr_t)__executable_start && pc < (uintptr_t)etext);
    if (++alarms == word_at)
        word = 1;
}

static void alarms_begin(int flags, int period_us) {
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | flags};
    struct itimerval timer = {{0, period_us}, {0, period_us}};
    alarms = 0;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void alarms_end(void) {
    struct itimerval none = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0);
}

static long wait_while(int value) {
    return wait_on((long)&word, FUTEX_WAIT, value, 0);
}

static void signals(void) {
    long parent = getppid();
    word_at = -1;
    alarms_begin(0, 500);
    while (alarms < 100)
        CHECK(get_parent(0, 0, 0, 0) == parent);
    alarms_end();

    struct timespec none = {0, 0}, hour = {3600, 0};
    word = 0;
    for (int i = 0; i < OFTEN; i++) {
        CHECK(wait_while(5) == -EAGAIN);
        CHECK(sleep_for((long)&none, 0, 0, 0) == 0);
    }
    check_patched(wait_on_site);
    check_patched(sleep_for_site);
    alarms_begin(0, 2000);
    CHECK(sleep_for((long)&hour, 0, 0, 0) == -EINTR);
    CHECK(wait_while(0) == -EINTR);
    alarms_end();
    word_at = 5;
    alarms_begin(SA_RESTART, 2000);
    CHECK(wait_while(0) == -EAGAIN); /* after the fifth, when the word has changed */
    CHECK(alarms >= 5);
    alarms_end();
    puts("signals come where they should");
}

/* ---- Single steps ---------------------------------------------------------------------------- */

static volatile sig_atomic_t steps, steps_before_call;

static void on_step(int number, siginfo_t *info, void *context) {
    ucontext_t *at = context;
    uintptr_t pc = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
    (void)number;
    (void)info;
    CHECK(pc >= (uintptr_t)__executable_start && pc < (uintptr_t)etext);
    if (pc == (uintptr_t)get_parent_call) {
        CHECK(at->uc_mcontext.gregs[REG_RAX] == SYS_getppid);
        steps_before_call++;
    }
    if (++steps == 1000)
        at->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}

static void single_steps(void) {
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    long parent = getppid();
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
    while (steps < 1000)
        CHECK(get_parent(0, 0, 0, 0) == parent);
    CHECK(steps_before_call > 10);
    puts("single steps see the mov and the syscall");
}

/* ---- Threads --------------------------------------------------------------------------------- */

static pthread_barrier_t together;

static void *call_all(void *argument) {
    long (*const calls[])(long, long, long, long) = {first, second, third, fourth};
    long tid = syscall(SYS_gettid);
    for (int i = 0; i < 4; i++) {
        pthread_barrier_wait(&together);
        for (int k = 0; k < 20 * OFTEN; k++)
            CHECK(calls[i](0, 0, 0, 0) == tid);
    }
    return argument;
}

static void *nothing(void *argument) {
    return argument;
}

static void threads(void) {
    pthread_t thread[THREADS];
    void *result;
    CHECK(pthread_barrier_init(&together, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&thread[i], NULL, call_all, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    check_patched(first_site);
    check_patched(second_site);
    check_patched(third_site);
    check_patched(fourth_site);
    for (intptr_t i = 0; i < OFTEN; i++) {
        CHECK(pthread_create(&thread[0], NULL, nothing, (void *)i) == 0);
        CHECK(pthread_join(thread[0], &result) == 0);
        CHECK((intptr_t)result == i);
    }
    puts("threads share what is patched");
}

/* ---- Text that the program changes ----------------------------------------------------------- */

static void rewrite(void) {
    uint8_t *page = (uint8_t *)((uintptr_t)rewritten & ~(uintptr_t)(PAGE - 1));
    static const uint8_t to_gettid[] = {0xb8, SYS_gettid, 0, 0, 0};
    static uint8_t copy[PAGE];
    for (int i = 0; i < OFTEN; i++)
        CHECK(rewritten(0, 0, 0, 0) == getpid());
    check_patched(rewritten_site);
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
    memcpy(rewritten_site, to_gettid, sizeof(to_gettid));
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
    for (int i = 0; i < OFTEN; i++)
        CHECK(rewritten(0, 0, 0, 0) == syscall(SYS_gettid));
    /* Other memory at the same place. */
    memcpy(copy, page, PAGE);
    CHECK(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == page);
    memcpy(page, copy, PAGE);
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
    for (int i = 0; i < OFTEN; i++)
        CHECK(rewritten(0, 0, 0, 0) == syscall(SYS_gettid));
    CHECK(rewritten_site[0] == 0xb8);
    CHECK(munmap(page, PAGE) == 0);
    puts("text can be replaced");
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    results();
    registers();
    jumps();
    signals();
    single_steps();
    threads();
    rewrite();
    return 0;
}
