/* SPDX-License-Identifier: MIT */
/* What a new instance of a server is told of its sessions and calls. */
#include "ipc_tests.h"

#define ENTRIES (AX_BUFFER_BYTES / sizeof(struct ax_session_info))

static ax_result list(enum ax_list_kind kind, uint64_t cursor, struct ax_session_info *infos) {
    ax_result count = kcall(world.sam, AX_CALL_ENDPOINT_LIST, world.endpoint, kind, cursor);
    ck_assert_int_ge(count, 0);
    ck_assert_int_le(count, (ax_result)ENTRIES);
    memcpy(infos, world.sam->page->buffer, (size_t)count * sizeof(*infos));
    return count;
}

static void make_sessions(uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count; i++)
        ck_assert_int_gt(
            kcall(world.sam, AX_CALL_SESSION_CREATE, world.endpoint, first + i, 0, AX_PLACE_ANY),
            0);
}

/* Drops the handles of the server's to sessions it made, from the last one on. */
static void close_sessions(uint64_t first, uint64_t count) {
    for (uint32_t i = 1; i < world.server->handles.leaf_capacity * SLOTS_PER_LEAF; i++) {
        const struct slot *slot = handle_slot(&world.server->handles, i);
        if (slot == NULL || slot->object == NULL || slot->object->type != AX_TYPE_SESSION)
            continue;
        uint64_t badge = container_of(slot->object, struct session, object)->badge;
        if (badge >= first && badge < first + count)
            must_close(world.sam, i | (uint32_t)slot->generation << AX_HANDLE_INDEX_BITS);
    }
}

START_TEST(live_sessions_are_listed_by_badge) {
    struct ax_session_info infos[ENTRIES];
    make_sessions(3, 1);
    make_sessions(UINT64_MAX, 1);
    calls(world.one, world.session, 1);
    weaken(world.one, world.session, 0);
    expect(list(AX_LIST_LIVE, 0, infos), 3);
    ck_assert_uint_eq(infos[0].badge, 3);
    ck_assert_uint_eq(infos[0].handles, 1);
    ck_assert_uint_eq(infos[0].calls, 0);
    ck_assert_uint_eq(infos[1].badge, BADGE);
    ck_assert_uint_eq(infos[1].handles, 2);
    ck_assert_uint_eq(infos[1].calls, 1);
    ck_assert_uint_eq(infos[1].is_hint, 0);
    ck_assert_uint_eq(infos[2].badge, UINT64_MAX);
    expect(list(AX_LIST_LIVE, 4, infos), 2);
    ck_assert_uint_eq(infos[0].badge, BADGE);
    expect(list(AX_LIST_LIVE, BADGE, infos), 2);
    expect(list(AX_LIST_LIVE, BADGE + 1, infos), 1);
    expect(list(AX_LIST_CLOSED, 0, infos), 0);
}
END_TEST

START_TEST(closed_sessions_are_listed_until_retired) {
    struct ax_session_info infos[ENTRIES];
    must_close(world.one, world.session);
    expect(list(AX_LIST_LIVE, 0, infos), 0);
    expect(list(AX_LIST_CLOSED, 0, infos), 1);
    ck_assert_uint_eq(infos[0].badge, BADGE);
    ck_assert_uint_eq(infos[0].handles, 0);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    expect(list(AX_LIST_CLOSED, 0, infos), 1);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, 0), AX_OK);
    expect(list(AX_LIST_CLOSED, 0, infos), 0);
}
END_TEST

START_TEST(a_new_instance_is_told_all) {
    struct ax_session_info infos[ENTRIES];
    keep();
    ax_handle other = session_for(world.sam, world.endpoint, 8, world.client);
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    struct ax_call_id first = message(world.sam)->id;
    calls(world.two, other, 2);
    takes(world.sam, world.endpoint, 2);
    struct ax_call_id second = message(world.sam)->id;
    must_close(driver_thread(world.client),
               session_for(world.sam, world.endpoint, 9, world.client));
    calls(driver_thread(world.client), world.session, 3);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    expect(list(AX_LIST_LIVE, 0, infos), 2);
    expect(list(AX_LIST_CLOSED, 0, infos), 1);
    ck_assert_uint_eq(infos[0].badge, 9);
    expect(list(AX_LIST_REDELIVERED, 0, infos), 2);
    ck_assert_uint_eq(infos[0].badge, BADGE);
    ck_assert_uint_eq(infos[0].handles, 0);
    ck_assert_mem_eq(&infos[0].id, &first, sizeof(first));
    ck_assert_uint_eq(infos[1].badge, 8);
    ck_assert_mem_eq(&infos[1].id, &second, sizeof(second));
    ck_assert_uint_lt(infos[0].order, infos[1].order);
    uint64_t last = infos[1].order;
    expect(list(AX_LIST_REDELIVERED, infos[0].order, infos), 2);
    expect(list(AX_LIST_REDELIVERED, infos[0].order + 1, infos), 1);
    ck_assert_mem_eq(&infos[0].id, &second, sizeof(second));
    expect(list(AX_LIST_REDELIVERED, last, infos), 1);
    expect(list(AX_LIST_REDELIVERED, last + 1, infos), 0);
    expect(list(AX_LIST_REDELIVERED, UINT64_MAX, infos), 0);
}
END_TEST

START_TEST(a_long_list_comes_in_pieces) {
    enum { COUNT = 2 * ENTRIES + 5 };
    struct ax_session_info infos[ENTRIES];
    make_sessions(1000, COUNT);
    uint64_t cursor = 1000, found = 0;
    ax_result count;
    while ((count = list(AX_LIST_LIVE, cursor, infos)) > 0) {
        for (ax_result i = 0; i < count; i++)
            ck_assert_uint_eq(infos[i].badge, 1000 + found++);
        cursor = infos[count - 1].badge + 1;
    }
    ck_assert_uint_eq(found, COUNT);
}
END_TEST

START_TEST(few_among_many_are_found_by_hints) {
    enum { COUNT = 600 };
    struct ax_session_info infos[ENTRIES];
    make_sessions(1000, COUNT);
    close_sessions(1000 + COUNT - 1, 1);
    uint64_t cursor = 0, hints = 0, found = 0;
    ax_result count;
    while ((count = list(AX_LIST_CLOSED, cursor, infos)) > 0) {
        const struct ax_session_info *last = &infos[count - 1];
        ck_assert(last->badge >= cursor);
        hints += last->is_hint;
        found += !last->is_hint;
        cursor = last->is_hint ? last->badge : last->badge + 1;
    }
    ck_assert_uint_eq(found, 1);
    ck_assert_uint_ge(hints, 2);
}
END_TEST

START_TEST(many_redelivered_calls_come_in_pieces) {
    enum { COUNT = 3 * ENTRIES + 10 };
    struct ax_session_info infos[ENTRIES];
    keep();
    struct process *crowd = driver_process();
    ax_handle theirs = driver_copy(world.client, world.session, crowd, AX_RIGHT_ALL);
    for (unsigned i = 0; i < COUNT; i++) {
        calls(driver_thread(crowd), theirs, i);
        takes(world.sam, world.endpoint, i);
    }
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    uint64_t cursor = 0, found = 0;
    ax_result count;
    while ((count = list(AX_LIST_REDELIVERED, cursor, infos)) > 0) {
        for (ax_result i = 0; i < count; i++) {
            ck_assert_uint_ge(infos[i].order, cursor);
            cursor = infos[i].order + 1;
        }
        /* What is received or ends meanwhile moves nothing. */
        takes(world.sam, world.endpoint, found);
        found += (uint64_t)count;
        for (uint64_t i = found - (uint64_t)count + 1; i < found; i++)
            takes(world.sam, world.endpoint, i);
    }
    ck_assert_uint_eq(found, COUNT);
}
END_TEST

START_TEST(listing_needs_the_right_and_a_known_kind) {
    ax_handle weak = weaken(world.sam, world.endpoint, AX_RIGHT_ALL & ~AX_RIGHT_SESSIONS);
    expect(kcall(world.sam, AX_CALL_ENDPOINT_LIST, weak, 0, 0), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_ENDPOINT_LIST, world.session, 0, 0), AX_ERR_TYPE);
    expect(kcall(world.sam, AX_CALL_ENDPOINT_LIST, 0, 0, 0), AX_ERR_HANDLE);
    expect(kcall(world.sam, AX_CALL_ENDPOINT_LIST, stale(world.sam), 0, 0), AX_ERR_HANDLE);
    expect(kcall(world.sam, AX_CALL_ENDPOINT_LIST, world.endpoint, 3, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.sam, AX_CALL_ENDPOINT_LIST, world.endpoint, UINT64_MAX, 0), AX_ERR_ARGUMENT);
}
END_TEST

/* ---- Bound events and new instances ---------------------------------------------------------- */

START_TEST(a_new_instance_gets_every_bound_event_once) {
    keep();
    struct thread *owner = new_thread(16); /* whose events outlive the server */
    ax_handle there = driver_copy(world.server, world.endpoint, owner->process, AX_RIGHT_ALL);
    ax_handle event = make(owner, AX_TYPE_EVENT);
    has_nothing(world.sam, world.endpoint);
    expect(kcall(owner, AX_CALL_ENDPOINT_BIND, there, event, 0xf, 100), AX_OK);
    expect(kcall(owner, AX_CALL_OBJECT_SIGNAL, event, 0, 1), AX_OK);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_event(world.sam, 100, 1);
    has_nothing(world.sue, world.endpoint); /* of the same instance */
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_event(world.sam, 100, 0);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

void endpoint_list_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "endpoint_list");
    tcase_add_test(tcase, live_sessions_are_listed_by_badge);
    tcase_add_test(tcase, closed_sessions_are_listed_until_retired);
    tcase_add_test(tcase, a_new_instance_is_told_all);
    tcase_add_test(tcase, a_long_list_comes_in_pieces);
    tcase_add_test(tcase, few_among_many_are_found_by_hints);
    tcase_add_test(tcase, many_redelivered_calls_come_in_pieces);
    tcase_add_test(tcase, listing_needs_the_right_and_a_known_kind);
    tcase_add_test(tcase, a_new_instance_gets_every_bound_event_once);
}
