/* SPDX-License-Identifier: MIT */
/* loan_read, loan_write, and the bytes that come and go with a message. */
#include <string.h>

#include "endpoint.h"
#include "loan_world.h"
#include "memory_tests.h"

static void kill_lender(void) {
    kernel_lock();
    process_end(lender->process, AX_CAUSE_KILLED, 0, 0, 0);
    kernel_unlock();
    driver_settle();
}

/* A pager for an object of the lender, of which one page is there. */
static uint64_t paged(void) {
    ax_handle memory = memory_new(lender, 3);
    uint64_t at = map_memory(lender, memory, 3, RW, 0);
    poke(lender, at, 9);
    ax_handle pager = make(lender, AX_TYPE_ENDPOINT);
    memory_of(lender, memory)->pager =
        container_of(driver_object(lender->process, pager), struct endpoint, object);
    return at;
}

START_TEST(a_loan_is_read) {
    lend(loans.lent + 10, 5 * PAGE, AX_LOAN_READ);
    driver_write(lender->process, loans.lent + PAGE - 2, "abcd", 4);
    expect(loan_read(0, PAGE - 12, loans.own + 100, 4), 4);
    char text[4];
    driver_read(server->process, loans.own + 100, text, 4);
    ck_assert_mem_eq(text, "abcd", 4);
    expect(loan_write(0, 0, loans.own, 1), AX_ERR_RIGHTS);
}
END_TEST

START_TEST(a_loan_is_written) {
    lend(loans.lent + 10, 5 * PAGE, AX_LOAN_WRITE);
    driver_write(server->process, loans.own, "wxyz", 4);
    expect(loan_write(0, PAGE - 12, loans.own, 4), 4);
    char text[4];
    driver_read(lender->process, loans.lent + PAGE - 2, text, 4);
    ck_assert_mem_eq(text, "wxyz", 4);
    expect(loan_read(0, 0, loans.own, 1), AX_ERR_RIGHTS);
}
END_TEST

static struct ax_trace_entry copy_traced(const char *text) {
    driver_write(lender->process, loans.lent + 10, text, strlen(text));
    uint64_t written = kernel->trace.written;
    expect(loan_read(0, 0, loans.own, strlen(text)), (ax_result)strlen(text));
    ck_assert_uint_eq(kernel->trace.written, written + 1);
    return kernel->trace.entries[written & (kernel->trace.size - 1)];
}

/* Traces of two runs differ if what was lent differs. */
START_TEST(a_trace_tells_what_was_in_a_loan) {
    lend(loans.lent + 10, PAGE, AX_LOAN_READ);
    kernel->trace.mask = 1U << AX_TRACE_COPY;
    struct ax_trace_entry one = copy_traced("abcdefghij"), other = copy_traced("abcdefghik"),
                          again = copy_traced("abcdefghij");
    ck_assert_uint_eq(one.a, 10);
    ck_assert_uint_eq(other.a, 10);
    ck_assert_uint_ne(one.b, other.b);
    ck_assert_uint_eq(one.b, again.b);
}
END_TEST

START_TEST(a_copy_is_short_at_the_loans_end) {
    lend(loans.lent, 1000, AX_LOAN_READ | AX_LOAN_WRITE);
    expect(loan_read(0, 900, loans.own, 5000), 100);
    expect(loan_write(0, 999, loans.own, UINT64_MAX), 1);
    expect(loan_read(0, 1000, loans.own, 10), 0);
    expect(loan_read(0, 0, loans.own, 0), 0);
    expect(loan_read(0, 1001, loans.own, 10), AX_ERR_ARGUMENT);
    expect(loan_read(0, UINT64_MAX, loans.own, 10), AX_ERR_ARGUMENT);
    expect(loan_write(0, 1001, loans.own, 10), AX_ERR_ARGUMENT);
    expect(loan_write(0, UINT64_MAX, loans.own, 10), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(a_call_has_the_loans_it_has) {
    lend(loans.lent, 1000, AX_LOAN_READ | AX_LOAN_WRITE);
    expect(loan_read(1, 0, loans.own, 1), AX_ERR_ARGUMENT);
    expect(loan_read(UINT64_MAX, 0, loans.own, 1), AX_ERR_ARGUMENT);
    expect(loan_write(1, 0, loans.own, 1), AX_ERR_ARGUMENT);
    expect(loan_write(UINT64_MAX, 0, loans.own, 1), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(long_copies_are_cut_into_portions) {
    lend(loans.lent, LENT_PAGES * PAGE, AX_LOAN_READ | AX_LOAN_WRITE);
    uint64_t restarts = kernel->counters.restarts;
    expect(loan_read(0, 0, loans.own, LENT_PAGES * PAGE), LENT_PAGES * PAGE);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 1);
    for (uint64_t page = 0; page < LENT_PAGES; page++)
        ck_assert_uint_eq(peek(server, loans.own + page * PAGE), page + 1);
    poke_pages(server, loans.own, LENT_PAGES, 100);
    expect(loan_write(0, 0, loans.own, LENT_PAGES * PAGE), LENT_PAGES * PAGE);
    ck_assert_uint_eq(peek(witness, loans.lent + 99 * PAGE), 199);
}
END_TEST

/*
 * While a long copy waits for its next portion, another thread of the server closes the reply and
 * receives a call with a smaller loan by the same handle: the same caller's (0), or another's (1).
 */
START_TEST(a_copy_does_not_go_on_in_another_call) {
    spread();
    expect(kcall(lender, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 2), AX_OK);
    expect(kcall(witness, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 2), AX_OK);
    lend(loans.lent, LENT_PAGES * PAGE, AX_LOAN_READ);
    struct slot *slot = handle_slot(&server->process->handles, loans.reply & AX_HANDLE_INDEX_MASK);
    uint16_t generation = slot->generation;
    struct hal_event event = {.kind = HAL_EVENT_CALL, .call.number = AX_CALL_LOAN_READ};
    event.call.arguments[0] = loans.reply;
    event.call.arguments[3] = loans.own;
    event.call.arguments[4] = LENT_PAGES * PAGE;
    driver_set_manual(true);
    driver_run(server);
    model_cpu_set(0);
    kernel_lock();
    cpu_handle(&kernel->cpus[0], &event);
    kernel_unlock();
    expect(driver_answer(server), DRIVER_RESTART);
    expect(kcall(world.two, AX_CALL_HANDLE_CLOSE, loans.reply), AX_OK);
    struct thread *caller = _i == 0 ? lender : witness;
    caller->page->ipc = (struct ax_ipc){.deadline_ns = AX_TIME_NEVER};
    caller->page->ipc.message.loan_count = 1;
    caller->page->ipc.message.loan_access[0] = AX_LOAN_READ;
    caller->page->ipc.message.loans[0] = (struct ax_loan){loans.lent, 16};
    driver_run(caller);
    expect(kcall(caller, AX_CALL_CALL, loans.session), DRIVER_BLOCKED);
    slot->generation = generation;
    world.two->page->ipc = (struct ax_ipc){.receive_deadline_ns = AX_TIME_NEVER};
    expect(kcall(world.two, AX_CALL_REPLY_RECEIVE, 0, loans.endpoint), AX_OK);
    ck_assert_uint_eq(world.two->page->ipc.message.reply, loans.reply);
    driver_set_manual(false);
    driver_settle();
    expect(driver_answer(server), _i == 0 ? (ax_result)(64 * PAGE) : AX_ERR_HANDLE);
    ck_assert_uint_eq(peek(server, loans.own + 63 * PAGE), 64);
    ck_assert_uint_eq(peek(server, loans.own + 64 * PAGE), 0);
}
END_TEST

START_TEST(a_long_copy_stops_before_a_bad_page) {
    unmap(lender, loans.lent + 80 * PAGE, 1);
    lend(loans.lent, LENT_PAGES * PAGE, AX_LOAN_READ);
    expect(loan_read(0, 0, loans.own, LENT_PAGES * PAGE), 80 * PAGE);
    expect(loan_read(0, 16 * PAGE, loans.own, LENT_PAGES * PAGE), 64 * PAGE);
    expect(loan_read(0, 80 * PAGE, loans.own, PAGE), AX_ERR_ABSENT);
}
END_TEST

START_TEST(the_own_address_may_be_bad) {
    lend(loans.lent, 3 * PAGE, AX_LOAN_READ | AX_LOAN_WRITE);
    uint64_t readable = map_pages(server, 1, AX_PROT_READ);
    expect(loan_read(0, 0, 16, 10), AX_ERR_ADDRESS);
    expect(loan_read(0, 0, UINT64_MAX, 10), AX_ERR_ADDRESS);
    expect(loan_read(0, 0, readable, 10), AX_ERR_ADDRESS);
    expect(loan_write(0, 0, 16, 10), AX_ERR_ADDRESS);
    /* As far as it goes; from there on the error is told. */
    uint64_t last = loans.own + (LENT_PAGES - 1) * PAGE;
    expect(loan_read(0, 0, last, 2 * PAGE), PAGE);
    expect(loan_read(0, PAGE, last + PAGE, PAGE), AX_ERR_ADDRESS);
}
END_TEST

START_TEST(a_bad_loan_is_absent) {
    uint64_t readable = map_pages(lender, 1, AX_PROT_READ);
    unmap(lender, loans.lent + 2 * PAGE, 1);
    lend_two((struct ax_loan){loans.lent, 4 * PAGE}, AX_LOAN_READ | AX_LOAN_WRITE,
             (struct ax_loan){readable, PAGE}, AX_LOAN_WRITE);
    expect(loan_read(0, 0, loans.own, 4 * PAGE), 2 * PAGE);
    expect(loan_read(0, 2 * PAGE, loans.own, 1), AX_ERR_ABSENT);
    expect(loan_write(0, 2 * PAGE, loans.own, 1), AX_ERR_ABSENT);
    expect(loan_write(1, 0, loans.own, 1), AX_ERR_ABSENT);
    expect(loan_read(0, 3 * PAGE, loans.own, 1), 1);
}
END_TEST

START_TEST(zero_pages_of_the_lender_are_made_and_paid_by_it) {
    uint64_t fresh = map_pages(lender, 4, RW);
    lend(fresh, 4 * PAGE, AX_LOAN_READ | AX_LOAN_WRITE);
    expect(loan_read(0, 0, loans.own, PAGE), PAGE);
    uint64_t used_bytes = world.other_account->used_bytes;
    usage_note();
    expect(loan_write(0, PAGE, loans.own, PAGE), PAGE);
    usage_check();
    ck_assert_uint_ge(world.other_account->used_bytes, used_bytes + PAGE);
}
END_TEST

START_TEST(a_lender_that_cannot_pay_is_absent) {
    uint64_t fresh = map_pages(lender, 4, RW);
    lend(fresh, 4 * PAGE, AX_LOAN_WRITE);
    uint64_t limit = world.other_account->limit_bytes;
    world.other_account->limit_bytes = world.other_account->used_bytes;
    expect(loan_write(0, 0, loans.own, 1), AX_ERR_ABSENT);
    world.other_account->limit_bytes = limit;
    expect(loan_write(0, 0, loans.own, 1), 1);
}
END_TEST

START_TEST(a_server_that_cannot_pay_is_told) {
    lend(loans.lent, 4 * PAGE, AX_LOAN_READ);
    uint64_t fresh = map_pages(server, 1, RW);
    uint64_t limit = world.account->limit_bytes;
    world.account->limit_bytes = world.account->used_bytes;
    expect(loan_read(0, 0, fresh, 1), AX_ERR_LIMIT);
    world.account->limit_bytes = limit;
    driver_fail_after(1);
    expect(loan_read(0, 0, fresh, 1), AX_ERR_MEMORY);
    driver_fail_after(0);
    expect(loan_read(0, 0, fresh, 1), 1);
}
END_TEST

START_TEST(a_page_that_needs_its_pager_is_absent) {
    uint64_t at = paged();
    lend(at, 3 * PAGE, AX_LOAN_READ);
    expect(loan_read(0, 0, loans.own, 3 * PAGE), PAGE);
    expect(loan_read(0, PAGE, loans.own, PAGE), AX_ERR_ABSENT);
}
END_TEST

START_TEST(a_dead_caller_lends_no_more) {
    lend(loans.lent, PAGE, AX_LOAN_READ | AX_LOAN_WRITE);
    kill_lender();
    expect(loan_read(0, 0, loans.own, 1), AX_ERR_CALLER_DEAD);
    expect(loan_write(0, 0, loans.own, 1), AX_ERR_CALLER_DEAD);
    expect(loan_map(0, 0, 1), AX_ERR_CALLER_DEAD);
}
END_TEST

START_TEST(reply_handles_are_checked) {
    ax_handle replies[] = {0, stale(server), loans.endpoint};
    for (unsigned i = 0; i < 3; i++) {
        loans.reply = replies[i];
        ax_result wanted = i < 2 ? AX_ERR_HANDLE : AX_ERR_TYPE;
        expect(loan_read(0, 0, loans.own, 1), wanted);
        expect(loan_write(0, 0, loans.own, 1), wanted);
        expect(loan_map(0, 0, 1), wanted);
    }
}
END_TEST

/* ---- With the message ------------------------------------------------------------------------ */

START_TEST(the_first_bytes_come_along) {
    driver_write(lender->process, loans.lent + 7, "letter", 6);
    lend_only((struct ax_loan){loans.lent + 7, 6}, AX_LOAN_READ);
    ck_assert_uint_eq(receive(loans.own + PAGE - 3, 100), 6);
    char text[6];
    driver_read(server->process, loans.own + PAGE - 3, text, 6);
    ck_assert_mem_eq(text, "letter", 6);
}
END_TEST

/* The server answers with bytes for loan 1. */
static ax_result answer_with(uint64_t data, uint32_t data_bytes) {
    server->page->ipc = (struct ax_ipc){.data = data, .data_bytes = data_bytes};
    return answer();
}

START_TEST(no_more_come_along_than_there_is_room_for) {
    lend_only((struct ax_loan){loans.lent, 3 * PAGE}, AX_LOAN_READ);
    ck_assert_uint_eq(receive(loans.own, 10), 10);
}
END_TEST

/* Neither side aligned, so that there are pieces of two pages each. */
START_TEST(the_most_that_comes_along_and_goes_with_an_answer) {
    static char bytes[AX_INLINE_MAX], seen[AX_INLINE_MAX];
    uint64_t pages = AX_INLINE_MAX / PAGE + 1;
    uint64_t there = map_pages(lender, pages, RW) + 100, here = map_pages(server, pages, RW) + 1000;
    for (unsigned i = 0; i < AX_INLINE_MAX; i++)
        bytes[i] = (char)(i / 7);
    driver_write(lender->process, there, bytes, AX_INLINE_MAX);
    lend_only((struct ax_loan){there, AX_INLINE_MAX + 1}, AX_LOAN_READ);
    ck_assert_uint_eq(receive(here, AX_INLINE_MAX), AX_INLINE_MAX);
    driver_read(server->process, here, seen, AX_INLINE_MAX);
    ck_assert_mem_eq(seen, bytes, AX_INLINE_MAX);
    expect(answer(), AX_OK);
    lend_two((struct ax_loan){0, 0}, AX_LOAN_READ, (struct ax_loan){there, AX_INLINE_MAX},
             AX_LOAN_WRITE);
    memset(bytes, 5, sizeof(bytes));
    driver_write(server->process, here, bytes, AX_INLINE_MAX);
    expect(answer_with(here, AX_INLINE_MAX), AX_OK);
    driver_read(lender->process, there, seen, AX_INLINE_MAX);
    ck_assert_mem_eq(seen, bytes, AX_INLINE_MAX);
}
END_TEST

START_TEST(only_what_may_be_read_comes_along) {
    lend_only((struct ax_loan){loans.lent, 100}, AX_LOAN_WRITE);
    ck_assert_uint_eq(receive(loans.own, 100), 0);
    expect(answer(), AX_OK);
    lend_only((struct ax_loan){0}, 0);
    ck_assert_uint_eq(receive(loans.own, 100), 0);
}
END_TEST

START_TEST(what_is_not_there_does_not_come_along) {
    unmap(lender, loans.lent + PAGE, 1);
    lend_only((struct ax_loan){loans.lent + PAGE - 8, 100}, AX_LOAN_READ);
    ck_assert_uint_eq(receive(loans.own, 100), 8);
    expect(answer(), AX_OK);
    lend_only((struct ax_loan){loans.lent + PAGE, 100}, AX_LOAN_READ);
    ck_assert_uint_eq(receive(loans.own, 100), 0);
    expect(answer(), AX_OK);
    lend_only((struct ax_loan){loans.lent, 100}, AX_LOAN_READ);
    ck_assert_uint_eq(receive(64, 100), 0); /* no such buffer */
}
END_TEST

START_TEST(an_answer_brings_bytes) {
    lend_two((struct ax_loan){0, 0}, AX_LOAN_READ, (struct ax_loan){loans.lent + PAGE - 3, 10},
             AX_LOAN_WRITE);
    driver_write(server->process, loans.own + 2 * PAGE - 1, "answer", 6);
    expect(answer_with(loans.own + 2 * PAGE - 1, 6), AX_OK);
    expect(driver_answer(lender), AX_OK);
    char text[6];
    driver_read(lender->process, loans.lent + PAGE - 3, text, 6);
    ck_assert_mem_eq(text, "answer", 6);
}
END_TEST

START_TEST(a_refused_answer_leaves_the_call_unanswered) {
    uint64_t readable = map_pages(lender, 1, AX_PROT_READ);
    lend_two((struct ax_loan){0, 0}, AX_LOAN_READ, (struct ax_loan){readable, 10}, AX_LOAN_WRITE);
    expect(answer_with(loans.own, 11), AX_ERR_ARGUMENT);
    expect(answer_with(24, 5), AX_ERR_ABSENT); /* the lender's side is looked at first */
    expect(answer_with(loans.own, 5), AX_ERR_ABSENT);
    expect(driver_answer(lender), DRIVER_BLOCKED);
}
END_TEST

START_TEST(an_answer_checks_its_data_and_the_loan) {
    lend_two((struct ax_loan){0, 0}, AX_LOAN_READ, (struct ax_loan){loans.lent, 10}, AX_LOAN_WRITE);
    expect(answer_with(24, 5), AX_ERR_ADDRESS);
    expect(answer_with(loans.own + LENT_PAGES * PAGE - 2, 5), AX_ERR_ADDRESS);
    expect(answer_with(loans.own, 5), AX_OK);
    lend_two((struct ax_loan){0, 0}, AX_LOAN_READ, (struct ax_loan){loans.lent, 10}, AX_LOAN_READ);
    expect(answer_with(loans.own, 5), AX_ERR_RIGHTS);
    expect(answer_with(0, 0), AX_OK);
    lend(loans.lent, 10, AX_LOAN_WRITE);
    expect(answer_with(loans.own, 5), AX_ERR_ARGUMENT);
}
END_TEST

/* ---- FAULT ----------------------------------------------------------------------------------- */

static ax_result fault(uint64_t loan, uint64_t offset) {
    return kcall(server, AX_CALL_REPLY_CONTROL, loans.reply, AX_REPLY_FAULT, loan, offset);
}

START_TEST(a_fault_makes_the_page_and_brings_the_call_again) {
    uint64_t fresh = map_pages(lender, 4, RW);
    lend(fresh, 4 * PAGE, AX_LOAN_WRITE);
    expect(fault(0, 3 * PAGE), AX_OK);
    ck_assert_ptr_nonnull(
        memory_find(space_find(lender->process, fresh)->overlay, fresh / PAGE + 3));
    receive(0, 0);
    ck_assert_uint_eq(server->page->ipc.message.flags, AX_MESSAGE_RETRIED);
    expect(loan_write(0, 3 * PAGE, loans.own, 1), 1);
}
END_TEST

START_TEST(a_fault_at_a_bad_address_ends_the_call) {
    unmap(lender, loans.lent + PAGE, 1);
    lend(loans.lent, 2 * PAGE, AX_LOAN_READ);
    expect(fault(0, PAGE), AX_OK);
    expect(driver_answer(lender), AX_ERR_ADDRESS);
    uint64_t readable = map_pages(lender, 1, AX_PROT_READ);
    lend(readable, PAGE, AX_LOAN_READ | AX_LOAN_WRITE);
    expect(fault(0, 0), AX_OK);
    expect(driver_answer(lender), AX_ERR_ADDRESS);
}
END_TEST

TCase *loan_copy_tests(void) {
    TCase *tcase = loan_case("loan_copy");
    tcase_add_test(tcase, a_loan_is_read);
    tcase_add_test(tcase, a_loan_is_written);
    tcase_add_test(tcase, a_trace_tells_what_was_in_a_loan);
    tcase_add_test(tcase, a_copy_is_short_at_the_loans_end);
    tcase_add_test(tcase, a_call_has_the_loans_it_has);
    tcase_add_test(tcase, long_copies_are_cut_into_portions);
    tcase_add_loop_test(tcase, a_copy_does_not_go_on_in_another_call, 0, 2);
    tcase_add_test(tcase, a_long_copy_stops_before_a_bad_page);
    tcase_add_test(tcase, the_own_address_may_be_bad);
    tcase_add_test(tcase, a_bad_loan_is_absent);
    tcase_add_test(tcase, zero_pages_of_the_lender_are_made_and_paid_by_it);
    tcase_add_test(tcase, a_lender_that_cannot_pay_is_absent);
    tcase_add_test(tcase, a_server_that_cannot_pay_is_told);
    tcase_add_test(tcase, a_page_that_needs_its_pager_is_absent);
    tcase_add_test(tcase, a_dead_caller_lends_no_more);
    tcase_add_test(tcase, reply_handles_are_checked);
    tcase_add_test(tcase, the_first_bytes_come_along);
    tcase_add_test(tcase, no_more_come_along_than_there_is_room_for);
    tcase_add_test(tcase, only_what_may_be_read_comes_along);
    tcase_add_test(tcase, the_most_that_comes_along_and_goes_with_an_answer);
    tcase_add_test(tcase, what_is_not_there_does_not_come_along);
    tcase_add_test(tcase, an_answer_brings_bytes);
    tcase_add_test(tcase, a_refused_answer_leaves_the_call_unanswered);
    tcase_add_test(tcase, an_answer_checks_its_data_and_the_loan);
    tcase_add_test(tcase, a_fault_makes_the_page_and_brings_the_call_again);
    tcase_add_test(tcase, a_fault_at_a_bad_address_ends_the_call);
    return tcase;
}
