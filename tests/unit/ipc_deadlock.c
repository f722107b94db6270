/* SPDX-License-Identifier: MIT */
/* Calls that would close a cycle, and calls that only look as if. */
#include "ipc_tests.h"

/* Three single-threaded servers, each with an endpoint, each able to call every one of them. */
static struct thread *servers[3];
static ax_handle endpoints[3];
static ax_handle sessions[3][3]; /* [from][to] */

static void deadlock_start(void) {
    ipc_start();
    for (unsigned i = 0; i < 3; i++) {
        servers[i] = new_thread(16);
        endpoints[i] = endpoint_for(servers[i]);
        has_nothing(servers[i], endpoints[i]);
    }
    for (unsigned from = 0; from < 3; from++) {
        for (unsigned to = 0; to < 3; to++)
            sessions[from][to] =
                session_for(servers[to], endpoints[to], 10 + from, servers[from]->process);
    }
}

static ax_result calls_on(unsigned from, unsigned to) {
    return call(servers[from], sessions[from][to], from * 10 + to);
}

START_TEST(a_server_that_calls_itself) {
    uint64_t before = kernel->counters.deadlocks;
    expect(calls_on(0, 0), AX_ERR_DEADLOCK);
    ck_assert_uint_eq(kernel->counters.deadlocks, before + 1);
    has_nothing(servers[0], endpoints[0]);
}
END_TEST

START_TEST(two_servers_that_call_each_other) {
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    ax_handle reply = takes(servers[1], endpoints[1], 1);
    expect(calls_on(1, 0), AX_ERR_DEADLOCK);
    expect(answer(servers[1], reply, 5), AX_OK);
    has_answer(servers[0], 5);
}
END_TEST

START_TEST(three_servers_in_a_circle) {
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    takes(servers[1], endpoints[1], 1);
    expect(calls_on(1, 2), DRIVER_BLOCKED);
    takes(servers[2], endpoints[2], 12);
    expect(calls_on(2, 0), AX_ERR_DEADLOCK);
    expect(calls_on(2, 1), AX_ERR_DEADLOCK);
}
END_TEST

START_TEST(a_circle_of_calls_that_nobody_received) {
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    expect(calls_on(1, 2), DRIVER_BLOCKED); /* without having received the first */
    expect(calls_on(2, 0), AX_ERR_DEADLOCK);
}
END_TEST

START_TEST(it_goes_away_with_the_call) {
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    ax_handle reply = takes(servers[1], endpoints[1], 1);
    expect(calls_on(1, 0), AX_ERR_DEADLOCK);
    expect(answer(servers[1], reply, 0), AX_OK);
    expect(calls_on(1, 0), DRIVER_BLOCKED);
}
END_TEST

START_TEST(a_call_kept_parked_may_be_waited_for) {
    /* The answer from below: the upper server calls up against the order while it parks. */
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    takes(servers[1], endpoints[1], 1);
    has_nothing(servers[1], endpoints[1]); /* parked */
    expect(calls_on(1, 2), DRIVER_BLOCKED);
    takes(servers[2], endpoints[2], 12);
    expect(calls_on(2, 0), DRIVER_BLOCKED);
}
END_TEST

START_TEST(a_second_thread_can_take_the_call) {
    struct thread *helper = driver_thread(servers[0]->process);
    has_nothing(helper, endpoints[0]);
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    takes(servers[1], endpoints[1], 1);
    expect(calls_on(1, 0), DRIVER_BLOCKED);
    ax_handle reply = takes(helper, endpoints[0], 10);
    expect(answer(helper, reply, 7), AX_OK);
    has_answer(servers[1], 7);
}
END_TEST

START_TEST(a_thread_that_waits_for_something_else_may_take_it_yet) {
    struct thread *helper = driver_thread(servers[0]->process);
    has_nothing(helper, endpoints[0]);
    expect(kcall(helper, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    takes(servers[1], endpoints[1], 1);
    expect(calls_on(1, 0), DRIVER_BLOCKED);
}
END_TEST

START_TEST(a_server_with_two_threads_calls_itself) {
    struct thread *helper = driver_thread(servers[0]->process);
    waits(helper, endpoints[0]);
    expect(calls_on(0, 0), DRIVER_BLOCKED);
    ax_handle reply = has_call(helper, 0);
    expect(call(helper, sessions[0][0], 1), AX_ERR_DEADLOCK); /* now both would wait */
    expect(answer(helper, reply, 0), AX_OK);
}
END_TEST

START_TEST(all_threads_of_an_endpoint_wait_for_the_caller) {
    struct thread *helper = driver_thread(servers[0]->process);
    has_nothing(helper, endpoints[0]);
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    takes(servers[1], endpoints[1], 1);
    expect(call(helper, sessions[0][1], 2), DRIVER_BLOCKED);
    expect(calls_on(1, 0), AX_ERR_DEADLOCK);
}
END_TEST

START_TEST(the_last_of_several_threads_closes_the_circle) {
    /* Server 1 waits for server 0, of which one thread is free; now that calls server 1, too. */
    struct thread *helper = driver_thread(servers[0]->process);
    has_nothing(helper, endpoints[0]);
    expect(calls_on(0, 1), DRIVER_BLOCKED);
    takes(servers[1], endpoints[1], 1);
    expect(calls_on(1, 0), DRIVER_BLOCKED);
    expect(call(helper, sessions[0][1], 2), AX_ERR_DEADLOCK);
    ax_handle reply = takes(helper, endpoints[0], 10);
    expect(answer(helper, reply, 7), AX_OK);
    has_answer(servers[1], 7);
}
END_TEST

START_TEST(an_endpoint_without_a_server_is_no_circle) {
    ax_handle fresh_endpoint = endpoint_for(servers[0]);
    ax_handle own = session_for(servers[0], fresh_endpoint, 1, servers[0]->process);
    expect(call(servers[0], own, 1), DRIVER_BLOCKED); /* nobody has ever received there */
}
END_TEST

START_TEST(a_thread_that_went_elsewhere_does_not_serve_any_more) {
    ax_handle elsewhere = endpoint_for(servers[0]);
    has_nothing(servers[0], elsewhere);
    expect(calls_on(0, 0), DRIVER_BLOCKED);
}
END_TEST

/* Twenty servers, each calling the next: the cycle that the last would close is seen. */
START_TEST(a_long_circle) {
    enum { LENGTH = 20 };
    struct thread *chain[LENGTH];
    ax_handle ends[LENGTH];
    ax_handle next[LENGTH];
    for (unsigned i = 0; i < LENGTH; i++) {
        chain[i] = driver_thread(world.server);
        ends[i] = endpoint_for(chain[i]);
        has_nothing(chain[i], ends[i]);
    }
    for (unsigned i = 0; i < LENGTH; i++)
        next[i] = session_for(chain[(i + 1) % LENGTH], ends[(i + 1) % LENGTH], 1, world.server);
    for (unsigned i = 0; i + 1 < LENGTH; i++)
        calls(chain[i], next[i], i);
    expect(call(chain[LENGTH - 1], next[LENGTH - 1], 0), AX_ERR_DEADLOCK);
}
END_TEST

/* Beyond what is looked at, a cycle is not seen: not knowing counts as no. */
START_TEST(a_circle_that_is_too_long_to_see) {
    enum { LENGTH = 140 };
    struct thread *chain[LENGTH];
    ax_handle ends[LENGTH], next[LENGTH];
    struct process *process = driver_process();
    for (unsigned i = 0; i < LENGTH; i++) {
        chain[i] = driver_thread(process);
        ends[i] = endpoint_for(chain[i]);
        has_nothing(chain[i], ends[i]);
    }
    for (unsigned i = 0; i < LENGTH; i++)
        next[i] = session_for(chain[(i + 1) % LENGTH], ends[(i + 1) % LENGTH], 1, process);
    for (unsigned i = 0; i < LENGTH; i++)
        calls(chain[i], next[i], i);
    end(process, AX_CAUSE_KILLED);
}
END_TEST

void ipc_deadlock_tests(Suite *suite) {
    TCase *tcase = tcase_create("ipc_deadlock");
    tcase_add_checked_fixture(tcase, deadlock_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_server_that_calls_itself);
    tcase_add_test(tcase, two_servers_that_call_each_other);
    tcase_add_test(tcase, three_servers_in_a_circle);
    tcase_add_test(tcase, a_circle_of_calls_that_nobody_received);
    tcase_add_test(tcase, it_goes_away_with_the_call);
    tcase_add_test(tcase, a_call_kept_parked_may_be_waited_for);
    tcase_add_test(tcase, a_second_thread_can_take_the_call);
    tcase_add_test(tcase, a_thread_that_waits_for_something_else_may_take_it_yet);
    tcase_add_test(tcase, a_server_with_two_threads_calls_itself);
    tcase_add_test(tcase, all_threads_of_an_endpoint_wait_for_the_caller);
    tcase_add_test(tcase, the_last_of_several_threads_closes_the_circle);
    tcase_add_test(tcase, an_endpoint_without_a_server_is_no_circle);
    tcase_add_test(tcase, a_thread_that_went_elsewhere_does_not_serve_any_more);
    tcase_add_test(tcase, a_long_circle);
    tcase_add_test(tcase, a_circle_that_is_too_long_to_see);
}
