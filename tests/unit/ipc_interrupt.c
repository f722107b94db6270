/* SPDX-License-Identifier: MIT */
/* Interrupts and deadlines of calls: a request, never a verdict. */
#include "ipc_tests.h"

/* A call with a deadline in `ns`. */
static void calls_for(struct thread *caller, uint64_t ns) {
    fresh(caller)->deadline_ns = hal_time_ns() + ns;
    expect(call_again(caller, world.session), DRIVER_BLOCKED);
}

static void has_death(const struct thread *thread, ax_handle reply) {
    has_interrupt(thread, reply);
    ck_assert_uint_eq(message(thread)->flags, AX_MESSAGE_CALLER_DEAD);
}

static void take_interrupt(struct thread *thread) {
    expect(kcall(thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE, 0), 1);
}

START_TEST(a_call_not_received_is_withdrawn) {
    calls(world.one, world.session, 1);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    has_nothing(world.sam, world.endpoint);
    take_interrupt(world.one);
    calls(world.one, world.session, 2);
    takes(world.sam, world.endpoint, 2);
}
END_TEST

START_TEST(an_interrupt_is_sticky) {
    interrupt(world.one);
    waits(world.sam, world.endpoint);
    expect(call(world.one, world.session, 1), AX_ERR_INTERRUPTED);
    expect(call(world.one, world.session, 1), AX_ERR_INTERRUPTED);
    expect(driver_answer(world.sam), DRIVER_BLOCKED);
    take_interrupt(world.one);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE, 0), 0);
    calls(world.one, world.session, 1);
}
END_TEST

START_TEST(an_interrupt_that_withdrew_a_call_stays_pending) {
    calls(world.one, world.session, 1);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    ck_assert_uint_eq(world.one->page->pending, 1);
    expect(call(world.one, world.session, 1), AX_ERR_INTERRUPTED);
}
END_TEST

START_TEST(the_server_of_a_received_call_is_told) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_call_id id = message(world.sam)->id;
    waits(world.sam, world.endpoint);
    interrupt(world.one);
    has_interrupt(world.sam, reply);
    ck_assert_uint_eq(message(world.sam)->id.sequence, id.sequence);
    ck_assert_uint_eq(message(world.sam)->id.caller, id.caller);
    ck_assert_uint_eq(message(world.sam)->badge, BADGE);
    is_calling(world.one);
    expect(answer(world.sam, reply, 3), AX_OK);
    has_answer(world.one, 3);
    take_interrupt(world.one);
}
END_TEST

START_TEST(a_busy_server_is_told_when_it_receives) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), AX_SIGNAL_PENDING);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_interrupt(world.sam, reply);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), 0);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(a_server_is_told_once) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    interrupt(world.one);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_interrupt(world.sam, reply);
    interrupt(world.one);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(an_answered_call_is_told_no_more) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    expect(answer_receive(world.sam, reply, world.endpoint, 2), DRIVER_BLOCKED);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(any_receiver_of_the_process_is_told) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    waits(world.sue, world.endpoint);
    interrupt(world.one);
    has_interrupt(world.sue, reply);
}
END_TEST

START_TEST(a_receiver_of_another_process_is_not_told) {
    struct thread *third = new_thread(16);
    ax_handle theirs = driver_copy(world.server, world.endpoint, third->process, AX_RIGHT_ALL);
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    waits(third, theirs);
    interrupt(world.one);
    expect(driver_answer(third), DRIVER_BLOCKED);
    calls(world.two, world.session, 2);
    has_call(third, 2);
}
END_TEST

START_TEST(a_thread_that_receives_elsewhere_is_told_of_it) {
    ax_handle second = endpoint_for(world.sam);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    expect(receive(world.sam, second), AX_OK);
    has_interrupt(world.sam, reply);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), 0);
}
END_TEST

START_TEST(the_caller_dies_before_the_server_was_told) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    end(world.client, AX_CAUSE_KILLED);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_death(world.sam, reply); /* once, and not of the interrupt */
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    expect(answer(world.sam, reply, 1), AX_ERR_CALLER_DEAD);
}
END_TEST

/* ---- A caller's death ------------------------------------------------------------------------ */

START_TEST(the_server_of_a_call_is_told_that_its_caller_died) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_call_id id = message(world.sam)->id;
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    waits(world.sam, world.endpoint);
    end(world.client, AX_CAUSE_KILLED);
    has_death(world.sam, reply);
    ck_assert_mem_eq(&message(world.sam)->id, &id, sizeof(id));
    ck_assert_uint_eq(message(world.sam)->badge, BADGE);
    must_close(world.sam, reply);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, 0), AX_OK);
    has_nothing(world.sam, world.endpoint);
    must_close(world.sam, event);
}
END_TEST

/* The sessions may be retired before; the endpoint shows that there is something to receive. */
START_TEST(a_death_is_told_late) {
    calls(world.one, world.session, 1);
    ax_handle first = takes(world.sam, world.endpoint, 1);
    calls(world.two, world.session, 2);
    ax_handle second = takes(world.sam, world.endpoint, 2);
    end(world.client, AX_CAUSE_KILLED);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, 0), AX_OK);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), AX_SIGNAL_PENDING);
    expect(receive(world.sue, world.endpoint), AX_OK);
    has_death(world.sue, first);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), AX_SIGNAL_PENDING);
    must_close(world.sam, second); /* before it was told */
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), 0);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

/* A server that keeps to what it is told has nothing left of callers that died. */
START_TEST(dead_callers_leave_nothing_with_a_server) {
    uint32_t before = world.server->handles.used;
    for (unsigned i = 0; i < 8; i++) {
        struct process *process = driver_process_of(world.client_account);
        struct thread *thread = driver_thread(process);
        calls(thread, driver_copy(world.client, world.session, process, AX_RIGHT_ALL), 1);
        ax_handle reply = takes(world.sam, world.endpoint, 1);
        end(process, AX_CAUSE_KILLED);
        expect(receive(world.sam, world.endpoint), AX_OK);
        has_death(world.sam, reply);
        must_close(world.sam, message(world.sam)->reply);
    }
    ck_assert_uint_eq(world.server->handles.used, before);
}
END_TEST

/* ---- Deadlines ------------------------------------------------------------------------------- */

START_TEST(a_deadline_withdraws_what_was_not_received) {
    calls_for(world.one, 1000);
    driver_advance(999);
    is_calling(world.one);
    driver_advance(1);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    has_nothing(world.sam, world.endpoint);
    ck_assert_uint_eq(world.one->page->pending, 0);
    calls(world.one, world.session, 1); /* it leaves nothing behind */
}
END_TEST

START_TEST(a_deadline_tells_the_server_of_what_was_received) {
    calls_for(world.one, 1000);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    waits(world.sam, world.endpoint);
    driver_advance(1000);
    has_interrupt(world.sam, reply);
    is_calling(world.one);
    driver_advance(1000000);
    is_calling(world.one);
    expect(answer(world.sam, reply, 5), AX_OK);
    has_answer(world.one, 5);
}
END_TEST

START_TEST(a_deadline_is_forgotten_with_the_answer) {
    calls_for(world.one, 1000);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    expect(answer(world.sam, reply, 0), AX_OK);
    calls(world.one, world.session, 2);
    driver_advance(5000);
    is_calling(world.one);
    takes(world.sam, world.endpoint, 2);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

/* ---- Calls that come back --------------------------------------------------------------------
 */

START_TEST(what_a_dead_server_had_received_is_not_withdrawn) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    end(world.server, AX_CAUSE_KILLED);
    interrupt(world.one);
    is_calling(world.one);
    new_server();
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_REDELIVERED | AX_MESSAGE_INTERRUPTED);
    has_nothing(world.sam, world.endpoint); /* told with the call */
    expect(answer(world.sam, reply, 2), AX_OK);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(the_deadline_of_a_redelivered_call_is_told_with_it) {
    keep();
    calls_for(world.one, 1000);
    takes(world.sam, world.endpoint, 0);
    end(world.server, AX_CAUSE_KILLED);
    driver_advance(1000);
    is_calling(world.one);
    new_server();
    takes(world.sam, world.endpoint, 0);
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_REDELIVERED | AX_MESSAGE_INTERRUPTED);
}
END_TEST

START_TEST(a_new_instance_is_told_again_of_what_the_last_one_was) {
    keep();
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_interrupt(world.sam, reply);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_REDELIVERED | AX_MESSAGE_INTERRUPTED);
}
END_TEST

START_TEST(a_server_that_dies_before_it_is_told_leaves_nothing) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    interrupt(world.one);
    end(world.server, AX_CAUSE_KILLED);
    ck_assert_uint_eq(endpoint_of(driver_root_thread(), world.kept)->interrupt_count, 0);
    new_server();
    takes(world.sam, world.endpoint, 1);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(a_thread_that_waits_elsewhere_is_told_at_once) {
    ax_handle second = endpoint_for(world.sam);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    waits(world.sam, second);
    interrupt(world.one);
    has_interrupt(world.sam, reply);
    ck_assert_uint_eq(signals_of(world.sue, world.endpoint), 0);
}
END_TEST

void ipc_interrupt_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_interrupt");
    tcase_add_test(tcase, a_call_not_received_is_withdrawn);
    tcase_add_test(tcase, an_interrupt_is_sticky);
    tcase_add_test(tcase, an_interrupt_that_withdrew_a_call_stays_pending);
    tcase_add_test(tcase, the_server_of_a_received_call_is_told);
    tcase_add_test(tcase, a_busy_server_is_told_when_it_receives);
    tcase_add_test(tcase, a_server_is_told_once);
    tcase_add_test(tcase, an_answered_call_is_told_no_more);
    tcase_add_test(tcase, any_receiver_of_the_process_is_told);
    tcase_add_test(tcase, a_receiver_of_another_process_is_not_told);
    tcase_add_test(tcase, a_thread_that_receives_elsewhere_is_told_of_it);
    tcase_add_test(tcase, the_caller_dies_before_the_server_was_told);
    tcase_add_test(tcase, the_server_of_a_call_is_told_that_its_caller_died);
    tcase_add_test(tcase, a_death_is_told_late);
    tcase_add_test(tcase, dead_callers_leave_nothing_with_a_server);
    tcase_add_test(tcase, a_deadline_withdraws_what_was_not_received);
    tcase_add_test(tcase, a_deadline_tells_the_server_of_what_was_received);
    tcase_add_test(tcase, a_deadline_is_forgotten_with_the_answer);
    tcase_add_test(tcase, what_a_dead_server_had_received_is_not_withdrawn);
    tcase_add_test(tcase, the_deadline_of_a_redelivered_call_is_told_with_it);
    tcase_add_test(tcase, a_new_instance_is_told_again_of_what_the_last_one_was);
    tcase_add_test(tcase, a_server_that_dies_before_it_is_told_leaves_nothing);
    tcase_add_test(tcase, a_thread_that_waits_elsewhere_is_told_at_once);
}
