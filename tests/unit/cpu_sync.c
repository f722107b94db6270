/* SPDX-License-Identifier: MIT */
/* Changes of address spaces reach every CPU before anybody can tell. */
#include <string.h>

#include "cpu_world.h"

#define AREA UINT64_C(0x500000)

/* Two threads of one process, each on a CPU of its own. */
static struct process *process;
static struct thread *here, *there;

static void two_cpus(bool tagged, bool manual, struct model_hooks hooks) {
    struct driver_config config = {
        .model = {.cpu_count = 2, .table_frames = true, .tagged_tlb = tagged, .hooks = hooks}};
    config.manual = manual;
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    process = driver_process();
    here = driver_thread(process);
    pin(here, 1);
    there = driver_thread(process);
    pin(there, 2);
    driver_settle();
    ck_assert(runs_on(here, 0) && runs_on(there, 1));
}

START_TEST(unmapped_page_is_gone_everywhere) {
    two_cpus(_i != 0, false, (struct model_hooks){0});
    driver_map(process, AREA, 4, AX_PROT_READ | AX_PROT_WRITE);
    ck_assert_ptr_nonnull(driver_touch(there, AREA, AX_PROT_WRITE));
    ck_assert_ptr_nonnull(driver_touch(here, AREA, AX_PROT_WRITE));
    uint64_t syncs = kernel->counters.space_syncs;
    expect(kcall(here, AX_CALL_MEMORY_UNMAP, 0, AREA, AX_PAGE_SIZE), AX_OK);
    ck_assert_uint_gt(kernel->counters.space_syncs, syncs);
    driver_check_invariants();
    process->personality = (struct ax_personality){.entry = AREA};
    ck_assert_ptr_null(driver_touch(there, AREA, AX_PROT_READ));
    ck_assert_uint_eq(there->page->program.fault, AX_FAULT_UNMAPPED);
    machine_stop();
}
END_TEST

START_TEST(protection_is_reduced_everywhere) {
    two_cpus(_i != 0, false, (struct model_hooks){0});
    driver_map(process, AREA, 1, AX_PROT_READ | AX_PROT_WRITE);
    ck_assert_ptr_nonnull(driver_touch(there, AREA, AX_PROT_WRITE));
    expect(kcall(here, AX_CALL_MEMORY_PROTECT, 0, AREA, AX_PAGE_SIZE, AX_PROT_READ), AX_OK);
    process->personality = (struct ax_personality){.entry = AREA};
    ck_assert_ptr_nonnull(driver_touch(there, AREA, AX_PROT_READ));
    ck_assert_ptr_null(driver_touch(there, AREA, AX_PROT_WRITE));
    ck_assert_uint_eq(there->page->program.fault, AX_FAULT_PROTECTION);
    machine_stop();
}
END_TEST

/* After a copy on write here, a thread there must not go on reading the old page. */
START_TEST(copy_on_write_is_seen_everywhere) {
    two_cpus(_i != 0, false, (struct model_hooks){0});
    driver_map(process, AREA, 1, AX_PROT_READ | AX_PROT_WRITE);
    *(uint32_t *)driver_touch(here, AREA, AX_PROT_WRITE) = 1;
    ck_assert_int_gt(kcall(here, AX_CALL_PROCESS_CLONE, 0x400000, 0, 0), 0);
    ck_assert_uint_eq(*(uint32_t *)driver_touch(there, AREA, AX_PROT_READ), 1);
    *(uint32_t *)driver_touch(here, AREA, AX_PROT_WRITE) = 2;
    ck_assert_uint_eq(*(uint32_t *)driver_touch(there, AREA, AX_PROT_READ), 2);
    machine_stop();
}
END_TEST

/* While a sync is under way the lock is free, other CPUs go on, and freed frames wait. */
static unsigned syncs_seen;
static uint64_t waiting_seen;
static bool lock_was_free;
static void sync_hook(void *context, struct hal_space *space) {
    (void)context;
    (void)space;
    syncs_seen++;
    waiting_seen = kernel->frames.waiting_count;
    lock_was_free = atomic_load(&kernel->lock) == 0;
    if (syncs_seen == 1) {
        uint32_t cpu = hal_cpu_id();
        driver_step(1 - cpu); /* the other CPU passes through its whole loop meanwhile */
        ck_assert_uint_eq(hal_cpu_id(), cpu);
    }
}

START_TEST(frames_wait_for_the_sync) {
    two_cpus(false, true, (struct model_hooks){.sync = sync_hook});
    driver_map(process, AREA, 3, AX_PROT_READ | AX_PROT_WRITE);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(driver_touch(there, AREA + i * AX_PAGE_SIZE, AX_PROT_WRITE));
    driver_settle();
    syncs_seen = 0;
    uint64_t free_count = kernel->frames.free_count;
    expect(kcall(here, AX_CALL_MEMORY_UNMAP, 0, AREA, 3 * AX_PAGE_SIZE), AX_OK);
    ck_assert_uint_gt(syncs_seen, 0);
    ck_assert(lock_was_free);
    ck_assert_uint_ge(waiting_seen, 3);
    driver_settle();
    ck_assert_uint_eq(kernel->frames.waiting_count, 0);
    ck_assert_uint_ge(kernel->frames.free_count, free_count + 3);
    machine_stop();
}
END_TEST

/* No CPU enters user mode while a change is not in force, whoever made it. */
static void check_hook(void *context, struct hal_space *space) {
    (void)context;
    (void)space;
    ck_assert(!space_is_synced(kernel->frames.changes));
}

static bool user_checks(void *context, uint32_t cpu, struct hal_user *user,
                        struct hal_event *event) {
    (void)context;
    (void)cpu;
    (void)user;
    (void)event;
    ck_assert(space_is_synced(kernel->frames.changes));
    return false;
}

START_TEST(nobody_enters_user_mode_before_it_is_in_force) {
    two_cpus(false, true, (struct model_hooks){.sync = check_hook});
    driver_map(process, AREA, 3, AX_PROT_READ | AX_PROT_WRITE);
    ck_assert_ptr_nonnull(driver_touch(there, AREA, AX_PROT_WRITE));
    kernel_lock();
    unsigned portion = WORK_PORTION;
    uint64_t next = AREA;
    ck_assert_int_eq(space_unmap(process, &next, AREA + 3 * AX_PAGE_SIZE, &portion), AX_OK);
    kernel_unlock();
    ck_assert(!space_is_synced(kernel->frames.changes));
    driver_step(1); /* this CPU had nothing to do with it */
    ck_assert(space_is_synced(kernel->frames.changes));
    struct hal_event event = {.kind = HAL_EVENT_KICK};
    (void)user_checks(NULL, 1, &there->user, &event);
    machine_stop();
}
END_TEST

/* What another CPU does while the next sync waits. */
static void (*during_sync)(void);
static void once_hook(void *context, struct hal_space *space) {
    (void)context;
    (void)space;
    void (*run)(void) = during_sync;
    uint32_t cpu = hal_cpu_id();
    during_sync = NULL;
    if (run != NULL)
        run();
    model_cpu_set(cpu);
}

static struct thread *elsewhere;

static void three_cpus(void) {
    struct driver_config config = {
        .model = {.cpu_count = 3, .table_frames = true, .hooks = {.sync = once_hook}}};
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    process = driver_process();
    here = driver_thread(process);
    there = driver_thread(process);
    pin(here, 1);
    pin(there, 2);
    driver_settle();
    driver_map(process, AREA, 1, AX_PROT_READ | AX_PROT_WRITE);
    *(uint32_t *)driver_touch(there, AREA, AX_PROT_WRITE) = 1;
    driver_set_manual(true);
}

/* The event, without what follows it at once: the CPU's next step. */
static void meet_only(struct thread *thread, const struct hal_event *event) {
    uint32_t cpu = thread->cpu->id;
    ck_assert(runs_on(thread, cpu));
    model_cpu_set(cpu);
    kernel_lock();
    cpu_handle(&kernel->cpus[cpu], event);
    kernel_unlock();
    hal_cpu_kick(cpu);
}

/* A thread stores where it could before the clone, after another one met the fault. */
static void store_late(void) {
    void *pointer;
    struct hal_event event;
    ck_assert(!model_user_access(2, &elsewhere->user, AREA, AX_PROT_WRITE, &pointer, &event));
    meet_only(elsewhere, &event);
    model_cpu_set(1);
    ck_assert(model_user_access(1, &there->user, AREA, AX_PROT_WRITE, &pointer, &event));
    *(uint32_t *)pointer = 2;
}

START_TEST(no_store_is_lost_to_a_clone) {
    uint32_t word;
    three_cpus();
    driver_set_manual(false);
    elsewhere = driver_thread(process);
    pin(elsewhere, 4);
    driver_settle();
    driver_set_manual(true);
    during_sync = store_late;
    kcall(here, AX_CALL_PROCESS_CLONE, 0x400000, 0, 0);
    driver_settle();
    ck_assert_ptr_null(during_sync);
    ck_assert_int_gt(driver_answer(here), 0);
    *(uint32_t *)driver_touch(elsewhere, AREA + 4, AX_PROT_WRITE) = 3;
    driver_read(process, AREA, &word, sizeof(word));
    ck_assert_uint_eq(word, 2);
    machine_stop();
}
END_TEST

/* Core writes the parent's page, which the child was rid of a moment ago. */
static uint64_t word_address;
static void copy_early(void) {
    struct hal_event event = {.kind = HAL_EVENT_CALL, .call.number = AX_CALL_PROCESS_COPY};
    uint64_t arguments[5] = {0, AREA, word_address, 4, 1};
    memcpy(event.call.arguments, arguments, sizeof(arguments));
    meet_only(there, &event);
    void *pointer;
    model_cpu_set(2);
    ck_assert(model_user_access(2, &elsewhere->user, AREA, AX_PROT_READ, &pointer, &event));
    ck_assert_uint_eq(*(uint32_t *)pointer, 1);
}

START_TEST(what_a_sharer_can_still_read_is_not_written) {
    uint32_t word = 7;
    three_cpus();
    driver_set_manual(false);
    word_address = driver_map(process, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    driver_write(process, word_address, &word, sizeof(word));
    ax_handle handle = (ax_handle)kcall(here, AX_CALL_PROCESS_CLONE, 0x400000, 0, 0);
    struct process *child = (struct process *)driver_object(process, handle);
    elsewhere = list_entry(list_first(&child->threads), struct thread, in_process);
    pin(elsewhere, 4);
    ck_assert_uint_eq(*(uint32_t *)driver_touch(elsewhere, AREA, AX_PROT_READ), 1);
    driver_set_manual(true);
    during_sync = copy_early;
    expect(kcall(here, AX_CALL_MEMORY_UNMAP, handle, AREA, AX_PAGE_SIZE), AX_OK);
    ck_assert_ptr_null(during_sync);
    driver_settle();
    expect(driver_answer(there), sizeof(word));
    driver_read(process, AREA, &word, sizeof(word));
    ck_assert_uint_eq(word, 7);
    machine_stop();
}
END_TEST

/* A process that dies on one CPU while another is still in it. */
START_TEST(space_goes_when_nobody_is_in_it) {
    two_cpus(false, false, (struct model_hooks){0});
    uint64_t spaces = model_spaces(), users = model_users();
    driver_map(process, AREA, 100, AX_PROT_READ | AX_PROT_WRITE);
    for (uint64_t i = 0; i < 100; i++)
        ck_assert_ptr_nonnull(
            driver_touch(i % 2 ? here : there, AREA + i * AX_PAGE_SIZE, AX_PROT_WRITE));
    ax_handle handle = driver_process_handle(process);
    expect(kcall(here, AX_CALL_PROCESS_END, 0, AX_CAUSE_EXIT, 0), DRIVER_ENDED);
    ck_assert_uint_eq(model_users(), users - 2);
    ck_assert_uint_eq(model_spaces(), spaces); /* a corpse can be read */
    kernel_lock();
    ck_assert_int_eq(handle_close(driver_root(), handle), AX_OK);
    kernel_unlock();
    driver_settle();
    ck_assert_uint_eq(model_spaces(), spaces - 1);
    machine_stop();
}
END_TEST

TCase *cpu_sync_tests(void) {
    TCase *tcase = tcase_create("cpu_sync");
    tcase_add_loop_test(tcase, unmapped_page_is_gone_everywhere, 0, 2);
    tcase_add_loop_test(tcase, protection_is_reduced_everywhere, 0, 2);
    tcase_add_loop_test(tcase, copy_on_write_is_seen_everywhere, 0, 2);
    tcase_add_test(tcase, frames_wait_for_the_sync);
    tcase_add_test(tcase, nobody_enters_user_mode_before_it_is_in_force);
    tcase_add_test(tcase, no_store_is_lost_to_a_clone);
    tcase_add_test(tcase, what_a_sharer_can_still_read_is_not_written);
    tcase_add_test(tcase, space_goes_when_nobody_is_in_it);
    return tcase;
}
