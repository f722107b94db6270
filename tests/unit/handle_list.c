/* SPDX-License-Identifier: MIT */
#include "object_world.h"

static ax_handle put(struct object *object, uint32_t slot) {
    struct place place = {.process = world.other, .slot = slot};
    struct thread *thread = world.stranger;
    kernel_lock();
    expect(place_decode(thread, AX_PLACE(0, slot), &place), AX_OK);
    ax_handle handle = place_put(&place, object, AX_RIGHT_WAIT);
    kernel_unlock();
    return handle;
}

/* All handles, by as many calls as it takes. */
static unsigned list_all(struct thread *thread, ax_handle process, struct ax_handle_info *all,
                         unsigned max) {
    struct ax_handle_info some[AX_BUFFER_BYTES / sizeof(struct ax_handle_info)];
    unsigned found = 0;
    uint64_t slot = 0;
    for (;;) {
        ax_result count = kcall(thread, AX_CALL_HANDLE_LIST, process, slot);
        ck_assert_int_ge(count, 0);
        if (count == 0)
            return found;
        copy_buffer(thread, some, sizeof(some));
        for (ax_result i = 0; i < count; i++) {
            if (some[i].type == AX_TYPE_NONE)
                continue;
            ck_assert_uint_lt(found, max);
            all[found++] = some[i];
        }
        ck_assert_uint_ge(some[count - 1].slot, slot);
        slot = some[count - 1].slot + 1ULL;
    }
}

START_TEST(an_empty_table_has_no_handles) {
    expect(kcall(world.stranger, AX_CALL_HANDLE_LIST, 0, 0), 0);
}
END_TEST

START_TEST(tells_all_of_a_handle) {
    stale(world.stranger);
    ax_handle event = make(world.stranger, AX_TYPE_EVENT);
    ax_result copy = kcall(world.stranger, AX_CALL_HANDLE_TRANSFER, 0, event, 0,
                           AX_RIGHT_WAIT | AX_RIGHT_SIGNAL, AX_TRANSFER_NOT_CLONED);
    uint64_t id = info_of(world.stranger, event).object_id;
    struct ax_handle_info all[4];
    ck_assert_uint_eq(list_all(world.stranger, 0, all, 4), 2);
    ck_assert_uint_eq(all[0].handle, event);
    ck_assert_uint_eq(all[0].type, AX_TYPE_EVENT);
    ck_assert_uint_eq(all[0].rights, AX_RIGHT_ALL);
    ck_assert_uint_eq(all[0].slot, event & AX_HANDLE_INDEX_MASK);
    ck_assert_uint_eq(all[0].object_id, id);
    ck_assert_uint_eq(all[1].handle, (ax_handle)copy);
    ck_assert_uint_eq(all[1].rights, AX_RIGHT_WAIT | AX_RIGHT_SIGNAL | AX_HANDLE_NOT_CLONED);
}
END_TEST

START_TEST(finds_all_of_a_sparse_table) {
    struct object *object = driver_object(world.process, make(world.one, AX_TYPE_EVENT));
    static const uint32_t slots[] = {1, 255, 256, 511, 512, 3000, 70001, AX_HANDLE_INDEX_MASK};
    enum { COUNT = sizeof(slots) / sizeof(slots[0]) };
    for (unsigned i = COUNT; i-- > 0;)
        put(object, slots[i]);
    struct ax_handle_info all[COUNT];
    ck_assert_uint_eq(list_all(world.one, world.other_handle, all, COUNT), COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(all[i].slot, slots[i]);
}
END_TEST

START_TEST(finds_all_of_a_full_table) {
    struct object *object = driver_object(world.process, make(world.one, AX_TYPE_EVENT));
    enum { COUNT = 1100 };
    for (unsigned i = 0; i < COUNT; i++)
        driver_handle(world.other, object, 0);
    struct ax_handle_info all[COUNT];
    ck_assert_uint_eq(list_all(world.one, world.other_handle, all, COUNT), COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(all[i].slot, i + 1);
}
END_TEST

START_TEST(one_call_looks_at_a_bounded_number_of_slots) {
    struct object *object = driver_object(world.process, make(world.one, AX_TYPE_EVENT));
    for (unsigned i = 0; i < 6; i++) /* leaves that have a handle, near their ends */
        put(object, (i + 1) * SLOTS_PER_LEAF - 1);
    ax_result count = kcall(world.one, AX_CALL_HANDLE_LIST, world.other_handle, 0);
    ck_assert_int_le(count, 3);
    struct ax_handle_info some[3];
    copy_buffer(world.one, some, sizeof(some));
    ck_assert_uint_eq(some[count - 1].type, AX_TYPE_NONE);
    ck_assert_uint_eq(some[count - 1].handle, AX_HANDLE_NONE);
    struct ax_handle_info all[6];
    ck_assert_uint_eq(list_all(world.one, world.other_handle, all, 6), 6);
}
END_TEST

START_TEST(begins_where_it_is_told) {
    struct object *object = driver_object(world.process, make(world.one, AX_TYPE_EVENT));
    for (unsigned i = 0; i < 5; i++)
        driver_handle(world.other, object, 0);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, world.other_handle, 4), 2);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, world.other_handle, 6), 0);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, world.other_handle, 1ULL << 32), 0);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, world.other_handle, UINT64_MAX), 0);
}
END_TEST

START_TEST(needs_the_right_to_the_handles) {
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, weak, 0), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, make(world.one, AX_TYPE_EVENT), 0), AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, stale(world.one), 0), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST,
                 weaken(world.one, world.other_handle, AX_RIGHT_HANDLES), 0),
           0);
}
END_TEST

START_TEST(a_corpse_has_no_handles) {
    make(world.stranger, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED, 0), AX_OK);
    expect(kcall(world.one, AX_CALL_HANDLE_LIST, world.other_handle, 0), 0);
}
END_TEST

TCase *handle_list_tests(void) {
    TCase *tcase = world_case("handle_list");
    tcase_add_test(tcase, an_empty_table_has_no_handles);
    tcase_add_test(tcase, tells_all_of_a_handle);
    tcase_add_test(tcase, finds_all_of_a_sparse_table);
    tcase_add_test(tcase, finds_all_of_a_full_table);
    tcase_add_test(tcase, one_call_looks_at_a_bounded_number_of_slots);
    tcase_add_test(tcase, begins_where_it_is_told);
    tcase_add_test(tcase, needs_the_right_to_the_handles);
    tcase_add_test(tcase, a_corpse_has_no_handles);
    return tcase;
}
