/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "memory_tests.h"
#include "memory_world.h"

static void *must_alloc(size_t size_bytes) {
    void *memory;
    expect(heap_alloc(world.account, size_bytes, &memory), AX_OK);
    return memory;
}

/* Tests that lower or raise the limits put them back. */
static uint64_t limit_bytes, limit_objects;

static void limits_note(void) {
    limit_bytes = world.account->limit_bytes;
    limit_objects = world.account->limit_objects;
}

static void limits_restore(void) {
    world.account->limit_bytes = limit_bytes;
    world.account->limit_objects = limit_objects;
}

static bool is_zero(const void *memory, size_t size_bytes) {
    const char *bytes = memory;
    return bytes[0] == 0 && (size_bytes == 1 || memcmp(bytes, bytes + 1, size_bytes - 1) == 0);
}

static const struct {
    size_t size_bytes, charge;
} sizes[] = {{1, 32},      {32, 32},     {33, 64},     {64, 64},     {65, 128},
             {200, 256},   {256, 256},   {257, 512},   {1000, 1024}, {1025, 2048},
             {2048, 2048}, {2049, 4096}, {4096, 4096}, {4097, 8192}, {20000, 32768}};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

START_TEST(memory_is_zero_aligned_and_charged_by_its_class) {
    kernel_lock();
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        usage_note();
        void *memory = must_alloc(sizes[i].size_bytes);
        ck_assert_uint_eq(heap_charge(sizes[i].size_bytes), sizes[i].charge);
        ck_assert_uint_eq(world.account->used_bytes, world.used_bytes + sizes[i].charge);
        ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
        ck_assert(is_zero(memory, sizes[i].size_bytes));
        ck_assert_uint_eq((uintptr_t)memory % (sizes[i].charge < PAGE ? sizes[i].charge : PAGE), 0);
        memset(memory, 0xff, sizes[i].size_bytes);
        heap_free(world.account, memory, sizes[i].size_bytes);
        ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
        ck_assert_uint_eq(world.account->used_objects, world.used_objects);
    }
    kernel_unlock();
}
END_TEST

START_TEST(memory_used_before_comes_zeroed) {
    kernel_lock();
    void *keeper = must_alloc(100); /* so that the slab stays */
    void *memory = must_alloc(100);
    memset(memory, 0xff, 100);
    heap_free(world.account, memory, 100);
    void *again = must_alloc(100);
    ck_assert_ptr_eq(again, memory);
    ck_assert(is_zero(again, 100));
    heap_free(world.account, again, 100);
    heap_free(world.account, keeper, 100);
    kernel_unlock();
}
END_TEST

START_TEST(cells_do_not_overlap_and_slabs_come_and_go) {
    enum { COUNT = 300 };
    static void *cells[COUNT];
    kernel_lock();
    uint64_t free_count = kernel->frames.free_count;
    uint64_t used_bytes = kernel->heap.used_bytes;
    for (unsigned i = 0; i < COUNT; i++) {
        cells[i] = must_alloc(512);
        memset(cells[i], (int)(i % 251), 512);
    }
    ck_assert_uint_ge(free_count - kernel->frames.free_count, (COUNT - 7) / 8);
    ck_assert_uint_eq(kernel->heap.used_bytes, used_bytes + UINT64_C(512) * COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(((unsigned char *)cells[i])[511], i % 251);
    for (unsigned i = 0; i < COUNT; i += 2)
        heap_free(world.account, cells[i], 512);
    for (unsigned i = 1; i < COUNT; i += 2)
        heap_free(world.account, cells[i], 512);
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    kernel_unlock();
}
END_TEST

START_TEST(nothing_is_freed_freely) {
    kernel_lock();
    usage_note();
    heap_free(world.account, NULL, 100);
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    kernel_unlock();
}
END_TEST

START_TEST(limits_of_bytes_and_objects_hold) {
    kernel_lock();
    limits_note();
    usage_note();
    void *memory;
    world.account->limit_bytes = world.used_bytes + 127;
    expect(heap_alloc(world.account, 100, &memory), AX_ERR_LIMIT);
    world.account->limit_bytes++;
    heap_free(world.account, must_alloc(100), 100);
    world.account->limit_objects = world.used_objects;
    expect(heap_alloc(world.account, 1, &memory), AX_ERR_LIMIT);
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects);
    limits_restore();
    kernel_unlock();
}
END_TEST

START_TEST(more_than_the_longest_run_is_refused) {
    kernel_lock();
    limits_note();
    void *memory;
    size_t longest = PAGE << (FRAME_ORDERS - 1);
    world.account->limit_bytes = UINT64_MAX / 2;
    usage_note();
    expect(heap_alloc(world.account, longest + 1, &memory), AX_ERR_LIMIT);
    expect(heap_alloc(world.account, SIZE_MAX / 2, &memory), AX_ERR_LIMIT);
    expect(heap_alloc(world.account, longest, &memory), AX_ERR_MEMORY);
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    limits_restore();
    kernel_unlock();
}
END_TEST

START_TEST(an_allocation_fails_when_told_to) {
    kernel_lock();
    usage_note();
    void *memory;
    for (unsigned n = 1; n <= 2; n++) {
        kernel->fail_countdown = n; /* 1: the cell, 2: the slab it needs */
        expect(heap_alloc(world.account, 2000, &memory), AX_ERR_MEMORY);
        kernel->fail_countdown = n;
        expect(heap_alloc(world.account, 3000, &memory), AX_ERR_MEMORY);
    }
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes);
    kernel_unlock();
}
END_TEST

TCase *heap_alloc_tests(void) {
    TCase *tcase = world_case("heap_alloc");
    tcase_add_test(tcase, memory_is_zero_aligned_and_charged_by_its_class);
    tcase_add_test(tcase, memory_used_before_comes_zeroed);
    tcase_add_test(tcase, cells_do_not_overlap_and_slabs_come_and_go);
    tcase_add_test(tcase, nothing_is_freed_freely);
    tcase_add_test(tcase, limits_of_bytes_and_objects_hold);
    tcase_add_test(tcase, more_than_the_longest_run_is_refused);
    tcase_add_test(tcase, an_allocation_fails_when_told_to);
    return tcase;
}
