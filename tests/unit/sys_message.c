/* SPDX-License-Identifier: MIT */
/* Messages as the kernel sees them, and answers as the program sees them. */
#include "sys_tests.h"

#include <string.h>

#include <fake_kernel.h>
#include <sys/message.h>

static struct ax_ipc seen;
static uint64_t seen_number, seen_arguments[5];
static ax_result result;

static ax_result answer(struct ax_thread_page *page, uint64_t number, const uint64_t arguments[5]) {
    seen = page->ipc;
    seen_number = number;
    memcpy(seen_arguments, arguments, sizeof(seen_arguments));
    page->ipc.message = (struct ax_message){.operation = 11, .word_count = 1, .words = {12}};
    return result;
}

/* What an earlier call may have left in the page. */
static void setup(void) {
    fake_kernel_start(answer);
    memset(&ax_thread_page()->ipc, 0xee, sizeof(ax_thread_page()->ipc));
    result = AX_OK;
}

START_TEST(a_call_carries_what_was_put_into_it) {
    struct ax_message message;
    char text[3];
    ax_message_init(&message, 5);
    ax_message_word(&message, 6);
    ax_message_word(&message, 7);
    ax_message_handle(&message, 8, AX_RIGHT_READ | AX_HANDLE_MOVE);
    ax_message_lend(&message, NULL, 0, AX_LOAN_READ);
    ax_message_lend(&message, text, sizeof(text), AX_LOAN_WRITE);
    ck_assert_int_eq(ax_call(3, &message, NULL), AX_OK);
    ck_assert_uint_eq(seen_number, AX_CALL_CALL);
    ck_assert_uint_eq(seen_arguments[0], 3);
    ck_assert_uint_eq(seen.message.operation, 5);
    ck_assert_uint_eq(seen.message.word_count, 2);
    ck_assert_uint_eq(seen.message.words[1], 7);
    ck_assert_uint_eq(seen.message.handle_count, 1);
    ck_assert_uint_eq(seen.message.handles[0].rights, AX_RIGHT_READ | AX_HANDLE_MOVE);
    ck_assert_uint_eq(seen.message.loan_count, 2);
    ck_assert_uint_eq(seen.message.loans[0].size_bytes, 0);
    ck_assert_uint_eq(seen.message.loans[1].address, (uintptr_t)text);
    ck_assert_uint_eq(seen.message.loan_access[1], AX_LOAN_WRITE);
    ck_assert_uint_eq(seen.deadline_ns, AX_TIME_NEVER);
    ck_assert_uint_eq(seen.id_sequence, 0);
    ck_assert_uint_eq(seen.id_process, 0);
    ck_assert_uint_eq(seen.accept, 0);
    ck_assert_uint_eq(seen.options, 0);
    ck_assert_uint_eq(seen.place, AX_PLACE_ANY);
    ck_assert_uint_eq(message.operation, 11);
    ck_assert_uint_eq(message.words[0], 12);
}
END_TEST

START_TEST(options_of_a_call_are_passed_on) {
    struct ax_message message;
    struct ax_call_options options = {
        .deadline_ns = 1, .id_sequence = 2, .id_process = 3, .accept = 4, .place = 5};
    ax_message_init(&message, 5);
    ck_assert_int_eq(ax_call(3, &message, &options), AX_OK);
    ck_assert_uint_eq(seen.deadline_ns, 1);
    ck_assert_uint_eq(seen.id_sequence, 2);
    ck_assert_uint_eq(seen.id_process, 3);
    ck_assert_uint_eq(seen.accept, 4);
    ck_assert_uint_eq(seen.place, 5);
    ck_assert_uint_eq(seen.message.word_count, 0);
    ck_assert_uint_eq(seen.message.handle_count, 0);
    ck_assert_uint_eq(seen.message.loan_count, 0);
}
END_TEST

START_TEST(a_call_that_fails_leaves_the_message) {
    struct ax_message message;
    ax_message_init(&message, 5);
    result = AX_ERR_DROPPED;
    ck_assert_int_eq(ax_call(3, &message, NULL), AX_ERR_DROPPED);
    ck_assert_uint_eq(message.operation, 5);
}
END_TEST

START_TEST(too_much_in_a_message_is_left_to_the_kernel_to_refuse) {
    struct ax_message message;
    ax_message_init(&message, 5);
    for (int i = 0; i < AX_MESSAGE_WORDS + 1; i++)
        ax_message_word(&message, 1);
    for (int i = 0; i < AX_MESSAGE_HANDLES + 1; i++)
        ax_message_handle(&message, 1, 1);
    for (int i = 0; i < AX_MESSAGE_LOANS + 1; i++)
        ax_message_lend(&message, &message, 1, AX_LOAN_READ);
    result = AX_ERR_ARGUMENT;
    ck_assert_int_eq(ax_call(3, &message, NULL), AX_ERR_ARGUMENT);
    ck_assert_uint_eq(seen.message.word_count, AX_MESSAGE_WORDS + 1);
    ck_assert_uint_eq(seen.message.handle_count, AX_MESSAGE_HANDLES + 1);
    ck_assert_uint_eq(seen.message.loan_count, AX_MESSAGE_LOANS + 1);
}
END_TEST

START_TEST(receiving_sets_every_parameter) {
    struct ax_message message;
    char buffer[4], data[5];
    struct ax_receive_options options = {.deadline_ns = 1,
                                         .accept = 2,
                                         .place = 3,
                                         .buffer = buffer,
                                         .buffer_bytes = sizeof(buffer),
                                         .data = data,
                                         .data_bytes = sizeof(data),
                                         .changes = {{4, 5, 6}},
                                         .change_count = 1};
    ax_message_init(&message, 9);
    ck_assert_int_eq(ax_reply_receive(7, 8, &message, &options), AX_OK);
    ck_assert_uint_eq(seen_arguments[0], 7);
    ck_assert_uint_eq(seen_arguments[1], 8);
    ck_assert_uint_eq(seen.message.operation, 9);
    ck_assert_uint_eq(seen.receive_deadline_ns, 1);
    ck_assert_uint_eq(seen.accept, 2);
    ck_assert_uint_eq(seen.place, 3);
    ck_assert_uint_eq(seen.buffer, (uintptr_t)buffer);
    ck_assert_uint_eq(seen.buffer_bytes, 4);
    ck_assert_uint_eq(seen.data, (uintptr_t)data);
    ck_assert_uint_eq(seen.data_bytes, 5);
    ck_assert_uint_eq(seen.changes[0].set, 6);
    ck_assert_uint_eq(seen.change_count, 1);
    ck_assert_uint_eq(seen.options, 0);
    ck_assert_uint_eq(message.operation, 11);
}
END_TEST

START_TEST(only_answering_leaves_the_message) {
    struct ax_message message;
    struct ax_receive_options options = {.deadline_ns = AX_TIME_NEVER};
    ax_message_init(&message, 9);
    ck_assert_int_eq(ax_reply_receive(7, AX_HANDLE_NONE, &message, &options), AX_OK);
    ck_assert_uint_eq(message.operation, 9);
}
END_TEST

START_TEST(forwarding_says_whether_there_is_a_message) {
    struct ax_message message;
    ck_assert_int_eq(ax_forward(1, 2, NULL), AX_OK);
    ck_assert_uint_eq(seen_arguments[2], 0);
    ax_message_init(&message, 9);
    ck_assert_int_eq(ax_forward(1, 2, &message), AX_OK);
    ck_assert_uint_eq(seen_arguments[2], AX_FORWARD_MESSAGE);
    ck_assert_uint_eq(seen.message.operation, 9);
}
END_TEST

TCase *sys_message_tests(void) {
    TCase *tcase = tcase_create("message");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_call_carries_what_was_put_into_it);
    tcase_add_test(tcase, options_of_a_call_are_passed_on);
    tcase_add_test(tcase, a_call_that_fails_leaves_the_message);
    tcase_add_test(tcase, too_much_in_a_message_is_left_to_the_kernel_to_refuse);
    tcase_add_test(tcase, receiving_sets_every_parameter);
    tcase_add_test(tcase, only_answering_leaves_the_message);
    tcase_add_test(tcase, forwarding_says_whether_there_is_a_message);
    return tcase;
}
