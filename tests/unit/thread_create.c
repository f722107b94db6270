/* SPDX-License-Identifier: MIT */
/* thread_create and thread_exit. */
#include "process_tests.h"

#define ENTRY UINT64_C(0x401000)
#define STACK UINT64_C(0x7f8000)

static ax_result create(struct thread *thread, ax_handle process, ax_place place) {
    return kcall(thread, AX_CALL_THREAD_CREATE, process, ENTRY, STACK, 77, place);
}

static struct thread *made_by(struct thread *thread) {
    ax_result handle = create(thread, AX_HANDLE_NONE, AX_PLACE_ANY);
    ck_assert_int_gt(handle, 0);
    return container_of(driver_object(thread->process, (ax_handle)handle), struct thread, object);
}

START_TEST(a_thread_starts_where_told) {
    struct thread *made = made_by(world.one);
    ck_assert_uint_eq(made->user.regs.rip, ENTRY);
    ck_assert_uint_eq(made->user.regs.rsp, STACK);
    ck_assert_uint_eq(made->user.regs.rdi, 77);
    ck_assert_uint_eq(made->user.regs.rflags, AX_RFLAGS_FIXED);
    ck_assert_uint_eq(made->label, LABEL);
    ck_assert_uint_eq(made->base_priority, 16);
    ck_assert_uint_eq(made->slot, 2);
    ck_assert_uint_eq(made->page->self, AX_THREAD_PAGES + 2 * AX_PAGE_SIZE);
    ck_assert_uint_eq(made->page->thread_id, made->object.id);
    ck_assert_uint_eq(made->page->slot, 2);
    calls(made, world.session, 5);
    takes(world.sam, world.endpoint, 5);
    ck_assert_uint_eq(message(world.sam)->label, LABEL);
}
END_TEST

START_TEST(a_thread_inherits_base_priority_and_not_what_is_lent) {
    calls(driver_thread_with(world.client, 20, 0), world.session, 1);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(world.sam->priority, 20);
    ck_assert_uint_eq(made_by(world.sam)->priority, 16);
}
END_TEST

START_TEST(a_thread_is_made_in_another_process) {
    ax_handle server = grant(world.server, world.client, AX_RIGHT_THREADS);
    expect(create(world.one, server, AX_PLACE(0, 800)), 800);
    struct thread *made = container_of(driver_object(world.client, 800), struct thread, object);
    ck_assert_ptr_eq(made->process, world.server);
    ck_assert_uint_eq(made->label, LABEL);
    has_nothing(made, world.endpoint);
}
END_TEST

START_TEST(creating_needs_the_right_and_a_process) {
    ax_handle weak = grant(world.server, world.client, AX_RIGHT_ALL & ~AX_RIGHT_THREADS);
    expect(create(world.one, weak, 0), AX_ERR_RIGHTS);
    expect(create(world.one, world.session, 0), AX_ERR_TYPE);
    expect(create(world.one, stale(world.one), 0), AX_ERR_HANDLE);
    expect(create(world.one, 0, AX_PLACE(0, world.session & AX_HANDLE_INDEX_MASK)), AX_ERR_EXISTS);
    ax_handle no_place = grant(world.server, world.client, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    expect(create(world.one, 0, AX_PLACE(no_place, 0)), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_THREAD_CREATE, 0, AX_USER_END, STACK, 0, 0), AX_ERR_ARGUMENT);
    ck_assert_uint_eq(world.client->live_threads, 2);
}
END_TEST

START_TEST(an_ended_process_gets_no_thread) {
    ax_handle server = grant(world.server, world.client, AX_RIGHT_ALL);
    end(world.server, AX_CAUSE_KILLED);
    expect(create(world.one, server, 0), AX_ERR_ENDED);
}
END_TEST

START_TEST(slots_are_used_again) {
    struct thread *made = made_by(world.one);
    uint32_t slot = made->slot;
    expect(kcall(made, AX_CALL_THREAD_EXIT, 0, 0), DRIVER_ENDED);
    ck_assert_uint_eq(made_by(world.one)->slot, slot);
}
END_TEST

static void create_thread(void) {
    ax_result result = create(world.one, 0, AX_PLACE(0, 2000));
    ck_assert(result == 2000 || result == AX_ERR_MEMORY);
    ck_assert_uint_eq(world.client->live_threads, result > 0 ? 3 : 2);
}

START_TEST(creating_fails_cleanly_without_memory) {
    with_failures(create_thread);
}
END_TEST

START_TEST(creating_fails_cleanly_when_the_machine_has_nothing_left) {
    /* A process whose machine space is not there yet, and one whose is. */
    struct process *empty = driver_process_of(world.client_account);
    ax_handle handles[2] = {grant(empty, world.client, AX_RIGHT_ALL), AX_HANDLE_NONE};
    for (unsigned i = 0; i < 2; i++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            ck_assert_uint_lt(n, 20);
            uint64_t threads = kernel->counters.threads;
            driver_fail_machine_after(n);
            ax_result result = create(world.one, handles[i], AX_PLACE_ANY);
            failed = driver_has_failed();
            driver_fail_machine_after(0);
            driver_check_invariants();
            if (result > 0)
                continue; /* the failure was got over, or there was none */
            expect(result, AX_ERR_MEMORY);
            ck_assert_uint_eq(kernel->counters.threads, threads);
        }
    }
}
END_TEST

START_TEST(a_process_has_so_many_threads) {
    enum { PAGES = 12000 };
    ipc_stop();
    struct driver_config config = {.model = {.cpu_count = 2,
                                             .memory_bytes = PAGES * AX_PAGE_SIZE,
                                             .translations = 8192,
                                             .table_frames = true}};
    driver_start(&config);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    for (unsigned i = 1; i < AX_THREAD_MAX; i++) {
        ax_result result = create(thread, 0, AX_PLACE(0, i));
        ck_assert_int_gt(result, 0);
        must_close(thread, (ax_handle)result);
    }
    expect(create(thread, 0, 0), AX_ERR_LIMIT);
    ck_assert_uint_eq(process->live_threads, AX_THREAD_MAX);
    end(process, AX_CAUSE_KILLED);
    must_close(driver_root_thread(), driver_process_handle(process));
    ck_assert_uint_eq(kernel->counters.threads, 1);
    driver_check_invariants();
    driver_stop();
    ipc_start();
}
END_TEST

/* ---- thread_exit ----------------------------------------------------------------------------- */

START_TEST(a_thread_that_exits_is_gone) {
    struct thread *made = made_by(world.one);
    ax_handle handle = grant_thread(made, world.server, AX_RIGHT_ALL);
    expect(kcall(made, AX_CALL_THREAD_EXIT, 0, 9), DRIVER_ENDED);
    ck_assert_uint_eq(signals_of(world.sam, handle), AX_SIGNAL_ENDED);
    ck_assert_uint_eq(world.client->live_threads, 2);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, handle, AX_THREAD_INTERRUPT), AX_ERR_ENDED);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, handle, AX_THREAD_GET_REGS), AX_OK);
}
END_TEST

START_TEST(the_last_thread_ends_the_process) {
    ax_handle client = grant(world.client, world.server, AX_RIGHT_ALL);
    expect(kcall(world.one, AX_CALL_THREAD_EXIT, 0, 1), DRIVER_ENDED);
    ck_assert_uint_eq(signals_of(world.sam, client), 0);
    expect(kcall(world.two, AX_CALL_THREAD_EXIT, 0, (uint64_t)-5), DRIVER_ENDED);
    struct ax_object_info info = info_of(world.sam, client);
    ck_assert_uint_eq(info.signals, AX_SIGNAL_ENDED);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_EXIT);
    ck_assert_int_eq(info.process.code, -5);
}
END_TEST

START_TEST(an_exit_clears_a_word_and_wakes_one_who_waits_there) {
    uint64_t page = driver_map(world.client, 0, 1, RW);
    uint32_t words[2] = {1234, 99};
    driver_write(world.client, page, words, sizeof(words));
    struct thread *made = made_by(world.one);
    expect(kcall(world.one, AX_CALL_FUTEX_WAIT, page, 1234, ~0U, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(kcall(world.two, AX_CALL_FUTEX_WAIT, page, 1234, ~0U, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(kcall(made, AX_CALL_THREAD_EXIT, page, 0), DRIVER_ENDED);
    expect(driver_answer(world.one), AX_OK);
    expect(driver_answer(world.two), DRIVER_BLOCKED);
    driver_read(world.client, page, words, sizeof(words));
    ck_assert_uint_eq(words[0], 0);
    ck_assert_uint_eq(words[1], 99);
}
END_TEST

START_TEST(the_word_is_cleared_though_its_page_is_shared_with_a_clone) {
    uint64_t page = driver_map(world.client, 0, 1, RW);
    driver_write(world.client, page, &(uint32_t){7}, sizeof(uint32_t));
    struct thread *made = made_by(world.one);
    ax_result clone = kcall(world.two, AX_CALL_PROCESS_CLONE, ENTRY, STACK, 0, AX_PLACE_ANY);
    expect(kcall(made, AX_CALL_THREAD_EXIT, page, 0), DRIVER_ENDED);
    uint32_t word = 1;
    driver_read(world.client, page, &word, sizeof(word));
    ck_assert_uint_eq(word, 0);
    struct process *child =
        container_of(driver_object(world.client, (ax_handle)clone), struct process, object);
    driver_read(child, page, &word, sizeof(word));
    ck_assert_uint_eq(word, 7);
}
END_TEST

START_TEST(a_word_that_cannot_be_written_yet_keeps_the_thread) {
    uint64_t page = driver_map(world.client, 0, 1, RW);
    struct thread *made = made_by(world.one);
    driver_fail_after(1);
    expect(kcall(made, AX_CALL_THREAD_EXIT, page, 0), AX_ERR_MEMORY);
    ck_assert_uint_eq(world.client->live_threads, 3);
    expect(kcall(made, AX_CALL_THREAD_EXIT, page, 0), DRIVER_ENDED);
}
END_TEST

START_TEST(a_bad_word_is_passed_over) {
    struct thread *made = made_by(world.one);
    expect(kcall(made, AX_CALL_THREAD_EXIT, 2, 0), AX_ERR_ARGUMENT);
    expect(kcall(made, AX_CALL_THREAD_EXIT, 0x123000, 0), DRIVER_ENDED);
    made = made_by(world.one);
    expect(kcall(made, AX_CALL_THREAD_EXIT, AX_KERNEL_PAGE, 0), DRIVER_ENDED);
    made = made_by(world.one);
    expect(kcall(made, AX_CALL_THREAD_EXIT, UINT64_MAX - 3, 0), DRIVER_ENDED);
}
END_TEST

START_TEST(a_receiver_that_exits_leaves_its_endpoint) {
    struct thread *made = made_by(world.sam);
    has_nothing(made, world.endpoint);
    ck_assert_uint_eq(endpoint_of(world.sam, world.endpoint)->member_count, 1);
    expect(kcall(made, AX_CALL_THREAD_EXIT, 0, 0), DRIVER_ENDED);
    ck_assert_uint_eq(endpoint_of(world.sam, world.endpoint)->member_count, 0);
}
END_TEST

START_TEST(a_thread_that_exits_closes_a_handle) {
    ax_handle handle = (ax_handle)create(world.one, AX_HANDLE_NONE, AX_PLACE_ANY);
    struct thread *made = container_of(driver_object(world.client, handle), struct thread, object);
    uint64_t threads = kernel->counters.threads;
    expect(kcall(made, AX_CALL_THREAD_EXIT, 0, 0, stale(world.one)), AX_ERR_HANDLE);
    expect(kcall(made, AX_CALL_THREAD_EXIT, 2, 0, handle), AX_ERR_ARGUMENT);
    uint64_t page = driver_map(world.client, 0, 1, RW);
    driver_fail_after(1);
    expect(kcall(made, AX_CALL_THREAD_EXIT, page, 0, handle), AX_ERR_MEMORY);
    ck_assert_ptr_eq(driver_object(world.client, handle), &made->object);
    expect(kcall(made, AX_CALL_THREAD_EXIT, page, 0, handle), DRIVER_ENDED);
    driver_settle();
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, handle), AX_ERR_HANDLE);
    ck_assert_uint_eq(kernel->counters.threads, threads - 1);
}
END_TEST

/* It stays where it was, so that nobody has to be told of a change, and is the next thread's. */
START_TEST(the_page_of_a_thread_that_exited_is_zero_and_used_again) {
    static const struct ax_thread_page zero;
    struct thread *made = made_by(world.one);
    uint64_t page = made->page->self;
    memset(made->page, 7, sizeof(*made->page)); /* as its program may */
    uint64_t used_bytes = world.client_account->used_bytes, changes = kernel->frames.changes;
    expect(kcall(made, AX_CALL_THREAD_EXIT, 0, 0), DRIVER_ENDED);
    driver_check_invariants();
    const void *seen = driver_touch(world.one, page, AX_PROT_READ);
    ck_assert_ptr_nonnull(seen);
    ck_assert_mem_eq(seen, &zero, sizeof(zero));
    struct thread *next = made_by(world.one);
    ck_assert_uint_eq(next->page->self, page);
    ck_assert_uint_eq(next->page->thread_id, next->object.id);
    ck_assert_uint_eq(next->page->inside, 0);
    ck_assert_uint_lt(world.client_account->used_bytes, used_bytes + AX_PAGE_SIZE);
    ck_assert_uint_eq(kernel->frames.changes, changes);
}
END_TEST

START_TEST(pages_that_threads_left_go_with_the_process) {
    enum { THREADS = 5 };
    struct thread *made[THREADS];
    uint64_t used_bytes = world.client_account->used_bytes;
    for (unsigned i = 0; i < THREADS; i++)
        made[i] = made_by(world.one);
    for (unsigned i = 0; i < THREADS; i++)
        expect(kcall(made[i], AX_CALL_THREAD_EXIT, 0, 0), DRIVER_ENDED);
    driver_settle();
    driver_check_invariants();
    ck_assert_uint_ge(world.client_account->used_bytes, used_bytes + THREADS * AX_PAGE_SIZE);
    ax_handle client = grant(world.client, world.server, AX_RIGHT_ALL);
    end(world.client, AX_CAUSE_KILLED);
    expect(kcall(world.sam, AX_CALL_PROCESS_CONTROL, client, AX_PROCESS_RELEASE), AX_OK);
    driver_settle();
    ck_assert_ptr_null(world.client->space.pages);
    ck_assert_uint_lt(world.client_account->used_bytes, used_bytes);
}
END_TEST

void thread_create_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "thread_create");
    tcase_add_test(tcase, a_thread_starts_where_told);
    tcase_add_test(tcase, a_thread_inherits_base_priority_and_not_what_is_lent);
    tcase_add_test(tcase, a_thread_is_made_in_another_process);
    tcase_add_test(tcase, creating_needs_the_right_and_a_process);
    tcase_add_test(tcase, an_ended_process_gets_no_thread);
    tcase_add_test(tcase, slots_are_used_again);
    tcase_add_test(tcase, creating_fails_cleanly_without_memory);
    tcase_add_test(tcase, creating_fails_cleanly_when_the_machine_has_nothing_left);
    tcase_add_test(tcase, a_process_has_so_many_threads);
    tcase_add_test(tcase, a_thread_that_exits_is_gone);
    tcase_add_test(tcase, the_last_thread_ends_the_process);
    tcase_add_test(tcase, an_exit_clears_a_word_and_wakes_one_who_waits_there);
    tcase_add_test(tcase, the_word_is_cleared_though_its_page_is_shared_with_a_clone);
    tcase_add_test(tcase, a_word_that_cannot_be_written_yet_keeps_the_thread);
    tcase_add_test(tcase, a_bad_word_is_passed_over);
    tcase_add_test(tcase, a_receiver_that_exits_leaves_its_endpoint);
    tcase_add_test(tcase, a_thread_that_exits_closes_a_handle);
    tcase_add_test(tcase, the_page_of_a_thread_that_exited_is_zero_and_used_again);
    tcase_add_test(tcase, pages_that_threads_left_go_with_the_process);
}
