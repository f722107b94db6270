/* SPDX-License-Identifier: MIT */
/* The futex call: which kernel call each operation is. */
#include <fake_kernel.h>

#include "world.h"

static uint32_t word, target;
static struct linux_timespec limit;

static void setup(void) {
    world_start();
    word = target = 0;
}

static void check_call(unsigned i, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                       uint64_t e) {
    ck_assert_uint_eq(world_calls[i].number, number);
    const uint64_t wanted[5] = {a, b, c, d, e};
    for (int j = 0; j < 5; j++)
        ck_assert_uint_eq(world_calls[i].a[j], wanted[j]);
}

START_TEST(waiting_has_the_deadline_that_was_meant) {
    fake_kernel_set_clock(5000);
    limit = (struct linux_timespec){0, 2000};
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT | L_FUTEX_PRIVATE, 3), 0);
    check_call(0, AX_CALL_FUTEX_WAIT, AT(&word), 3, UINT32_MAX, AX_TIME_NEVER, 0);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT, 3, AT(&limit)), 0);
    check_call(1, AX_CALL_FUTEX_WAIT, AT(&word), 3, UINT32_MAX, 7000, 0);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT_BITSET, 3, AT(&limit), 0, 6), 0);
    check_call(2, AX_CALL_FUTEX_WAIT, AT(&word), 3, 6, 2000, 0);
    ck_assert_int_eq(
        CALL(futex, AT(&word), L_FUTEX_WAIT_BITSET | L_FUTEX_CLOCK_REALTIME, 3, AT(&limit), 0, 6),
        0);
    check_call(3, AX_CALL_FUTEX_WAIT, AT(&word), 3, 6, 1000, 0);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT | L_FUTEX_CLOCK_REALTIME, 3, AT(&limit)),
                     -L_ENOSYS);
}
END_TEST

START_TEST(errors_of_waiting_are_linuxs) {
    world_answer(AX_CALL_FUTEX_WAIT, AX_ERR_AGAIN);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT, 3), -L_EAGAIN);
    world_answer(AX_CALL_FUTEX_WAIT, AX_ERR_TIMEOUT);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT, 3), -L_ETIMEDOUT);
    world_answer(AX_CALL_FUTEX_WAIT, AX_ERR_ADDRESS);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT, 3), -L_EFAULT);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT, 3, 16), -L_EFAULT);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAIT_BITSET, 3, 0, 0, 0), -L_EINVAL);
    ck_assert_int_eq(CALL(futex, AT(&word), 77, 3), -L_ENOSYS);
}
END_TEST

START_TEST(waking_and_moving) {
    world_answer(AX_CALL_FUTEX_WAKE, 2);
    world_answer(AX_CALL_FUTEX_REQUEUE, 4);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAKE, 5), 2);
    check_call(0, AX_CALL_FUTEX_WAKE, AT(&word), 5, UINT32_MAX, 0, 0);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAKE, (uint32_t)-1), 2);
    check_call(1, AX_CALL_FUTEX_WAKE, AT(&word), 0, UINT32_MAX, 0, 0);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAKE_BITSET, 5, 0, 0, 8), 2);
    check_call(2, AX_CALL_FUTEX_WAKE, AT(&word), 5, 8, 0, 0);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_CMP_REQUEUE, 1, 9, AT(&target), 3), 4);
    check_call(3, AX_CALL_FUTEX_REQUEUE, AT(&word), 1, AT(&target), 9, 3);
    word = 44;
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_REQUEUE, 1, 9, AT(&target), 3), 4);
    check_call(4, AX_CALL_FUTEX_REQUEUE, AT(&word), 1, AT(&target), 9, 44);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_CMP_REQUEUE, 1, (uint32_t)-1, AT(&target), 3),
                     -L_EINVAL);
}
END_TEST

/* The operation and comparison, on a word that was `old`: what it is then, and how many woke. */
static void check_wake_op(uint32_t packed, uint32_t old, uint32_t wanted, int64_t woken) {
    target = old;
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAKE_OP, 1, 1, AT(&target), packed), woken);
    ck_assert_uint_eq(target, wanted);
}

START_TEST(a_word_is_changed_and_decides_who_wakes) {
    world_answer(AX_CALL_FUTEX_WAKE, 1);
    check_wake_op(0U << 28 | 0U << 24 | 7 << 12 | 5, 5, 7, 2);  /* set 7; == 5 */
    check_wake_op(1U << 28 | 1U << 24 | 7 << 12 | 5, 5, 12, 1); /* add; != 5 */
    check_wake_op(2U << 28 | 2U << 24 | 8 << 12 | 5, 4, 12, 2); /* or; < 5 */
    check_wake_op(3U << 28 | 3U << 24 | 4 << 12 | 5, 5, 1, 2);  /* and not; <= 5 */
    check_wake_op(4U << 28 | 4U << 24 | 1 << 12 | 5, 5, 4, 1);  /* xor; > 5 */
    check_wake_op(9U << 28 | 5U << 24 | 4 << 12 | 5, 5, 21, 2); /* add 1 << 4; >= 5 */
    check_wake_op(0U << 28 | 0U << 24 | 0xfff << 12 | 0xffe, (uint32_t)-2, UINT32_MAX, 2);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAKE_OP, 1, 1, AT(&target), 6U << 28),
                     -L_ENOSYS);
    ck_assert_int_eq(CALL(futex, AT(&word), L_FUTEX_WAKE_OP, 1, 1, 16, 0), -L_EFAULT);
}
END_TEST

TCase *linux_futex_tests(void) {
    TCase *tcase = tcase_create("futex");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, waiting_has_the_deadline_that_was_meant);
    tcase_add_test(tcase, errors_of_waiting_are_linuxs);
    tcase_add_test(tcase, waking_and_moving);
    tcase_add_test(tcase, a_word_is_changed_and_decides_who_wakes);
    return tcase;
}
