/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"
#include "memory_world.h"

#define ALL_BITS UINT32_MAX
#define WAITERS  6

static struct thread *waiters[WAITERS];
static uint64_t from, to;

static ax_result requeue(uint64_t wake_count, uint64_t move_count) {
    return kcall(world.two, AX_CALL_FUTEX_REQUEUE, from, wake_count, to, move_count, 0);
}

static ax_result wake(uint64_t address, uint64_t count) {
    return kcall(world.two, AX_CALL_FUTEX_WAKE, address, count, ALL_BITS);
}

static void must_wait(struct thread *thread, uint64_t address, uint64_t deadline) {
    expect(kcall(thread, AX_CALL_FUTEX_WAIT, address, 0, ALL_BITS, deadline), DRIVER_BLOCKED);
}

static void start(void) {
    world_start();
    from = map_pages(world.one, 1, RW);
    to = from + 64;
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i] = driver_thread(world.process);
        must_wait(waiters[i], from, AX_TIME_NEVER);
    }
}

/* A digit for each waiter, in order: 1: it was woken. */
static unsigned woken(void) {
    unsigned digits = 0;
    for (unsigned i = 0; i < WAITERS; i++)
        digits = digits * 10 + (driver_answer(waiters[i]) == AX_OK);
    return digits;
}

START_TEST(the_first_wake_the_next_move) {
    expect(requeue(2, 3), 5);
    ck_assert_uint_eq(woken(), 110000);
    expect(wake(to, 1), 1);
    ck_assert_uint_eq(woken(), 111000);
    expect(wake(to, 10), 2);
    ck_assert_uint_eq(woken(), 111110);
    expect(wake(from, 10), 1);
}
END_TEST

START_TEST(more_than_there_are_is_all) {
    expect(requeue(0, UINT32_MAX), WAITERS);
    ck_assert_uint_eq(woken(), 0);
    expect(wake(from, 10), 0);
    expect(requeue(UINT32_MAX, UINT32_MAX), 0);
    expect(wake(to, 10), WAITERS);
}
END_TEST

START_TEST(the_moved_line_up_behind_those_who_wait) {
    must_wait(world.one, to, AX_TIME_NEVER);
    expect(requeue(0, 2), 2);
    expect(wake(to, 1), 1);
    expect(driver_answer(world.one), AX_OK);
    ck_assert_uint_eq(woken(), 0);
}
END_TEST

START_TEST(a_moved_waiter_keeps_its_deadline) {
    must_wait(world.one, from, now_ns() + 5000);
    expect(requeue(WAITERS, 1), WAITERS + 1);
    driver_advance(5000);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    expect(wake(to, 1), 0);
}
END_TEST

START_TEST(a_moved_waiter_can_be_interrupted) {
    expect(requeue(0, 1), 1);
    interrupt(waiters[0]);
    expect(driver_answer(waiters[0]), AX_ERR_INTERRUPTED);
    expect(wake(to, 1), 0);
}
END_TEST

START_TEST(another_value_moves_nobody) {
    expect(kcall(world.two, AX_CALL_FUTEX_REQUEUE, from, 1, to, 1, 3), AX_ERR_AGAIN);
    ck_assert_uint_eq(woken(), 0);
    expect(wake(to, 1), 0);
}
END_TEST

START_TEST(arguments_are_checked) {
    uint64_t big = UINT64_C(1) << 32;
    expect(requeue(big, 1), AX_ERR_ARGUMENT);
    expect(requeue(1, big), AX_ERR_ARGUMENT);
    expect(kcall(world.two, AX_CALL_FUTEX_REQUEUE, from, 1, to, 1, big), AX_ERR_ARGUMENT);
    expect(kcall(world.two, AX_CALL_FUTEX_REQUEUE, from, 1, from, 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.two, AX_CALL_FUTEX_REQUEUE, from + 1, 1, to, 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.two, AX_CALL_FUTEX_REQUEUE, from, 1, to + 1, 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.two, AX_CALL_FUTEX_REQUEUE, 8, 1, to, 1, 0), AX_ERR_ADDRESS);
    expect(kcall(world.two, AX_CALL_FUTEX_REQUEUE, from, 1, 8, 1, 0), AX_ERR_ADDRESS);
    ck_assert_uint_eq(woken(), 0);
}
END_TEST

START_TEST(many_are_moved_in_portions) {
    struct process *process = driver_process();
    ax_handle memory = memory_new(world.one, 1);
    ax_handle theirs = driver_copy(world.process, memory, process, AX_RIGHT_ALL);
    uint64_t there = 0;
    for (unsigned i = 0; i < 100; i++) {
        struct thread *thread = driver_thread(process);
        if (i == 0)
            there = map_memory(thread, theirs, 1, RW, 0);
        must_wait(thread, there, AX_TIME_NEVER);
    }
    from = map_memory(world.one, memory, 1, RW, 0);
    uint64_t restarts = kernel->counters.restarts;
    expect(requeue(30, 1000), 100);
    ck_assert_uint_eq(kernel->counters.restarts, restarts + 1);
    expect(wake(to, 1000), 70);
}
END_TEST

TCase *futex_requeue_tests(void) {
    TCase *tcase = tcase_create("futex_requeue");
    tcase_add_checked_fixture(tcase, start, world_stop);
    tcase_add_test(tcase, the_first_wake_the_next_move);
    tcase_add_test(tcase, more_than_there_are_is_all);
    tcase_add_test(tcase, the_moved_line_up_behind_those_who_wait);
    tcase_add_test(tcase, a_moved_waiter_keeps_its_deadline);
    tcase_add_test(tcase, a_moved_waiter_can_be_interrupted);
    tcase_add_test(tcase, another_value_moves_nobody);
    tcase_add_test(tcase, arguments_are_checked);
    tcase_add_test(tcase, many_are_moved_in_portions);
    return tcase;
}
