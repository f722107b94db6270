/* SPDX-License-Identifier: MIT */
/* What the end of a thread does to the robust mutexes it holds. */
#include "world.h"

struct mutex {
    uint32_t word;
    uint32_t reserved;
    uint64_t next;
};

static struct linux_robust_head head;
static struct mutex mutexes[3];

static void setup(void) {
    world_start();
    head = (struct linux_robust_head){
        .first = AT(&head),
        .futex_offset = -(int64_t)offsetof(struct mutex, next),
    };
    for (int i = 0; i < 3; i++)
        mutexes[i] = (struct mutex){.word = 100};
    ck_assert_int_eq(CALL(set_robust_list, AT(&head), sizeof(head)), 0);
}

static uint64_t entry(int i) {
    return AT(&mutexes[i].next);
}

/* In the order 0, 1, 2 and back to the head. */
static void link_all(void) {
    head.first = entry(0);
    mutexes[0].next = entry(1);
    mutexes[1].next = entry(2);
    mutexes[2].next = AT(&head);
}

START_TEST(held_words_are_marked_and_waiters_woken) {
    link_all();
    mutexes[1].word = 100 | L_FUTEX_WAITERS;
    mutexes[2].word = 101; /* another thread's by now */
    robust_list_end(&world_thread);
    ck_assert_uint_eq(mutexes[0].word, L_FUTEX_OWNER_DIED);
    ck_assert_uint_eq(mutexes[1].word, L_FUTEX_OWNER_DIED | L_FUTEX_WAITERS);
    ck_assert_uint_eq(mutexes[2].word, 101);
    ck_assert_uint_eq(world_call_count, 1);
    ck_assert_uint_eq(world_calls[0].number, AX_CALL_FUTEX_WAKE);
    ck_assert_uint_eq(world_calls[0].a[0], AT(&mutexes[1].word));
    ck_assert_uint_eq(world_calls[0].a[1], 1);
}
END_TEST

START_TEST(one_being_taken_or_given_back_is_looked_at_too) {
    head.pending = entry(2);
    robust_list_end(&world_thread);
    ck_assert_uint_eq(mutexes[2].word, L_FUTEX_OWNER_DIED);
    ck_assert_uint_eq(mutexes[0].word, 100);
    setup();
    head.pending = entry(2);
    mutexes[2].word = 0; /* given back, but nobody was woken yet */
    robust_list_end(&world_thread);
    ck_assert_uint_eq(mutexes[2].word, 0);
    ck_assert_uint_eq(world_call_count, 1);
}
END_TEST

START_TEST(a_bad_list_ends_somewhere) {
    link_all();
    mutexes[2].next = entry(0); /* a circle */
    robust_list_end(&world_thread);
    ck_assert_uint_eq(mutexes[2].word, L_FUTEX_OWNER_DIED);
    setup();
    head.first = 16;
    robust_list_end(&world_thread);
    setup();
    world_thread.robust = 16;
    robust_list_end(&world_thread);
    ck_assert_uint_eq(mutexes[0].word, 100);
    ck_assert_int_eq(CALL(set_robust_list, AT(&head), 23), -L_EINVAL);
}
END_TEST

TCase *linux_robust_tests(void) {
    TCase *tcase = tcase_create("robust");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, held_words_are_marked_and_waiters_woken);
    tcase_add_test(tcase, one_being_taken_or_given_back_is_looked_at_too);
    tcase_add_test(tcase, a_bad_list_ends_somewhere);
    return tcase;
}
