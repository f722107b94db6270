/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#define NEVER AX_TIME_NEVER

static ax_result wait_many(struct thread *thread, const struct ax_wait_item *items, uint64_t count,
                           uint64_t deadline) {
    if (count > 0)
        fill_buffer(thread, items, (count < AX_WAIT_MAX ? count : AX_WAIT_MAX) * sizeof(*items));
    return kcall(thread, AX_CALL_OBJECT_WAIT_MANY, count, deadline);
}

static uint32_t seen(const struct thread *thread, unsigned index) {
    struct ax_wait_item items[AX_WAIT_MAX];
    copy_buffer(thread, items, sizeof(items));
    return items[index].seen;
}

static void events_make(struct ax_wait_item *items, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        items[i] = (struct ax_wait_item){.handle = make(world.one, AX_TYPE_EVENT), .mask = 0xf};
}

START_TEST(answers_the_first_that_is_ready_and_what_all_show) {
    struct ax_wait_item items[4];
    events_make(items, 4);
    signal_event(world.one, items[1].handle, 0, 0x12);
    signal_event(world.one, items[3].handle, 0, 0x4);
    expect(wait_many(world.one, items, 4, NEVER), 1);
    ck_assert_uint_eq(seen(world.one, 0), 0);
    ck_assert_uint_eq(seen(world.one, 1), 0x2);
    ck_assert_uint_eq(seen(world.one, 2), 0);
    ck_assert_uint_eq(seen(world.one, 3), 0x4);
}
END_TEST

START_TEST(waits_for_any_of_them) {
    struct ax_wait_item items[3];
    events_make(items, 3);
    expect(wait_many(world.one, items, 3, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, items[0].handle, 0, 0x10); /* not in the mask */
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    signal_event(world.two, items[2].handle, 0, 0x11);
    expect(driver_answer(world.one), 2);
    ck_assert_uint_eq(seen(world.one, 0), 0);
    ck_assert_uint_eq(seen(world.one, 2), 0x1);
}
END_TEST

START_TEST(what_it_waited_with_is_given_back) {
    struct ax_wait_item items[AX_WAIT_MAX];
    events_make(items, AX_WAIT_MAX);
    usage_note();
    expect(wait_many(world.one, items, AX_WAIT_MAX, NEVER), DRIVER_BLOCKED);
    ck_assert_uint_gt(world.account->used_bytes, world.used_bytes);
    signal_event(world.two, items[AX_WAIT_MAX - 1].handle, 0, 1);
    expect(driver_answer(world.one), AX_WAIT_MAX - 1);
    usage_check();
    for (unsigned i = 0; i < AX_WAIT_MAX; i++)
        ck_assert_uint_eq(driver_object(world.process, items[i].handle)->watch_count, 0);
}
END_TEST

START_TEST(the_same_object_may_be_there_twice) {
    struct ax_wait_item items[3];
    events_make(items, 2);
    items[0].mask = 2;
    items[2] = (struct ax_wait_item){.handle = items[0].handle, .mask = 1};
    expect(wait_many(world.one, items, 3, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, items[0].handle, 0, 1);
    expect(driver_answer(world.one), 2);
    ck_assert_uint_eq(seen(world.one, 0), 0);
    ck_assert_uint_eq(seen(world.one, 2), 1);
}
END_TEST

START_TEST(both_bits_of_one_object_wake_once) {
    struct ax_wait_item items[2];
    events_make(items, 1);
    items[1] = items[0];
    expect(wait_many(world.one, items, 2, NEVER), DRIVER_BLOCKED);
    signal_event(world.two, items[0].handle, 0, 1);
    expect(driver_answer(world.one), 0);
    ck_assert_uint_eq(seen(world.one, 1), 1);
}
END_TEST

START_TEST(a_deadline_or_an_interrupt_ends_the_wait) {
    struct ax_wait_item items[2];
    events_make(items, 2);
    usage_note();
    expect(wait_many(world.one, items, 2, now_ns() + 500), DRIVER_BLOCKED);
    driver_advance(500);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    expect(wait_many(world.one, items, 2, NOW), AX_ERR_TIMEOUT);
    expect(wait_many(world.one, items, 2, NEVER), DRIVER_BLOCKED);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    expect(wait_many(world.one, items, 2, NEVER), AX_ERR_INTERRUPTED);
    usage_check();
}
END_TEST

START_TEST(one_bad_item_spoils_all) {
    struct ax_wait_item items[3];
    events_make(items, 3);
    signal_event(world.one, items[0].handle, 0, 1);
    items[2].handle = stale(world.one);
    expect(wait_many(world.one, items, 3, NEVER), AX_ERR_HANDLE);
    items[2].handle = weaken(world.one, items[1].handle, AX_RIGHT_ALL & ~AX_RIGHT_WAIT);
    expect(wait_many(world.one, items, 3, NEVER), AX_ERR_RIGHTS);
    items[2].handle = items[1].handle;
    items[2].mask = 0;
    expect(wait_many(world.one, items, 3, NEVER), AX_ERR_ARGUMENT);
    items[2].mask = 1;
    items[2].reserved = 1;
    expect(wait_many(world.one, items, 3, NEVER), AX_ERR_ARGUMENT);
    ck_assert_uint_eq(seen(world.one, 0), 0);
}
END_TEST

START_TEST(there_is_a_most_to_wait_for) {
    struct ax_wait_item items[AX_WAIT_MAX];
    events_make(items, AX_WAIT_MAX);
    expect(wait_many(world.one, items, AX_WAIT_MAX + 1, NOW), AX_ERR_ARGUMENT);
    expect(wait_many(world.one, items, UINT64_MAX, NOW), AX_ERR_ARGUMENT);
    expect(wait_many(world.one, items, AX_WAIT_MAX, NOW), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(without_memory_it_does_not_wait) {
    struct ax_wait_item items[2];
    events_make(items, 2);
    usage_note();
    driver_fail_after(1);
    expect(wait_many(world.one, items, 2, NEVER), AX_ERR_MEMORY);
    usage_check();
    expect(wait_many(world.one, items, 2, NEVER), DRIVER_BLOCKED);
}
END_TEST

START_TEST(a_crowded_object_fails_the_whole_wait) {
    struct ax_wait_item items[2];
    events_make(items, 2);
    struct object *object = driver_object(world.process, items[1].handle);
    static struct watch watches[WATCH_MAX];
    for (unsigned i = 0; i < WATCH_MAX; i++)
        watch_start(&watches[i], object, 1, WATCH_QUEUE, NULL);
    usage_note();
    expect(wait_many(world.one, items, 2, NEVER), AX_ERR_LIMIT);
    usage_check();
    ck_assert_uint_eq(driver_object(world.process, items[0].handle)->watch_count, 0);
    for (unsigned i = 0; i < WATCH_MAX; i++)
        watch_stop(&watches[i]);
}
END_TEST

/* ---- Without objects ------------------------------------------------------------------------- */

START_TEST(nothing_to_wait_for_is_sleep) {
    expect(wait_many(world.one, NULL, 0, now_ns() + 1000), DRIVER_BLOCKED);
    driver_advance(999);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    driver_advance(1);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
}
END_TEST

START_TEST(sleep_is_interrupted) {
    expect(wait_many(world.one, NULL, 0, NEVER), DRIVER_BLOCKED);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    expect(wait_many(world.one, NULL, 0, NEVER), AX_ERR_INTERRUPTED);
    expect(wait_many(world.one, NULL, 0, NOW), AX_ERR_INTERRUPTED);
}
END_TEST

START_TEST(a_sleep_that_is_over_lets_equals_run_first) {
    driver_advance(1000);
    struct thread *third = driver_thread(world.process);
    driver_run(world.one);
    struct cpu *cpu = world.one->cpu;
    expect(wait_many(world.one, NULL, 0, NOW), AX_ERR_TIMEOUT);
    ck_assert_ptr_ne(cpu->current, world.one);
    ck_assert_uint_eq(world.one->state, THREAD_READY);
    driver_run(third);
    driver_run(world.one);
}
END_TEST

TCase *wait_many_tests(void) {
    TCase *tcase = world_case("wait_many");
    tcase_add_test(tcase, answers_the_first_that_is_ready_and_what_all_show);
    tcase_add_test(tcase, waits_for_any_of_them);
    tcase_add_test(tcase, what_it_waited_with_is_given_back);
    tcase_add_test(tcase, the_same_object_may_be_there_twice);
    tcase_add_test(tcase, both_bits_of_one_object_wake_once);
    tcase_add_test(tcase, a_deadline_or_an_interrupt_ends_the_wait);
    tcase_add_test(tcase, one_bad_item_spoils_all);
    tcase_add_test(tcase, there_is_a_most_to_wait_for);
    tcase_add_test(tcase, without_memory_it_does_not_wait);
    tcase_add_test(tcase, a_crowded_object_fails_the_whole_wait);
    tcase_add_test(tcase, nothing_to_wait_for_is_sleep);
    tcase_add_test(tcase, sleep_is_interrupted);
    tcase_add_test(tcase, a_sleep_that_is_over_lets_equals_run_first);
    return tcase;
}
