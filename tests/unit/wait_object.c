/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#define NEVER AX_TIME_NEVER

static ax_result wait_for(struct thread *thread, ax_handle handle, uint64_t mask,
                          uint64_t deadline) {
    return kcall(thread, AX_CALL_OBJECT_WAIT, handle, mask, deadline);
}

START_TEST(a_signal_that_is_there_is_answered_at_once) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0, 0x7);
    expect(wait_for(world.one, event, 0x5, NEVER), 0x5);
    expect(wait_for(world.one, event, 0xc, NEVER), 0x4);
    expect(wait_for(world.one, event, 0x5, NOW), 0x5);
}
END_TEST

START_TEST(waits_until_a_signal_comes) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(wait_for(world.one, event, 0x6, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 0x1);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 0x4);
    expect(driver_answer(world.one), 0x4);
}
END_TEST

START_TEST(a_signal_wakes_all_who_wait_for_it) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle copy = driver_copy(world.process, event, world.other, AX_RIGHT_WAIT);
    struct thread *third = driver_thread(world.process);
    expect(wait_for(world.one, event, 1, NEVER), DRIVER_BLOCKED);
    expect(wait_for(third, event, 1, NEVER), DRIVER_BLOCKED);
    expect(wait_for(world.stranger, copy, 1, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), 1);
    expect(driver_answer(third), 1);
    expect(driver_answer(world.stranger), 1);
}
END_TEST

START_TEST(a_deadline_ends_the_wait) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(wait_for(world.one, event, 1, now_ns() + 1000), DRIVER_BLOCKED);
    driver_advance(999);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    driver_advance(1);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(a_deadline_that_passed_does_not_block) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    driver_advance(1000);
    expect(wait_for(world.one, event, 1, NOW), AX_ERR_TIMEOUT);
    expect(wait_for(world.one, event, 1, now_ns()), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(a_deadline_is_forgotten_when_the_wait_ends) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(wait_for(world.one, event, 1, now_ns() + 1000), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), 1);
    signal_event(world.two, event, 1, 0);
    expect(wait_for(world.one, event, 1, NEVER), DRIVER_BLOCKED);
    driver_advance(5000);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
}
END_TEST

START_TEST(an_interrupt_ends_the_wait) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(wait_for(world.one, event, 1, NEVER), DRIVER_BLOCKED);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
}
END_TEST

START_TEST(a_pending_interrupt_ends_a_wait_before_it_begins) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    interrupt(world.one);
    expect(wait_for(world.one, event, 1, NEVER), AX_ERR_INTERRUPTED);
    expect(wait_for(world.one, event, 1, NOW), AX_ERR_INTERRUPTED);
    signal_event(world.two, event, 0, 1);
    expect(wait_for(world.one, event, 1, NEVER), 1); /* what is there comes first */
}
END_TEST

START_TEST(the_wait_holds_the_object) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle copy = driver_copy(world.process, event, world.other, AX_RIGHT_ALL);
    expect(wait_for(world.one, event, 1, NEVER), DRIVER_BLOCKED);
    must_close(world.two, event);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    signal_event(world.stranger, copy, 0, 1);
    expect(driver_answer(world.one), 1);
}
END_TEST

START_TEST(waiting_for_an_object_without_handles_ends_by_its_deadline) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    usage_note();
    expect(wait_for(world.one, event, 1, now_ns() + 1000), DRIVER_BLOCKED);
    must_close(world.two, event);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects);
    driver_advance(1000);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects - 1);
}
END_TEST

START_TEST(a_thread_that_ends_waits_no_more) {
    ax_handle event = make(world.stranger, AX_TYPE_EVENT);
    ax_handle copy = driver_copy(world.other, event, world.process, AX_RIGHT_ALL);
    struct object *object = driver_object(world.process, copy);
    expect(wait_for(world.stranger, event, 1, NEVER), DRIVER_BLOCKED);
    ck_assert_uint_eq(object->watch_count, 1);
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED, 0), AX_OK);
    ck_assert_uint_eq(object->watch_count, 0);
    signal_event(world.one, copy, 0, 1);
}
END_TEST

START_TEST(bad_arguments_are_refused) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(wait_for(world.one, event, 0, NEVER), AX_ERR_ARGUMENT);
    expect(wait_for(world.one, event, 1ULL << 32, NEVER), AX_ERR_ARGUMENT);
    expect(wait_for(world.one, 0, 1, NEVER), AX_ERR_HANDLE);
    expect(wait_for(world.one, stale(world.one), 1, NEVER), AX_ERR_HANDLE);
    ax_handle weak = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_WAIT);
    expect(wait_for(world.one, weak, 1, NEVER), AX_ERR_RIGHTS);
}
END_TEST

START_TEST(an_object_has_a_limit_of_waiters) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    struct object *object = driver_object(world.process, event);
    static struct watch watches[WATCH_MAX];
    for (unsigned i = 0; i < WATCH_MAX; i++)
        watch_start(&watches[i], object, 1, WATCH_QUEUE, NULL);
    expect(wait_for(world.one, event, 1, NEVER), AX_ERR_LIMIT);
    watch_stop(&watches[0]);
    expect(wait_for(world.one, event, 1, NEVER), DRIVER_BLOCKED);
    for (unsigned i = 1; i < WATCH_MAX; i++)
        watch_stop(&watches[i]);
    watch_stop(&watches[1]); /* once more does nothing */
    signal_event(world.two, event, 0, 1);
    expect(driver_answer(world.one), 1);
}
END_TEST

START_TEST(the_end_of_a_process_is_a_signal) {
    expect(wait_for(world.one, world.other_handle, AX_SIGNAL_ENDED, NEVER), DRIVER_BLOCKED);
    expect(kcall(world.two, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED, 0), AX_OK);
    expect(driver_answer(world.one), AX_SIGNAL_ENDED);
    expect(wait_for(world.one, world.other_handle, AX_SIGNAL_ENDED, NOW), AX_SIGNAL_ENDED);
}
END_TEST

TCase *wait_object_tests(void) {
    TCase *tcase = world_case("wait_object");
    tcase_add_test(tcase, a_signal_that_is_there_is_answered_at_once);
    tcase_add_test(tcase, waits_until_a_signal_comes);
    tcase_add_test(tcase, a_signal_wakes_all_who_wait_for_it);
    tcase_add_test(tcase, a_deadline_ends_the_wait);
    tcase_add_test(tcase, a_deadline_that_passed_does_not_block);
    tcase_add_test(tcase, a_deadline_is_forgotten_when_the_wait_ends);
    tcase_add_test(tcase, an_interrupt_ends_the_wait);
    tcase_add_test(tcase, a_pending_interrupt_ends_a_wait_before_it_begins);
    tcase_add_test(tcase, the_wait_holds_the_object);
    tcase_add_test(tcase, waiting_for_an_object_without_handles_ends_by_its_deadline);
    tcase_add_test(tcase, a_thread_that_ends_waits_no_more);
    tcase_add_test(tcase, bad_arguments_are_refused);
    tcase_add_test(tcase, an_object_has_a_limit_of_waiters);
    tcase_add_test(tcase, the_end_of_a_process_is_a_signal);
    return tcase;
}
