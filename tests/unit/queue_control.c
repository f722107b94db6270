/* SPDX-License-Identifier: MIT */
#include "queue_tests.h"

ax_result queue_request(struct thread *thread, ax_handle queue, uint64_t op, ax_handle handle,
                        const struct ax_queue_request *request) {
    memcpy(thread->page->buffer, request, sizeof(*request));
    return kcall(thread, AX_CALL_QUEUE_CONTROL, queue, op, handle);
}

static ax_result control_mode(struct thread *thread, ax_handle queue, uint64_t op, uint32_t mode,
                              ax_handle handle, uint32_t mask, uint64_t key) {
    struct ax_queue_request request = {
        .key = key, .data = QUEUE_DATA(key), .mask = mask, .mode = mode};
    return queue_request(thread, queue, op, handle, &request);
}

ax_result queue_control(struct thread *thread, ax_handle queue, uint64_t op, ax_handle handle,
                        uint32_t mask, uint64_t key) {
    return control_mode(thread, queue, op, 0, handle, mask, key);
}

void queue_watch(ax_handle queue, uint32_t mode, ax_handle handle, uint32_t mask, uint64_t key) {
    expect(control_mode(world.one, queue, AX_QUEUE_ADD, mode, handle, mask, key), AX_OK);
}

void queue_change(ax_handle queue, uint32_t mode, uint32_t mask, uint64_t key) {
    expect(control_mode(world.one, queue, AX_QUEUE_CHANGE, mode, 0, mask, key), AX_OK);
}

ax_result queue_wait(struct thread *thread, ax_handle queue, uint64_t max, uint64_t deadline) {
    return kcall(thread, AX_CALL_QUEUE_WAIT, queue, max, deadline);
}

struct ax_queue_event queue_event(const struct thread *thread, unsigned index) {
    struct ax_queue_event events[AX_QUEUE_MAX];
    copy_buffer(thread, events, sizeof(events));
    return events[index];
}

void queue_expect(ax_handle queue, uint64_t key, uint32_t signals) {
    expect(queue_wait(world.one, queue, AX_QUEUE_MAX, NOW), 1);
    struct ax_queue_event event = queue_event(world.one, 0);
    ck_assert_uint_eq(event.key, key);
    ck_assert_uint_eq(event.data, QUEUE_DATA(key));
    ck_assert_uint_eq(event.signals, signals);
    ck_assert_uint_eq(event.reserved, 0);
}

void queue_expect_nothing(ax_handle queue) {
    expect(queue_wait(world.one, queue, AX_QUEUE_MAX, NOW), AX_ERR_TIMEOUT);
}

START_TEST(members_are_known_by_their_keys) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, 0, event, 1, 100);
    expect(queue_control(world.one, queue, AX_QUEUE_ADD, event, 1, 100), AX_ERR_EXISTS);
    queue_watch(queue, 0, event, 1, 101); /* the same object, another member */
    ck_assert_uint_eq(info_of(world.one, queue).queue.members, 2);
    expect(queue_control(world.one, queue, AX_QUEUE_CHANGE, 0, 1, 102), AX_ERR_NOT_FOUND);
    expect(queue_control(world.one, queue, AX_QUEUE_REMOVE, 0, 0, 102), AX_ERR_NOT_FOUND);
    expect(queue_control(world.one, queue, AX_QUEUE_REMOVE, 0, 0, 100), AX_OK);
    expect(queue_control(world.one, queue, AX_QUEUE_REMOVE, 0, 0, 100), AX_ERR_NOT_FOUND);
    ck_assert_uint_eq(info_of(world.one, queue).queue.members, 1);
}
END_TEST

/* As with epoll: the member is known by something else than what it tells. */
START_TEST(data_is_told_and_need_not_be_unique) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0, 1);
    for (uint64_t key = 1; key <= 2; key++) {
        struct ax_queue_request request = {.key = key, .data = UINT64_MAX, .mask = 1};
        expect(queue_request(world.one, queue, AX_QUEUE_ADD, event, &request), AX_OK);
    }
    struct ax_queue_request changed = {.key = 1, .data = 2, .mask = 1};
    expect(queue_wait(world.one, queue, 2, NOW), 2);
    ck_assert_uint_eq(queue_event(world.one, 0).data, UINT64_MAX);
    ck_assert_uint_eq(queue_event(world.one, 1).data, UINT64_MAX);
    expect(queue_request(world.one, queue, AX_QUEUE_CHANGE, 0, &changed), AX_OK);
    expect(queue_wait(world.one, queue, 2, NOW), 2);
    ck_assert_uint_eq(queue_event(world.one, 0).key, 1);
    ck_assert_uint_eq(queue_event(world.one, 0).data, 2);
    ck_assert_uint_eq(queue_event(world.one, 1).data, UINT64_MAX);
    expect(queue_control(world.one, queue, AX_QUEUE_REMOVE, 0, 0, 2), AX_OK);
    expect(queue_wait(world.one, queue, 2, NOW), 1);
    ck_assert_uint_eq(queue_event(world.one, 0).key, 1);
}
END_TEST

START_TEST(the_queues_owner_pays_for_members) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle copy = driver_copy(world.process, queue, world.other, AX_RIGHT_ALL);
    ax_handle theirs = driver_copy(world.process, event, world.other, AX_RIGHT_ALL);
    usage_note();
    uint64_t other_objects = world.other_account->used_objects;
    expect(queue_control(world.stranger, copy, AX_QUEUE_ADD, theirs, 1, 1), AX_OK);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    ck_assert_uint_eq(world.other_account->used_objects, other_objects);
    expect(queue_control(world.stranger, copy, AX_QUEUE_REMOVE, 0, 0, 1), AX_OK);
    usage_check();
}
END_TEST

START_TEST(a_closed_queue_takes_its_members_along) {
    ax_handle events[100];
    for (unsigned i = 0; i < 100; i++)
        events[i] = make(world.one, AX_TYPE_EVENT);
    usage_note();
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    for (unsigned i = 0; i < 100; i++)
        queue_watch(queue, 0, events[i], 1, i);
    signal_event(world.one, events[7], 0, 1);
    must_close(world.one, queue);
    usage_check();
    for (unsigned i = 0; i < 100; i++)
        ck_assert_uint_eq(driver_object(world.process, events[i])->watch_count, 0);
}
END_TEST

START_TEST(a_member_goes_with_the_last_handle_to_its_object) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    usage_note();
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle copy = weaken(world.one, event, AX_RIGHT_ALL);
    queue_watch(queue, 0, event, 1, 5);
    signal_event(world.one, event, 0, 1);
    must_close(world.one, event);
    queue_expect(queue, 5, 1); /* the copy keeps it */
    must_close(world.one, copy);
    queue_expect_nothing(queue);
    ck_assert_uint_eq(info_of(world.one, queue).queue.members, 0);
    usage_check();
}
END_TEST

START_TEST(a_member_goes_though_somebody_waits_for_its_object) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, 0, event, 1, 5);
    expect(kcall(world.two, AX_CALL_OBJECT_WAIT, event, 1, AX_TIME_NEVER), DRIVER_BLOCKED);
    must_close(world.one, event);
    ck_assert_uint_eq(info_of(world.one, queue).queue.members, 0);
    queue_watch(queue, 0, make(world.one, AX_TYPE_EVENT), 1, 5); /* the key is free */
    interrupt(world.two);
    expect(driver_answer(world.two), AX_ERR_INTERRUPTED);
}
END_TEST

START_TEST(a_member_out_of_reach_is_gone_before_its_memory_is) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, 0, event, 1, 5);
    signal_event(world.one, event, 0, 1);
    struct queue *object = (struct queue *)driver_object(world.process, queue);
    kernel_lock();
    expect(handle_close(world.process, event), AX_OK); /* and no work is done yet */
    ck_assert_uint_eq(object->member_count, 1);
    unsigned portion = WORK_PORTION;
    ck_assert_uint_eq(object_signals(&object->object, &portion), 0);
    kernel_unlock();
    expect(queue_control(world.one, queue, AX_QUEUE_REMOVE, 0, 0, 5), AX_ERR_NOT_FOUND);
    ck_assert_uint_eq(object->member_count, 0);
}
END_TEST

START_TEST(many_members_of_one_object_go_in_portions) {
    enum { COUNT = 2 * WORK_PORTION + 5 };
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    usage_note();
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    for (uint64_t i = 0; i < COUNT; i++)
        queue_watch(queue, 0, event, 1, i);
    struct object *object = driver_object(world.process, event);
    kernel_lock();
    expect(handle_close(world.process, event), AX_OK);
    work_run(WORK_PORTION);
    ck_assert(work_is_pending());
    ck_assert_uint_eq(object->watch_count, COUNT - WORK_PORTION);
    object_signal(object, 0, 1); /* out of reach already: tells nobody */
    kernel_unlock();
    queue_expect_nothing(queue);
    ck_assert_uint_eq(info_of(world.one, queue).queue.members, 0);
    usage_check();
}
END_TEST

START_TEST(needs_the_right_to_change_the_queue) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, queue, AX_RIGHT_ALL & ~AX_RIGHT_WRITE);
    expect(queue_control(world.one, weak, AX_QUEUE_ADD, event, 1, 1), AX_ERR_RIGHTS);
    expect(queue_control(world.one, event, AX_QUEUE_ADD, event, 1, 1), AX_ERR_TYPE);
    expect(queue_control(world.one, 0, AX_QUEUE_ADD, event, 1, 1), AX_ERR_HANDLE);
    expect(queue_control(world.one, stale(world.one), AX_QUEUE_ADD, event, 1, 1), AX_ERR_HANDLE);
}
END_TEST

START_TEST(needs_the_right_to_wait_for_the_member) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_WAIT);
    usage_note();
    expect(queue_control(world.one, queue, AX_QUEUE_ADD, weak, 1, 1), AX_ERR_RIGHTS);
    expect(queue_control(world.one, queue, AX_QUEUE_ADD, 0, 1, 1), AX_ERR_HANDLE);
    must_close(world.one, event);
    expect(queue_control(world.one, queue, AX_QUEUE_ADD, event, 1, 1), AX_ERR_HANDLE);
    ck_assert_uint_eq(info_of(world.one, queue).queue.members, 0);
}
END_TEST

START_TEST(bad_arguments_are_refused) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(queue_control(world.one, queue, 3, event, 1, 1), AX_ERR_ARGUMENT);
    expect(queue_control(world.one, queue, 1ULL << 32, event, 1, 1), AX_ERR_ARGUMENT);
    for (unsigned bit = 3; bit < 32; bit++)
        expect(control_mode(world.one, queue, AX_QUEUE_ADD, 1U << bit, event, 1, 1),
               AX_ERR_ARGUMENT);
    ck_assert_uint_eq(info_of(world.one, queue).queue.members, 0);
}
END_TEST

START_TEST(exclusive_has_its_limits) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle inner = make(world.one, AX_TYPE_QUEUE);
    expect(control_mode(world.one, queue, AX_QUEUE_ADD, AX_QUEUE_EXCLUSIVE | AX_QUEUE_ONCE, event,
                        1, 1),
           AX_ERR_ARGUMENT);
    expect(control_mode(world.one, queue, AX_QUEUE_ADD, AX_QUEUE_EXCLUSIVE, inner, 1, 1),
           AX_ERR_ARGUMENT);
    queue_watch(queue, AX_QUEUE_EXCLUSIVE, event, 1, 1);
    queue_watch(queue, 0, event, 1, 2);
    expect(queue_control(world.one, queue, AX_QUEUE_CHANGE, 0, 1, 1), AX_ERR_ARGUMENT);
    expect(control_mode(world.one, queue, AX_QUEUE_CHANGE, AX_QUEUE_EXCLUSIVE, 0, 1, 2),
           AX_ERR_ARGUMENT);
    expect(queue_control(world.one, queue, AX_QUEUE_REMOVE, 0, 0, 1), AX_OK);
}
END_TEST

START_TEST(without_memory_nothing_is_added) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    usage_note();
    driver_fail_after(1);
    expect(queue_control(world.one, queue, AX_QUEUE_ADD, event, 1, 1), AX_ERR_MEMORY);
    usage_check();
    uint64_t limit = world.account->limit_objects;
    world.account->limit_objects = world.account->used_objects;
    expect(queue_control(world.one, queue, AX_QUEUE_ADD, event, 1, 1), AX_ERR_LIMIT);
    world.account->limit_objects = limit;
    ck_assert_uint_eq(driver_object(world.process, event)->watch_count, 0);
    queue_watch(queue, 0, event, 1, 1);
}
END_TEST

START_TEST(a_crowded_object_takes_no_more_members) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    static struct watch watches[WATCH_MAX];
    for (unsigned i = 0; i < WATCH_MAX; i++)
        watch_start(&watches[i], driver_object(world.process, event), 1, WATCH_THREAD, NULL);
    usage_note();
    expect(queue_control(world.one, queue, AX_QUEUE_ADD, event, 1, 1), AX_ERR_LIMIT);
    usage_check();
    for (unsigned i = 0; i < WATCH_MAX; i++)
        watch_stop(&watches[i]);
}
END_TEST

START_TEST(a_removed_member_is_not_reported) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    queue_watch(queue, 0, event, 1, 1);
    signal_event(world.one, event, 0, 1);
    ck_assert_uint_eq(info_of(world.one, queue).signals, AX_SIGNAL_READABLE);
    expect(queue_control(world.one, queue, AX_QUEUE_REMOVE, 0, 0, 1), AX_OK);
    ck_assert_uint_eq(info_of(world.one, queue).signals, 0);
    queue_expect_nothing(queue);
    signal_event(world.one, event, 0, 1);
    queue_expect_nothing(queue);
}
END_TEST

START_TEST(every_kind_of_object_can_be_a_member) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    queue_watch(queue, AX_QUEUE_EDGE, world.other_handle, AX_SIGNAL_ENDED, 1);
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    queue_watch(queue, AX_QUEUE_EDGE, timer, AX_SIGNAL_FIRED, 2);
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    queue_watch(queue, AX_QUEUE_EDGE, endpoint, AX_SIGNAL_PENDING, 3);
    ax_result session =
        kcall(world.one, AX_CALL_SESSION_CREATE, endpoint, 7, AX_SIGNAL_READABLE, 0);
    ck_assert_int_gt(session, 0);
    queue_watch(queue, AX_QUEUE_EDGE, (ax_handle)session, AX_SIGNAL_READABLE, 4);
    queue_expect(queue, 4, AX_SIGNAL_READABLE);
    expect(kcall(world.one, AX_CALL_TIMER_SET, timer, 0), AX_OK);
    queue_expect(queue, 2, AX_SIGNAL_FIRED);
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED, 0), AX_OK);
    queue_expect(queue, 1, AX_SIGNAL_ENDED);
    must_close(world.one, (ax_handle)session);
    queue_expect(queue, 3, AX_SIGNAL_PENDING);
}
END_TEST

TCase *queue_control_tests(void) {
    TCase *tcase = world_case("queue_control");
    tcase_add_test(tcase, members_are_known_by_their_keys);
    tcase_add_test(tcase, data_is_told_and_need_not_be_unique);
    tcase_add_test(tcase, the_queues_owner_pays_for_members);
    tcase_add_test(tcase, a_closed_queue_takes_its_members_along);
    tcase_add_test(tcase, a_member_goes_with_the_last_handle_to_its_object);
    tcase_add_test(tcase, a_member_goes_though_somebody_waits_for_its_object);
    tcase_add_test(tcase, a_member_out_of_reach_is_gone_before_its_memory_is);
    tcase_add_test(tcase, many_members_of_one_object_go_in_portions);
    tcase_add_test(tcase, needs_the_right_to_change_the_queue);
    tcase_add_test(tcase, needs_the_right_to_wait_for_the_member);
    tcase_add_test(tcase, bad_arguments_are_refused);
    tcase_add_test(tcase, exclusive_has_its_limits);
    tcase_add_test(tcase, without_memory_nothing_is_added);
    tcase_add_test(tcase, a_crowded_object_takes_no_more_members);
    tcase_add_test(tcase, a_removed_member_is_not_reported);
    tcase_add_test(tcase, every_kind_of_object_can_be_a_member);
    return tcase;
}
