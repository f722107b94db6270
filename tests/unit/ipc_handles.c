/* SPDX-License-Identifier: MIT */
/* Handles in messages, both ways. */
#include "ipc_tests.h"

#define EVENT_RIGHTS (AX_RIGHT_WAIT | AX_RIGHT_COPY)

/* A call with one handle; it blocks. */
static void sends(struct thread *caller, ax_handle handle, uint32_t rights) {
    struct ax_ipc *ipc = fresh(caller);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){.handle = handle, .rights = rights};
    expect(call_again(caller, world.session), DRIVER_BLOCKED);
}

static ax_result send_to(struct thread *caller, ax_handle handle, uint32_t rights) {
    struct ax_ipc *ipc = fresh(caller);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){.handle = handle, .rights = rights};
    return call_again(caller, world.session);
}

/* Receives a call, taking up to so many handles. */
static ax_result accepts(struct thread *thread, uint32_t count) {
    struct ax_ipc *ipc = fresh(thread);
    ipc->receive_deadline_ns = NOW;
    ipc->accept = count;
    return kcall(thread, AX_CALL_REPLY_RECEIVE, 0, world.endpoint);
}

static ax_result answer_with(struct thread *thread, ax_handle reply, ax_handle handle,
                             uint32_t rights) {
    struct ax_ipc *ipc = fresh(thread);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){.handle = handle, .rights = rights};
    return kcall(thread, AX_CALL_REPLY_RECEIVE, reply, 0);
}

static uint32_t rights_of(struct process *process, ax_handle handle) {
    struct object *object;
    uint32_t rights = 0;
    expect(handle_lookup_rights(process, handle, AX_TYPE_NONE, 0, &object, &rights), AX_OK);
    return rights;
}

START_TEST(a_copy_arrives_with_the_rights_asked_for) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    sends(world.one, event, EVENT_RIGHTS);
    expect(accepts(world.sam, 1), AX_OK);
    ck_assert_uint_eq(message(world.sam)->handle_count, 1);
    struct ax_message_handle got = message(world.sam)->handles[0];
    ck_assert_uint_eq(got.rights, EVENT_RIGHTS);
    ck_assert_uint_eq(rights_of(world.server, got.handle), EVENT_RIGHTS);
    ck_assert_ptr_eq(driver_object(world.server, got.handle), driver_object(world.client, event));
    expect(answer(world.sam, message(world.sam)->reply, 0), AX_OK);
    ck_assert(is_handle(world.client, event));
    ck_assert_uint_eq(handles_to(world.client, event), 2);
}
END_TEST

START_TEST(rights_do_not_grow_on_the_way) {
    ax_handle weak =
        weaken(world.one, make(world.one, AX_TYPE_EVENT), AX_RIGHT_COPY | AX_RIGHT_SIGNAL);
    sends(world.one, weak, AX_RIGHT_ALL);
    expect(accepts(world.sam, 1), AX_OK);
    ck_assert_uint_eq(message(world.sam)->handles[0].rights, AX_RIGHT_COPY | AX_RIGHT_SIGNAL);
}
END_TEST

START_TEST(four_handles_arrive_in_order) {
    ax_handle events[4];
    struct ax_ipc *ipc;
    for (unsigned i = 0; i < 4; i++)
        events[i] = make(world.one, AX_TYPE_EVENT);
    ipc = fresh(world.one);
    ipc->message.handle_count = 4;
    for (unsigned i = 0; i < 4; i++)
        ipc->message.handles[i] = (struct ax_message_handle){events[i], AX_RIGHT_ALL};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    expect(accepts(world.sam, 4), AX_OK);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_ptr_eq(driver_object(world.server, message(world.sam)->handles[i].handle),
                         driver_object(world.client, events[i]));
}
END_TEST

START_TEST(a_moved_handle_leaves_at_the_answer) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    sends(world.one, event, AX_RIGHT_ALL | AX_HANDLE_MOVE);
    ck_assert(is_handle(world.client, event));
    expect(accepts(world.sam, 1), AX_OK);
    ax_handle got = message(world.sam)->handles[0].handle;
    ck_assert(is_handle(world.client, event));
    expect(answer(world.sam, message(world.sam)->reply, 0), AX_OK);
    ck_assert(!is_handle(world.client, event));
    ck_assert_uint_eq(handles_to(world.server, got), 1);
    ck_assert_uint_eq(rights_of(world.server, got), AX_RIGHT_ALL);
}
END_TEST

START_TEST(a_moved_handle_stays_when_the_call_is_dropped) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    sends(world.one, event, AX_RIGHT_ALL | AX_HANDLE_MOVE);
    expect(accepts(world.sam, 1), AX_OK);
    must_close(world.sam, message(world.sam)->reply);
    expect(driver_answer(world.one), AX_ERR_DROPPED);
    ck_assert(is_handle(world.client, event));
}
END_TEST

START_TEST(a_moved_handle_stays_when_the_call_is_withdrawn) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    sends(world.one, event, AX_RIGHT_ALL | AX_HANDLE_MOVE);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    ck_assert_uint_eq(handles_to(world.client, event), 1);
}
END_TEST

START_TEST(a_handle_closed_meanwhile_arrives_all_the_same) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    sends(world.one, event, AX_RIGHT_ALL | AX_HANDLE_MOVE);
    must_close(world.two, event);
    ax_handle other = make(world.two, AX_TYPE_EVENT); /* in the same slot */
    ck_assert_uint_eq(other & AX_HANDLE_INDEX_MASK, event & AX_HANDLE_INDEX_MASK);
    expect(accepts(world.sam, 1), AX_OK);
    ax_handle got = message(world.sam)->handles[0].handle;
    expect(answer(world.sam, message(world.sam)->reply, 0), AX_OK);
    ck_assert_uint_eq(handles_to(world.server, got), 1);
    ck_assert(is_handle(world.client, other));
}
END_TEST

/* Else one that may only be moved would be doubled. */
START_TEST(a_handle_that_is_moved_is_named_once) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle other = make(world.one, AX_TYPE_EVENT);
    uint32_t moved = AX_RIGHT_ALL | AX_HANDLE_MOVE;
    const struct ax_message_handle wrong[3][3] = {
        {{event, moved}, {other, moved}, {event, moved}},
        {{event, AX_RIGHT_ALL}, {other, moved}, {event, moved}},
        {{event, moved}, {other, moved}, {event, AX_RIGHT_ALL}}};
    for (unsigned i = 0; i < 3; i++) {
        struct ax_ipc *ipc = fresh(world.one);
        ipc->message.handle_count = 3;
        memcpy(ipc->message.handles, wrong[i], sizeof(wrong[i]));
        expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
    }
    ck_assert_uint_eq(handles_to(world.client, event), 1);
    fresh(world.one)->accept = 3;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    ax_handle own = make(world.sam, AX_TYPE_EVENT);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->message.handle_count = 2;
    ipc->message.handles[0] = ipc->message.handles[1] = (struct ax_message_handle){own, moved};
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_ERR_ARGUMENT);
    ipc->message.handles[0].rights = ipc->message.handles[1].rights = AX_RIGHT_ALL; /* copies */
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
    ck_assert_uint_eq(handles_to(world.server, own), 3);
}
END_TEST

START_TEST(a_session_moves_itself_away) {
    sends(world.one, world.session, AX_RIGHT_ALL | AX_HANDLE_MOVE);
    expect(accepts(world.sam, 1), AX_OK);
    ax_handle got = message(world.sam)->handles[0].handle;
    expect(answer(world.sam, message(world.sam)->reply, 9), AX_OK);
    has_answer(world.one, 9);
    ck_assert(!is_handle(world.client, world.session));
    expect(kcall(world.sam, AX_CALL_SESSION_IDENTIFY, world.endpoint, got), AX_OK);
    must_close(world.sam, got);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
}
END_TEST

START_TEST(sending_needs_the_right_to_copy_or_move) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle no_copy = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_COPY);
    ax_handle no_move = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_MOVE);
    expect(send_to(world.one, no_copy, AX_RIGHT_ALL), AX_ERR_RIGHTS);
    expect(send_to(world.one, no_move, AX_RIGHT_ALL | AX_HANDLE_MOVE), AX_ERR_RIGHTS);
    expect(send_to(world.one, AX_HANDLE_NONE, 0), AX_ERR_HANDLE);
    expect(send_to(world.one, stale(world.one), 0), AX_ERR_HANDLE);
    expect(accepts(world.sam, 4), AX_ERR_TIMEOUT);
    ck_assert_uint_eq(handles_to(world.client, event), 3);
}
END_TEST

START_TEST(replies_are_not_sent) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ax_handle theirs = session_for(world.sam, world.endpoint, 8, world.server);
    struct ax_ipc *ipc = fresh(world.sue);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){reply, 0};
    expect(call_again(world.sue, theirs), AX_ERR_TYPE);
    expect(answer_with(world.sam, reply, reply, 0), AX_ERR_TYPE);
    is_calling(world.one);
}
END_TEST

START_TEST(more_handles_than_the_receiver_takes_are_refused) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    sends(world.one, event, AX_RIGHT_ALL | AX_HANDLE_MOVE);
    expect(accepts(world.sam, 0), AX_ERR_TIMEOUT);
    expect(driver_answer(world.one), AX_ERR_ACCEPT);
    ck_assert_uint_eq(handles_to(world.client, event), 1);
    waits(world.sam, world.endpoint);
    expect(send_to(world.one, event, AX_RIGHT_ALL), AX_ERR_ACCEPT);
    expect(driver_answer(world.sam), DRIVER_BLOCKED);
}
END_TEST

START_TEST(the_next_call_follows_one_that_was_refused) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    sends(world.one, event, AX_RIGHT_ALL);
    calls(world.two, world.session, 2);
    takes(world.sam, world.endpoint, 2);
    expect(driver_answer(world.one), AX_ERR_ACCEPT);
}
END_TEST

START_TEST(a_crowd_that_is_refused_is_worked_off_in_portions) {
    enum { COUNT = 200 };
    struct thread *callers[COUNT];
    struct process *crowd = driver_process();
    ax_handle theirs = driver_copy(world.client, world.session, crowd, AX_RIGHT_ALL);
    for (unsigned i = 0; i < COUNT; i++) {
        callers[i] = driver_thread(crowd);
        struct ax_ipc *ipc = fresh(callers[i]);
        ipc->message.handle_count = 1;
        ipc->message.handles[0] = (struct ax_message_handle){theirs, AX_RIGHT_ALL};
        expect(call_again(callers[i], theirs), DRIVER_BLOCKED);
    }
    calls(world.one, world.session, 1);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_call(world.sam, 1);
    for (unsigned i = 0; i < COUNT; i++)
        expect(driver_answer(callers[i]), AX_ERR_ACCEPT);
}
END_TEST

START_TEST(a_receiver_accepts_four_at_most) {
    expect(accepts(world.sam, 5), AX_ERR_ARGUMENT);
    expect(accepts(world.sam, 4), AX_ERR_TIMEOUT);
}
END_TEST

/* ---- Answers --------------------------------------------------------------------------------- */

static ax_handle accepting_call(uint32_t count) {
    fresh(world.one)->accept = count;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    return takes(world.sam, world.endpoint, 0);
}

START_TEST(an_answer_brings_handles) {
    ax_handle reply = accepting_call(1);
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    expect(answer_with(world.sam, reply, event, EVENT_RIGHTS), AX_OK);
    has_answer(world.one, 0);
    ck_assert_uint_eq(message(world.one)->handle_count, 1);
    ck_assert_uint_eq(message(world.one)->handles[0].rights, EVENT_RIGHTS);
    ck_assert_uint_eq(handles_to(world.client, message(world.one)->handles[0].handle), 2);
}
END_TEST

START_TEST(an_answer_moves_handles) {
    ax_handle reply = accepting_call(2);
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    expect(answer_with(world.sam, reply, event, AX_RIGHT_ALL | AX_HANDLE_MOVE), AX_OK);
    ck_assert(!is_handle(world.server, event));
    ck_assert_uint_eq(handles_to(world.client, message(world.one)->handles[0].handle), 1);
}
END_TEST

START_TEST(an_answer_brings_no_more_than_was_accepted) {
    ax_handle reply = accepting_call(0);
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    expect(answer_with(world.sam, reply, event, AX_RIGHT_ALL | AX_HANDLE_MOVE), AX_ERR_ACCEPT);
    is_calling(world.one);
    ck_assert(is_handle(world.server, event));
    expect(answer(world.sam, reply, 3), AX_OK);
    has_answer(world.one, 3);
}
END_TEST

START_TEST(an_answer_with_a_bad_handle_is_none) {
    ax_handle reply = accepting_call(4);
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    ax_handle no_copy = weaken(world.sam, event, AX_RIGHT_ALL & ~AX_RIGHT_COPY);
    expect(answer_with(world.sam, reply, no_copy, AX_RIGHT_ALL), AX_ERR_RIGHTS);
    expect(answer_with(world.sam, reply, stale(world.sam), AX_RIGHT_ALL), AX_ERR_HANDLE);
    fresh(world.sam)->message.handle_count = 5;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_ERR_ARGUMENT);
    is_calling(world.one);
}
END_TEST

START_TEST(the_last_receiver_moves_to_the_caller) {
    ax_handle reply = accepting_call(1);
    expect(answer_with(world.sam, reply, world.endpoint, AX_RIGHT_ALL | AX_HANDLE_MOVE), AX_OK);
    ax_handle theirs = message(world.one)->handles[0].handle;
    calls(world.two, world.session, 5);
    ax_handle next = takes(world.one, theirs, 5);
    expect(answer(world.one, next, 6), AX_OK);
    has_answer(world.two, 6);
}
END_TEST

START_TEST(room_is_reserved_before_the_call_is_sent) {
    uint32_t promised = world.client->handles.promised;
    fresh(world.one)->accept = 4;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ck_assert_uint_eq(world.client->handles.promised, promised + 4);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    ck_assert_uint_eq(world.client->handles.promised, promised);
}
END_TEST

void ipc_handles_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_handles");
    tcase_add_test(tcase, a_copy_arrives_with_the_rights_asked_for);
    tcase_add_test(tcase, rights_do_not_grow_on_the_way);
    tcase_add_test(tcase, four_handles_arrive_in_order);
    tcase_add_test(tcase, a_moved_handle_leaves_at_the_answer);
    tcase_add_test(tcase, a_moved_handle_stays_when_the_call_is_dropped);
    tcase_add_test(tcase, a_moved_handle_stays_when_the_call_is_withdrawn);
    tcase_add_test(tcase, a_handle_closed_meanwhile_arrives_all_the_same);
    tcase_add_test(tcase, a_handle_that_is_moved_is_named_once);
    tcase_add_test(tcase, a_session_moves_itself_away);
    tcase_add_test(tcase, sending_needs_the_right_to_copy_or_move);
    tcase_add_test(tcase, replies_are_not_sent);
    tcase_add_test(tcase, more_handles_than_the_receiver_takes_are_refused);
    tcase_add_test(tcase, the_next_call_follows_one_that_was_refused);
    tcase_add_test(tcase, a_crowd_that_is_refused_is_worked_off_in_portions);
    tcase_add_test(tcase, a_receiver_accepts_four_at_most);
    tcase_add_test(tcase, an_answer_brings_handles);
    tcase_add_test(tcase, an_answer_moves_handles);
    tcase_add_test(tcase, an_answer_brings_no_more_than_was_accepted);
    tcase_add_test(tcase, an_answer_with_a_bad_handle_is_none);
    tcase_add_test(tcase, the_last_receiver_moves_to_the_caller);
    tcase_add_test(tcase, room_is_reserved_before_the_call_is_sent);
}
