/* SPDX-License-Identifier: MIT */
#include "stash_tests.h"

#include <signal.h>
#include <string.h>

#include "stash_world.h"

static uint8_t *allocate(size_t size) {
    stash_begin(&world.stash);
    uint8_t *memory = stash_alloc(&world.stash, size);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    return memory;
}

START_TEST(writes_are_seen_by_read_at_once_and_in_place_later) {
    world_format();
    uint32_t *word = (uint32_t *)(void *)allocate(64);
    stash_begin(&world.stash);
    STASH_SET(&world.stash, word[0], 1);
    STASH_SET(&world.stash, word[1], 2);
    ck_assert_uint_eq(word[0], 0);
    ck_assert_uint_eq(STASH_GET(&world.stash, word[0]), 1);
    ck_assert_uint_eq(STASH_GET(&world.stash, word[1]), 2);
    ck_assert_uint_eq(STASH_GET(&world.stash, word[2]), 0);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_eq(word[0], 1);
    ck_assert_uint_eq(STASH_GET(&world.stash, word[1]), 2);
}
END_TEST

/* The later write wins, also where an earlier one could be amended in its place. */
START_TEST(overlapping_writes_keep_their_order) {
    world_format();
    uint8_t *bytes = allocate(64);
    stash_begin(&world.stash);
    stash_write(&world.stash, bytes, "aaaaaaaaaaaa", 12);
    stash_write(&world.stash, bytes + 6, "bbbbbbbbbbbb", 12);
    stash_write(&world.stash, bytes + 2, "cccccc", 6);
    stash_write(&world.stash, bytes + 7, "d", 1);
    char seen[19] = {0};
    stash_read(&world.stash, seen, bytes, 18);
    ck_assert_str_eq(seen, "aaccccc"
                           "d"
                           "bbbbbbbbbb");
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_mem_eq(bytes, seen, 18);
}
END_TEST

START_TEST(an_abort_leaves_nothing) {
    static struct world_copy before;
    world_format();
    uint8_t *bytes = allocate(64);
    world_save(&before);
    stash_begin(&world.stash);
    stash_write(&world.stash, bytes, "abc", 3);
    stash_free(&world.stash, bytes);
    stash_root_set(&world.stash, stash_alloc(&world.stash, 100));
    stash_abort(&world.stash);
    ck_assert_mem_eq(before.memory, world.memory, world.stash.logs_at);
    ck_assert_ptr_null(stash_root(&world.stash));
    world_take_over();
    ck_assert_mem_eq(before.memory + 64, world.memory + 64, world.stash.logs_at - 64);
}
END_TEST

/* So that going back still reaches the last commit that did something. */
START_TEST(an_empty_transaction_is_none) {
    world_format();
    allocate(64);
    uint64_t state = world.stash.state;
    stash_begin(&world.stash);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_eq(world.stash.state, state);
}
END_TEST

START_TEST(a_full_log_fails_the_transaction) {
    world_format();
    static uint8_t pattern[8192];
    uint8_t *bytes = allocate(sizeof(pattern));
    memset(pattern, 7, sizeof(pattern));
    stash_begin(&world.stash);
    stash_write(&world.stash, bytes, pattern, 4000);
    ck_assert_int_eq(world.stash.error, STASH_OK);
    stash_write(&world.stash, bytes + 4000, pattern, sizeof(pattern) - 4000);
    ck_assert_int_eq(world.stash.error, STASH_ERR_LOG);
    stash_write(&world.stash, bytes, pattern, 1);
    ck_assert_ptr_null(stash_alloc(&world.stash, 8));
    ck_assert_int_eq(stash_commit(&world.stash), STASH_ERR_LOG);
    ck_assert_uint_eq(bytes[0], 0);
    stash_begin(&world.stash); /* nothing of it stays */
    stash_write(&world.stash, bytes, pattern, 4000);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_eq(bytes[3999], 7);
    ck_assert_uint_eq(bytes[4000], 0);
}
END_TEST

/* Freeing is done at the commit: there, too, the log may turn out to be too small. */
START_TEST(a_log_that_fills_up_at_the_commit) {
    world_format();
    void *memory[2000];
    unsigned count = 0;
    for (; count < 1000; count++)
        memory[count] = allocate(8);
    stash_begin(&world.stash);
    for (unsigned i = 0; i < count && world.stash.error == STASH_OK; i++)
        stash_free(&world.stash, memory[i]);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_ERR_LOG);
    world_take_over();
    stash_begin(&world.stash);
    for (unsigned i = 0; i < 100; i++)
        stash_free(&world.stash, memory[i]);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    world_take_over();
}
END_TEST

START_TEST(the_root_is_kept) {
    world_format();
    ck_assert_ptr_null(stash_root(&world.stash));
    uint8_t *bytes = allocate(10);
    stash_begin(&world.stash);
    stash_root_set(&world.stash, bytes);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    world_take_over();
    ck_assert_ptr_eq(stash_root(&world.stash), bytes);
    stash_begin(&world.stash);
    stash_root_set(&world.stash, NULL);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_ptr_null(stash_root(&world.stash));
}
END_TEST

START_TEST(a_transaction_in_a_transaction_ends_the_server) {
    world_format();
    stash_begin(&world.stash);
    stash_begin(&world.stash);
}
END_TEST

START_TEST(a_write_outside_of_transactions_ends_the_server) {
    world_format();
    uint8_t *bytes = allocate(10);
    stash_write(&world.stash, bytes, "a", 1);
}
END_TEST

TCase *stash_transaction_tests(void) {
    TCase *tests = tcase_create("transaction");
    tcase_add_test(tests, writes_are_seen_by_read_at_once_and_in_place_later);
    tcase_add_test(tests, overlapping_writes_keep_their_order);
    tcase_add_test(tests, an_abort_leaves_nothing);
    tcase_add_test(tests, an_empty_transaction_is_none);
    tcase_add_test(tests, a_full_log_fails_the_transaction);
    tcase_add_test(tests, a_log_that_fills_up_at_the_commit);
    tcase_add_test(tests, the_root_is_kept);
    tcase_add_test_raise_signal(tests, a_transaction_in_a_transaction_ends_the_server, SIGABRT);
    tcase_add_test_raise_signal(tests, a_write_outside_of_transactions_ends_the_server, SIGABRT);
    return tests;
}
