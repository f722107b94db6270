/* SPDX-License-Identifier: MIT */
/* The log reaches the console a few bytes at a time, in order, without the kernel lock. */
#include "cpu_world.h"

#include <stdio.h>

static char shown[1 << 16];
static size_t shown_bytes;
static bool is_inside, is_at_end;

/* A console so slow that all other CPUs go round their loop meanwhile. */
static void slow_console(void *context, const char *text, size_t size) {
    (void)context;
    ck_assert(!is_inside);
    ck_assert(is_at_end || atomic_load(&kernel->lock) == 0);
    ck_assert_uint_le(size, 16);
    ck_assert_uint_le(shown_bytes + size, sizeof(shown));
    is_inside = true;
    uint32_t cpu = hal_cpu_id();
    for (uint32_t other = 0; kernel != NULL && other < kernel->cpu_count; other++) {
        if (other != cpu && !is_at_end)
            driver_step(other);
    }
    is_inside = false;
    memcpy(shown + shown_bytes, text, size);
    shown_bytes += size;
}

static void start(uint32_t cpu_count) {
    struct driver_config config = {.model = {.cpu_count = cpu_count, .hooks.console = slow_console},
                                   .manual = true};
    shown_bytes = 0;
    is_inside = is_at_end = false;
    driver_start(&config);
    sleep_for_ever(driver_root_thread());
    driver_settle();
    shown_bytes = 0;
}

static void log_lines(unsigned count) {
    kernel_lock();
    for (unsigned i = 0; i < count; i++)
        log_line("this is the line of number %u", i);
    kernel_unlock();
}

static void expect_lines(unsigned first, unsigned end) {
    size_t at = 0;
    for (unsigned i = first; i < end; i++) {
        char line[64];
        int size = snprintf(line, sizeof(line), "this is the line of number %u\n", i);
        ck_assert_uint_le(at + (size_t)size, shown_bytes);
        ck_assert_msg(memcmp(shown + at, line, (size_t)size) == 0, "line %u", i);
        at += (size_t)size;
    }
    ck_assert_uint_eq(at, shown_bytes);
}

START_TEST(lines_are_shown_in_order) {
    start(3);
    log_lines(20);
    ck_assert_uint_eq(shown_bytes, 0);
    driver_settle();
    expect_lines(0, 20);
    machine_stop();
}
END_TEST

/* A thread that runs is not kept from it, and the rest comes before long. */
START_TEST(a_busy_cpu_shows_a_little_at_a_time) {
    start(1);
    struct thread *busy = driver_thread(driver_process());
    driver_run(busy);
    driver_settle();
    log_lines(4);
    for (size_t before = 0; work_is_pending(); before = shown_bytes) {
        model_time_advance(WORK_GAP_NS);
        driver_step(0);
        ck_assert(runs(busy) && !kernel->cpus[0].poll);
        ck_assert_uint_le(shown_bytes - before, 16);
        ck_assert_uint_le(before, shown_bytes - 1);
        if (work_is_pending())
            ck_assert_uint_eq(model_deadline(0), hal_time_ns() + WORK_GAP_NS);
    }
    expect_lines(0, 4);
    machine_stop();
}
END_TEST

/* What the ring has lost, the console does not get either. */
START_TEST(a_console_that_falls_behind_gets_the_newest) {
    start(2);
    unsigned count = (unsigned)kernel->log.size / 16;
    log_lines(count);
    driver_settle();
    ck_assert_uint_eq(shown_bytes, kernel->log.size);
    char line[64];
    int size = snprintf(line, sizeof(line), "this is the line of number %u\n", count - 1);
    ck_assert_int_eq(memcmp(shown + shown_bytes - size, line, (size_t)size), 0);
    machine_stop();
}
END_TEST

START_TEST(all_is_shown_at_the_end) {
    start(2);
    log_lines(5);
    kernel_lock();
    is_at_end = true;
    core_log_show();
    kernel_unlock();
    expect_lines(0, 5);
    is_at_end = false;
    machine_stop();
}
END_TEST

TCase *cpu_log_tests(void) {
    TCase *tcase = tcase_create("cpu_log");
    tcase_add_test(tcase, lines_are_shown_in_order);
    tcase_add_test(tcase, a_busy_cpu_shows_a_little_at_a_time);
    tcase_add_test(tcase, a_console_that_falls_behind_gets_the_newest);
    tcase_add_test(tcase, all_is_shown_at_the_end);
    return tcase;
}
