/* SPDX-License-Identifier: MIT */
/* The table of descriptors, and the calls that change it. */
#include "lib/linux/descriptors.h"

#include "world.h"

static void setup(void) {
    world_start();
    struct open_file file = {FILE_STREAM, 33, L_O_WRONLY, 0};
    ck_assert(descriptor_open(&world_task.files, 1, &file));
}

START_TEST(copies_share_the_file_until_the_last_is_closed) {
    ck_assert_int_eq(CALL(dup, 1), 0);
    ck_assert_int_eq(CALL(dup, 1), 2);
    ck_assert_int_eq(CALL(fcntl, 2, L_F_SETFL, L_O_NONBLOCK), 0);
    ck_assert_int_eq(CALL(fcntl, 0, L_F_GETFL), L_O_WRONLY | L_O_NONBLOCK);
    ck_assert_int_eq(CALL(fcntl, 2, L_F_SETFD, L_FD_CLOEXEC), 0);
    ck_assert_int_eq(CALL(fcntl, 0, L_F_GETFD), 0);
    ck_assert_int_eq(CALL(close, 0), 0);
    ck_assert_int_eq(CALL(close, 1), 0);
    ck_assert_uint_eq(world_call_count, 0);
    ck_assert_int_eq(CALL(close, 2), 0);
    ck_assert_uint_eq(world_call_count, 1);
    ck_assert_uint_eq(world_calls[0].number, AX_CALL_HANDLE_CLOSE);
    ck_assert_uint_eq(world_calls[0].a[0], 33);
    ck_assert_int_eq(CALL(close, 2), -L_EBADF);
}
END_TEST

START_TEST(what_a_copy_takes_the_place_of_is_closed) {
    struct open_file file = {FILE_STREAM, 44, L_O_RDONLY, 0};
    ck_assert(descriptor_open(&world_task.files, 5, &file));
    ck_assert_int_eq(CALL(dup2, 1, 5), 5);
    ck_assert_uint_eq(world_calls[0].a[0], 44);
    ck_assert_int_eq(CALL(dup2, 5, 5), 5);
    ck_assert_int_eq(CALL(dup2, 7, 7), -L_EBADF);
    ck_assert_int_eq(CALL(dup3, 5, 5, 0), -L_EINVAL);
    ck_assert_int_eq(CALL(dup3, 5, 6, 1), -L_EINVAL);
    ck_assert_int_eq(CALL(dup3, 5, 6, L_O_CLOEXEC), 6);
    ck_assert_int_eq(CALL(fcntl, 6, L_F_GETFD), L_FD_CLOEXEC);
    ck_assert_uint_eq(world_call_count, 1);
}
END_TEST

START_TEST(limits_are_kept) {
    ck_assert_int_eq(CALL(fcntl, 1, L_F_DUPFD, 63), 63);
    ck_assert_int_eq(CALL(fcntl, 1, L_F_DUPFD, 63), -L_EMFILE);
    ck_assert_int_eq(CALL(fcntl, 1, L_F_DUPFD, 64), -L_EINVAL);
    ck_assert_int_eq(CALL(fcntl, 1, L_F_DUPFD, (uint64_t)-1), -L_EINVAL);
    ck_assert_int_eq(CALL(fcntl, 77, L_F_DUPFD, 3), -L_EBADF);
    ck_assert_int_eq(CALL(dup2, 1, 64), -L_EBADF);
    ck_assert_int_eq(CALL(dup2, 1, (uint64_t)-1), -L_EBADF);
    ck_assert_int_eq(CALL(dup, (uint64_t)-1), -L_EBADF);
    ck_assert_int_eq(CALL(close, 100000), -L_EBADF);
    struct open_file file = {FILE_LOG, 1, L_O_WRONLY, 0};
    int fd = 2;
    while (descriptor_open(&world_task.files, fd, &file))
        fd++;
    ck_assert_int_eq(fd, 2 + OPEN_FILE_MAX - 1);
}
END_TEST

TCase *linux_descriptors_tests(void) {
    TCase *tcase = tcase_create("descriptors");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, copies_share_the_file_until_the_last_is_closed);
    tcase_add_test(tcase, what_a_copy_takes_the_place_of_is_closed);
    tcase_add_test(tcase, limits_are_kept);
    return tcase;
}
