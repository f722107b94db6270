/* SPDX-License-Identifier: MIT */
#include "queue_tests.h"

#define READABLE AX_SIGNAL_READABLE
#define NEVER    AX_TIME_NEVER

/* queues[0] watches queues[1], which watches queues[2] ...; the last watches an event. */
static ax_handle chain_make(ax_handle *queues, unsigned count, uint32_t mode) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    for (unsigned i = 0; i < count; i++)
        queues[i] = make(world.one, AX_TYPE_QUEUE);
    for (unsigned i = 0; i + 1 < count; i++)
        queue_watch(queues[i], mode, queues[i + 1], READABLE, i + 1);
    queue_watch(queues[count - 1], mode, event, 1, 100);
    return event;
}

START_TEST(a_queue_is_readable_while_a_member_is_ready) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, 0, event, 1, 1);
    expect(kcall(world.one, AX_CALL_OBJECT_WAIT, queue, READABLE, NOW), AX_ERR_TIMEOUT);
    expect(kcall(world.one, AX_CALL_OBJECT_WAIT, queue, READABLE, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), READABLE);
    queue_expect(queue, 1, 1);
    expect(kcall(world.one, AX_CALL_OBJECT_WAIT, queue, READABLE, NOW), READABLE);
    signal_event(world.two, event, 1, 0); /* the level is over, nobody took it */
    expect(kcall(world.one, AX_CALL_OBJECT_WAIT, queue, READABLE, NOW), AX_ERR_TIMEOUT);
    ck_assert_uint_eq(info_of(world.one, queue).signals, 0);
}
END_TEST

START_TEST(an_event_is_seen_through_five_queues) {
    ax_handle queues[AX_QUEUE_NESTING_MAX];
    ax_handle event = chain_make(queues, AX_QUEUE_NESTING_MAX, 0);
    for (unsigned i = 0; i < AX_QUEUE_NESTING_MAX; i++)
        queue_expect_nothing(queues[i]);
    expect(queue_wait(world.two, queues[0], 4, NEVER), DRIVER_BLOCKED);
    signal_event(world.one, event, 0, 1);
    expect(driver_answer(world.two), 1);
    for (unsigned i = 0; i + 1 < AX_QUEUE_NESTING_MAX; i++)
        queue_expect(queues[i], i + 1, READABLE);
    queue_expect(queues[AX_QUEUE_NESTING_MAX - 1], 100, 1);
    signal_event(world.one, event, 1, 0);
    for (unsigned i = 0; i < AX_QUEUE_NESTING_MAX; i++)
        queue_expect_nothing(queues[i]);
}
END_TEST

START_TEST(taking_the_event_below_silences_those_above) {
    ax_handle queues[3];
    ax_handle event = chain_make(queues, 3, AX_QUEUE_EDGE);
    signal_event(world.one, event, 0, 1);
    queue_expect(queues[2], 100, 1);
    queue_expect_nothing(queues[1]);
    queue_expect_nothing(queues[0]);
}
END_TEST

START_TEST(each_edge_below_is_an_edge_above) {
    ax_handle outer = make(world.one, AX_TYPE_QUEUE);
    ax_handle inner = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(outer, AX_QUEUE_EDGE, inner, READABLE, 1);
    queue_watch(inner, 0, event, 1, 2);
    signal_event(world.one, event, 0, 1);
    queue_expect(outer, 1, READABLE);
    queue_expect_nothing(outer);
    signal_event(world.one, event, 0, 1);
    queue_expect(outer, 1, READABLE);
}
END_TEST

START_TEST(a_readable_queue_is_reported_from_the_start) {
    ax_handle outer = make(world.one, AX_TYPE_QUEUE);
    ax_handle inner = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(inner, 0, event, 1, 2);
    signal_event(world.one, event, 0, 1);
    queue_watch(outer, 0, inner, READABLE, 1);
    queue_expect(outer, 1, READABLE);
}
END_TEST

START_TEST(a_sixth_queue_is_too_deep) {
    ax_handle queues[AX_QUEUE_NESTING_MAX];
    chain_make(queues, AX_QUEUE_NESTING_MAX, 0);
    ax_handle sixth = make(world.one, AX_TYPE_QUEUE);
    usage_note();
    expect(queue_control(world.one, sixth, AX_QUEUE_ADD, queues[0], READABLE, 1), AX_ERR_LIMIT);
    expect(queue_control(world.one, queues[AX_QUEUE_NESTING_MAX - 1], AX_QUEUE_ADD, sixth, READABLE,
                         1),
           AX_ERR_LIMIT);
    expect(queue_control(world.one, queues[3], AX_QUEUE_ADD, sixth, READABLE, 1), AX_OK);
    expect(queue_control(world.one, queues[3], AX_QUEUE_REMOVE, 0, 0, 1), AX_OK);
    expect(queue_control(world.one, sixth, AX_QUEUE_ADD, queues[1], READABLE, 1), AX_OK);
    expect(queue_control(world.one, sixth, AX_QUEUE_REMOVE, 0, 0, 1), AX_OK);
    usage_check();
}
END_TEST

START_TEST(depth_counts_below_and_above) {
    ax_handle upper[3], lower[3];
    chain_make(upper, 3, 0);
    chain_make(lower, 3, 0);
    expect(queue_control(world.one, upper[2], AX_QUEUE_ADD, lower[0], READABLE, 9), AX_ERR_LIMIT);
    expect(queue_control(world.one, upper[2], AX_QUEUE_ADD, lower[1], READABLE, 9), AX_OK);
    expect(queue_control(world.one, upper[1], AX_QUEUE_ADD, lower[0], READABLE, 9), AX_OK);
}
END_TEST

START_TEST(a_cycle_is_refused) {
    ax_handle queues[3];
    chain_make(queues, 3, 0);
    usage_note();
    expect(queue_control(world.one, queues[2], AX_QUEUE_ADD, queues[0], READABLE, 9),
           AX_ERR_DEADLOCK);
    expect(queue_control(world.one, queues[1], AX_QUEUE_ADD, queues[0], READABLE, 9),
           AX_ERR_DEADLOCK);
    expect(queue_control(world.one, queues[0], AX_QUEUE_ADD, queues[0], READABLE, 9),
           AX_ERR_DEADLOCK);
    usage_check();
    expect(queue_control(world.one, queues[0], AX_QUEUE_ADD, queues[2], READABLE, 9), AX_OK);
}
END_TEST

START_TEST(a_cycle_of_full_depth_is_a_cycle) {
    ax_handle queues[AX_QUEUE_NESTING_MAX];
    chain_make(queues, AX_QUEUE_NESTING_MAX, 0);
    expect(queue_control(world.one, queues[AX_QUEUE_NESTING_MAX - 1], AX_QUEUE_ADD, queues[0],
                         READABLE, 9),
           AX_ERR_DEADLOCK);
}
END_TEST

START_TEST(the_search_for_cycles_is_bounded) {
    ax_handle outer = make(world.one, AX_TYPE_QUEUE);
    ax_handle inner = make(world.one, AX_TYPE_QUEUE);
    for (uint64_t i = 0; i < NESTING_SEARCH_MAX; i++) {
        ax_result result = queue_control(world.one, inner, AX_QUEUE_ADD,
                                         make(world.one, AX_TYPE_QUEUE), READABLE, i);
        expect(result, AX_OK);
    }
    expect(queue_control(world.one, outer, AX_QUEUE_ADD, inner, READABLE, 1), AX_ERR_LIMIT);
    expect(queue_control(world.one, inner, AX_QUEUE_REMOVE, 0, 0, 0), AX_OK);
    expect(queue_control(world.one, outer, AX_QUEUE_ADD, inner, READABLE, 1), AX_OK);
    ax_handle lowest = make(world.one, AX_TYPE_QUEUE);
    expect(queue_control(world.one, inner, AX_QUEUE_ADD, lowest, READABLE, 5000), AX_OK);
}
END_TEST

START_TEST(too_many_watchers_above_are_refused) {
    ax_handle inner = make(world.one, AX_TYPE_QUEUE);
    static struct watch watches[NESTING_SEARCH_MAX];
    for (unsigned i = 0; i < NESTING_SEARCH_MAX; i++)
        watch_start(&watches[i], driver_object(world.process, inner), 0, WATCH_THREAD, NULL);
    ax_handle below = make(world.one, AX_TYPE_QUEUE);
    expect(queue_control(world.one, inner, AX_QUEUE_ADD, below, READABLE, 1), AX_ERR_LIMIT);
    for (unsigned i = 0; i < NESTING_SEARCH_MAX; i++)
        watch_stop(&watches[i]);
}
END_TEST

START_TEST(a_nested_queue_goes_with_its_last_handle) {
    ax_handle queues[2];
    ax_handle event = chain_make(queues, 2, 0);
    signal_event(world.one, event, 0, 1);
    queue_expect(queues[0], 1, READABLE);
    must_close(world.one, queues[1]);
    queue_expect_nothing(queues[0]);
    ck_assert_uint_eq(info_of(world.one, queues[0]).queue.members, 0);
    ck_assert_uint_eq(driver_object(world.process, event)->watch_count, 0);
}
END_TEST

/* Level by level each queue watches every queue below: 4^4 ways from the event to the top. */
START_TEST(telling_many_queues_at_once_is_bounded_and_complete) {
    enum { WIDE = 4, DEEP = AX_QUEUE_NESTING_MAX };
    ax_handle queues[DEEP][WIDE];
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    for (unsigned i = 0; i < DEEP * WIDE; i++)
        queues[i / WIDE][i % WIDE] = make(world.one, AX_TYPE_QUEUE);
    for (unsigned i = 0; i < WIDE; i++)
        queue_watch(queues[0][i], AX_QUEUE_EDGE, event, 1, 1);
    for (unsigned level = 1; level < DEEP; level++)
        for (unsigned i = 0; i < WIDE * WIDE; i++)
            queue_watch(queues[level][i / WIDE], AX_QUEUE_EDGE, queues[level - 1][i % WIDE],
                        READABLE, i % WIDE);
    expect(queue_wait(world.two, queues[DEEP - 1][WIDE - 1], 8, NEVER), DRIVER_BLOCKED);
    signal_event(world.one, event, 0, 1);
    ck_assert_int_gt(driver_answer(world.two), 0);
    for (unsigned i = 0; i < WIDE; i++)
        ck_assert_int_gt(queue_wait(world.one, queues[DEEP - 1][i], 8, NOW), 0);
}
END_TEST

START_TEST(beyond_its_budget_an_edge_is_told_by_the_work_list) {
    ax_handle queues[2];
    ax_handle event = chain_make(queues, 2, AX_QUEUE_EDGE);
    struct queue *inner = (struct queue *)driver_object(world.process, queues[1]);
    struct queue *outer = (struct queue *)driver_object(world.process, queues[0]);
    struct object *object = driver_object(world.process, event);
    kernel_lock();
    object->signals = 1;
    kernel->notify_budget = 0;
    watch_notify(object, 1);
    ck_assert(inner->untold);
    ck_assert_uint_eq(outer->ready_count, 0);
    kernel_unlock();
    driver_settle();
    ck_assert(!inner->untold);
    queue_expect(queues[0], 1, READABLE);
}
END_TEST

START_TEST(an_edge_taken_before_it_was_told_is_not_told) {
    ax_handle queues[2];
    ax_handle event = chain_make(queues, 2, AX_QUEUE_EDGE);
    struct queue *inner = (struct queue *)driver_object(world.process, queues[1]);
    struct object *object = driver_object(world.process, event);
    kernel_lock();
    kernel->notify_budget = 0;
    watch_notify(object, 1); /* but the level does not hold */
    unsigned portion = WORK_PORTION;
    queue_refresh(inner, &portion);
    kernel_unlock();
    driver_settle();
    ck_assert(!inner->untold);
    queue_expect_nothing(queues[0]);
}
END_TEST

TCase *queue_nested_tests(void) {
    TCase *tcase = world_case("queue_nested");
    tcase_add_test(tcase, a_queue_is_readable_while_a_member_is_ready);
    tcase_add_test(tcase, an_event_is_seen_through_five_queues);
    tcase_add_test(tcase, taking_the_event_below_silences_those_above);
    tcase_add_test(tcase, each_edge_below_is_an_edge_above);
    tcase_add_test(tcase, a_readable_queue_is_reported_from_the_start);
    tcase_add_test(tcase, a_sixth_queue_is_too_deep);
    tcase_add_test(tcase, depth_counts_below_and_above);
    tcase_add_test(tcase, a_cycle_is_refused);
    tcase_add_test(tcase, a_cycle_of_full_depth_is_a_cycle);
    tcase_add_test(tcase, the_search_for_cycles_is_bounded);
    tcase_add_test(tcase, too_many_watchers_above_are_refused);
    tcase_add_test(tcase, a_nested_queue_goes_with_its_last_handle);
    tcase_add_test(tcase, telling_many_queues_at_once_is_bounded_and_complete);
    tcase_add_test(tcase, beyond_its_budget_an_edge_is_told_by_the_work_list);
    tcase_add_test(tcase, an_edge_taken_before_it_was_told_is_not_told);
    return tcase;
}
