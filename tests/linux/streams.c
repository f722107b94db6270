/* SPDX-License-Identifier: MIT */
/* Reading and writing: what a stream's server is asked, and what of its answers programs see. */
#include <proto/stream.h>
#include <string.h>
#include <sys/kernel.h>

#include "world.h"

static char bytes[1000];
static struct linux_iovec parts[3];
static struct ax_message asked;
static int64_t status;

static void answer(uint64_t number) {
    struct ax_message *message = &ax_thread_page()->ipc.message;
    if (number != AX_CALL_CALL)
        return;
    asked = *message;
    *message = (struct ax_message){.operation = (uint64_t)status, .words = {1, 80, 25}};
}

static void setup(void) {
    struct open_file input = {FILE_STREAM, 30, L_O_RDONLY, 0};
    struct open_file output = {FILE_STREAM, 31, L_O_WRONLY, 0};
    struct open_file log = {FILE_LOG, 32, L_O_WRONLY, 0};
    world_start();
    ck_assert(descriptor_open(&world_task.files, 0, &input));
    ck_assert(descriptor_open(&world_task.files, 1, &output));
    ck_assert(descriptor_open(&world_task.files, 2, &log));
    world_hook = answer;
    status = 0;
}

START_TEST(a_write_lends_its_bytes) {
    status = 7;
    ck_assert_int_eq(CALL(write, 1, AT(bytes), 10), 7);
    ck_assert_uint_eq(world_calls[0].a[0], 31);
    ck_assert_uint_eq(asked.operation, AX_STREAM_WRITE);
    ck_assert_uint_eq(asked.loan_count, 1);
    ck_assert_uint_eq(asked.loans[0].address, AT(bytes));
    ck_assert_uint_eq(asked.loans[0].size_bytes, 10);
    ck_assert_uint_eq(asked.loan_access[0], AX_LOAN_READ);
    ck_assert_uint_eq(asked.words[0], 0);
    ck_assert_int_eq(CALL(write, 1, AT(bytes), 0), 0);
    ck_assert_uint_eq(world_call_count, 1);
    ck_assert_int_eq(CALL(write, 0, AT(bytes), 5), -L_EBADF);
}
END_TEST

START_TEST(a_read_has_its_place_in_the_second_loan) {
    status = 4;
    ck_assert_int_eq(CALL(fcntl, 0, L_F_SETFL, L_O_NONBLOCK), 0);
    ck_assert_int_eq(CALL(read, 0, AT(bytes), 10), 4);
    ck_assert_uint_eq(asked.operation, AX_STREAM_READ);
    ck_assert_uint_eq(asked.loan_count, 2);
    ck_assert_uint_eq(asked.loans[0].size_bytes, 0);
    ck_assert_uint_eq(asked.loans[1].address, AT(bytes));
    ck_assert_uint_eq(asked.loan_access[1], AX_LOAN_WRITE);
    ck_assert_uint_eq(asked.words[0], AX_STREAM_NOWAIT);
    ck_assert_int_eq(CALL(read, 1, AT(bytes), 10), -L_EBADF);
    status = AX_ERR_AGAIN;
    ck_assert_int_eq(CALL(read, 0, AT(bytes), 10), -L_EAGAIN);
}
END_TEST

START_TEST(a_broken_pipe_is_a_signal_and_an_error) {
    status = AX_STREAM_BROKEN;
    ck_assert_int_eq(CALL(write, 1, AT(bytes), 10), -L_EPIPE);
    ck_assert_uint_eq(world_thread.queue.pending, signal_bit(L_SIGPIPE));
    world_thread.attention = 0;
    status = AX_STREAM_IO;
    ck_assert_int_eq(CALL(write, 1, AT(bytes), 10), -L_EIO);
    status = 0;
    world_answer(AX_CALL_CALL, AX_ERR_PEER_CLOSED);
    ck_assert_int_eq(CALL(write, 1, AT(bytes), 10), -L_EIO);
}
END_TEST

START_TEST(an_interrupted_call_is_made_again_by_who_asks_again) {
    struct signal_info info = {.signal = 15};
    status = AX_ERR_INTERRUPTED;
    world_thread.attention = 1;
    ck_assert_int_eq(signal_send_thread(&world_thread, &info), 0);
    ck_assert_int_eq(CALL(read, 0, AT(bytes), 10), -L_RESTARTSYS);
    ck_assert_uint_eq(world_call_count, 0); /* what is due already is not waited for */
    static struct linux_stat stat;
    status = 0;
    ck_assert_int_eq(CALL(fstat, 0, AT(&stat)), 0); /* which no signal ends */
}
END_TEST

START_TEST(parts_are_transferred_until_one_is_short) {
    parts[0] = (struct linux_iovec){AT(bytes), 5};
    parts[1] = (struct linux_iovec){AT(bytes), 0};
    parts[2] = (struct linux_iovec){AT(bytes), 9};
    status = 5;
    ck_assert_int_eq(CALL(writev, 1, AT(parts), 3), 10);
    ck_assert_uint_eq(world_call_count, 2);
    status = AX_ERR_AGAIN;
    ck_assert_int_eq(CALL(writev, 1, AT(parts), 3), -L_EAGAIN);
    parts[2].size_bytes = UINT64_MAX;
    ck_assert_int_eq(CALL(writev, 1, AT(parts), 3), -L_EINVAL);
    ck_assert_int_eq(CALL(writev, 1, AT(parts), L_IOV_MAX + 1), -L_EINVAL);
    ck_assert_int_eq(CALL(writev, 1, 16, 1), -L_EFAULT);
    ck_assert_int_eq(CALL(writev, 9, AT(parts), 1), -L_EBADF);
}
END_TEST

START_TEST(the_log_is_written_in_pieces_and_is_at_its_end) {
    ck_assert_int_eq(CALL(write, 2, AT(bytes), 1000), 1000);
    ck_assert_uint_eq(world_call_count, 2);
    ck_assert_uint_eq(world_calls[0].number, AX_CALL_SYSTEM_CONTROL);
    ck_assert_uint_eq(world_calls[0].a[0], 32);
    ck_assert_int_eq(CALL(write, 2, 16, 5), -L_EFAULT);
}
END_TEST

START_TEST(a_terminal_has_a_size) {
    static struct linux_winsize size;
    static struct linux_stat stat;
    ck_assert_int_eq(CALL(ioctl, 1, L_TIOCGWINSZ, AT(&size)), 0);
    ck_assert_uint_eq(size.columns, 80);
    ck_assert_uint_eq(size.rows, 25);
    ck_assert_int_eq(CALL(ioctl, 2, L_TIOCGWINSZ, AT(&size)), -L_ENOTTY);
    ck_assert_int_eq(CALL(ioctl, 1, 0x9999, AT(&size)), -L_ENOTTY);
    ck_assert_int_eq(CALL(ioctl, 9, L_TCGETS, AT(&size)), -L_EBADF);
    ck_assert_int_eq(CALL(fstat, 1, AT(&stat)), 0);
    ck_assert_uint_eq(stat.mode, L_S_IFCHR | 0620);
    ck_assert_int_eq(CALL(lseek, 1, 0, 0), -L_ESPIPE);
}
END_TEST

TCase *linux_streams_tests(void) {
    TCase *tcase = tcase_create("streams");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_write_lends_its_bytes);
    tcase_add_test(tcase, a_read_has_its_place_in_the_second_loan);
    tcase_add_test(tcase, a_broken_pipe_is_a_signal_and_an_error);
    tcase_add_test(tcase, an_interrupted_call_is_made_again_by_who_asks_again);
    tcase_add_test(tcase, parts_are_transferred_until_one_is_short);
    tcase_add_test(tcase, the_log_is_written_in_pieces_and_is_at_its_end);
    tcase_add_test(tcase, a_terminal_has_a_size);
    return tcase;
}
