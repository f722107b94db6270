/* SPDX-License-Identifier: MIT */
/* Descriptors as ports: what the command line says, and what descriptors of each kind do. */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests.h"
#include "world.h"

static uint8_t bytes[1 << 20];

static unsigned open_as(const char *name, int fd, const char *way) {
    char text[64];
    snprintf(text, sizeof(text), "%s=%d%s", name, fd, way);
    return host_port_open(text);
}

/* What the port can do of what is wanted, without waiting. */
static uint32_t ready(unsigned port, uint32_t wanted) {
    uint32_t wishes[HOST_PORTS] = {0};
    wishes[port] = wanted;
    host_ports_wake();
    host_ports_wait(wishes);
    return wishes[port];
}

static int64_t port_write(unsigned port, size_t size_bytes) {
    struct host_vector parts[2] = {{bytes, size_bytes / 2},
                                   {bytes + size_bytes / 2, size_bytes - size_bytes / 2}};
    return host_port_write(port, parts, 2);
}

static int64_t port_read(unsigned port, size_t size_bytes) {
    struct host_vector part = {bytes, size_bytes};
    return host_port_read(port, &part, 1);
}

static const char *const bad_texts[] = {
    "",
    "=1",
    "stdin",
    "stdin=",
    "stdin=x",
    "stdin=-1",
    "stdin=0x1",
    "stdin=0:up",
    "stdin=0:in ",
    "stdin=999999",
    "stdin=99999999999999999999",
    "a-name-of-which-there-is-too-much=1",
    "stdin=1000",
};

START_TEST(bad_text) {
    host_port_open(bad_texts[_i]);
}
END_TEST

START_TEST(wrong_way) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    open_as("stdout", ends[0], ":out");
}
END_TEST

START_TEST(too_many) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    for (unsigned i = 0; i <= HOST_PORTS; i++)
        open_as("more", ends[0], ":in");
}
END_TEST

START_TEST(names_and_ways) {
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_uint_eq(open_as("a", ends[0], ""), 0);
    ck_assert_uint_eq(open_as("b", ends[0], ":in"), 1);
    ck_assert_uint_eq(open_as("c", ends[0], ":out"), 2);
    ck_assert_uint_eq(open_as("d", ends[0], ":inout"), 3);
    ck_assert_uint_eq(host_port_count(), 4);
    ck_assert_str_eq(host_port_name(1), "b");
    ck_assert_uint_eq(host_port_ways(0), HOST_IN | HOST_OUT);
    ck_assert_uint_eq(host_port_ways(1), HOST_IN);
    ck_assert_uint_eq(host_port_ways(2), HOST_OUT);
    ck_assert_uint_eq(host_port_ways(3), HOST_IN | HOST_OUT);
}
END_TEST

START_TEST(pipe_out) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    int theirs = dup(ends[1]); /* who gave it to us may use it as before */
    unsigned port = open_as("stdout", ends[1], ":out");
    ck_assert_int_eq(fcntl(theirs, F_GETFL) & O_NONBLOCK, 0);
    close(theirs);
    ck_assert_uint_eq(ready(port, HOST_OUT), HOST_OUT);
    int64_t gone, total = 0;
    while ((gone = port_write(port, sizeof(bytes))) > 0)
        total += gone;
    ck_assert_int_eq(gone, HOST_AGAIN);
    ck_assert_int_eq(total, 65536);
    ck_assert_uint_eq(ready(port, HOST_OUT | HOST_GONE), 0);
    close(ends[0]);
    ck_assert_uint_eq(ready(port, HOST_GONE), HOST_GONE);
    ck_assert_int_eq(port_write(port, 1), HOST_BROKEN);
}
END_TEST

START_TEST(pipe_in) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    unsigned port = open_as("stdin", ends[0], ":in");
    ck_assert_uint_eq(ready(port, HOST_IN), 0);
    ck_assert_int_eq(port_read(port, 10), HOST_AGAIN);
    ck_assert_int_eq(write(ends[1], "abc", 3), 3);
    ck_assert_uint_eq(ready(port, HOST_IN), HOST_IN);
    close(ends[1]);
    ck_assert_int_eq(port_read(port, 10), 3);
    ck_assert_uint_eq(ready(port, HOST_IN), HOST_IN);
    ck_assert_int_eq(port_read(port, 10), 0);
}
END_TEST

/* A named pipe whose writer wrote and left before this began. */
START_TEST(fifo_in) {
    char path[] = "/tmp/axolotl-fifo-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(path));
    char name[64];
    snprintf(name, sizeof(name), "%s/fifo", path);
    ck_assert_int_eq(mkfifo(name, 0600), 0);
    int reader = open(name, O_RDONLY | O_NONBLOCK), writer = open(name, O_WRONLY);
    ck_assert_int_eq(fcntl(reader, F_SETFL, 0), 0);
    ck_assert_int_eq(write(writer, "abc", 3), 3);
    close(writer);
    unlink(name);
    rmdir(path);
    unsigned port = open_as("stdin", reader, ":in");
    ck_assert_uint_eq(ready(port, HOST_IN), HOST_IN);
    ck_assert_int_eq(port_read(port, 10), 3);
    ck_assert_uint_eq(ready(port, HOST_IN), HOST_IN);
    ck_assert_int_eq(port_read(port, 10), 0);
}
END_TEST

START_TEST(socket_both_ways) {
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    unsigned port = open_as("control", ends[0], "");
    int64_t gone;
    ck_assert_uint_eq(ready(port, HOST_IN | HOST_OUT), HOST_OUT);
    while ((gone = port_write(port, sizeof(bytes))) > 0)
        continue;
    ck_assert_int_eq(gone, HOST_AGAIN);
    ck_assert_int_eq(write(ends[1], "abc", 3), 3);
    ck_assert_uint_eq(ready(port, HOST_IN | HOST_OUT), HOST_IN);
    ck_assert_int_eq(port_read(port, 10), 3);
    close(ends[1]);
    ck_assert_uint_ne(ready(port, HOST_IN), 0);
    ck_assert_int_eq(port_write(port, 1), HOST_BROKEN);
}
END_TEST

START_TEST(files) {
    FILE *file = tmpfile();
    ck_assert_int_eq(write(fileno(file), "abc", 3), 3);
    ck_assert_int_eq(lseek(fileno(file), 1, SEEK_SET), 1);
    unsigned port = open_as("stdin", fileno(file), "");
    ck_assert_uint_eq(ready(port, HOST_IN), HOST_IN);
    ck_assert_int_eq(port_read(port, 10), 2); /* from where it stood */
    ck_assert_int_eq(port_read(port, 10), 0);
    ck_assert_int_eq(port_write(port, 100), 100);
    unsigned nothing = open_as("nothing", open("/dev/null", O_RDWR), "");
    ck_assert_uint_eq(ready(nothing, HOST_IN | HOST_OUT), HOST_IN | HOST_OUT);
    ck_assert_int_eq(port_read(nothing, 10), 0);
    ck_assert_int_eq(port_write(nothing, 100), 100);
    unsigned full = open_as("full", open("/dev/full", O_WRONLY), ":out");
    ck_assert_int_eq(port_write(full, 100), HOST_BROKEN);
    unsigned folder = open_as("folder", open("/", O_RDONLY), ":in");
    ck_assert_int_eq(port_read(folder, 100), HOST_BROKEN);
}
END_TEST

START_TEST(terminal) {
    int ours, theirs, ends[2];
    uint16_t columns, rows;
    struct winsize size = {.ws_col = 91, .ws_row = 37};
    ck_assert_int_eq(openpty(&ours, &theirs, NULL, NULL, &size), 0);
    unsigned port = open_as("stdin", theirs, "");
    ck_assert(host_port_is_terminal(port, &columns, &rows));
    ck_assert_uint_eq(columns, 91);
    ck_assert_uint_eq(rows, 37);
    ck_assert_int_eq(port_read(port, 10), HOST_AGAIN);
    ck_assert_int_eq(write(ours, "line\n", 5), 5);
    ck_assert_uint_eq(ready(port, HOST_IN), HOST_IN);
    ck_assert_int_eq(port_read(port, 10), 5);
    close(ours);
    ck_assert_uint_eq(ready(port, HOST_IN), HOST_IN);
    ck_assert_int_le(port_read(port, 10), 0);
    ck_assert_int_eq(pipe(ends), 0);
    port = open_as("stdout", ends[1], ":out");
    ck_assert(!host_port_is_terminal(port, &columns, &rows));
}
END_TEST

TCase *tcase_port(void) {
    TCase *tcase = tcase_create("port");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_exit_test(tcase, bad_text, 125, 0,
                             (int)(sizeof(bad_texts) / sizeof(bad_texts[0])));
    tcase_add_exit_test(tcase, wrong_way, 125);
    tcase_add_exit_test(tcase, too_many, 125);
    tcase_add_test(tcase, names_and_ways);
    tcase_add_test(tcase, pipe_out);
    tcase_add_test(tcase, pipe_in);
    tcase_add_test(tcase, fifo_in);
    tcase_add_test(tcase, socket_both_ways);
    tcase_add_test(tcase, files);
    tcase_add_test(tcase, terminal);
    return tcase;
}
