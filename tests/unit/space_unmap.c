/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"
#include "memory_world.h"

static ax_result try_unmap(ax_handle process, uint64_t address, uint64_t size_bytes) {
    return kcall(world.one, AX_CALL_MEMORY_UNMAP, process, address, size_bytes);
}

static ax_result list(ax_handle process, uint64_t address) {
    return kcall(world.one, AX_CALL_MEMORY_LIST, process, address);
}

START_TEST(what_is_unmapped_is_gone_and_comes_back) {
    usage_note();
    uint64_t tables = world.process->space.table_pages;
    uint64_t at = map_pages(world.one, 100, RW);
    poke_pages(world.one, at, 100, 1);
    unmap(world.one, at, 100);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_READ), AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(world.process->space.table_pages, tables + 1); /* for what comes there next */
    usage_check();
}
END_TEST

START_TEST(no_cpu_sees_an_unmapped_page) {
    spread();
    uint64_t at = map_pages(world.one, 1, RW);
    poke(world.one, at, 1);
    ck_assert_uint_eq(peek(world.two, at), 1);
    unmap(world.one, at, 1);
    ck_assert_uint_eq(fault_of(world.two, at, AX_PROT_READ), AX_FAULT_UNMAPPED);
}
END_TEST

/* Writes 1 to 8 to eight pages, unmaps some, and tells what is left as eight digits: 0: unmapped.
 */
static uint64_t left_of(uint64_t first, uint64_t page_count) {
    uint64_t at = map_pages(world.one, 8, RW), digits = 0;
    poke_pages(world.one, at, 8, 1);
    unmap(world.one, at + first * PAGE, page_count);
    for (uint64_t page = 0; page < 8; page++) {
        bool is_there = space_find(world.process, at + page * PAGE) != NULL;
        digits = digits * 10 + (is_there ? peek(world.one, at + page * PAGE) : 0);
    }
    unmap(world.one, at, 8);
    return digits;
}

START_TEST(a_part_can_be_unmapped) {
    usage_note();
    ck_assert_uint_eq(left_of(0, 3), 45678);
    ck_assert_uint_eq(left_of(5, 3), 12345000);
    ck_assert_uint_eq(left_of(2, 2), 12005678);
    ck_assert_uint_eq(left_of(0, 8), 0);
    usage_check();
}
END_TEST

START_TEST(private_pages_of_the_unmapped_part_come_back) {
    uint64_t at = map_pages(world.one, 100, RW);
    poke_pages(world.one, at, 100, 1);
    uint64_t used_bytes = world.account->used_bytes;
    unmap(world.one, at + 20 * PAGE, 10);
    driver_settle();
    ck_assert_uint_le(world.account->used_bytes,
                      used_bytes - 10 * PAGE + heap_charge(sizeof(struct region)));
    /* The upper part shares what holds its pages with the lower. */
    unmap(world.one, at + 30 * PAGE, 70);
    driver_settle();
    ck_assert_uint_le(world.account->used_bytes, used_bytes - 80 * PAGE);
    ck_assert_uint_eq(peek(world.one, at + 19 * PAGE), 20);
    uint64_t again = map_at(world.one, at + 20 * PAGE, 80, RW);
    ck_assert_uint_eq(peek(world.one, again + 30 * PAGE), 0);
}
END_TEST

START_TEST(a_range_may_span_regions_and_gaps) {
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    map_at(world.one, at, 2, RW);
    map_at(world.one, at + 3 * PAGE, 2, AX_PROT_READ);
    map_at(world.one, at + 5 * PAGE, 2, RW);
    size_t count = world.process->space.region_count;
    unmap(world.one, at + PAGE, 5);
    ck_assert_uint_eq(world.process->space.region_count, count - 1);
    ck_assert_ptr_nonnull(space_find(world.process, at));
    ck_assert_ptr_nonnull(space_find(world.process, at + 6 * PAGE));
    ck_assert_ptr_null(space_find(world.process, at + 5 * PAGE));
    unmap(world.one, at, 1000);
    unmap(world.one, at, 1000); /* of nothing is fine */
    ck_assert_uint_eq(world.process->space.region_count, count - 3);
}
END_TEST

START_TEST(all_of_user_space_can_be_unmapped_in_portions) {
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    for (uint64_t i = 0; i < 150; i++)
        map_at(world.one, at + i * 2 * PAGE, 1, RW);
    uint64_t restarts = kernel->counters.restarts;
    expect(try_unmap(0, 0, AX_USER_END), AX_OK);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 2);
    ck_assert_uint_eq(world.process->space.region_count, 0);
    expect(list(0, 0), 0);
}
END_TEST

START_TEST(a_large_part_is_unmapped_in_portions) {
    uint64_t at = map_pages(world.one, 200, RW);
    poke_pages(world.one, at, 200, 1);
    uint64_t restarts = kernel->counters.restarts;
    unmap(world.one, at + PAGE, 198);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 3);
    ck_assert_uint_eq(peek(world.one, at + 199 * PAGE), 200);
}
END_TEST

START_TEST(a_split_needs_memory_or_has_no_effect) {
    uint64_t at = map_pages(world.one, 3, RW);
    poke_pages(world.one, at, 3, 1);
    usage_note();
    driver_fail_after(1);
    expect(try_unmap(0, at + PAGE, PAGE), AX_ERR_MEMORY);
    usage_check();
    uint64_t limit = world.account->limit_objects;
    world.account->limit_objects = world.account->used_objects;
    expect(try_unmap(0, at + PAGE, PAGE), AX_ERR_LIMIT);
    ck_assert_uint_eq(peek(world.one, at + PAGE), 2);
    expect(try_unmap(0, at, PAGE), AX_OK); /* this needs none */
    world.account->limit_objects = limit;
}
END_TEST

START_TEST(ranges_are_checked) {
    uint64_t at = map_pages(world.one, 1, RW);
    expect(try_unmap(0, at + 1, PAGE), AX_ERR_ARGUMENT);
    expect(try_unmap(0, at, 0), AX_ERR_ARGUMENT);
    expect(try_unmap(0, at, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(try_unmap(0, at, AX_USER_END - at + 1), AX_ERR_ARGUMENT);
    expect(try_unmap(0, AX_USER_END, PAGE), AX_ERR_ARGUMENT);
    expect(try_unmap(0, UINT64_MAX - PAGE + 1, PAGE), AX_ERR_ARGUMENT);
    expect(try_unmap(0, at, 1), AX_OK); /* rounded up */
    ck_assert_ptr_null(space_find(world.process, at));
}
END_TEST

START_TEST(the_machine_part_stays) {
    expect(try_unmap(0, AX_PROGRAM_END, AX_USER_END - AX_PROGRAM_END), AX_OK);
    ck_assert_ptr_nonnull(driver_touch(world.one, AX_KERNEL_PAGE, AX_PROT_EXECUTE));
    ck_assert_ptr_nonnull(driver_touch(world.one, world.one->user.page_address, AX_PROT_WRITE));
}
END_TEST

START_TEST(another_process_is_unmapped_by_right) {
    uint64_t at = map_pages(world.stranger, 1, RW);
    poke(world.stranger, at, 1);
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_SPACE);
    expect(try_unmap(weak, at, PAGE), AX_ERR_RIGHTS);
    expect(try_unmap(stale(world.one), at, PAGE), AX_ERR_HANDLE);
    expect(try_unmap(memory_new(world.one, 1), at, PAGE), AX_ERR_TYPE);
    expect(try_unmap(world.other_handle, at, PAGE), AX_OK);
    ck_assert_uint_eq(fault_of(world.stranger, at, AX_PROT_READ), AX_FAULT_UNMAPPED);
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED), AX_OK);
    expect(try_unmap(world.other_handle, at, PAGE), AX_ERR_ENDED);
}
END_TEST

START_TEST(an_object_outlives_its_handle_while_it_is_mapped) {
    usage_note();
    ax_handle memory = memory_new(world.one, 2);
    uint64_t at = map_memory(world.one, memory, 2, RW, 0);
    poke(world.one, at, 5);
    must_close(world.one, memory);
    ck_assert_uint_eq(peek(world.one, at), 5);
    unmap(world.one, at, 2);
    usage_check();
}
END_TEST

START_TEST(a_dead_process_gives_its_memory_back) {
    uint64_t used = frames_used();
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    uint64_t at = map_pages(thread, 150, RW);
    poke_pages(thread, at, 150, 1);
    unmap(thread, at + 70 * PAGE, 1);
    ax_handle handle = driver_process_handle(process);
    expect(kcall(driver_root_thread(), AX_CALL_PROCESS_END, handle, AX_CAUSE_KILLED), AX_OK);
    expect(kcall(driver_root_thread(), AX_CALL_HANDLE_CLOSE, handle), AX_OK);
    driver_settle();
    ck_assert_uint_eq(frames_used(), used);
}
END_TEST

START_TEST(a_process_of_many_regions_dies_in_portions) {
    uint64_t used = frames_used();
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    for (uint64_t i = 0; i < 150; i++)
        poke(thread, map_at(thread, (1 << 30) + i * 2 * PAGE, 1, RW), 1);
    ax_handle handle = driver_process_handle(process);
    expect(kcall(driver_root_thread(), AX_CALL_PROCESS_END, handle, AX_CAUSE_KILLED), AX_OK);
    expect(kcall(driver_root_thread(), AX_CALL_HANDLE_CLOSE, handle), AX_OK);
    driver_settle();
    ck_assert_uint_eq(frames_used(), used);
}
END_TEST

/* ---- Listing --------------------------------------------------------------------------------- */

START_TEST(regions_are_listed_from_an_address_on) {
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    map_at(world.one, at, 2, AX_PROT_READ);
    map_at(world.one, at + 4 * PAGE, 1, RW);
    struct ax_region_info infos[42];
    ck_assert_uint_eq(regions(world.one, at, infos), 2);
    ck_assert_uint_eq(infos[0].address, at);
    ck_assert_uint_eq(infos[0].prot, AX_PROT_READ);
    ck_assert_uint_eq(infos[0].offset, 0);
    ck_assert_uint_eq(infos[1].address, at + 4 * PAGE);
    ck_assert_uint_eq(regions(world.one, at + PAGE, infos), 2);
    ck_assert_uint_eq(infos[0].address, at);
    ck_assert_uint_eq(regions(world.one, at + 2 * PAGE, infos), 1);
    ck_assert_uint_eq(regions(world.one, at + 5 * PAGE, infos), 0);
    ck_assert_uint_eq(regions(world.one, UINT64_MAX, infos), 0);
}
END_TEST

START_TEST(a_long_list_comes_in_parts) {
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    for (uint64_t i = 0; i < 50; i++)
        map_at(world.one, at + i * 2 * PAGE, 1, RW);
    struct ax_region_info infos[42];
    ck_assert_uint_eq(regions(world.one, at, infos), 42);
    ck_assert_uint_eq(regions(world.one, infos[41].address + PAGE, infos), 8);
}
END_TEST

START_TEST(present_pages_are_each_regions_own) {
    uint64_t at = map_pages(world.one, 200, RW);
    for (uint64_t page = 100; page > 0; page--) /* downwards: none is made ahead */
        poke(world.one, at + (page - 1) * PAGE, 1);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, at + 10 * PAGE, 20 * PAGE, AX_PROT_READ),
           AX_OK);
    struct ax_region_info infos[42];
    ck_assert_uint_ge(regions(world.one, at, infos), 3);
    ck_assert_uint_eq(infos[0].present_pages, 10);
    ck_assert_uint_eq(infos[1].present_pages, 20);
    ck_assert_uint_eq(infos[2].present_pages, 70);
    ck_assert_uint_eq(infos[2].size_bytes, 170 * PAGE);
}
END_TEST

START_TEST(counting_many_pages_is_cut_into_portions) {
    uint64_t limit = world.account->limit_bytes;
    world.account->limit_bytes += 1024 * PAGE;
    uint64_t at = map_pages(world.one, 700, RW);
    for (uint64_t page = 0; page < 600; page++)
        poke(world.one, at + page * PAGE, 1);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, at + 540 * PAGE, PAGE, AX_PROT_READ), AX_OK);
    uint64_t restarts = kernel->counters.restarts;
    struct ax_region_info infos[42];
    ck_assert_uint_ge(regions(world.one, at, infos), 3);
    ck_assert_uint_eq(infos[0].present_pages, 540);
    ck_assert_uint_eq(infos[1].present_pages, 1);
    ck_assert_uint_eq(infos[2].present_pages, 59);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 1);
    /* A list that cannot tell of the second region any more ends before it. */
    uint64_t near = at + 545 * PAGE;
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, at + 500 * PAGE, PAGE, AX_PROT_READ), AX_OK);
    ck_assert_uint_eq(regions(world.one, at, infos), 2);
    ck_assert_uint_ge(regions(world.one, near, infos), 1);
    unmap(world.one, at, 700);
    driver_settle();
    world.account->limit_bytes = limit;
}
END_TEST

START_TEST(another_process_is_listed_by_right) {
    map_pages(world.stranger, 1, RW);
    expect(list(weaken(world.one, world.other_handle, AX_RIGHT_INSPECT), 0), 1);
    expect(list(weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_INSPECT), 0),
           AX_ERR_RIGHTS);
    expect(list(stale(world.one), 0), AX_ERR_HANDLE);
    expect(list(memory_new(world.one, 1), 0), AX_ERR_TYPE);
}
END_TEST

TCase *space_unmap_tests(void) {
    TCase *tcase = world_case("space_unmap");
    tcase_add_test(tcase, what_is_unmapped_is_gone_and_comes_back);
    tcase_add_test(tcase, no_cpu_sees_an_unmapped_page);
    tcase_add_test(tcase, a_part_can_be_unmapped);
    tcase_add_test(tcase, private_pages_of_the_unmapped_part_come_back);
    tcase_add_test(tcase, a_range_may_span_regions_and_gaps);
    tcase_add_test(tcase, all_of_user_space_can_be_unmapped_in_portions);
    tcase_add_test(tcase, a_large_part_is_unmapped_in_portions);
    tcase_add_test(tcase, a_split_needs_memory_or_has_no_effect);
    tcase_add_test(tcase, ranges_are_checked);
    tcase_add_test(tcase, the_machine_part_stays);
    tcase_add_test(tcase, another_process_is_unmapped_by_right);
    tcase_add_test(tcase, an_object_outlives_its_handle_while_it_is_mapped);
    tcase_add_test(tcase, a_dead_process_gives_its_memory_back);
    tcase_add_test(tcase, a_process_of_many_regions_dies_in_portions);
    tcase_add_test(tcase, regions_are_listed_from_an_address_on);
    tcase_add_test(tcase, a_long_list_comes_in_parts);
    tcase_add_test(tcase, present_pages_are_each_regions_own);
    tcase_add_test(tcase, counting_many_pages_is_cut_into_portions);
    tcase_add_test(tcase, another_process_is_listed_by_right);
    return tcase;
}
