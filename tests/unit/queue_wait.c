/* SPDX-License-Identifier: MIT */
#include "queue_tests.h"

#define NEVER AX_TIME_NEVER

START_TEST(a_level_is_reported_as_long_as_it_holds) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, 0, event, 0x3, 9);
    queue_expect_nothing(queue);
    signal_event(world.one, event, 0, 0x7);
    queue_expect(queue, 9, 0x3);
    queue_expect(queue, 9, 0x3);
    signal_event(world.one, event, 0x2, 0);
    queue_expect(queue, 9, 0x1);
    signal_event(world.one, event, 0x1, 0);
    queue_expect_nothing(queue);
    ck_assert_uint_eq(info_of(world.one, queue).queue.ready, 0);
}
END_TEST

START_TEST(an_edge_is_reported_once) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, AX_QUEUE_EDGE, event, 0x3, 9);
    signal_event(world.one, event, 0, 0x1);
    queue_expect(queue, 9, 0x1);
    queue_expect_nothing(queue);
    signal_event(world.one, event, 0, 0x1); /* set already: a new edge */
    queue_expect(queue, 9, 0x1);
    signal_event(world.one, event, 0, 0x4); /* not of the mask */
    queue_expect_nothing(queue);
    signal_event(world.one, event, 0, 0x2);
    queue_expect(queue, 9, 0x3); /* with what else holds */
    signal_event(world.one, event, 0, 0x1);
    signal_event(world.one, event, 0x3, 0);
    queue_expect_nothing(queue); /* it is over */
}
END_TEST

START_TEST(once_is_silent_until_changed) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, AX_QUEUE_ONCE, event, 0x3, 9);
    signal_event(world.one, event, 0, 0x1);
    queue_expect(queue, 9, 0x1);
    queue_expect_nothing(queue);
    signal_event(world.one, event, 0, 0x2);
    queue_expect_nothing(queue);
    queue_change(queue, AX_QUEUE_ONCE, 0x2, 9);
    queue_expect(queue, 9, 0x2);
    queue_expect_nothing(queue);
    queue_change(queue, AX_QUEUE_ONCE | AX_QUEUE_EDGE, 0x1, 9);
    queue_expect(queue, 9, 0x1);
    signal_event(world.one, event, 0, 0x1);
    queue_expect_nothing(queue);
}
END_TEST

START_TEST(what_holds_already_is_reported_from_the_start) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0, 0x1);
    queue_watch(queue, AX_QUEUE_EDGE, event, 0x1, 9);
    queue_expect(queue, 9, 0x1);
    queue_expect_nothing(queue);
    queue_change(queue, AX_QUEUE_EDGE, 0x1, 9);
    queue_expect(queue, 9, 0x1);
}
END_TEST

START_TEST(a_change_of_mask_counts_at_once) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, 0, event, 0x1, 9);
    signal_event(world.one, event, 0, 0x3);
    expect(queue_control(world.one, queue, AX_QUEUE_CHANGE, 0, 0, 9), AX_OK);
    queue_expect_nothing(queue);
    signal_event(world.one, event, 0, 0x3);
    queue_expect_nothing(queue);
    expect(queue_control(world.one, queue, AX_QUEUE_CHANGE, 0, 0x2, 9), AX_OK);
    queue_expect(queue, 9, 0x2);
}
END_TEST

START_TEST(levels_take_turns) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    for (uint64_t i = 0; i < 3; i++) {
        ax_handle event = make(world.one, AX_TYPE_EVENT);
        signal_event(world.one, event, 0, 1);
        queue_watch(queue, 0, event, 1, i);
    }
    for (uint64_t i = 0; i < 7; i++) {
        expect(queue_wait(world.one, queue, 1, NOW), 1);
        ck_assert_uint_eq(queue_event(world.one, 0).key, i % 3);
    }
    expect(queue_wait(world.one, queue, 2, NOW), 2);
    ck_assert_uint_eq(queue_event(world.one, 0).key, 1);
    ck_assert_uint_eq(queue_event(world.one, 1).key, 2);
    expect(queue_wait(world.one, queue, AX_QUEUE_MAX, NOW), 3);
    ck_assert_uint_eq(queue_event(world.one, 0).key, 0);
}
END_TEST

START_TEST(waits_until_a_member_is_ready) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, AX_QUEUE_EDGE, event, 1, 9);
    expect(queue_wait(world.one, queue, 4, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 0x2);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 0x1);
    expect(driver_answer(world.one), 1);
    ck_assert_uint_eq(queue_event(world.one, 0).key, 9);
    ck_assert_uint_eq(queue_event(world.one, 0).signals, 1);
    queue_expect_nothing(queue);
}
END_TEST

START_TEST(a_member_added_or_changed_wakes_who_waits) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0, 1);
    expect(queue_wait(world.one, queue, 4, NEVER), DRIVER_BLOCKED);
    expect(queue_control(world.two, queue, AX_QUEUE_ADD, event, 0, 9), AX_OK);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    expect(queue_control(world.two, queue, AX_QUEUE_CHANGE, event, 1, 9), AX_OK);
    expect(driver_answer(world.one), 1);
    expect(queue_control(world.two, queue, AX_QUEUE_REMOVE, 0, 0, 9), AX_OK);
    expect(queue_wait(world.one, queue, 4, NEVER), DRIVER_BLOCKED);
    expect(queue_control(world.two, queue, AX_QUEUE_ADD, event, 1, 10), AX_OK);
    expect(driver_answer(world.one), 1);
    ck_assert_uint_eq(queue_event(world.one, 0).key, 10);
}
END_TEST

START_TEST(an_edge_wakes_one_thread) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    struct thread *third = driver_thread(world.process);
    queue_watch(queue, AX_QUEUE_EDGE, event, 1, 9);
    expect(queue_wait(world.one, queue, 4, NEVER), DRIVER_BLOCKED);
    expect(queue_wait(third, queue, 4, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), 1); /* the one that waited longest */
    expect(driver_answer(third), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(third), 1);
}
END_TEST

START_TEST(a_level_wakes_all_threads) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    enum { COUNT = WORK_PORTION + 10 };
    struct thread *threads[COUNT];
    queue_watch(queue, 0, event, 1, 9);
    for (unsigned i = 0; i < COUNT; i++) {
        threads[i] = driver_thread(world.process);
        expect(queue_wait(threads[i], queue, 4, NEVER), DRIVER_BLOCKED);
    }
    signal_event(world.two, event, 0, 1);
    for (unsigned i = 0; i < COUNT; i++)
        expect(driver_answer(threads[i]), 1);
}
END_TEST

START_TEST(a_once_member_wakes_one_thread) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    struct thread *third = driver_thread(world.process);
    queue_watch(queue, AX_QUEUE_ONCE, event, 1, 9);
    expect(queue_wait(world.one, queue, 4, NEVER), DRIVER_BLOCKED);
    expect(queue_wait(third, queue, 4, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 1);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), 1);
    expect(driver_answer(third), DRIVER_BLOCKED);
}
END_TEST

START_TEST(a_deadline_or_an_interrupt_ends_the_wait) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, AX_QUEUE_EDGE, event, 1, 9);
    expect(queue_wait(world.one, queue, 4, now_ns() + 100), DRIVER_BLOCKED);
    driver_advance(100);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    expect(queue_wait(world.one, queue, 4, now_ns()), AX_ERR_TIMEOUT);
    expect(queue_wait(world.one, queue, 4, NEVER), DRIVER_BLOCKED);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    expect(queue_wait(world.one, queue, 4, NEVER), AX_ERR_INTERRUPTED);
    signal_event(world.two, event, 0, 1);
    expect(queue_wait(world.one, queue, 4, NEVER), 1); /* what is there comes first */
}
END_TEST

START_TEST(an_edge_is_not_lost_to_a_thread_that_gave_up) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, AX_QUEUE_EDGE, event, 1, 9);
    expect(queue_wait(world.one, queue, 4, now_ns() + 100), DRIVER_BLOCKED);
    driver_advance(100);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    queue_expect(queue, 9, 1);
}
END_TEST

START_TEST(the_wait_holds_the_queue) {
    usage_note();
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, AX_QUEUE_EDGE, event, 1, 9);
    expect(queue_wait(world.one, queue, 4, NEVER), DRIVER_BLOCKED);
    must_close(world.two, queue);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), 1);
    must_close(world.two, event);
    usage_check();
}
END_TEST

START_TEST(a_thread_that_ends_waits_no_more) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle copy = driver_copy(world.process, queue, world.other, AX_RIGHT_ALL);
    struct queue *object = (struct queue *)driver_object(world.process, queue);
    expect(queue_wait(world.stranger, copy, 4, NEVER), DRIVER_BLOCKED);
    ck_assert(!list_is_empty(&object->waiters));
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED, 0), AX_OK);
    ck_assert(list_is_empty(&object->waiters));
    ck_assert_uint_eq(object->object.refs, 1);
}
END_TEST

START_TEST(bad_arguments_are_refused) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    expect(queue_wait(world.one, queue, 0, NOW), AX_ERR_ARGUMENT);
    expect(queue_wait(world.one, queue, AX_QUEUE_MAX + 1, NOW), AX_ERR_ARGUMENT);
    expect(queue_wait(world.one, queue, UINT64_MAX, NOW), AX_ERR_ARGUMENT);
    expect(queue_wait(world.one, 0, 1, NOW), AX_ERR_HANDLE);
    expect(queue_wait(world.one, stale(world.one), 1, NOW), AX_ERR_HANDLE);
    expect(queue_wait(world.one, make(world.one, AX_TYPE_EVENT), 1, NOW), AX_ERR_TYPE);
    ax_handle weak = weaken(world.one, queue, AX_RIGHT_ALL & ~AX_RIGHT_READ);
    expect(queue_wait(world.one, weak, 1, NOW), AX_ERR_RIGHTS);
    expect(queue_wait(world.one, queue, AX_QUEUE_MAX, NOW), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(at_most_so_many_are_told_at_once) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    for (uint64_t i = 0; i < AX_QUEUE_MAX + 10; i++) {
        ax_handle event = make(world.one, AX_TYPE_EVENT);
        queue_watch(queue, AX_QUEUE_EDGE, event, 1, i);
        signal_event(world.one, event, 0, 1);
    }
    ck_assert_uint_eq(info_of(world.one, queue).queue.ready, AX_QUEUE_MAX + 10);
    expect(queue_wait(world.one, queue, AX_QUEUE_MAX, NOW), AX_QUEUE_MAX);
    ck_assert_uint_eq(queue_event(world.one, AX_QUEUE_MAX - 1).key, AX_QUEUE_MAX - 1);
    expect(queue_wait(world.one, queue, AX_QUEUE_MAX, NOW), 10);
    ck_assert_uint_eq(queue_event(world.one, 9).key, AX_QUEUE_MAX + 9);
    queue_expect_nothing(queue);
}
END_TEST

START_TEST(many_that_are_ready_no_more_are_passed_in_portions) {
    enum { COUNT = 3 * WORK_PORTION };
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle last = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        last = make(world.one, AX_TYPE_EVENT);
        queue_watch(queue, 0, last, 1, i);
        signal_event(world.one, last, 0, 1);
        if (i + 1 < COUNT)
            signal_event(world.one, last, 1, 0);
    }
    uint64_t restarts = kernel->counters.restarts;
    queue_expect(queue, COUNT - 1, 1);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 2);
}
END_TEST

/* ---- Exclusive ------------------------------------------------------------------------------- */

START_TEST(of_exclusive_queues_one_that_waits_is_told) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle first = make(world.one, AX_TYPE_QUEUE);
    ax_handle second = make(world.one, AX_TYPE_QUEUE);
    ax_handle plain = make(world.one, AX_TYPE_QUEUE);
    struct thread *third = driver_thread(world.process);
    struct thread *fourth = driver_thread(world.process);
    queue_watch(first, AX_QUEUE_EXCLUSIVE | AX_QUEUE_EDGE, event, 1, 1);
    queue_watch(second, AX_QUEUE_EXCLUSIVE | AX_QUEUE_EDGE, event, 1, 2);
    queue_watch(plain, AX_QUEUE_EDGE, event, 1, 3);
    expect(queue_wait(third, first, 1, NEVER), DRIVER_BLOCKED);
    expect(queue_wait(fourth, second, 1, NEVER), DRIVER_BLOCKED);
    signal_event(world.one, event, 0, 1);
    expect(driver_answer(third), 1);
    expect(driver_answer(fourth), DRIVER_BLOCKED);
    queue_expect(plain, 3, 1);
    signal_event(world.one, event, 0, 1); /* nobody waits for the first: the second takes it */
    expect(driver_answer(fourth), 1);
    ck_assert_uint_eq(queue_event(fourth, 0).key, 2);
    queue_expect(first, 1, 1); /* it was told before it was known who takes it */
}
END_TEST

START_TEST(if_none_waits_all_exclusive_queues_are_told) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle first = make(world.one, AX_TYPE_QUEUE);
    ax_handle second = make(world.one, AX_TYPE_QUEUE);
    queue_watch(first, AX_QUEUE_EXCLUSIVE, event, 1, 1);
    queue_watch(second, AX_QUEUE_EXCLUSIVE, event, 1, 2);
    signal_event(world.one, event, 0, 1);
    queue_expect(first, 1, 1);
    queue_expect(second, 2, 1);
}
END_TEST

TCase *queue_wait_tests(void) {
    TCase *tcase = world_case("queue_wait");
    tcase_add_test(tcase, a_level_is_reported_as_long_as_it_holds);
    tcase_add_test(tcase, an_edge_is_reported_once);
    tcase_add_test(tcase, once_is_silent_until_changed);
    tcase_add_test(tcase, what_holds_already_is_reported_from_the_start);
    tcase_add_test(tcase, a_change_of_mask_counts_at_once);
    tcase_add_test(tcase, levels_take_turns);
    tcase_add_test(tcase, waits_until_a_member_is_ready);
    tcase_add_test(tcase, a_member_added_or_changed_wakes_who_waits);
    tcase_add_test(tcase, an_edge_wakes_one_thread);
    tcase_add_test(tcase, a_level_wakes_all_threads);
    tcase_add_test(tcase, a_once_member_wakes_one_thread);
    tcase_add_test(tcase, a_deadline_or_an_interrupt_ends_the_wait);
    tcase_add_test(tcase, an_edge_is_not_lost_to_a_thread_that_gave_up);
    tcase_add_test(tcase, the_wait_holds_the_queue);
    tcase_add_test(tcase, a_thread_that_ends_waits_no_more);
    tcase_add_test(tcase, bad_arguments_are_refused);
    tcase_add_test(tcase, at_most_so_many_are_told_at_once);
    tcase_add_test(tcase, many_that_are_ready_no_more_are_passed_in_portions);
    tcase_add_test(tcase, of_exclusive_queues_one_that_waits_is_told);
    tcase_add_test(tcase, if_none_waits_all_exclusive_queues_are_told);
    return tcase;
}
