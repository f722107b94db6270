/* SPDX-License-Identifier: MIT */
#include "object_world.h"

static ax_result transfer(struct thread *thread, ax_handle source, uint64_t handle, ax_place place,
                          uint64_t rights, uint64_t flags) {
    return kcall(thread, AX_CALL_HANDLE_TRANSFER, source, handle, place, rights, flags);
}

static uint32_t rights_of(struct process *process, ax_handle handle) {
    struct object *object;
    uint32_t rights = 0;
    expect(handle_lookup_rights(process, handle, AX_TYPE_NONE, 0, &object, &rights), AX_OK);
    return rights;
}

START_TEST(copies_with_at_most_the_rights_asked_for) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_result copy = transfer(world.one, 0, event, 0, AX_RIGHT_WAIT | AX_RIGHT_COPY, 0);
    ck_assert_int_gt(copy, 0);
    ck_assert_uint_eq(rights_of(world.process, (ax_handle)copy), AX_RIGHT_WAIT | AX_RIGHT_COPY);
    ck_assert_uint_eq(rights_of(world.process, event), AX_RIGHT_ALL);
    ck_assert_uint_eq(info_of(world.one, event).handle_count, 2);
}
END_TEST

START_TEST(rights_never_grow) {
    ax_handle weak =
        weaken(world.one, make(world.one, AX_TYPE_EVENT), AX_RIGHT_COPY | AX_RIGHT_SIGNAL);
    ax_result copy = transfer(world.one, 0, weak, 0, AX_RIGHT_ALL, 0);
    ck_assert_uint_eq(rights_of(world.process, (ax_handle)copy), AX_RIGHT_COPY | AX_RIGHT_SIGNAL);
}
END_TEST

START_TEST(copying_needs_the_right_to_copy) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_COPY);
    expect(transfer(world.one, 0, weak, 0, AX_RIGHT_ALL, 0), AX_ERR_RIGHTS);
    ck_assert_int_gt(transfer(world.one, 0, weak, 0, AX_RIGHT_ALL, AX_TRANSFER_MOVE), 0);
}
END_TEST

START_TEST(moving_needs_the_right_to_move) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_MOVE);
    expect(transfer(world.one, 0, weak, 0, AX_RIGHT_ALL, AX_TRANSFER_MOVE), AX_ERR_RIGHTS);
    ck_assert_int_gt(transfer(world.one, 0, weak, 0, AX_RIGHT_ALL, 0), 0);
}
END_TEST

START_TEST(a_moved_handle_leaves_its_source) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_result moved = transfer(world.one, 0, event, AX_PLACE(world.other_handle, 0), AX_RIGHT_ALL,
                               AX_TRANSFER_MOVE);
    ck_assert_int_gt(moved, 0);
    expect(kcall(world.one, AX_CALL_OBJECT_INFO, event), AX_ERR_HANDLE);
    ck_assert_uint_eq(info_of(world.stranger, (ax_handle)moved).handle_count, 1);
}
END_TEST

START_TEST(moves_within_one_table_to_a_named_slot) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(transfer(world.one, 0, event, AX_PLACE(0, 300), AX_RIGHT_ALL, AX_TRANSFER_MOVE), 300);
    ck_assert_uint_eq(info_of(world.one, 300).handle_count, 1);
    expect(kcall(world.one, AX_CALL_OBJECT_INFO, event), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_handle_does_not_move_onto_itself) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    uint32_t slot = event & AX_HANDLE_INDEX_MASK;
    expect(transfer(world.one, 0, event, AX_PLACE(0, slot), AX_RIGHT_ALL, AX_TRANSFER_MOVE),
           AX_ERR_EXISTS);
    ck_assert_uint_eq(info_of(world.one, event).handle_count, 1);
}
END_TEST

START_TEST(a_taken_slot_is_recognised) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_place place = AX_PLACE(world.other_handle, 12);
    expect(transfer(world.one, 0, event, place, AX_RIGHT_ALL, 0), 12);
    expect(transfer(world.one, 0, event, place, AX_RIGHT_ALL, 0), AX_ERR_EXISTS);
    expect(transfer(world.one, 0, event, place, AX_RIGHT_ALL, AX_TRANSFER_MOVE), AX_ERR_EXISTS);
    ck_assert_uint_eq(info_of(world.one, event).handle_count, 2);
}
END_TEST

START_TEST(takes_a_handle_out_of_another_processs_table) {
    ax_handle event = make(world.stranger, AX_TYPE_EVENT);
    ax_result taken =
        transfer(world.one, world.other_handle, event, 0, AX_RIGHT_ALL, AX_TRANSFER_MOVE);
    ck_assert_int_gt(taken, 0);
    expect(kcall(world.stranger, AX_CALL_OBJECT_INFO, event), AX_ERR_HANDLE);
    ck_assert_uint_eq(info_of(world.one, (ax_handle)taken).type, AX_TYPE_EVENT);
}
END_TEST

START_TEST(works_on_a_process_without_threads) {
    struct process *stash = driver_process();
    ax_handle handle = driver_handle(world.process, &stash->object, AX_RIGHT_HANDLES);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(transfer(world.one, 0, event, AX_PLACE(handle, 40000), AX_RIGHT_ALL, AX_TRANSFER_MOVE),
           40000);
    ax_result back = transfer(world.one, handle, 40000, 0, AX_RIGHT_ALL, AX_TRANSFER_MOVE);
    ck_assert_int_gt(back, 0);
    ck_assert_uint_eq(info_of(world.one, (ax_handle)back).handle_count, 1);
}
END_TEST

START_TEST(the_source_needs_the_right_to_its_handles) {
    ax_handle event = make(world.stranger, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    expect(transfer(world.one, weak, event, 0, AX_RIGHT_ALL, 0), AX_ERR_RIGHTS);
    expect(transfer(world.one, make(world.one, AX_TYPE_EVENT), event, 0, AX_RIGHT_ALL, 0),
           AX_ERR_TYPE);
    expect(transfer(world.one, stale(world.one), event, 0, AX_RIGHT_ALL, 0), AX_ERR_HANDLE);
}
END_TEST

START_TEST(the_place_needs_the_right_to_its_handles) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    expect(transfer(world.one, 0, event, AX_PLACE(weak, 0), AX_RIGHT_ALL, AX_TRANSFER_MOVE),
           AX_ERR_RIGHTS);
    ck_assert_uint_eq(info_of(world.one, event).handle_count, 1);
}
END_TEST

START_TEST(a_slot_is_taken_whatever_its_generation) {
    stale(world.one);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ck_assert_uint_ne(event >> AX_HANDLE_INDEX_BITS, 0);
    uint32_t slot = event & AX_HANDLE_INDEX_MASK;
    expect(transfer(world.one, 0, slot, 0, AX_RIGHT_ALL, 0), AX_ERR_HANDLE);
    ck_assert_int_gt(transfer(world.one, 0, slot, 0, AX_RIGHT_ALL, AX_TRANSFER_SLOT), 0);
}
END_TEST

START_TEST(an_empty_slot_is_not_found) {
    expect(transfer(world.one, 0, 0, 0, AX_RIGHT_ALL, AX_TRANSFER_SLOT), AX_ERR_NOT_FOUND);
    expect(transfer(world.one, 0, 200, 0, AX_RIGHT_ALL, AX_TRANSFER_SLOT), AX_ERR_NOT_FOUND);
    expect(transfer(world.one, 0, 70000, 0, AX_RIGHT_ALL, AX_TRANSFER_SLOT), AX_ERR_NOT_FOUND);
    expect(transfer(world.one, 0, 1ULL << 40, 0, AX_RIGHT_ALL, AX_TRANSFER_SLOT), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(unknown_flags_and_rights_are_refused) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(transfer(world.one, 0, event, 0, AX_RIGHT_ALL, 8), AX_ERR_ARGUMENT);
    expect(transfer(world.one, 0, event, 0, AX_RIGHT_ALL, 1ULL << 32), AX_ERR_ARGUMENT);
    expect(transfer(world.one, 0, event, 0, AX_HANDLE_NOT_CLONED, 0), AX_ERR_ARGUMENT);
    expect(transfer(world.one, 0, event, 0, UINT64_MAX, 0), AX_ERR_ARGUMENT);
    expect(transfer(world.one, 0, stale(world.one), 0, AX_RIGHT_ALL, 0), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_copy_can_be_marked_not_cloned) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_result copy = transfer(world.one, 0, event, 0, AX_RIGHT_WAIT, AX_TRANSFER_NOT_CLONED);
    ck_assert_uint_eq(rights_of(world.process, (ax_handle)copy),
                      AX_RIGHT_WAIT | AX_HANDLE_NOT_CLONED);
}
END_TEST

START_TEST(an_ended_process_gives_and_takes_nothing) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle theirs = make(world.stranger, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED, 0), AX_OK);
    expect(transfer(world.one, world.other_handle, theirs, 0, AX_RIGHT_ALL, 0), AX_ERR_ENDED);
    expect(transfer(world.one, 0, event, AX_PLACE(world.other_handle, 0), AX_RIGHT_ALL,
                    AX_TRANSFER_MOVE),
           AX_ERR_ENDED);
    ck_assert_uint_eq(info_of(world.one, event).handle_count, 1);
}
END_TEST

START_TEST(fails_cleanly_when_an_allocation_fails) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    with_failing_allocations(world.one, AX_CALL_HANDLE_TRANSFER,
                             (uint64_t[5]){0, event, AX_PLACE_ANY, AX_RIGHT_ALL, 0});
}
END_TEST

START_TEST(a_move_that_fails_for_memory_moves_nothing) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    for (uint64_t n = 1; n <= 2; n++) {
        driver_fail_after(n);
        expect(transfer(world.one, 0, event, AX_PLACE(world.other_handle, 100000), AX_RIGHT_ALL,
                        AX_TRANSFER_MOVE),
               AX_ERR_MEMORY);
        ck_assert(driver_has_failed());
        ck_assert_uint_eq(info_of(world.one, event).handle_count, 1);
    }
    expect(transfer(world.one, 0, event, AX_PLACE(world.other_handle, 100000), AX_RIGHT_ALL,
                    AX_TRANSFER_MOVE),
           100000);
}
END_TEST

TCase *handle_transfer_tests(void) {
    TCase *tcase = world_case("handle_transfer");
    tcase_add_test(tcase, copies_with_at_most_the_rights_asked_for);
    tcase_add_test(tcase, rights_never_grow);
    tcase_add_test(tcase, copying_needs_the_right_to_copy);
    tcase_add_test(tcase, moving_needs_the_right_to_move);
    tcase_add_test(tcase, a_moved_handle_leaves_its_source);
    tcase_add_test(tcase, moves_within_one_table_to_a_named_slot);
    tcase_add_test(tcase, a_handle_does_not_move_onto_itself);
    tcase_add_test(tcase, a_taken_slot_is_recognised);
    tcase_add_test(tcase, takes_a_handle_out_of_another_processs_table);
    tcase_add_test(tcase, works_on_a_process_without_threads);
    tcase_add_test(tcase, the_source_needs_the_right_to_its_handles);
    tcase_add_test(tcase, the_place_needs_the_right_to_its_handles);
    tcase_add_test(tcase, a_slot_is_taken_whatever_its_generation);
    tcase_add_test(tcase, an_empty_slot_is_not_found);
    tcase_add_test(tcase, unknown_flags_and_rights_are_refused);
    tcase_add_test(tcase, a_copy_can_be_marked_not_cloned);
    tcase_add_test(tcase, an_ended_process_gives_and_takes_nothing);
    tcase_add_test(tcase, fails_cleanly_when_an_allocation_fails);
    tcase_add_test(tcase, a_move_that_fails_for_memory_moves_nothing);
    return tcase;
}
