/* SPDX-License-Identifier: MIT */
/* Closes are state: announced, listed, retired. */
#include "ipc_tests.h"

static ax_result retire(uint64_t badge, uint64_t flags) {
    return kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, badge, flags);
}

START_TEST(the_last_handle_announces_the_close) {
    ax_handle copy = weaken(world.one, world.session, AX_RIGHT_WAIT);
    must_close(world.one, world.session);
    has_nothing(world.sam, world.endpoint);
    must_close(world.one, copy);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), AX_SIGNAL_PENDING);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(it_is_received_by_one_who_waits) {
    waits(world.sam, world.endpoint);
    must_close(world.one, world.session);
    has_close(world.sam, BADGE);
}
END_TEST

START_TEST(closes_are_announced_in_their_order) {
    ax_handle others[3];
    for (unsigned i = 0; i < 3; i++)
        others[i] = session_for(world.sam, world.endpoint, 20 - i, world.client);
    must_close(world.one, others[1]);
    must_close(world.one, others[0]);
    must_close(world.one, world.session);
    must_close(world.one, others[2]);
    static const uint64_t order[4] = {19, 20, BADGE, 18};
    for (unsigned i = 0; i < 4; i++) {
        expect(receive(world.sam, world.endpoint), AX_OK);
        has_close(world.sam, order[i]);
    }
}
END_TEST

START_TEST(an_unanswered_call_keeps_it_open) {
    calls(world.one, world.session, 1);
    must_close(world.two, world.session);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    has_nothing(world.sam, world.endpoint);
    waits(world.sue, world.endpoint);
    expect(answer(world.sam, reply, 2), AX_OK);
    has_close(world.sue, BADGE);
}
END_TEST

START_TEST(a_close_is_queued_before_ended_is_raised) {
    /* Who sees ENDED finds the close already there. */
    ax_handle client = grant(world.client, world.server, AX_RIGHT_WAIT);
    expect(kcall(world.sue, AX_CALL_OBJECT_WAIT, client, AX_SIGNAL_ENDED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    end(world.client, AX_CAUSE_KILLED);
    expect(driver_answer(world.sue), AX_SIGNAL_ENDED);
    expect(receive_until(world.sue, world.endpoint, NOW), AX_OK);
    has_close(world.sue, BADGE);
}
END_TEST

START_TEST(a_close_comes_before_any_later_call) {
    ax_handle other = session_for(world.sam, world.endpoint, 8, world.client);
    must_close(world.one, world.session);
    calls(driver_thread_with(world.client, 30, 0), other, 1);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    takes(world.sam, world.endpoint, 1);
}
END_TEST

START_TEST(a_handle_in_a_stash_keeps_it_open) {
    struct process *stash = driver_process();
    ax_handle place = grant(stash, world.client, AX_RIGHT_HANDLES);
    expect(kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, world.session, AX_PLACE(place, 5),
                 AX_RIGHT_ALL, AX_TRANSFER_MOVE),
           5);
    end(world.client, AX_CAUSE_KILLED);
    has_nothing(world.sam, world.endpoint);
    end(stash, AX_CAUSE_KILLED);
    expect(receive_until(world.sam, world.endpoint, NOW), AX_OK);
    has_close(world.sam, BADGE);
}
END_TEST

START_TEST(a_handle_in_a_record_keeps_it_open) {
    ax_handle carried = session_for(world.sam, world.endpoint, 8, world.client);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){carried, AX_RIGHT_ALL};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    must_close(world.two, carried);
    expect(receive(world.sam, world.endpoint), AX_OK); /* takes no handles: the record is gone */
    expect(driver_answer(world.one), AX_ERR_ACCEPT);
    has_close(world.sam, 8);
}
END_TEST

START_TEST(a_handle_in_a_call_keeps_it_open_until_the_answer) {
    ax_handle carried = session_for(world.sam, world.endpoint, 8, world.client);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){carried, AX_RIGHT_ALL};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    must_close(world.two, carried);
    fresh(world.sam)->accept = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    ax_handle reply = message(world.sam)->reply;
    must_close(world.sam, message(world.sam)->handles[0].handle);
    has_nothing(world.sue, world.endpoint);
    expect(answer_receive(world.sam, reply, world.endpoint, 1), AX_OK);
    has_close(world.sam, 8);
}
END_TEST

START_TEST(a_close_is_announced_once_though_servers_die) {
    keep();
    must_close(world.one, world.session);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    has_nothing(world.sam, world.endpoint); /* but it is listed: endpoint_list.c */
}
END_TEST

START_TEST(a_close_waits_for_a_server) {
    keep();
    end(world.server, AX_CAUSE_KILLED);
    must_close(world.one, world.session);
    new_server();
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
}
END_TEST

/* ---- session_retire -------------------------------------------------------------------------- */

START_TEST(retiring_forgets_a_closed_session) {
    must_close(world.one, world.session);
    expect(receive(world.sam, world.endpoint), AX_OK);
    uint64_t objects = world.server_account->used_objects;
    expect(retire(BADGE, 0), AX_OK);
    ck_assert_uint_eq(world.server_account->used_objects, objects - 1);
    expect(retire(BADGE, 0), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_close_that_was_not_received_can_be_retired) {
    must_close(world.one, world.session);
    expect(retire(BADGE, 0), AX_OK);
    has_nothing(world.sam, world.endpoint);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), 0);
}
END_TEST

START_TEST(an_open_session_is_not_retired) {
    expect(retire(BADGE, 0), AX_ERR_STATE);
    calls(world.one, world.session, 1);
}
END_TEST

START_TEST(ending_a_session_is_seen_by_its_holders) {
    expect(
        kcall(world.two, AX_CALL_OBJECT_WAIT, world.session, AX_SIGNAL_PEER_CLOSED, AX_TIME_NEVER),
        DRIVER_BLOCKED);
    expect(retire(BADGE, AX_RETIRE_END), AX_OK);
    expect(driver_answer(world.two), AX_SIGNAL_PEER_CLOSED);
    expect(call(world.one, world.session, 1), AX_ERR_PEER_CLOSED);
    must_close(world.one, world.session);
    has_nothing(world.sam, world.endpoint);
    expect(retire(BADGE, AX_RETIRE_END), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(ending_a_session_ends_its_queued_calls) {
    ax_handle other = session_for(world.sam, world.endpoint, 8, world.client);
    calls(world.one, world.session, 1);
    calls(world.two, other, 2);
    expect(retire(BADGE, AX_RETIRE_END), AX_OK);
    expect(driver_answer(world.one), AX_ERR_PEER_CLOSED);
    takes(world.sam, world.endpoint, 2);
}
END_TEST

START_TEST(a_received_call_of_an_ended_session_is_answered) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(retire(BADGE, AX_RETIRE_END), AX_OK);
    is_calling(world.one);
    expect(answer(world.sam, reply, 3), AX_OK);
    has_answer(world.one, 3);
    must_close(world.one, world.session);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(a_call_of_an_ended_session_does_not_come_back) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    expect(retire(BADGE, AX_RETIRE_END), AX_OK);
    end(world.server, AX_CAUSE_KILLED);
    expect(driver_answer(world.one), AX_ERR_PEER_CLOSED);
}
END_TEST

START_TEST(nothing_is_announced_of_an_ended_session) {
    /* Its only handle is gone already; the queued call is the last that keeps it open. */
    calls(world.one, world.session, 1);
    must_close(world.two, world.session);
    expect(retire(BADGE, AX_RETIRE_END), AX_OK);
    expect(driver_answer(world.one), AX_ERR_PEER_CLOSED);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(ending_a_closed_session_retires_it) {
    must_close(world.one, world.session);
    expect(retire(BADGE, AX_RETIRE_END), AX_OK);
    expect(retire(BADGE, 0), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(ending_a_session_with_many_calls_takes_portions) {
    enum { COUNT = 150 };
    struct thread *callers[COUNT];
    struct process *crowd = driver_process();
    ax_handle theirs = driver_copy(world.client, world.session, crowd, AX_RIGHT_ALL);
    for (unsigned i = 0; i < COUNT; i++) {
        callers[i] = driver_thread(crowd);
        calls(callers[i], theirs, i);
    }
    uint64_t restarts = kernel->counters.restarts;
    expect(retire(BADGE, AX_RETIRE_END), AX_OK);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + COUNT / 10);
    for (unsigned i = 0; i < COUNT; i++)
        expect(driver_answer(callers[i]), AX_ERR_PEER_CLOSED);
    expect(call(callers[0], theirs, 0), AX_ERR_PEER_CLOSED);
}
END_TEST

START_TEST(retiring_needs_the_right_and_known_flags) {
    ax_handle weak = weaken(world.sam, world.endpoint, AX_RIGHT_ALL & ~AX_RIGHT_SESSIONS);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, weak, BADGE, AX_RETIRE_END), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_SESSION_RETIRE, world.session, BADGE, 1), AX_ERR_TYPE);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, 0, BADGE, 1), AX_ERR_HANDLE);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, stale(world.sam), BADGE, 1), AX_ERR_HANDLE);
    expect(retire(BADGE, 2), AX_ERR_ARGUMENT);
    expect(retire(BADGE, UINT64_C(1) << 32), AX_ERR_ARGUMENT);
    expect(retire(99, 0), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_close_that_a_refused_call_brings_goes_to_the_first_in_line) {
    struct thread *third = new_thread(16), *fourth = driver_thread(third->process);
    ax_handle theirs = driver_copy(world.server, world.endpoint, third->process, AX_RIGHT_ALL);
    ax_handle carried = session_for(world.sam, world.endpoint, 8, world.client);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){carried, AX_RIGHT_ALL};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    fresh(world.sam)->accept = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    must_close(world.sam, message(world.sam)->handles[0].handle);
    must_close(world.two, carried);
    waits(third, theirs);
    waits(fourth, theirs);
    end(world.server, AX_CAUSE_KILLED); /* the call comes to those who take no handles */
    expect(driver_answer(world.one), AX_ERR_ACCEPT);
    has_close(third, 8);
    expect(driver_answer(fourth), DRIVER_BLOCKED);
}
END_TEST

void session_close_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "session_close");
    tcase_add_test(tcase, the_last_handle_announces_the_close);
    tcase_add_test(tcase, it_is_received_by_one_who_waits);
    tcase_add_test(tcase, closes_are_announced_in_their_order);
    tcase_add_test(tcase, an_unanswered_call_keeps_it_open);
    tcase_add_test(tcase, a_close_is_queued_before_ended_is_raised);
    tcase_add_test(tcase, a_close_comes_before_any_later_call);
    tcase_add_test(tcase, a_handle_in_a_stash_keeps_it_open);
    tcase_add_test(tcase, a_handle_in_a_record_keeps_it_open);
    tcase_add_test(tcase, a_handle_in_a_call_keeps_it_open_until_the_answer);
    tcase_add_test(tcase, a_close_is_announced_once_though_servers_die);
    tcase_add_test(tcase, a_close_waits_for_a_server);
    tcase_add_test(tcase, retiring_forgets_a_closed_session);
    tcase_add_test(tcase, a_close_that_was_not_received_can_be_retired);
    tcase_add_test(tcase, an_open_session_is_not_retired);
    tcase_add_test(tcase, ending_a_session_is_seen_by_its_holders);
    tcase_add_test(tcase, ending_a_session_ends_its_queued_calls);
    tcase_add_test(tcase, a_received_call_of_an_ended_session_is_answered);
    tcase_add_test(tcase, a_call_of_an_ended_session_does_not_come_back);
    tcase_add_test(tcase, nothing_is_announced_of_an_ended_session);
    tcase_add_test(tcase, ending_a_closed_session_retires_it);
    tcase_add_test(tcase, ending_a_session_with_many_calls_takes_portions);
    tcase_add_test(tcase, retiring_needs_the_right_and_known_flags);
    tcase_add_test(tcase, a_close_that_a_refused_call_brings_goes_to_the_first_in_line);
}
