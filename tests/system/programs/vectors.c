/* SPDX-License-Identifier: MIT */
/* Eight threads do arithmetic in vector registers at the same time, making calls in between; each
 * must come to its own right result. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "say.h"

#define THREADS 8
#define ROUNDS  20000

typedef double vector __attribute__((vector_size(32)));

/* Sixteen values that live in registers across the calls. */
__attribute__((target("avx"), noinline)) static double work_avx(int seed) {
    vector a = {seed, seed + 1, seed + 2, seed + 3}, b = a + 0.5, c = a * 2, d = b * 3;
    for (int i = 0; i < ROUNDS; i++) {
        a += b * 0.25;
        b -= c * 0.125;
        c += d * 0.0625;
        d -= a * 0.03125;
        a *= 0.5;
        b *= 0.5;
        if (i % 500 == 0) {
            __asm__ volatile("syscall" : : "a"(24) : "rcx", "r11", "memory"); /* sched_yield */
        }
    }
    vector sum = a + b + c + d;
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static double work_plain(int seed) {
    double total = 0;
    for (int lane = 0; lane < 4; lane++) {
        volatile double a = seed + lane, b = a + 0.5, c = a * 2, d = b * 3;
        for (int i = 0; i < ROUNDS; i++) {
            a += b * 0.25;
            b -= c * 0.125;
            c += d * 0.0625;
            d -= a * 0.03125;
            a *= 0.5;
            b *= 0.5;
        }
        total += a + b + c + d;
    }
    return total;
}

static double results[THREADS];

static void *run(void *argument) {
    int i = (int)(long)argument;
    results[i] = __builtin_cpu_supports("avx") ? work_avx(i + 1) : work_plain(i + 1);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < THREADS; i++) {
        double wanted = work_plain(i + 1);
        double difference = results[i] - wanted;
        CHECK(difference < 1e-9 && difference > -1e-9);
        printf("thread %d is right\n", i);
    }
    return 0;
}
