/* SPDX-License-Identifier: MIT */
/* Mutexes, conditions, barriers, robust mutexes: everything that futexes carry. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#define THREADS 6

/* ---- Counting -------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count(void *argument) {
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void run_threads(void *(*run)(void *)) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* ---- Passing on ------------------------------------------------------------------------------ */

static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turn;

/* Each in turn, a thousand times. */
static void *take_turns(void *argument) {
    long mine = (long)argument;
    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != mine)
            pthread_cond_wait(&changed, &mutex);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void test_timeout(void) {
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 2000000;
    if (soon.tv_nsec >= 1000000000) {
        soon.tv_nsec -= 1000000000;
        soon.tv_sec++;
    }
    pthread_mutex_lock(&mutex);
    CHECK(pthread_cond_timedwait(&changed, &mutex, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    soon.tv_sec -= 10;
    sem_t semaphore;
    CHECK(sem_init(&semaphore, 0, 1) == 0);
    CHECK(sem_wait(&semaphore) == 0);
    CHECK_ERROR(sem_timedwait(&semaphore, &soon), ETIMEDOUT);
    puts("waits time out");
}

static pthread_barrier_t barrier;
static volatile int arrived;

static void *meet(void *argument) {
    (void)argument;
    for (int i = 1; i <= 50; i++) {
        __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
        pthread_barrier_wait(&barrier);
        CHECK(arrived == i * THREADS);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

/* ---- Robust ---------------------------------------------------------------------------------- */

static pthread_mutex_t robust;

static void *die_holding(void *argument) {
    (void)argument;
    CHECK(pthread_mutex_lock(&robust) == 0);
    return NULL;
}

static void *wait_for_dead(void *argument) {
    int result = pthread_mutex_lock(&robust);
    *(int *)argument = result;
    if (result == EOWNERDEAD) {
        CHECK(pthread_mutex_consistent(&robust) == 0);
        CHECK(pthread_mutex_unlock(&robust) == 0);
    }
    return NULL;
}

static void test_robust(void) {
    pthread_mutexattr_t attributes;
    pthread_t thread, other;
    int result = -1;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    CHECK(pthread_mutex_init(&robust, &attributes) == 0);
    CHECK(pthread_create(&thread, NULL, die_holding, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_create(&other, NULL, wait_for_dead, &result) == 0);
    CHECK(pthread_join(other, NULL) == 0);
    CHECK(result == EOWNERDEAD);
    CHECK(pthread_mutex_lock(&robust) == 0 && pthread_mutex_unlock(&robust) == 0);
    puts("a robust mutex tells of its dead owner");
}

/* ---- The call itself ------------------------------------------------------------------------- */

enum { /* musl has no header with these */
       FUTEX_WAIT = 0,
       FUTEX_WAKE = 1,
       FUTEX_CMP_REQUEUE = 4,
       FUTEX_WAIT_BITSET = 9,
       FUTEX_PRIVATE = 128,
       FUTEX_WAKE_PRIVATE = 1 | FUTEX_PRIVATE,
       FUTEX_CMP_REQUEUE_PRIVATE = 4 | FUTEX_PRIVATE,
       FUTEX_WAKE_OP_PRIVATE = 5 | FUTEX_PRIVATE,
       FUTEX_WAIT_BITSET_PRIVATE = 9 | FUTEX_PRIVATE,
       FUTEX_WAKE_BITSET_PRIVATE = 10 | FUTEX_PRIVATE,
       FUTEX_ADD_5_IF_0 = 1 << 28 | 5 << 12, /* add 5; wake if it was equal to 0 */
};

static uint32_t word, target;

static long futex(uint32_t *at, int op, uint32_t value, const void *time, uint32_t *other,
                  uint32_t more) {
    return syscall(SYS_futex, at, op, value, time, other, more);
}

static volatile int woken;

static void *sleep_on_word(void *argument) {
    long bits = (long)argument;
    while (futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)bits) != 0)
        CHECK(errno == EINTR);
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void test_call(void) {
    struct timespec soon = {0, 1000000}, bad = {0, 1000000000};
    pthread_t threads[3];
    CHECK_ERROR(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
    CHECK_ERROR(futex(&word, FUTEX_WAIT, 0, &soon, NULL, 0), ETIMEDOUT);
    CHECK_ERROR(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
    CHECK_ERROR(futex((void *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERROR(futex((uint32_t *)16, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERROR(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK(futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0) == 0);
    CHECK_ERROR(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1L, &target, 5), EAGAIN);
    for (long i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, sleep_on_word, (void *)(1L << i)) == 0);
    /* All three sleep as soon as they can be moved; then each is found by where it waits. */
    long moved = 0;
    while (moved < 3) {
        moved += futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)100L, &target, 0);
        sched_yield();
    }
    CHECK(moved == 3 && woken == 0);
    CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0) == 0);
    CHECK(futex(&target, FUTEX_WAKE_BITSET_PRIVATE, 100, NULL, NULL, 2) == 1);
    CHECK(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)100L, &target, FUTEX_ADD_5_IF_0) == 2);
    CHECK(target == 5);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(woken == 3);
    puts("the futex call");
}

int main(void) {
    run_threads(count);
    CHECK(counter == THREADS * 20000L);
    puts("a mutex keeps threads apart");
    run_threads(take_turns);
    CHECK(turn == THREADS * 300L);
    puts("a condition passes the turn on");
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    run_threads(meet);
    puts("a barrier holds all");
    test_timeout();
    test_robust();
    test_call();
    return 0;
}
