/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"
#include "memory_world.h"

static ax_result resize(ax_handle handle, uint64_t page_count) {
    return kcall(world.one, AX_CALL_MEMORY_RESIZE, handle, page_count);
}

START_TEST(grows_and_shrinks) {
    ax_handle handle = memory_new(world.one, 0);
    expect(resize(handle, 100), AX_OK);
    ck_assert_uint_eq(info_of(world.one, handle).memory.page_count, 100);
    uint64_t at = map_memory(world.one, handle, 100, RW, 0);
    usage_note();
    poke_pages(world.one, at + 10 * PAGE, 90, 1);
    ck_assert_uint_eq(info_of(world.one, handle).memory.present_pages, 90);
    expect(resize(handle, 20), AX_OK);
    ck_assert_uint_eq(info_of(world.one, handle).memory.present_pages, 10);
    ck_assert_uint_eq(peek(world.one, at + 19 * PAGE), 10);
    expect(resize(handle, 0), AX_OK);
    ck_assert_uint_eq(info_of(world.one, handle).memory.present_pages, 0);
}
END_TEST

START_TEST(pages_cut_off_are_beyond_the_end) {
    spread();
    ax_handle handle = memory_new(world.one, 4);
    uint64_t at = map_memory(world.one, handle, 6, RW, 0);
    poke_pages(world.one, at, 4, 1);
    poke_pages(world.two, at, 4, 1);
    ck_assert_uint_eq(fault_of(world.one, at + 4 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
    expect(resize(handle, 2), AX_OK);
    ck_assert_uint_eq(fault_of(world.two, at + 2 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
    ck_assert_uint_eq(fault_of(world.one, at + 3 * PAGE, AX_PROT_WRITE), AX_FAULT_BEYOND);
    ck_assert_uint_eq(fault_of(world.one, at + PAGE, AX_PROT_WRITE), AX_FAULT_NONE);
}
END_TEST

START_TEST(pages_that_grow_again_are_zero) {
    ax_handle handle = memory_new(world.one, 4);
    uint64_t shared = map_memory(world.one, handle, 4, RW, 0);
    uint64_t private = map_memory(world.one, handle, 4, RW, AX_MAP_PRIVATE);
    poke_pages(world.one, shared, 4, 1);
    poke_pages(world.one, private, 4, 11);
    expect(resize(handle, 1), AX_OK);
    expect(resize(handle, 4), AX_OK);
    for (uint64_t page = 1; page < 4; page++) {
        ck_assert_uint_eq(peek(world.one, shared + page * PAGE), 0);
        ck_assert_uint_eq(peek(world.one, private + page * PAGE), 0);
    }
    ck_assert_uint_eq(peek(world.one, shared), 1);
    ck_assert_uint_eq(peek(world.one, private), 11);
}
END_TEST

START_TEST(every_mapping_of_every_process_shrinks) {
    ax_handle handle = memory_new(world.one, 8);
    ax_handle theirs = driver_copy(world.process, handle, world.other, AX_RIGHT_ALL);
    uint64_t here = map_memory(world.one, handle, 8, RW, 0);
    uint64_t there = map_memory(world.stranger, theirs, 8, RW, 0);
    uint64_t part = map_memory(world.stranger, theirs, 2, RW, 0);
    poke_pages(world.stranger, there, 8, 1);
    ck_assert_uint_eq(peek(world.one, here + 7 * PAGE), 8);
    ck_assert_uint_eq(peek(world.stranger, part + PAGE), 2);
    expect(resize(handle, 3), AX_OK);
    ck_assert_uint_eq(fault_of(world.one, here + 7 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
    ck_assert_uint_eq(fault_of(world.stranger, there + 3 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
    ck_assert_uint_eq(peek(world.stranger, part + PAGE), 2);
}
END_TEST

START_TEST(shrinking_is_cut_into_portions) {
    ax_handle handle = memory_new(world.one, 200);
    uint64_t at[70];
    for (unsigned i = 0; i < 70; i++)
        at[i] = map_memory(world.one, handle, 200, RW, i % 2 == 0 ? 0 : AX_MAP_PRIVATE);
    poke_pages(world.one, at[0], 100, 1);
    poke_pages(world.one, at[1], 100, 1);
    uint64_t restarts = kernel->counters.restarts;
    expect(resize(handle, 0), AX_OK);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 3);
    ck_assert_uint_eq(info_of(world.one, handle).memory.present_pages, 0);
    ck_assert_uint_eq(fault_of(world.one, at[69], AX_PROT_READ), AX_FAULT_BEYOND);
}
END_TEST

/* One portion of a resize, as if the thread died after it. */
static void resize_portion(ax_handle handle, uint64_t page_count) {
    uint64_t arguments[5] = {handle, page_count};
    kernel_lock();
    world.two->progress[0] = world.two->progress[1] = 0;
    expect(sys_memory_resize(world.two, arguments), RESULT_RESTART);
    kernel_unlock();
}

START_TEST(a_cut_that_was_begun_is_finished_by_the_next) {
    ax_handle handle = memory_new(world.one, 200);
    uint64_t at = map_memory(world.one, handle, 200, RW, 0);
    poke_pages(world.one, at, 200, 1);
    resize_portion(handle, 10);
    ck_assert_uint_gt(info_of(world.one, handle).memory.present_pages, 10);
    ck_assert_uint_eq(fault_of(world.one, at + 199 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
    expect(resize(handle, 200), AX_OK);
    ck_assert_uint_eq(info_of(world.one, handle).memory.present_pages, 10);
    ck_assert_uint_eq(peek(world.one, at + 199 * PAGE), 0);
    ck_assert_uint_eq(peek(world.one, at + 9 * PAGE), 10);
}
END_TEST

START_TEST(a_mapping_split_meanwhile_is_cut_as_well) {
    ax_handle handle = memory_new(world.one, 200);
    for (unsigned i = 0; i < 70; i++)
        map_memory(world.one, handle, 1, AX_PROT_READ, 0);
    uint64_t at = map_memory(world.one, handle, 200, RW, AX_MAP_PRIVATE);
    poke_pages(world.one, at, 5, 1);
    resize_portion(handle, 2);
    /* The cut has not come to the last region, whose pages 3 and 4 now are another's. */
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, at + 3 * PAGE, PAGE, AX_PROT_READ), AX_OK);
    expect(resize(handle, 200), AX_OK);
    ck_assert_uint_eq(peek(world.one, at + PAGE), 2);
    ck_assert_uint_eq(peek(world.one, at + 2 * PAGE), 0);
    ck_assert_uint_eq(peek(world.one, at + 3 * PAGE), 0);
    ck_assert_uint_eq(peek(world.one, at + 4 * PAGE), 0);
}
END_TEST

START_TEST(a_mapping_that_could_be_joined_meanwhile_is_cut_as_well) {
    ax_handle handle = memory_new(world.one, 200);
    map_memory(world.one, handle, 1, AX_PROT_READ, 0);
    uint64_t at = map_memory(world.one, handle, 2, AX_PROT_READ, 0);
    for (unsigned i = 0; i < 70; i++)
        map_memory(world.one, handle, 1, AX_PROT_READ, 0);
    unmap(world.one, at + 2 * PAGE, 2); /* room beside the first */
    struct ax_map_request request = {.address = at + 2 * PAGE,
                                     .size_bytes = 2 * PAGE,
                                     .offset = 2 * PAGE,
                                     .prot = RW,
                                     .flags = AX_MAP_FIXED};
    expect(map_with(world.one, 0, handle, request), (ax_result)request.address);
    poke_pages(world.one, request.address, 2, 1);
    resize_portion(handle, 1);
    /* The cut has come to the first mapping, but not to its continuation. */
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, request.address, 2 * PAGE, AX_PROT_READ),
           AX_OK);
    expect(resize(handle, 1), AX_OK);
    ck_assert_uint_eq(fault_of(world.one, request.address, AX_PROT_READ), AX_FAULT_BEYOND);
}
END_TEST

START_TEST(a_cut_ends_when_the_mappings_are_gone) {
    ax_handle handle = memory_new(world.one, 200);
    uint64_t at[70];
    for (unsigned i = 0; i < 70; i++)
        at[i] = map_memory(world.one, handle, 2, AX_PROT_READ, 0);
    resize_portion(handle, 1);
    for (unsigned i = 0; i < 70; i++)
        unmap(world.one, at[i], 2);
    expect(resize(handle, 5), AX_OK);
    ck_assert_uint_eq(info_of(world.one, handle).memory.page_count, 5);
}
END_TEST

START_TEST(memory_comes_back) {
    ax_handle handle = memory_new(world.one, 0);
    usage_note();
    expect(resize(handle, 300), AX_OK);
    uint64_t at = map_memory(world.one, handle, 300, RW, 0);
    poke_pages(world.one, at, 150, 1);
    unmap(world.one, at, 300);
    ck_assert_uint_gt(world.account->used_bytes, world.used_bytes + 150 * PAGE);
    expect(resize(handle, 0), AX_OK);
    usage_check();
}
END_TEST

START_TEST(resizing_checks_its_handle_and_size) {
    ax_handle handle = memory_new(world.one, 1);
    expect(resize(0, 1), AX_ERR_HANDLE);
    expect(resize(stale(world.one), 1), AX_ERR_HANDLE);
    expect(resize(world.other_handle, 1), AX_ERR_TYPE);
    expect(resize(weaken(world.one, handle, AX_RIGHT_ALL & ~AX_RIGHT_RESIZE), 1), AX_ERR_RIGHTS);
    expect(resize(handle, MEMORY_PAGES_MAX + 1), AX_ERR_LIMIT);
    expect(resize(handle, MEMORY_PAGES_MAX), AX_OK);
}
END_TEST

START_TEST(contiguous_and_device_memory_keep_their_size) {
    ax_result contiguous = kcall(world.one, AX_CALL_MEMORY_CREATE, 2, AX_MEMORY_CONTIGUOUS);
    expect(resize((ax_handle)contiguous, 1), AX_ERR_STATE);
    ax_handle registers = registers_new(2);
    expect(resize(registers, 1), AX_ERR_RIGHTS);
    ax_handle strong =
        driver_handle(world.process, driver_object(world.process, registers), AX_RIGHT_ALL);
    expect(resize(strong, 1), AX_ERR_STATE);
}
END_TEST

TCase *memory_resize_tests(void) {
    TCase *tcase = world_case("memory_resize");
    tcase_add_test(tcase, grows_and_shrinks);
    tcase_add_test(tcase, pages_cut_off_are_beyond_the_end);
    tcase_add_test(tcase, pages_that_grow_again_are_zero);
    tcase_add_test(tcase, every_mapping_of_every_process_shrinks);
    tcase_add_test(tcase, shrinking_is_cut_into_portions);
    tcase_add_test(tcase, a_cut_that_was_begun_is_finished_by_the_next);
    tcase_add_test(tcase, a_mapping_split_meanwhile_is_cut_as_well);
    tcase_add_test(tcase, a_mapping_that_could_be_joined_meanwhile_is_cut_as_well);
    tcase_add_test(tcase, a_cut_ends_when_the_mappings_are_gone);
    tcase_add_test(tcase, memory_comes_back);
    tcase_add_test(tcase, resizing_checks_its_handle_and_size);
    tcase_add_test(tcase, contiguous_and_device_memory_keep_their_size);
    return tcase;
}
