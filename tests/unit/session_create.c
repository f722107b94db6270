/* SPDX-License-Identifier: MIT */
/* session_create, session_signal, session_identify. */
#include "ipc_tests.h"

static ax_result create(struct thread *thread, ax_handle endpoint, uint64_t badge, uint64_t signals,
                        ax_place place) {
    return kcall(thread, AX_CALL_SESSION_CREATE, endpoint, badge, signals, place);
}

static ax_result signal_session(uint64_t badge, uint64_t clear, uint64_t set) {
    return kcall(world.sam, AX_CALL_SESSION_SIGNAL, world.endpoint, badge, clear, set);
}

static ax_result identify(ax_handle endpoint, ax_handle handle) {
    fresh(world.sam)->message.badge = 4711;
    return kcall(world.sam, AX_CALL_SESSION_IDENTIFY, endpoint, handle);
}

START_TEST(a_session_has_a_badge_signals_and_rights) {
    ax_result handle = create(world.sam, world.endpoint, UINT64_MAX, 0x5, AX_PLACE_ANY);
    ck_assert_int_gt(handle, 0);
    ck_assert_uint_eq(signals_of(world.sam, (ax_handle)handle), 0x5);
    struct object *object;
    uint32_t rights = 0;
    expect(
        handle_lookup_rights(world.server, (ax_handle)handle, AX_TYPE_SESSION, 0, &object, &rights),
        AX_OK);
    ck_assert_uint_eq(rights, AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE);
    expect(identify(world.endpoint, (ax_handle)handle), AX_OK);
    ck_assert_uint_eq(message(world.sam)->badge, UINT64_MAX);
}
END_TEST

START_TEST(a_badge_is_taken_until_it_is_retired) {
    expect(create(world.sam, world.endpoint, BADGE, 0, AX_PLACE_ANY), AX_ERR_EXISTS);
    must_close(world.one, world.session);
    expect(create(world.sam, world.endpoint, BADGE, 0, AX_PLACE_ANY), AX_ERR_EXISTS);
    expect(receive(world.sam, world.endpoint), AX_OK);
    expect(create(world.sam, world.endpoint, BADGE, 0, AX_PLACE_ANY), AX_ERR_EXISTS);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, 0), AX_OK);
    ck_assert_int_gt(create(world.sam, world.endpoint, BADGE, 0, AX_PLACE_ANY), 0);
}
END_TEST

START_TEST(badge_zero_is_one_like_others) {
    ck_assert_int_gt(create(world.sam, world.endpoint, 0, 0, AX_PLACE_ANY), 0);
    expect(create(world.sam, world.endpoint, 0, 0, AX_PLACE_ANY), AX_ERR_EXISTS);
}
END_TEST

START_TEST(it_is_made_in_a_named_place_once) {
    ax_handle there = grant(world.client, world.server, AX_RIGHT_HANDLES);
    expect(create(world.sam, world.endpoint, 8, 0, AX_PLACE(there, 500)), 500);
    ck_assert(is_handle(world.client, 500));
    expect(create(world.sam, world.endpoint, 9, 0, AX_PLACE(there, 500)), AX_ERR_EXISTS);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, 9, 0), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(creating_needs_the_right_to_sessions) {
    ax_handle weak = weaken(world.sam, world.endpoint, AX_RIGHT_ALL & ~AX_RIGHT_SESSIONS);
    expect(create(world.sam, weak, 8, 0, AX_PLACE_ANY), AX_ERR_RIGHTS);
    expect(create(world.sam, make(world.sam, AX_TYPE_EVENT), 8, 0, AX_PLACE_ANY), AX_ERR_TYPE);
    expect(create(world.sam, stale(world.sam), 8, 0, AX_PLACE_ANY), AX_ERR_HANDLE);
    expect(create(world.sam, AX_HANDLE_NONE, 8, 0, AX_PLACE_ANY), AX_ERR_HANDLE);
    ax_handle no_handles = grant(world.client, world.server, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    expect(create(world.sam, world.endpoint, 8, 0, AX_PLACE(no_handles, 0)), AX_ERR_RIGHTS);
}
END_TEST

START_TEST(first_signals_are_of_those_that_servers_set) {
    expect(create(world.sam, world.endpoint, 8, AX_SIGNAL_PEER_CLOSED, 0), AX_ERR_ARGUMENT);
    expect(create(world.sam, world.endpoint, 8, UINT64_C(1) << 32, 0), AX_ERR_ARGUMENT);
    ck_assert_int_gt(create(world.sam, world.endpoint, 8, AX_SIGNAL_SERVED, 0), 0);
}
END_TEST

START_TEST(an_endpoint_without_receiver_has_no_sessions) {
    ax_handle weak = weaken(world.sam, world.endpoint, AX_RIGHT_ALL & ~AX_RIGHT_RECEIVE);
    must_close(world.sam, world.endpoint);
    expect(create(world.sam, weak, 8, 0, AX_PLACE_ANY), AX_ERR_PEER_CLOSED);
}
END_TEST

static void make_session(void) {
    ax_result result = create(world.sam, world.endpoint, 8, 0, AX_PLACE(0, 3000));
    ck_assert(result == 3000 || result == AX_ERR_MEMORY);
    if (result < 0)
        expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, 8, 0), AX_ERR_NOT_FOUND);
}

START_TEST(creating_fails_cleanly_without_memory) {
    with_failures(make_session);
}
END_TEST

START_TEST(creating_is_charged_and_limited) {
    struct process *process = driver_process_of(world.small_account);
    struct thread *thread = driver_thread(process);
    ax_handle endpoint = endpoint_for(thread);
    uint64_t made = 0;
    ax_result result;
    while ((result = create(thread, endpoint, made, 0, AX_PLACE_ANY)) > 0)
        made++;
    expect(result, AX_ERR_LIMIT);
    ck_assert_uint_gt(made, 5);
    ck_assert_uint_eq(world.small_account->used_objects, 30);
    end(process, AX_CAUSE_KILLED);
}
END_TEST

/* ---- session_signal -------------------------------------------------------------------------- */

START_TEST(the_server_sets_and_clears_signals) {
    expect(signal_session(BADGE, 0, 0x7), AX_OK);
    expect(signal_session(BADGE, 0x3, 0x8), AX_OK);
    ck_assert_uint_eq(signals_of(world.one, world.session), 0xc);
}
END_TEST

START_TEST(a_signal_ends_a_wait) {
    expect(kcall(world.one, AX_CALL_OBJECT_WAIT, world.session, 0x6, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    expect(signal_session(BADGE, 0, 0x1), AX_OK);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    expect(signal_session(BADGE, 0, 0x4), AX_OK);
    expect(driver_answer(world.one), 0x4);
}
END_TEST

START_TEST(signalling_needs_a_known_badge_and_the_right) {
    expect(signal_session(99, 0, 1), AX_ERR_NOT_FOUND);
    expect(signal_session(BADGE, 0, AX_SIGNAL_PEER_CLOSED), AX_ERR_ARGUMENT);
    expect(signal_session(BADGE, UINT64_C(1) << 40, 0), AX_ERR_ARGUMENT);
    ax_handle weak = weaken(world.sam, world.endpoint, AX_RIGHT_ALL & ~AX_RIGHT_SESSIONS);
    expect(kcall(world.sam, AX_CALL_SESSION_SIGNAL, weak, BADGE, 0, 1), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_SESSION_SIGNAL, world.session, BADGE, 0, 1), AX_ERR_TYPE);
    expect(kcall(world.sam, AX_CALL_SESSION_SIGNAL, 0, BADGE, 0, 1), AX_ERR_HANDLE);
    expect(kcall(world.sam, AX_CALL_SESSION_SIGNAL, stale(world.sam), BADGE, 0, 1), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_client_does_not_signal_its_session) {
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, world.session, 0, 1), AX_ERR_TYPE);
}
END_TEST

/* ---- session_identify ------------------------------------------------------------------------ */

START_TEST(a_server_knows_its_own_sessions) {
    ax_handle mine = driver_copy(world.client, world.session, world.server, 0); /* no rights */
    expect(identify(world.endpoint, mine), AX_OK);
    ck_assert_uint_eq(message(world.sam)->badge, BADGE);
}
END_TEST

START_TEST(it_does_not_know_anything_else) {
    ax_handle second = endpoint_for(world.sam);
    ax_handle theirs = session_for(world.sam, second, BADGE, world.server);
    expect(identify(world.endpoint, theirs), AX_ERR_NOT_FOUND);
    expect(identify(world.endpoint, world.endpoint), AX_ERR_NOT_FOUND);
    expect(identify(world.endpoint, make(world.sam, AX_TYPE_EVENT)), AX_ERR_NOT_FOUND);
    ck_assert_uint_eq(message(world.sam)->badge, 4711);
    expect(identify(second, theirs), AX_OK);
}
END_TEST

START_TEST(it_does_not_know_what_it_has_ended) {
    ax_handle mine = driver_copy(world.client, world.session, world.server, AX_RIGHT_COPY);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, AX_RETIRE_END), AX_OK);
    expect(identify(world.endpoint, mine), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(identifying_needs_the_right_and_handles) {
    ax_handle mine = driver_copy(world.client, world.session, world.server, AX_RIGHT_ALL);
    ax_handle weak = weaken(world.sam, world.endpoint, AX_RIGHT_ALL & ~AX_RIGHT_SESSIONS);
    expect(identify(weak, mine), AX_ERR_RIGHTS);
    expect(identify(mine, mine), AX_ERR_TYPE);
    expect(identify(AX_HANDLE_NONE, mine), AX_ERR_HANDLE);
    expect(identify(world.endpoint, AX_HANDLE_NONE), AX_ERR_HANDLE);
    expect(identify(world.endpoint, stale(world.sam)), AX_ERR_HANDLE);
}
END_TEST

void session_create_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "session_create");
    tcase_add_test(tcase, a_session_has_a_badge_signals_and_rights);
    tcase_add_test(tcase, a_badge_is_taken_until_it_is_retired);
    tcase_add_test(tcase, badge_zero_is_one_like_others);
    tcase_add_test(tcase, it_is_made_in_a_named_place_once);
    tcase_add_test(tcase, creating_needs_the_right_to_sessions);
    tcase_add_test(tcase, first_signals_are_of_those_that_servers_set);
    tcase_add_test(tcase, an_endpoint_without_receiver_has_no_sessions);
    tcase_add_test(tcase, creating_fails_cleanly_without_memory);
    tcase_add_test(tcase, creating_is_charged_and_limited);
    tcase_add_test(tcase, the_server_sets_and_clears_signals);
    tcase_add_test(tcase, a_signal_ends_a_wait);
    tcase_add_test(tcase, signalling_needs_a_known_badge_and_the_right);
    tcase_add_test(tcase, a_client_does_not_signal_its_session);
    tcase_add_test(tcase, a_server_knows_its_own_sessions);
    tcase_add_test(tcase, it_does_not_know_anything_else);
    tcase_add_test(tcase, it_does_not_know_what_it_has_ended);
    tcase_add_test(tcase, identifying_needs_the_right_and_handles);
}
