/* SPDX-License-Identifier: MIT */
/* Copies of address spaces: by process_clone, and in steps. */
#include "memory_tests.h"
#include "memory_world.h"

struct child {
    ax_handle handle;
    struct process *process;
    struct thread *thread;
};

static struct child clone(struct thread *parent) {
    ax_result handle = kcall(parent, AX_CALL_PROCESS_CLONE, 0x400000, 0x7f0000, 0, 0);
    ck_assert_int_gt(handle, 0);
    struct object *object = driver_object(parent->process, (ax_handle)handle);
    struct process *process = container_of(object, struct process, object);
    struct list *first = list_first(&process->threads);
    ck_assert_ptr_nonnull(first);
    struct thread *thread = list_entry(first, struct thread, in_process);
    return (struct child){(ax_handle)handle, process, thread};
}

START_TEST(private_memory_is_copied) {
    uint64_t at = map_pages(world.one, 5, RW);
    poke_pages(world.one, at, 5, 1);
    struct child child = clone(world.one);
    for (uint64_t page = 0; page < 5; page++)
        ck_assert_uint_eq(peek(child.thread, at + page * PAGE), page + 1);
    poke(child.thread, at, 100);
    poke(world.one, at + PAGE, 200);
    ck_assert_uint_eq(peek(world.one, at), 1);
    ck_assert_uint_eq(peek(child.thread, at + PAGE), 2);
    ck_assert_uint_eq(peek(child.thread, at), 100);
    ck_assert_uint_eq(peek(world.one, at + PAGE), 200);
}
END_TEST

START_TEST(a_parents_other_thread_cannot_write_into_the_child) {
    spread();
    uint64_t at = map_pages(world.one, 1, RW);
    poke(world.one, at, 1);
    poke(world.two, at, 1); /* may be another CPU, which holds a writable translation */
    struct child child = clone(world.one);
    poke(world.two, at, 2);
    ck_assert_uint_eq(peek(child.thread, at), 1);
}
END_TEST

START_TEST(shared_memory_stays_shared) {
    ax_handle memory = memory_new(world.one, 3);
    uint64_t shared = map_memory(world.one, memory, 3, RW, 0);
    uint64_t private = map_memory(world.one, memory, 3, RW, AX_MAP_PRIVATE);
    poke(world.one, shared, 1);
    poke(world.one, private + PAGE, 2);
    struct child child = clone(world.one);
    poke(child.thread, shared, 3);
    ck_assert_uint_eq(peek(world.one, shared), 3);
    ck_assert_uint_eq(peek(child.thread, private), 3);
    ck_assert_uint_eq(peek(child.thread, private + PAGE), 2);
    poke(child.thread, private + PAGE, 4);
    ck_assert_uint_eq(peek(world.one, private + PAGE), 2);
}
END_TEST

START_TEST(protection_is_copied) {
    uint64_t readable = map_pages(world.one, 1, AX_PROT_READ);
    uint64_t nothing = map_pages(world.one, 1, AX_PROT_NONE);
    ax_handle memory = memory_new(world.one, 1);
    uint64_t weak =
        map_memory(world.one, weaken(world.one, memory, AX_RIGHT_READ), 1, AX_PROT_READ, 0);
    struct child child = clone(world.one);
    ck_assert_uint_eq(fault_of(child.thread, readable, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    ck_assert_uint_eq(fault_of(child.thread, nothing, AX_PROT_READ), AX_FAULT_PROTECTION);
    expect(kcall(child.thread, AX_CALL_MEMORY_PROTECT, 0, weak, PAGE, RW), AX_ERR_RIGHTS);
    expect(kcall(child.thread, AX_CALL_MEMORY_PROTECT, 0, nothing, PAGE, RW), AX_OK);
}
END_TEST

START_TEST(who_writes_first_gets_the_copy_who_is_alone_keeps_the_page) {
    uint64_t at = map_pages(world.one, 1, RW);
    poke(world.one, at, 1);
    struct child child = clone(world.one);
    poke(child.thread, at, 2);
    struct frame *frame = memory_find(space_find(world.process, at)->overlay, at / PAGE);
    poke(world.one, at, 3);
    ck_assert_ptr_eq(memory_find(space_find(world.process, at)->overlay, at / PAGE), frame);
}
END_TEST

START_TEST(a_clone_of_a_clone_is_a_copy_too) {
    uint64_t at = map_pages(world.one, 2, RW);
    poke_pages(world.one, at, 2, 1);
    struct child child = clone(world.one);
    struct child grandchild = clone(child.thread);
    poke(world.one, at, 10);
    poke(child.thread, at, 20);
    ck_assert_uint_eq(peek(grandchild.thread, at), 1);
    poke(grandchild.thread, at, 30);
    ck_assert_uint_eq(peek(world.one, at), 10);
    ck_assert_uint_eq(peek(child.thread, at), 20);
}
END_TEST

START_TEST(large_spaces_are_cloned_in_portions) {
    uint64_t at = map_pages(world.one, 300, RW);
    poke_pages(world.one, at, 100, 1);
    poke_pages(world.one, at + 200 * PAGE, 100, 1);
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, at + 50 * PAGE, PAGE, AX_PROT_READ), AX_OK);
    uint64_t restarts = kernel->counters.restarts;
    struct child child = clone(world.one);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 3);
    ck_assert_uint_eq(child.process->space.region_count, world.process->space.region_count);
    for (uint64_t page = 0; page < 100; page++) {
        ck_assert_uint_eq(peek(child.thread, at + page * PAGE), page + 1);
        ck_assert_uint_eq(peek(child.thread, at + (200 + page) * PAGE), page + 1);
    }
    ck_assert_uint_eq(peek(child.thread, at + 150 * PAGE), 0);
}
END_TEST

START_TEST(a_dead_childs_memory_comes_back) {
    uint64_t at = map_pages(world.one, 100, RW);
    poke_pages(world.one, at, 100, 1);
    usage_note();
    struct child child = clone(world.one);
    poke_pages(child.thread, at, 50, 10);
    poke_pages(world.one, at + 30 * PAGE, 50, 10);
    expect(kcall(world.one, AX_CALL_PROCESS_END, child.handle, AX_CAUSE_KILLED), AX_OK);
    must_close(world.one, child.handle);
    usage_check();
    ck_assert_uint_eq(peek(world.one, at), 1);
}
END_TEST

/* ---- In steps -------------------------------------------------------------------------------- */

static struct process *child;

static ax_result clone_step(uint64_t *cursor, unsigned portion) {
    kernel_lock();
    ax_result result = space_clone(world.process, child, cursor, &portion);
    kernel_unlock();
    return result;
}

static void clone_rest(uint64_t *cursor) {
    ax_result result;
    unsigned steps = 0;
    while ((result = clone_step(cursor, 7)) == RESULT_RESTART)
        ck_assert_uint_lt(++steps, 1000);
    expect(result, AX_OK);
}

static uint8_t child_byte(uint64_t address) {
    uint8_t byte;
    driver_read(child, address, &byte, 1);
    return byte;
}

START_TEST(every_portion_comes_further) {
    uint64_t at = map_pages(world.one, 30, RW);
    poke_pages(world.one, at, 30, 1);
    for (unsigned portion = 2; portion < 40; portion++) {
        child = driver_process();
        uint64_t cursor = 0, before;
        do {
            before = cursor;
            ax_result result = clone_step(&cursor, portion);
            if (result == AX_OK)
                break;
            expect(result, RESULT_RESTART);
            ck_assert_uint_gt(cursor, before);
        } while (true);
        ck_assert_uint_eq(child->space.region_count, world.process->space.region_count);
        ck_assert_uint_eq(child_byte(at + 29 * PAGE), 30);
    }
}
END_TEST

START_TEST(without_a_portion_nothing_happens) {
    map_pages(world.one, 1, RW);
    child = driver_process();
    uint64_t cursor = 0;
    expect(clone_step(&cursor, 0), RESULT_RESTART);
    ck_assert_uint_eq(cursor, 0);
    ck_assert_uint_eq(child->space.region_count, 0);
}
END_TEST

START_TEST(a_region_that_goes_meanwhile_is_cloned_as_far) {
    uint64_t at = map_pages(world.one, 30, RW);
    poke_pages(world.one, at, 30, 1);
    child = driver_process();
    uint64_t cursor = 0;
    while (cursor <= at)
        expect(clone_step(&cursor, 5), RESULT_RESTART);
    unmap(world.one, at, 30);
    clone_rest(&cursor);
    ck_assert_uint_eq(child_byte(at), 1);
    ck_assert_ptr_null(space_find(child, at + 29 * PAGE));
}
END_TEST

START_TEST(a_region_that_comes_meanwhile_is_cloned_with_its_own_face) {
    uint64_t at = map_pages(world.one, 30, RW);
    poke_pages(world.one, at, 30, 1);
    child = driver_process();
    uint64_t cursor = 0;
    while (cursor <= at)
        expect(clone_step(&cursor, 5), RESULT_RESTART);
    uint64_t middle = cursor;
    unmap(world.one, at, 30);
    ax_handle memory = memory_new(world.one, 30);
    struct ax_map_request request = {
        .address = at, .size_bytes = 30 * PAGE, .prot = RW, .flags = AX_MAP_FIXED};
    expect(map_with(world.one, 0, memory, request), (ax_result)at);
    poke(world.one, at + 29 * PAGE, 99);
    clone_rest(&cursor);
    ck_assert_ptr_null(space_find(child, at)->memory);
    const struct region *other = space_find(child, middle);
    ck_assert_ptr_eq(other->memory, memory_of(world.one, memory));
    ck_assert_uint_eq(other->start, middle);
    ck_assert_uint_eq(other->offset, (middle - at) / PAGE);
    ck_assert_uint_eq(child_byte(at + 29 * PAGE), 99);
}
END_TEST

START_TEST(pages_of_a_cut_that_is_not_finished_are_not_cloned) {
    ax_handle memory = memory_new(world.one, 10);
    uint64_t at = map_memory(world.one, memory, 10, RW, AX_MAP_PRIVATE);
    poke_pages(world.one, at, 10, 1);
    memory_of(world.one, memory)->page_count = 4; /* as in the middle of memory_resize */
    memory_of(world.one, memory)->untrimmed = 1;
    child = driver_process();
    uint64_t cursor = 0;
    clone_rest(&cursor);
    ck_assert_uint_eq(space_find(child, at)->overlay->present, 4);
    expect(kcall(world.one, AX_CALL_MEMORY_RESIZE, memory, 10), AX_OK);
    ck_assert_uint_eq(child_byte(at + 3 * PAGE), 4);
    ck_assert_uint_eq(child_byte(at + 4 * PAGE), 0);
}
END_TEST

START_TEST(a_clone_that_fails_can_go_on) {
    uint64_t at = map_pages(world.one, 70, RW);
    poke_pages(world.one, at, 70, 1);
    ax_handle memory = memory_new(world.one, 2);
    uint64_t private = map_memory(world.one, memory, 2, RW, AX_MAP_PRIVATE);
    poke_pages(world.one, private, 2, 100);
    child = driver_process();
    uint64_t cursor = 0;
    unsigned failures = 0;
    ax_result result = RESULT_RESTART;
    for (unsigned i = 1; result != AX_OK; i++) {
        driver_fail_after(i % 4); /* every fourth step goes well */
        result = clone_step(&cursor, 5);
        driver_fail_after(0);
        failures += result == AX_ERR_MEMORY;
        ck_assert(result == AX_OK || result == RESULT_RESTART || result == AX_ERR_MEMORY);
    }
    ck_assert_uint_ge(failures, 2);
    for (uint64_t page = 0; page < 70; page++)
        ck_assert_uint_eq(child_byte(at + page * PAGE), page + 1);
    ck_assert_uint_eq(child_byte(private + PAGE), 101);
}
END_TEST

TCase *space_clone_tests(void) {
    TCase *tcase = world_case("space_clone");
    tcase_add_test(tcase, private_memory_is_copied);
    tcase_add_test(tcase, a_parents_other_thread_cannot_write_into_the_child);
    tcase_add_test(tcase, shared_memory_stays_shared);
    tcase_add_test(tcase, protection_is_copied);
    tcase_add_test(tcase, who_writes_first_gets_the_copy_who_is_alone_keeps_the_page);
    tcase_add_test(tcase, a_clone_of_a_clone_is_a_copy_too);
    tcase_add_test(tcase, large_spaces_are_cloned_in_portions);
    tcase_add_test(tcase, a_dead_childs_memory_comes_back);
    tcase_add_test(tcase, every_portion_comes_further);
    tcase_add_test(tcase, without_a_portion_nothing_happens);
    tcase_add_test(tcase, a_region_that_goes_meanwhile_is_cloned_as_far);
    tcase_add_test(tcase, a_region_that_comes_meanwhile_is_cloned_with_its_own_face);
    tcase_add_test(tcase, pages_of_a_cut_that_is_not_finished_are_not_cloned);
    tcase_add_test(tcase, a_clone_that_fails_can_go_on);
    return tcase;
}
