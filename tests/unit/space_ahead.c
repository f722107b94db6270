/* SPDX-License-Identifier: MIT */
/* Pages that a fault makes ahead, where memory is used in order. */
#include "memory_tests.h"
#include "memory_world.h"

/* The first page of a leaf, and where the next one begins. */
#define AT        (UINT64_C(1000) * MEMORY_LEAF_PAGES * PAGE)
#define NEXT_LEAF (AT + MEMORY_LEAF_PAGES * PAGE)

static struct frame *frame_of(const struct process *process, uint64_t address) {
    const struct region *region = space_find((struct process *)process, address);
    ck_assert_ptr_nonnull(region);
    if (region->is_private)
        return region->overlay != NULL ? memory_find(region->overlay, address / PAGE) : NULL;
    return memory_find(region->memory, region->offset + (address - region->start) / PAGE);
}

/* Writes to a page, and tells how many are there now that were not, from it on. It must have been
 * absent; nothing before it may appear. */
static unsigned made_by(struct thread *thread, uint64_t address) {
    const struct process *process = thread->process;
    const struct region *region = space_find(thread->process, address);
    uint64_t before = 0, after = 0, from = 0;
    ck_assert_ptr_null(frame_of(process, address));
    for (uint64_t at = region->start; at < region_end(region); at += PAGE)
        before += frame_of(process, at) != NULL;
    poke(thread, address, 1);
    for (uint64_t at = region->start; at < region_end(region); at += PAGE)
        after += frame_of(process, at) != NULL;
    while (address + from * PAGE < region_end(region) &&
           frame_of(process, address + from * PAGE) != NULL)
        from++;
    ck_assert_uint_ge(from, after - before);
    return (unsigned)(after - before);
}

/* Touches pages [0, count) from the last to the first: none is made ahead. */
static void touch_downwards(struct thread *thread, uint64_t address, uint64_t count) {
    while (count-- > 0)
        ck_assert_uint_eq(made_by(thread, address + count * PAGE), 1);
}

START_TEST(memory_used_in_order_is_made_in_runs) {
    /* Pages at which it faults, and how many each fault makes. */
    static const unsigned runs[][2] = {{0, 1},   {1, 2},   {3, 4},   {7, 8},
                                       {15, 16}, {31, 25}, {56, 56}, {112, 56}};
    unsigned run = 0;
    map_at(world.one, AT, 3 * MEMORY_LEAF_PAGES, RW);
    for (unsigned page = 0; page < 2 * MEMORY_LEAF_PAGES; page++) {
        uint64_t faults = world.process->page_faults;
        if (page == runs[run][0])
            ck_assert_uint_eq(made_by(world.one, AT + page * PAGE), runs[run++][1]);
        else
            poke(world.one, AT + page * PAGE, 1);
        ck_assert_uint_eq(world.process->page_faults, faults + (page == runs[run - 1][0]));
    }
    ck_assert_uint_eq(peek(world.one, AT + 56 * PAGE + 1), 0);
}
END_TEST

START_TEST(reading_in_order_makes_them_too) {
    map_at(world.one, AT, 20, AX_PROT_READ);
    peek(world.one, AT);
    peek(world.one, AT + PAGE);
    peek(world.one, AT + 3 * PAGE);
    ck_assert_uint_eq(space_find(world.process, AT)->overlay->present, 7);
    for (unsigned page = 0; page < 7; page++)
        ck_assert_uint_eq(peek(world.one, AT + page * PAGE), 0);
}
END_TEST

/* So that a machine can map them at one go, or at a few. */
START_TEST(the_frames_of_a_run_are_in_a_row) {
    unsigned rows = 1;
    map_at(world.one, AT, MEMORY_LEAF_PAGES, RW);
    poke_pages(world.one, AT, 31, 1);
    ck_assert_uint_eq(made_by(world.one, AT + 31 * PAGE), 25);
    for (unsigned page = 32; page + 1 < MEMORY_LEAF_PAGES; page++)
        rows += frame_of(world.process, AT + page * PAGE) + 1 !=
                frame_of(world.process, AT + (page + 1) * PAGE);
    ck_assert_uint_le(rows, 2);
}
END_TEST

START_TEST(memory_used_out_of_order_is_made_page_by_page) {
    static const unsigned pages[] = {10, 30, 5, 50, 28, 26, 0, 54, 20, 18};
    map_at(world.one, AT, MEMORY_LEAF_PAGES, RW);
    for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        ck_assert_uint_eq(made_by(world.one, AT + pages[i] * PAGE), 1);
    map_at(world.one, NEXT_LEAF + 10 * PAGE, 20, RW);
    touch_downwards(world.one, NEXT_LEAF + 10 * PAGE, 20);
}
END_TEST

START_TEST(as_many_as_are_present_in_a_row_before) {
    map_at(world.one, AT, 20, RW);
    touch_downwards(world.one, AT + 2 * PAGE, 2);
    ck_assert_uint_eq(made_by(world.one, AT), 1);
    ck_assert_uint_eq(made_by(world.one, AT + 4 * PAGE), 3); /* page 1 is not there */
}
END_TEST

START_TEST(up_to_the_next_that_is_present) {
    map_at(world.one, AT, 20, RW);
    poke(world.one, AT + 6 * PAGE, 1);
    touch_downwards(world.one, AT, 4);
    ck_assert_uint_eq(made_by(world.one, AT + 4 * PAGE), 2);
    ck_assert_ptr_null(frame_of(world.process, AT + 7 * PAGE));
}
END_TEST

START_TEST(a_region_ends_a_run_on_both_sides) {
    map_at(world.one, AT, 4, RW);
    map_at(world.one, AT + 4 * PAGE, 6, AX_PROT_READ);
    touch_downwards(world.one, AT, 3);
    ck_assert_uint_eq(made_by(world.one, AT + 3 * PAGE), 1);
    ck_assert_ptr_null(space_find(world.process, AT + 4 * PAGE)->overlay);
    peek(world.one, AT + 4 * PAGE); /* the first of its region */
    ck_assert_uint_eq(space_find(world.process, AT + 4 * PAGE)->overlay->present, 1);
    ck_assert_uint_eq(fault_of(world.one, AT + 10 * PAGE, AX_PROT_READ), AX_FAULT_UNMAPPED);
}
END_TEST

START_TEST(an_object_ends_a_run) {
    ax_handle memory = memory_new(world.one, 5);
    uint64_t at = map_memory(world.one, memory, 20, RW, 0);
    touch_downwards(world.one, at, 3);
    ck_assert_uint_eq(made_by(world.one, at + 3 * PAGE), 2);
    ck_assert_uint_eq(memory_of(world.one, memory)->present, 5);
    ck_assert_uint_eq(fault_of(world.one, at + 5 * PAGE, AX_PROT_WRITE), AX_FAULT_BEYOND);
}
END_TEST

START_TEST(an_object_s_leaf_ends_a_run) {
    ax_handle memory = memory_new(world.one, 2 * MEMORY_LEAF_PAGES);
    uint64_t at = map_memory(world.one, memory, 2 * MEMORY_LEAF_PAGES, RW, 0);
    touch_downwards(world.one, at + 50 * PAGE, 4);
    ck_assert_uint_eq(made_by(world.one, at + 54 * PAGE), 2);
    ck_assert_uint_eq(made_by(world.one, at + 56 * PAGE), 7);
}
END_TEST

START_TEST(who_goes_through_a_shared_object_pays) {
    ax_handle memory = memory_new(world.one, 20);
    ax_handle theirs = driver_copy(world.process, memory, world.other, AX_RIGHT_ALL);
    uint64_t here = map_memory(world.one, memory, 20, RW, 0);
    uint64_t there = map_memory(world.stranger, theirs, 20, RW, 0);
    touch_downwards(world.stranger, there, 4);
    uint64_t used_bytes = world.other_account->used_bytes;
    usage_note();
    ck_assert_uint_eq(made_by(world.stranger, there + 4 * PAGE), 5);
    usage_check();
    ck_assert_uint_eq(world.other_account->used_bytes, used_bytes + 5 * PAGE);
    poke(world.stranger, there + 8 * PAGE, 7);
    ck_assert_uint_eq(peek(world.one, here + 8 * PAGE), 7);
}
END_TEST

/* A page of its own would hide what the object gets there later. */
START_TEST(not_in_a_private_view_of_an_object) {
    ax_handle memory = memory_new(world.one, 20);
    uint64_t shared = map_memory(world.one, memory, 20, RW, 0);
    uint64_t private = map_memory(world.one, memory, 20, RW, AX_MAP_PRIVATE);
    for (unsigned page = 0; page < 4; page++)
        ck_assert_uint_eq(made_by(world.one, private + page * PAGE), 1);
    poke(world.one, shared + 4 * PAGE, 7);
    ck_assert_uint_eq(peek(world.one, private + 4 * PAGE), 7);
}
END_TEST

START_TEST(copies_are_not_made_ahead) {
    map_at(world.one, AT, 20, RW);
    poke_pages(world.one, AT, 8, 1);
    ax_result child = kcall(world.one, AX_CALL_PROCESS_CLONE, 0x400000, 0x7f0000);
    ck_assert_int_gt(child, 0);
    for (unsigned page = 0; page < 8; page++) {
        usage_note();
        poke(world.one, AT + page * PAGE, 2);
        ck_assert_uint_eq(world.account->used_bytes, world.used_bytes + PAGE);
    }
}
END_TEST

START_TEST(only_up_to_half_of_the_account_s_limit) {
    map_at(world.one, AT, MEMORY_LEAF_PAGES, RW);
    touch_downwards(world.one, AT, 8);
    touch_downwards(world.one, AT + 20 * PAGE, 8);
    uint64_t limit = world.account->limit_bytes, used_bytes = world.account->used_bytes;
    world.account->limit_bytes = 2 * (used_bytes + 3 * PAGE); /* the page itself, and two */
    ck_assert_uint_eq(made_by(world.one, AT + 8 * PAGE), 3);
    ck_assert_uint_eq(made_by(world.one, AT + 28 * PAGE), 1);
    ck_assert_uint_eq(world.account->object.signals & AX_SIGNAL_LIMIT, 0);
    world.account->limit_bytes = limit;
    ck_assert_uint_eq(made_by(world.one, AT + 29 * PAGE), 10);
}
END_TEST

START_TEST(only_while_a_quarter_of_the_machine_is_free) {
    static struct frame *taken[1024];
    unsigned count = 0;
    map_at(world.one, AT, MEMORY_LEAF_PAGES, RW);
    touch_downwards(world.one, AT, 8);
    touch_downwards(world.one, AT + 20 * PAGE, 8);
    struct frames *frames = &kernel->frames;
    while (frames->free_count > frames->total_count / 4 + 3)
        expect(frame_alloc(NULL, 0, &taken[count++]), AX_OK);
    ck_assert_uint_eq(made_by(world.one, AT + 8 * PAGE), 3);
    ck_assert_uint_eq(made_by(world.one, AT + 28 * PAGE), 1);
    while (count > 0)
        frame_unref(taken[--count]);
    ck_assert_uint_eq(made_by(world.one, AT + 29 * PAGE), 10);
}
END_TEST

START_TEST(a_failure_is_no_matter) {
    map_at(world.one, AT, MEMORY_LEAF_PAGES, RW);
    touch_downwards(world.one, AT, 8);
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED), AX_OK);
    driver_settle();
    ck_assert_uint_eq(world.other->state, PROCESS_CORPSE);
    driver_fail_after(3); /* after the page itself, and one */
    ck_assert_uint_eq(made_by(world.one, AT + 8 * PAGE), 2);
    ck_assert(driver_has_failed());
    driver_settle();
    ck_assert(!world.other->released);
    ck_assert_uint_eq(world.account->object.signals & AX_SIGNAL_LIMIT, 0);
    ck_assert_uint_eq(made_by(world.one, AT + 10 * PAGE), 11);
}
END_TEST

TCase *space_ahead_tests(void) {
    TCase *tcase = world_case("space_ahead");
    tcase_add_test(tcase, memory_used_in_order_is_made_in_runs);
    tcase_add_test(tcase, reading_in_order_makes_them_too);
    tcase_add_test(tcase, the_frames_of_a_run_are_in_a_row);
    tcase_add_test(tcase, memory_used_out_of_order_is_made_page_by_page);
    tcase_add_test(tcase, as_many_as_are_present_in_a_row_before);
    tcase_add_test(tcase, up_to_the_next_that_is_present);
    tcase_add_test(tcase, a_region_ends_a_run_on_both_sides);
    tcase_add_test(tcase, an_object_ends_a_run);
    tcase_add_test(tcase, an_object_s_leaf_ends_a_run);
    tcase_add_test(tcase, who_goes_through_a_shared_object_pays);
    tcase_add_test(tcase, not_in_a_private_view_of_an_object);
    tcase_add_test(tcase, copies_are_not_made_ahead);
    tcase_add_test(tcase, only_up_to_half_of_the_account_s_limit);
    tcase_add_test(tcase, only_while_a_quarter_of_the_machine_is_free);
    tcase_add_test(tcase, a_failure_is_no_matter);
    return tcase;
}
