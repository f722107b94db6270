/* SPDX-License-Identifier: MIT */
/* Signals that come to an endpoint as messages. */
#include "object_world.h"

#include "endpoint.h"
#include "event.h"

static ax_result bind(struct thread *thread, ax_handle endpoint, ax_handle object, uint64_t mask,
                      uint64_t cookie) {
    return kcall(thread, AX_CALL_ENDPOINT_BIND, endpoint, object, mask, cookie);
}

static ax_result receive(struct thread *thread, ax_handle endpoint, uint64_t deadline) {
    thread->page->ipc.receive_deadline_ns = deadline;
    return kcall(thread, AX_CALL_REPLY_RECEIVE, 0, endpoint);
}

/* The thread has received this. */
static void expect_event(const struct thread *thread, uint64_t cookie, uint64_t signals) {
    expect(driver_answer(thread), AX_OK);
    const struct ax_message *message = &thread->page->ipc.message;
    ck_assert_uint_eq(message->kind, AX_MESSAGE_EVENT);
    ck_assert_uint_eq(message->badge, cookie);
    ck_assert_uint_eq(message->words[0], signals);
}

START_TEST(a_bound_event_comes_as_a_message) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    expect(bind(world.one, endpoint, event, 0x3, 77), AX_OK);
    expect(receive(world.one, endpoint, AX_TIME_NEVER), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 0x4);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    signal_event(world.two, event, 0, 0x2);
    expect_event(world.one, 77, 0x2);
}
END_TEST

START_TEST(what_was_told_is_taken_from_the_event) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    expect(bind(world.one, endpoint, event, 0x3, 77), AX_OK);
    signal_event(world.two, event, 0, 0x1);
    signal_event(world.two, event, 0, 0x6);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0x7);
    expect(receive(world.one, endpoint, NOW), AX_OK);
    expect_event(world.one, 77, 0x3);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0x4);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(what_holds_when_it_is_bound_is_told) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0, 0x1);
    expect(receive(world.one, endpoint, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(bind(world.two, endpoint, event, 0x1, 77), AX_OK);
    expect_event(world.one, 77, 0x1);
}
END_TEST

START_TEST(what_was_cleared_again_is_not_told) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    expect(bind(world.one, endpoint, event, 0x1, 77), AX_OK);
    signal_event(world.one, event, 0, 0x1);
    ck_assert_uint_eq(info_of(world.one, endpoint).signals, AX_SIGNAL_PENDING);
    signal_event(world.one, event, 0x1, 0);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    ck_assert_uint_eq(info_of(world.one, endpoint).signals, 0);
}
END_TEST

START_TEST(a_timer_stays_fired_until_it_is_acknowledged) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    expect(bind(world.one, endpoint, timer, AX_SIGNAL_FIRED, 5), AX_OK);
    expect(kcall(world.one, AX_CALL_TIMER_SET, timer, now_ns() + 100), AX_OK);
    expect(receive(world.one, endpoint, NOW), AX_OK); /* new to this endpoint: told once */
    expect_event(world.one, 5, 0);
    expect(receive(world.one, endpoint, AX_TIME_NEVER), DRIVER_BLOCKED);
    driver_advance(100);
    expect_event(world.one, 5, AX_SIGNAL_FIRED);
    ck_assert_uint_eq(info_of(world.one, timer).signals, AX_SIGNAL_FIRED);
}
END_TEST

START_TEST(a_new_instance_gets_every_bound_object_once) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle first = make(world.one, AX_TYPE_EVENT);
    ax_handle second = make(world.one, AX_TYPE_EVENT);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    expect(bind(world.one, endpoint, first, 0x1, 1), AX_OK);
    expect(bind(world.one, endpoint, second, 0x1, 2), AX_OK);
    signal_event(world.one, second, 0, 1);
    expect(receive(world.one, endpoint, NOW), AX_OK);
    expect_event(world.one, 2, 1);
    signal_event(world.one, first, 0, 1); /* not received by this instance */
    ax_handle theirs = driver_copy(world.process, endpoint, world.other, AX_RIGHT_ALL);
    expect(receive(world.stranger, theirs, NOW), AX_OK);
    expect_event(world.stranger, 1, 1);
    expect(receive(world.stranger, theirs, NOW), AX_OK);
    expect_event(world.stranger, 2, 0); /* taken by the one before: it may not have been done */
    expect(receive(world.stranger, theirs, NOW), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(events_come_in_the_order_of_their_edges) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    ax_handle events[3];
    for (unsigned i = 0; i < 3; i++) {
        events[i] = make(world.one, AX_TYPE_EVENT);
        expect(bind(world.one, endpoint, events[i], 1, i), AX_OK);
    }
    signal_event(world.one, events[2], 0, 1);
    signal_event(world.one, events[0], 0, 1);
    signal_event(world.one, events[2], 0, 1);
    signal_event(world.one, events[1], 0, 1);
    for (unsigned i = 0; i < 3; i++) {
        static const unsigned order[3] = {2, 0, 1};
        expect(receive(world.one, endpoint, NOW), AX_OK);
        expect_event(world.one, order[i], 1);
    }
}
END_TEST

START_TEST(one_binding_an_object) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle another = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(bind(world.one, endpoint, event, 1, 1), AX_OK);
    expect(bind(world.one, endpoint, event, 2, 2), AX_ERR_EXISTS);
    expect(bind(world.one, another, event, 1, 1), AX_ERR_EXISTS);
    expect(bind(world.one, another, event, 0, 0), AX_ERR_NOT_FOUND);
    expect(bind(world.one, endpoint, event, 0, 0), AX_OK);
    expect(bind(world.one, endpoint, event, 0, 0), AX_ERR_NOT_FOUND);
    expect(bind(world.one, another, event, 1, 1), AX_OK);
}
END_TEST

START_TEST(what_is_unbound_is_not_told) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    usage_note();
    expect(bind(world.one, endpoint, event, 1, 1), AX_OK);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    signal_event(world.one, event, 0, 1);
    expect(bind(world.one, endpoint, event, 0, 0), AX_OK);
    usage_check();
    ck_assert_uint_eq(info_of(world.one, endpoint).signals, 0);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
    signal_event(world.one, event, 0, 1);
    expect(receive(world.one, endpoint, NOW), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(a_dead_endpoint_lets_its_objects_go) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle closed = make(world.one, AX_TYPE_EVENT);
    must_close(world.one, closed);
    usage_note();
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    closed = make(world.one, AX_TYPE_EVENT);
    expect(bind(world.one, endpoint, event, 1, 1), AX_OK);
    expect(bind(world.one, endpoint, closed, 1, 2), AX_OK);
    must_close(world.one, closed); /* only the binding holds it now */
    must_close(world.one, endpoint);
    usage_check();
    endpoint = make(world.one, AX_TYPE_ENDPOINT);
    expect(bind(world.one, endpoint, event, 1, 1), AX_OK);
}
END_TEST

START_TEST(the_rights_of_both_are_needed) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, endpoint, AX_RIGHT_ALL & ~AX_RIGHT_RECEIVE);
    expect(bind(world.one, weak, event, 1, 1), AX_ERR_RIGHTS);
    weak = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_WAIT);
    expect(bind(world.one, endpoint, weak, 1, 1), AX_ERR_RIGHTS);
    expect(bind(world.one, event, event, 1, 1), AX_ERR_TYPE);
    expect(bind(world.one, endpoint, endpoint, 1, 1), AX_ERR_TYPE);
    expect(bind(world.one, endpoint, world.other_handle, 1, 1), AX_ERR_TYPE);
    expect(bind(world.one, 0, event, 1, 1), AX_ERR_HANDLE);
    expect(bind(world.one, endpoint, stale(world.one), 1, 1), AX_ERR_HANDLE);
    expect(bind(world.one, endpoint, event, 1ULL << 32, 1), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(without_memory_nothing_is_bound) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    usage_note();
    driver_fail_after(1);
    expect(bind(world.one, endpoint, event, 1, 1), AX_ERR_MEMORY);
    usage_check();
    expect(bind(world.one, endpoint, event, 0, 0), AX_ERR_NOT_FOUND);
    static struct watch watches[WATCH_MAX];
    struct object *object = driver_object(world.process, event);
    for (unsigned i = 0; i < WATCH_MAX; i++)
        watch_start(&watches[i], object, 1, WATCH_QUEUE, NULL);
    expect(bind(world.one, endpoint, event, 1, 1), AX_ERR_LIMIT);
    usage_check();
    for (unsigned i = 0; i < WATCH_MAX; i++)
        watch_stop(&watches[i]);
    expect(bind(world.one, endpoint, event, 1, 1), AX_OK);
}
END_TEST

START_TEST(an_endpoint_has_a_limit_of_bindings) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = 0;
    for (unsigned i = 0; i < BINDINGS_MAX; i++) {
        event = make(world.one, AX_TYPE_EVENT);
        expect(bind(world.one, endpoint, event, 1, i), AX_OK);
    }
    ax_handle another = make(world.one, AX_TYPE_EVENT);
    expect(bind(world.one, endpoint, another, 1, 1), AX_ERR_LIMIT);
    expect(bind(world.one, endpoint, event, 0, 0), AX_OK);
    expect(bind(world.one, endpoint, another, 1, 1), AX_OK);
}
END_TEST

TCase *object_binding_tests(void) {
    TCase *tcase = world_case("object_binding");
    tcase_add_test(tcase, a_bound_event_comes_as_a_message);
    tcase_add_test(tcase, what_was_told_is_taken_from_the_event);
    tcase_add_test(tcase, what_holds_when_it_is_bound_is_told);
    tcase_add_test(tcase, what_was_cleared_again_is_not_told);
    tcase_add_test(tcase, a_timer_stays_fired_until_it_is_acknowledged);
    tcase_add_test(tcase, a_new_instance_gets_every_bound_object_once);
    tcase_add_test(tcase, events_come_in_the_order_of_their_edges);
    tcase_add_test(tcase, one_binding_an_object);
    tcase_add_test(tcase, what_is_unbound_is_not_told);
    tcase_add_test(tcase, a_dead_endpoint_lets_its_objects_go);
    tcase_add_test(tcase, the_rights_of_both_are_needed);
    tcase_add_test(tcase, without_memory_nothing_is_bound);
    tcase_add_test(tcase, an_endpoint_has_a_limit_of_bindings);
    return tcase;
}
