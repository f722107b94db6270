/* SPDX-License-Identifier: MIT */
/* Page faults, and pages that core needs itself. */
#include <base/align.h>

#include "memory_tests.h"
#include "memory_world.h"

#include "endpoint.h"

/* Translations of the process for pages from an address on. */
static unsigned translations(const struct process *process, uint64_t address, uint64_t page_count) {
    size_t count;
    const struct model_translation *all = model_translations(&count);
    unsigned found = 0;
    for (size_t i = 0; i < count; i++)
        found += all[i].space == model_space_id(&process->space.hal) &&
                 all[i].page >= address / PAGE && all[i].page < address / PAGE + page_count;
    return found;
}

static ax_result resolve(uint64_t address, uint32_t access, bool force, struct frame **frame) {
    kernel_lock();
    ax_result result = page_resolve(world.process, address, access, force, frame);
    kernel_unlock();
    return result;
}

START_TEST(a_first_touch_makes_one_page) {
    uint64_t at = map_pages(world.one, 100, RW);
    peek(world.one, at); /* with the tables */
    usage_note();
    uint64_t faults = kernel->counters.page_faults;
    ck_assert_uint_eq(peek(world.one, at + 5 * PAGE), 0);
    ck_assert_uint_eq(kernel->counters.page_faults, faults + 1);
    ck_assert_uint_ge(world.account->used_bytes, world.used_bytes + PAGE);
    ck_assert_uint_lt(world.account->used_bytes, world.used_bytes + 2 * PAGE);
    poke(world.one, at + 5 * PAGE, 1);
    ck_assert_uint_eq(kernel->counters.page_faults, faults + 1);
}
END_TEST

START_TEST(bad_accesses_tell_what_is_wrong) {
    uint64_t at = map_pages(world.one, 1, AX_PROT_READ);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(fault_of(world.one, at, AX_PROT_EXECUTE), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(fault_of(world.one, at + PAGE, AX_PROT_READ), AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(fault_of(world.one, 0, AX_PROT_READ), AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(fault_of(world.one, AX_KERNEL_PAGE, AX_PROT_WRITE), AX_FAULT_UNMAPPED);
}
END_TEST

START_TEST(present_neighbours_are_mapped_with_a_page) {
    ax_handle memory = memory_new(world.one, 64);
    uint64_t first = map_memory(world.one, memory, 64, RW, AX_MAP_POPULATE);
    uint64_t second = map_memory(world.one, memory, 64, RW, 0);
    ck_assert_uint_eq(translations(world.process, first, 64), 64);
    ck_assert_uint_eq(translations(world.process, second, 64), 0);
    uint64_t aligned = align_up(second, FAULT_WINDOW * PAGE);
    peek(world.one, aligned + 3 * PAGE);
    ck_assert_uint_eq(translations(world.process, second, 64), FAULT_WINDOW);
    ck_assert_uint_eq(translations(world.process, aligned, FAULT_WINDOW), FAULT_WINDOW);
}
END_TEST

START_TEST(absent_neighbours_are_left_alone) {
    uint64_t at = map_pages(world.one, 64, RW);
    poke(world.one, at, 1);
    poke(world.one, at + 2 * PAGE, 1);
    ck_assert_uint_eq(translations(world.process, at, 64), 2);
}
END_TEST

START_TEST(the_first_to_write_a_private_page_pays_for_the_copy) {
    ax_handle memory = memory_new(world.one, 1);
    ax_handle theirs = driver_copy(world.process, memory, world.other, AX_RIGHT_ALL);
    uint64_t here = map_memory(world.one, memory, 1, RW, 0);
    poke(world.one, here, 1);
    uint64_t there = map_memory(world.stranger, theirs, 1, RW, AX_MAP_PRIVATE);
    ck_assert_uint_eq(peek(world.stranger, there), 1);
    uint64_t used_bytes = world.other_account->used_bytes;
    usage_note();
    poke(world.stranger, there, 2);
    usage_check();
    ck_assert_uint_ge(world.other_account->used_bytes, used_bytes + PAGE);
    ck_assert_uint_eq(peek(world.one, here), 1);
}
END_TEST

START_TEST(who_touches_a_shared_page_first_pays_for_it) {
    ax_handle memory = memory_new(world.one, MEMORY_LEAF_PAGES + 1);
    ax_handle theirs = driver_copy(world.process, memory, world.other, AX_RIGHT_ALL);
    uint64_t there = map_memory(world.stranger, theirs, MEMORY_LEAF_PAGES + 1, RW, 0);
    peek(world.stranger, there); /* with the tables */
    uint64_t used_bytes = world.other_account->used_bytes;
    usage_note();
    poke(world.stranger, there + MEMORY_LEAF_PAGES * PAGE, 2);
    ck_assert_uint_eq(world.other_account->used_bytes, used_bytes + PAGE);
    /* The object's account pays for what holds the page. */
    ck_assert_uint_eq(world.account->used_bytes,
                      world.used_bytes + heap_charge(sizeof(struct memory_leaf)));
}
END_TEST

START_TEST(the_other_cpu_sees_the_copy_not_the_original) {
    spread();
    ax_handle memory = memory_new(world.one, 1);
    uint64_t shared = map_memory(world.one, memory, 1, RW, 0);
    poke(world.one, shared, 1);
    uint64_t private = map_memory(world.one, memory, 1, RW, AX_MAP_PRIVATE);
    ck_assert_uint_eq(peek(world.two, private), 1);
    poke(world.one, private, 2);
    ck_assert_uint_eq(peek(world.two, private), 2);
}
END_TEST

START_TEST(an_account_at_its_limit_faults) {
    uint64_t at = map_pages(world.one, 8, RW);
    poke(world.one, at, 1);
    uint64_t limit = world.account->limit_bytes;
    world.account->limit_bytes = world.account->used_bytes;
    ck_assert_uint_eq(fault_of(world.one, at + PAGE, AX_PROT_WRITE), AX_FAULT_MEMORY);
    world.account->limit_bytes = limit;
    ck_assert_uint_eq(fault_of(world.one, at + PAGE, AX_PROT_WRITE), AX_FAULT_NONE);
}
END_TEST

/* Lets the Nth allocation fail while a page is touched, for every N. */
static void touch_failing(uint64_t address, uint32_t access) {
    for (unsigned n = 1;; n++) {
        ck_assert_uint_lt(n, 30);
        usage_note();
        driver_fail_after(n);
        uint32_t fault = fault_of(world.one, address, access);
        bool failed = driver_has_failed();
        driver_fail_after(0);
        if (fault == AX_FAULT_NONE && !failed)
            return;
        if (fault != AX_FAULT_NONE) {
            ck_assert_uint_eq(fault, AX_FAULT_MEMORY);
            driver_settle();
        }
        driver_check_invariants();
        if (fault == AX_FAULT_NONE)
            return;
    }
}

START_TEST(lack_of_memory_is_a_fault_or_none) {
    ax_handle memory = memory_new(world.one, 100);
    uint64_t anonymous = map_pages(world.one, 4, RW);
    uint64_t shared = map_memory(world.one, memory, 100, RW, 0);
    uint64_t private = map_memory(world.one, memory, 100, RW, AX_MAP_PRIVATE);
    touch_failing(anonymous + 3 * PAGE, AX_PROT_WRITE);
    touch_failing(anonymous, AX_PROT_READ);
    touch_failing(shared + 99 * PAGE, AX_PROT_WRITE);
    touch_failing(private + 99 * PAGE, AX_PROT_WRITE);
    touch_failing(private + 5 * PAGE, AX_PROT_READ);
}
END_TEST

START_TEST(only_the_page_itself_must_be_mapped) {
    ax_handle memory = memory_new(world.one, 64);
    map_memory(world.one, memory, 64, RW, AX_MAP_POPULATE);
    uint64_t at = map_memory(world.one, memory, 64, RW, 0);
    model_fail_after(1); /* the machine has no memory for a map; then it has */
    peek(world.one, at);
    model_fail_after(0);
    ck_assert_uint_ge(translations(world.process, at, 64), 1);
}
END_TEST

START_TEST(a_page_that_needs_a_pager_is_absent) {
    ax_handle memory = memory_new(world.one, 3);
    uint64_t shared = map_memory(world.one, memory, 3, RW, 0);
    uint64_t private = map_memory(world.one, memory, 3, RW, AX_MAP_PRIVATE);
    poke(world.one, shared, 1);
    poke(world.one, private + PAGE, 1);
    struct endpoint *pager = container_of(
        driver_object(world.process, make(world.one, AX_TYPE_ENDPOINT)), struct endpoint, object);
    memory_of(world.one, memory)->pager = pager;
    struct frame *frame;
    expect(resolve(shared, AX_PROT_WRITE, false, &frame), AX_OK);
    expect(resolve(private, AX_PROT_WRITE, false, &frame), AX_OK);
    expect(resolve(private + PAGE, AX_PROT_READ, false, &frame), AX_OK);
    expect(resolve(shared + 2 * PAGE, AX_PROT_READ, false, &frame), AX_ERR_ABSENT);
    expect(resolve(private + 2 * PAGE, AX_PROT_WRITE, false, &frame), AX_ERR_ABSENT);
    memory_of(world.one, memory)->pager = NULL;
}
END_TEST

START_TEST(core_does_not_touch_registers) {
    uint64_t at = map_memory(world.one, registers_new(2), 3, RW, 0);
    struct frame *frame;
    expect(resolve(at, AX_PROT_READ, false, &frame), AX_ERR_ADDRESS);
    expect(resolve(at, AX_PROT_READ, true, &frame), AX_ERR_ADDRESS);
    ck_assert_uint_eq(fault_of(world.one, at + 2 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
}
END_TEST

START_TEST(force_writes_private_pages_only) {
    ax_handle memory = memory_new(world.one, 1);
    uint64_t shared = map_memory(world.one, memory, 1, AX_PROT_READ, 0);
    uint64_t private = map_memory(world.one, memory, 1, AX_PROT_READ, AX_MAP_PRIVATE);
    uint64_t nothing = map_pages(world.one, 1, AX_PROT_NONE);
    struct frame *frame;
    expect(resolve(shared, AX_PROT_WRITE, true, &frame), AX_ERR_ADDRESS);
    expect(resolve(shared, AX_PROT_READ, true, &frame), AX_OK);
    expect(resolve(private, AX_PROT_WRITE, false, &frame), AX_ERR_ADDRESS);
    expect(resolve(private, AX_PROT_WRITE, true, &frame), AX_OK);
    ck_assert_ptr_ne(frame, memory_find(memory_of(world.one, memory), 0));
    expect(resolve(nothing, AX_PROT_READ, false, &frame), AX_ERR_ADDRESS);
    expect(resolve(nothing, AX_PROT_READ, true, &frame), AX_OK);
    expect(resolve(nothing, AX_PROT_WRITE, true, &frame), AX_OK);
    ck_assert_uint_eq(fault_of(world.one, nothing, AX_PROT_READ), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(fault_of(world.one, private, AX_PROT_WRITE), AX_FAULT_PROTECTION);
}
END_TEST

TCase *space_fault_tests(void) {
    TCase *tcase = world_case("space_fault");
    tcase_add_test(tcase, a_first_touch_makes_one_page);
    tcase_add_test(tcase, bad_accesses_tell_what_is_wrong);
    tcase_add_test(tcase, present_neighbours_are_mapped_with_a_page);
    tcase_add_test(tcase, absent_neighbours_are_left_alone);
    tcase_add_test(tcase, the_first_to_write_a_private_page_pays_for_the_copy);
    tcase_add_test(tcase, who_touches_a_shared_page_first_pays_for_it);
    tcase_add_test(tcase, the_other_cpu_sees_the_copy_not_the_original);
    tcase_add_test(tcase, an_account_at_its_limit_faults);
    tcase_add_test(tcase, lack_of_memory_is_a_fault_or_none);
    tcase_add_test(tcase, only_the_page_itself_must_be_mapped);
    tcase_add_test(tcase, a_page_that_needs_a_pager_is_absent);
    tcase_add_test(tcase, core_does_not_touch_registers);
    tcase_add_test(tcase, force_writes_private_pages_only);
    return tcase;
}
