/* SPDX-License-Identifier: MIT */
/* Signals to itself: masks, order, queueing, waiting, interrupted calls. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static volatile int order[32], values[32];
static volatile int count;

static void note(int signal, siginfo_t *info, void *context) {
    (void)context;
    int at = count % 32; /* some tests send until somebody takes it */
    values[at] = info->si_value.sival_int;
    order[at] = signal;
    count++;
}

static void handle(int signal, int flags) {
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static sigset_t set_of(int a, int b) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    if (b != 0)
        sigaddset(&set, b);
    return set;
}

static void test_raise(void) {
    handle(SIGUSR1, 0);
    CHECK(raise(SIGUSR1) == 0 && count == 1 && order[0] == SIGUSR1);
    CHECK(kill(getpid(), SIGUSR1) == 0 && count == 2);
    CHECK(kill(getpid(), 0) == 0 && count == 2);
    CHECK_ERROR(kill(getpid(), 65), EINVAL);
    CHECK_ERROR(syscall(SYS_tgkill, getpid(), 0x3fffff, SIGUSR1), ESRCH);
    puts("raise and kill");
}

static void test_mask(void) {
    sigset_t set = set_of(SIGUSR1, SIGUSR2), old, pending;
    count = 0;
    handle(SIGUSR2, 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1); /* merged with the one before */
    CHECK(count == 0);
    CHECK(sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2));
    CHECK(!sigismember(&pending, SIGTERM));
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    /* Both are taken at once: the handler of the higher number runs first, inside the other's. */
    CHECK(count == 2 && order[0] == SIGUSR2 && order[1] == SIGUSR1);
    puts("masks");
}

static void test_ignore(void) {
    count = 0;
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    raise(SIGUSR1);
    sigset_t set = set_of(SIGUSR1, 0), pending;
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    handle(SIGUSR1, 0);
    raise(SIGUSR1);
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR); /* forgets what is pending */
    handle(SIGUSR1, 0);
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    CHECK(count == 0);
    raise(SIGCHLD); /* ignored by default */
    struct sigaction action = {.sa_handler = SIG_DFL};
    CHECK_ERROR(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERROR(sigaction(65, &action, NULL), EINVAL);
    puts("ignored signals");
}

static void test_queue(void) {
    int real = SIGRTMIN + 3;
    sigset_t set = set_of(real, real + 1), old;
    count = 0;
    handle(real, 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(sigqueue(getpid(), real, (union sigval){.sival_int = 100 + i}) == 0);
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == real);
    CHECK(info.si_value.sival_int == 100 && info.si_code == SI_QUEUE && info.si_pid == getpid());
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(count == 4);
    int sum = 0;
    for (int i = 0; i < 4; i++)
        sum += values[i];
    CHECK(sum == 101 + 102 + 103 + 104);
    puts("queued signals");
}

static void test_wait(void) {
    sigset_t set = set_of(SIGUSR1, 0), old, none;
    struct timespec soon = {0, 1000000}, zero = {0, 0};
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    CHECK_ERROR(sigtimedwait(&set, NULL, &zero), EAGAIN);
    CHECK_ERROR(sigtimedwait(&set, NULL, &soon), EAGAIN);
    raise(SIGUSR1);
    count = 0;
    CHECK(sigtimedwait(&set, NULL, &soon) == SIGUSR1 && count == 0);
    raise(SIGUSR1);
    sigemptyset(&none);
    CHECK_ERROR(sigsuspend(&none), EINTR);
    CHECK(count == 1);
    sigset_t now;
    CHECK(sigprocmask(SIG_SETMASK, &old, &now) == 0);
    CHECK(sigismember(&now, SIGUSR1)); /* as it was before sigsuspend */
    puts("waiting for signals");
}

/* ---- Another thread's signals ---------------------------------------------------------------- */

static volatile int result, error_seen;
static volatile long left_ns;

static void *sleeper(void *argument) {
    (void)argument;
    struct timespec time = {60, 0}, left = {0, 0};
    result = (int)syscall(SYS_nanosleep, &time, &left);
    error_seen = errno;
    left_ns = left.tv_sec * 1000000000L + left.tv_nsec;
    return NULL;
}

/* Sends until the thread has taken it where it should: a signal before the call is just taken. */
static void test_interrupt(void) {
    pthread_t thread;
    count = 0;
    handle(SIGUSR1, SA_RESTART); /* sleep is never made again */
    CHECK(pthread_create(&thread, NULL, sleeper, NULL) == 0);
    result = 1;
    while (result == 1) {
        pthread_kill(thread, SIGUSR1);
        sched_yield();
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(result == -1 && error_seen == EINTR && count > 0);
    CHECK(left_ns > 0 && left_ns <= 61000000000L);
    puts("an interrupted sleep tells what is left");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile int got_it;

static void *locker(void *argument) {
    (void)argument;
    pthread_mutex_lock(&mutex);
    got_it = 1;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/* Taking a mutex goes on after handlers. */
static void test_restart(void) {
    pthread_t thread;
    count = 0;
    handle(SIGUSR1, 0);
    pthread_mutex_lock(&mutex);
    CHECK(pthread_create(&thread, NULL, locker, NULL) == 0);
    while (count < 3) {
        int before = count;
        pthread_kill(thread, SIGUSR1);
        while (count == before)
            sched_yield();
    }
    CHECK(!got_it);
    pthread_mutex_unlock(&mutex);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(got_it);
    puts("a mutex is waited for through handlers");
}

static void *waiter(void *argument) {
    int signal;
    CHECK(sigwait(argument, &signal) == 0);
    result = signal;
    return NULL;
}

/* What the process is sent goes to the thread that waits for it. */
static void test_process(void) {
    pthread_t thread;
    sigset_t set = set_of(SIGUSR2, 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, waiter, &set) == 0);
    CHECK(kill(getpid(), SIGUSR2) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(result == SIGUSR2);
    puts("a signal to the process finds who waits");
}

/* ---- Flags ----------------------------------------------------------------------------------- */

static volatile int depth, deepest, raised;

static void nest(int signal) {
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (depth < 3 && raised++ < 10)
        raise(signal);
    depth--;
}

static void test_flags(void) {
    struct sigaction action = {.sa_handler = nest, .sa_flags = SA_NODEFER}, old;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    raise(SIGUSR1);
    CHECK(deepest == 3);
    deepest = 0;
    action.sa_flags = 0;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    raise(SIGUSR1);
    CHECK(deepest == 1); /* blocked inside its own handler: taken one after the other */
    action.sa_flags = SA_RESETHAND;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    depth = 5;
    raise(SIGUSR1);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    puts("flags of handlers");
}

int main(void) {
    test_raise();
    test_mask();
    test_ignore();
    test_queue();
    test_wait();
    test_interrupt();
    test_restart();
    test_process();
    test_flags();
    return 0;
}
