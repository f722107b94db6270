/* SPDX-License-Identifier: MIT */
/* reply_receive and reply_control: answers in any order, parked calls, errors. */
#include "ipc_tests.h"

static ax_result control(struct thread *thread, ax_handle reply, uint64_t op) {
    return kcall(thread, AX_CALL_REPLY_CONTROL, reply, op, 0, 0);
}

START_TEST(answers_come_in_any_order) {
    struct thread *callers[4];
    ax_handle replies[4];
    static const unsigned order[4] = {2, 0, 3, 1};
    for (unsigned i = 0; i < 4; i++) {
        callers[i] = driver_thread(world.client);
        calls(callers[i], world.session, i);
        replies[i] = takes(world.sam, world.endpoint, i);
    }
    for (unsigned i = 0; i < 4; i++) {
        expect(answer(world.sam, replies[order[i]], 10 + order[i]), AX_OK);
        has_answer(callers[order[i]], 10 + order[i]);
    }
}
END_TEST

START_TEST(any_thread_of_the_process_may_answer) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(answer(world.sue, reply, 2), AX_OK);
    has_answer(world.one, 2);
    ck_assert_ptr_null(world.sam->serving);
}
END_TEST

START_TEST(nobody_else_may_answer) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(answer(world.two, reply, 2), AX_ERR_HANDLE);
    is_calling(world.one);
}
END_TEST

START_TEST(an_answer_is_given_once) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(answer(world.sam, reply, 2), AX_OK);
    expect(answer(world.sam, reply, 3), AX_ERR_HANDLE);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(a_closed_reply_answers_dropped) {
    calls(world.one, world.session, 1);
    must_close(world.sam, takes(world.sam, world.endpoint, 1));
    expect(driver_answer(world.one), AX_ERR_DROPPED);
    ck_assert_ptr_null(world.sam->serving);
}
END_TEST

START_TEST(a_parked_reply_that_is_closed_answers_dropped) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    waits(world.sam, world.endpoint);
    must_close(world.sue, reply);
    expect(driver_answer(world.one), AX_ERR_DROPPED);
}
END_TEST

START_TEST(without_reply_and_endpoint_it_does_nothing) {
    fresh(world.sam);
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, 0), AX_OK);
}
END_TEST

START_TEST(the_reply_must_be_one) {
    expect(answer(world.sam, world.endpoint, 1), AX_ERR_TYPE);
    expect(answer(world.sam, stale(world.sam), 1), AX_ERR_HANDLE);
    expect(answer(world.sam, 0xffffffff, 1), AX_ERR_HANDLE);
}
END_TEST

START_TEST(receiving_needs_an_endpoint_and_the_right) {
    ax_handle weak = weaken(world.sam, world.endpoint, AX_RIGHT_ALL & ~AX_RIGHT_RECEIVE);
    expect(receive_until(world.sam, weak, NOW), AX_ERR_RIGHTS);
    expect(receive_until(world.sam, make(world.sam, AX_TYPE_QUEUE), NOW), AX_ERR_TYPE);
    expect(receive_until(world.sam, stale(world.sam), NOW), AX_ERR_HANDLE);
    expect(receive_until(world.one, world.session, NOW), AX_ERR_TYPE);
}
END_TEST

START_TEST(a_bad_endpoint_leaves_the_call_unanswered) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(answer_receive(world.sam, reply, stale(world.sam), 2), AX_ERR_HANDLE);
    is_calling(world.one);
    expect(answer(world.sam, reply, 2), AX_OK);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(receive_parameters_are_checked_before_the_answer) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    fresh(world.sam)->buffer_bytes = AX_INLINE_MAX + 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, world.endpoint), AX_ERR_ARGUMENT);
    fresh(world.sam)->accept = AX_MESSAGE_HANDLES + 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, world.endpoint), AX_ERR_ARGUMENT);
    is_calling(world.one);
    ck_assert_uint_eq(world.server->handles.promised, 0);
}
END_TEST

START_TEST(answers_beyond_the_limits_are_refused) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    fresh(world.sam)->message.word_count = AX_MESSAGE_WORDS + 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, world.endpoint), AX_ERR_ARGUMENT);
    fresh(world.sam)->data_bytes = AX_INLINE_MAX + 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, world.endpoint), AX_ERR_ARGUMENT);
    fresh(world.sam)->change_count = 3;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, world.endpoint), AX_ERR_ARGUMENT);
    is_calling(world.one);
    ck_assert_uint_eq(world.server->handles.promised, 0);
}
END_TEST

START_TEST(a_receive_that_times_out_has_answered) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->message.operation = 2;
    ipc->receive_deadline_ns = hal_time_ns() + 1000;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, world.endpoint), DRIVER_BLOCKED);
    has_answer(world.one, 2);
    driver_advance(999);
    expect(driver_answer(world.sam), DRIVER_BLOCKED);
    driver_advance(1);
    expect(driver_answer(world.sam), AX_ERR_TIMEOUT);
    ck_assert_uint_eq(world.server->handles.promised, 0);
}
END_TEST

START_TEST(a_receive_that_is_interrupted_has_answered) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(answer_receive(world.sam, reply, world.endpoint, 2), DRIVER_BLOCKED);
    interrupt(world.sam);
    expect(driver_answer(world.sam), AX_ERR_INTERRUPTED);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(a_pending_interrupt_ends_a_receive_at_once) {
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.sam);
    expect(answer_receive(world.sam, reply, world.endpoint, 9), AX_ERR_INTERRUPTED);
    has_answer(world.one, 9);
    is_calling(world.two);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE, 0), 1);
    takes(world.sam, world.endpoint, 2);
}
END_TEST

START_TEST(what_is_there_is_received_though_the_deadline_has_passed) {
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

/* ---- Signals of sessions --------------------------------------------------------------------- */

START_TEST(an_answer_changes_signals) {
    ax_handle other = session_for(world.sam, world.endpoint, 8, world.client);
    expect(kcall(world.sam, AX_CALL_SESSION_SIGNAL, world.endpoint, BADGE, 0, 0x6), AX_OK);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->change_count = 2;
    ipc->changes[0] = (struct ax_signal_change){.badge = BADGE, .clear = 0x2, .set = 0x1};
    ipc->changes[1] = (struct ax_signal_change){.badge = 8, .set = 0x10};
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
    ck_assert_uint_eq(signals_of(world.one, world.session), 0x5);
    ck_assert_uint_eq(signals_of(world.one, other), 0x10);
}
END_TEST

START_TEST(a_change_of_an_unknown_badge_stops_the_answer) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->change_count = 2;
    ipc->changes[0] = (struct ax_signal_change){.badge = BADGE, .set = 0x1};
    ipc->changes[1] = (struct ax_signal_change){.badge = 99, .set = 0x1};
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_ERR_NOT_FOUND);
    ck_assert_uint_eq(signals_of(world.two, world.session), 0);
    is_calling(world.one);
}
END_TEST

START_TEST(a_change_may_not_touch_the_kernels_signals) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->change_count = 1;
    ipc->changes[0] = (struct ax_signal_change){.badge = BADGE, .set = AX_SIGNAL_PEER_CLOSED};
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_ERR_ARGUMENT);
    ipc->changes[0] = (struct ax_signal_change){.badge = BADGE, .clear = AX_SIGNAL_PENDING};
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_ERR_ARGUMENT);
    is_calling(world.one);
}
END_TEST

/* ---- reply_control --------------------------------------------------------------------------- */

START_TEST(a_thread_that_receives_again_parks_its_call) {
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    ck_assert_ptr_eq(world.one->call.reply->server, world.sam);
    has_nothing(world.sam, world.endpoint);
    ck_assert_ptr_null(world.one->call.reply->server);
}
END_TEST

START_TEST(a_parked_call_is_taken_up_by_any_thread) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    has_nothing(world.sam, world.endpoint);
    expect(control(world.sue, reply, AX_REPLY_SERVE), AX_OK);
    ck_assert_ptr_eq(world.one->call.reply->server, world.sue);
    expect(control(world.sue, reply, AX_REPLY_SERVE), AX_OK);
    expect(control(world.sam, reply, AX_REPLY_SERVE), AX_ERR_STATE);
}
END_TEST

START_TEST(taking_one_call_up_parks_the_other) {
    calls(world.one, world.session, 1);
    ax_handle first = takes(world.sam, world.endpoint, 1);
    calls(world.two, world.session, 2);
    takes(world.sam, world.endpoint, 2);
    expect(control(world.sam, first, AX_REPLY_SERVE), AX_OK);
    ck_assert_ptr_eq(world.one->call.reply->server, world.sam);
    ck_assert_ptr_null(world.two->call.reply->server);
}
END_TEST

START_TEST(a_dead_caller_is_told_and_the_reply_closed) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    end(world.client, AX_CAUSE_KILLED);
    expect(answer(world.sam, reply, 2), AX_ERR_CALLER_DEAD);
    expect(answer(world.sam, reply, 2), AX_ERR_HANDLE);
}
END_TEST

START_TEST(taking_up_a_dead_callers_call_closes_the_reply) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    end(world.client, AX_CAUSE_KILLED);
    expect(control(world.sam, reply, AX_REPLY_SERVE), AX_ERR_CALLER_DEAD);
    ck_assert(!is_handle(world.server, reply));
}
END_TEST

START_TEST(a_dead_callers_reply_is_closed_like_any_other) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    end(world.client, AX_CAUSE_KILLED);
    must_close(world.sam, reply);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
}
END_TEST

START_TEST(reply_control_knows_two_operations) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(control(world.sam, reply, 2), AX_ERR_ARGUMENT);
    expect(control(world.sam, reply, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(control(world.sam, world.endpoint, AX_REPLY_SERVE), AX_ERR_TYPE);
    expect(control(world.sam, stale(world.sam), AX_REPLY_SERVE), AX_ERR_HANDLE);
    expect(control(world.sam, AX_HANDLE_NONE, AX_REPLY_SERVE), AX_ERR_HANDLE);
}
END_TEST

START_TEST(sixty_four_threads_share_an_endpoint) {
    for (unsigned i = 0; i < MEMBERS_MAX; i++)
        waits(driver_thread(world.server), world.endpoint);
    expect(receive_until(world.sam, world.endpoint, NOW), AX_ERR_LIMIT);
    ck_assert_uint_eq(world.server->handles.promised, MEMBERS_MAX);
}
END_TEST

void ipc_reply_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_reply");
    tcase_add_test(tcase, answers_come_in_any_order);
    tcase_add_test(tcase, any_thread_of_the_process_may_answer);
    tcase_add_test(tcase, nobody_else_may_answer);
    tcase_add_test(tcase, an_answer_is_given_once);
    tcase_add_test(tcase, a_closed_reply_answers_dropped);
    tcase_add_test(tcase, a_parked_reply_that_is_closed_answers_dropped);
    tcase_add_test(tcase, without_reply_and_endpoint_it_does_nothing);
    tcase_add_test(tcase, the_reply_must_be_one);
    tcase_add_test(tcase, receiving_needs_an_endpoint_and_the_right);
    tcase_add_test(tcase, a_bad_endpoint_leaves_the_call_unanswered);
    tcase_add_test(tcase, receive_parameters_are_checked_before_the_answer);
    tcase_add_test(tcase, answers_beyond_the_limits_are_refused);
    tcase_add_test(tcase, a_receive_that_times_out_has_answered);
    tcase_add_test(tcase, a_receive_that_is_interrupted_has_answered);
    tcase_add_test(tcase, a_pending_interrupt_ends_a_receive_at_once);
    tcase_add_test(tcase, what_is_there_is_received_though_the_deadline_has_passed);
    tcase_add_test(tcase, an_answer_changes_signals);
    tcase_add_test(tcase, a_change_of_an_unknown_badge_stops_the_answer);
    tcase_add_test(tcase, a_change_may_not_touch_the_kernels_signals);
    tcase_add_test(tcase, a_thread_that_receives_again_parks_its_call);
    tcase_add_test(tcase, a_parked_call_is_taken_up_by_any_thread);
    tcase_add_test(tcase, taking_one_call_up_parks_the_other);
    tcase_add_test(tcase, a_dead_caller_is_told_and_the_reply_closed);
    tcase_add_test(tcase, taking_up_a_dead_callers_call_closes_the_reply);
    tcase_add_test(tcase, a_dead_callers_reply_is_closed_like_any_other);
    tcase_add_test(tcase, reply_control_knows_two_operations);
    tcase_add_test(tcase, sixty_four_threads_share_an_endpoint);
}
