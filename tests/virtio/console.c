/* SPDX-License-Identifier: MIT */
/* The streams of the console driver, over the hosted machine's device, to pipes outside. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests.h"
#include "world.h"

#define LARGE (1 << 20)

static uint8_t bytes[LARGE], outside[LARGE];

static void setup(void) {
    signal(SIGPIPE, SIG_IGN);
    world_new();
    world_start();
    world_settle();
    if (keeper.said[0] != 0)
        ck_abort_msg("%s", keeper.said);
}

static bool has(uint64_t badge, uint32_t signals) {
    return (keeper.signals[badge] & signals) == signals;
}

START_TEST(signals_at_first) {
    ck_assert_uint_eq(keeper.signals[AX_CONSOLE_STDIN], 0);
    ck_assert_uint_eq(keeper.signals[AX_CONSOLE_STDOUT], AX_SIGNAL_WRITABLE);
    ck_assert_uint_eq(keeper.signals[AX_CONSOLE_STDERR], AX_SIGNAL_WRITABLE);
    ck_assert_uint_eq(keeper.signals[AX_CONSOLE_CONTROL], AX_SIGNAL_WRITABLE);
}
END_TEST

START_TEST(read_takes_what_is_there) {
    ck_assert_uint_eq(outside_write(world.in, "hello", 5), 5);
    world_settle();
    ck_assert(has(AX_CONSOLE_STDIN, AX_SIGNAL_READABLE));
    unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 3);
    ck_assert_int_eq(world_finish(call), 3);
    ck_assert_mem_eq(bytes, "hel", 3);
    ck_assert(has(AX_CONSOLE_STDIN, AX_SIGNAL_READABLE));
    call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 100);
    ck_assert_int_eq(world_finish(call), 2);
    ck_assert_mem_eq(bytes, "lo", 2);
    ck_assert(!has(AX_CONSOLE_STDIN, AX_SIGNAL_READABLE));
}
END_TEST

START_TEST(reads_wait_in_order) {
    static uint8_t other[4];
    unsigned first = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 2);
    unsigned second = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, other, 4);
    world_settle();
    ck_assert(!world_is_answered(first) && !world_is_answered(second));
    outside_write(world.in, "abcd", 4);
    world_settle();
    ck_assert_int_eq(world_finish(first), 2);
    ck_assert_int_eq(world_finish(second), 2);
    ck_assert_mem_eq(bytes, "ab", 2);
    ck_assert_mem_eq(other, "cd", 2);
}
END_TEST

START_TEST(bytes_that_come_are_edges) {
    outside_write(world.in, "a", 1);
    world_settle();
    unsigned edges = keeper.edges[AX_CONSOLE_STDIN];
    outside_write(world.in, "b", 1);
    world_settle();
    ck_assert_uint_eq(keeper.edges[AX_CONSOLE_STDIN], edges + 1);
    world_settle();
    ck_assert_uint_eq(keeper.edges[AX_CONSOLE_STDIN], edges + 1);
}
END_TEST

START_TEST(end_comes_after_the_bytes) {
    pattern_fill(1, 0, bytes, 50000);
    ck_assert_uint_eq(outside_write(world.in, bytes, 50000), 50000);
    close(world.in);
    world_settle();
    ck_assert(has(AX_CONSOLE_STDIN, AX_SIGNAL_READABLE | AX_SIGNAL_HANGUP));
    size_t at = 0;
    for (;;) {
        unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, outside, 7000);
        world_settle();
        int64_t got = world_finish(call);
        if (got == 0)
            break;
        ck_assert_int_gt(got, 0);
        pattern_check(1, at, outside, (size_t)got);
        at += (size_t)got;
    }
    ck_assert_uint_eq(at, 50000);
    ck_assert(has(AX_CONSOLE_STDIN, AX_SIGNAL_READABLE | AX_SIGNAL_HANGUP));
    /* And again. */
    ck_assert_int_eq(world_finish(world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, outside, 1)), 0);
}
END_TEST

START_TEST(end_wakes_readers) {
    unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 2);
    world_settle();
    close(world.in);
    world_settle();
    ck_assert_int_eq(world_finish(call), 0);
}
END_TEST

START_TEST(reading_stops_the_outside) {
    size_t total = 0, gone;
    pattern_fill(2, 0, bytes, LARGE);
    while ((gone = outside_write(world.in, bytes + total, LARGE - total)) > 0) {
        total += gone;
        world_settle();
    }
    /* What the buffers and the pipe hold, and no more. */
    ck_assert_uint_le(total, CONSOLE_LANE_BYTES + 65536);
    ck_assert_uint_ge(total, 65536);
    for (size_t at = 0; at < total;) {
        unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, outside, LARGE);
        world_settle();
        int64_t got = world_finish(call);
        pattern_check(2, at, outside, (size_t)got);
        at += (size_t)got;
    }
}
END_TEST

START_TEST(write_goes_out) {
    unsigned call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, (void *)"out", 3);
    ck_assert_int_eq(world_finish(call), 3);
    call = world_call(AX_CONSOLE_STDERR, AX_STREAM_WRITE, (void *)"error", 5);
    ck_assert_int_eq(world_finish(call), 5);
    world_settle();
    ck_assert_uint_eq(outside_read(world.out, outside, 10), 3);
    ck_assert_mem_eq(outside, "out", 3);
    ck_assert_uint_eq(outside_read(world.error, outside, 10), 5);
    ck_assert_mem_eq(outside, "error", 5);
}
END_TEST

/* Reads all that comes out, with the device and the driver at work. */
static void drain_outside(uint64_t stream, size_t *at, size_t end) {
    size_t got, idle = 0;
    while (*at < end && idle < 3) {
        world_settle();
        got = outside_read(world.out, outside, sizeof(outside));
        pattern_check(stream, *at, outside, got);
        *at += got;
        idle = got == 0 ? idle + 1 : 0;
    }
}

START_TEST(large_write_waits_for_the_outside) {
    size_t at = 0;
    pattern_fill(3, 0, bytes, LARGE);
    unsigned call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, LARGE);
    world_settle();
    ck_assert(!world_is_answered(call));
    ck_assert(!has(AX_CONSOLE_STDOUT, AX_SIGNAL_WRITABLE));
    drain_outside(3, &at, LARGE);
    ck_assert_uint_eq(at, LARGE);
    ck_assert_int_eq(world_finish(call), LARGE);
    world_settle();
    ck_assert(has(AX_CONSOLE_STDOUT, AX_SIGNAL_WRITABLE));
}
END_TEST

START_TEST(writers_do_not_overtake) {
    size_t at = 0;
    pattern_fill(3, 0, bytes, LARGE);
    unsigned first = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, LARGE - 100);
    unsigned second = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes + LARGE - 100, 100);
    drain_outside(3, &at, LARGE);
    ck_assert_uint_eq(at, LARGE);
    ck_assert_int_eq(world_finish(first), LARGE - 100);
    ck_assert_int_eq(world_finish(second), 100);
}
END_TEST

START_TEST(without_waiting) {
    size_t total = 0, at = 0;
    int64_t taken;
    unsigned call = world_call_flags(AX_CONSOLE_STDIN, AX_STREAM_READ, AX_STREAM_NOWAIT, bytes, 10);
    ck_assert_int_eq(world_finish(call), AX_ERR_AGAIN);
    pattern_fill(4, 0, bytes, LARGE);
    for (;;) {
        call = world_call_flags(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, AX_STREAM_NOWAIT, bytes + total,
                                30000);
        taken = world_finish(call);
        if (taken < 0)
            break;
        total += (size_t)taken;
        world_settle();
    }
    ck_assert_int_eq(taken, AX_ERR_AGAIN);
    ck_assert(!has(AX_CONSOLE_STDOUT, AX_SIGNAL_WRITABLE));
    drain_outside(4, &at, total);
    ck_assert_uint_eq(at, total);
    world_settle();
    ck_assert(has(AX_CONSOLE_STDOUT, AX_SIGNAL_WRITABLE));
}
END_TEST

START_TEST(outside_that_leaves_is_noticed) {
    close(world.out);
    world_settle();
    ck_assert(has(AX_CONSOLE_STDOUT, AX_SIGNAL_HANGUP | AX_SIGNAL_ERROR | AX_SIGNAL_WRITABLE));
    unsigned call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, (void *)"x", 1);
    ck_assert_int_eq(world_finish(call), AX_STREAM_BROKEN);
    call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_DRAIN, NULL, 0);
    ck_assert_int_eq(world_finish(call), AX_STREAM_BROKEN);
    /* The other goes on. */
    call = world_call(AX_CONSOLE_STDERR, AX_STREAM_WRITE, (void *)"x", 1);
    ck_assert_int_eq(world_finish(call), 1);
}
END_TEST

START_TEST(outside_that_leaves_ends_writers) {
    unsigned first = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, LARGE);
    unsigned second = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 10);
    unsigned drain = world_call(AX_CONSOLE_STDOUT, AX_STREAM_DRAIN, NULL, 0);
    world_settle();
    ck_assert(!world_is_answered(first));
    close(world.out);
    world_settle();
    ck_assert_int_gt(world_finish(first), 0); /* what was taken */
    ck_assert_int_eq(world_finish(second), AX_STREAM_BROKEN);
    ck_assert_int_eq(world_finish(drain), AX_STREAM_BROKEN);
}
END_TEST

START_TEST(drain_waits_until_all_is_out) {
    pattern_fill(5, 0, bytes, LARGE);
    unsigned write = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 200000);
    ck_assert_int_eq(world_finish(write), 200000);
    unsigned drain = world_call(AX_CONSOLE_STDOUT, AX_STREAM_DRAIN, NULL, 0);
    world_settle();
    ck_assert(!world_is_answered(drain));
    size_t at = 0;
    drain_outside(5, &at, 200000);
    world_settle();
    ck_assert_int_eq(world_finish(drain), 0);
    drain = world_call(AX_CONSOLE_STDOUT, AX_STREAM_DRAIN, NULL, 0);
    ck_assert_int_eq(world_finish(drain), 0);
}
END_TEST

START_TEST(control_goes_both_ways) {
    ck_assert_uint_eq(outside_write(world.control, "stop", 4), 4);
    world_settle();
    unsigned call = world_call(AX_CONSOLE_CONTROL, AX_STREAM_READ, bytes, 100);
    ck_assert_int_eq(world_finish(call), 4);
    call = world_call(AX_CONSOLE_CONTROL, AX_STREAM_WRITE, (void *)"ended", 5);
    ck_assert_int_eq(world_finish(call), 5);
    world_settle();
    ck_assert_uint_eq(outside_read(world.control, outside, 10), 5);
    call = world_call(AX_CONSOLE_CONTROL, AX_STREAM_READ, bytes, 100);
    close(world.control);
    world_settle();
    ck_assert_int_eq(world_finish(call), 0);
}
END_TEST

START_TEST(wrong_ways_and_operations) {
    unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_WRITE, bytes, 1);
    ck_assert_int_eq(world_finish(call), AX_STREAM_WAY);
    call = world_call(AX_CONSOLE_STDIN, AX_STREAM_DRAIN, bytes, 1);
    ck_assert_int_eq(world_finish(call), AX_STREAM_WAY);
    call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_READ, bytes, 1);
    ck_assert_int_eq(world_finish(call), AX_STREAM_WAY);
    call = world_call(AX_CONSOLE_STDOUT, 99, bytes, 1);
    ck_assert_int_eq(world_finish(call), AX_ERR_ARGUMENT);
    call = world_call(CONSOLE_STREAMS + 1, AX_STREAM_READ, bytes, 1);
    ck_assert_int_eq(world_finish(call), AX_ERR_NOT_FOUND);
    call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 0);
    ck_assert_int_eq(world_finish(call), 0);
    call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 0);
    ck_assert_int_eq(world_finish(call), 0);
}
END_TEST

START_TEST(describe_tells_of_pipes) {
    unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_DESCRIBE, NULL, 0);
    ck_assert_uint_eq(keeper.calls[call].words[0], AX_STREAM_PIPE);
    ck_assert_int_eq(world_finish(call), 0);
}
END_TEST

START_TEST(late_session_has_its_signals) {
    outside_write(world.in, "a", 1);
    world_settle();
    unsigned call = keeper_call_new(AX_CONSOLE_STDIN, AX_STREAM_DESCRIBE, 0, NULL, 0, UINT64_MAX);
    keeper_call_late(call);
    keeper_serve();
    ck_assert_int_eq(world_finish(call), 0);
    ck_assert_uint_eq(keeper.late_signals, AX_SIGNAL_READABLE);
    call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 10);
    ck_assert_int_eq(world_finish(call), 1);
    ck_assert_uint_eq(keeper.late_signals, 0);
    ck_assert(!has(AX_CONSOLE_STDIN, AX_SIGNAL_READABLE));
}
END_TEST

START_TEST(absent_pages_are_asked_for) {
    pattern_fill(6, 0, bytes, LARGE);
    /* Read: nothing is consumed before the page is there. */
    outside_write(world.in, bytes, 100);
    world_settle();
    unsigned call = world_call_absent(AX_CONSOLE_STDIN, AX_STREAM_READ, outside, 100, 0);
    ck_assert(!world_is_answered(call) && keeper.calls[call].is_faulted);
    world_retry();
    ck_assert_int_eq(world_finish(call), 100);
    pattern_check(6, 0, outside, 100);
    /* Read: what there was room for is answered. */
    outside_write(world.in, bytes, 100);
    world_settle();
    call = world_call_absent(AX_CONSOLE_STDIN, AX_STREAM_READ, outside, 100, 40);
    ck_assert_int_eq(world_finish(call), 40);
    call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, outside, 100);
    ck_assert_int_eq(world_finish(call), 60);
    pattern_check(6, 40, outside, 60);
    /* Write: what there is room for is taken together or not at all. */
    call = world_call_absent(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 4096, 1000);
    ck_assert(keeper.calls[call].is_faulted);
    world_settle();
    ck_assert_uint_eq(outside_read(world.out, outside, LARGE), 0);
    world_retry();
    ck_assert_int_eq(world_finish(call), 4096);
    world_settle();
    ck_assert_uint_eq(outside_read(world.out, outside, LARGE), 4096);
    call = world_call_absent(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 50000, 20480);
    ck_assert(keeper.calls[call].is_faulted);
    world_settle();
    ck_assert_uint_eq(outside_read(world.out, outside, LARGE), 0);
    world_retry();
    ck_assert_int_eq(world_finish(call), 50000);
    world_settle();
    ck_assert_uint_eq(outside_read(world.out, outside, LARGE), 50000);
    pattern_check(6, 0, outside, 50000);
}
END_TEST

START_TEST(interruption_answers_what_was_done) {
    unsigned read = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 10);
    world_interrupt(read, false);
    ck_assert_int_eq(world_finish(read), AX_ERR_INTERRUPTED);

    unsigned first = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, LARGE);
    unsigned second = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 10);
    world_interrupt(second, false);
    ck_assert_int_eq(world_finish(second), AX_ERR_INTERRUPTED);
    world_interrupt(first, false);
    int64_t taken = world_finish(first);
    ck_assert_int_gt(taken, 0);
    size_t total = 0, got;
    do {
        world_settle();
        got = outside_read(world.out, outside, LARGE);
        total += got;
    } while (got > 0);
    ck_assert_uint_eq(total, (size_t)taken);
}
END_TEST

START_TEST(dead_callers_are_let_go) {
    unsigned first = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, LARGE);
    unsigned second = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 10);
    world_interrupt(first, true);
    ck_assert(keeper.is_dropped && !keeper.calls[first].is_used);
    size_t got;
    do {
        world_settle();
        got = outside_read(world.out, outside, LARGE);
    } while (got > 0);
    ck_assert_int_eq(world_finish(second), 10);
}
END_TEST

START_TEST(too_many_calls_are_refused) {
    for (unsigned i = 0; i < 20; i++) {
        unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 10);
        ck_assert_int_eq(world_is_answered(call), i >= KEEPER_RECORDS - 3);
        if (world_is_answered(call))
            ck_assert_int_eq(world_finish(call), AX_ERR_LIMIT);
    }
}
END_TEST

START_TEST(device_that_lies_fails_the_streams) {
    unsigned call = world_call(AX_CONSOLE_STDIN, AX_STREAM_READ, bytes, 10);
    struct virtio_lane *lane = &keeper_console()->bytes[0][CONSOLE_IN];
    ((struct virtio_used *)lane->ring.used)->index = 100;
    keeper.has_interrupt = true;
    keeper_serve();
    ck_assert_int_eq(world_finish(call), AX_STREAM_IO);
    ck_assert_str_ne(keeper.said, "");
    call = world_call(AX_CONSOLE_STDOUT, AX_STREAM_WRITE, bytes, 10);
    ck_assert_int_eq(world_finish(call), AX_STREAM_IO);
    ck_assert(has(AX_CONSOLE_STDOUT, AX_SIGNAL_ERROR | AX_SIGNAL_WRITABLE));
}
END_TEST

TCase *tcase_console(void) {
    TCase *tcase = tcase_create("console");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, signals_at_first);
    tcase_add_test(tcase, read_takes_what_is_there);
    tcase_add_test(tcase, reads_wait_in_order);
    tcase_add_test(tcase, bytes_that_come_are_edges);
    tcase_add_test(tcase, end_comes_after_the_bytes);
    tcase_add_test(tcase, end_wakes_readers);
    tcase_add_test(tcase, reading_stops_the_outside);
    tcase_add_test(tcase, write_goes_out);
    tcase_add_test(tcase, large_write_waits_for_the_outside);
    tcase_add_test(tcase, writers_do_not_overtake);
    tcase_add_test(tcase, without_waiting);
    tcase_add_test(tcase, outside_that_leaves_is_noticed);
    tcase_add_test(tcase, outside_that_leaves_ends_writers);
    tcase_add_test(tcase, drain_waits_until_all_is_out);
    tcase_add_test(tcase, control_goes_both_ways);
    tcase_add_test(tcase, wrong_ways_and_operations);
    tcase_add_test(tcase, describe_tells_of_pipes);
    tcase_add_test(tcase, late_session_has_its_signals);
    tcase_add_test(tcase, absent_pages_are_asked_for);
    tcase_add_test(tcase, interruption_answers_what_was_done);
    tcase_add_test(tcase, dead_callers_are_let_go);
    tcase_add_test(tcase, too_many_calls_are_refused);
    tcase_add_test(tcase, device_that_lies_fails_the_streams);
    return tcase;
}
