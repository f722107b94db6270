/* SPDX-License-Identifier: MIT */
#include "upcall_world.h"

START_TEST(bounce_starts_the_personality) {
    uint64_t bounces = kernel->counters.bounces, made = kernel->counters.upcalls;
    driver_event(upcalls.thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE});
    ck_assert_uint_eq(upcalls.regs->rip, ENTRY);
    ck_assert_uint_eq(upcalls.regs->rsp, UPCALL_STACK);
    ck_assert_uint_eq(upcalls.regs->rflags, AX_RFLAGS_FIXED);
    ck_assert(regs_same_but_place(upcalls.regs, &upcalls.before)); /* the number is in rax yet */
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PERSONALITY);
    const struct ax_frame *frame = &upcalls.page->program;
    ck_assert_uint_eq(frame->reason, AX_UPCALL_BOUNCE);
    ck_assert(regs_same(&frame->regs, &upcalls.before));
    ck_assert_uint_eq(frame->fault, AX_FAULT_NONE);
    ck_assert_uint_eq(frame->address, 0);
    ck_assert_uint_eq(kernel->counters.bounces, bounces + 1);
    ck_assert_uint_eq(kernel->counters.upcalls, made + 1);
}
END_TEST

START_TEST(bounce_without_personality_ends_the_process) {
    upcalls.process->personality = (struct ax_personality){0};
    driver_bounce(upcalls.thread, 60);
    struct ax_object_info info = info_of(upcalls.process);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_BOUNCE);
    ck_assert_uint_eq(info.process.address, 0x412345); /* where */
    ck_assert_int_eq(upcalls.process->state, PROCESS_CORPSE);
}
END_TEST

START_TEST(bounce_inside_the_personality_is_a_fault) {
    upcall_enter();
    upcalls.regs->rip = ENTRY + 100;
    struct ax_frame program = upcalls.page->program;
    driver_event(upcalls.thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE});
    ck_assert_uint_eq(upcalls.regs->rip, RECOVERY);
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_RECOVERY);
    ck_assert_uint_eq(upcalls.page->recovery.reason, AX_UPCALL_FAULT);
    ck_assert_uint_eq(upcalls.page->recovery.fault, AX_FAULT_INSTRUCTION);
    ck_assert_uint_eq(upcalls.page->recovery.regs.rip, ENTRY + 100);
    ck_assert_int_eq(memcmp(&program, &upcalls.page->program, sizeof(program)), 0);
}
END_TEST

START_TEST(bounce_in_the_marked_range_is_a_fault) {
    upcalls.regs->rip = RANGE_START;
    driver_event(upcalls.thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE});
    ck_assert_uint_eq(upcalls.regs->rip, RECOVERY);
}
END_TEST

START_TEST(bad_stack_ends_the_process) {
    const uint64_t stacks[] = {AX_USER_END, UINT64_C(1) << 47, UINT64_MAX};
    upcalls.page->personality_stack = stacks[_i];
    driver_event(upcalls.thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE});
    struct ax_object_info info = info_of(upcalls.process);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_FAULT);
    ck_assert_uint_eq(info.process.fault, AX_FAULT_GENERAL);
    ck_assert_uint_eq(info.process.address, stacks[_i]);
}
END_TEST

START_TEST(page_may_say_anything) {
    upcalls.page->inside = _i == 0 ? 3 : UINT32_MAX; /* counts as: both frames are in use */
    driver_event(upcalls.thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE});
    ck_assert_uint_eq(info_of(upcalls.process).process.cause, AX_CAUSE_FAULT);
}
END_TEST

TCase *upcall_bounce_tests(void) {
    TCase *tcase = upcall_case("upcall_bounce");
    tcase_add_test(tcase, bounce_starts_the_personality);
    tcase_add_test(tcase, bounce_without_personality_ends_the_process);
    tcase_add_test(tcase, bounce_inside_the_personality_is_a_fault);
    tcase_add_test(tcase, bounce_in_the_marked_range_is_a_fault);
    tcase_add_loop_test(tcase, bad_stack_ends_the_process, 0, 3);
    tcase_add_loop_test(tcase, page_may_say_anything, 0, 2);
    return tcase;
}
