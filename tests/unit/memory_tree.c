/* SPDX-License-Identifier: MIT */
/* The tree of frames in a memory object, against a plain array. */
#include <stdlib.h>

#include <base/random.h>

#include "memory_tests.h"
#include "memory_world.h"

#define SPREAD 24

/* Indices that differ in every level of the tree. */
static const uint64_t indices[SPREAD] = {
    0,
    1,
    62,
    63,
    64,
    65,
    127,
    128,
    4095,
    4096,
    4097,
    8191,
    262143,
    262144,
    262145,
    16777215,
    1 << 24,
    1 << 25,
    1073741823,
    1073741824,
    1073741825ULL,
    68719476735ULL,
    68719476734ULL,
    34359738368ULL,
};

static struct memory *memory;
static struct frame *held[SPREAD];

static void start(void) {
    world_start();
    for (unsigned i = 0; i < SPREAD; i++)
        held[i] = NULL;
    kernel_lock();
    expect(memory_make(world.account, MEMORY_PAGES_MAX, &memory), AX_OK);
    kernel_unlock();
    usage_note();
}

static void stop(void) {
    kernel_lock();
    object_unref(&memory->object);
    kernel_unlock();
    driver_settle();
    world_stop();
}

static void insert(unsigned i) {
    expect(frame_alloc(NULL, 0, &held[i]), AX_OK);
    expect(memory_insert(memory, indices[i], held[i]), AX_OK);
}

static void take(unsigned i) {
    ck_assert_ptr_eq(memory_remove(memory, indices[i]), held[i]);
    frame_unref(held[i]);
    held[i] = NULL;
}

/* The next index held at or after a page, found the slow way. */
static uint64_t slow_next(uint64_t page) {
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < SPREAD; i++) {
        if (held[i] != NULL && indices[i] >= page && indices[i] < next)
            next = indices[i];
    }
    return next;
}

static void compare(void) {
    uint64_t present = 0;
    for (unsigned i = 0; i < SPREAD; i++) {
        ck_assert_ptr_eq(memory_find(memory, indices[i]), held[i]);
        present += held[i] != NULL;
        for (uint64_t page = indices[i] < 2 ? 0 : indices[i] - 2; page < indices[i] + 3; page++)
            ck_assert_uint_eq(memory_next(memory, page), slow_next(page));
    }
    ck_assert_uint_eq(memory->present, present);
}

START_TEST(an_empty_object_has_no_pages) {
    kernel_lock();
    compare();
    ck_assert_ptr_null(memory_remove(memory, 0));
    ck_assert_ptr_null(memory_remove(memory, MEMORY_PAGES_MAX - 1));
    kernel_unlock();
}
END_TEST

START_TEST(pages_are_found_where_they_were_put) {
    kernel_lock();
    struct random random;
    random_seed(&random, 7);
    for (unsigned step = 0; step < 400; step++) {
        unsigned i = (unsigned)random_below(&random, SPREAD);
        if (held[i] == NULL)
            insert(i);
        else
            take(i);
        compare();
    }
    for (unsigned i = 0; i < SPREAD; i++) {
        if (held[i] != NULL)
            take(i);
    }
    /* No leaf is left behind. */
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects);
    ck_assert(tree_is_empty(&memory->leaves));
    kernel_unlock();
}
END_TEST

START_TEST(neighbours_share_a_leaf) {
    kernel_lock();
    insert(0);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    insert(1);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    take(1);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    compare();
    take(0);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects);
    kernel_unlock();
}
END_TEST

START_TEST(a_page_is_replaced_in_place) {
    kernel_lock();
    struct frame *fresh;
    expect(frame_alloc(NULL, 0, &fresh), AX_OK);
    insert(9);
    ck_assert_ptr_eq(memory_replace(memory, indices[9], fresh), held[9]);
    frame_unref(held[9]);
    held[9] = fresh;
    compare();
    kernel_unlock();
}
END_TEST

START_TEST(an_insertion_that_fails_leaves_no_trace) {
    kernel_lock();
    for (unsigned i = 0; i < SPREAD; i += 5) {
        struct frame *frame;
        expect(frame_alloc(NULL, 0, &frame), AX_OK);
        usage_note();
        unsigned n = 1;
        ax_result result = AX_ERR_MEMORY;
        for (; result != AX_OK; n++) {
            ck_assert_uint_lt(n, 20);
            kernel->fail_countdown = n;
            result = memory_insert(memory, indices[i], frame);
            kernel->fail_countdown = 0;
            if (result == AX_OK)
                break;
            ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
            compare();
        }
        held[i] = frame;
        compare();
    }
    kernel_unlock();
}
END_TEST

START_TEST(an_insertion_respects_the_limit) {
    kernel_lock();
    insert(0);
    struct frame *frame;
    expect(frame_alloc(NULL, 0, &frame), AX_OK);
    usage_note();
    world.account->limit_objects = world.used_objects;
    expect(memory_insert(memory, indices[20], frame), AX_ERR_LIMIT);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects);
    compare();
    frame_unref(frame);
    kernel_unlock();
}
END_TEST

START_TEST(ranges_are_dropped_in_portions) {
    kernel_lock();
    for (unsigned i = 0; i < SPREAD; i++)
        insert(i);
    unsigned portion = 3;
    ck_assert(!memory_drop(memory, 0, UINT64_MAX, &portion));
    ck_assert_uint_eq(memory->present, SPREAD - 3);
    portion = 100;
    ck_assert(memory_drop(memory, 64, 64, &portion)); /* 64, 65, 127 */
    ck_assert_uint_eq(portion, 97);
    ck_assert_ptr_nonnull(memory_find(memory, 63));
    ck_assert_ptr_nonnull(memory_find(memory, 128));
    ck_assert(memory_drop(memory, 64, 64, &portion));
    ck_assert(memory_drop(memory, 0, UINT64_MAX, &portion));
    ck_assert_uint_eq(memory->present, 0);
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    kernel_unlock();
}
END_TEST

START_TEST(an_object_gives_everything_back_when_it_dies) {
    kernel_lock();
    struct memory *large;
    uint64_t free_count = kernel->frames.free_count;
    expect(memory_make(world.account, 200, &large), AX_OK);
    for (unsigned page = 0; page < 200; page++) {
        struct frame *frame;
        expect(frame_alloc(world.account, 0, &frame), AX_OK);
        expect(memory_insert(large, page, frame), AX_OK);
    }
    object_unref(&large->object);
    unsigned portions = 0;
    for (; work_is_pending(); portions++)
        work_run(WORK_PORTION);
    ck_assert_uint_ge(portions, 200 / WORK_PORTION);
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    kernel_unlock();
}
END_TEST

START_TEST(an_object_has_a_greatest_size) {
    kernel_lock();
    struct memory *large;
    expect(memory_make(world.account, MEMORY_PAGES_MAX + 1, &large), AX_ERR_LIMIT);
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    kernel_unlock();
}
END_TEST

TCase *memory_tree_tests(void) {
    TCase *tcase = tcase_create("memory_tree");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, an_empty_object_has_no_pages);
    tcase_add_test(tcase, pages_are_found_where_they_were_put);
    tcase_add_test(tcase, neighbours_share_a_leaf);
    tcase_add_test(tcase, a_page_is_replaced_in_place);
    tcase_add_test(tcase, an_insertion_that_fails_leaves_no_trace);
    tcase_add_test(tcase, an_insertion_respects_the_limit);
    tcase_add_test(tcase, ranges_are_dropped_in_portions);
    tcase_add_test(tcase, an_object_gives_everything_back_when_it_dies);
    tcase_add_test(tcase, an_object_has_a_greatest_size);
    return tcase;
}
