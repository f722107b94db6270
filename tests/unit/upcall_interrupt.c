/* SPDX-License-Identifier: MIT */
#include "upcall_world.h"

START_TEST(interrupt_starts_the_personality) {
    interrupt();
    ck_assert_uint_eq(upcalls.regs->rip, ENTRY);
    ck_assert_uint_eq(upcalls.page->program.reason, AX_UPCALL_INTERRUPT);
    ck_assert(regs_same(&upcalls.page->program.regs, &upcalls.before));
    ck_assert_uint_eq(upcalls.page->pending, 0); /* delivered */
    expect(kcall(upcalls.thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 0);
}
END_TEST

START_TEST(interrupt_reaches_a_thread_on_another_cpu) {
    driver_stop();
    machine_start(2);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    process->personality = (struct ax_personality){.entry = ENTRY};
    thread->page->personality_stack = UPCALL_STACK;
    pin(thread, 2);
    driver_settle();
    ck_assert(runs_on(thread, 1));
    with_lock(thread_interrupt, thread); /* by CPU 0 */
    ck_assert(model_cpu_is_pending(1));
    driver_settle();
    ck_assert_uint_eq(thread->user.regs.rip, ENTRY);
}
END_TEST

START_TEST(interrupt_waits_inside_the_personality) {
    upcall_enter();
    struct ax_regs inside = *upcalls.regs;
    interrupt();
    ck_assert(regs_same(upcalls.regs, &inside));
    ck_assert_uint_eq(upcalls.page->pending, 1);
    ck_assert_uint_eq(upcalls.page->program.reason, AX_UPCALL_BOUNCE);
    driver_step(0);
    ck_assert(regs_same(upcalls.regs, &inside));
}
END_TEST

START_TEST(interrupt_waits_in_recovery) {
    upcall_enter();
    fault(AX_FAULT_UNMAPPED, 0x77777000);
    interrupt();
    ck_assert_uint_eq(upcalls.regs->rip, RECOVERY);
    ck_assert_uint_eq(upcalls.page->pending, 1);
}
END_TEST

START_TEST(resume_delivers_what_waited) {
    upcall_enter();
    interrupt();
    upcalls.page->program.regs.rbx = 4242; /* the personality changed the program's registers */
    upcalls.regs->rip = ENTRY + 8;
    kcall(upcalls.thread, AX_CALL_RESUME, 0);
    ck_assert_uint_eq(upcalls.regs->rip, ENTRY);
    ck_assert_uint_eq(upcalls.regs->rsp, UPCALL_STACK);
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PERSONALITY);
    ck_assert_uint_eq(upcalls.page->program.reason, AX_UPCALL_INTERRUPT);
    ck_assert_uint_eq(upcalls.page->program.regs.rbx, 4242);
    ck_assert_uint_eq(upcalls.page->pending, 0);
    kcall(upcalls.thread, AX_CALL_RESUME, 0); /* once */
    ck_assert_uint_eq(upcalls.regs->rip, 0x412345);
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PROGRAM);
}
END_TEST

START_TEST(take_forgets_what_waited) {
    upcall_enter();
    interrupt();
    expect(kcall(upcalls.thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 1);
    ck_assert_uint_eq(upcalls.page->pending, 0);
    kcall(upcalls.thread, AX_CALL_RESUME, 0);
    ck_assert_uint_eq(upcalls.regs->rip, 0x412345);
}
END_TEST

/* Whether it has cleared `inside` yet or not. */
START_TEST(marked_range_is_restarted) {
    upcall_enter();
    upcalls.page->inside = (uint32_t)_i;
    upcalls.regs->rip = RANGE_START + 5;
    struct ax_frame program = upcalls.page->program;
    uint64_t stack = upcalls.regs->rsp;
    interrupt();
    ck_assert_uint_eq(upcalls.regs->rip, RANGE_RESTART);
    ck_assert_uint_eq(upcalls.regs->rsp, stack);
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PERSONALITY);
    ck_assert_uint_eq(upcalls.page->pending, 1);
    ck_assert_int_eq(memcmp(&program, &upcalls.page->program, sizeof(program)), 0);
    driver_step(0); /* outside the range: it is left alone */
    ck_assert_uint_eq(upcalls.regs->rip, RANGE_RESTART);
    kcall(upcalls.thread, AX_CALL_RESUME, 0);
    ck_assert_uint_eq(upcalls.regs->rip, ENTRY);
    ck_assert_uint_eq(upcalls.page->program.reason, AX_UPCALL_INTERRUPT);
}
END_TEST

START_TEST(beside_the_range_nothing_is_restarted) {
    const uint64_t places[] = {RANGE_START - 1, RANGE_END};
    upcall_enter();
    upcalls.regs->rip = places[_i];
    interrupt();
    ck_assert_uint_eq(upcalls.regs->rip, places[_i]);
}
END_TEST

START_TEST(blocked_call_ends_and_then_comes_the_upcall) {
    expect(kcall(upcalls.thread, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), DRIVER_BLOCKED);
    struct ax_regs blocked = *upcalls.regs;
    interrupt();
    driver_settle();
    ck_assert_uint_eq(upcalls.regs->rip, ENTRY);
    ck_assert_uint_eq(upcalls.page->program.reason, AX_UPCALL_INTERRUPT);
    ck_assert_int_eq((int64_t)upcalls.page->program.regs.rax, AX_ERR_INTERRUPTED);
    ck_assert_uint_eq(upcalls.page->program.regs.rip, blocked.rip);
}
END_TEST

/* Inside the personality the call that would block is not begun, and TAKE must be asked. */
START_TEST(pending_interrupt_keeps_calls_from_blocking) {
    upcall_enter();
    interrupt();
    expect(kcall(upcalls.thread, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), AX_ERR_INTERRUPTED);
    expect(kcall(upcalls.thread, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), AX_ERR_INTERRUPTED);
    expect(kcall(upcalls.thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 1);
    expect(kcall(upcalls.thread, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), DRIVER_BLOCKED);
}
END_TEST

START_TEST(interrupt_without_personality_stays) {
    upcalls.process->personality = (struct ax_personality){0};
    interrupt();
    ck_assert(regs_same(upcalls.regs, &upcalls.before));
    ck_assert_uint_eq(upcalls.page->pending, 1);
    expect(kcall(upcalls.thread, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), AX_ERR_INTERRUPTED);
    upcalls.page->program.regs = upcalls.before;
    kcall(upcalls.thread, AX_CALL_RESUME, 0); /* resume has nowhere to deliver it to */
    ck_assert_uint_eq(upcalls.regs->rip, 0x412345);
    expect(kcall(upcalls.thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 1);
}
END_TEST

START_TEST(interrupt_on_a_bad_stack_ends_the_process) {
    upcalls.page->personality_stack = UINT64_MAX;
    interrupt();
    driver_settle();
    ck_assert_int_eq(upcalls.process->state, PROCESS_CORPSE);
}
END_TEST

TCase *upcall_interrupt_tests(void) {
    TCase *tcase = upcall_case("upcall_interrupt");
    tcase_add_test(tcase, interrupt_starts_the_personality);
    tcase_add_test(tcase, interrupt_reaches_a_thread_on_another_cpu);
    tcase_add_test(tcase, interrupt_waits_inside_the_personality);
    tcase_add_test(tcase, interrupt_waits_in_recovery);
    tcase_add_test(tcase, resume_delivers_what_waited);
    tcase_add_test(tcase, take_forgets_what_waited);
    tcase_add_loop_test(tcase, marked_range_is_restarted, AX_INSIDE_PROGRAM, AX_INSIDE_RECOVERY);
    tcase_add_loop_test(tcase, beside_the_range_nothing_is_restarted, 0, 2);
    tcase_add_test(tcase, blocked_call_ends_and_then_comes_the_upcall);
    tcase_add_test(tcase, pending_interrupt_keeps_calls_from_blocking);
    tcase_add_test(tcase, interrupt_without_personality_stays);
    tcase_add_test(tcase, interrupt_on_a_bad_stack_ends_the_process);
    return tcase;
}
