/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "memory_tests.h"
#include "memory_world.h"

static struct frame *must_alloc(struct account *account, unsigned order) {
    struct frame *frame;
    expect(frame_alloc(account, order, &frame), AX_OK);
    return frame;
}

static void free_run(struct frame *run, unsigned order) {
    for (unsigned i = 0; i < 1U << order; i++)
        frame_unref(&run[i]);
}

static bool is_zero(const void *memory, size_t size_bytes) {
    const char *bytes = memory;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size_bytes - 1) == 0;
}

/* The longest run there is now. */
static unsigned longest(void) {
    unsigned order = FRAME_ORDERS - 1;
    while (list_is_empty(&kernel->frames.free[order]))
        order--;
    return order;
}

START_TEST(runs_are_zero_and_aligned) {
    kernel_lock();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned order = 0; order < 6; order++) {
            struct frame *run = must_alloc(NULL, order);
            ck_assert_uint_eq(frame_physical(run) % (PAGE << order), 0);
            ck_assert(is_zero(frame_window(run), PAGE << order));
            memset(frame_window(run), 0xff, PAGE << order);
            free_run(run, order);
        }
    }
    kernel_unlock();
}
END_TEST

START_TEST(freed_frames_join_to_runs_again) {
    kernel_lock();
    uint64_t free_count = kernel->frames.free_count;
    unsigned order = longest();
    ck_assert_uint_ge(order, 4);
    struct frame *run = must_alloc(NULL, order);
    ck_assert_uint_eq(kernel->frames.free_count, free_count - (1U << order));
    /* In an order that makes runs grow from both sides. */
    for (unsigned i = 0; i < 1U << order; i += 2)
        frame_unref(&run[i]);
    for (unsigned i = 1; i < 1U << order; i += 2)
        frame_unref(&run[i]);
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    ck_assert_uint_eq(longest(), order);
    free_run(must_alloc(NULL, order), order);
    kernel_unlock();
}
END_TEST

START_TEST(the_machine_runs_out_of_frames_cleanly) {
    kernel_lock();
    struct list taken;
    list_init(&taken);
    uint64_t free_count = kernel->frames.free_count;
    struct account *root = kernel->root_account;
    uint64_t used_bytes = root->used_bytes, limit_bytes = root->limit_bytes;
    root->limit_bytes = UINT64_MAX / 2;
    struct frame *frame;
    while (frame_alloc(root, 0, &frame) == AX_OK) {
        list_init(&frame->link);
        list_append(&taken, &frame->link);
    }
    ck_assert_uint_eq(kernel->frames.free_count, 0);
    ck_assert_uint_eq(root->used_bytes, used_bytes + free_count * PAGE);
    expect(frame_alloc(root, 0, &frame), AX_ERR_MEMORY);
    expect(frame_alloc(NULL, 3, &frame), AX_ERR_MEMORY);
    ck_assert_uint_eq(root->used_bytes, used_bytes + free_count * PAGE);
    struct list *node;
    while ((node = list_first(&taken)) != NULL) {
        list_remove(node);
        frame_unref(list_entry(node, struct frame, link));
    }
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    ck_assert_uint_eq(root->used_bytes, used_bytes);
    root->limit_bytes = limit_bytes;
    kernel_unlock();
}
END_TEST

START_TEST(a_frame_is_charged_until_its_last_ref_goes) {
    kernel_lock();
    struct account *account = world.account;
    uint64_t used_bytes = account->used_bytes;
    struct frame *frame = must_alloc(account, 0);
    frame_ref(frame);
    ck_assert_uint_eq(account->used_bytes, used_bytes + PAGE);
    frame_unref(frame);
    ck_assert_uint_eq(account->used_bytes, used_bytes + PAGE);
    frame_unref(frame);
    ck_assert_uint_eq(account->used_bytes, used_bytes);
    kernel_unlock();
}
END_TEST

START_TEST(a_run_beyond_the_limit_is_refused) {
    kernel_lock();
    struct account *account = world.account;
    uint64_t used_bytes = account->used_bytes, free_count = kernel->frames.free_count;
    uint64_t limit_bytes = account->limit_bytes;
    account->limit_bytes = used_bytes + 4 * PAGE - 1;
    struct frame *frame;
    expect(frame_alloc(account, 2, &frame), AX_ERR_LIMIT);
    ck_assert_uint_eq(account->used_bytes, used_bytes);
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    account->limit_bytes++;
    free_run(must_alloc(account, 2), 2);
    account->limit_bytes = limit_bytes;
    kernel_unlock();
}
END_TEST

START_TEST(an_allocation_fails_when_told_to) {
    kernel_lock();
    struct frame *frame;
    kernel->fail_countdown = 2;
    free_run(must_alloc(NULL, 0), 0);
    expect(frame_alloc(NULL, 0, &frame), AX_ERR_MEMORY);
    free_run(must_alloc(NULL, 0), 0);
    kernel_unlock();
}
END_TEST

START_TEST(addresses_and_frames_belong_together) {
    kernel_lock();
    struct frame *run = must_alloc(NULL, 1);
    uint64_t physical = frame_physical(run);
    ck_assert_ptr_eq(frame_at(physical), run);
    ck_assert_ptr_eq(frame_at(physical + PAGE - 1), run);
    ck_assert_ptr_eq(frame_at(physical + PAGE), run + 1);
    ck_assert_ptr_eq(frame_window(run), hal_window(physical));
    ck_assert_ptr_eq(frame_of_window((char *)frame_window(run) + 100), run);
    ck_assert_ptr_null(frame_at(0));
    ck_assert_ptr_null(frame_at((kernel->frames.base_page + kernel->frames.page_count) * PAGE));
    free_run(run, 1);
    kernel_unlock();
}
END_TEST

/* The run that comes next, with something in every page of it. */
static void soil(unsigned order) {
    struct frame *run = must_alloc(NULL, order);
    memset(frame_window(run), 0xee, PAGE << order);
    free_run(run, order);
}

START_TEST(long_runs_are_zeroed_in_portions) {
    kernel_lock();
    soil(5);
    unsigned portions = 0;
    for (bool done = false; !done; portions++) {
        unsigned portion = 8;
        done = frame_prepare(5, &portion);
    }
    ck_assert_uint_eq(portions, 4);
    struct frame *run = must_alloc(NULL, 5);
    ck_assert(is_zero(frame_window(run), PAGE << 5));
    free_run(run, 5);
    kernel_unlock();
}
END_TEST

START_TEST(a_prepared_run_may_be_taken_by_another) {
    kernel_lock();
    soil(5);
    unsigned portion = 10;
    ck_assert(!frame_prepare(5, &portion));
    struct frame *first = must_alloc(NULL, 5);
    soil(5);
    portion = 32;
    ck_assert(frame_prepare(5, &portion));
    struct frame *second = must_alloc(NULL, 5);
    ck_assert(is_zero(frame_window(first), PAGE << 5));
    ck_assert(is_zero(frame_window(second), PAGE << 5));
    free_run(first, 5);
    free_run(second, 5);
    kernel_unlock();
}
END_TEST

START_TEST(without_such_a_run_there_is_nothing_to_prepare) {
    kernel_lock();
    unsigned portion = 1;
    ck_assert_uint_lt(longest(), FRAME_ORDERS - 1);
    ck_assert(frame_prepare(FRAME_ORDERS - 1, &portion));
    ck_assert_uint_eq(portion, 1);
    kernel_unlock();
}
END_TEST

TCase *frame_alloc_tests(void) {
    TCase *tcase = world_case("frame_alloc");
    tcase_add_test(tcase, runs_are_zero_and_aligned);
    tcase_add_test(tcase, freed_frames_join_to_runs_again);
    tcase_add_test(tcase, the_machine_runs_out_of_frames_cleanly);
    tcase_add_test(tcase, a_frame_is_charged_until_its_last_ref_goes);
    tcase_add_test(tcase, a_run_beyond_the_limit_is_refused);
    tcase_add_test(tcase, an_allocation_fails_when_told_to);
    tcase_add_test(tcase, addresses_and_frames_belong_together);
    tcase_add_test(tcase, long_runs_are_zeroed_in_portions);
    tcase_add_test(tcase, a_prepared_run_may_be_taken_by_another);
    tcase_add_test(tcase, without_such_a_run_there_is_nothing_to_prepare);
    return tcase;
}
