/* SPDX-License-Identifier: MIT */
/* Faults come as signals that tell what happened where, and the program can go on from them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "say.h"

#define PAGE 4096

static sigjmp_buf back;
static volatile int seen_signal, seen_code;
static void *volatile seen_address;

static void jump_back(int signal, siginfo_t *info, void *context) {
    (void)context;
    seen_signal = signal;
    seen_code = info->si_code;
    seen_address = info->si_addr;
    siglongjmp(back, 1);
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signal, &action, NULL) == 0);
}

#define FAULTS(statement)              \
    do {                               \
        seen_signal = 0;               \
        if (sigsetjmp(back, 1) == 0) { \
            statement;                 \
            CHECK(!"no fault");        \
        }                              \
    } while (0)

static char *page;

/* Makes the page writable and goes back to the instruction. */
static void repair(int signal, siginfo_t *info, void *context) {
    (void)context;
    seen_signal = signal;
    seen_address = info->si_addr;
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

/* Passes over a two-byte instruction. */
static void pass_over(int signal, siginfo_t *info, void *context) {
    ucontext_t *at = context;
    seen_signal = signal;
    seen_code = info->si_code;
    seen_address = info->si_addr;
    CHECK((void *)at->uc_mcontext.gregs[REG_RIP] == info->si_addr);
    at->uc_mcontext.gregs[REG_RIP] += 2;
    at->uc_mcontext.gregs[REG_RAX] = 77;
}

static void test_access(void) {
    FAULTS(*(volatile char *)16 = 1);
    CHECK(seen_signal == SIGSEGV && seen_code == SEGV_MAPERR && seen_address == (void *)16);
    FAULTS((void)*(volatile char *)0x12345678901UL);
    CHECK(seen_signal == SIGSEGV && seen_code == SEGV_MAPERR);
    CHECK(seen_address == (void *)0x12345678901UL);
    page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FAULTS(((volatile char *)page)[5] = 1);
    CHECK(seen_signal == SIGSEGV && seen_code == SEGV_ACCERR && seen_address == page + 5);
    FAULTS(((void (*)(void))(void *)page)());
    CHECK(seen_signal == SIGSEGV && seen_code == SEGV_ACCERR && seen_address == page);
    FAULTS(*(volatile char *)0x8000000000000000UL = 1);
    CHECK(seen_signal == SIGSEGV && seen_code == SI_KERNEL && seen_address == NULL);
    puts("bad accesses");
}

static void test_repair(void) {
    handle(SIGSEGV, repair);
    ((volatile char *)page)[9] = 3;
    CHECK(seen_signal == SIGSEGV && seen_address == page + 9 && page[9] == 3);
    handle(SIGSEGV, jump_back);
    puts("an access repaired and made again");
}

static void test_instructions(void) {
    long result;
    handle(SIGILL, pass_over);
    __asm__ volatile("ud2" : "=a"(result));
    CHECK(seen_signal == SIGILL && result == 77);
    handle(SIGFPE, jump_back);
    volatile int zero = 0;
    FAULTS(zero = 7 / zero);
    CHECK(seen_signal == SIGFPE && seen_code == FPE_INTDIV);
    unsigned control = 0x1f80 & ~0x200U; /* a division by zero raises */
    FAULTS(__asm__ volatile("ldmxcsr %0; pxor %%xmm0, %%xmm0; movsd %1, %%xmm1; divsd %%xmm0, "
                            "%%xmm1"
                            :
                            : "m"(control), "m"((double){1})
                            : "xmm0", "xmm1"));
    CHECK(seen_signal == SIGFPE && seen_code == FPE_FLTDIV);
    control = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(control));
    handle(SIGTRAP, jump_back);
    FAULTS(__asm__ volatile("int3"));
    CHECK(seen_signal == SIGTRAP && seen_code == SI_KERNEL);
    FAULTS(__asm__ volatile("hlt"));
    CHECK(seen_signal == SIGSEGV && seen_code == SI_KERNEL);
    puts("bad instructions");
}

/* Calls survive bad pointers. */
static void test_calls(void) {
    CHECK_ERROR(write(1, bad_pointer(), 5), EFAULT);
    CHECK_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8), EFAULT);
    CHECK_ERROR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, -1L, NULL, 8), EFAULT);
    puts("bad pointers in calls");
}

int main(void) {
    handle(SIGSEGV, jump_back);
    test_access();
    test_repair();
    test_instructions();
    test_calls();
    return 0;
}
