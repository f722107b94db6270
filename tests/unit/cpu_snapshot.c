/* SPDX-License-Identifier: MIT */
/* A copy of the machine's memory is a copy of the kernel: nothing of it lies anywhere else. */
#include "cpu_world.h"

static void *state_now(void) {
    void *state = malloc(model_state_bytes());
    ck_assert_ptr_nonnull(state);
    model_save(state);
    return state;
}

/* A bit of everything; answers something that depends on all of it. */
static uint64_t scenario(struct process *process, struct thread *thread) {
    uint64_t sum = 0;
    struct thread *other = driver_thread(process);
    ax_result event = kcall(thread, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    sum += (uint64_t)event * 3;
    uint64_t address = driver_map(process, 0x500000, 20, AX_PROT_READ | AX_PROT_WRITE);
    for (unsigned i = 0; i < 20; i++)
        *(uint64_t *)driver_touch(other, address + i * AX_PAGE_SIZE, AX_PROT_WRITE) = i;
    ax_result clone = kcall(thread, AX_CALL_PROCESS_CLONE, 0x400000, 0, 0);
    sum += (uint64_t)clone * 5;
    expect(kcall(other, AX_CALL_OBJECT_WAIT, (uint64_t)event, 1, AX_TIME_NEVER), DRIVER_BLOCKED);
    driver_advance(12345);
    expect(kcall(thread, AX_CALL_OBJECT_SIGNAL, (uint64_t)event, 0, 1), AX_OK);
    sum += (uint64_t)driver_answer(other) * 7;
    kcall(thread, AX_CALL_SYSTEM_CONTROL, 0, 0);
    expect(kcall(thread, AX_CALL_PROCESS_END, (uint64_t)clone, AX_CAUSE_KILLED, 0), AX_OK);
    expect(kcall(thread, AX_CALL_HANDLE_CLOSE, (uint64_t)clone), AX_OK);
    driver_settle();
    return sum + kernel->next_id * 11 + kernel->frames.free_count * 13;
}

START_TEST(restored_machine_goes_the_same_way) {
    struct driver_config config = {.model = {.cpu_count = 2,
                                             .memory_bytes = UINT64_C(1) << 20,
                                             .table_frames = true,
                                             .entry_ns = 50,
                                             .seed = 3}};
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    kernel->trace.mask = UINT64_MAX;
    struct driver_snapshot *snapshot = driver_snapshot();
    uint64_t sum = scenario(process, thread);
    void *first = state_now();
    for (unsigned i = 0; i < 3; i++) {
        driver_restore(snapshot);
        driver_check_invariants();
        ck_assert_uint_eq(scenario(process, thread), sum);
        void *again = state_now();
        ck_assert_int_eq(memcmp(first, again, model_state_bytes()), 0);
        free(again);
    }
    free(first);
    driver_snapshot_free(snapshot);
    machine_stop();
}
END_TEST

START_TEST(two_boots_are_the_same) {
    void *states[2];
    size_t size = 0;
    for (unsigned i = 0; i < 2; i++) {
        machine_start(2);
        struct process *process = driver_process();
        scenario(process, driver_thread(process));
        states[i] = state_now();
        size = model_state_bytes();
        machine_stop();
    }
    ck_assert_int_eq(memcmp(states[0], states[1], size), 0);
    free(states[0]);
    free(states[1]);
}
END_TEST

/* An explorer copies and hashes the state a million times: it has to be small. */
START_TEST(small_machines_are_small) {
    struct driver_config config = {.model = {.memory_bytes = UINT64_C(256) << 10,
                                             .translations = 128,
                                             .tlb_entries = 4,
                                             .irq_count = 1}};
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    struct process *process = driver_process();
    uint64_t address = driver_map(process, 0, 3, AX_PROT_READ | AX_PROT_WRITE);
    struct thread *thread = driver_thread(process);
    ck_assert_ptr_nonnull(driver_touch(thread, address, AX_PROT_WRITE));
    driver_check_invariants();
    ck_assert_uint_le(model_state_bytes(), (UINT64_C(256) << 10) + 16384);
    ck_assert_uint_ge(kernel->frames.free_count, 16);
    machine_stop();
}
END_TEST

TCase *cpu_snapshot_tests(void) {
    TCase *tcase = tcase_create("cpu_snapshot");
    tcase_add_test(tcase, restored_machine_goes_the_same_way);
    tcase_add_test(tcase, two_boots_are_the_same);
    tcase_add_test(tcase, small_machines_are_small);
    return tcase;
}
