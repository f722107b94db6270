/* SPDX-License-Identifier: MIT */
#include "upcall_world.h"

START_TEST(exception_starts_the_personality) {
    fault((uint32_t)_i, 0);
    ck_assert_uint_eq(upcalls.regs->rip, ENTRY);
    ck_assert_uint_eq(upcalls.regs->rsp, UPCALL_STACK);
    const struct ax_frame *frame = &upcalls.page->program;
    ck_assert_uint_eq(frame->reason, AX_UPCALL_FAULT);
    ck_assert_uint_eq(frame->fault, (uint32_t)_i);
    ck_assert(regs_same(&frame->regs, &upcalls.before));
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PERSONALITY);
}
END_TEST

START_TEST(bad_address_is_told) {
    uint64_t faults = kernel->counters.page_faults;
    fault(AX_FAULT_UNMAPPED, 0x123456789);
    const struct ax_frame *frame = &upcalls.page->program;
    ck_assert_uint_eq(frame->reason, AX_UPCALL_FAULT);
    ck_assert_uint_eq(frame->fault, AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(frame->address, 0x123456789);
    ck_assert_uint_eq(frame->access, AX_PROT_WRITE);
    ck_assert_uint_eq(kernel->counters.page_faults, faults + 1);
}
END_TEST

START_TEST(protection_is_told_from_absence) {
    driver_map(upcalls.process, 0x500000, 1, AX_PROT_READ);
    fault(AX_FAULT_UNMAPPED, 0x500010); /* the machine cannot tell, core can */
    ck_assert_uint_eq(upcalls.page->program.fault, AX_FAULT_PROTECTION);
    ck_assert_uint_eq(upcalls.page->program.address, 0x500010);
}
END_TEST

START_TEST(good_address_is_no_fault) {
    driver_map(upcalls.process, 0x500000, 1, AX_PROT_READ | AX_PROT_WRITE);
    fault(AX_FAULT_UNMAPPED, 0x500010);
    ck_assert(regs_same(upcalls.regs, &upcalls.before));
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PROGRAM);
    ck_assert_ptr_nonnull(driver_touch(upcalls.thread, 0x500010, AX_PROT_WRITE));
}
END_TEST

START_TEST(fault_without_personality_ends_the_process) {
    upcalls.process->personality = (struct ax_personality){0};
    fault(AX_FAULT_DIVIDE, 0);
    struct ax_object_info info = info_of(upcalls.process);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_FAULT);
    ck_assert_uint_eq(info.process.fault, AX_FAULT_DIVIDE);
}
END_TEST

START_TEST(fault_inside_goes_to_recovery) {
    upcall_enter();
    upcalls.regs->rip = ENTRY + 4;
    upcalls.regs->rbx = 99;
    struct ax_regs inside = *upcalls.regs;
    struct ax_frame program = upcalls.page->program;
    fault(AX_FAULT_UNMAPPED, 0x77777000);
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_RECOVERY);
    ck_assert_uint_eq(upcalls.regs->rip, RECOVERY);
    ck_assert_uint_eq(upcalls.regs->rsp, inside.rsp); /* as it was, stack too */
    ck_assert_uint_eq(upcalls.regs->rbx, 99);
    const struct ax_frame *frame = &upcalls.page->recovery;
    ck_assert(regs_same(&frame->regs, &inside));
    ck_assert_uint_eq(frame->fault, AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(frame->address, 0x77777000);
    ck_assert_int_eq(memcmp(&program, &upcalls.page->program, sizeof(program)), 0);
}
END_TEST

START_TEST(fault_inside_without_recovery_ends_the_process) {
    upcalls.process->personality.recovery = 0;
    upcall_enter();
    fault(AX_FAULT_UNMAPPED, 0x77777000);
    struct ax_object_info info = info_of(upcalls.process);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_FAULT);
    ck_assert_uint_eq(info.process.address, 0x77777000);
}
END_TEST

START_TEST(fault_in_recovery_ends_the_process) {
    upcall_enter();
    fault(AX_FAULT_UNMAPPED, 0x77777000);
    fault(AX_FAULT_ALIGNMENT, 0x88888000);
    struct ax_object_info info = info_of(upcalls.process);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_FAULT);
    ck_assert_uint_eq(info.process.fault, AX_FAULT_ALIGNMENT);
}
END_TEST

START_TEST(fault_in_the_marked_range_counts_as_inside) {
    const uint64_t places[] = {RANGE_START, RANGE_END - 1};
    upcalls.regs->rip = places[_i]; /* `inside` says program already */
    fault(AX_FAULT_DEBUG, 0);
    ck_assert_uint_eq(upcalls.regs->rip, RECOVERY);
    ck_assert_uint_eq(upcalls.page->program.reason, AX_UPCALL_NONE);
}
END_TEST

START_TEST(fault_beside_the_marked_range_is_the_programs) {
    const uint64_t places[] = {RANGE_START - 1, RANGE_END};
    upcalls.regs->rip = places[_i];
    fault(AX_FAULT_DEBUG, 0);
    ck_assert_uint_eq(upcalls.regs->rip, ENTRY);
}
END_TEST

START_TEST(limit_is_a_fault_of_memory) {
    struct account *account = driver_account(200000, 100);
    struct process *process = driver_process_of(account);
    struct thread *thread = driver_thread(process);
    driver_map(process, 0x500000, 100, AX_PROT_READ | AX_PROT_WRITE);
    process->personality = upcalls.process->personality;
    thread->page->personality_stack = UPCALL_STACK;
    driver_settle();
    uint64_t page = 0;
    while (driver_touch(thread, 0x500000 + page * AX_PAGE_SIZE, AX_PROT_WRITE) != NULL)
        page++;
    ck_assert_uint_gt(page, 5);
    ck_assert_uint_lt(page, 50);
    ck_assert_uint_eq(thread->page->program.fault, AX_FAULT_MEMORY);
    ck_assert_uint_eq(thread->page->program.address, 0x500000 + page * AX_PAGE_SIZE);
}
END_TEST

TCase *upcall_fault_tests(void) {
    TCase *tcase = upcall_case("upcall_fault");
    tcase_add_loop_test(tcase, exception_starts_the_personality, AX_FAULT_DIVIDE, AX_FAULT_COUNT);
    tcase_add_test(tcase, bad_address_is_told);
    tcase_add_test(tcase, protection_is_told_from_absence);
    tcase_add_test(tcase, good_address_is_no_fault);
    tcase_add_test(tcase, fault_without_personality_ends_the_process);
    tcase_add_test(tcase, fault_inside_goes_to_recovery);
    tcase_add_test(tcase, fault_inside_without_recovery_ends_the_process);
    tcase_add_test(tcase, fault_in_recovery_ends_the_process);
    tcase_add_loop_test(tcase, fault_in_the_marked_range_counts_as_inside, 0, 2);
    tcase_add_loop_test(tcase, fault_beside_the_marked_range_is_the_programs, 0, 2);
    tcase_add_test(tcase, limit_is_a_fault_of_memory);
    return tcase;
}
