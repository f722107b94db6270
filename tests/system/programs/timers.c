/* SPDX-License-Identifier: MIT */
/* Timers send signals when they are due, again and again if they shall, and tell what is left; and
 * waits for descriptors end in time. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static volatile int count, code, value;
static volatile long tid;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    code = info->si_code;
    value = info->si_value.sival_int;
    tid = syscall(SYS_gettid);
    count = count + 1;
}

static void handle(int signal) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signal, &action, NULL) == 0);
    count = 0;
}

/* Waits for a signal that comes once: let in by the wait alone, it cannot come before it. */
static void await_one(const sigset_t *before) {
    while (count == 0)
        sigsuspend(before);
    CHECK(sigprocmask(SIG_SETMASK, before, NULL) == 0);
}

static void block(int signal, sigset_t *before) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    CHECK(sigprocmask(SIG_BLOCK, &set, before) == 0);
}

static void test_alarm(void) {
    struct itimerval wish = {{0, 0}, {0, 2000}}, old;
    sigset_t before;
    handle(SIGALRM);
    block(SIGALRM, &before);
    CHECK(alarm(100) == 0);
    CHECK(alarm(0) == 100 && alarm(0) == 0);
    CHECK(setitimer(ITIMER_REAL, &wish, &old) == 0);
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
    await_one(&before);
    CHECK(count == 1 && code == SI_KERNEL);
    CHECK(getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_usec == 0);
    wish.it_interval.tv_usec = 1000;
    CHECK(setitimer(ITIMER_REAL, &wish, NULL) == 0);
    while (count < 5)
        pause();
    memset(&wish, 0, sizeof(wish));
    CHECK(setitimer(ITIMER_REAL, &wish, &old) == 0);
    CHECK(old.it_interval.tv_usec == 1000 && old.it_value.tv_sec == 0);
    CHECK_ERROR(syscall(SYS_setitimer, 99, &wish, NULL), EINVAL);
    wish.it_value.tv_usec = 1000000;
    CHECK_ERROR(setitimer(ITIMER_REAL, &wish, NULL), EINVAL);
    puts("alarm and setitimer");
}

static void test_timers(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct itimerspec wish = {{0, 0}, {0, 2000000}}, old;
    timer_t timer, silent;
    sigset_t before;
    event.sigev_value.sival_int = 77;
    handle(SIGRTMIN);
    block(SIGRTMIN, &before);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    event.sigev_notify = SIGEV_NONE;
    CHECK(timer_create(CLOCK_REALTIME, &event, &silent) == 0);
    CHECK(timer_settime(silent, 0, &wish, NULL) == 0);
    CHECK(timer_settime(timer, 0, &wish, &old) == 0 && old.it_value.tv_nsec == 0);
    await_one(&before);
    CHECK(count == 1 && code == SI_TIMER && value == 77);
    CHECK(timer_getoverrun(timer) == 0);
    CHECK(timer_gettime(timer, &old) == 0 && old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    wish.it_value = (struct timespec){0, 1}; /* past already */
    CHECK(timer_settime(timer, TIMER_ABSTIME, &wish, NULL) == 0);
    while (count == 1)
        sched_yield();
    clock_gettime(CLOCK_MONOTONIC, &wish.it_value);
    wish.it_value.tv_sec += 1000;
    CHECK(timer_settime(timer, TIMER_ABSTIME, &wish, NULL) == 0);
    CHECK(timer_gettime(timer, &old) == 0 && old.it_value.tv_sec > 900);
    CHECK(timer_delete(timer) == 0 && timer_delete(silent) == 0);
    CHECK(count == 2);
    puts("timers");
}

/* Blocked, the signal waits once, and tells how often the timer was due besides. */
static void test_overrun(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec wish = {{0, 1000000}, {0, 1000000}};
    struct timespec time = {0, 10000000};
    timer_t timer;
    sigset_t set;
    handle(SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    block(SIGUSR1, NULL);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &wish, NULL) == 0);
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == 0);
    CHECK(count == 0);
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_TIMER);
    CHECK(sigwaitinfo(&set, &info) == SIGUSR1);
    CHECK(timer_delete(timer) == 0);
    struct timespec zero = {0, 0};
    (void)sigtimedwait(&set, NULL, &zero);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    puts("a timer that is late");
}

static void test_select(void) {
    fd_set out, in;
    struct timeval soon = {0, 1000};
    struct timespec zero = {0, 0};
    FD_ZERO(&out);
    FD_SET(1, &out);
    CHECK(select(2, NULL, &out, NULL, NULL) == 1 && FD_ISSET(1, &out));
    CHECK(select(0, NULL, NULL, NULL, &soon) == 0);
    CHECK(pselect(2, NULL, &out, NULL, &zero, NULL) == 1);
    FD_ZERO(&in);
    FD_SET(60, &in); /* below 64: Linux looks no further than its table, which may be as small */
    CHECK_ERROR(select(61, &in, NULL, NULL, NULL), EBADF);
    CHECK_ERROR(select(-1, &in, NULL, NULL, NULL), EINVAL);
    /* A signal that only the wait lets in ends it. */
    sigset_t none;
    handle(SIGUSR2);
    sigemptyset(&none);
    block(SIGUSR2, NULL);
    raise(SIGUSR2);
    CHECK(pselect(2, NULL, &out, NULL, NULL, &none) == 1 && count == 0); /* it was ready */
    CHECK_ERROR(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
    CHECK(count == 1);
    puts("select");
}

static void test_order(void) {
    struct sched_param param = {.sched_priority = 0};
    CHECK(syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER);
    CHECK(syscall(SYS_sched_getparam, 0, &param) == 0 && param.sched_priority == 0);
    CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_FIFO) == 1);
    CHECK(sched_get_priority_max(SCHED_OTHER) == 0);
    CHECK_ERROR(sched_get_priority_max(99), EINVAL);
    CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param) == 0);
    puts("the order of threads");
}

int main(void) {
    test_alarm();
    test_timers();
    test_overrun();
    test_select();
    test_order();
    return 0;
}
