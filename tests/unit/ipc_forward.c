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

/* ---- With another message -------------------------------------------------------------------- */

static ax_result forward_anew(struct thread *thread, ax_handle reply) {
    return kcall(thread, AX_CALL_FORWARD, reply, onward, AX_FORWARD_MESSAGE);
}

START_TEST(operation_and_words_are_the_forwarders) {
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message = (struct ax_message){.operation = 1, .word_count = 3, .words = {5, 6, 7}};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_call_id id = message(world.sam)->id;
    ipc = fresh(world.sam);
    ipc->message = (struct ax_message){.operation = 2, .word_count = 1, .words = {8}};
    expect(forward_anew(world.sam, reply), AX_OK);
    reply = takes(second, back, 2);
    ck_assert_uint_eq(message(second)->word_count, 1);
    ck_assert_uint_eq(message(second)->words[0], 8);
    ck_assert_uint_eq(message(second)->words[1], 0);
    ck_assert_uint_eq(message(second)->badge, 70);
    ck_assert_uint_eq(message(second)->label, LABEL);
    ck_assert_mem_eq(&message(second)->id, &id, sizeof(id));
    driver_copy(second->process, back, driver_root(), AX_RIGHT_ALL);
    struct process *successor = driver_process();
    ax_handle again = driver_copy(second->process, back, successor, AX_RIGHT_ALL);
    crash(second); /* delivered again, it is what was passed on */
    struct thread *third = driver_thread(successor);
    reply = takes(third, again, 2);
    ck_assert_uint_eq(message(third)->words[0], 8);
    expect(answer(third, reply, 9), AX_OK);
    has_answer(world.one, 9);
}
END_TEST

/* The call comes with `had` handles; sam passes it on with these of its own. */
static ax_result forward_handles(unsigned had, unsigned count, ax_handle handle, uint32_t rights) {
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = (uint8_t)had;
    for (unsigned i = 0; i < had; i++)
        ipc->message.handles[i] = (struct ax_message_handle){world.session, AX_RIGHT_CALL};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    fresh(world.sam)->accept = 4;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    ax_handle reply = message(world.sam)->reply;
    ipc = fresh(world.sam);
    ipc->message.handle_count = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        ipc->message.handles[i] = (struct ax_message_handle){handle, rights};
    ax_result result = forward_anew(world.sam, reply);
    if (result != AX_OK)
        expect(answer(world.sam, reply, 1), AX_OK); /* it has it still */
    return result;
}

START_TEST(handles_of_the_forwarder_are_added) {
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    expect(forward_handles(2, 2, event, AX_RIGHT_SIGNAL), AX_OK);
    ck_assert(is_handle(world.server, event));
    fresh(second)->accept = 4;
    expect(kcall(second, AX_CALL_REPLY_RECEIVE, 0, back), AX_OK);
    const struct ax_message *got = message(second);
    ck_assert_uint_eq(got->handle_count, 4);
    ck_assert_ptr_eq(driver_object(second->process, got->handles[1].handle),
                     driver_object(world.client, world.session));
    for (unsigned i = 2; i < 4; i++) {
        ck_assert_ptr_eq(driver_object(second->process, got->handles[i].handle),
                         driver_object(world.server, event));
        ck_assert_uint_eq(got->handles[i].rights, AX_RIGHT_SIGNAL);
    }
    expect(answer(second, got->reply, 3), AX_OK);
    has_answer(world.one, 3);
    ck_assert_uint_eq(handles_to(world.server, event), 3);
}
END_TEST

START_TEST(what_cannot_be_added_is_not_passed_on) {
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    ax_handle fixed = weaken(world.sam, event, AX_RIGHT_ALL & ~AX_RIGHT_COPY);
    expect(forward_handles(3, 2, event, AX_RIGHT_ALL), AX_ERR_ARGUMENT);
    expect(forward_handles(0, 5, event, AX_RIGHT_ALL), AX_ERR_ARGUMENT);
    expect(forward_handles(0, 1, event, AX_RIGHT_ALL | AX_HANDLE_MOVE), AX_ERR_ARGUMENT);
    expect(forward_handles(1, 1, fixed, AX_RIGHT_ALL), AX_ERR_RIGHTS);
    expect(forward_handles(1, 1, stale(world.sam), AX_RIGHT_ALL), AX_ERR_HANDLE);
    ck_assert_uint_eq(handles_to(world.server, event), 2);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    fresh(world.sam)->message.word_count = AX_MESSAGE_WORDS + 1;
    expect(forward_anew(world.sam, reply), AX_ERR_ARGUMENT);
    expect(kcall(world.sam, AX_CALL_FORWARD, reply, onward, 2), AX_ERR_ARGUMENT);
    expect(kcall(world.sam, AX_CALL_FORWARD, reply, onward, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(answer(world.sam, reply, 1), AX_OK);
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
    tcase_add_test(tcase, operation_and_words_are_the_forwarders);
    tcase_add_test(tcase, handles_of_the_forwarder_are_added);
    tcase_add_test(tcase, what_cannot_be_added_is_not_passed_on);
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
