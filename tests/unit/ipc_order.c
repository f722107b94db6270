/* SPDX-License-Identifier: MIT */
/* What is received first. */
#include "ipc_tests.h"

START_TEST(better_callers_come_first) {
    static const uint8_t priorities[4] = {16, 20, 18, 25};
    static const uint64_t order[4] = {3, 1, 2, 0};
    for (unsigned i = 0; i < 4; i++)
        calls(driver_thread_with(world.client, priorities[i], 0), world.session, i);
    for (unsigned i = 0; i < 4; i++)
        takes(world.sam, world.endpoint, order[i]);
}
END_TEST

START_TEST(equals_come_in_the_order_they_called) {
    for (unsigned i = 0; i < 6; i++)
        calls(driver_thread(world.client), world.session, i);
    for (unsigned i = 0; i < 6; i++)
        takes(world.sam, world.endpoint, i);
}
END_TEST

START_TEST(a_queued_caller_that_becomes_better_moves_up) {
    struct thread *three = driver_thread_with(world.client, 16, 0);
    calls(world.one, world.session, 1);
    calls(three, world.session, 3);
    ax_handle handle = grant_thread(three, driver_root(), AX_RIGHT_CONTROL);
    expect(root_call(AX_CALL_THREAD_CONTROL, handle, AX_THREAD_PRIORITY, 20), AX_OK);
    takes(world.sam, world.endpoint, 3);
    takes(world.sam, world.endpoint, 1);
}
END_TEST

START_TEST(a_queued_caller_that_becomes_worse_moves_down) {
    struct thread *three = driver_thread_with(world.client, 20, 0);
    calls(three, world.session, 3);
    calls(world.one, world.session, 1);
    ax_handle handle = grant_thread(three, driver_root(), AX_RIGHT_CONTROL);
    expect(root_call(AX_CALL_THREAD_CONTROL, handle, AX_THREAD_PRIORITY, 3), AX_OK);
    takes(world.sam, world.endpoint, 1);
    takes(world.sam, world.endpoint, 3);
}
END_TEST

START_TEST(all_kinds_come_in_their_order) {
    ax_handle event = make(world.sue, AX_TYPE_EVENT);
    ax_handle other = session_for(world.sam, world.endpoint, 8, world.client);
    struct thread *three = driver_thread(world.client);
    has_nothing(world.sam, world.endpoint);
    expect(kcall(world.sam, AX_CALL_ENDPOINT_BIND, world.endpoint, event, 0xff, 100), AX_OK);
    /* One call is being served and interrupted, one was given back by a helper that died. */
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct thread *helper = new_thread(16);
    calls(three, world.session, 3);
    ax_handle theirs = driver_copy(world.server, world.endpoint, helper->process, AX_RIGHT_ALL);
    expect(receive(helper, theirs), AX_OK);
    has_event(helper, 100, 0); /* it is new there */
    takes(helper, theirs, 3);
    expect(kcall(world.sue, AX_CALL_OBJECT_SIGNAL, event, 0, 2), AX_OK);
    crash(helper);
    must_close(world.two, other);
    calls(world.two, world.session, 2);
    rests(world.sam);
    calls(driver_thread_with(world.client, 30, 0), world.session, 30);
    interrupt(world.one);

    rises(world.sam);
    expect(receive_until(world.sam, world.endpoint, NOW), AX_OK);
    has_interrupt(world.sam, reply);
    expect(receive_until(world.sam, world.endpoint, NOW), AX_OK);
    has_close(world.sam, 8);
    expect(receive_until(world.sam, world.endpoint, NOW), AX_OK);
    has_event(world.sam, 100, 2);
    takes(world.sam, world.endpoint, 3);
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_REDELIVERED);
    takes(world.sam, world.endpoint, 30);
    takes(world.sam, world.endpoint, 2);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(the_thread_that_waited_longest_receives_first) {
    waits(world.sue, world.endpoint);
    waits(world.sam, world.endpoint);
    calls(world.one, world.session, 1);
    has_call(world.sue, 1);
    calls(world.two, world.session, 2);
    has_call(world.sam, 2);
}
END_TEST

START_TEST(pending_is_told_as_long_as_there_is_something) {
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), 0);
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), AX_SIGNAL_PENDING);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), AX_SIGNAL_PENDING);
    takes(world.sam, world.endpoint, 2);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), 0);
}
END_TEST

START_TEST(pending_ends_a_wait) {
    expect(kcall(world.sue, AX_CALL_OBJECT_WAIT, world.endpoint, AX_SIGNAL_PENDING, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    calls(world.one, world.session, 1);
    expect(driver_answer(world.sue), AX_SIGNAL_PENDING);
}
END_TEST

START_TEST(a_call_that_is_withdrawn_is_not_pending) {
    calls(world.one, world.session, 1);
    interrupt(world.one);
    ck_assert_uint_eq(signals_of(world.sam, world.endpoint), 0);
}
END_TEST

START_TEST(an_endpoint_counts_what_it_has) {
    session_for(world.sam, world.endpoint, 8, world.client);
    must_close(world.one, session_for(world.sam, world.endpoint, 9, world.client));
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, 9);
    takes(world.sam, world.endpoint, 1);
    struct ax_object_info info = info_of(world.sam, world.endpoint);
    ck_assert_uint_eq(info.endpoint.sessions, 2);
    ck_assert_uint_eq(info.endpoint.closed, 1);
    ck_assert_uint_eq(info.endpoint.queued, 1);
    ck_assert_uint_eq(info.endpoint.received, 1);
}
END_TEST

void ipc_order_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_order");
    tcase_add_test(tcase, better_callers_come_first);
    tcase_add_test(tcase, equals_come_in_the_order_they_called);
    tcase_add_test(tcase, a_queued_caller_that_becomes_better_moves_up);
    tcase_add_test(tcase, a_queued_caller_that_becomes_worse_moves_down);
    tcase_add_test(tcase, all_kinds_come_in_their_order);
    tcase_add_test(tcase, the_thread_that_waited_longest_receives_first);
    tcase_add_test(tcase, pending_is_told_as_long_as_there_is_something);
    tcase_add_test(tcase, pending_ends_a_wait);
    tcase_add_test(tcase, a_call_that_is_withdrawn_is_not_pending);
    tcase_add_test(tcase, an_endpoint_counts_what_it_has);
}
