/* SPDX-License-Identifier: MIT */
/* Threads come and go: ids, names, their own storage, detached ones, many of them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "say.h"

static __thread int own = 5;
static volatile int finished;

static void *look(void *argument) {
    long tid = syscall(SYS_gettid);
    char name[16];
    CHECK(own == 5);
    own = 6;
    CHECK(tid != getpid());
    CHECK(prctl(PR_SET_NAME, "a-long-name-for-a-thread") == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a-long-name-for") == 0);
    *(long *)argument = tid;
    return argument;
}

static void test_two(void) {
    pthread_t a, b;
    long tid_a, tid_b;
    void *result;
    CHECK(syscall(SYS_gettid) == getpid());
    CHECK(prctl(PR_SET_NAME, "first") == 0);
    CHECK(pthread_create(&a, NULL, look, &tid_a) == 0);
    CHECK(pthread_create(&b, NULL, look, &tid_b) == 0);
    CHECK(pthread_join(a, &result) == 0 && result == &tid_a);
    CHECK(pthread_join(b, NULL) == 0);
    CHECK(tid_a != tid_b && own == 5);
    char name[16];
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "first") == 0);
    puts("each thread has its own");
}

/* Uses far more of its stack than most threads do. */
static int descend(int depth) {
    volatile char page[3000];
    page[0] = (char)depth;
    page[2999] = (char)(depth + 1);
    int below = depth == 0 ? 0 : descend(depth - 1);
    CHECK(page[0] == (char)depth && page[2999] == (char)(depth + 1));
    return below + 1;
}

static void *go_deep(void *argument) {
    pthread_barrier_wait(argument);
    CHECK(descend(30) == 31);
    pthread_barrier_wait(argument);
    return argument;
}

#define TOGETHER 200

/* All there at a time, twice: the second ones come to where the first ones were. */
static void test_together(void) {
    static pthread_t threads[TOGETHER];
    for (int round = 0; round < 2; round++) {
        pthread_barrier_t barrier;
        CHECK(pthread_barrier_init(&barrier, NULL, TOGETHER + 1) == 0);
        for (int i = 0; i < TOGETHER; i++)
            CHECK(pthread_create(&threads[i], NULL, go_deep, &barrier) == 0);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < TOGETHER; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(pthread_barrier_destroy(&barrier) == 0);
    }
    puts("many at a time");
}

static void *finish(void *argument) {
    (void)argument;
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Many more than there are at a time. */
static void test_many(void) {
    pthread_t threads[20];
    for (int round = 0; round < 15; round++) {
        for (int i = 0; i < 20; i++)
            CHECK(pthread_create(&threads[i], NULL, finish, NULL) == 0);
        for (int i = 0; i < 20; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(finished == 300);
    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    for (int i = 0; i < 50; i++)
        CHECK(pthread_create(&threads[0], &attributes, finish, NULL) == 0);
    while (finished < 350)
        sched_yield();
    puts("many threads");
}

static void test_cpus(void) {
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
    CHECK(CPU_COUNT(&set) >= 1);
    unsigned cpu;
    CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && CPU_ISSET(cpu, &set));
    CPU_ZERO(&set);
    CHECK_ERROR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
    CPU_SET(cpu, &set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
    puts("affinity");
}

static pthread_t leader;

static void *outlive(void *argument) {
    (void)argument;
    CHECK(pthread_join(leader, NULL) == 0);
    puts("the first thread is gone");
    exit(17);
}

int main(void) {
    pthread_t thread;
    test_two();
    test_together();
    test_many();
    test_cpus();
    fflush(stdout);
    leader = pthread_self();
    CHECK(pthread_create(&thread, NULL, outlive, NULL) == 0);
    pthread_exit(NULL);
}
