/* SPDX-License-Identifier: MIT */
/* Servers that die: calls survive, and one that kills does not kill for ever. */
#include "ipc_tests.h"

START_TEST(a_call_is_delivered_again_as_it_was) {
    keep();
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.operation = 1;
    ipc->message.word_count = 2;
    ipc->message.words[1] = 77;
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){event, AX_RIGHT_WAIT | AX_HANDLE_MOVE};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    fresh(world.sam)->accept = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    struct ax_call_id id = message(world.sam)->id;
    end(world.server, AX_CAUSE_KILLED);
    ck_assert_uint_eq(handles_to(world.client, event), 2); /* the caller's, the record's */

    new_server();
    fresh(world.sam)->accept = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    has_call(world.sam, 1);
    ck_assert_mem_eq(&message(world.sam)->id, &id, sizeof(id));
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_REDELIVERED);
    ck_assert_uint_eq(message(world.sam)->words[1], 77);
    ck_assert_uint_eq(message(world.sam)->label, LABEL);
    ax_handle got = message(world.sam)->handles[0].handle;
    expect(answer(world.sam, message(world.sam)->reply, 2), AX_OK);
    has_answer(world.one, 2);
    ck_assert(!is_handle(world.client, event));
    ck_assert_uint_eq(handles_to(world.server, got), 1);
}
END_TEST

START_TEST(calls_come_back_in_the_order_they_were_received) {
    struct thread *callers[5];
    static const uint8_t priorities[5] = {16, 17, 18, 20, 22};
    keep();
    for (unsigned i = 0; i < 5; i++) {
        callers[i] = driver_thread_with(world.client, priorities[i], 0);
        calls(callers[i], world.session, i);
        takes(world.sam, world.endpoint, i);
    }
    struct thread *late = driver_thread_with(world.client, 30, 0);
    calls(late, world.session, 99);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    for (unsigned i = 0; i < 5; i++)
        takes(world.sam, world.endpoint, i);
    takes(world.sam, world.endpoint, 99);
    ck_assert_uint_eq(message(world.sam)->flags, 0);
}
END_TEST

START_TEST(calls_come_back_twice_in_the_same_order) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    calls(world.two, world.session, 2);
    takes(world.sam, world.endpoint, 2);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    takes(world.sam, world.endpoint, 1);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    takes(world.sam, world.endpoint, 1);
    takes(world.sam, world.endpoint, 2);
}
END_TEST

START_TEST(a_call_that_came_back_is_not_overtaken_by_a_younger_one) {
    struct thread *first = new_thread(16), *second = new_thread(16);
    ax_handle of_first = driver_copy(world.server, world.endpoint, first->process, AX_RIGHT_ALL);
    ax_handle of_second = driver_copy(world.server, world.endpoint, second->process, AX_RIGHT_ALL);
    calls(world.one, world.session, 1);
    takes(first, of_first, 1);
    calls(world.two, world.session, 2);
    takes(second, of_second, 2);
    end(first->process, AX_CAUSE_KILLED);
    takes(second, of_second, 1); /* it holds 2 and 1, received in this order */
    waits(world.sam, world.endpoint);
    end(second->process, AX_CAUSE_KILLED);
    has_call(world.sam, 1);
    takes(world.sam, world.endpoint, 2);
}
END_TEST

START_TEST(another_server_takes_over_at_once) {
    struct thread *third = new_thread(16);
    ax_handle theirs = driver_copy(world.server, world.endpoint, third->process, AX_RIGHT_ALL);
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    waits(third, theirs);
    end(world.server, AX_CAUSE_KILLED);
    ax_handle reply = has_call(third, 1);
    ck_assert_uint_eq(message(third)->flags, AX_MESSAGE_REDELIVERED);
    expect(answer(third, reply, 2), AX_OK);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(redelivered_calls_are_counted) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    end(world.server, AX_CAUSE_KILLED);
    uint64_t before = kernel->counters.calls_redelivered;
    new_server();
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(kernel->counters.calls_redelivered, before + 1);
}
END_TEST

START_TEST(calls_to_an_endpoint_that_nobody_kept_end) {
    struct thread *three = driver_thread(world.client);
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    takes(world.sam, world.endpoint, 1);
    end(world.server, AX_CAUSE_KILLED);
    expect(driver_answer(world.one), AX_ERR_PEER_CLOSED);
    expect(driver_answer(world.two), AX_ERR_PEER_CLOSED);
    expect(call(three, world.session, 3), AX_ERR_PEER_CLOSED);
    ck_assert_uint_eq(signals_of(three, world.session), AX_SIGNAL_PEER_CLOSED);
}
END_TEST

START_TEST(closing_the_endpoint_leaves_received_calls_to_be_answered) {
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    must_close(world.sam, world.endpoint);
    expect(driver_answer(world.two), AX_ERR_PEER_CLOSED);
    is_calling(world.one);
    expect(answer(world.sam, reply, 5), AX_OK);
    has_answer(world.one, 5);
}
END_TEST

START_TEST(a_kept_endpoint_queues_calls_without_a_server) {
    keep();
    end(world.server, AX_CAUSE_KILLED);
    calls(world.one, world.session, 1);
    new_server();
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->flags, 0);
    expect(answer(world.sam, reply, 2), AX_OK);
}
END_TEST

START_TEST(a_handle_that_may_not_receive_does_not_keep_an_endpoint) {
    driver_copy(world.server, world.endpoint, driver_root(), AX_RIGHT_ALL & ~AX_RIGHT_RECEIVE);
    calls(world.one, world.session, 1);
    end(world.server, AX_CAUSE_KILLED);
    expect(driver_answer(world.one), AX_ERR_PEER_CLOSED);
}
END_TEST

START_TEST(a_waiting_receiver_is_told_that_its_endpoint_is_gone) {
    waits(world.sam, world.endpoint);
    must_close(world.sue, world.endpoint);
    expect(driver_answer(world.sam), AX_ERR_PEER_CLOSED);
    ck_assert_uint_eq(world.server->handles.promised, 0);
}
END_TEST

/* ---- Poisoned calls -------------------------------------------------------------------------- */

START_TEST(a_call_that_kills_two_servers_is_faulted) {
    keep();
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message = (struct ax_message){.operation = 1, .word_count = 3, .words = {10, 11, 12, 13}};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    takes(world.sam, world.endpoint, 1);
    crash(world.sam);
    is_calling(world.one);
    new_server();
    takes(world.sam, world.endpoint, 1);
    uint64_t before = kernel->counters.calls_faulted;
    crash(world.sam);
    expect(driver_answer(world.one), AX_ERR_FAULTED);
    ck_assert_uint_eq(kernel->counters.calls_faulted, before + 1);
    ck_assert_ptr_nonnull(strstr(driver_console(), "operation 1, 3 words (a b c 0 ...): "
                                                   "2 servers died of it"));
    new_server();
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(a_parked_call_is_not_to_blame) {
    keep();
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    takes(world.sam, world.endpoint, 1);
    takes(world.sam, world.endpoint, 2);
    for (unsigned i = 0; i < 2; i++) {
        crash(world.sam); /* serving the second */
        new_server();
        takes(world.sam, world.endpoint, 1);
        if (i == 0)
            takes(world.sam, world.endpoint, 2);
    }
    expect(driver_answer(world.two), AX_ERR_FAULTED);
    is_calling(world.one);
    ck_assert_uint_eq(world.one->call.deaths, 0);
}
END_TEST

START_TEST(a_call_taken_up_again_is_to_blame) {
    keep();
    calls(world.one, world.session, 1);
    for (unsigned i = 0; i < 2; i++) {
        ax_handle reply = takes(world.sam, world.endpoint, 1);
        has_nothing(world.sam, world.endpoint);
        expect(kcall(world.sam, AX_CALL_REPLY_CONTROL, reply, AX_REPLY_SERVE, 0, 0), AX_OK);
        crash(world.sam);
        new_server();
    }
    expect(driver_answer(world.one), AX_ERR_FAULTED);
}
END_TEST

START_TEST(a_kill_from_outside_is_not_the_calls_doing) {
    static const enum ax_cause causes[] = {AX_CAUSE_KILLED, AX_CAUSE_EXIT};
    keep();
    calls(world.one, world.session, 1);
    for (unsigned i = 0; i < 6; i++) {
        takes(world.sam, world.endpoint, 1);
        end(world.server, causes[i % 2]);
        is_calling(world.one);
        new_server();
    }
}
END_TEST

START_TEST(a_server_that_hangs_counts_like_one_that_faults) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    end(world.server, AX_CAUSE_HUNG);
    is_calling(world.one);
    new_server();
    takes(world.sam, world.endpoint, 1);
    end(world.server, AX_CAUSE_HUNG);
    expect(driver_answer(world.one), AX_ERR_FAULTED);
}
END_TEST

START_TEST(a_bounce_without_a_personality_counts_like_a_fault) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    driver_bounce(world.sam, 1);
    new_server();
    takes(world.sam, world.endpoint, 1);
    driver_bounce(world.sam, 1);
    expect(driver_answer(world.one), AX_ERR_FAULTED);
}
END_TEST

START_TEST(all_that_is_served_when_one_thread_faults_counts) {
    keep();
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    takes(world.sam, world.endpoint, 1);
    takes(world.sue, world.endpoint, 2);
    crash(world.sam);
    ck_assert_uint_eq(world.one->call.deaths, 1);
    ck_assert_uint_eq(world.two->call.deaths, 1);
    new_server();
}
END_TEST

START_TEST(a_server_that_exits_gives_its_calls_back) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    expect(kcall(world.sam, AX_CALL_PROCESS_END, 0, AX_CAUSE_EXIT, 0), DRIVER_ENDED);
    new_server();
    takes(world.sam, world.endpoint, 1);
}
END_TEST

START_TEST(a_thread_that_exits_leaves_its_call_parked) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(kcall(world.sam, AX_CALL_THREAD_EXIT, 0, 0), DRIVER_ENDED);
    is_calling(world.one);
    expect(answer(world.sue, reply, 4), AX_OK);
    has_answer(world.one, 4);
}
END_TEST

START_TEST(a_call_in_a_stash_of_the_caller_survives_with_it) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    must_close(world.two, world.session);
    expect(answer(world.sam, reply, 4), AX_OK);
    has_answer(world.one, 4);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
}
END_TEST

START_TEST(a_dead_callers_queued_call_is_withdrawn) {
    calls(world.one, world.session, 1);
    end(world.client, AX_CAUSE_KILLED);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(a_call_whose_caller_died_is_not_delivered_again) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    end(world.client, AX_CAUSE_KILLED);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(both_ends_die_of_one_another) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    calls(world.two, world.session, 2);
    end(world.server, AX_CAUSE_KILLED);
    end(world.client, AX_CAUSE_KILLED);
    ck_assert_uint_eq(endpoint_of(driver_root_thread(), world.kept)->queued_count, 0);
}
END_TEST

START_TEST(the_next_call_of_a_faulted_caller_begins_anew) {
    keep();
    calls(world.one, world.session, 1);
    for (unsigned i = 0; i < 2; i++) {
        takes(world.sam, world.endpoint, 1);
        crash(world.sam);
        new_server();
    }
    expect(driver_answer(world.one), AX_ERR_FAULTED);
    calls(world.one, world.session, 2);
    takes(world.sam, world.endpoint, 2);
    crash(world.sam);
    is_calling(world.one);
    new_server();
    takes(world.sam, world.endpoint, 2);
}
END_TEST

void ipc_death_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_death");
    tcase_add_test(tcase, a_call_is_delivered_again_as_it_was);
    tcase_add_test(tcase, calls_come_back_in_the_order_they_were_received);
    tcase_add_test(tcase, calls_come_back_twice_in_the_same_order);
    tcase_add_test(tcase, a_call_that_came_back_is_not_overtaken_by_a_younger_one);
    tcase_add_test(tcase, another_server_takes_over_at_once);
    tcase_add_test(tcase, redelivered_calls_are_counted);
    tcase_add_test(tcase, calls_to_an_endpoint_that_nobody_kept_end);
    tcase_add_test(tcase, closing_the_endpoint_leaves_received_calls_to_be_answered);
    tcase_add_test(tcase, a_kept_endpoint_queues_calls_without_a_server);
    tcase_add_test(tcase, a_handle_that_may_not_receive_does_not_keep_an_endpoint);
    tcase_add_test(tcase, a_waiting_receiver_is_told_that_its_endpoint_is_gone);
    tcase_add_test(tcase, a_call_that_kills_two_servers_is_faulted);
    tcase_add_test(tcase, a_parked_call_is_not_to_blame);
    tcase_add_test(tcase, a_call_taken_up_again_is_to_blame);
    tcase_add_test(tcase, a_kill_from_outside_is_not_the_calls_doing);
    tcase_add_test(tcase, a_server_that_hangs_counts_like_one_that_faults);
    tcase_add_test(tcase, a_bounce_without_a_personality_counts_like_a_fault);
    tcase_add_test(tcase, all_that_is_served_when_one_thread_faults_counts);
    tcase_add_test(tcase, a_server_that_exits_gives_its_calls_back);
    tcase_add_test(tcase, a_thread_that_exits_leaves_its_call_parked);
    tcase_add_test(tcase, a_call_in_a_stash_of_the_caller_survives_with_it);
    tcase_add_test(tcase, a_dead_callers_queued_call_is_withdrawn);
    tcase_add_test(tcase, a_call_whose_caller_died_is_not_delivered_again);
    tcase_add_test(tcase, both_ends_die_of_one_another);
    tcase_add_test(tcase, the_next_call_of_a_faulted_caller_begins_anew);
}
