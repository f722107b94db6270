/* SPDX-License-Identifier: MIT */
/* Who serves runs at the priority of those who wait for it. */
#include "ipc_tests.h"

/* A single-threaded server, its endpoint, and a session of the client's. */
struct low {
    struct thread *thread;
    ax_handle endpoint;
    ax_handle session; /* of client's */
};

static struct low low_server(void) {
    struct low low = {.thread = new_thread(16)};
    low.endpoint = endpoint_for(low.thread);
    low.session = session_for(low.thread, low.endpoint, BADGE, world.client);
    return low;
}

static void set_priority(struct thread *thread, uint64_t priority) {
    ax_handle handle = grant_thread(thread, driver_root(), AX_RIGHT_CONTROL);
    expect(root_call(AX_CALL_THREAD_CONTROL, handle, AX_THREAD_PRIORITY, priority), AX_OK);
    must_close(driver_root_thread(), handle);
}

static struct thread *caller_of(uint8_t priority) {
    return driver_thread_with(world.client, priority, 0);
}

START_TEST(a_server_inherits_from_the_call_it_serves) {
    struct thread *better = caller_of(20);
    calls(better, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
    ck_assert_uint_eq(world.sam->base_priority, 16);
    expect(answer(world.sam, reply, 1), AX_OK);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(a_worse_call_lends_nothing) {
    struct thread *worse = caller_of(16);
    set_priority(worse, 3);
    set_priority(world.one, 3);
    set_priority(world.two, 3);
    waits(world.sam, world.endpoint);
    rests(world.sue);
    calls(worse, world.session, 1);
    has_call(world.sam, 1);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(calls_that_wait_lend_when_nobody_receives) {
    has_nothing(world.sam, world.endpoint);
    rests(world.sam);
    calls(caller_of(20), world.session, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
    calls(caller_of(25), world.session, 2);
    ck_assert_uint_eq(world.sam->priority, 25);
    ck_assert_uint_eq(world.sue->priority, 16); /* it never received there */
}
END_TEST

START_TEST(every_member_inherits_from_waiting_calls) {
    has_nothing(world.sam, world.endpoint);
    has_nothing(world.sue, world.endpoint);
    rests(world.sam);
    rests(world.sue);
    calls(caller_of(20), world.session, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
    ck_assert_uint_eq(world.sue->priority, 20);
    rises(world.sam);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
    ck_assert_uint_eq(world.sue->priority, 16);
}
END_TEST

START_TEST(a_withdrawn_call_takes_its_priority_back) {
    has_nothing(world.sam, world.endpoint);
    rests(world.sam);
    struct thread *better = caller_of(20);
    calls(better, world.session, 1);
    interrupt(better);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(a_parked_call_lends_nothing_until_it_is_taken_up) {
    calls(caller_of(20), world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    has_nothing(world.sam, world.endpoint);
    ck_assert_uint_eq(world.sam->priority, 16);
    expect(kcall(world.sue, AX_CALL_REPLY_CONTROL, reply, AX_REPLY_SERVE, 0, 0), AX_OK);
    ck_assert_uint_eq(world.sue->priority, 20);
    expect(answer(world.sue, reply, 1), AX_OK);
    ck_assert_uint_eq(world.sue->priority, 16);
}
END_TEST

START_TEST(a_thread_that_answers_for_another_frees_it) {
    calls(caller_of(20), world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    rests(world.sam);
    expect(answer(world.sue, reply, 1), AX_OK);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(a_caller_that_becomes_better_lends_more) {
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    set_priority(world.one, 21);
    ck_assert_uint_eq(world.sam->priority, 21);
    set_priority(world.one, 2);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(a_dead_caller_lends_nothing) {
    struct thread *better = new_thread(20);
    ax_handle theirs = driver_copy(world.client, world.session, better->process, AX_RIGHT_ALL);
    calls(better, theirs, 1);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
    end(better->process, AX_CAUSE_KILLED);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(priority_goes_along_a_chain) {
    struct low low = low_server();
    ax_handle below = driver_copy(world.client, low.session, world.server, AX_RIGHT_ALL);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    calls(world.sam, below, 2);
    takes(low.thread, low.endpoint, 2);
    set_priority(low.thread, 4);
    ck_assert_uint_eq(low.thread->priority, 16);
    set_priority(world.one, 20);
    ck_assert_uint_eq(world.sam->priority, 20);
    ck_assert_uint_eq(low.thread->priority, 20);
    set_priority(world.one, 16);
    ck_assert_uint_eq(low.thread->priority, 16);
    (void)reply;
}
END_TEST

START_TEST(a_call_in_the_queue_of_a_chain_moves_up) {
    /* sam's call waits at a server that rests; a better call comes to sam's endpoint. */
    struct low low = low_server();
    ax_handle below = driver_copy(world.client, low.session, world.server, AX_RIGHT_ALL);
    has_nothing(low.thread, low.endpoint);
    rests(low.thread);
    has_nothing(world.sam, world.endpoint);
    calls(world.one, low.session, 1);
    calls(world.sam, below, 2);
    calls(caller_of(25), world.session, 3);
    ck_assert_uint_eq(world.sam->priority, 25);
    ck_assert_uint_eq(low.thread->priority, 25);
    rises(low.thread);
    takes(low.thread, low.endpoint, 2);
    takes(low.thread, low.endpoint, 1);
}
END_TEST

/* So many servers in a row, each having received the call of the one before and calling on. */
static void chain(struct thread **threads, unsigned length) {
    ax_handle next;
    struct thread *caller = world.one;
    for (unsigned i = 0; i < length; i++) {
        threads[i] = driver_thread(world.server);
        ax_handle endpoint = endpoint_for(threads[i]);
        next = session_for(threads[i], endpoint, 1, caller->process);
        calls(caller, next, i);
        takes(threads[i], endpoint, i);
        caller = threads[i];
    }
}

/* Sixteen deep, the caller counted; what lies beyond may inherit or not. */
START_TEST(a_long_chain_inherits) {
    struct thread *threads[20];
    chain(threads, 20);
    set_priority(world.one, 20);
    for (unsigned i = 0; i < 15; i++)
        ck_assert_uint_eq(threads[i]->priority, 20);
    set_priority(world.one, 16);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(threads[i]->priority, 16);
}
END_TEST

START_TEST(a_server_that_waits_for_a_call_is_not_asked_to_hurry) {
    has_nothing(world.sam, world.endpoint);
    waits(world.sue, world.endpoint);
    struct thread *better = caller_of(20);
    calls(better, world.session, 1);
    has_call(world.sue, 1);
    ck_assert_uint_eq(world.sue->priority, 20);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(a_server_that_leaves_its_endpoint_inherits_no_more) {
    ax_handle elsewhere = endpoint_for(world.sam);
    has_nothing(world.sam, world.endpoint);
    rests(world.sam);
    calls(caller_of(20), world.session, 1);
    rises(world.sam);
    ck_assert_uint_eq(world.sam->priority, 20);
    has_nothing(world.sam, elsewhere);
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

START_TEST(a_redelivered_call_lends_again) {
    keep();
    calls(caller_of(20), world.session, 1);
    takes(world.sam, world.endpoint, 1);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    has_nothing(world.sam, endpoint_for(world.sam));
    ck_assert_uint_eq(world.sam->priority, 16);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
}
END_TEST

START_TEST(a_better_fresh_call_counts_behind_redelivered_ones) {
    keep();
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    calls(world.two, world.session, 2);
    takes(world.sam, world.endpoint, 2);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    takes(world.sam, world.endpoint, 1); /* the second is still to come */
    rests(world.sam);
    calls(caller_of(25), world.session, 3);
    ck_assert_uint_eq(world.sam->priority, 25);
    rises(world.sam);
    takes(world.sam, world.endpoint, 2);
    ck_assert_uint_eq(world.sam->priority, 25);
    takes(world.sam, world.endpoint, 3);
}
END_TEST

START_TEST(the_better_of_two_callers_is_not_kept_waiting) {
    /* The classic: a middling thread must not keep the server from answering the best. */
    struct thread *middling = driver_thread_with(world.client, 18, 0);
    rests(middling);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    rests(world.sue);
    rests(world.two);
    struct thread *best = caller_of(25);
    calls(best, world.session, 2);
    interrupt(middling);
    ck_assert_uint_eq(world.sam->priority, 25);
    expect(answer(world.sam, reply, 1), AX_OK); /* the driver would fail if middling ran first */
    ck_assert_uint_eq(world.sam->priority, 25);
    takes(world.sam, world.endpoint, 2);
}
END_TEST

START_TEST(what_was_inherited_does_not_come_back_in_a_circle) {
    /* sam waits at the endpoint that it receives from itself, as sue does. */
    ax_handle own = session_for(world.sam, world.endpoint, 8, world.server);
    has_nothing(world.sue, world.endpoint);
    rests(world.sue);
    has_nothing(world.sam, world.endpoint);
    calls(world.sam, own, 1);
    struct thread *better = caller_of(25);
    calls(better, world.session, 2);
    ck_assert_uint_eq(world.sam->priority, 25);
    ck_assert_uint_eq(world.sue->priority, 25);
    interrupt(better);
    ck_assert_uint_eq(world.sam->priority, 16);
    ck_assert_uint_eq(world.sue->priority, 16);
    ck_assert_uint_eq(world.sam->call.priority, 16);
}
END_TEST

START_TEST(a_caller_that_became_worse_lends_what_it_has_now) {
    struct thread *caller = caller_of(20);
    calls(caller, world.session, 1);
    expect(answer(world.sam, takes(world.sam, world.endpoint, 1), 1), AX_OK);
    set_priority(caller, 16);
    waits(world.sam, world.endpoint);
    calls(caller, world.session, 2);
    has_call(world.sam, 2);
    set_priority(world.sam, 16); /* it is worked out anew */
    ck_assert_uint_eq(world.sam->priority, 16);
}
END_TEST

void priority_inherit_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "priority_inherit");
    tcase_add_test(tcase, a_server_inherits_from_the_call_it_serves);
    tcase_add_test(tcase, a_worse_call_lends_nothing);
    tcase_add_test(tcase, calls_that_wait_lend_when_nobody_receives);
    tcase_add_test(tcase, every_member_inherits_from_waiting_calls);
    tcase_add_test(tcase, a_withdrawn_call_takes_its_priority_back);
    tcase_add_test(tcase, a_parked_call_lends_nothing_until_it_is_taken_up);
    tcase_add_test(tcase, a_thread_that_answers_for_another_frees_it);
    tcase_add_test(tcase, a_caller_that_becomes_better_lends_more);
    tcase_add_test(tcase, a_dead_caller_lends_nothing);
    tcase_add_test(tcase, priority_goes_along_a_chain);
    tcase_add_test(tcase, a_call_in_the_queue_of_a_chain_moves_up);
    tcase_add_test(tcase, a_long_chain_inherits);
    tcase_add_test(tcase, a_server_that_waits_for_a_call_is_not_asked_to_hurry);
    tcase_add_test(tcase, a_server_that_leaves_its_endpoint_inherits_no_more);
    tcase_add_test(tcase, a_redelivered_call_lends_again);
    tcase_add_test(tcase, a_better_fresh_call_counts_behind_redelivered_ones);
    tcase_add_test(tcase, the_better_of_two_callers_is_not_kept_waiting);
    tcase_add_test(tcase, what_was_inherited_does_not_come_back_in_a_circle);
    tcase_add_test(tcase, a_caller_that_became_worse_lends_what_it_has_now);
}
