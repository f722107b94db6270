/* SPDX-License-Identifier: MIT */
/* What happens between the moment something ends and the moment that all of it is gone: the work
 * list is busy with something else, and other CPUs go on. */
#include "ipc_tests.h"

/* The work list has a lot to do, which from now on only goes on by steps of the CPUs. */
static void work_is_busy(void) {
    struct process *dying[30];
    for (unsigned i = 0; i < 30; i++) {
        dying[i] = driver_process();
        for (unsigned k = 0; k < 200; k++)
            driver_handle(dying[i], &world.client->object, 0);
    }
    driver_set_manual(true);
    for (unsigned i = 0; i < 30; i++) {
        kernel_lock();
        process_end(dying[i], AX_CAUSE_KILLED, AX_FAULT_NONE, 0, 0);
        kernel_unlock();
    }
}

#define ROOT_SLEEP_NS 1000

static void root_sleeps(void) {
    expect(root_call(AX_CALL_OBJECT_WAIT_MANY, 0, hal_time_ns() + ROOT_SLEEP_NS, 0),
           DRIVER_BLOCKED);
}

static void work_is_done(void) {
    driver_check_invariants();
    driver_set_manual(false);
}

START_TEST(a_call_that_comes_after_the_fault_is_not_to_blame) {
    keep();
    waits(world.sue, world.endpoint);
    work_is_busy();
    crash(world.sam);
    ck_assert_uint_eq(world.server->state, PROCESS_ENDING);
    calls(world.one, world.session, 1);
    work_is_done();
    ck_assert_uint_eq(world.one->call.deaths, 0);
    new_server();
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->flags, 0); /* nobody has seen it before */
}
END_TEST

START_TEST(a_server_in_another_process_takes_it) {
    struct thread *third = new_thread(16);
    ax_handle theirs = driver_copy(world.server, world.endpoint, third->process, AX_RIGHT_ALL);
    waits(world.sue, world.endpoint);
    waits(third, theirs);
    work_is_busy();
    crash(world.sam);
    calls(world.one, world.session, 1);
    ax_handle reply = has_call(third, 1);
    expect(answer(third, reply, 2), AX_OK);
    has_answer(world.one, 2);
    work_is_done();
}
END_TEST

START_TEST(a_thread_of_an_ending_process_receives_nothing) {
    keep();
    calls(world.one, world.session, 1);
    driver_run(world.sue);
    work_is_busy();
    end(world.server, AX_CAUSE_KILLED);
    ck_assert_uint_eq(world.server->state, PROCESS_ENDING);
    ck_assert_int_lt(receive(world.sue, world.endpoint), 0);
    work_is_done();
    new_server();
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->flags, 0);
}
END_TEST

START_TEST(a_thread_of_an_ending_process_may_still_answer) {
    keep();
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    work_is_busy();
    end(world.server, AX_CAUSE_KILLED);
    expect(answer(world.sam, reply, 2), AX_OK);
    has_answer(world.one, 2);
    work_is_done();
}
END_TEST

START_TEST(a_thread_of_an_ending_process_calls_nobody) {
    waits(world.sam, world.endpoint);
    work_is_busy();
    end(world.client, AX_CAUSE_KILLED);
    expect(call(world.one, world.session, 1), AX_ERR_ENDED);
    expect(driver_answer(world.sam), DRIVER_BLOCKED);
    work_is_done();
    has_close(world.sam, BADGE);
}
END_TEST

START_TEST(an_endpoint_that_is_gone_takes_no_call) {
    waits(world.sam, world.endpoint);
    work_is_busy();
    must_close(world.sue, world.endpoint);
    expect(call(world.one, world.session, 1), AX_ERR_PEER_CLOSED);
    expect(driver_answer(world.sam), DRIVER_BLOCKED);
    work_is_done();
    expect(driver_answer(world.sam), AX_ERR_PEER_CLOSED);
}
END_TEST

START_TEST(an_answer_with_handles_reaches_a_caller_that_ends) {
    fresh(world.one)->accept = 2;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    work_is_busy();
    end(world.client, AX_CAUSE_KILLED);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){event, AX_RIGHT_ALL};
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
    work_is_done();
    ck_assert_uint_eq(handles_to(world.server, event), 1);
}
END_TEST

START_TEST(a_session_that_is_being_ended_takes_no_new_call) {
    enum { COUNT = 300 };
    struct process *crowd = driver_process();
    ax_handle theirs = driver_copy(world.client, world.session, crowd, AX_RIGHT_ALL);
    struct thread *callers[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        callers[i] = driver_thread(crowd);
        calls(callers[i], theirs, i);
    }
    root_sleeps();
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 1), AX_OK);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 2), AX_OK);
    driver_run(world.one);
    driver_set_manual(true);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, AX_RETIRE_END),
           DRIVER_RESTART);
    expect(call(world.one, world.session, 1), AX_ERR_PEER_CLOSED);
    expect(driver_answer(world.sam), DRIVER_RESTART);
    work_is_done();
    driver_advance(ROOT_SLEEP_NS);
    for (unsigned i = 0; i < COUNT; i++)
        expect(driver_answer(callers[i]), AX_ERR_PEER_CLOSED);
    expect(driver_answer(world.sam), AX_OK);
}
END_TEST

START_TEST(a_session_that_is_being_ended_announces_no_close) {
    enum { COUNT = 100 };
    struct process *crowd = driver_process();
    ax_handle theirs = driver_copy(world.client, world.session, crowd, AX_RIGHT_ALL);
    for (unsigned i = 0; i < COUNT; i++)
        calls(driver_thread(crowd), theirs, i);
    must_close(world.one, world.session);
    must_close(driver_thread(crowd), theirs); /* the calls are all that keeps it open */
    driver_set_manual(true);
    (void)kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, AX_RETIRE_END);
    work_is_done();
    expect(driver_answer(world.sam), AX_OK);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(a_process_ends_when_its_threads_have_left_their_cpus) {
    struct process *process = driver_process();
    struct thread *busy[2] = {driver_thread(process), driver_thread(process)};
    rests(world.one);
    rests(world.two);
    rests(world.sam);
    rests(world.sue);
    driver_run(busy[0]);
    driver_set_manual(true);
    end(process, AX_CAUSE_KILLED);
    driver_check_invariants();
    work_is_done();
    ck_assert_uint_eq(process->state, PROCESS_CORPSE);
    ck_assert_uint_eq(process->running, 0);
}
END_TEST

START_TEST(ended_waits_for_all_work) {
    ax_handle client = grant(world.client, world.server, AX_RIGHT_ALL);
    work_is_busy();
    end(world.client, AX_CAUSE_KILLED);
    ck_assert_uint_eq(signals_of(world.sam, client), 0);
    expect(kcall(world.sam, AX_CALL_PROCESS_CONTROL, client, AX_PROCESS_RELEASE), AX_ERR_STATE);
    expect(kcall(world.sam, AX_CALL_PROCESS_END, client, AX_CAUSE_HUNG, 0), AX_ERR_ENDED);
    expect(kcall(world.sam, AX_CALL_OBJECT_WAIT, client, AX_SIGNAL_ENDED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    work_is_done();
    expect(driver_answer(world.sam), AX_SIGNAL_ENDED);
}
END_TEST

START_TEST(who_is_left_inherits_from_calls_that_nobody_took) {
    struct thread *third = new_thread(16);
    ax_handle theirs = driver_copy(world.server, world.endpoint, third->process, AX_RIGHT_ALL);
    has_nothing(third, theirs);
    rests(third);
    waits(world.sue, world.endpoint);
    struct thread *better = driver_thread_with(world.client, 20, 0);
    work_is_busy();
    kernel_lock();
    process_end(world.server, AX_CAUSE_KILLED, AX_FAULT_NONE, 0, 0);
    kernel_unlock();
    calls(better, world.session, 1);
    work_is_done();
    ck_assert_uint_eq(third->priority, 20);
}
END_TEST

void ipc_race_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_race");
    tcase_add_test(tcase, a_call_that_comes_after_the_fault_is_not_to_blame);
    tcase_add_test(tcase, a_server_in_another_process_takes_it);
    tcase_add_test(tcase, a_thread_of_an_ending_process_receives_nothing);
    tcase_add_test(tcase, a_thread_of_an_ending_process_may_still_answer);
    tcase_add_test(tcase, a_thread_of_an_ending_process_calls_nobody);
    tcase_add_test(tcase, an_endpoint_that_is_gone_takes_no_call);
    tcase_add_test(tcase, an_answer_with_handles_reaches_a_caller_that_ends);
    tcase_add_test(tcase, a_session_that_is_being_ended_takes_no_new_call);
    tcase_add_test(tcase, a_session_that_is_being_ended_announces_no_close);
    tcase_add_test(tcase, a_process_ends_when_its_threads_have_left_their_cpus);
    tcase_add_test(tcase, ended_waits_for_all_work);
    tcase_add_test(tcase, who_is_left_inherits_from_calls_that_nobody_took);
}
