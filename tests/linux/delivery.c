/* SPDX-License-Identifier: MIT */
/* To whom signals go, who is interrupted for them, and what becomes of a call. */
#include "world.h"

static struct linux_sigaction action;
static signal_set set;

static void handle(int signal, uint64_t handler, uint64_t flags) {
    action = (struct linux_sigaction){.handler = handler, .flags = flags | L_SA_RESTORER};
    ck_assert_int_eq(CALL(rt_sigaction, (uint64_t)signal, AT(&action), 0, 8), 0);
}

static void block(struct thread *thread, signal_set mask) {
    set = mask;
    ck_assert_int_eq(
        linux_rt_sigprocmask(thread, (const uint64_t[6]){L_SIG_SETMASK, AT(&set), 0, 8}), 0);
}

/* Was the other thread interrupted? */
static bool is_other_interrupted(void) {
    for (unsigned i = 0; i < world_call_count; i++) {
        if (world_calls[i].number == AX_CALL_THREAD_CONTROL && world_calls[i].a[0] == 12 &&
            world_calls[i].a[1] == AX_THREAD_INTERRUPT)
            return true;
    }
    return false;
}

static struct ax_regs *regs(void) {
    return &world_thread.page->program.regs;
}

START_TEST(a_signal_to_itself_is_taken_before_the_call_returns) {
    handle(10, 0x1000, 0);
    ck_assert_int_eq(CALL(tgkill, 100, 100, 10), 0);
    ck_assert_uint_eq(world_call_count, 0); /* nobody needs to be interrupted */
    ck_assert(signals_deliver(&world_thread, true));
    ck_assert_uint_eq(world_handler_count, 1);
    ck_assert_int_eq(world_info.signal, 10);
    ck_assert_int_eq(world_info.code, L_SI_TKILL);
    ck_assert_uint_eq(world_thread.blocked, signal_bit(10));
}
END_TEST

START_TEST(another_thread_is_interrupted) {
    handle(10, 0x1000, 0);
    ck_assert_int_eq(CALL(tgkill, 100, 101, 10), 0);
    ck_assert(is_other_interrupted());
    ck_assert_uint_eq(world_other.attention, 1);
    ck_assert_uint_eq(world_thread.attention, 0);
}
END_TEST

START_TEST(a_blocked_signal_interrupts_nobody) {
    handle(10, 0x1000, 0);
    block(&world_other, signal_bit(10));
    ck_assert_int_eq(CALL(tgkill, 100, 101, 10), 0);
    ck_assert(!is_other_interrupted());
    ck_assert_uint_eq(world_other.attention, 0);
    block(&world_other, 0);
    ck_assert_uint_eq(world_other.attention, 1);
}
END_TEST

START_TEST(a_signal_to_the_process_finds_who_takes_it) {
    handle(10, 0x1000, 0);
    block(&world_thread, signal_bit(10));
    ck_assert_int_eq(CALL(kill, 100, 10), 0);
    ck_assert(is_other_interrupted());
    /* The other blocks it before it looks, and the first takes it again: it is asked. */
    block(&world_other, signal_bit(10));
    world_call_count = 0;
    block(&world_thread, 0);
    ck_assert_uint_eq(world_thread.attention, 1);
    ck_assert(signals_deliver(&world_thread, true));
    ck_assert_uint_eq(world_handler_count, 1);
}
END_TEST

START_TEST(who_blocks_what_the_process_was_sent_passes_it_on) {
    handle(10, 0x1000, 0);
    ck_assert_int_eq(CALL(kill, 100, 10), 0); /* the first thread would take it */
    ck_assert(!is_other_interrupted());
    block(&world_thread, signal_bit(10));
    ck_assert(is_other_interrupted());
}
END_TEST

START_TEST(ignored_signals_go_nowhere) {
    handle(10, L_SIG_IGN, 0);
    ck_assert_int_eq(CALL(kill, 100, 10), 0);
    ck_assert_int_eq(CALL(kill, 100, L_SIGCHLD), 0);
    ck_assert_uint_eq(world_task.queue.pending, 0);
    ck_assert_uint_eq(world_thread.attention, 0);
}
END_TEST

START_TEST(without_a_handler_the_process_ends) {
    ck_assert_int_eq(CALL(kill, 100, 15), 0);
    WORLD_ENDS((void)signals_deliver(&world_thread, true));
    ck_assert_int_eq(world_end_signal, 15);
}
END_TEST

START_TEST(a_fault_that_is_blocked_or_ignored_ends_the_process) {
    struct signal_info info = {.signal = L_SIGSEGV, .code = L_SEGV_MAPERR};
    handle(L_SIGSEGV, 0x1000, 0);
    signal_force(&world_thread, &info);
    ck_assert_uint_eq(world_handler_count, 1);
    /* Now it is blocked, by its own handler. */
    WORLD_ENDS(signal_force(&world_thread, &info));
    ck_assert_int_eq(world_end_signal, L_SIGSEGV);
    block(&world_thread, 0);
    handle(L_SIGSEGV, L_SIG_IGN, 0);
    WORLD_ENDS(signal_force(&world_thread, &info));
    ck_assert_int_eq(world_end_signal, L_SIGSEGV);
}
END_TEST

/* What the program sees of a call that gave this result, with such a handler. */
static void check_result(int64_t result, uint64_t flags, uint64_t rax, uint64_t rip) {
    world_start();
    handle(10, 0x1000, flags);
    world_thread.number = 202;
    regs()->rax = (uint64_t)result;
    regs()->rip = 0x5002;
    ck_assert_int_eq(CALL(tgkill, 100, 100, 10), 0);
    ck_assert(signals_deliver(&world_thread, true));
    ck_assert_uint_eq(regs()->rax, rax);
    ck_assert_uint_eq(regs()->rip, rip);
}

START_TEST(calls_are_made_again_as_the_handler_says) {
    check_result(-L_RESTARTSYS, L_SA_RESTART, 202, 0x5000);
    check_result(-L_RESTARTSYS, 0, (uint64_t)-L_EINTR, 0x5002);
    check_result(-L_RESTARTNOHAND, L_SA_RESTART, (uint64_t)-L_EINTR, 0x5002);
    check_result(-L_RESTARTNOW, L_SA_RESTART, (uint64_t)-L_EINTR, 0x5002);
    check_result(-L_EINTR, L_SA_RESTART, (uint64_t)-L_EINTR, 0x5002);
    check_result(5, L_SA_RESTART, 5, 0x5002);
}
END_TEST

START_TEST(a_call_that_nothing_handled_is_made_again_at_once) {
    world_thread.number = 35;
    regs()->rax = (uint64_t)-L_RESTARTNOHAND;
    world_thread.attention = 1;
    ck_assert(!signals_deliver(&world_thread, true));
    ck_assert(world_thread.again.is_set);
    ck_assert_uint_eq(regs()->rax, 35);
    ck_assert_uint_eq(world_handler_count, 0);
}
END_TEST

static void send_in_wait(uint64_t number) {
    struct signal_info info = {.signal = 12};
    (void)number;
    world_hook = NULL;
    ck_assert_uint_eq(world_thread.blocked, signal_bit(10));
    ck_assert_int_eq(signal_send_thread(&world_thread, &info), 0);
}

START_TEST(the_mask_of_a_wait_is_taken_back_after_the_handler) {
    handle(12, 0x1000, 0);
    block(&world_thread, signal_bit(12));
    world_answer(AX_CALL_OBJECT_WAIT_MANY, AX_ERR_INTERRUPTED);
    world_hook = send_in_wait;
    set = signal_bit(10);
    ck_assert_int_eq(CALL(rt_sigsuspend, AT(&set), 8), -L_RESTARTNOHAND);
    regs()->rax = (uint64_t)-L_RESTARTNOHAND;
    ck_assert(world_thread.has_saved);
    ck_assert_uint_eq(world_thread.saved, signal_bit(12));
    ck_assert(signals_deliver(&world_thread, true));
    ck_assert_uint_eq(world_handler_count, 1);
    ck_assert_uint_eq(world_thread.blocked, signal_bit(10) | signal_bit(12));
    ck_assert(!world_thread.has_saved);
    ck_assert_int_eq((int64_t)regs()->rax, -L_EINTR);
}
END_TEST

START_TEST(a_handler_may_be_for_once) {
    handle(10, 0x1000, L_SA_RESETHAND | L_SA_NODEFER);
    ck_assert_int_eq(CALL(tgkill, 100, 100, 10), 0);
    ck_assert(signals_deliver(&world_thread, true));
    ck_assert_uint_eq(world_thread.blocked, 0);
    ck_assert_uint_eq(world_task.actions[9].handler, L_SIG_DFL);
    ck_assert_uint_eq(world_action.handler, 0x1000);
}
END_TEST

START_TEST(bad_wishes_have_linux_errors) {
    ck_assert_int_eq(CALL(kill, 100, 65), -L_EINVAL);
    ck_assert_int_eq(CALL(kill, 7, 10), -L_ESRCH);
    ck_assert_int_eq(CALL(tgkill, 100, 999, 10), -L_ESRCH);
    ck_assert_int_eq(CALL(tgkill, 7, 100, 10), -L_ESRCH);
    ck_assert_int_eq(CALL(tgkill, 0, 100, 10), -L_EINVAL);
    ck_assert_int_eq(CALL(tkill, 0, 10), -L_EINVAL);
    ck_assert_int_eq(CALL(rt_sigaction, L_SIGKILL, AT(&action), 0, 8), -L_EINVAL);
    ck_assert_int_eq(CALL(rt_sigaction, 10, AT(&action), 0, 4), -L_EINVAL);
    ck_assert_int_eq(CALL(rt_sigaction, 10, 16, 0, 8), -L_EFAULT);
    ck_assert_int_eq(CALL(rt_sigprocmask, 9, AT(&set), 0, 8), -L_EINVAL);
    set = ~(signal_set)0;
    ck_assert_int_eq(CALL(rt_sigprocmask, L_SIG_BLOCK, AT(&set), 0, 8), 0);
    ck_assert_uint_eq(world_thread.blocked, ~SIGNALS_FIRM);
}
END_TEST

TCase *linux_delivery_tests(void) {
    TCase *tcase = tcase_create("delivery");
    tcase_add_checked_fixture(tcase, world_start, NULL);
    tcase_add_test(tcase, a_signal_to_itself_is_taken_before_the_call_returns);
    tcase_add_test(tcase, another_thread_is_interrupted);
    tcase_add_test(tcase, a_blocked_signal_interrupts_nobody);
    tcase_add_test(tcase, a_signal_to_the_process_finds_who_takes_it);
    tcase_add_test(tcase, who_blocks_what_the_process_was_sent_passes_it_on);
    tcase_add_test(tcase, ignored_signals_go_nowhere);
    tcase_add_test(tcase, without_a_handler_the_process_ends);
    tcase_add_test(tcase, a_fault_that_is_blocked_or_ignored_ends_the_process);
    tcase_add_test(tcase, calls_are_made_again_as_the_handler_says);
    tcase_add_test(tcase, a_call_that_nothing_handled_is_made_again_at_once);
    tcase_add_test(tcase, the_mask_of_a_wait_is_taken_back_after_the_handler);
    tcase_add_test(tcase, a_handler_may_be_for_once);
    tcase_add_test(tcase, bad_wishes_have_linux_errors);
    return tcase;
}
