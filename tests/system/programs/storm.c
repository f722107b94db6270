/* SPDX-License-Identifier: MIT */
/* Signals hit a thread wherever it is: in its own loop, on the way into a call, inside one, on the
 * way back. Its registers and the results of its calls are right all the same. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static volatile int taken, done;
static volatile double noise;

static void handler(int signal) {
    (void)signal;
    int saved = errno;
    noise = noise * 0.5 + 1; /* vector registers are used */
    CHECK(syscall(SYS_getppid) >= 0);
    taken = taken + 1;
    errno = saved;
}

/* Sends the next when the last was taken, so that each is taken by itself. */
static void send(pthread_t thread, int count) {
    for (int i = 0; i < count; i++) {
        int before = taken;
        CHECK(pthread_kill(thread, SIGUSR1) == 0);
        while (taken == before)
            sched_yield();
    }
    done = 1;
}

static void run(void *(*body)(void *), int signals, const char *name) {
    pthread_t thread;
    taken = done = 0;
    CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
    send(thread, signals);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(taken == signals);
    puts(name);
}

/* No call at all. */
static void *count(void *argument) {
    unsigned long a = 1, b = 0, rounds = 0;
    double c = 0;
    (void)argument;
    while (!done) {
        a = a * 6364136223846793005 + 1442695040888963407;
        b += 3;
        c += 1.5;
        rounds++;
        CHECK(b == rounds * 3 && c == (double)rounds * 1.5);
    }
    CHECK(a != 1 || rounds == 0);
    return NULL;
}

/* Calls that return at once, with values in every register that calls keep. */
static void *call(void *argument) {
    (void)argument;
    long tid = syscall(SYS_gettid);
    while (!done) {
        long result = 186, kept = 0; /* gettid */
        double in = 2.5, out;
        __asm__ volatile("movsd %3, %%xmm5\n"
                         "mov $11, %%rbx; mov $12, %%r12; mov $13, %%r13; mov $14, %%r14\n"
                         "mov $15, %%r15; mov $16, %%r8; mov $17, %%r9; mov $18, %%r10\n"
                         "mov $19, %%rdi; mov $20, %%rsi; mov $21, %%rdx\n"
                         "syscall\n"
                         "lea (%%rbx, %%r12), %%rcx; add %%r13, %%rcx; add %%r14, %%rcx\n"
                         "add %%r15, %%rcx; add %%r8, %%rcx; add %%r9, %%rcx\n"
                         "add %%r10, %%rcx; add %%rdi, %%rcx; add %%rsi, %%rcx\n"
                         "add %%rdx, %%rcx\n"
                         "movsd %%xmm5, %2"
                         : "+a"(result), "=c"(kept), "=m"(out)
                         : "m"(in)
                         : "rbx", "r12", "r13", "r14", "r15", "r8", "r9", "r10", "r11", "rdi",
                           "rsi", "rdx", "xmm5", "memory", "cc");
        CHECK(result == tid && kept == 176 && out == in);
    }
    return NULL;
}

/* Calls that wait, and that say how they were ended. */
static void *doze(void *argument) {
    (void)argument;
    while (!done) {
        struct timespec time = {0, 100000};
        long result = syscall(SYS_nanosleep, &time, &time);
        CHECK(result == 0 || errno == EINTR);
    }
    return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

/* A lock that is contended, by this thread's own helper. */
static void *other(void *argument) {
    (void)argument;
    while (!done) {
        pthread_mutex_lock(&mutex);
        counter++;
        sched_yield();
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *contend(void *argument) {
    pthread_t thread;
    sigset_t set, old;
    (void)argument;
    sigfillset(&set);
    CHECK(pthread_sigmask(SIG_SETMASK, &set, &old) == 0);
    CHECK(pthread_create(&thread, NULL, other, NULL) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    other(NULL);
    CHECK(pthread_join(thread, NULL) == 0);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    run(count, 50, "signals into a loop"); /* on one CPU each waits for its turn */
    run(call, 150, "signals into calls");
    run(doze, 200, "signals into sleep");
    run(contend, 200, "signals into a contended lock");
    CHECK(noise > 0 && counter > 0);
    return 0;
}
