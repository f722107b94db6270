/* SPDX-License-Identifier: MIT */
/*
 * The driver dies, and the device is reset, at any moment: what clients wrote comes out, what came
 * in is read, each byte once and in order, and each call is answered once.
 */
#include <base/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests.h"
#include "world.h"

#define CHUNK 40000

/* Two streams with a client each, and how far each end is. */
static struct {
    uint64_t fed, read;     /* stdin: written outside, read by the client */
    uint64_t sent, arrived; /* stdout */
    bool is_reading, is_writing;
    unsigned read_call, write_call;
    size_t write_bytes;
    uint8_t read_loan[CHUNK], write_loan[CHUNK];
} play;

static void feed(size_t size_bytes) {
    static uint8_t bytes[CHUNK];
    pattern_fill(1, play.fed, bytes, size_bytes);
    play.fed += outside_write(world.in, bytes, size_bytes);
}

static void collect(size_t size_bytes) {
    static uint8_t bytes[1 << 20];
    size_t got = outside_read(world.out, bytes, size_bytes);
    pattern_check(2, play.arrived, bytes, got);
    play.arrived += got;
    ck_assert_uint_le(play.arrived, play.sent + play.write_bytes);
}

/* What the driver answered is looked at. */
static void clients_look(void) {
    if (play.is_reading && world_is_answered(play.read_call)) {
        int64_t got = world_finish(play.read_call);
        ck_assert_int_gt(got, 0);
        pattern_check(1, play.read, play.read_loan, (size_t)got);
        play.read += (uint64_t)got;
        play.is_reading = false;
    }
    if (play.is_writing && world_is_answered(play.write_call)) {
        ck_assert_int_eq(world_finish(play.write_call), (int64_t)play.write_bytes);
        play.sent += play.write_bytes;
        play.write_bytes = 0;
        play.is_writing = false;
    }
}

static void client_read(size_t size_bytes, uint64_t absent_from) {
    if (play.is_reading)
        return;
    play.is_reading = true;
    play.read_call = 0;
    while (keeper.calls[play.read_call].is_used) /* where the call will be, should the driver die */
        play.read_call++;
    world_call_absent(AX_CONSOLE_STDIN, AX_STREAM_READ, play.read_loan, size_bytes, absent_from);
}

static void client_write(size_t size_bytes, uint64_t absent_from) {
    if (play.is_writing)
        return;
    play.is_writing = true;
    play.write_bytes = size_bytes;
    pattern_fill(2, play.sent, play.write_loan, size_bytes);
    play.write_call = 0;
    while (keeper.calls[play.write_call].is_used)
        play.write_call++;
    world_call_absent(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, play.write_loan, size_bytes, absent_from);
}

/* The driver's next start, in which it does not die. */
static void successor(void) {
    world_start();
    clients_look();
}

/* Until all bytes are where they belong. */
static void finish(void) {
    for (unsigned idle = 0; idle < 8; idle++) {
        uint64_t before = play.read + play.arrived;
        client_read(CHUNK, UINT64_MAX);
        world_retry();
        world_settle();
        clients_look();
        collect(1 << 20);
        if (play.read + play.arrived != before)
            idle = 0;
    }
    ck_assert(!play.is_writing);
    ck_assert_uint_eq(play.read, play.fed);
    ck_assert_uint_eq(play.arrived, play.sent);
    if (play.is_reading) {
        world_interrupt(play.read_call, false);
        ck_assert_int_eq(world_finish(play.read_call), AX_ERR_INTERRUPTED);
        play.is_reading = false;
    }
}

/* ---- At each step ---------------------------------------------------------------------------- */

static void scenario(void) {
    world_start();
    world_settle();
    feed(30000);
    world_settle();
    client_read(5000, UINT64_MAX);
    clients_look();
    client_read(20000, 12000);
    clients_look();
    client_write(3000, UINT64_MAX);
    clients_look();
    client_write(CHUNK, 20000);
    world_settle();
    world_retry();
    clients_look();
    collect(10000);
    client_read(30000, UINT64_MAX);
    world_settle();
    clients_look();
    feed(10);
    world_settle();
}

/* All deaths, with and without the device having been reset since. */
static void die_everywhere(bool with_reset) {
    uint64_t steps = 0;
    bool is_alive = false;
    world_new();
    for (uint64_t last = 1; !is_alive; last++) {
        memset(&play, 0, sizeof(play));
        world_renew();
        is_alive = world_play(scenario, last);
        steps = last;
        clients_look();
        if (with_reset)
            vdev_break(&world.device.vdev);
        if (last % 3 == 0)
            world_round(); /* the device goes on meanwhile */
        successor();
        finish();
    }
    ck_assert_uint_gt(steps, 150);
    printf("figure: virtio: %llu moments of a driver's death%s\n", (unsigned long long)steps,
           with_reset ? ", each with a reset" : "");
}

START_TEST(dies_at_each_step) {
    die_everywhere(false);
}
END_TEST

START_TEST(dies_at_each_step_with_reset) {
    die_everywhere(true);
}
END_TEST

/* ---- At random ------------------------------------------------------------------------------- */

static struct random dice;

static size_t size_draw(void) {
    return 1 + random_below(&dice, random_below(&dice, 3) == 0 ? CHUNK : 100);
}

static uint64_t absent_draw(void) {
    return random_below(&dice, 8) == 0 ? 0 : UINT64_MAX;
}

static void move(void) {
    switch (random_below(&dice, 8)) {
    case 0: feed(size_draw()); break;
    case 1: collect(size_draw()); break;
    case 2: client_read(size_draw(), absent_draw()); break;
    case 3: client_write(size_draw(), absent_draw()); break;
    case 4: world_round(); break;
    case 5: world_settle(); break;
    case 6: world_retry(); break;
    default:
        if (random_below(&dice, 20) == 0)
            vdev_break(&world.device.vdev);
        break;
    }
}

static void moves(void) {
    for (unsigned i = 0; i < 40; i++) {
        move();
        clients_look();
    }
}

START_TEST(dies_and_is_reset_at_random) {
    unsigned rounds = getenv("AX_QUICK") != NULL ? 100 : 1000, deaths = 0;
    world_new();
    random_seed(&dice, 4711);
    memset(&play, 0, sizeof(play));
    successor();
    for (unsigned i = 0; i < rounds; i++) {
        if (!world_play(moves, 1 + random_below(&dice, 400))) {
            deaths++;
            clients_look();
            while (!world_play(successor, 1 + random_below(&dice, 200)))
                deaths++;
        }
        if (i % 50 == 49)
            finish();
    }
    finish();
    printf("figure: virtio: %u random deaths, %llu bytes in, %llu out\n", deaths,
           (unsigned long long)play.read, (unsigned long long)play.arrived);
    ck_assert_uint_gt(deaths, rounds / 4);
}
END_TEST

/* ---- The outside's end ------------------------------------------------------------------------
 */

START_TEST(end_is_known_to_the_successor) {
    world_new();
    world_start();
    world_settle();
    feed(100);
    close(world.in);
    world_settle();
    world_start();
    client_read(1000, UINT64_MAX);
    clients_look();
    ck_assert_uint_eq(play.read, 100);
    uint8_t byte;
    ck_assert_int_eq(world_finish(world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, &byte, 1)), 0);
    vdev_break(&world.device.vdev);
    world_start();
    world_settle();
    ck_assert_int_eq(world_finish(world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, &byte, 1)), 0);
}
END_TEST

/* An early answer that is asked for before the successor can give any. */
START_TEST(interruption_before_it_is_settled) {
    world_new();
    world_start();
    world_settle();
    client_write(CHUNK, UINT64_MAX);
    while (!play.is_writing || world_is_answered(play.write_call)) {
        clients_look();
        client_write(CHUNK, UINT64_MAX);
    }
    unsigned second = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, play.read_loan, 10);
    keeper.calls[play.write_call].is_interrupted = true;
    keeper.calls[second].is_interrupted = true;
    world_start();
    int64_t taken = world_finish(play.write_call);
    ck_assert_int_gt(taken, 0);
    ck_assert_int_eq(world_finish(second), AX_ERR_INTERRUPTED);
    play.write_bytes = (size_t)taken;
    play.sent += play.write_bytes;
    play.write_bytes = 0;
    play.is_writing = false;
    finish();
}
END_TEST

/* The driver's patience with a device that never answers is bounded. */
START_TEST(device_that_is_stuck) {
    world_new();
    world.is_stuck = true;
    world_start();
    ck_assert_ptr_nonnull(strstr(keeper.said, virtio_result_text(VIRTIO_STUCK)));
    uint8_t byte = 0;
    unsigned call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, &byte, 1);
    ck_assert_int_eq(world_finish(call), AX_STREAM_IO);
}
END_TEST

TCase *tcase_restart(void) {
    TCase *tcase = tcase_create("restart");
    tcase_set_timeout(tcase, 200);
    tcase_add_test(tcase, dies_at_each_step);
    tcase_add_test(tcase, dies_at_each_step_with_reset);
    tcase_add_test(tcase, dies_and_is_reset_at_random);
    tcase_add_test(tcase, end_is_known_to_the_successor);
    tcase_add_test(tcase, interruption_before_it_is_settled);
    tcase_add_test(tcase, device_that_is_stuck);
    return tcase;
}
