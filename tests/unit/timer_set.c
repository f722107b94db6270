/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#include "timer.h"

static ax_result set(struct thread *thread, ax_handle timer, uint64_t deadline) {
    return kcall(thread, AX_CALL_TIMER_SET, timer, deadline);
}

static bool has_fired(ax_handle timer) {
    return info_of(world.one, timer).signals == AX_SIGNAL_FIRED;
}

START_TEST(fires_at_its_deadline) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    uint64_t deadline = now_ns() + 1000;
    expect(set(world.one, timer, deadline), AX_OK);
    ck_assert_uint_eq(info_of(world.one, timer).timer.deadline_ns, deadline);
    driver_advance(999);
    ck_assert(!has_fired(timer));
    driver_advance(1);
    ck_assert(has_fired(timer));
    ck_assert_uint_eq(info_of(world.one, timer).timer.deadline_ns, deadline);
}
END_TEST

START_TEST(wakes_who_waits_for_it) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    expect(set(world.one, timer, now_ns() + 1000), AX_OK);
    expect(kcall(world.one, AX_CALL_OBJECT_WAIT, timer, AX_SIGNAL_FIRED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    driver_advance(1000);
    expect(driver_answer(world.one), AX_SIGNAL_FIRED);
}
END_TEST

START_TEST(a_deadline_that_passed_fires_at_once) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    driver_advance(1000);
    expect(set(world.one, timer, now_ns()), AX_OK);
    ck_assert(has_fired(timer));
    expect(set(world.one, timer, 0), AX_OK);
    ck_assert(has_fired(timer));
}
END_TEST

START_TEST(setting_clears_what_fired) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    expect(set(world.one, timer, now_ns()), AX_OK);
    expect(set(world.one, timer, now_ns() + 1000), AX_OK);
    ck_assert(!has_fired(timer));
    expect(set(world.one, timer, now_ns()), AX_OK);
    expect(set(world.one, timer, AX_TIME_NEVER), AX_OK);
    ck_assert(!has_fired(timer));
}
END_TEST

START_TEST(never_disarms) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    ck_assert_uint_eq(info_of(world.one, timer).timer.deadline_ns, AX_TIME_NEVER);
    expect(set(world.one, timer, now_ns() + 1000), AX_OK);
    expect(set(world.one, timer, AX_TIME_NEVER), AX_OK);
    driver_advance(5000);
    ck_assert(!has_fired(timer));
    ck_assert_uint_eq(info_of(world.one, timer).timer.deadline_ns, AX_TIME_NEVER);
}
END_TEST

START_TEST(a_new_deadline_replaces_the_old) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    expect(set(world.one, timer, now_ns() + 1000), AX_OK);
    expect(set(world.one, timer, now_ns() + 3000), AX_OK);
    driver_advance(2000);
    ck_assert(!has_fired(timer));
    expect(set(world.one, timer, now_ns() + 100), AX_OK);
    driver_advance(100);
    ck_assert(has_fired(timer));
}
END_TEST

START_TEST(many_fire_in_the_order_of_their_deadlines) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    ax_handle timers[6];
    static const uint64_t deadlines[6] = {500, 300, 300, 900, 100, 700};
    static const uint64_t order[6] = {4, 1, 2, 0, 5, 3};
    uint64_t start = now_ns();
    for (unsigned i = 0; i < 6; i++) {
        timers[i] = make(world.one, AX_TYPE_TIMER);
        expect(set(world.one, timers[i], start + deadlines[i] + 1000), AX_OK);
        struct ax_queue_request request = {
            .key = i, .mask = AX_SIGNAL_FIRED, .mode = AX_QUEUE_EDGE};
        memcpy(world.one->page->buffer, &request, sizeof(request));
        expect(kcall(world.one, AX_CALL_QUEUE_CONTROL, queue, AX_QUEUE_ADD, timers[i]), AX_OK);
    }
    driver_advance(3000);
    expect(kcall(world.one, AX_CALL_QUEUE_WAIT, queue, 10, NOW), 6);
    struct ax_queue_event events[6];
    copy_buffer(world.one, events, sizeof(events));
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(events[i].key, order[i]);
}
END_TEST

START_TEST(more_than_one_portion_can_be_due_at_once) {
    enum { COUNT = 3 * WORK_PORTION };
    ax_handle timers[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        timers[i] = make(world.one, AX_TYPE_TIMER);
        expect(set(world.one, timers[i], now_ns() + 10000), AX_OK);
    }
    uint64_t bound = now_ns() + 10000;
    driver_run(world.one);
    model_time_advance(10000);
    ck_assert_uint_ge(hal_time_ns(), bound);
    struct cpu *cpu = &kernel->cpus[hal_cpu_id()];
    unsigned rounds = 0;
    for (bool more = true; more; rounds++)
        more = due_fire(cpu);
    for (uint32_t other = 0; other < kernel->cpu_count; other++)
        while (due_fire(&kernel->cpus[other]))
            rounds++;
    ck_assert_uint_ge(rounds, 3);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert(has_fired(timers[i]));
}
END_TEST

START_TEST(a_closed_timer_is_gone) {
    make(world.one, AX_TYPE_EVENT);
    usage_note();
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    expect(set(world.one, timer, now_ns() + 1000), AX_OK);
    must_close(world.one, timer);
    usage_check();
    for (uint32_t cpu = 0; cpu < kernel->cpu_count; cpu++)
        ck_assert_uint_eq(due_next(&kernel->cpus[cpu]), UINT64_MAX);
    driver_advance(2000);
}
END_TEST

START_TEST(needs_the_right_to_write) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    ax_handle weak = weaken(world.one, timer, AX_RIGHT_ALL & ~AX_RIGHT_WRITE);
    expect(set(world.one, weak, 0), AX_ERR_RIGHTS);
    expect(set(world.one, make(world.one, AX_TYPE_EVENT), 0), AX_ERR_TYPE);
    expect(set(world.one, 0, 0), AX_ERR_HANDLE);
    expect(set(world.one, stale(world.one), 0), AX_ERR_HANDLE);
    ck_assert(!has_fired(timer));
}
END_TEST

TCase *timer_set_tests(void) {
    TCase *tcase = world_case("timer_set");
    tcase_add_test(tcase, fires_at_its_deadline);
    tcase_add_test(tcase, wakes_who_waits_for_it);
    tcase_add_test(tcase, a_deadline_that_passed_fires_at_once);
    tcase_add_test(tcase, setting_clears_what_fired);
    tcase_add_test(tcase, never_disarms);
    tcase_add_test(tcase, a_new_deadline_replaces_the_old);
    tcase_add_test(tcase, many_fire_in_the_order_of_their_deadlines);
    tcase_add_test(tcase, more_than_one_portion_can_be_due_at_once);
    tcase_add_test(tcase, a_closed_timer_is_gone);
    tcase_add_test(tcase, needs_the_right_to_write);
    return tcase;
}
