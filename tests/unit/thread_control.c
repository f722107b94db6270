/* SPDX-License-Identifier: MIT */
/* thread_control: interrupts, priorities, affinity, registers. */
#include "process_tests.h"

static ax_handle sam_handle; /* of the client's, all rights */

static void control_start(void) {
    ipc_start();
    sam_handle = grant_thread(world.sam, world.client, AX_RIGHT_ALL);
}

static ax_result control(uint64_t op, uint64_t value) {
    return kcall(world.one, AX_CALL_THREAD_CONTROL, sam_handle, op, value);
}

static struct ax_regs regs_of(ax_handle handle) {
    struct ax_regs regs;
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, handle, AX_THREAD_GET_REGS), AX_OK);
    memcpy(&regs, world.one->page->buffer, sizeof(regs));
    return regs;
}

static ax_result set_regs(const struct ax_regs *regs) {
    memcpy(world.one->page->buffer, regs, sizeof(*regs));
    return control(AX_THREAD_SET_REGS, 0);
}

/* sam is READY and stays so. */
static void hold_sam(void) {
    ax_handle server = grant(world.server, world.client, AX_RIGHT_ALL);
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, server, AX_PROCESS_SUSPEND), AX_OK);
}

START_TEST(an_interrupt_is_taken_once) {
    expect(control(AX_THREAD_INTERRUPT, 0), AX_OK);
    expect(control(AX_THREAD_INTERRUPT, 0), AX_OK);
    ck_assert_uint_eq(world.sam->page->pending, 1);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 1);
    ck_assert_uint_eq(world.sam->page->pending, 0);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 0);
}
END_TEST

START_TEST(a_thread_interrupts_itself) {
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_INTERRUPT), AX_OK);
    expect(receive(world.sam, world.endpoint), AX_ERR_INTERRUPTED);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 1);
}
END_TEST

START_TEST(an_interrupt_ends_what_a_thread_waits_for) {
    waits(world.sam, world.endpoint);
    expect(control(AX_THREAD_INTERRUPT, 0), AX_OK);
    expect(driver_answer(world.sam), AX_ERR_INTERRUPTED);
}
END_TEST

START_TEST(an_interrupt_can_be_taken_only_by_oneself) {
    expect(control(AX_THREAD_INTERRUPT, 0), AX_OK);
    expect(control(AX_THREAD_TAKE, 0), AX_ERR_ARGUMENT);
    ax_handle own = grant_thread(world.sam, world.server, AX_RIGHT_CONTROL);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, own, AX_THREAD_TAKE), 1);
}
END_TEST

START_TEST(a_priority_is_at_most_the_callers) {
    expect(control(AX_THREAD_PRIORITY, 3), AX_OK);
    ck_assert_uint_eq(world.sam->priority, 3);
    expect(control(AX_THREAD_PRIORITY, 16), AX_OK);
    ck_assert_uint_eq(world.sam->priority, 16);
    expect(control(AX_THREAD_PRIORITY, 17), AX_ERR_RIGHTS);
    expect(control(AX_THREAD_PRIORITY, 63), AX_ERR_RIGHTS);
    expect(control(AX_THREAD_PRIORITY, 64), AX_ERR_ARGUMENT);
    expect(control(AX_THREAD_PRIORITY, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_PRIORITY, 0), AX_OK);
    ck_assert_uint_eq(world.one->base_priority, 0);
}
END_TEST

START_TEST(what_is_lent_gives_no_right_to_more) {
    calls(driver_thread_with(world.client, 20, 0), world.session, 1);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_PRIORITY, 20), AX_ERR_RIGHTS);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_PRIORITY, 4), AX_OK);
    ck_assert_uint_eq(world.sam->priority, 20);
    ck_assert_uint_eq(world.sam->base_priority, 4);
}
END_TEST

START_TEST(an_affinity_names_a_cpu_that_is_there) {
    expect(control(AX_THREAD_AFFINITY, 0), AX_ERR_ARGUMENT);
    expect(control(AX_THREAD_AFFINITY, 4), AX_ERR_ARGUMENT);
    expect(control(AX_THREAD_AFFINITY, 6), AX_OK);
    driver_run(world.sam);
    ck_assert_uint_eq(world.sam->cpu->id, 1);
    ck_assert_uint_eq(world.sam->page->cpu, 1);
    expect(control(AX_THREAD_AFFINITY, UINT64_MAX), AX_OK);
}
END_TEST

START_TEST(registers_are_read) {
    world.sam->user.regs.r12 = 1212;
    world.sam->user.regs.fs_base = 0x7000;
    struct ax_regs regs = regs_of(sam_handle);
    ck_assert_uint_eq(regs.r12, 1212);
    ck_assert_uint_eq(regs.fs_base, 0x7000);
    ck_assert_uint_eq(regs.rip, world.sam->user.regs.rip);
}
END_TEST

START_TEST(registers_are_written) {
    hold_sam();
    struct ax_regs regs = regs_of(sam_handle);
    regs.rip = 0x456000;
    regs.rax = 5;
    regs.rflags = UINT64_MAX;
    regs.reserved = 7;
    expect(set_regs(&regs), AX_OK);
    ck_assert_uint_eq(world.sam->user.regs.rip, 0x456000);
    ck_assert_uint_eq(world.sam->user.regs.rax, 5);
    ck_assert_uint_eq(world.sam->user.regs.rflags, AX_RFLAGS_USER | AX_RFLAGS_FIXED);
    ck_assert_uint_eq(world.sam->user.regs.reserved, 0);
}
END_TEST

START_TEST(registers_that_cannot_be_loaded_are_refused) {
    hold_sam();
    struct ax_regs before = regs_of(sam_handle);
    struct ax_regs regs = before;
    regs.rip = AX_USER_END;
    expect(set_regs(&regs), AX_ERR_ARGUMENT);
    regs = before;
    regs.fs_base = UINT64_C(1) << 63;
    expect(set_regs(&regs), AX_ERR_ARGUMENT);
    ck_assert_mem_eq(&world.sam->user.regs, &before, sizeof(before));
}
END_TEST

START_TEST(registers_are_not_written_inside_a_call) {
    waits(world.sam, world.endpoint);
    hold_sam();
    struct ax_regs regs = regs_of(sam_handle);
    expect(set_regs(&regs), AX_ERR_STATE);
}
END_TEST

START_TEST(registers_are_not_written_while_it_runs) {
    struct ax_regs regs = regs_of(sam_handle);
    memcpy(world.one->page->buffer, &regs, sizeof(regs));
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_SET_REGS), AX_ERR_STATE);
}
END_TEST

START_TEST(each_operation_needs_its_right) {
    static const uint32_t rights[] = {
        [AX_THREAD_INTERRUPT] = AX_RIGHT_CONTROL, [AX_THREAD_TAKE] = AX_RIGHT_CONTROL,
        [AX_THREAD_PRIORITY] = AX_RIGHT_CONTROL,  [AX_THREAD_AFFINITY] = AX_RIGHT_CONTROL,
        [AX_THREAD_GET_REGS] = AX_RIGHT_INSPECT,  [AX_THREAD_SET_REGS] = AX_RIGHT_CHANGE,
    };
    for (unsigned op = 0; op <= AX_THREAD_SET_REGS; op++) {
        ax_handle weak = grant_thread(world.sam, world.client, AX_RIGHT_ALL & ~rights[op]);
        ax_handle strong = grant_thread(world.sam, world.client, rights[op]);
        expect(kcall(world.one, AX_CALL_THREAD_CONTROL, weak, op, 1), AX_ERR_RIGHTS);
        ck_assert_int_ne(kcall(world.one, AX_CALL_THREAD_CONTROL, strong, op, 1), AX_ERR_RIGHTS);
    }
}
END_TEST

START_TEST(controlling_needs_a_thread_and_a_known_operation) {
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, world.session, 0), AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, stale(world.one), 0), AX_ERR_HANDLE);
    expect(control(AX_THREAD_SET_REGS + 1, 0), AX_ERR_ARGUMENT);
    expect(control(UINT64_MAX, 0), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(an_ended_thread_is_not_controlled_but_read) {
    world.sam->user.regs.rbx = 3;
    end(world.server, AX_CAUSE_KILLED);
    for (unsigned op = 0; op <= AX_THREAD_SET_REGS; op++)
        expect(control(op, 1), op == AX_THREAD_GET_REGS ? (ax_result)AX_OK : AX_ERR_ENDED);
    ck_assert_uint_eq(regs_of(sam_handle).rbx, 3);
}
END_TEST

START_TEST(a_thread_on_another_cpu_is_told_at_once) {
    driver_run(world.sam);
    ck_assert_ptr_ne(world.sam->cpu, driver_root_thread()->cpu);
    ax_handle handle = grant_thread(world.sam, driver_root(), AX_RIGHT_CONTROL);
    driver_set_manual(true);
    ck_assert(!model_cpu_is_pending(world.sam->cpu->id));
    expect(root_call(AX_CALL_THREAD_CONTROL, handle, AX_THREAD_INTERRUPT, 0), AX_OK);
    ck_assert(model_cpu_is_pending(world.sam->cpu->id));
    driver_set_manual(false);
}
END_TEST

void thread_control_tests(Suite *suite) {
    TCase *tcase = tcase_create("thread_control");
    tcase_add_checked_fixture(tcase, control_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, an_interrupt_is_taken_once);
    tcase_add_test(tcase, a_thread_interrupts_itself);
    tcase_add_test(tcase, an_interrupt_ends_what_a_thread_waits_for);
    tcase_add_test(tcase, an_interrupt_can_be_taken_only_by_oneself);
    tcase_add_test(tcase, a_priority_is_at_most_the_callers);
    tcase_add_test(tcase, what_is_lent_gives_no_right_to_more);
    tcase_add_test(tcase, an_affinity_names_a_cpu_that_is_there);
    tcase_add_test(tcase, registers_are_read);
    tcase_add_test(tcase, registers_are_written);
    tcase_add_test(tcase, registers_that_cannot_be_loaded_are_refused);
    tcase_add_test(tcase, registers_are_not_written_inside_a_call);
    tcase_add_test(tcase, registers_are_not_written_while_it_runs);
    tcase_add_test(tcase, each_operation_needs_its_right);
    tcase_add_test(tcase, controlling_needs_a_thread_and_a_known_operation);
    tcase_add_test(tcase, an_ended_thread_is_not_controlled_but_read);
    tcase_add_test(tcase, a_thread_on_another_cpu_is_told_at_once);
}
