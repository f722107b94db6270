/* SPDX-License-Identifier: MIT */
/* A large transfer from stdin to stdout, with the device in a thread of its own, as it runs. */
#include <base/hash.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests.h"
#include "world.h"

#define PIECE 131072U

static size_t total;
static uint64_t hash_in, hash_out;

static void *device_run(void *nothing) {
    uint32_t ports[HOST_PORTS];
    (void)nothing;
    for (;;) {
        vconsole_wishes(&world.device, ports);
        host_ports_wait(ports);
        vconsole_work(&world.device, ports);
    }
    return NULL;
}

static uint64_t hash_words(uint64_t hash, const uint64_t *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return hash;
}

/* Words that are all different, so that one lost, doubled or moved is seen. */
static void *outside_feed(void *nothing) {
    static uint64_t words[8192];
    (void)nothing;
    for (size_t at = 0; at < total; at += sizeof(words)) {
        for (size_t i = 0; i < 8192; i++)
            words[i] = at + i;
        hash_in = hash_words(hash_in, words, 8192);
        for (size_t done = 0; done < sizeof(words);) {
            ssize_t gone = write(world.in, (uint8_t *)words + done, sizeof(words) - done);
            ck_assert_int_gt(gone, 0);
            done += (size_t)gone;
        }
    }
    close(world.in);
    return NULL;
}

static void *outside_collect(void *nothing) {
    static uint64_t words[8192];
    size_t have = 0, at = 0;
    (void)nothing;
    while (at < total) {
        ssize_t got = read(world.out, (uint8_t *)words + have, sizeof(words) - have);
        ck_assert_int_gt(got, 0);
        have += (size_t)got;
        at += (size_t)got;
        if (have == sizeof(words)) {
            hash_out = hash_words(hash_out, words, 8192);
            have = 0;
        }
    }
    return NULL;
}

/* The driver works until the call is answered. */
static int64_t await(unsigned call) {
    while (!world_is_answered(call)) {
        if (__atomic_load_n(&keeper.has_interrupt, __ATOMIC_SEQ_CST))
            keeper_serve();
        else
            sched_yield();
    }
    return world_finish(call);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

START_TEST(stdin_to_stdout) {
    static uint8_t bytes[PIECE];
    pthread_t device, feeder, collector;
    total = getenv("AX_QUICK") != NULL ? 64U << 20 : 512U << 20;
    signal(SIGPIPE, SIG_IGN);
    world_new();
    fcntl(world.in, F_SETFL, 0);
    fcntl(world.out, F_SETFL, 0);
    world.is_threaded = true;
    ck_assert_int_eq(pthread_create(&device, NULL, device_run, NULL), 0);
    world_start();
    uint64_t start = now_ns();
    ck_assert_int_eq(pthread_create(&feeder, NULL, outside_feed, NULL), 0);
    ck_assert_int_eq(pthread_create(&collector, NULL, outside_collect, NULL), 0);
    for (;;) {
        int64_t got = await(world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, PIECE));
        ck_assert_int_ge(got, 0);
        if (got == 0)
            break;
        ck_assert_int_eq(await(world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, (size_t)got)),
                         got);
    }
    ck_assert_int_eq(await(world_call(AX_CONSOLE_STDOUT, AX_STREAM_DRAIN, NULL, 0)), 0);
    pthread_join(feeder, NULL);
    pthread_join(collector, NULL);
    uint64_t ms = (now_ns() - start) / 1000000;
    ck_assert_uint_eq(hash_in, hash_out);
    printf("figure: virtio: %zu MiB through the console's device in %llu ms\n", total >> 20,
           (unsigned long long)ms);
}
END_TEST

TCase *tcase_transfer(void) {
    TCase *tcase = tcase_create("transfer");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, stdin_to_stdout);
    return tcase;
}
