/* SPDX-License-Identifier: MIT */
/* Calls that are passed on. */
#include "ipc_tests.h"

static ax_handle back;   /* an endpoint of sue's, in a process of its own */
static ax_handle onward; /* the server's session to it, badge 70 */
static struct thread *second;

static void forward_start(void) {
    ipc_start();
    second = new_thread(16);
    back = endpoint_for(second);
    onward = session_for(second, back, 70, world.server);
}

static ax_result forward(struct thread *thread, ax_handle reply, ax_handle session) {
    return kcall(thread, AX_CALL_FORWARD, reply, session);
}

START_TEST(a_forwarded_call_arrives_as_it_came) {
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.operation = 1;
    ipc->message.word_count = 1;
    ipc->message.words[0] = 5;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_call_id id = message(world.sam)->id;
    expect(forward(world.sam, reply, onward), AX_OK);
    ck_assert(!is_handle(world.server, reply));
    reply = takes(second, back, 1);
    ck_assert_uint_eq(message(second)->words[0], 5);
    ck_assert_uint_eq(message(second)->badge, 70);
    ck_assert_uint_eq(message(second)->label, LABEL);
    ck_assert_mem_eq(&message(second)->id, &id, sizeof(id));
    ck_assert_uint_eq(message(second)->flags, 0);
    expect(answer(second, reply, 9), AX_OK);
    has_answer(world.one, 9);
}
END_TEST

START_TEST(it_is_delivered_to_one_who_waits) {
    waits(second, back);
    calls(world.one, world.session, 1);
    expect(forward(world.sam, takes(world.sam, world.endpoint, 1), onward), AX_OK);
    expect(answer(second, has_call(second, 1), 9), AX_OK);
    has_answer(world.one, 9);
}
END_TEST

START_TEST(the_forwarder_serves_it_no_more) {
    calls(world.one, world.session, 1);
    expect(forward(world.sam, takes(world.sam, world.endpoint, 1), onward), AX_OK);
    ck_assert_ptr_null(world.sam->serving);
    end(world.server, AX_CAUSE_KILLED);
    is_calling(world.one);
    expect(answer(second, takes(second, back, 1), 9), AX_OK);
    has_answer(world.one, 9);
}
END_TEST

START_TEST(handles_go_along) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){event, AX_RIGHT_ALL | AX_HANDLE_MOVE};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    fresh(world.sam)->accept = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    expect(forward(world.sam, message(world.sam)->reply, onward), AX_OK);
    ck_assert(is_handle(world.client, event));
    fresh(second)->accept = 1;
    expect(kcall(second, AX_CALL_REPLY_RECEIVE, 0, back), AX_OK);
    ax_handle got = message(second)->handles[0].handle;
    expect(answer(second, message(second)->reply, 0), AX_OK);
    ck_assert(!is_handle(world.client, event));
    ck_assert_uint_eq(handles_to(second->process, got), 2); /* the forwarder has one, too */
}
END_TEST

START_TEST(the_first_session_may_close_meanwhile) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    must_close(world.two, world.session);
    expect(forward(world.sam, reply, onward), AX_OK);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    expect(answer(second, takes(second, back, 1), 9), AX_OK);
    has_answer(world.one, 9);
}
END_TEST

START_TEST(the_second_session_stays_open_for_the_call) {
    calls(world.one, world.session, 1);
    expect(forward(world.sam, takes(world.sam, world.endpoint, 1), onward), AX_OK);
    must_close(world.sam, onward);
    ax_handle reply = takes(second, back, 1);
    has_nothing(second, back);
    expect(answer(second, reply, 1), AX_OK);
    expect(receive(second, back), AX_OK);
    has_close(second, 70);
}
END_TEST

START_TEST(it_is_passed_on_to_ones_own_endpoint) {
    ax_handle own = session_for(world.sam, world.endpoint, 8, world.server);
    calls(world.one, world.session, 1);
    expect(forward(world.sam, takes(world.sam, world.endpoint, 1), own), AX_OK);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->badge, 8);
    expect(answer(world.sam, reply, 3), AX_OK);
    has_answer(world.one, 3);
}
END_TEST

START_TEST(a_dead_caller_is_told) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    end(world.client, AX_CAUSE_KILLED);
    expect(forward(world.sam, reply, onward), AX_ERR_CALLER_DEAD);
    ck_assert(!is_handle(world.server, reply));
}
END_TEST

START_TEST(an_endpoint_that_is_gone_takes_nothing) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    must_close(second, back);
    expect(forward(world.sam, reply, onward), AX_ERR_PEER_CLOSED);
    expect(answer(world.sam, reply, 2), AX_OK);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(the_session_must_be_one_to_call) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ax_handle weak = weaken(world.sam, onward, AX_RIGHT_ALL & ~AX_RIGHT_CALL);
    expect(forward(world.sam, reply, weak), AX_ERR_RIGHTS);
    expect(forward(world.sam, reply, world.endpoint), AX_ERR_TYPE);
    expect(forward(world.sam, reply, stale(world.sam)), AX_ERR_HANDLE);
    expect(forward(world.sam, reply, AX_HANDLE_NONE), AX_ERR_HANDLE);
    expect(forward(world.sam, onward, onward), AX_ERR_TYPE);
    expect(forward(world.sam, AX_HANDLE_NONE, onward), AX_ERR_HANDLE);
    expect(forward(world.sam, stale(world.sam), onward), AX_ERR_HANDLE);
    is_calling(world.one);
    expect(answer(world.sam, reply, 2), AX_OK);
}
END_TEST

START_TEST(it_would_close_a_cycle) {
    /* second calls the server, which passes the call back to it. */
    ax_handle forth = session_for(world.sam, world.endpoint, 8, second->process);
    has_nothing(second, back);
    calls(second, forth, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    uint64_t before = kernel->counters.deadlocks;
    expect(forward(world.sam, reply, onward), AX_ERR_DEADLOCK);
    ck_assert_uint_eq(kernel->counters.deadlocks, before + 1);
    expect(answer(world.sam, reply, 2), AX_OK);
    has_answer(second, 2);
}
END_TEST

START_TEST(the_first_servers_deaths_are_forgotten) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    crash(world.sam);
    new_server();
    onward = session_for(second, back, 71, world.server);
    expect(forward(world.sam, takes(world.sam, world.endpoint, 1), onward), AX_OK);
    ax_handle theirs = driver_copy(second->process, back, driver_root(), AX_RIGHT_ALL);
    expect(receive(second, back), AX_OK);
    has_close(second, 70);
    takes(second, back, 1);
    ck_assert_uint_eq(message(second)->flags, 0);
    crash(second);
    is_calling(world.one);
    must_close(driver_root_thread(), theirs);
    expect(driver_answer(world.one), AX_ERR_PEER_CLOSED);
}
END_TEST

START_TEST(an_interrupt_asked_for_before_is_told_with_it) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    expect(forward(world.sam, reply, onward), AX_OK);
    has_nothing(world.sam, world.endpoint);
    takes(second, back, 1);
    ck_assert_uint_eq(message(second)->flags, AX_MESSAGE_INTERRUPTED);
}
END_TEST

START_TEST(an_interrupt_does_not_withdraw_what_a_server_has_passed_on) {
    calls(world.one, world.session, 1);
    expect(forward(world.sam, takes(world.sam, world.endpoint, 1), onward), AX_OK);
    interrupt(world.one);
    is_calling(world.one);
    takes(second, back, 1);
    ck_assert_uint_eq(message(second)->flags, AX_MESSAGE_INTERRUPTED);
}
END_TEST

void ipc_forward_tests(Suite *suite) {
    TCase *tcase = tcase_create("ipc_forward");
    tcase_add_checked_fixture(tcase, forward_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_forwarded_call_arrives_as_it_came);
    tcase_add_test(tcase, it_is_delivered_to_one_who_waits);
    tcase_add_test(tcase, the_forwarder_serves_it_no_more);
    tcase_add_test(tcase, handles_go_along);
    tcase_add_test(tcase, the_first_session_may_close_meanwhile);
    tcase_add_test(tcase, the_second_session_stays_open_for_the_call);
    tcase_add_test(tcase, it_is_passed_on_to_ones_own_endpoint);
    tcase_add_test(tcase, a_dead_caller_is_told);
    tcase_add_test(tcase, an_endpoint_that_is_gone_takes_nothing);
    tcase_add_test(tcase, the_session_must_be_one_to_call);
    tcase_add_test(tcase, it_would_close_a_cycle);
    tcase_add_test(tcase, the_first_servers_deaths_are_forgotten);
    tcase_add_test(tcase, an_interrupt_asked_for_before_is_told_with_it);
    tcase_add_test(tcase, an_interrupt_does_not_withdraw_what_a_server_has_passed_on);
}
