/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"
#include "memory_world.h"

static ax_result protect(uint64_t address, uint64_t page_count, uint64_t prot) {
    return kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, address, page_count * PAGE, prot);
}

START_TEST(access_shrinks_on_all_cpus) {
    spread();
    uint64_t at = map_pages(world.one, 2, RW);
    poke_pages(world.one, at, 2, 1);
    poke_pages(world.two, at, 2, 1);
    expect(protect(at, 1, AX_PROT_READ), AX_OK);
    ck_assert_uint_eq(fault_of(world.two, at, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(peek(world.two, at), 1);
    poke(world.one, at + PAGE, 7);
    expect(protect(at, 2, AX_PROT_NONE), AX_OK);
    ck_assert_uint_eq(fault_of(world.two, at, AX_PROT_READ), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(fault_of(world.one, at + PAGE, AX_PROT_READ), AX_FAULT_PROTECTION);
}
END_TEST

START_TEST(access_grows_again) {
    uint64_t at = map_pages(world.one, 1, AX_PROT_NONE);
    expect(protect(at, 1, AX_PROT_WRITE), AX_OK); /* with reading */
    poke(world.one, at, 5);
    ck_assert_uint_eq(peek(world.one, at), 5);
    expect(protect(at, 1, AX_PROT_READ | AX_PROT_EXECUTE), AX_OK);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_EXECUTE), AX_FAULT_NONE);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    expect(protect(at, 1, RW), AX_OK);
    poke(world.one, at, 6);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_EXECUTE), AX_FAULT_PROTECTION);
    expect(protect(at, 1, AX_PROT_EXECUTE), AX_OK);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_EXECUTE), AX_FAULT_NONE);
}
END_TEST

START_TEST(nothing_becomes_writable_and_executable) {
    uint64_t at = map_pages(world.one, 1, RW);
    expect(protect(at, 1, AX_PROT_WRITE | AX_PROT_EXECUTE), AX_ERR_ARGUMENT);
    expect(protect(at, 1, AX_PROT_ALL), AX_ERR_ARGUMENT);
    expect(protect(at, 1, 8), AX_ERR_ARGUMENT);
    expect(protect(at, 1, UINT64_C(1) << 32), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(a_part_gets_an_access_of_its_own) {
    uint64_t at = map_pages(world.one, 5, RW);
    poke_pages(world.one, at, 5, 1);
    size_t count = world.process->space.region_count;
    expect(protect(at + 2 * PAGE, 1, AX_PROT_READ), AX_OK);
    ck_assert_uint_eq(world.process->space.region_count, count + 2);
    ck_assert_uint_eq(fault_of(world.one, at + 2 * PAGE, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    for (uint64_t page = 0; page < 5; page++)
        ck_assert_uint_eq(peek(world.one, at + page * PAGE), page + 1);
    poke(world.one, at + PAGE, 9);
    poke(world.one, at + 3 * PAGE, 9);
    /* And is one with its neighbours again. */
    expect(protect(at + 2 * PAGE, 1, RW), AX_OK);
    ck_assert_uint_eq(world.process->space.region_count, count);
    poke(world.one, at + 2 * PAGE, 9);
}
END_TEST

START_TEST(changing_access_to_and_fro_leaves_no_trace) {
    uint64_t at = map_pages(world.one, 64, RW);
    poke_pages(world.one, at, 64, 1);
    usage_note();
    for (uint64_t page = 0; page < 64; page++)
        expect(protect(at + page * PAGE, 1, page % 3 == 0 ? AX_PROT_READ : AX_PROT_NONE), AX_OK);
    for (uint64_t page = 64; page-- > 0;)
        expect(protect(at + page * PAGE, 1, RW), AX_OK);
    usage_check();
    for (uint64_t page = 0; page < 64; page++)
        ck_assert_uint_eq(peek(world.one, at + page * PAGE), page + 1);
}
END_TEST

START_TEST(many_regions_are_protected_in_portions) {
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    ax_handle memory = memory_new(world.one, 1);
    for (uint64_t i = 0; i < 150; i++)
        expect(map_with(world.one, 0, memory,
                        (struct ax_map_request){.address = at + i * PAGE,
                                                .size_bytes = PAGE,
                                                .prot = RW,
                                                .flags = AX_MAP_FIXED}),
               (ax_result)(at + i * PAGE));
    poke(world.one, at + 149 * PAGE, 1);
    uint64_t restarts = kernel->counters.restarts;
    expect(protect(at, 150, AX_PROT_READ), AX_OK);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 2);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(fault_of(world.one, at + 149 * PAGE, AX_PROT_WRITE), AX_FAULT_PROTECTION);
}
END_TEST

START_TEST(a_large_region_keeps_its_pages) {
    uint64_t at = map_pages(world.one, 2000, RW);
    poke(world.one, at, 1);
    poke(world.one, at + 1999 * PAGE, 2);
    expect(protect(at, 2000, AX_PROT_READ), AX_OK);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(peek(world.one, at), 1);
    ck_assert_uint_eq(peek(world.one, at + 1999 * PAGE), 2);
}
END_TEST

START_TEST(a_gap_ends_it_with_what_was_before_changed) {
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    map_at(world.one, at, 2, RW);
    map_at(world.one, at + 3 * PAGE, 1, RW);
    expect(protect(at, 4, AX_PROT_READ), AX_ERR_NOT_FOUND);
    ck_assert_uint_eq(fault_of(world.one, at + PAGE, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    poke(world.one, at + 3 * PAGE, 1);
    expect(protect(at + 2 * PAGE, 1, RW), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(access_stays_within_what_the_handle_allowed) {
    ax_handle memory = memory_new(world.one, 2);
    uint64_t readable =
        map_memory(world.one, weaken(world.one, memory, AX_RIGHT_READ), 2, AX_PROT_READ, 0);
    expect(protect(readable, 1, RW), AX_ERR_RIGHTS);
    expect(protect(readable, 1, AX_PROT_EXECUTE), AX_ERR_RIGHTS);
    expect(protect(readable, 1, AX_PROT_NONE), AX_OK);
    expect(protect(readable, 2, AX_PROT_READ), AX_OK);
    uint64_t private = map_memory(world.one, weaken(world.one, memory, AX_RIGHT_READ), 2,
                                  AX_PROT_READ, AX_MAP_PRIVATE);
    expect(protect(private, 1, RW), AX_OK);
    poke(world.one, private, 1);
    ck_assert_uint_eq(peek(world.one, readable), 0);
}
END_TEST

START_TEST(a_refusal_leaves_regions_as_they_were) {
    ax_handle memory = memory_new(world.one, 5);
    uint64_t at =
        map_memory(world.one, weaken(world.one, memory, AX_RIGHT_READ), 5, AX_PROT_READ, 0);
    usage_note();
    expect(protect(at + PAGE, 2, RW), AX_ERR_RIGHTS);
    usage_check();
}
END_TEST

START_TEST(lack_of_memory_has_no_effect) {
    uint64_t at = map_pages(world.one, 5, RW);
    poke_pages(world.one, at, 5, 1);
    usage_note();
    for (unsigned n = 1; n <= 2; n++) {
        driver_fail_after(n);
        expect(protect(at + PAGE, 2, AX_PROT_READ), AX_ERR_MEMORY);
        usage_check();
        poke(world.one, at + PAGE, 2);
    }
    driver_fail_after(0);
    expect(protect(at + PAGE, 2, AX_PROT_READ), AX_OK);
}
END_TEST

START_TEST(ranges_and_handles_are_checked) {
    uint64_t at = map_pages(world.one, 1, RW);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, at + 1, PAGE, RW), AX_ERR_ARGUMENT);
    expect(protect(at, 0, RW), AX_ERR_ARGUMENT);
    expect(protect(AX_USER_END, 1, RW), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, at, UINT64_MAX, RW), AX_ERR_ARGUMENT);
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_SPACE);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, weak, at, PAGE, RW), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, stale(world.one), at, PAGE, RW), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, memory_new(world.one, 1), at, PAGE, RW),
           AX_ERR_TYPE);
}
END_TEST

START_TEST(a_process_without_threads_is_protected) {
    ax_result stash = kcall(world.one, AX_CALL_PROCESS_CREATE, 0);
    ax_result at = map_with(world.one, (ax_handle)stash, 0,
                            (struct ax_map_request){.size_bytes = 2 * PAGE, .prot = RW});
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, stash, at, PAGE, AX_PROT_READ), AX_OK);
    expect(kcall(world.one, AX_CALL_MEMORY_UNMAP, stash, at, PAGE), AX_OK);
    expect(kcall(world.one, AX_CALL_MEMORY_LIST, stash, 0), 1);
}
END_TEST

START_TEST(the_space_of_an_ended_process_stays) {
    ax_result stash = kcall(world.one, AX_CALL_PROCESS_CREATE, 0);
    ax_result at = map_with(world.one, (ax_handle)stash, 0,
                            (struct ax_map_request){.size_bytes = 2 * PAGE, .prot = RW});
    expect(kcall(world.one, AX_CALL_PROCESS_END, stash, AX_CAUSE_KILLED), AX_OK);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, stash, at, PAGE, AX_PROT_READ), AX_ERR_ENDED);
    expect(kcall(world.one, AX_CALL_MEMORY_UNMAP, stash, at, PAGE), AX_ERR_ENDED);
    expect(kcall(world.one, AX_CALL_MEMORY_LIST, stash, 0), 1);
}
END_TEST

TCase *space_protect_tests(void) {
    TCase *tcase = world_case("space_protect");
    tcase_add_test(tcase, access_shrinks_on_all_cpus);
    tcase_add_test(tcase, access_grows_again);
    tcase_add_test(tcase, nothing_becomes_writable_and_executable);
    tcase_add_test(tcase, a_part_gets_an_access_of_its_own);
    tcase_add_test(tcase, changing_access_to_and_fro_leaves_no_trace);
    tcase_add_test(tcase, many_regions_are_protected_in_portions);
    tcase_add_test(tcase, a_large_region_keeps_its_pages);
    tcase_add_test(tcase, a_gap_ends_it_with_what_was_before_changed);
    tcase_add_test(tcase, access_stays_within_what_the_handle_allowed);
    tcase_add_test(tcase, a_refusal_leaves_regions_as_they_were);
    tcase_add_test(tcase, lack_of_memory_has_no_effect);
    tcase_add_test(tcase, ranges_and_handles_are_checked);
    tcase_add_test(tcase, a_process_without_threads_is_protected);
    tcase_add_test(tcase, the_space_of_an_ended_process_stays);
    return tcase;
}
