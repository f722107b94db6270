/* SPDX-License-Identifier: MIT */
#include "upcall_world.h"

START_TEST(resume_loads_all_registers) {
    upcall_enter();
    struct ax_regs wanted = upcalls.before;
    wanted.rax = 1000;
    wanted.rcx = 1001;
    wanted.r11 = 1002;
    wanted.rsp = UINT64_C(0xdeadbeefdeadbeef); /* any: its use faults, not its loading */
    wanted.rip = AX_USER_END - 1;
    wanted.fs_base = AX_USER_END - 1;
    upcalls.page->program.regs = wanted;
    kcall(upcalls.thread, AX_CALL_RESUME, 0);
    ck_assert(regs_same(upcalls.regs, &wanted));
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PROGRAM);
}
END_TEST

START_TEST(resume_makes_flags_harmless) {
    upcall_enter();
    upcalls.page->program.regs.rflags = UINT64_MAX;
    upcalls.page->program.regs.reserved = 5;
    kcall(upcalls.thread, AX_CALL_RESUME, 0);
    ck_assert_uint_eq(upcalls.regs->rflags, AX_RFLAGS_USER | AX_RFLAGS_FIXED);
    ck_assert_uint_eq(upcalls.regs->rflags & 0x3000, 0); /* no I/O privilege */
    ck_assert_uint_eq(upcalls.regs->reserved, 0);
    upcall_enter();
    upcalls.page->program.regs.rflags = 0;
    kcall(upcalls.thread, AX_CALL_RESUME, 0);
    ck_assert_uint_eq(upcalls.regs->rflags, AX_RFLAGS_FIXED); /* interrupts stay enabled */
}
END_TEST

START_TEST(resume_refuses_bad_addresses) {
    const uint64_t addresses[] = {AX_USER_END, UINT64_C(1) << 47, UINT64_C(0xffff800000000000),
                                  UINT64_MAX};
    upcall_enter();
    struct ax_regs inside = *upcalls.regs;
    struct ax_frame *frame = _i % 2 == 0 ? &upcalls.page->program : &upcalls.page->recovery;
    frame->regs = upcalls.before;
    if (_i < 8)
        frame->regs.rip = addresses[_i / 2];
    else
        frame->regs.fs_base = addresses[_i / 2 - 4];
    expect(kcall(upcalls.thread, AX_CALL_RESUME, _i % 2), AX_ERR_ARGUMENT);
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PERSONALITY); /* nothing was changed */
    inside.rax = upcalls.regs->rax;
    ck_assert(regs_same(upcalls.regs, &inside));
}
END_TEST

START_TEST(resume_of_recovery_goes_back_inside) {
    upcall_enter();
    upcalls.regs->rip = ENTRY + 4;
    struct ax_regs inside = *upcalls.regs;
    fault(AX_FAULT_UNMAPPED, 0x77777000);
    with_lock(thread_interrupt, upcalls.thread); /* waits: it is for the program's frame */
    kcall(upcalls.thread, AX_CALL_RESUME, 1);
    ck_assert(regs_same(upcalls.regs, &inside));
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PERSONALITY);
    ck_assert_uint_eq(upcalls.page->pending, 1);
}
END_TEST

START_TEST(resume_knows_two_frames) {
    upcall_enter();
    expect(kcall(upcalls.thread, AX_CALL_RESUME, 2), AX_ERR_ARGUMENT);
    expect(kcall(upcalls.thread, AX_CALL_RESUME, UINT64_MAX), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(resume_without_an_upcall_loads_the_frame) {
    upcalls.page->program.regs = upcalls.before;
    upcalls.page->program.regs.rdx = 31;
    kcall(upcalls.thread, AX_CALL_RESUME, 0);
    ck_assert_uint_eq(upcalls.regs->rdx, 31);
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PROGRAM);
}
END_TEST

/* A whole round, as for each system call of a program. */
START_TEST(bounce_and_resume_many_times) {
    for (uint64_t i = 0; i < 100; i++) {
        *upcalls.regs = upcalls.before;
        upcalls.regs->rip += 2 * i;
        driver_bounce(upcalls.thread, i);
        ck_assert_uint_eq(upcalls.page->program.regs.rax, i);
        upcalls.page->program.regs.rax = i + 1;
        kcall(upcalls.thread, AX_CALL_RESUME, 0);
        ck_assert_uint_eq(upcalls.regs->rax, i + 1);
        ck_assert_uint_eq(upcalls.regs->rip, upcalls.before.rip + 2 * i);
    }
}
END_TEST

TCase *upcall_resume_tests(void) {
    TCase *tcase = upcall_case("upcall_resume");
    tcase_add_test(tcase, resume_loads_all_registers);
    tcase_add_test(tcase, resume_makes_flags_harmless);
    tcase_add_loop_test(tcase, resume_refuses_bad_addresses, 0, 16);
    tcase_add_test(tcase, resume_of_recovery_goes_back_inside);
    tcase_add_test(tcase, resume_knows_two_frames);
    tcase_add_test(tcase, resume_without_an_upcall_loads_the_frame);
    tcase_add_test(tcase, bounce_and_resume_many_times);
    return tcase;
}
