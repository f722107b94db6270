/* SPDX-License-Identifier: MIT */
/* The kernel lock, alone. */
#include <setjmp.h>

#include "cpu_world.h"

static unsigned spins;

/* The other CPU goes on, and lets go of the lock after a while. */
static void others(void *context, uint32_t cpu) {
    (void)context;
    ck_assert_uint_eq(cpu, 0);
    if (++spins == 10)
        atomic_store(&kernel->lock, 0);
}

static void start_with_hooks(struct model_hooks hooks) {
    struct driver_config config = {.model = {.cpu_count = 2, .hooks = hooks}};
    driver_start(&config);
}

START_TEST(lock_waits_for_its_holder) {
    start_with_hooks((struct model_hooks){.others = others});
    spins = 0;
    atomic_store(&kernel->lock, 2); /* CPU 1 holds it */
    kernel_lock();
    ck_assert_uint_eq(spins, 10);
    ck_assert_uint_eq(atomic_load(&kernel->lock), 1);
    kernel_unlock();
    ck_assert_uint_eq(atomic_load(&kernel->lock), 0);
    driver_stop();
}
END_TEST

static jmp_buf failed;
static void assertion(void *context, const char *expression, const char *file, int line) {
    (void)context;
    (void)expression;
    (void)line;
    ck_assert_ptr_nonnull(strstr(file, "core/"));
    longjmp(failed, 1); /* NOLINT */
}

START_TEST(lock_is_not_recursive) {
    start_with_hooks((struct model_hooks){.assertion = assertion});
    kernel_lock();
    if (setjmp(failed) == 0) { /* NOLINT */
        kernel_lock();
        ck_abort_msg("taken twice");
    }
    driver_stop();
}
END_TEST

START_TEST(lock_is_released_by_its_holder) {
    start_with_hooks((struct model_hooks){.assertion = assertion});
    kernel_lock();
    model_cpu_set(1);
    if (setjmp(failed) == 0) { /* NOLINT */
        kernel_unlock();
        ck_abort_msg("released by another CPU");
    }
    driver_stop();
}
END_TEST

START_TEST(hold_time_is_counted) {
    driver_start(NULL);
    uint64_t before_ns = kernel->counters.lock_held_ns;
    kernel_lock();
    model_time_advance(1234);
    kernel_unlock();
    ck_assert_uint_eq(kernel->counters.lock_held_ns, before_ns + 1234);
    ck_assert_uint_eq(kernel->counters.lock_held_max_ns, 1234);
    kernel_lock();
    model_time_advance(10);
    kernel_unlock();
    ck_assert_uint_eq(kernel->counters.lock_held_ns, before_ns + 1244);
    ck_assert_uint_eq(kernel->counters.lock_held_max_ns, 1234);
    driver_stop();
}
END_TEST

TCase *cpu_lock_tests(void) {
    TCase *tcase = tcase_create("cpu_lock");
    tcase_add_test(tcase, lock_waits_for_its_holder);
    tcase_add_test(tcase, lock_is_not_recursive);
    tcase_add_test(tcase, lock_is_released_by_its_holder);
    tcase_add_test(tcase, hold_time_is_counted);
    return tcase;
}
