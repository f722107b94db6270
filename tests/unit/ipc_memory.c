/* SPDX-License-Identifier: MIT */
/* Calls when there is no memory: what can fail fails before anything is sent, the rest cannot. */
#include "ipc_tests.h"

#define RW (AX_PROT_READ | AX_PROT_WRITE)

static uint64_t lent, own; /* pages of the client's and of the server's */
static ax_handle events[4], answers[4];

static void memory_start(void) {
    ipc_start();
    lent = driver_map(world.client, 0x1000000, 4, RW);
    own = driver_map(world.server, 0x2000000, 4, RW);
    for (unsigned i = 0; i < 4; i++) {
        events[i] = make(world.one, AX_TYPE_EVENT);
        answers[i] = i < 2 ? make(world.sam, AX_TYPE_EVENT)
                           : (ax_handle)kcall(world.sam, AX_CALL_SESSION_CREATE, world.endpoint,
                                              50 + i, 0, AX_PLACE_ANY);
    }
}

/* The tables are full: whatever needs room needs memory. */
static void fill_table(struct process *process) {
    while (process->handles.used + process->handles.promised < process->handles.slot_count)
        driver_handle(process, &world.client->object, 0);
}

/* From now on no allocation may happen. */
static void no_memory_is_needed(void) {
    driver_fail_after(1);
}

static void none_was_needed(void) {
    ck_assert(!driver_has_failed());
    driver_fail_after(0);
}

/* A call with all that a call can have. */
static ax_result full_call(void) {
    struct ax_ipc *ipc = fresh(world.one);
    ipc->accept = 4;
    ipc->message.operation = 1;
    ipc->message.handle_count = 4;
    for (unsigned i = 0; i < 4; i++)
        ipc->message.handles[i] =
            (struct ax_message_handle){events[i], AX_RIGHT_ALL | (i % 2 ? AX_HANDLE_MOVE : 0)};
    ipc->message.loan_count = 2;
    ipc->message.loan_access[0] = AX_LOAN_READ;
    ipc->message.loan_access[1] = AX_LOAN_WRITE;
    ipc->message.loans[0] = (struct ax_loan){lent + 100, 5000};
    ipc->message.loans[1] = (struct ax_loan){lent + 2 * AX_PAGE_SIZE + 100, 5000};
    return call_again(world.one, world.session);
}

static ax_result full_receive(void) {
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->accept = 4;
    ipc->buffer = own + 50;
    ipc->buffer_bytes = AX_INLINE_MAX;
    return kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint);
}

static ax_result full_answer(ax_handle reply) {
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->message.operation = 2;
    ipc->message.handle_count = 4;
    for (unsigned i = 0; i < 4; i++)
        ipc->message.handles[i] =
            (struct ax_message_handle){answers[i], AX_RIGHT_ALL | AX_HANDLE_MOVE};
    ipc->data = own + 2 * AX_PAGE_SIZE - 10;
    ipc->data_bytes = 4000;
    return kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0);
}

static bool is_for_memory(ax_result result) {
    return result == AX_ERR_MEMORY || result == AX_ERR_LIMIT;
}

/* One exchange; what fails says so, and is made once more. */
static void exchange(void) {
    fill_table(world.client);
    ax_result result = full_call();
    if (is_for_memory(result)) {
        ck_assert(is_handle(world.client, events[1]));
        result = full_call();
    }
    expect(result, DRIVER_BLOCKED);
    result = full_receive();
    if (is_for_memory(result))
        result = full_receive();
    expect(result, AX_OK);
    ax_handle reply = has_call(world.sam, 1);
    ck_assert_uint_eq(message(world.sam)->handle_count, 4);
    result = full_answer(reply);
    if (result == AX_ERR_ABSENT) {
        expect(kcall(world.sam, AX_CALL_REPLY_CONTROL, reply, AX_REPLY_FAULT, 1, 0), AX_OK);
        expect(full_receive(), AX_OK);
        reply = has_call(world.sam, 1);
        result = full_answer(reply);
    }
    if (is_for_memory(result)) {
        is_calling(world.one);
        ck_assert(is_handle(world.server, answers[0]));
        result = full_answer(reply);
    }
    expect(result, AX_OK);
    if (is_for_memory(driver_answer(world.one)))
        return; /* it could not be given what it was to get */
    has_answer(world.one, 2);
    ck_assert_uint_eq(message(world.one)->handle_count, 4);
    ck_assert(is_handle(world.client, events[0]) && !is_handle(world.client, events[1]));
}

START_TEST(an_exchange_survives_any_failure) {
    with_failures(exchange);
}
END_TEST

/* The same, and the server dies in the middle. */
static void exchange_with_death(void) {
    ax_result result = full_call();
    if (is_for_memory(result))
        return;
    result = full_receive();
    ck_assert(result == AX_OK || is_for_memory(result));
    crash(world.sam);
    ck_assert(driver_answer(world.one) == AX_ERR_PEER_CLOSED);
    ck_assert(is_handle(world.client, events[1]));
}

START_TEST(a_death_survives_any_failure) {
    with_failures(exchange_with_death);
}
END_TEST

START_TEST(a_delivery_needs_no_memory) {
    struct ax_ipc *ipc = fresh(world.sam);
    fill_table(world.server);
    ipc->accept = 4;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), DRIVER_BLOCKED);
    fresh(world.one)->message.handle_count = 4;
    for (unsigned i = 0; i < 4; i++)
        fresh(world.one)->message.handles[i] = (struct ax_message_handle){events[i], ~0U >> 1};
    no_memory_is_needed();
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    has_call(world.sam, 0);
    none_was_needed();
}
END_TEST

START_TEST(an_answer_needs_no_memory) {
    fill_table(world.client);
    fresh(world.one)->accept = 4;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->message.handle_count = 4;
    for (unsigned i = 0; i < 4; i++)
        ipc->message.handles[i] = (struct ax_message_handle){answers[i], AX_RIGHT_ALL};
    no_memory_is_needed();
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
    has_answer(world.one, 0);
    ck_assert_uint_eq(message(world.one)->handle_count, 4);
    none_was_needed();
}
END_TEST

START_TEST(ends_and_redeliveries_need_no_memory) {
    keep();
    struct thread *next = driver_thread_with(driver_process(), 16, 0);
    ax_handle theirs = driver_copy(world.server, world.endpoint, next->process, AX_RIGHT_ALL);
    ax_handle server = driver_process_handle(world.server);
    expect(full_call(), DRIVER_BLOCKED);
    expect(full_receive(), AX_OK);
    calls(world.two, world.session, 3);
    no_memory_is_needed();
    expect(root_call(AX_CALL_PROCESS_END, server, AX_CAUSE_KILLED, 0), AX_OK);
    none_was_needed();
    expect(receive(next, theirs), AX_OK);
    has_close(next, 52); /* sessions that only the server had */
    expect(receive(next, theirs), AX_OK);
    has_close(next, 53);
    fresh(next)->accept = 4;
    expect(kcall(next, AX_CALL_REPLY_RECEIVE, 0, theirs), AX_OK);
    no_memory_is_needed();
    has_call(next, 1);
    ck_assert_uint_eq(message(next)->handle_count, 4);
    ck_assert_uint_eq(message(next)->flags, AX_MESSAGE_REDELIVERED);
    must_close(next, message(next)->reply);
    expect(driver_answer(world.one), AX_ERR_DROPPED);
    takes(next, theirs, 3);
    none_was_needed();
}
END_TEST

START_TEST(closes_interrupts_and_forwards_need_no_memory) {
    ax_handle second = endpoint_for(world.sue);
    ax_handle onward = session_for(world.sue, second, 1, world.server);
    has_nothing(world.sue, second);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ax_handle one = grant_thread(world.one, driver_root(), AX_RIGHT_CONTROL);
    no_memory_is_needed();
    expect(root_call(AX_CALL_THREAD_CONTROL, one, AX_THREAD_INTERRUPT, 0), AX_OK);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_interrupt(world.sam, reply);
    expect(kcall(world.sam, AX_CALL_FORWARD, reply, onward), AX_OK);
    expect(answer(world.sue, takes(world.sue, second, 1), 4), AX_OK);
    has_answer(world.one, 4);
    must_close(world.one, world.session);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
    expect(kcall(world.sam, AX_CALL_SESSION_RETIRE, world.endpoint, BADGE, 0), AX_OK);
    none_was_needed();
}
END_TEST

void ipc_memory_tests(Suite *suite) {
    TCase *tcase = tcase_create("ipc_memory");
    tcase_add_checked_fixture(tcase, memory_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, an_exchange_survives_any_failure);
    tcase_add_test(tcase, a_death_survives_any_failure);
    tcase_add_test(tcase, a_delivery_needs_no_memory);
    tcase_add_test(tcase, an_answer_needs_no_memory);
    tcase_add_test(tcase, ends_and_redeliveries_need_no_memory);
    tcase_add_test(tcase, closes_interrupts_and_forwards_need_no_memory);
}
