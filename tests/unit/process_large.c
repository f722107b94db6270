/* SPDX-License-Identifier: MIT */
/* Clones of large processes: in portions, while others go on. */
#include "process_tests.h"

#define START UINT64_C(0x10000000)

static struct process *parent;
static struct thread *cloner, *other;

static void large_start(uint64_t memory_pages, bool manual) {
    struct driver_config config = {.model = {.cpu_count = 2,
                                             .memory_bytes = memory_pages * AX_PAGE_SIZE,
                                             .translations = 16384,
                                             .table_frames = true},
                                   .manual = manual};
    driver_start(&config);
    parent = driver_process();
    cloner = driver_thread(parent);
    other = driver_thread(parent);
}

static void small_start(void) {
    large_start(2000, false);
}

static void large_stop(void) {
    driver_settle();
    driver_check_invariants();
    driver_stop();
}

static uint64_t page_at(uint64_t i) {
    return START + i * AX_PAGE_SIZE;
}

static void map_filled(uint64_t pages) {
    driver_map(parent, START, pages, RW);
    for (uint64_t i = 0; i < pages; i++)
        driver_write(parent, page_at(i), &i, sizeof(i));
}

static uint64_t value_in(struct process *process, uint64_t i) {
    uint64_t value = 0;
    driver_read(process, page_at(i), &value, sizeof(value));
    return value;
}

static struct process *child_of(ax_result handle) {
    ck_assert_int_gt(handle, 0);
    return container_of(driver_object(parent, (ax_handle)handle), struct process, object);
}

static ax_result clone(ax_place place) {
    return kcall(cloner, AX_CALL_PROCESS_CLONE, 0x401000, 0x7f8000, 0, place);
}

START_TEST(thousands_of_pages) {
    enum { PAGES = 6000 };
    large_start(12000, false);
    map_filled(PAGES);
    uint64_t restarts = kernel->counters.restarts;
    uint64_t frames = kernel->frames.free_count;
    struct process *child = child_of(clone(AX_PLACE_ANY));
    ck_assert_uint_ge(kernel->counters.restarts, restarts + PAGES / WORK_PORTION);
    ck_assert_uint_lt(frames - kernel->frames.free_count, PAGES / 8); /* nodes and tables */
    for (uint64_t i = 0; i < PAGES; i += 97) {
        ck_assert_uint_eq(value_in(child, i), i);
        driver_write(parent, page_at(i), &(uint64_t){~i}, sizeof(i));
        ck_assert_uint_eq(value_in(child, i), i);
    }
    large_stop();
}
END_TEST

/* Begins a clone and makes so many of its portions. */
static ax_result clone_portions(unsigned count) {
    ax_result result = clone(AX_PLACE_ANY);
    for (unsigned i = 0; result == DRIVER_RESTART && i < count; i++) {
        driver_step(cloner->cpu->id);
        result = driver_answer(cloner);
    }
    return result;
}

static struct process *clone_finished(void) {
    while (driver_answer(cloner) == DRIVER_RESTART) {
        driver_step(cloner->cpu->id);
        driver_check_invariants();
    }
    return child_of(driver_answer(cloner));
}

/* The other thread has a CPU of its own. */
static void manual_start(void) {
    large_start(2000, true);
    expect(root_call(AX_CALL_OBJECT_WAIT_MANY, 0, hal_time_ns() + 1000, 0), DRIVER_BLOCKED);
    expect(kcall(cloner, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 1), AX_OK);
    expect(kcall(other, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 2), AX_OK);
    map_filled(500);
}

START_TEST(pages_written_meanwhile_are_old_or_new) {
    expect(clone_portions(8), DRIVER_RESTART);
    for (uint64_t i = 0; i < 500; i += 3) {
        uint64_t *word = driver_touch(other, page_at(i), AX_PROT_WRITE);
        ck_assert_ptr_nonnull(word);
        *word = 100000 + i;
    }
    driver_check_invariants();
    struct process *child = clone_finished();
    unsigned old = 0, new = 0;
    for (uint64_t i = 0; i < 500; i++) {
        uint64_t value = value_in(child, i);
        ck_assert(value == i || (i % 3 == 0 && value == 100000 + i));
        old += i % 3 == 0 && value == i;
        new += value != i;
        ck_assert_uint_eq(value_in(parent, i), i % 3 == 0 ? 100000 + i : i);
    }
    ck_assert_uint_gt(old, 0);
    ck_assert_uint_gt(new, 0);
}
END_TEST

START_TEST(memory_unmapped_meanwhile_is_there_or_not) {
    expect(clone_portions(8), DRIVER_RESTART);
    expect(kcall(other, AX_CALL_MEMORY_UNMAP, 0, START, 490 * AX_PAGE_SIZE), DRIVER_RESTART);
    while (driver_answer(other) == DRIVER_RESTART)
        driver_step(other->cpu->id);
    expect(driver_answer(other), AX_OK);
    struct process *child = clone_finished();
    ck_assert_uint_eq(value_in(child, 0), 0);
    ck_assert_uint_eq(value_in(child, 10), 10);
    ck_assert_uint_eq(value_in(child, 499), 499);
    ck_assert_ptr_null(space_find(child, page_at(489)));
}
END_TEST

START_TEST(memory_mapped_and_protected_meanwhile) {
    expect(clone_portions(8), DRIVER_RESTART);
    driver_map(parent, START - 2 * AX_PAGE_SIZE, 1, RW); /* behind: not in the child */
    driver_map(parent, page_at(600), 1, RW);
    expect(kcall(other, AX_CALL_MEMORY_PROTECT, 0, page_at(400), 50 * AX_PAGE_SIZE, AX_PROT_READ),
           AX_OK);
    struct process *child = clone_finished();
    ck_assert_ptr_null(space_find(child, START - 2 * AX_PAGE_SIZE));
    ck_assert_ptr_nonnull(space_find(child, page_at(600)));
    ck_assert_uint_eq(space_find(child, page_at(420))->prot, AX_PROT_READ);
    ck_assert_uint_eq(space_find(child, page_at(470))->prot, RW);
    ck_assert_uint_eq(value_in(child, 420), 420);
}
END_TEST

START_TEST(two_threads_clone_at_a_time) {
    expect(clone_portions(8), DRIVER_RESTART);
    expect(kcall(other, AX_CALL_PROCESS_CLONE, 0x401000, 0x7f8000, 0, 0), DRIVER_RESTART);
    while (driver_answer(other) == DRIVER_RESTART) {
        driver_step(other->cpu->id);
        driver_step(cloner->cpu->id);
        driver_check_invariants();
    }
    struct process *first = clone_finished();
    struct process *second = child_of(driver_answer(other));
    for (uint64_t i = 0; i < 500; i += 50) {
        ck_assert_uint_eq(value_in(first, i), i);
        ck_assert_uint_eq(value_in(second, i), i);
    }
}
END_TEST

START_TEST(handles_closed_meanwhile) {
    for (unsigned i = 0; i < 600; i++)
        driver_handle(parent, &driver_root()->object, 0);
    expect(clone_portions(0), DRIVER_RESTART);
    for (ax_handle handle = 1; handle < 600; handle++)
        must_close(other, handle);
    driver_check_invariants();
    struct process *child = clone_finished();
    ck_assert(is_handle(child, 1));
    ck_assert(is_handle(child, 600));
    ck_assert(!is_handle(child, 599));
}
END_TEST

START_TEST(the_place_is_taken_meanwhile) {
    ax_result result = clone(AX_PLACE(0, 500));
    expect(result, DRIVER_RESTART);
    expect(kcall(other, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(0, 500)), 500);
    while (driver_answer(cloner) == DRIVER_RESTART)
        driver_step(cloner->cpu->id);
    expect(driver_answer(cloner), AX_ERR_EXISTS);
    driver_settle();
    ck_assert_uint_eq(kernel->counters.processes, 2);
}
END_TEST

START_TEST(a_thread_that_ends_while_it_clones) {
    uint64_t frames = kernel->frames.free_count;
    expect(clone_portions(8), DRIVER_RESTART);
    driver_advance(1000);
    driver_step(0); /* root wakes up */
    driver_step(1);
    end(parent, AX_CAUSE_KILLED);
    driver_settle();
    ck_assert_uint_eq(kernel->counters.processes, 2);
    expect(root_call(AX_CALL_HANDLE_CLOSE, driver_process_handle(parent), 0, 0), AX_OK);
    driver_settle();
    ck_assert_uint_eq(kernel->counters.processes, 1);
    ck_assert_uint_gt(kernel->frames.free_count, frames + 500);
}
END_TEST

/* ---- Failures -------------------------------------------------------------------------------- */

START_TEST(every_failure_leaves_nothing_behind) {
    map_filled(200);
    make(cloner, AX_TYPE_EVENT);
    uint64_t frames = kernel->frames.free_count, bytes = kernel->root_account->used_bytes;
    struct driver_snapshot *snapshot = driver_snapshot();
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        driver_restore(snapshot);
        driver_fail_after(n);
        ax_result result = clone(AX_PLACE_ANY);
        failed = driver_has_failed();
        driver_fail_after(0);
        driver_check_invariants();
        if (result == AX_ERR_MEMORY) {
            ck_assert_uint_eq(kernel->frames.free_count, frames);
            ck_assert_uint_eq(kernel->root_account->used_bytes, bytes);
            ck_assert_uint_eq(kernel->counters.processes, 2);
        } else {
            child_of(result);
        }
    }
    driver_snapshot_free(snapshot);
}
END_TEST

START_TEST(every_failure_of_the_machine_leaves_nothing_behind) {
    map_filled(70);
    make(cloner, AX_TYPE_EVENT);
    uint64_t bytes = kernel->root_account->used_bytes;
    struct driver_snapshot *snapshot = driver_snapshot();
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        driver_restore(snapshot);
        driver_fail_machine_after(n);
        ax_result result = clone(AX_PLACE_ANY);
        failed = driver_has_failed();
        driver_fail_machine_after(0);
        driver_check_invariants();
        if (result == AX_ERR_MEMORY)
            ck_assert_uint_eq(kernel->root_account->used_bytes, bytes);
        else
            child_of(result);
    }
    driver_snapshot_free(snapshot);
}
END_TEST

START_TEST(a_machine_without_memory_for_it_says_so) {
    map_filled(1500);
    driver_map(parent, 0x20000000, 2000, RW);
    uint64_t i = 0;
    while (kernel->frames.free_count > 5)
        driver_write(parent, 0x20000000 + i++ * AX_PAGE_SIZE, "x", 1);
    uint64_t processes = kernel->counters.processes;
    expect(clone(AX_PLACE_ANY), AX_ERR_MEMORY);
    ck_assert_uint_eq(kernel->counters.processes, processes);
    ck_assert_uint_eq(value_in(parent, 1400), 1400);
}
END_TEST

void process_large_tests(Suite *suite) {
    TCase *tcase = tcase_create("process_large");
    tcase_add_test(tcase, thousands_of_pages);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("process_large, meanwhile");
    tcase_add_checked_fixture(tcase, manual_start, large_stop);
    tcase_add_test(tcase, pages_written_meanwhile_are_old_or_new);
    tcase_add_test(tcase, memory_unmapped_meanwhile_is_there_or_not);
    tcase_add_test(tcase, memory_mapped_and_protected_meanwhile);
    tcase_add_test(tcase, two_threads_clone_at_a_time);
    tcase_add_test(tcase, handles_closed_meanwhile);
    tcase_add_test(tcase, the_place_is_taken_meanwhile);
    tcase_add_test(tcase, a_thread_that_ends_while_it_clones);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("process_large, failures");
    tcase_add_checked_fixture(tcase, small_start, large_stop);
    tcase_add_test(tcase, every_failure_leaves_nothing_behind);
    tcase_add_test(tcase, every_failure_of_the_machine_leaves_nothing_behind);
    tcase_add_test(tcase, a_machine_without_memory_for_it_says_so);
    suite_add_tcase(suite, tcase);
}
