/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"
#include "memory_world.h"

#define ALL_BITS UINT32_MAX

static ax_result wait(struct thread *thread, uint64_t address, uint64_t value, uint64_t bits,
                      uint64_t deadline) {
    return kcall(thread, AX_CALL_FUTEX_WAIT, address, value, bits, deadline);
}

static ax_result wake(struct thread *thread, uint64_t address, uint64_t count, uint64_t bits) {
    return kcall(thread, AX_CALL_FUTEX_WAKE, address, count, bits);
}

static void must_wait(struct thread *thread, uint64_t address, uint64_t bits) {
    expect(wait(thread, address, 0, bits, AX_TIME_NEVER), DRIVER_BLOCKED);
}

START_TEST(a_waiter_is_woken) {
    uint64_t word = map_pages(world.one, 1, RW) + 8;
    must_wait(world.one, word, ALL_BITS);
    expect(wake(world.two, word, 1, ALL_BITS), 1);
    expect(driver_answer(world.one), AX_OK);
    expect(wake(world.two, word, 1, ALL_BITS), 0);
}
END_TEST

START_TEST(another_value_is_told_before_anything_else) {
    uint64_t word = map_pages(world.one, 1, RW);
    uint32_t value = 7;
    driver_write(world.process, word, &value, sizeof(value));
    expect(wait(world.one, word, 6, ALL_BITS, AX_TIME_NEVER), AX_ERR_AGAIN);
    expect(wait(world.one, word, 6, ALL_BITS, NOW), AX_ERR_AGAIN);
    interrupt(world.one);
    expect(wait(world.one, word, 6, ALL_BITS, AX_TIME_NEVER), AX_ERR_AGAIN);
    expect(wait(world.one, word, 7, ALL_BITS, AX_TIME_NEVER), AX_ERR_INTERRUPTED);
}
END_TEST

START_TEST(waiters_are_woken_in_order_of_arrival) {
    uint64_t word = map_pages(world.one, 1, RW);
    struct thread *three = driver_thread(world.process);
    must_wait(three, word, ALL_BITS);
    must_wait(world.one, word, ALL_BITS);
    expect(wake(world.two, word, 1, ALL_BITS), 1);
    expect(driver_answer(three), AX_OK);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    must_wait(three, word, ALL_BITS);
    expect(wake(world.two, word, 5, ALL_BITS), 2);
}
END_TEST

START_TEST(only_matching_bits_are_woken) {
    uint64_t word = map_pages(world.one, 1, RW);
    struct thread *three = driver_thread(world.process);
    must_wait(world.one, word, 1);
    must_wait(three, word, 2);
    expect(wake(world.two, word, 10, 4), 0);
    expect(wake(world.two, word, 10, 2), 1);
    expect(driver_answer(three), AX_OK);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    expect(wake(world.two, word, 0, ALL_BITS), 0);
    expect(wake(world.two, word, UINT64_MAX, 3), 1);
}
END_TEST

START_TEST(a_wait_ends_at_its_deadline) {
    uint64_t word = map_pages(world.one, 1, RW);
    expect(wait(world.one, word, 0, ALL_BITS, NOW), AX_ERR_TIMEOUT);
    expect(wait(world.one, word, 0, ALL_BITS, now_ns() + 1000), DRIVER_BLOCKED);
    driver_advance(999);
    expect(driver_answer(world.one), DRIVER_BLOCKED);
    driver_advance(1);
    expect(driver_answer(world.one), AX_ERR_TIMEOUT);
    expect(wake(world.two, word, 1, ALL_BITS), 0);
}
END_TEST

START_TEST(a_wait_is_interrupted) {
    uint64_t word = map_pages(world.one, 1, RW);
    must_wait(world.one, word, ALL_BITS);
    interrupt(world.one);
    expect(driver_answer(world.one), AX_ERR_INTERRUPTED);
    expect(wake(world.two, word, 1, ALL_BITS), 0);
}
END_TEST

START_TEST(a_dead_waiter_is_gone) {
    uint64_t word = map_pages(world.one, 1, RW);
    must_wait(world.one, word, ALL_BITS);
    kernel_lock();
    thread_end(world.one, AX_CAUSE_KILLED, 0);
    kernel_unlock();
    driver_settle();
    expect(wake(world.two, word, 1, ALL_BITS), 0);
}
END_TEST

START_TEST(shared_words_are_known_by_their_memory) {
    ax_handle memory = memory_new(world.one, 2);
    ax_handle theirs = driver_copy(world.process, memory, world.other, AX_RIGHT_ALL);
    uint64_t here = map_memory(world.one, memory, 2, RW, 0);
    ax_result there =
        map_with(world.stranger, 0, theirs,
                 (struct ax_map_request){.size_bytes = PAGE, .offset = PAGE, .prot = RW});
    must_wait(world.one, here + PAGE + 4, ALL_BITS);
    expect(wake(world.stranger, (uint64_t)there, 1, ALL_BITS), 0);
    expect(wake(world.stranger, (uint64_t)there + 4, 1, ALL_BITS), 1);
    expect(driver_answer(world.one), AX_OK);
}
END_TEST

START_TEST(private_words_are_known_by_their_process) {
    uint64_t at = map_pages(world.one, 1, RW);
    map_at(world.stranger, at, 1, RW);
    must_wait(world.one, at, ALL_BITS);
    expect(wake(world.stranger, at, 1, ALL_BITS), 0);
    /* A private mapping of the same object is another word as well. */
    ax_handle memory = memory_new(world.two, 1);
    uint64_t shared = map_memory(world.two, memory, 1, RW, 0);
    uint64_t private = map_memory(world.two, memory, 1, RW, AX_MAP_PRIVATE);
    struct thread *three = driver_thread(world.process);
    must_wait(three, private, ALL_BITS);
    expect(wake(world.two, shared, 1, ALL_BITS), 0);
    expect(wake(world.two, private, 1, ALL_BITS), 1);
}
END_TEST

START_TEST(arguments_are_checked) {
    uint64_t word = map_pages(world.one, 1, RW), nothing = map_pages(world.one, 1, AX_PROT_NONE);
    expect(wait(world.one, word + 2, 0, ALL_BITS, NOW), AX_ERR_ARGUMENT);
    expect(wait(world.one, word, 0, 0, NOW), AX_ERR_ARGUMENT);
    expect(wait(world.one, word, 0, UINT64_C(1) << 32, NOW), AX_ERR_ARGUMENT);
    expect(wait(world.one, word, UINT64_C(1) << 32, ALL_BITS, NOW), AX_ERR_ARGUMENT);
    expect(wait(world.one, 4, 0, ALL_BITS, NOW), AX_ERR_ADDRESS);
    expect(wait(world.one, AX_PROGRAM_END, 0, ALL_BITS, NOW), AX_ERR_ADDRESS);
    expect(wait(world.one, nothing, 0, ALL_BITS, NOW), AX_ERR_ADDRESS);
    expect(wake(world.one, word + 1, 1, ALL_BITS), AX_ERR_ARGUMENT);
    expect(wake(world.one, word, 1, 0), AX_ERR_ARGUMENT);
    expect(wake(world.one, word, 1, UINT64_C(1) << 32), AX_ERR_ARGUMENT);
    expect(wake(world.one, UINT64_MAX - 3, 1, ALL_BITS), AX_ERR_ADDRESS);
}
END_TEST

START_TEST(waiting_needs_no_memory_but_the_page) {
    uint64_t word = map_pages(world.one, 1, RW);
    driver_fail_after(1);
    expect(wait(world.one, word, 0, ALL_BITS, NOW), AX_ERR_MEMORY);
    driver_fail_after(0);
    expect(wait(world.one, word, 0, ALL_BITS, NOW), AX_ERR_TIMEOUT);
    driver_fail_after(1);
    expect(wait(world.one, word, 0, ALL_BITS, NOW), AX_ERR_TIMEOUT);
    driver_fail_after(0);
}
END_TEST

START_TEST(many_waiters_are_looked_at_in_portions) {
    enum { COUNT = 100 };
    static struct thread *threads[COUNT];
    uint64_t word = map_pages(world.one, 1, RW);
    struct process *process = driver_process();
    ax_handle memory = memory_new(world.one, 1);
    uint64_t here = map_memory(world.one, memory, 1, RW, 0);
    ax_handle theirs = driver_copy(world.process, memory, process, AX_RIGHT_ALL);
    uint64_t there = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        threads[i] = driver_thread(process);
        if (i == 0)
            there = map_memory(threads[0], theirs, 1, RW, 0);
        must_wait(threads[i], there, i < 90 ? 1 : 2);
    }
    uint64_t restarts = kernel->counters.restarts;
    expect(wake(world.one, here, 1, 2), 1);
    ck_assert_uint_eq(kernel->counters.restarts, restarts + 1);
    expect(driver_answer(threads[90]), AX_OK);
    expect(wake(world.one, here, UINT64_MAX, 3), COUNT - 1);
    for (unsigned i = 0; i < COUNT; i++)
        expect(driver_answer(threads[i]), AX_OK);
    expect(wake(world.one, word, 1, 1), 0);
}
END_TEST

START_TEST(an_exiting_thread_wakes_one) {
    uint64_t word = map_pages(world.one, 1, RW);
    uint32_t value = 5;
    driver_write(world.process, word, &value, sizeof(value));
    struct thread *three = driver_thread(world.process);
    expect(wait(world.one, word, 5, ALL_BITS, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(wait(three, word, 5, ALL_BITS, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(kcall(world.two, AX_CALL_THREAD_EXIT, word, 0), DRIVER_ENDED);
    driver_read(world.process, word, &value, sizeof(value));
    ck_assert_uint_eq(value, 0);
    expect(driver_answer(world.one), AX_OK);
    expect(driver_answer(three), DRIVER_BLOCKED);
}
END_TEST

START_TEST(an_exiting_thread_may_name_anything) {
    uint64_t word = map_pages(world.one, 1, RW);
    struct thread *three = driver_thread(world.process), *four = driver_thread(world.process);
    expect(kcall(three, AX_CALL_THREAD_EXIT, 12, 0), DRIVER_ENDED);
    expect(kcall(four, AX_CALL_THREAD_EXIT, word + 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.two, AX_CALL_THREAD_EXIT, word, 0), DRIVER_ENDED);
    expect(wait(world.one, word, 0, ALL_BITS, NOW), AX_ERR_TIMEOUT);
}
END_TEST

TCase *futex_wait_tests(void) {
    TCase *tcase = world_case("futex_wait");
    tcase_add_test(tcase, a_waiter_is_woken);
    tcase_add_test(tcase, another_value_is_told_before_anything_else);
    tcase_add_test(tcase, waiters_are_woken_in_order_of_arrival);
    tcase_add_test(tcase, only_matching_bits_are_woken);
    tcase_add_test(tcase, a_wait_ends_at_its_deadline);
    tcase_add_test(tcase, a_wait_is_interrupted);
    tcase_add_test(tcase, a_dead_waiter_is_gone);
    tcase_add_test(tcase, shared_words_are_known_by_their_memory);
    tcase_add_test(tcase, private_words_are_known_by_their_process);
    tcase_add_test(tcase, arguments_are_checked);
    tcase_add_test(tcase, waiting_needs_no_memory_but_the_page);
    tcase_add_test(tcase, many_waiters_are_looked_at_in_portions);
    tcase_add_test(tcase, an_exiting_thread_wakes_one);
    tcase_add_test(tcase, an_exiting_thread_may_name_anything);
    return tcase;
}
