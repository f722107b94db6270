/* SPDX-License-Identifier: MIT */
/* Freed frames wait until no CPU can use a translation to them; changes of spaces are numbered. */
#include "memory_tests.h"
#include "memory_world.h"

static struct frame *must_alloc(void) {
    struct frame *frame;
    expect(frame_alloc(NULL, 0, &frame), AX_OK);
    return frame;
}

/* What one CPU does before it enters user mode. */
static unsigned sync_all(void) {
    uint64_t until = kernel->frames.changes, change;
    unsigned count = 0;
    struct process *process;
    while ((process = space_sync_begin(until, &change)) != NULL) {
        space_sync_end(process, change);
        count++;
    }
    return count;
}

/* Some were freed. */
static bool reclaim(void) {
    uint64_t before = kernel->frames.waiting_count;
    frame_reclaim();
    return kernel->frames.waiting_count < before;
}

START_TEST(without_changes_a_frame_is_free_at_once) {
    kernel_lock();
    uint64_t free_count = kernel->frames.free_count;
    frame_unref(must_alloc());
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    ck_assert_uint_eq(kernel->frames.waiting_count, 0);
    kernel_unlock();
}
END_TEST

START_TEST(a_frame_freed_after_a_change_waits_for_it) {
    kernel_lock();
    uint64_t free_count = kernel->frames.free_count;
    struct frame *frame = must_alloc();
    space_dirty(world.process);
    frame_unref(frame);
    ck_assert_uint_eq(kernel->frames.free_count, free_count - 1);
    ck_assert_uint_eq(kernel->frames.waiting_count, 1);
    ck_assert(!reclaim());
    ck_assert_uint_eq(sync_all(), 1);
    ck_assert(reclaim());
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    ck_assert_uint_eq(kernel->frames.waiting_count, 0);
    ck_assert(!reclaim());
    kernel_unlock();
}
END_TEST

START_TEST(a_charge_ends_though_the_frame_waits) {
    kernel_lock();
    uint64_t used_bytes = world.account->used_bytes;
    struct frame *frame;
    expect(frame_alloc(world.account, 0, &frame), AX_OK);
    space_dirty(world.process);
    frame_unref(frame);
    ck_assert_uint_eq(world.account->used_bytes, used_bytes);
    sync_all();
    frame_reclaim();
    kernel_unlock();
}
END_TEST

START_TEST(a_frame_does_not_wait_for_later_changes) {
    kernel_lock();
    struct frame *early = must_alloc(), *late = must_alloc();
    space_dirty(world.process);
    frame_unref(early);
    ck_assert(!reclaim()); /* now it waits for the change so far */
    uint64_t change;
    struct process *process = space_sync_begin(kernel->frames.changes, &change);
    space_dirty(world.other);
    frame_unref(late);
    space_sync_end(process, change);
    ck_assert(reclaim());
    ck_assert_uint_eq(kernel->frames.waiting_count, 1);
    ck_assert_int_eq(early->state == FRAME_WAITING, false);
    ck_assert_int_eq(late->state, FRAME_WAITING);
    ck_assert_uint_eq(sync_all(), 1);
    ck_assert(reclaim());
    ck_assert_uint_eq(kernel->frames.waiting_count, 0);
    kernel_unlock();
}
END_TEST

START_TEST(many_waiting_frames_are_freed_in_portions) {
    kernel_lock();
    struct list taken;
    list_init(&taken);
    for (unsigned i = 0; i < 600; i++) {
        struct frame *frame = must_alloc();
        list_init(&frame->link);
        list_append(&taken, &frame->link);
    }
    space_dirty(world.process);
    struct list *node;
    while ((node = list_first(&taken)) != NULL) {
        list_remove(node);
        frame_unref(list_entry(node, struct frame, link));
    }
    sync_all();
    ck_assert(reclaim());
    ck_assert_uint_gt(kernel->frames.waiting_count, 0);
    while (kernel->frames.waiting_count > 0)
        ck_assert(reclaim());
    kernel_unlock();
}
END_TEST

START_TEST(a_change_holds_its_process_until_it_is_in_force) {
    kernel_lock();
    uint32_t refs = world.process->object.refs;
    space_dirty(world.process);
    space_dirty(world.process);
    ck_assert_uint_eq(world.process->object.refs, refs + 1);
    ck_assert_uint_eq(sync_all(), 1);
    ck_assert_uint_eq(world.process->object.refs, refs);
    kernel_unlock();
}
END_TEST

START_TEST(every_cpu_sees_to_a_change_that_is_not_yet_in_force) {
    kernel_lock();
    uint64_t first, second;
    space_dirty(world.process);
    uint64_t until = kernel->frames.changes;
    /* Neither can go on before the sync that it began itself is over. */
    ck_assert_ptr_eq(space_sync_begin(until, &first), world.process);
    ck_assert_ptr_eq(space_sync_begin(until, &second), world.process);
    ck_assert(!space_is_synced(until));
    space_sync_end(world.process, first);
    ck_assert(space_is_synced(until));
    ck_assert_ptr_null(space_sync_begin(until, &first));
    space_sync_end(world.process, second);
    kernel_unlock();
}
END_TEST

START_TEST(a_change_made_during_a_sync_needs_another) {
    kernel_lock();
    uint64_t change;
    space_dirty(world.process);
    struct process *process = space_sync_begin(kernel->frames.changes, &change);
    space_dirty(world.process);
    uint64_t until = kernel->frames.changes;
    space_sync_end(process, change);
    ck_assert(space_is_synced(change));
    ck_assert(!space_is_synced(until));
    /* Who only needs the first change has nothing left to do. */
    ck_assert_ptr_null(space_sync_begin(change, &change));
    ck_assert_uint_eq(sync_all(), 1);
    ck_assert(space_is_synced(until));
    kernel_unlock();
}
END_TEST

START_TEST(a_process_without_a_machine_space_has_no_changes) {
    struct process *stash = driver_process();
    kernel_lock();
    uint64_t changes = kernel->frames.changes;
    space_dirty(stash);
    space_hide(stash, AX_USER_START, 1);
    ck_assert_uint_eq(kernel->frames.changes, changes);
    kernel_unlock();
}
END_TEST

/* A process of its own, with machine space and no thread. */
static struct process *spaced_process(void) {
    struct process *process = NULL;
    expect(process_make(world.account, &process), AX_OK);
    expect(space_create(process), AX_OK);
    expect(space_create(process), AX_OK); /* once made it stays */
    return process;
}

/* What was removed waits to be in force, and for whoever is seeing to that. */
START_TEST(a_space_is_destroyed_when_its_changes_are_in_force) {
    uint64_t spaces = model_spaces();
    unsigned portion = WORK_PORTION;
    kernel_lock();
    struct process *process = spaced_process();
    ck_assert_uint_eq(model_spaces(), spaces + 1);
    space_dirty(process);
    ck_assert(!space_destroy(process, &portion));
    uint64_t change, same;
    ck_assert_ptr_eq(space_sync_begin(kernel->frames.changes, &change), process);
    ck_assert_ptr_eq(space_sync_begin(kernel->frames.changes, &same), process);
    ck_assert(!space_destroy(process, &portion));
    ck_assert(!space_is_synced(kernel->frames.changes));
    space_sync_end(process, change);
    ck_assert(space_is_synced(kernel->frames.changes));
    ck_assert(!space_destroy(process, &portion)); /* another CPU is still in it */
    space_sync_end(process, same);
    ck_assert_uint_eq(model_spaces(), spaces + 1);
    ck_assert(space_destroy(process, &portion));
    ck_assert_uint_eq(model_spaces(), spaces);
    ck_assert_uint_eq(process->space.table_pages, 0);
    ck_assert(space_destroy(process, &portion)); /* there is none any more */
    object_unref(&process->object);
    kernel_unlock();
    driver_settle();
}
END_TEST

START_TEST(tables_are_given_back_in_portions) {
    kernel_lock();
    struct process *process = spaced_process();
    uint64_t tables = process->space.table_pages;
    for (uint64_t i = 0; i < 5; i++)
        expect(space_show(process, i << 30, world.one->user.page, 1, HAL_READ), AX_OK);
    space_hide(process, 0, UINT64_C(1) << 25);
    ck_assert_uint_eq(process->space.table_pages, tables + 5); /* none goes with its last page */
    kernel_unlock();
    driver_settle();
    kernel_lock();
    tables = process->space.table_pages;
    unsigned portion = 0, steps = 0;
    for (; !space_destroy(process, &portion); portion = 1, steps++)
        ck_assert_uint_eq(process->space.table_pages, tables - steps);
    ck_assert_uint_eq(steps, tables);
    ck_assert_uint_eq(process->space.table_pages, 0);
    object_unref(&process->object);
    kernel_unlock();
    driver_settle();
}
END_TEST

START_TEST(thread_pages_are_given_back_in_portions) {
    kernel_lock();
    uint64_t used_bytes = world.account->used_bytes;
    struct process *process = spaced_process();
    for (uint32_t slot = 3; slot < 8; slot++) {
        struct frame *frame;
        uint64_t address = AX_THREAD_PAGES + slot * AX_PAGE_SIZE;
        expect(frame_alloc(process->account, 0, &frame), AX_OK);
        expect(space_show(process, address, frame_physical(frame), 1, HAL_READ | HAL_WRITE), AX_OK);
        space_keep_page(process, frame, slot);
    }
    uint64_t full_bytes = process->account->used_bytes;
    for (unsigned pages = 0; pages < 5; pages++) {
        unsigned portion = 1;
        ck_assert_uint_eq(process->space.pages->pins, 7 - pages); /* its slot */
        ck_assert_uint_eq(process->account->used_bytes, full_bytes - pages * AX_PAGE_SIZE);
        ck_assert(!space_destroy(process, &portion));
        ck_assert_uint_eq(portion, 0);
    }
    ck_assert_ptr_null(process->space.pages);
    kernel_unlock();
    driver_settle(); /* what was removed comes into force */
    kernel_lock();
    unsigned portion = WORK_PORTION;
    ck_assert(space_destroy(process, &portion));
    object_unref(&process->object);
    kernel_unlock();
    driver_settle();
    ck_assert_uint_eq(world.account->used_bytes, used_bytes);
}
END_TEST

/* A machine that needs a moment more for what a thread left: the process goes when it is ready. */
START_TEST(a_machine_may_take_its_time_with_a_space) {
    uint64_t spaces = model_spaces(), used_bytes = kernel->root_account->used_bytes;
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    expect(kcall(thread, AX_CALL_PROCESS_END, 0, AX_CAUSE_EXIT, 0), DRIVER_ENDED);
    driver_set_manual(true);
    model_destroy_wait(1000);
    kernel_lock();
    ck_assert_int_eq(handle_close(driver_root(), driver_process_handle(process)), AX_OK);
    kernel_unlock();
    for (unsigned i = 0; i < 10; i++) {
        hal_cpu_kick(0);
        driver_step(0);
        driver_check_invariants();
    }
    ck_assert(work_is_pending());
    ck_assert_uint_eq(model_spaces(), spaces + 1);
    driver_set_manual(false);
    ck_assert_uint_eq(model_spaces(), spaces);
    ck_assert_uint_eq(kernel->root_account->used_bytes, used_bytes);
}
END_TEST

START_TEST(a_space_is_made_or_not) {
    struct process *process = driver_process();
    uint64_t used_bytes = kernel->root_account->used_bytes, spaces = model_spaces();
    kernel_lock();
    ax_result result = AX_ERR_MEMORY;
    for (unsigned n = 1; result != AX_OK; n++) {
        ck_assert_uint_lt(n, 20);
        driver_fail_after(n);
        result = space_create(process);
        driver_fail_after(0);
        if (result != AX_OK) {
            expect(result, AX_ERR_MEMORY);
            ck_assert_uint_eq(kernel->root_account->used_bytes, used_bytes);
            ck_assert_uint_eq(model_spaces(), spaces);
        }
    }
    kernel_unlock();
    ck_assert_uint_eq(model_spaces(), spaces + 1);
}
END_TEST

/* Who cannot pay for a table is told so, wherever it was wanted: for the space, for a thread's
 * page, for a page that is touched. */
START_TEST(tables_beyond_the_limit_are_refused_as_such) {
    struct process *process = driver_process_of(world.other_account);
    struct object *object = &process->object;
    ax_handle handle = driver_handle(world.process, object, AX_RIGHT_ALL);
    uint64_t *limit = &world.other_account->limit_bytes, whole = *limit;
    uint64_t first = world.other_account->used_bytes;
    ax_result made = AX_ERR_LIMIT;
    for (*limit = first; made < 0; *limit += 512) {
        ck_assert_uint_lt(*limit, first + 32 * PAGE);
        made = kcall(world.one, AX_CALL_THREAD_CREATE, handle, AX_USER_START, 0, 0, AX_PLACE_ANY);
        ck_assert(made > 0 || made == AX_ERR_LIMIT);
    }
    ck_assert_uint_gt(process->space.table_pages, 1);
    *limit += PAGE;
    uint64_t at = driver_map(process, 0, 1, RW), tables = process->space.table_pages;
    kernel_lock();
    ax_result result = AX_ERR_LIMIT;
    for (*limit = world.other_account->used_bytes; result != AX_OK; *limit += 512) {
        uint32_t fault;
        result = page_fault(process, at, AX_PROT_READ, &fault);
        ck_assert(result == AX_OK || (result == AX_ERR_LIMIT && fault == AX_FAULT_MEMORY));
    }
    ck_assert_uint_gt(process->space.table_pages, tables);
    *limit = whole;
    kernel_unlock();
}
END_TEST

TCase *frame_wait_tests(void) {
    TCase *tcase = world_case("frame_wait");
    tcase_add_test(tcase, without_changes_a_frame_is_free_at_once);
    tcase_add_test(tcase, a_frame_freed_after_a_change_waits_for_it);
    tcase_add_test(tcase, a_charge_ends_though_the_frame_waits);
    tcase_add_test(tcase, a_frame_does_not_wait_for_later_changes);
    tcase_add_test(tcase, many_waiting_frames_are_freed_in_portions);
    tcase_add_test(tcase, a_change_holds_its_process_until_it_is_in_force);
    tcase_add_test(tcase, every_cpu_sees_to_a_change_that_is_not_yet_in_force);
    tcase_add_test(tcase, a_change_made_during_a_sync_needs_another);
    tcase_add_test(tcase, a_process_without_a_machine_space_has_no_changes);
    tcase_add_test(tcase, a_space_is_destroyed_when_its_changes_are_in_force);
    tcase_add_test(tcase, tables_are_given_back_in_portions);
    tcase_add_test(tcase, thread_pages_are_given_back_in_portions);
    tcase_add_test(tcase, a_machine_may_take_its_time_with_a_space);
    tcase_add_test(tcase, a_space_is_made_or_not);
    tcase_add_test(tcase, tables_beyond_the_limit_are_refused_as_such);
    return tcase;
}
