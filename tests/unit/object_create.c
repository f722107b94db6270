/* SPDX-License-Identifier: MIT */
#include "object_world.h"

static const enum ax_type types[] = {AX_TYPE_EVENT, AX_TYPE_ENDPOINT, AX_TYPE_TIMER, AX_TYPE_QUEUE};
#define TYPES ((int)(sizeof(types) / sizeof(types[0])))

START_TEST(makes_an_object_with_all_rights) {
    ax_handle handle = make(world.one, types[_i]);
    struct ax_object_info info = info_of(world.one, handle);
    ck_assert_uint_eq(info.type, types[_i]);
    ck_assert_uint_eq(info.signals, 0);
    ck_assert_uint_eq(info.handle_count, 1);
    ck_assert_uint_ne(info.object_id, 0);
    struct object *object;
    uint32_t rights;
    expect(handle_lookup_rights(world.process, handle, AX_TYPE_NONE, 0, &object, &rights), AX_OK);
    ck_assert_uint_eq(rights, AX_RIGHT_ALL);
}
END_TEST

START_TEST(ids_are_never_used_again) {
    ax_handle first = make(world.one, types[_i]);
    uint64_t id = info_of(world.one, first).object_id;
    must_close(world.one, first);
    ax_handle second = make(world.one, types[_i]);
    ck_assert_uint_gt(info_of(world.one, second).object_id, id);
}
END_TEST

START_TEST(is_paid_for_until_it_is_closed) {
    must_close(world.one, make(world.one, types[_i])); /* the table has its leaf */
    usage_note();
    ax_handle handle = make(world.one, types[_i]);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    ck_assert_uint_gt(world.account->used_bytes, world.used_bytes);
    must_close(world.one, handle);
    usage_check();
}
END_TEST

START_TEST(fails_cleanly_when_an_allocation_fails) {
    with_failing_allocations(world.one, AX_CALL_OBJECT_CREATE, (uint64_t[5]){types[_i]});
}
END_TEST

START_TEST(fails_at_the_accounts_limit) {
    make(world.one, types[_i]);
    uint64_t limit = world.account->limit_objects;
    world.account->limit_objects = world.account->used_objects;
    usage_note();
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, types[_i]), AX_ERR_LIMIT);
    usage_check();
    world.account->limit_objects = limit;
    make(world.one, types[_i]);
}
END_TEST

START_TEST(other_types_are_refused) {
    for (uint64_t type = 0; type <= AX_TYPE_COUNT; type++) {
        if (type == AX_TYPE_EVENT || type == AX_TYPE_ENDPOINT || type == AX_TYPE_TIMER ||
            type == AX_TYPE_QUEUE)
            continue;
        expect(kcall(world.one, AX_CALL_OBJECT_CREATE, type), AX_ERR_ARGUMENT);
    }
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, (1ULL << 32) + AX_TYPE_EVENT), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(an_event_begins_with_the_signals_asked_for) {
    ax_result event = kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, AX_SIGNAL_SERVED);
    ck_assert_uint_eq(info_of(world.one, (ax_handle)event).signals, AX_SIGNAL_SERVED);
}
END_TEST

START_TEST(an_event_does_not_begin_with_the_kernels_signals) {
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, AX_SIGNAL_ENDED),
           AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 1ULL << 32), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(only_events_take_an_argument) {
    for (int i = 1; i < TYPES; i++)
        expect(kcall(world.one, AX_CALL_OBJECT_CREATE, types[i], 1), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(goes_to_a_named_slot_once) {
    uint64_t place = AX_PLACE(AX_HANDLE_NONE, 77);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, place), 77);
    usage_note();
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, place), AX_ERR_EXISTS);
    usage_check();
}
END_TEST

START_TEST(goes_to_another_processs_table) {
    uint64_t place = AX_PLACE(world.other_handle, 9);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, place), 9);
    ck_assert_uint_eq(info_of(world.stranger, 9).type, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_OBJECT_INFO, 9), AX_ERR_HANDLE);
}
END_TEST

START_TEST(its_maker_pays_wherever_it_goes) {
    expect(
        kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(world.other_handle, 9)),
        9);
    usage_note();
    uint64_t other_objects = world.other_account->used_objects;
    expect(
        kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(world.other_handle, 10)),
        10);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    ck_assert_uint_eq(world.other_account->used_objects, other_objects);
    must_close(world.stranger, 10);
    usage_check();
}
END_TEST

START_TEST(a_place_needs_the_right_to_it) {
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(weak, 9)),
           AX_ERR_RIGHTS);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(event, 9)),
           AX_ERR_TYPE);
    must_close(world.one, event);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(event, 9)),
           AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_slot_beyond_the_table_is_refused) {
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0,
                 AX_PLACE(0, AX_HANDLE_INDEX_MASK + 1)),
           AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(0, UINT32_MAX)),
           AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0,
                 AX_PLACE(0, AX_HANDLE_INDEX_MASK)),
           AX_HANDLE_INDEX_MASK);
}
END_TEST

START_TEST(nothing_goes_to_an_ended_process) {
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED, 0), AX_OK);
    usage_note();
    expect(
        kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(world.other_handle, 0)),
        AX_ERR_ENDED);
    expect(
        kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(world.other_handle, 9)),
        AX_ERR_ENDED);
    usage_check();
}
END_TEST

TCase *object_create_tests(void) {
    TCase *tcase = world_case("object_create");
    tcase_add_loop_test(tcase, makes_an_object_with_all_rights, 0, TYPES);
    tcase_add_loop_test(tcase, ids_are_never_used_again, 0, TYPES);
    tcase_add_loop_test(tcase, is_paid_for_until_it_is_closed, 0, TYPES);
    tcase_add_loop_test(tcase, fails_cleanly_when_an_allocation_fails, 0, TYPES);
    tcase_add_loop_test(tcase, fails_at_the_accounts_limit, 0, TYPES);
    tcase_add_test(tcase, other_types_are_refused);
    tcase_add_test(tcase, an_event_begins_with_the_signals_asked_for);
    tcase_add_test(tcase, an_event_does_not_begin_with_the_kernels_signals);
    tcase_add_test(tcase, only_events_take_an_argument);
    tcase_add_test(tcase, goes_to_a_named_slot_once);
    tcase_add_test(tcase, goes_to_another_processs_table);
    tcase_add_test(tcase, its_maker_pays_wherever_it_goes);
    tcase_add_test(tcase, a_place_needs_the_right_to_it);
    tcase_add_test(tcase, a_slot_beyond_the_table_is_refused);
    tcase_add_test(tcase, nothing_goes_to_an_ended_process);
    return tcase;
}
