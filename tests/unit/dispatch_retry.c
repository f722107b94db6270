/* SPDX-License-Identifier: MIT */
/* Calls that find no memory are made again as long as some is on its way back. */
#include "cpu_world.h"

/* An account that one process with its thread and a few pages exhausts. */
#define SMALL_BYTES UINT64_C(120000)
#define SOME_PAGES  16

static void pages_fill(struct process *process, struct thread *thread) {
    driver_map(process, 0x500000, SOME_PAGES, AX_PROT_READ | AX_PROT_WRITE);
    for (uint64_t page = 0; page < SOME_PAGES; page++)
        ck_assert_ptr_nonnull(driver_touch(thread, 0x500000 + page * AX_PAGE_SIZE, AX_PROT_WRITE));
}

static void end_now(struct process *process) {
    kernel_lock();
    process_end(process, AX_CAUSE_KILLED, 0, 0, 0);
    kernel_unlock();
}

START_TEST(limit_is_answered_when_nothing_comes_back) {
    machine_start(1);
    struct account *account = driver_account(SMALL_BYTES, 1000);
    struct process *process = driver_process_of(account);
    struct thread *thread = driver_thread(process);
    pages_fill(process, thread);
    uint64_t restarts = kernel->counters.restarts;
    expect(kcall(thread, AX_CALL_ACCOUNT_CREATE, 0, SMALL_BYTES, 1), AX_ERR_LIMIT);
    ck_assert_uint_eq(kernel->counters.restarts, restarts);
    ck_assert((account->object.signals & AX_SIGNAL_LIMIT) != 0);
    machine_stop();
}
END_TEST

/* A corpse keeps its memory until someone who shares its account needs it. */
START_TEST(corpse_gives_its_memory) {
    machine_start(1);
    struct account *account = driver_account(2 * SMALL_BYTES, 1000);
    struct process *first = driver_process_of(account);
    struct thread *thread = driver_thread(first);
    pages_fill(first, thread);
    end_now(first);
    driver_settle();
    ck_assert_int_eq(first->state, PROCESS_CORPSE);
    ck_assert_uint_gt(account->used_bytes, SOME_PAGES * AX_PAGE_SIZE);
    struct process *second = driver_process_of(account);
    struct thread *other = driver_thread(second);
    uint64_t wanted = 2 * SMALL_BYTES - 60000; /* not there until the corpse has gone */
    ck_assert_uint_lt(account->limit_bytes - account->used_bytes, wanted);
    ck_assert_int_gt(kcall(other, AX_CALL_ACCOUNT_CREATE, 0, wanted, 1), 0);
    ck_assert(first->released);
    ck_assert_int_eq(first->state, PROCESS_CORPSE);
    machine_stop();
}
END_TEST

START_TEST(corpse_of_another_account_is_left_alone) {
    machine_start(1);
    struct account *account = driver_account(SMALL_BYTES, 1000);
    struct account *other_account = driver_account(SMALL_BYTES, 1000);
    struct process *first = driver_process_of(other_account);
    driver_thread(first);
    end_now(first);
    driver_settle();
    struct thread *thread = driver_thread(driver_process_of(account));
    expect(kcall(thread, AX_CALL_ACCOUNT_CREATE, 0, SMALL_BYTES, 1), AX_ERR_LIMIT);
    ck_assert(!first->released);
    machine_stop();
}
END_TEST

static struct hal_event call_of(enum ax_call number, uint64_t a0, uint64_t a1, uint64_t a2) {
    return (struct hal_event){.kind = HAL_EVENT_CALL,
                              .call = {.number = number, .arguments = {a0, a1, a2}}};
}

/* What queued work will give back counts as there. */
START_TEST(pending_work_is_done_first) {
    machine_start_manual(1);
    struct account *account = driver_account(2 * SMALL_BYTES, 1000);
    struct process *first = driver_process_of(account);
    struct thread *thread = driver_thread(first);
    driver_settle();
    pages_fill(first, thread);
    struct process *second = driver_process_of(account);
    struct thread *other = driver_thread_with(second, 20, 0);
    driver_settle();
    ck_assert(runs(other));
    end_now(first);
    first->released = true; /* its memory goes as soon as it has ended */
    ck_assert(work_is_pending());
    struct hal_event event = call_of(AX_CALL_ACCOUNT_CREATE, 0, 2 * SMALL_BYTES - 60000, 1);
    uint64_t restarts = kernel->counters.restarts;
    kernel_lock();
    cpu_handle(&kernel->cpus[0], &event);
    kernel_unlock();
    expect(driver_answer(other), DRIVER_RESTART);
    ck_assert_uint_eq(kernel->counters.restarts, restarts + 1);
    kernel_lock();
    cpu_prepare(&kernel->cpus[0]);
    kernel_unlock();
    driver_settle();
    ck_assert_int_gt(driver_answer(other), 0);
    machine_stop();
}
END_TEST

/* So do frames that wait until no CPU can use them any more. */
START_TEST(waiting_frames_count) {
    struct driver_config config = {.model = {.cpu_count = 2, .memory_bytes = UINT64_C(1) << 20},
                                   .manual = true};
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    struct process *process = driver_process();
    struct thread *here = driver_thread(process), *there = driver_thread(process);
    pin(here, 1);
    pin(there, 2);
    driver_settle();
    uint64_t pages = kernel->frames.free_count;
    driver_map(process, 0x500000, pages, AX_PROT_READ | AX_PROT_WRITE);
    uint64_t page = 0;
    for (; kernel->frames.free_count > 0; page++)
        ck_assert_ptr_nonnull(driver_touch(here, 0x500000 + page * AX_PAGE_SIZE, AX_PROT_WRITE));
    struct hal_event unmap = call_of(AX_CALL_MEMORY_UNMAP, 0, 0x500000, 8 * AX_PAGE_SIZE);
    kernel_lock();
    cpu_handle(&kernel->cpus[0], &unmap);
    kernel_unlock();
    ck_assert_uint_gt(kernel->frames.waiting_count, 0);
    model_cpu_set(1);
    struct hal_event make = call_of(AX_CALL_MEMORY_CREATE, 4, AX_MEMORY_CONTIGUOUS, 0);
    while (work_is_pending()) {
        kernel_lock();
        work_run(WORK_PORTION);
        kernel_unlock();
    }
    kernel_lock();
    cpu_handle(&kernel->cpus[1], &make);
    kernel_unlock();
    expect(driver_answer(there), DRIVER_RESTART);
    kernel_lock();
    cpu_prepare(&kernel->cpus[1]);
    kernel_unlock();
    model_cpu_set(0);
    kernel_lock();
    cpu_prepare(&kernel->cpus[0]);
    kernel_unlock();
    driver_settle();
    ck_assert_int_gt(driver_answer(there), 0);
    machine_stop();
}
END_TEST

/* The machine has none left: all corpses count, whoever paid. */
START_TEST(machine_memory_comes_from_corpses) {
    struct driver_config config = {
        .model = {.memory_bytes = UINT64_C(1) << 20, .table_frames = true}};
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    struct process *first = driver_process();
    struct thread *thread = driver_thread(first);
    uint64_t pages = kernel->frames.free_count - 24;
    driver_map(first, 0x500000, pages, AX_PROT_READ | AX_PROT_WRITE);
    for (uint64_t page = 0; page < pages && kernel->frames.free_count > 20; page++)
        ck_assert_ptr_nonnull(driver_touch(thread, 0x500000 + page * AX_PAGE_SIZE, AX_PROT_WRITE));
    end_now(first);
    driver_settle();
    ck_assert_int_eq(first->state, PROCESS_CORPSE);
    struct process *second = driver_process();
    struct thread *other = driver_thread(second);
    driver_map(second, 0x500000, 64, AX_PROT_READ | AX_PROT_WRITE);
    for (uint64_t page = 0; page < 64; page++) /* faults are tried again as well */
        ck_assert_ptr_nonnull(driver_touch(other, 0x500000 + page * AX_PAGE_SIZE, AX_PROT_WRITE));
    ck_assert(first->released);
    machine_stop();
}
END_TEST

/* With no corpse either, the call fails cleanly, and a fault is the program's. */
START_TEST(memory_error_is_answered_at_the_end) {
    struct driver_config config = {.model = {.memory_bytes = UINT64_C(1) << 20}};
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    driver_map(process, 0x500000, 1024, AX_PROT_READ | AX_PROT_WRITE);
    uint64_t page = 0;
    while (driver_touch(thread, 0x500000 + page * AX_PAGE_SIZE, AX_PROT_WRITE) != NULL)
        page++;
    ck_assert_uint_gt(page, 20);
    ck_assert_int_ne(process->state, PROCESS_OPEN); /* it has no personality */
    ck_assert_uint_eq(process->fault, AX_FAULT_MEMORY);
    machine_stop();
}
END_TEST

/*
 * A call that makes much, and gives it all back when it finds no more, leaves work behind each
 * time: that must not be a reason to try for ever.
 */
START_TEST(own_leavings_are_no_reason) {
    machine_start(2);
    struct account *account = driver_account(SMALL_BYTES, 1000);
    struct process *process = driver_process_of(account);
    struct thread *thread = driver_thread(process);
    pages_fill(process, thread);
    uint64_t left = account->limit_bytes - account->used_bytes;
    ck_assert_int_gt(kcall(thread, AX_CALL_ACCOUNT_CREATE, 0, left - 3 * AX_PAGE_SIZE, 1), 0);
    uint64_t used_bytes = account->used_bytes, used_objects = account->used_objects;
    ax_result result = kcall(thread, AX_CALL_PROCESS_CLONE, 0x400000, 0, 0, 0);
    ck_assert(result == AX_ERR_LIMIT || result == AX_ERR_MEMORY);
    driver_settle();
    ck_assert_uint_eq(account->used_bytes, used_bytes);
    ck_assert_uint_eq(account->used_objects, used_objects);
    machine_stop();
}
END_TEST

/* More to do than one portion, again and again. */
static struct process *busy[WORK_PORTION + 10];
static void keep_busy(void) {
    kernel_lock();
    for (unsigned i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
        object_work(&busy[i]->object);
    kernel_unlock();
}

/* Most of MEMORY_PATIENCE would only take long: the tests begin with this much. */
#define PATIENCE_LEFT 200

/* Work without end keeps a call waiting, but not for ever. */
START_TEST(patience_ends) {
    machine_start_manual(1);
    struct account *account = driver_account(SMALL_BYTES, 1000);
    struct process *process = driver_process_of(account);
    struct thread *thread = driver_thread(process);
    driver_run(thread);
    for (unsigned i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
        busy[i] = driver_process();
    struct hal_event event = call_of(AX_CALL_ACCOUNT_CREATE, 0, SMALL_BYTES, 1);
    keep_busy();
    kernel_lock();
    cpu_handle(&kernel->cpus[0], &event);
    kernel_unlock();
    expect(driver_answer(thread), DRIVER_RESTART);
    ck_assert_uint_eq(thread->patience, MEMORY_PATIENCE - 1);
    thread->patience = PATIENCE_LEFT;
    unsigned steps = 0;
    while (driver_answer(thread) == DRIVER_RESTART) {
        ck_assert_uint_le(steps, PATIENCE_LEFT);
        kernel_lock();
        cpu_prepare(&kernel->cpus[0]);
        kernel_unlock();
        keep_busy();
        steps++;
    }
    ck_assert_uint_eq(steps, PATIENCE_LEFT + 1); /* the last one tries */
    expect(driver_answer(thread), AX_ERR_LIMIT);
    driver_settle();
    machine_stop();
}
END_TEST

/* Nor a page fault. */
START_TEST(patience_with_faults_ends) {
    machine_start_manual(1);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    uint64_t page = driver_map(process, 0, 2, AX_PROT_READ | AX_PROT_WRITE);
    thread->patience = 1;
    ck_assert_ptr_nonnull(driver_touch(thread, page + AX_PAGE_SIZE, AX_PROT_WRITE));
    ck_assert_uint_eq(thread->patience, MEMORY_PATIENCE); /* each fault has its own */
    for (unsigned i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
        busy[i] = driver_process();
    struct hal_event event = {.kind = HAL_EVENT_FAULT,
                              .fault = {page, AX_PROT_WRITE, AX_FAULT_UNMAPPED}};
    thread->patience = PATIENCE_LEFT;
    unsigned faults = 0;
    for (; process->state == PROCESS_OPEN; faults++) {
        ck_assert_uint_le(faults, PATIENCE_LEFT);
        keep_busy();
        driver_fail_after(1);
        kernel_lock();
        cpu_handle(&kernel->cpus[0], &event);
        kernel_unlock();
    }
    driver_fail_after(0);
    ck_assert_uint_eq(faults, PATIENCE_LEFT + 1); /* the last one ends it */
    ck_assert_uint_eq(process->fault, AX_FAULT_MEMORY);
    driver_settle();
    machine_stop();
}
END_TEST

TCase *dispatch_retry_tests(void) {
    TCase *tcase = tcase_create("dispatch_retry");
    tcase_add_test(tcase, limit_is_answered_when_nothing_comes_back);
    tcase_add_test(tcase, corpse_gives_its_memory);
    tcase_add_test(tcase, corpse_of_another_account_is_left_alone);
    tcase_add_test(tcase, pending_work_is_done_first);
    tcase_add_test(tcase, waiting_frames_count);
    tcase_add_test(tcase, machine_memory_comes_from_corpses);
    tcase_add_test(tcase, memory_error_is_answered_at_the_end);
    tcase_add_test(tcase, own_leavings_are_no_reason);
    tcase_add_test(tcase, patience_ends);
    tcase_add_test(tcase, patience_with_faults_ends);
    return tcase;
}
