/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"
#include "memory_world.h"

static ax_result create(uint64_t page_count, uint64_t flags, ax_place place) {
    return kcall(world.one, AX_CALL_MEMORY_CREATE, page_count, flags, place);
}

START_TEST(pages_come_at_first_touch) {
    usage_note();
    ax_handle handle = memory_new(world.one, 1000);
    ck_assert_uint_eq(world.account->used_bytes,
                      world.used_bytes + heap_charge(sizeof(struct memory)));
    struct ax_object_info info = info_of(world.one, handle);
    ck_assert_uint_eq(info.memory.page_count, 1000);
    ck_assert_uint_eq(info.memory.present_pages, 0);
    ck_assert_uint_eq(info.memory.physical, 0);
    must_close(world.one, handle);
    usage_check();
}
END_TEST

START_TEST(an_object_may_begin_empty) {
    ax_handle handle = memory_new(world.one, 0);
    ck_assert_uint_eq(info_of(world.one, handle).memory.page_count, 0);
}
END_TEST

START_TEST(sizes_have_a_limit) {
    usage_note();
    expect(create(MEMORY_PAGES_MAX + 1, 0, 0), AX_ERR_LIMIT);
    expect(create(UINT64_MAX, 0, 0), AX_ERR_LIMIT);
    usage_check();
    ck_assert_int_gt(create(MEMORY_PAGES_MAX, 0, 0), 0);
}
END_TEST

START_TEST(unknown_flags_are_refused) {
    expect(create(1, 2, 0), AX_ERR_ARGUMENT);
    expect(create(1, UINT64_C(1) << 32, 0), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(a_place_is_checked) {
    ax_handle taken = memory_new(world.one, 1);
    usage_note();
    expect(create(1, 0, AX_PLACE(0, taken & AX_HANDLE_INDEX_MASK)), AX_ERR_EXISTS);
    expect(create(1, 0, AX_PLACE(taken, 0)), AX_ERR_TYPE);
    usage_check();
    expect(create(1, 0, AX_PLACE(world.other_handle, 99)), 99);
    ck_assert_uint_eq(info_of(world.stranger, 99).memory.page_count, 1);
}
END_TEST

START_TEST(lack_of_memory_has_no_effect) {
    with_failing_allocations(world.one, AX_CALL_MEMORY_CREATE, (uint64_t[5]){10});
    with_failing_allocations(world.one, AX_CALL_MEMORY_CREATE,
                             (uint64_t[5]){70, AX_MEMORY_CONTIGUOUS});
}
END_TEST

START_TEST(contiguous_memory_is_there_at_once) {
    usage_note();
    ax_result handle = create(100, AX_MEMORY_CONTIGUOUS, 0);
    ck_assert_int_gt(handle, 0);
    struct ax_object_info info = info_of(world.one, (ax_handle)handle);
    ck_assert_uint_eq(info.memory.present_pages, 100);
    ck_assert_uint_ne(info.memory.physical, 0);
    const struct memory *memory = memory_of(world.one, (ax_handle)handle);
    for (uint64_t page = 0; page < 100; page++)
        ck_assert_uint_eq(frame_physical(memory_find(memory, page)),
                          info.memory.physical + page * PAGE);
    /* What the run had beyond it is not paid for. */
    uint64_t leaves = 2 * heap_charge(sizeof(struct memory_leaf));
    ck_assert_uint_eq(world.account->used_bytes,
                      world.used_bytes + 100 * PAGE + leaves + heap_charge(sizeof(struct memory)));
    must_close(world.one, (ax_handle)handle);
    usage_check();
}
END_TEST

START_TEST(contiguous_memory_is_zero) {
    ax_result soiled = create(64, AX_MEMORY_CONTIGUOUS, 0);
    ck_assert_int_gt(soiled, 0);
    uint64_t at = map_memory(world.one, (ax_handle)soiled, 64, RW, 0);
    poke_pages(world.one, at, 64, 1);
    unmap(world.one, at, 64);
    uint64_t physical = info_of(world.one, (ax_handle)soiled).memory.physical;
    must_close(world.one, (ax_handle)soiled);
    ax_result fresh = create(64, AX_MEMORY_CONTIGUOUS, 0);
    ck_assert_uint_eq(info_of(world.one, (ax_handle)fresh).memory.physical, physical);
    at = map_memory(world.one, (ax_handle)fresh, 64, RW, 0);
    for (uint64_t page = 0; page < 64; page++)
        ck_assert_uint_eq(peek(world.one, at + page * PAGE), 0);
}
END_TEST

START_TEST(contiguous_memory_has_its_limits) {
    usage_note();
    expect(create(0, AX_MEMORY_CONTIGUOUS, 0), AX_ERR_ARGUMENT);
    expect(create((1U << (FRAME_ORDERS - 1)) + 1, AX_MEMORY_CONTIGUOUS, 0), AX_ERR_LIMIT);
    expect(create(UINT64_MAX, AX_MEMORY_CONTIGUOUS, 0), AX_ERR_LIMIT);
    /* The account has 256 pages, the machine less than 1024 in a row. */
    expect(create(256, AX_MEMORY_CONTIGUOUS, 0), AX_ERR_LIMIT);
    world.account->limit_bytes += 1024 * PAGE;
    expect(create(1024, AX_MEMORY_CONTIGUOUS, 0), AX_ERR_MEMORY);
    world.account->limit_bytes -= 1024 * PAGE;
    usage_check();
}
END_TEST

TCase *memory_create_tests(void) {
    TCase *tcase = world_case("memory_create");
    tcase_add_test(tcase, pages_come_at_first_touch);
    tcase_add_test(tcase, an_object_may_begin_empty);
    tcase_add_test(tcase, sizes_have_a_limit);
    tcase_add_test(tcase, unknown_flags_are_refused);
    tcase_add_test(tcase, a_place_is_checked);
    tcase_add_test(tcase, lack_of_memory_has_no_effect);
    tcase_add_test(tcase, contiguous_memory_is_there_at_once);
    tcase_add_test(tcase, contiguous_memory_is_zero);
    tcase_add_test(tcase, contiguous_memory_has_its_limits);
    return tcase;
}
