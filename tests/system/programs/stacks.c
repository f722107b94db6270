/* SPDX-License-Identifier: MIT */
/* Handlers on an alternate stack, and what they find of the registers: an overflow of the stack is
 * caught, vector registers are kept, a handler begins with a clean state. */
#define _GNU_SOURCE
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "say.h"

#define ALT_BYTES 65536

static char alternate[ALT_BYTES];
static sigjmp_buf back;
static volatile int was_on_alternate, flags_seen;

static void overflowed(int signal) {
    char here;
    stack_t told;
    (void)signal;
    was_on_alternate = &here >= alternate && &here < alternate + ALT_BYTES;
    CHECK(sigaltstack(NULL, &told) == 0);
    flags_seen = told.ss_flags;
    told.ss_flags = 0;
    CHECK_ERROR(sigaltstack(&told, NULL), EPERM);
    siglongjmp(back, 1);
}

static volatile int sink, bottom = -1; /* which is never reached */

__attribute__((noinline)) static int dig(int depth) {
    volatile char room[4096];
    room[0] = (char)depth;
    int below = depth == bottom ? 0 : dig(depth + 1);
    sink += room[0];
    return below + room[0];
}

static void test_overflow(void) {
    stack_t stack = {.ss_sp = alternate, .ss_size = ALT_BYTES}, told;
    struct sigaction action = {.sa_handler = overflowed, .sa_flags = SA_ONSTACK};
    CHECK(sigaltstack(NULL, &told) == 0 && (told.ss_flags & SS_DISABLE) != 0);
    CHECK(sigaltstack(&stack, NULL) == 0);
    CHECK(sigaltstack(NULL, &told) == 0 && told.ss_flags == 0 && told.ss_sp == alternate);
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    for (int round = 0; round < 2; round++) {
        if (sigsetjmp(back, 1) == 0)
            dig(0);
        CHECK(was_on_alternate && flags_seen == SS_ONSTACK);
    }
    stack.ss_size = 100;
    CHECK_ERROR(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_size = ALT_BYTES;
    stack.ss_flags = 12345;
    CHECK_ERROR(sigaltstack(&stack, NULL), EINVAL);
    puts("an overflow caught on the alternate stack");
}

/* ---- Vector registers ------------------------------------------------------------------------ */

static volatile double spoiled;

/* Changes registers and the rounding that calculations were made with. */
static void spoil(int signal) {
    (void)signal;
    CHECK(fegetround() == FE_TONEAREST); /* clean, whatever the program has set */
    double values[16];
    for (int i = 0; i < 16; i++)
        values[i] = i * 1.5;
    for (int i = 0; i < 16; i++)
        spoiled += values[i];
    __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15"
                     :
                     :
                     : "xmm0", "xmm7", "xmm15");
}

static void test_vector(void) {
    double in[3] = {1.25, -7.5, 1e300}, out[3];
    signal(SIGUSR1, spoil);
    long pid = getpid();
    CHECK(fesetround(FE_UPWARD) == 0);
    __asm__ volatile("movsd 0(%1), %%xmm0; movsd 8(%1), %%xmm7; movsd 16(%1), %%xmm15\n"
                     "mov $62, %%eax; mov %2, %%rdi; mov $10, %%esi; syscall\n" /* kill SIGUSR1 */
                     "movsd %%xmm0, 0(%0); movsd %%xmm7, 8(%0); movsd %%xmm15, 16(%0)"
                     :
                     : "r"(out), "r"(in), "r"(pid)
                     : "xmm0", "xmm7", "xmm15", "rax", "rdi", "rsi", "rcx", "r11", "memory");
    CHECK(out[0] == in[0] && out[1] == in[1] && out[2] == in[2]);
    CHECK(fegetround() == FE_UPWARD);
    puts("vector registers survive a handler");
}

static void *round_of_thread(void *argument) {
    *(int *)argument = fegetround();
    return NULL;
}

static void test_inherit(void) {
    pthread_t thread;
    int seen = 0;
    CHECK(pthread_create(&thread, NULL, round_of_thread, &seen) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(seen == FE_UPWARD);
    fesetround(FE_TONEAREST);
    puts("a new thread rounds as its maker does");
}

int main(void) {
    test_overflow();
    test_vector();
    test_inherit();
    return 0;
}
