/* SPDX-License-Identifier: MIT */
/* Queues of signals: what is merged, what comes first, what happens without room. */
#include "lib/linux/signals.h"

#include <string.h>

#include "world.h"

#define ALL (~(signal_set)0)

static struct signal_pool pool;
static struct signal_queue queue;

static void setup(void) {
    memset(&pool, 0, sizeof(pool));
    memset(&queue, 0, sizeof(queue));
}

static enum signal_added add(int signal, int code, uint64_t value) {
    struct signal_info info = {.signal = signal, .code = code, .value = value};
    return signal_queue_add(&queue, &pool, &info);
}

/* The next signal of the set; 0: none. */
static int take(signal_set set, uint64_t *value) {
    struct signal_info info;
    if (!signal_queue_take(&queue, &pool, set, &info))
        return 0;
    *value = info.value;
    return info.signal;
}

START_TEST(ordinary_signals_are_merged_and_real_time_ones_are_not) {
    uint64_t value;
    ck_assert_int_eq(add(10, L_SI_USER, 1), SIGNAL_ADDED);
    ck_assert_int_eq(add(10, L_SI_USER, 2), SIGNAL_MERGED);
    ck_assert_int_eq(add(40, L_SI_QUEUE, 3), SIGNAL_ADDED);
    ck_assert_int_eq(add(40, L_SI_QUEUE, 4), SIGNAL_ADDED);
    ck_assert_int_eq(take(ALL, &value), 10);
    ck_assert_uint_eq(value, 1);
    ck_assert_int_eq(take(ALL, &value), 40);
    ck_assert_uint_eq(value, 3);
    ck_assert((queue.pending & signal_bit(40)) != 0);
    ck_assert_int_eq(take(ALL, &value), 40);
    ck_assert_uint_eq(value, 4);
    ck_assert_uint_eq(queue.pending, 0);
    ck_assert_int_eq(take(ALL, &value), 0);
}
END_TEST

START_TEST(faults_come_first_then_low_numbers) {
    uint64_t value;
    add(40, L_SI_QUEUE, 0);
    add(1, L_SI_USER, 0);
    add(L_SIGSEGV, L_SEGV_MAPERR, 77);
    add(50, L_SI_QUEUE, 0);
    ck_assert_int_eq(take(~signal_bit(1), &value), L_SIGSEGV);
    ck_assert_int_eq(take(~signal_bit(1), &value), 40);
    ck_assert_int_eq(take(~signal_bit(1), &value), 50);
    ck_assert_int_eq(take(~signal_bit(1), &value), 0);
    ck_assert_int_eq(take(ALL, &value), 1);
}
END_TEST

START_TEST(without_room_only_values_are_lost) {
    uint64_t value;
    for (int i = 0; i < SIGNAL_ENTRIES; i++)
        ck_assert_int_eq(add(40, L_SI_QUEUE, (uint64_t)i), SIGNAL_ADDED);
    ck_assert_int_eq(add(40, L_SI_QUEUE, 0), SIGNAL_REFUSED);
    ck_assert_int_eq(add(41, L_SI_USER, 5), SIGNAL_ADDED);
    ck_assert_int_eq(add(10, L_SI_TKILL, 5), SIGNAL_ADDED);
    ck_assert_int_eq(take(ALL, &value), 10);
    ck_assert_uint_eq(value, 0);
    for (int i = 0; i < SIGNAL_ENTRIES; i++) {
        ck_assert_int_eq(take(ALL, &value), 40);
        ck_assert_uint_eq(value, (uint64_t)i);
    }
    ck_assert_int_eq(take(ALL, &value), 41);
    ck_assert_int_eq(add(40, L_SI_QUEUE, 9), SIGNAL_ADDED); /* room came back */
}
END_TEST

START_TEST(what_is_dropped_gives_its_room_back) {
    uint64_t value;
    for (int round = 0; round < 3 * SIGNAL_ENTRIES; round++) {
        ck_assert_int_eq(add(40, L_SI_QUEUE, 1), SIGNAL_ADDED);
        ck_assert_int_eq(add(41, L_SI_QUEUE, 2), SIGNAL_ADDED);
        ck_assert_int_eq(add(40, L_SI_QUEUE, 3), SIGNAL_ADDED);
        signal_queue_drop(&queue, &pool, signal_bit(40));
        ck_assert_uint_eq(queue.pending, signal_bit(41));
        ck_assert_int_eq(take(ALL, &value), 41);
        ck_assert_uint_eq(queue.first, 0);
        ck_assert_uint_eq(queue.last, 0);
    }
}
END_TEST

START_TEST(information_is_laid_out_by_kind) {
    struct linux_siginfo full;
    struct signal_info info = {.signal = 40, .code = L_SI_QUEUE, .pid = 5, .uid = 6, .value = 7};
    signal_info_fill(&info, &full);
    ck_assert_int_eq(full.signal, 40);
    ck_assert_int_eq(full.code, L_SI_QUEUE);
    ck_assert_uint_eq(full.pid, 5);
    ck_assert_uint_eq(full.uid, 6);
    ck_assert_uint_eq(full.value, 7);
    info = (struct signal_info){.signal = L_SIGBUS, .code = L_BUS_ADRERR, .value = 0x1234};
    signal_info_fill(&info, &full);
    ck_assert_uint_eq(full.address, 0x1234);
    info = (struct signal_info){.signal = L_SIGSEGV, .code = L_SI_USER, .pid = 5};
    signal_info_fill(&info, &full);
    ck_assert_uint_eq(full.pid, 5);
}
END_TEST

TCase *linux_signals_tests(void) {
    TCase *tcase = tcase_create("signals");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, ordinary_signals_are_merged_and_real_time_ones_are_not);
    tcase_add_test(tcase, faults_come_first_then_low_numbers);
    tcase_add_test(tcase, without_room_only_values_are_lost);
    tcase_add_test(tcase, what_is_dropped_gives_its_room_back);
    tcase_add_test(tcase, information_is_laid_out_by_kind);
    return tcase;
}
