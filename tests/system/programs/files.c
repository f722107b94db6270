/* SPDX-License-Identifier: MIT */
/* Descriptors 0, 1 and 2, whatever they are: writing, copying, closing, and errors. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "say.h"

static void test_write(void) {
    char one[] = "one ", line[] = "line\n";
    struct iovec parts[3] = {{one, 4}, {NULL, 0}, {line, 5}};
    CHECK(write(1, "a line\n", 7) == 7);
    CHECK(writev(1, parts, 3) == 9);
    CHECK(write(1, "", 0) == 0);
    CHECK_ERROR(write(77, "x", 1), EBADF);
    CHECK_ERROR(syscall(SYS_writev, 1, parts, -1), EINVAL);
    CHECK_ERROR(writev(1, bad_pointer(), 1), EFAULT);
    CHECK_ERROR(lseek(77, 0, SEEK_SET), EBADF);
}

static void test_copy(void) {
    int copy = dup(1);
    CHECK(copy > 2);
    CHECK(write(copy, "through a copy\n", 15) == 15);
    CHECK(dup2(copy, copy) == copy);
    CHECK(dup2(copy, 50) == 50);
    CHECK(fcntl(50, F_GETFD) == 0);
    CHECK(dup3(copy, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC);
    CHECK_ERROR(dup3(copy, copy, 0), EINVAL);
    CHECK(fcntl(51, F_SETFD, 0) == 0 && fcntl(51, F_GETFD) == 0);
    CHECK(fcntl(copy, F_DUPFD, 60) == 60);
    CHECK(fcntl(copy, F_DUPFD_CLOEXEC, 60) == 61);
    CHECK_ERROR(fcntl(copy, F_DUPFD, -1), EINVAL);
    CHECK(close(copy) == 0);
    CHECK_ERROR(close(copy), EBADF);
    CHECK_ERROR(dup(copy), EBADF);
    CHECK_ERROR(dup2(1, -1), EBADF);
    CHECK(write(60, "through another\n", 16) == 16);
    CHECK(close(60) == 0 && close(61) == 0 && close(50) == 0 && close(51) == 0);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 10;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_ERROR(dup2(1, 10), EBADF);
    int last = 0;
    while (last >= 0)
        last = dup(1);
    CHECK(errno == EMFILE);
    for (int fd = 3; fd < 10; fd++)
        close(fd);
}

static void test_what(void) {
    struct stat status;
    CHECK(fstat(1, &status) == 0);
    CHECK(isatty(1) == S_ISCHR(status.st_mode) || !isatty(1));
    CHECK((fcntl(1, F_GETFL) & O_ACCMODE) != O_RDONLY);
    CHECK_ERROR(fstat(77, &status), EBADF);
    CHECK_ERROR(syscall(SYS_fstat, 1, 16), EFAULT);
    struct pollfd polls[3] = {{1, POLLOUT, 0}, {-1, POLLIN, 7}, {77, POLLIN, 0}};
    CHECK(poll(polls, 3, -1) == 2);
    CHECK(polls[0].revents == POLLOUT && polls[1].revents == 0 && polls[2].revents == POLLNVAL);
    CHECK(poll(polls + 1, 1, 1) == 0);
}

/* Many more than have room on a stack of a page. */
static void test_many(void) {
    static struct pollfd polls[500];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++)
            polls[i] = (struct pollfd){i % 50 == 0 ? 1 : i % 50 == 1 ? 777 : -1, POLLOUT, 5};
        CHECK(poll(polls, 500, -1) == 20);
        for (int i = 0; i < 500; i++)
            CHECK(polls[i].revents == (i % 50 == 0 ? POLLOUT : i % 50 == 1 ? POLLNVAL : 0));
    }
    CHECK_ERROR(syscall(SYS_poll, 16, 500, 0), EFAULT);
    fd_set out;
    FD_ZERO(&out);
    for (int fd = 10; fd < 30; fd++) {
        CHECK(dup2(1, fd) == fd);
        FD_SET(fd, &out);
    }
    CHECK(select(30, NULL, &out, NULL, NULL) == 20 && FD_ISSET(10, &out) && FD_ISSET(29, &out));
    for (int fd = 30; fd < 60; fd++)
        FD_SET(fd, &out);
    CHECK_ERROR(select(60, NULL, &out, NULL, NULL), EBADF);
    for (int fd = 10; fd < 30; fd++)
        close(fd);
}

int main(void) {
    test_write();
    test_many();
    test_copy();
    test_what();
    puts("descriptors");
    return 0;
}
