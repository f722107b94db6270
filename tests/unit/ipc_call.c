/* SPDX-License-Identifier: MIT */
/* The call itself: what arrives, what comes back, and what is refused before anything is sent. */
#include "ipc_tests.h"

START_TEST(a_call_waits_for_a_receiver) {
    calls(world.one, world.session, 42);
    ax_handle reply = takes(world.sam, world.endpoint, 42);
    is_calling(world.one);
    expect(answer(world.sam, reply, 43), AX_OK);
    has_answer(world.one, 43);
}
END_TEST

START_TEST(a_receiver_waits_for_a_call) {
    waits(world.sam, world.endpoint);
    calls(world.one, world.session, 42);
    ax_handle reply = has_call(world.sam, 42);
    expect(answer(world.sam, reply, 43), AX_OK);
    has_answer(world.one, 43);
}
END_TEST

START_TEST(all_words_arrive_and_come_back) {
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.word_count = AX_MESSAGE_WORDS;
    for (uint64_t i = 0; i < AX_MESSAGE_WORDS; i++)
        ipc->message.words[i] = i * 0x0101010101010101;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    ck_assert_uint_eq(message(world.sam)->word_count, AX_MESSAGE_WORDS);
    for (uint64_t i = 0; i < AX_MESSAGE_WORDS; i++)
        ck_assert_uint_eq(message(world.sam)->words[i], i * 0x0101010101010101);
    ipc = fresh(world.sam);
    ipc->message.word_count = AX_MESSAGE_WORDS;
    for (uint64_t i = 0; i < AX_MESSAGE_WORDS; i++)
        ipc->message.words[i] = ~i;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
    has_answer(world.one, 0);
    for (uint64_t i = 0; i < AX_MESSAGE_WORDS; i++)
        ck_assert_uint_eq(message(world.one)->words[i], ~i);
}
END_TEST

START_TEST(words_beyond_the_count_arrive_as_zero) {
    for (unsigned waiting = 0; waiting < 2; waiting++) {
        if (waiting)
            waits(world.sam, world.endpoint);
        struct ax_ipc *ipc = fresh(world.one);
        memset(ipc->message.words, 0xff, sizeof(ipc->message.words));
        ipc->message.word_count = 2;
        expect(call_again(world.one, world.session), DRIVER_BLOCKED);
        ax_handle reply = waiting ? has_call(world.sam, 0) : takes(world.sam, world.endpoint, 0);
        ck_assert_uint_eq(message(world.sam)->words[1], UINT64_MAX);
        for (unsigned i = 2; i < AX_MESSAGE_WORDS; i++)
            ck_assert_uint_eq(message(world.sam)->words[i], 0);
        ipc = fresh(world.sam);
        memset(ipc->message.words, 0xdd, sizeof(ipc->message.words));
        ipc->message.word_count = 1;
        expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
        has_answer(world.one, 0);
        ck_assert_uint_eq(message(world.one)->words[0], 0xdddddddddddddddd);
        for (unsigned i = 1; i < AX_MESSAGE_WORDS; i++)
            ck_assert_uint_eq(message(world.one)->words[i], 0);
    }
}
END_TEST

START_TEST(the_server_is_told_who_calls_through_what) {
    calls(world.one, world.session, 1);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->badge, BADGE);
    ck_assert_uint_eq(message(world.sam)->label, LABEL);
    ck_assert_uint_eq(message(world.sam)->id.caller, world.client->object.id);
    ck_assert_uint_ne(message(world.sam)->id.sequence & AX_SEQUENCE_CORE, 0);
    ck_assert_uint_eq(message(world.sam)->flags, 0);
}
END_TEST

START_TEST(an_answer_tells_nothing_but_the_message) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->message.kind = AX_MESSAGE_EVENT;
    ipc->message.flags = 0xffff;
    ipc->message.label = ipc->message.badge = 5;
    ipc->message.reply = 6;
    ipc->message.loan_count = 1;
    ipc->message.loans[0].size_bytes = 9;
    ipc->message.id.sequence = 7;
    ipc->message.inline_bytes = 8;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
    static const struct ax_message nothing;
    has_answer(world.one, 0);
    ck_assert_mem_eq(message(world.one), &nothing, sizeof(nothing));
}
END_TEST

START_TEST(what_is_written_after_the_call_does_not_arrive) {
    calls(world.one, world.session, 1);
    world.one->page->ipc.message.operation = 99;
    takes(world.sam, world.endpoint, 1);
}
END_TEST

START_TEST(two_threads_of_a_process_call_at_a_time) {
    calls(world.one, world.session, 1);
    calls(world.two, world.session, 2);
    ax_handle first = takes(world.sam, world.endpoint, 1);
    ax_handle second = takes(world.sue, world.endpoint, 2);
    ck_assert_uint_ne(first, second);
    expect(answer(world.sue, second, 20), AX_OK);
    expect(answer(world.sam, first, 10), AX_OK);
    has_answer(world.one, 10);
    has_answer(world.two, 20);
}
END_TEST

START_TEST(answers_and_receives_in_one_step) {
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    for (uint64_t i = 2; i < 10; i++) {
        expect(answer_receive(world.sam, reply, world.endpoint, i * 10), DRIVER_BLOCKED);
        has_answer(world.one, i * 10);
        calls(world.one, world.session, i);
        reply = has_call(world.sam, i);
    }
    expect(answer(world.sam, reply, 0), AX_OK);
}
END_TEST

START_TEST(a_call_needs_a_session_that_may_call) {
    ax_handle weak = weaken(world.one, world.session, AX_RIGHT_ALL & ~AX_RIGHT_CALL);
    expect(call(world.one, weak, 1), AX_ERR_RIGHTS);
    expect(call(world.one, make(world.one, AX_TYPE_EVENT), 1), AX_ERR_TYPE);
    expect(call(world.sam, world.endpoint, 1), AX_ERR_TYPE);
    expect(call(world.one, AX_HANDLE_NONE, 1), AX_ERR_HANDLE);
    expect(call(world.one, stale(world.one), 1), AX_ERR_HANDLE);
    expect(call(world.one, 0xffffffff, 1), AX_ERR_HANDLE);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(counts_beyond_their_limits_are_refused) {
    fresh(world.one)->message.word_count = AX_MESSAGE_WORDS + 1;
    expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
    fresh(world.one)->message.handle_count = AX_MESSAGE_HANDLES + 1;
    expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
    fresh(world.one)->message.loan_count = AX_MESSAGE_LOANS + 1;
    expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
    fresh(world.one)->accept = AX_MESSAGE_HANDLES + 1;
    expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

static ax_result call_with_loan(uint64_t address, uint64_t size_bytes, uint8_t access) {
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.loan_count = 1;
    ipc->message.loan_access[0] = access;
    ipc->message.loans[0] = (struct ax_loan){.address = address, .size_bytes = size_bytes};
    return call_again(world.one, world.session);
}

START_TEST(a_loan_lies_in_user_space) {
    expect(call_with_loan(AX_USER_END, 1, AX_LOAN_READ), AX_ERR_ADDRESS);
    expect(call_with_loan(AX_USER_END - 4096, 4097, AX_LOAN_READ), AX_ERR_ADDRESS);
    expect(call_with_loan(UINT64_MAX, 2, AX_LOAN_READ), AX_ERR_ADDRESS);
    expect(call_with_loan(0x10000, UINT64_MAX, AX_LOAN_READ), AX_ERR_ADDRESS);
    expect(call_with_loan(AX_USER_END - 4096, 4096, AX_LOAN_READ), DRIVER_BLOCKED);
}
END_TEST

START_TEST(a_loan_may_be_read_or_written_or_both) {
    expect(call_with_loan(0x10000, 10, 0), AX_ERR_ARGUMENT);
    expect(call_with_loan(0x10000, 10, 4), AX_ERR_ARGUMENT);
    expect(call_with_loan(0x10000, 10, AX_LOAN_READ | AX_LOAN_WRITE), DRIVER_BLOCKED);
    takes(world.sam, world.endpoint, 0);
    ck_assert_uint_eq(message(world.sam)->loan_count, 1);
    ck_assert_uint_eq(message(world.sam)->loan_access[0], AX_LOAN_READ | AX_LOAN_WRITE);
    ck_assert_uint_eq(message(world.sam)->loans[0].size_bytes, 10);
    ck_assert_uint_eq(message(world.sam)->loans[0].address, 0);
}
END_TEST

START_TEST(a_deadline_that_has_passed_sends_nothing) {
    fresh(world.one)->deadline_ns = NOW;
    expect(call_again(world.one, world.session), AX_ERR_TIMEOUT);
    has_nothing(world.sam, world.endpoint);
    waits(world.sam, world.endpoint);
    fresh(world.one)->deadline_ns = hal_time_ns();
    expect(call_again(world.one, world.session), AX_ERR_TIMEOUT);
    expect(driver_answer(world.sam), DRIVER_BLOCKED);
}
END_TEST

START_TEST(an_endpoint_that_is_gone_is_told) {
    must_close(world.sam, world.endpoint);
    expect(call(world.one, world.session, 1), AX_ERR_PEER_CLOSED);
    ck_assert_uint_eq(signals_of(world.one, world.session), AX_SIGNAL_PEER_CLOSED);
}
END_TEST

/* ---- Ids ------------------------------------------------------------------------------------- */

static struct ax_call_id id_of_next(struct thread *caller) {
    ax_handle reply = takes(world.sam, world.endpoint, 0);
    struct ax_call_id id = message(world.sam)->id;
    expect(answer(world.sam, reply, 0), AX_OK);
    has_answer(caller, 0);
    return id;
}

START_TEST(ids_that_core_chooses_never_repeat) {
    struct ax_call_id ids[4];
    for (unsigned i = 0; i < 4; i++) {
        struct thread *caller = i % 2 != 0 ? world.one : world.two;
        calls(caller, world.session, 0);
        ids[i] = id_of_next(caller);
        ck_assert_uint_eq(ids[i].caller, world.client->object.id);
        for (unsigned k = 0; k < i; k++)
            ck_assert_uint_ne(ids[i].sequence, ids[k].sequence);
    }
}
END_TEST

START_TEST(a_caller_chooses_its_sequence) {
    fresh(world.one)->id_sequence = 1234;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    struct ax_call_id id = id_of_next(world.one);
    ck_assert_uint_eq(id.sequence, 1234);
    ck_assert_uint_eq(id.caller, world.client->object.id);
    fresh(world.one)->id_sequence = AX_SEQUENCE_CORE | 1; /* core's own */
    expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(a_call_is_made_in_the_name_of_a_stash) {
    struct process *stash = driver_process();
    ax_handle name = grant(stash, world.client, AX_RIGHT_HANDLES);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->id_process = name;
    ipc->id_sequence = 55;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    struct ax_call_id id = id_of_next(world.one);
    ck_assert_uint_eq(id.caller, stash->object.id);
    ck_assert_uint_eq(id.sequence, 55);
    fresh(world.one)->id_process = name; /* core counts for each name */
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    id = id_of_next(world.one);
    ck_assert_uint_eq(id.caller, stash->object.id);
    ck_assert_uint_eq(id.sequence, AX_SEQUENCE_CORE | 1);
}
END_TEST

START_TEST(a_name_needs_the_right_to_its_handles) {
    struct process *stash = driver_process();
    ax_handle weak = grant(stash, world.client, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    fresh(world.one)->id_process = weak;
    expect(call_again(world.one, world.session), AX_ERR_RIGHTS);
    fresh(world.one)->id_process = world.session;
    expect(call_again(world.one, world.session), AX_ERR_TYPE);
    fresh(world.one)->id_process = stale(world.one);
    expect(call_again(world.one, world.session), AX_ERR_HANDLE);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(what_is_reserved_is_zero) {
    for (unsigned i = 0; i < 2; i++) {
        struct ax_ipc *ipc = fresh(world.one);
        ipc->options = i == 0;
        ipc->place = i == 0 ? 0 : AX_PLACE(0, 9);
        expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
    }
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    fresh(world.sam)->options = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, world.endpoint), AX_ERR_ARGUMENT);
    fresh(world.sam)->place = UINT64_C(1) << 63;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_ERR_ARGUMENT);
    is_calling(world.one);
    /* What a message that was received left in the area is no more than that. */
    expect(answer(world.sam, reply, 1), AX_OK);
    world.one->page->ipc.message.kind = 3;
    world.one->page->ipc.message.flags = UINT16_MAX;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->flags, 0);
}
END_TEST

/* By which one sees that a server goes on receiving. */
START_TEST(what_an_endpoint_delivered_is_counted) {
    ax_handle other = session_for(world.sam, world.endpoint, 8, world.client);
    for (uint64_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(info_of(world.sam, world.endpoint).endpoint.delivered, i);
        waits(world.sam, world.endpoint);
        calls(world.one, world.session, i);
        expect(answer(world.sam, has_call(world.sam, i), 0), AX_OK);
    }
    calls(world.one, world.session, 3);
    takes(world.sam, world.endpoint, 3);
    must_close(world.two, other);
    has_nothing(world.sue, endpoint_for(world.sue));
    expect(receive(world.sue, world.endpoint), AX_OK);
    has_close(world.sue, 8);
    has_nothing(world.sue, world.endpoint);
    ck_assert_uint_eq(info_of(world.sam, world.endpoint).endpoint.delivered, 5);
}
END_TEST

START_TEST(calls_are_counted) {
    struct ax_counters before = kernel->counters;
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(answer(world.sam, reply, 1), AX_OK);
    ck_assert_uint_eq(kernel->counters.calls_sent, before.calls_sent + 1);
    ck_assert_uint_eq(kernel->counters.calls_answered, before.calls_answered + 1);
}
END_TEST

START_TEST(the_short_path_is_taken_when_it_is_on) {
    waits(world.sam, world.endpoint);
    uint64_t before = kernel->counters.calls_fast;
    calls(world.one, world.session, 1);
    ck_assert_uint_eq(kernel->counters.calls_fast, before + kernel->fast_ipc);
    ax_handle reply = has_call(world.sam, 1);
    expect(answer_receive(world.sam, reply, world.endpoint, 2), DRIVER_BLOCKED);
    fresh(world.one)->message.word_count = 5; /* too many for it */
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ck_assert_uint_eq(kernel->counters.calls_fast, before + kernel->fast_ipc);
}
END_TEST

START_TEST(a_receiver_bound_to_another_cpu_is_reached) {
    expect(root_call(AX_CALL_OBJECT_WAIT_MANY, 0, hal_time_ns() + 1000, 0), DRIVER_BLOCKED);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 1), AX_OK);
    expect(kcall(world.sam, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 2), AX_OK);
    waits(world.sam, world.endpoint);
    uint64_t before = kernel->counters.calls_fast;
    calls(world.one, world.session, 1);
    ck_assert_uint_eq(kernel->counters.calls_fast, before);
    ax_handle reply = has_call(world.sam, 1);
    expect(answer_receive(world.sam, reply, world.endpoint, 2), DRIVER_BLOCKED);
    has_answer(world.one, 2);
    driver_advance(1000);
}
END_TEST

START_TEST(a_buffer_is_for_one_receive) {
    uint64_t lent = driver_map(world.client, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    uint64_t own = driver_map(world.server, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    char byte = 0;
    driver_write(world.client, lent, "x", 1);
    driver_write(world.server, own, "o", 1);
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->buffer = own;
    ipc->buffer_bytes = 100;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), DRIVER_BLOCKED);
    calls(world.two, world.session, 1);
    ax_handle reply = has_call(world.sam, 1);
    expect(answer_receive(world.sam, reply, world.endpoint, 2), DRIVER_BLOCKED); /* no buffer */
    expect(call_with_loan(lent, 10, AX_LOAN_READ), DRIVER_BLOCKED);
    ck_assert_uint_eq(message(world.sam)->inline_bytes, 0);
    driver_read(world.server, own, &byte, 1);
    ck_assert_int_eq(byte, 'o');
}
END_TEST

START_TEST(both_loans_are_checked) {
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.loan_count = 2;
    ipc->message.loan_access[0] = ipc->message.loan_access[1] = AX_LOAN_READ;
    ipc->message.loans[0] = (struct ax_loan){0x10000, 10};
    ipc->message.loans[1] = (struct ax_loan){AX_USER_END, 10};
    expect(call_again(world.one, world.session), AX_ERR_ADDRESS);
    ipc->message.loans[1].address = 0x20000;
    ipc->message.loan_access[1] = 0;
    expect(call_again(world.one, world.session), AX_ERR_ARGUMENT);
}
END_TEST

void ipc_call_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_call");
    tcase_add_test(tcase, a_call_waits_for_a_receiver);
    tcase_add_test(tcase, a_receiver_waits_for_a_call);
    tcase_add_test(tcase, all_words_arrive_and_come_back);
    tcase_add_test(tcase, words_beyond_the_count_arrive_as_zero);
    tcase_add_test(tcase, the_server_is_told_who_calls_through_what);
    tcase_add_test(tcase, an_answer_tells_nothing_but_the_message);
    tcase_add_test(tcase, what_is_written_after_the_call_does_not_arrive);
    tcase_add_test(tcase, two_threads_of_a_process_call_at_a_time);
    tcase_add_test(tcase, answers_and_receives_in_one_step);
    tcase_add_test(tcase, a_call_needs_a_session_that_may_call);
    tcase_add_test(tcase, counts_beyond_their_limits_are_refused);
    tcase_add_test(tcase, a_loan_lies_in_user_space);
    tcase_add_test(tcase, a_loan_may_be_read_or_written_or_both);
    tcase_add_test(tcase, a_deadline_that_has_passed_sends_nothing);
    tcase_add_test(tcase, an_endpoint_that_is_gone_is_told);
    tcase_add_test(tcase, ids_that_core_chooses_never_repeat);
    tcase_add_test(tcase, a_caller_chooses_its_sequence);
    tcase_add_test(tcase, a_call_is_made_in_the_name_of_a_stash);
    tcase_add_test(tcase, a_name_needs_the_right_to_its_handles);
    tcase_add_test(tcase, what_is_reserved_is_zero);
    tcase_add_test(tcase, what_an_endpoint_delivered_is_counted);
    tcase_add_test(tcase, calls_are_counted);
    tcase_add_test(tcase, the_short_path_is_taken_when_it_is_on);
    tcase_add_test(tcase, a_receiver_bound_to_another_cpu_is_reached);
    tcase_add_test(tcase, a_buffer_is_for_one_receive);
    tcase_add_test(tcase, both_loans_are_checked);
}
