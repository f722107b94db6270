/* SPDX-License-Identifier: MIT */
/* Times, deadlines, and sleeps that are interrupted. */
#include "lib/linux/clocks.h"

#include <string.h>

#include <fake_kernel.h>

#include "world.h"

static struct linux_timespec time_given, time_told;

static uint64_t ns_of(int64_t seconds, int64_t nanoseconds) {
    struct linux_timespec time = {seconds, nanoseconds};
    uint64_t ns;
    ck_assert_int_eq(timespec_to_ns(&time, &ns), 0);
    return ns;
}

static void check_no_time(int64_t seconds, int64_t nanoseconds) {
    struct linux_timespec time = {seconds, nanoseconds};
    uint64_t ns;
    ck_assert_int_eq(timespec_to_ns(&time, &ns), -L_EINVAL);
}

START_TEST(times_are_converted_or_refused) {
    ck_assert_uint_eq(ns_of(0, 0), 0);
    ck_assert_uint_eq(ns_of(3, 999999999), UINT64_C(3999999999));
    ck_assert_uint_eq(ns_of(18446744073, 709551614), UINT64_MAX - 1);
    ck_assert_uint_eq(ns_of(18446744073, 709551616), AX_TIME_NEVER);
    ck_assert_uint_eq(ns_of(INT64_MAX, 999999999), AX_TIME_NEVER);
    check_no_time(-1, 0);
    check_no_time(0, -1);
    check_no_time(0, 1000000000);
    struct linux_timespec time = timespec_from_ns(UINT64_C(7000000009));
    ck_assert_int_eq(time.seconds, 7);
    ck_assert_int_eq(time.nanoseconds, 9);
}
END_TEST

START_TEST(real_time_is_moved_to_the_machines_clock) {
    ck_assert_uint_eq(ns_from_realtime(500, 100), 400);
    ck_assert_uint_eq(ns_from_realtime(50, 100), 0);
    ck_assert_uint_eq(ns_from_realtime(50, -100), 150);
    ck_assert_uint_eq(ns_from_realtime(AX_TIME_NEVER, 100), AX_TIME_NEVER);
    ck_assert_uint_eq(ns_from_realtime(AX_TIME_NEVER - 1, -100), AX_TIME_NEVER);
}
END_TEST

START_TEST(clocks_are_read_with_their_offset) {
    fake_kernel_set_clock(UINT64_C(5000000000));
    ck_assert_int_eq(CALL(clock_gettime, L_CLOCK_MONOTONIC, AT(&time_told)), 0);
    ck_assert_int_eq(time_told.seconds, 5);
    ck_assert_int_eq(time_told.nanoseconds, 0);
    ck_assert_int_eq(CALL(clock_gettime, L_CLOCK_REALTIME, AT(&time_told)), 0);
    ck_assert_int_eq(time_told.nanoseconds, 1000);
    ck_assert_int_eq(CALL(clock_gettime, 50, AT(&time_told)), -L_EINVAL);
    ck_assert_int_eq(CALL(clock_gettime, L_CLOCK_REALTIME, 16), -L_EFAULT);
}
END_TEST

START_TEST(a_sleep_waits_until_its_deadline) {
    fake_kernel_set_clock(700);
    time_given = (struct linux_timespec){0, 300};
    world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_TIMEOUT);
    ck_assert_int_eq(CALL(nanosleep, AT(&time_given)), 0);
    ck_assert_uint_eq(world_calls[0].number, AX_CALL_OBJECT_WAIT_MANY);
    ck_assert_uint_eq(world_calls[0].a[0], 0);
    ck_assert_uint_eq(world_calls[0].a[1], 1000);
    time_given = (struct linux_timespec){0, 5000};
    ck_assert_int_eq(CALL(clock_nanosleep, L_CLOCK_REALTIME, L_TIMER_ABSTIME, AT(&time_given)), 0);
    ck_assert_uint_eq(world_calls[1].a[1], 4000);
    ck_assert_int_eq(CALL(clock_nanosleep, L_CLOCK_THREAD_CPUTIME, 0, AT(&time_given)),
                     -L_EOPNOTSUPP);
    ck_assert_int_eq(CALL(clock_nanosleep, 77, 0, AT(&time_given)), -L_EINVAL);
}
END_TEST

static void interrupt_with_signal(uint64_t number) {
    struct signal_info info = {.signal = 15};
    (void)number;
    fake_kernel_set_clock(800);
    ck_assert_int_eq(signal_send_thread(&world_thread, &info), 0);
    world_hook = NULL;
}

static void interrupt_in_vain(uint64_t number) {
    (void)number;
    if (world_call_count == 3)
        world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_TIMEOUT);
}

START_TEST(an_interrupted_sleep_tells_what_is_left) {
    fake_kernel_set_clock(700);
    time_given = (struct linux_timespec){0, 300};
    world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_INTERRUPTED);
    world_hook = interrupt_with_signal;
    ck_assert_int_eq(CALL(nanosleep, AT(&time_given), AT(&time_told)), -L_RESTARTNOHAND);
    ck_assert_int_eq(time_told.nanoseconds, 200);
    /* Made again, because nothing was done about the signal: it ends when it would have. */
    world_thread.again.is_set = true;
    world_thread.attention = 0;
    fake_kernel_set_clock(900);
    world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_TIMEOUT);
    ck_assert_int_eq(CALL(nanosleep, AT(&time_given), AT(&time_told)), 0);
    ck_assert_uint_eq(world_calls[world_call_count - 1].a[1], 1000);
}
END_TEST

START_TEST(an_interruption_without_a_signal_is_slept_through) {
    time_given = (struct linux_timespec){0, 300};
    world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_INTERRUPTED);
    world_hook = interrupt_in_vain;
    ck_assert_int_eq(CALL(nanosleep, AT(&time_given), AT(&time_told)), 0);
    ck_assert_uint_eq(world_call_count, 3);
    ck_assert_uint_eq(world_calls[2].a[1], world_calls[0].a[1]);
}
END_TEST

TCase *linux_clocks_tests(void) {
    TCase *tcase = tcase_create("clocks");
    tcase_add_checked_fixture(tcase, world_start, NULL);
    tcase_add_test(tcase, times_are_converted_or_refused);
    tcase_add_test(tcase, real_time_is_moved_to_the_machines_clock);
    tcase_add_test(tcase, clocks_are_read_with_their_offset);
    tcase_add_test(tcase, a_sleep_waits_until_its_deadline);
    tcase_add_test(tcase, an_interrupted_sleep_tells_what_is_left);
    tcase_add_test(tcase, an_interruption_without_a_signal_is_slept_through);
    return tcase;
}
