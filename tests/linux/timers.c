/* SPDX-License-Identifier: MIT */
/* Timers: when they are due, what is left, how often they were late; and waiting by select. */
#include "lib/linux/timers.h"

#include <fake_kernel.h>

#include "world.h"

static struct linux_itimerval value, old;
static struct linux_itimerspec spec, told;
static struct linux_sigevent event;
static int32_t id;

static struct timer *timer_of(int i) {
    return &world_task.timers.all[i];
}

START_TEST(a_timer_advances_past_what_it_missed) {
    struct timer timer = {.deadline_ns = 100, .interval_ns = 10};
    ck_assert_uint_eq(timer_advance(&timer, 100), 0);
    ck_assert_uint_eq(timer.deadline_ns, 110);
    ck_assert_uint_eq(timer_advance(&timer, 145), 3);
    ck_assert_uint_eq(timer.deadline_ns, 150);
    timer.interval_ns = 0;
    ck_assert_uint_eq(timer_advance(&timer, 150), 0);
    ck_assert_uint_eq(timer.deadline_ns, AX_TIME_NEVER);
    timer = (struct timer){.deadline_ns = 100, .interval_ns = UINT64_MAX - 50};
    ck_assert_uint_eq(timer_advance(&timer, 100), 0);
    ck_assert_uint_eq(timer.deadline_ns, AX_TIME_NEVER);
}
END_TEST

START_TEST(something_is_left_of_what_runs) {
    struct timer timer = {.deadline_ns = 100};
    ck_assert_uint_eq(timer_left(&timer, 40), 60);
    ck_assert_uint_eq(timer_left(&timer, 100), 1);
    timer.deadline_ns = AX_TIME_NEVER;
    ck_assert_uint_eq(timer_left(&timer, 40), 0);
}
END_TEST

START_TEST(the_nearest_deadline_is_found_and_told_to_the_timekeeper) {
    ck_assert_uint_eq(timers_next(&world_task.timers), AX_TIME_NEVER);
    fake_kernel_set_clock(1000);
    ck_assert_int_eq(CALL(alarm, 2), 0);
    ck_assert_uint_eq(timers_next(&world_task.timers), UINT64_C(2000001000));
    ck_assert_uint_eq(world_task.timers.change, 1);
    ck_assert_uint_eq(world_calls[0].number, AX_CALL_FUTEX_WAKE);
    ck_assert_int_eq(CALL(alarm, 0), 2);
    ck_assert_int_eq(CALL(alarm, 5), 0);
    fake_kernel_set_clock(UINT64_C(4900000000));
    ck_assert_int_eq(CALL(alarm, 0), 1); /* a tenth of a second is not nothing */
    ck_assert_uint_eq(timers_next(&world_task.timers), AX_TIME_NEVER);
}
END_TEST

START_TEST(an_interval_is_set_and_told) {
    value = (struct linux_itimerval){{1, 5}, {2, 7}};
    ck_assert_int_eq(CALL(setitimer, L_ITIMER_REAL, AT(&value), 0), 0);
    ck_assert_uint_eq(timer_of(0)->interval_ns, 1000005000);
    ck_assert_int_eq(CALL(getitimer, L_ITIMER_REAL, AT(&old)), 0);
    ck_assert_int_eq(old.value.seconds, 2);
    ck_assert_int_eq(old.value.microseconds, 7);
    ck_assert_int_eq(old.interval.microseconds, 5);
    ck_assert_int_eq(CALL(setitimer, L_ITIMER_REAL, 0, AT(&old)), 0);
    ck_assert_int_eq(old.value.seconds, 2);
    ck_assert_uint_eq(timers_next(&world_task.timers), AX_TIME_NEVER);
    value.value.microseconds = 1000000;
    ck_assert_int_eq(CALL(setitimer, L_ITIMER_REAL, AT(&value), 0), -L_EINVAL);
    ck_assert_int_eq(CALL(setitimer, 1, AT(&value), 0), -L_ENOSYS);
    ck_assert_int_eq(CALL(setitimer, 3, AT(&value), 0), -L_EINVAL);
    ck_assert_int_eq(CALL(setitimer, L_ITIMER_REAL, 16, 0), -L_EFAULT);
}
END_TEST

START_TEST(timers_are_made_set_and_deleted) {
    event = (struct linux_sigevent){.signal = 40, .value = 9};
    ck_assert_int_eq(CALL(timer_create, L_CLOCK_REALTIME, AT(&event), AT(&id)), 0);
    ck_assert_int_eq(id, 1);
    fake_kernel_set_clock(5000);
    spec = (struct linux_itimerspec){{0, 100}, {0, 7000}};
    ck_assert_int_eq(CALL(timer_settime, 1, L_TIMER_ABSTIME, AT(&spec), AT(&told)), 0);
    ck_assert_int_eq(told.value.nanoseconds, 0);
    ck_assert_uint_eq(timer_of(1)->deadline_ns, 6000); /* less the offset of real time */
    ck_assert_int_eq(CALL(timer_gettime, 1, AT(&told)), 0);
    ck_assert_int_eq(told.value.nanoseconds, 1000);
    ck_assert_int_eq(told.interval.nanoseconds, 100);
    spec.value.nanoseconds = 0;
    ck_assert_int_eq(CALL(timer_settime, 1, 0, AT(&spec), 0), 0);
    ck_assert_uint_eq(timer_of(1)->deadline_ns, AX_TIME_NEVER);
    ck_assert_int_eq(CALL(timer_delete, 1), 0);
    ck_assert_int_eq(CALL(timer_delete, 1), -L_EINVAL);
    ck_assert_int_eq(CALL(timer_settime, 1, 0, AT(&spec), 0), -L_EINVAL);
    ck_assert_int_eq(CALL(timer_delete, 0), -L_EINVAL);
    ck_assert_int_eq(CALL(timer_getoverrun, 99), -L_EINVAL);
}
END_TEST

START_TEST(bad_events_are_refused) {
    event = (struct linux_sigevent){.signal = 65};
    ck_assert_int_eq(CALL(timer_create, L_CLOCK_MONOTONIC, AT(&event), AT(&id)), -L_EINVAL);
    event = (struct linux_sigevent){.signal = 10, .notify = 2};
    ck_assert_int_eq(CALL(timer_create, L_CLOCK_MONOTONIC, AT(&event), AT(&id)), -L_EINVAL);
    event = (struct linux_sigevent){.signal = 10, .notify = L_SIGEV_THREAD_ID, .tid = 999};
    ck_assert_int_eq(CALL(timer_create, L_CLOCK_MONOTONIC, AT(&event), AT(&id)), -L_EINVAL);
    event.tid = 101;
    ck_assert_int_eq(CALL(timer_create, 99, AT(&event), AT(&id)), -L_EINVAL);
    ck_assert_int_eq(CALL(timer_create, L_CLOCK_MONOTONIC, AT(&event), 16), -L_EFAULT);
    for (int i = 1; i < TIMER_COUNT; i++) {
        ck_assert_int_eq(CALL(timer_create, L_CLOCK_MONOTONIC, 0, AT(&id)), 0);
        ck_assert_int_eq(id, i);
    }
    ck_assert_int_eq(CALL(timer_create, L_CLOCK_MONOTONIC, 0, AT(&id)), -L_EAGAIN);
}
END_TEST

START_TEST(a_signal_of_a_timer_is_known_until_it_is_taken) {
    struct signal_info info = {.signal = 40, .code = L_SI_TIMER, .pid = 3};
    ck_assert_int_eq(signal_queue_add(&world_task.queue, &world_task.pool, &info), SIGNAL_ADDED);
    ck_assert(signal_queue_has_timer(&world_task.queue, &world_task.pool, 3));
    ck_assert(!signal_queue_has_timer(&world_task.queue, &world_task.pool, 4));
    ck_assert(signal_queue_take(&world_task.queue, &world_task.pool, ~(signal_set)0, &info));
    ck_assert(!signal_queue_has_timer(&world_task.queue, &world_task.pool, 3));
}
END_TEST

/* ---- select ---------------------------------------------------------------------------------- */

static struct linux_fd_set in, out;

static void open_three(void) {
    struct open_file stream = {FILE_STREAM, 30, L_O_RDONLY, 0}, log = {FILE_LOG, 32, L_O_WRONLY, 0};
    ck_assert(descriptor_open(&world_task.files, 0, &stream));
    ck_assert(descriptor_open(&world_task.files, 1, &log));
    in = out = (struct linux_fd_set){0};
}

START_TEST(select_tells_what_is_ready_by_bits) {
    open_three();
    in.words[0] = 1;
    out.words[0] = 2;
    world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_TIMEOUT);
    ck_assert_int_eq(CALL(select, 2, AT(&in), AT(&out), 0, 0), 1);
    ck_assert_uint_eq(in.words[0], 0);
    ck_assert_uint_eq(out.words[0], 2);
    ck_assert_uint_eq(world_calls[0].a[0], 1);
    ck_assert_uint_eq(world_calls[0].a[1], 0); /* something is ready: it does not wait */
    out.words[0] = 1 << 9;
    ck_assert_int_eq(CALL(select, 10, 0, AT(&out), 0, 0), -L_EBADF);
    ck_assert_int_eq(CALL(select, (uint64_t)-1, 0, AT(&out), 0, 0), -L_EINVAL);
    ck_assert_int_eq(CALL(select, 10, 16, 0, 0, 0), -L_EFAULT);
}
END_TEST

START_TEST(select_waits_until_its_deadline_and_tells_the_rest) {
    static struct linux_timeval wait;
    open_three();
    in.words[0] = 1;
    wait = (struct linux_timeval){1, 5};
    fake_kernel_set_clock(500);
    world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_TIMEOUT);
    ck_assert_int_eq(CALL(select, 1, AT(&in), 0, 0, AT(&wait)), 0);
    ck_assert_uint_eq(world_calls[0].a[1], 1000005500);
    ck_assert_uint_eq(in.words[0], 0);
    ck_assert_int_eq(wait.seconds, 1);
    ck_assert_int_eq(wait.microseconds, 5);
}
END_TEST

TCase *linux_timers_tests(void) {
    TCase *tcase = tcase_create("timers");
    tcase_add_checked_fixture(tcase, world_start, NULL);
    tcase_add_test(tcase, a_timer_advances_past_what_it_missed);
    tcase_add_test(tcase, something_is_left_of_what_runs);
    tcase_add_test(tcase, the_nearest_deadline_is_found_and_told_to_the_timekeeper);
    tcase_add_test(tcase, an_interval_is_set_and_told);
    tcase_add_test(tcase, timers_are_made_set_and_deleted);
    tcase_add_test(tcase, bad_events_are_refused);
    tcase_add_test(tcase, a_signal_of_a_timer_is_known_until_it_is_taken);
    tcase_add_test(tcase, select_tells_what_is_ready_by_bits);
    tcase_add_test(tcase, select_waits_until_its_deadline_and_tells_the_rest);
    return tcase;
}
