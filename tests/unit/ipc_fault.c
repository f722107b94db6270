/* SPDX-License-Identifier: MIT */
/* Calls that are given back because a lent page is absent. */
#include "ipc_tests.h"

#define PAGES 8
#define RW    (AX_PROT_READ | AX_PROT_WRITE)

static uint64_t lent; /* pages of the client's that are not there yet */

static void fault_start(void) {
    ipc_start();
    lent = driver_map(world.client, 0x1000000, PAGES, RW);
}

/* A call with one loan; it blocks. */
static void lends(struct thread *caller, ax_handle session, uint64_t address, uint64_t size_bytes) {
    struct ax_ipc *ipc = fresh(caller);
    ipc->message.loan_count = 1;
    ipc->message.loan_access[0] = AX_LOAN_READ | AX_LOAN_WRITE;
    ipc->message.loans[0] = (struct ax_loan){.address = address, .size_bytes = size_bytes};
    expect(call_again(caller, session), DRIVER_BLOCKED);
}

static ax_result fault(ax_handle reply, uint64_t loan, uint64_t offset) {
    return kcall(world.sam, AX_CALL_REPLY_CONTROL, reply, AX_REPLY_FAULT, loan, offset);
}

START_TEST(the_call_comes_again_with_the_same_id) {
    lends(world.one, world.session, lent, PAGES * AX_PAGE_SIZE);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    struct ax_call_id id = message(world.sam)->id;
    uint64_t used = world.client_account->used_bytes;
    expect(fault(reply, 0, 3 * AX_PAGE_SIZE + 17), AX_OK);
    ck_assert_uint_ge(world.client_account->used_bytes, used + AX_PAGE_SIZE);
    ck_assert(!is_handle(world.server, reply));
    ck_assert_ptr_null(world.sam->serving);
    reply = takes(world.sam, world.endpoint, 0);
    ck_assert_mem_eq(&message(world.sam)->id, &id, sizeof(id));
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_RETRIED);
    expect(answer(world.sam, reply, 1), AX_OK);
    has_answer(world.one, 1);
}
END_TEST

START_TEST(it_comes_before_calls_that_nobody_has_received) {
    lends(world.one, world.session, lent, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    calls(driver_thread_with(world.client, 16, 0), world.session, 9);
    expect(fault(reply, 0, 0), AX_OK);
    takes(world.sam, world.endpoint, 0);
    takes(world.sam, world.endpoint, 9);
}
END_TEST

START_TEST(another_thread_may_take_it) {
    lends(world.one, world.session, lent, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    waits(world.sue, world.endpoint);
    expect(fault(reply, 0, 0), AX_OK);
    reply = has_call(world.sue, 0);
    ck_assert_ptr_eq(world.one->call.reply->server, world.sue);
    expect(answer(world.sue, reply, 1), AX_OK);
}
END_TEST

START_TEST(handles_come_again) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){event, AX_RIGHT_WAIT | AX_HANDLE_MOVE};
    ipc->message.loan_count = 1;
    ipc->message.loan_access[0] = AX_LOAN_WRITE;
    ipc->message.loans[0] = (struct ax_loan){lent, 10};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    for (unsigned i = 0; i < 2; i++) {
        fresh(world.sam)->accept = 1;
        expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
        ck_assert_uint_eq(message(world.sam)->handle_count, 1);
        if (i == 0)
            expect(fault(message(world.sam)->reply, 0, 0), AX_OK);
    }
    ck_assert(is_handle(world.client, event));
    expect(answer(world.sam, message(world.sam)->reply, 0), AX_OK);
    ck_assert(!is_handle(world.client, event));
}
END_TEST

START_TEST(an_offset_lies_inside_its_loan) {
    lends(world.one, world.session, lent, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    expect(fault(reply, 0, 100), AX_ERR_ARGUMENT);
    expect(fault(reply, 1, 0), AX_ERR_ARGUMENT);
    expect(fault(reply, UINT64_MAX, 0), AX_ERR_ARGUMENT);
    expect(fault(reply, 0, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(fault(reply, 0, 99), AX_OK);
}
END_TEST

START_TEST(an_address_that_is_no_good_ends_the_call) {
    lends(world.one, world.session, 0x7000000, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    expect(fault(reply, 0, 0), AX_OK);
    expect(driver_answer(world.one), AX_ERR_ADDRESS);
    ck_assert(!is_handle(world.server, reply));
    ck_assert_ptr_null(world.sam->serving);
}
END_TEST

START_TEST(a_dead_caller_needs_no_page) {
    lends(world.one, world.session, lent, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    end(world.client, AX_CAUSE_KILLED);
    expect(fault(reply, 0, 0), AX_ERR_CALLER_DEAD);
    ck_assert(!is_handle(world.server, reply));
}
END_TEST

START_TEST(an_interrupt_is_told_with_the_call) {
    lends(world.one, world.session, lent, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    expect(fault(reply, 0, 0), AX_OK);
    interrupt(world.one);
    is_calling(world.one);
    takes(world.sam, world.endpoint, 0);
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_RETRIED | AX_MESSAGE_INTERRUPTED);
}
END_TEST

START_TEST(a_server_that_dies_then_gives_it_back_once_more) {
    keep();
    lends(world.one, world.session, lent, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    expect(fault(reply, 0, 0), AX_OK);
    takes(world.sam, world.endpoint, 0);
    end(world.server, AX_CAUSE_KILLED);
    new_server();
    takes(world.sam, world.endpoint, 0);
    ck_assert_uint_eq(message(world.sam)->flags, AX_MESSAGE_RETRIED | AX_MESSAGE_REDELIVERED);
}
END_TEST

START_TEST(an_endpoint_that_is_gone_ends_it) {
    lends(world.one, world.session, lent, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    must_close(world.sam, world.endpoint);
    expect(fault(reply, 0, 0), AX_OK);
    expect(driver_answer(world.one), AX_ERR_PEER_CLOSED);
}
END_TEST

/* A client of the small account, which is used up but for the objects; its session and a page. */
static struct thread *poor_client(ax_handle *session, uint64_t *page) {
    struct process *process = driver_process_of(world.small_account);
    struct thread *thread = driver_thread(process);
    *session = driver_copy(world.client, world.session, process, AX_RIGHT_ALL);
    *page = driver_map(process, 0x1000000, 30, RW);
    return thread;
}

static void use_up(struct process *process, uint64_t pages) {
    uint64_t filler = driver_map(process, 0x2000000, 30, RW);
    for (uint64_t i = 0; i < pages; i++)
        driver_write(process, filler + i * AX_PAGE_SIZE, "x", 1);
}

START_TEST(a_caller_that_cannot_pay_is_told) {
    ax_handle session;
    uint64_t page;
    struct thread *poor = poor_client(&session, &page);
    lends(poor, session, page, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    uint64_t left = world.small_account->limit_bytes - world.small_account->used_bytes;
    use_up(poor->process, (left - 1500) / AX_PAGE_SIZE);
    expect(fault(reply, 0, 0), AX_OK);
    expect(driver_answer(poor), AX_ERR_LIMIT);
}
END_TEST

START_TEST(a_corpse_of_the_callers_gives_way) {
    ax_handle session;
    uint64_t page;
    struct process *corpse = driver_process_of(world.small_account);
    driver_thread(corpse);
    end(corpse, AX_CAUSE_KILLED);
    struct thread *poor = poor_client(&session, &page);
    lends(poor, session, page, 100);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    uint64_t left = world.small_account->limit_bytes - world.small_account->used_bytes;
    use_up(poor->process, (left - 1500) / AX_PAGE_SIZE);
    ck_assert(!corpse->released);
    expect(fault(reply, 0, 0), AX_OK);
    ck_assert(corpse->released);
    is_calling(poor);
    takes(world.sam, world.endpoint, 0);
}
END_TEST

void ipc_fault_tests(Suite *suite) {
    TCase *tcase = tcase_create("ipc_fault");
    tcase_add_checked_fixture(tcase, fault_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, the_call_comes_again_with_the_same_id);
    tcase_add_test(tcase, it_comes_before_calls_that_nobody_has_received);
    tcase_add_test(tcase, another_thread_may_take_it);
    tcase_add_test(tcase, handles_come_again);
    tcase_add_test(tcase, an_offset_lies_inside_its_loan);
    tcase_add_test(tcase, an_address_that_is_no_good_ends_the_call);
    tcase_add_test(tcase, a_dead_caller_needs_no_page);
    tcase_add_test(tcase, an_interrupt_is_told_with_the_call);
    tcase_add_test(tcase, a_server_that_dies_then_gives_it_back_once_more);
    tcase_add_test(tcase, an_endpoint_that_is_gone_ends_it);
    tcase_add_test(tcase, a_caller_that_cannot_pay_is_told);
    tcase_add_test(tcase, a_corpse_of_the_callers_gives_way);
}
