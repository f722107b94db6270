/* SPDX-License-Identifier: MIT */
#include "stash_tests.h"

#include <signal.h>
#include <string.h>

#include <base/random.h>

#include "stash_world.h"

static void *allocate(size_t size) {
    stash_begin(&world.stash);
    void *memory = stash_alloc(&world.stash, size);
    enum stash_error error = stash_commit(&world.stash);
    ck_assert_int_eq(error, memory != NULL ? STASH_OK : STASH_ERR_HEAP);
    return memory;
}

static void release(void *memory) {
    stash_begin(&world.stash);
    stash_free(&world.stash, memory);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
}

static unsigned count_blocks(bool used) {
    struct stash_block_info block = {0};
    unsigned count = 0;
    while (stash_block_next(&world.stash, block.memory, &block))
        count += block.used == used;
    return count;
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

START_TEST(blocks_are_aligned_zeroed_and_apart) {
    world_format();
    static const size_t sizes[] = {0, 1, 8, 16, 17, 100, 496, 497, 4080, 4081, 10000};
    uint8_t *memory[11];
    for (size_t i = 0; i < 11; i++) {
        memory[i] = allocate(sizes[i]);
        ck_assert_ptr_nonnull(memory[i]);
        ck_assert_uint_eq((uintptr_t)memory[i] % 16, 0);
        ck_assert(is_zero(memory[i], sizes[i]));
        stash_begin(&world.stash);
        uint8_t pattern[10000];
        memset(pattern, (int)i + 1, sizes[i]);
        if (sizes[i] <= 4081)
            stash_write(&world.stash, memory[i], pattern, sizes[i]);
        ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    }
    for (size_t i = 0; i < 10; i++) {
        for (size_t at = 0; at < sizes[i]; at++)
            ck_assert_uint_eq(memory[i][at], i + 1);
    }
    /* What was written is gone when it is allocated again. */
    for (size_t i = 0; i < 11; i++)
        release(memory[i]);
    for (size_t i = 0; i < 11; i++)
        ck_assert(is_zero(allocate(sizes[i]), sizes[i]));
}
END_TEST

START_TEST(all_free_is_one_again) {
    world_format();
    unsigned first = count_blocks(false);
    void *memory[200];
    struct random random;
    random_seed(&random, 3);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 200; i++)
            memory[i] = allocate(random_below(&random, 300));
        ck_assert_uint_eq(count_blocks(true), 200);
        for (unsigned i = 0; i < 200; i++) {
            unsigned other = (unsigned)random_below(&random, 200);
            void *kept = memory[i];
            memory[i] = memory[other];
            memory[other] = kept;
        }
        for (unsigned i = 0; i < 200; i++)
            release(memory[i]);
        ck_assert_uint_eq(count_blocks(true), 0);
        ck_assert_uint_eq(count_blocks(false), first);
        world_take_over();
    }
}
END_TEST

START_TEST(a_full_heap_is_an_error_and_no_more) {
    world_format();
    unsigned count = 0;
    void *last = NULL;
    for (void *memory; (memory = allocate(1000)) != NULL; count++)
        last = memory;
    ck_assert_uint_gt(count, 60);
    ck_assert_ptr_null(allocate(SIZE_MAX));
    ck_assert_ptr_null(allocate(SIZE_MAX - 16));
    ck_assert_ptr_null(allocate(WORLD_SIZE));
    ck_assert_uint_eq(count_blocks(true), count);
    release(last);
    ck_assert_ptr_eq(allocate(1000), last);
    world_take_over();
}
END_TEST

START_TEST(freed_memory_is_there_until_the_commit) {
    world_format();
    stash_begin(&world.stash);
    uint64_t *memory = stash_alloc(&world.stash, 40);
    ck_assert_ptr_nonnull(memory);
    STASH_SET(&world.stash, *memory, 5);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);

    stash_begin(&world.stash);
    stash_free(&world.stash, memory);
    ck_assert_ptr_ne(stash_alloc(&world.stash, 40), memory);
    ck_assert_uint_eq(*memory, 5);
    stash_abort(&world.stash);
    ck_assert_uint_eq(count_blocks(true), 1);
    stash_begin(&world.stash);
    stash_free(&world.stash, NULL);
    void *both = stash_alloc(&world.stash, 40);
    ck_assert_ptr_nonnull(both);
    stash_free(&world.stash, both);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_eq(count_blocks(true), 1);
}
END_TEST

/* Mistakes of a server end it, rather than its stash. */

START_TEST(freeing_twice_ends_the_server) {
    world_format();
    void *memory = allocate(40);
    stash_begin(&world.stash);
    stash_free(&world.stash, memory);
    stash_free(&world.stash, memory);
}
END_TEST

START_TEST(freeing_the_inside_of_a_block_ends_the_server) {
    world_format();
    uint8_t *memory = allocate(400);
    stash_begin(&world.stash);
    stash_free(&world.stash, memory + 64);
}
END_TEST

START_TEST(writing_outside_of_the_heap_ends_the_server) {
    world_format();
    uint64_t word = 1;
    stash_begin(&world.stash);
    stash_write(&world.stash, &word, &word, sizeof(word));
}
END_TEST

TCase *stash_heap_tests(void) {
    TCase *tests = tcase_create("heap");
    tcase_add_test(tests, blocks_are_aligned_zeroed_and_apart);
    tcase_add_test(tests, all_free_is_one_again);
    tcase_add_test(tests, a_full_heap_is_an_error_and_no_more);
    tcase_add_test(tests, freed_memory_is_there_until_the_commit);
    tcase_add_test_raise_signal(tests, freeing_twice_ends_the_server, SIGABRT);
    tcase_add_test_raise_signal(tests, freeing_the_inside_of_a_block_ends_the_server, SIGABRT);
    tcase_add_test_raise_signal(tests, writing_outside_of_the_heap_ends_the_server, SIGABRT);
    return tests;
}
