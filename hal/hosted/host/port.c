/* SPDX-License-Identifier: MIT */
/*
 * The outside's ends of the machine's streams. Descriptors are the caller's: whether they block is
 * a property that everybody who has them shares, so it is not changed; a description of our own is
 * opened instead where Linux lets us. Where it does not, little enough is written at a time that
 * what poll promised is kept.
 */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

struct port {
    int fd;
    uint32_t ways;
    bool is_socket;
    bool may_block; /* more than PIPE_BUF bytes at a time */
    char name[HOST_PORT_NAME];
};

static struct port ports[HOST_PORTS];
static unsigned port_count;
static int wake_fd = -1;
static bool is_complete; /* host_ports_complete */
static _Atomic bool is_woken;

/* ---- Opening --------------------------------------------------------------------------------- */

/* A description of our own of the same pipe or terminal, which does not block. */
static bool reopen(struct port *port) {
    static const int modes[] = {
        [HOST_IN] = O_RDONLY, [HOST_OUT] = O_WRONLY, [HOST_IN | HOST_OUT] = O_RDWR};
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", port->fd);
    int fd = open(path, modes[port->ways] | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_done = dup3(fd, port->fd, O_CLOEXEC) == port->fd;
    close(fd);
    return is_done;
}

/* Whoever opens a FIFO by name after its writers have gone waits for others: not so a pipe's end.
 */
static bool can_reopen(const struct port *port) {
    struct statfs system;
    return isatty(port->fd) || port->ways == HOST_OUT ||
           (fstatfs(port->fd, &system) == 0 && system.f_type == PIPEFS_MAGIC);
}

static void port_examine(struct port *port) {
    struct stat status;
    int flags = fcntl(port->fd, F_GETFL);
    if (flags < 0 || fstat(port->fd, &status) != 0)
        host_fail("port %s: descriptor %d: %s", port->name, port->fd, strerror(errno));
    uint32_t ways = (flags & O_ACCMODE) == O_RDONLY   ? HOST_IN
                    : (flags & O_ACCMODE) == O_WRONLY ? HOST_OUT
                                                      : HOST_IN | HOST_OUT;
    if ((port->ways & ~ways) != 0)
        host_fail("port %s: descriptor %d is not open that way", port->name, port->fd);
    port->is_socket = S_ISSOCK(status.st_mode);
    bool can_block = S_ISFIFO(status.st_mode) || isatty(port->fd);
    port->may_block = can_block && !(can_reopen(port) && reopen(port));
}

static uint32_t ways_parse(const char *text, const char *end) {
    if (*end == 0 || strcmp(end, ":inout") == 0)
        return HOST_IN | HOST_OUT;
    if (strcmp(end, ":in") == 0)
        return HOST_IN;
    if (strcmp(end, ":out") != 0)
        host_fail("port %s: a port is NAME=FD[:in|out|inout]", text);
    return HOST_OUT;
}

/* A reader that has gone is an error of the write, not the end of this process. */
static void ports_begin(void) {
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        host_fail("no descriptor for the devices can be had: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
}

unsigned host_port_open(const char *text) {
    const char *number = strchr(text, '=');
    if (number == NULL || number == text || number - text >= HOST_PORT_NAME || number[1] < '0' ||
        number[1] > '9')
        host_fail("port %s: a port is NAME=FD[:in|out|inout]", text);
    if (port_count == HOST_PORTS)
        host_fail("port %s: there can be %d ports", text, HOST_PORTS);
    if (wake_fd < 0)
        ports_begin();
    struct port *port = &ports[port_count];
    *port = (struct port){0};
    memcpy(port->name, text, (size_t)(number - text));
    char *end;
    errno = 0;
    long fd = strtol(number + 1, &end, 10);
    if (errno != 0 || fd > 1 << 20)
        host_fail("port %s: no descriptor has that number", text);
    port->fd = (int)fd;
    port->ways = ways_parse(text, end);
    port_examine(port);
    return port_count++;
}

unsigned host_port_count(void) {
    return port_count;
}

const char *host_port_name(unsigned port) {
    return ports[port].name;
}

uint32_t host_port_ways(unsigned port) {
    return ports[port].ways;
}

bool host_port_is_terminal(unsigned port, uint16_t *columns, uint16_t *rows) {
    struct winsize size = {0};
    *columns = *rows = 0;
    if (!isatty(ports[port].fd))
        return false;
    if (ioctl(ports[port].fd, TIOCGWINSZ, &size) == 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
    return true;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static unsigned vectors_fill(struct iovec vectors[HOST_VECTORS], const struct host_vector *parts,
                             unsigned count) {
    if (count > HOST_VECTORS)
        count = HOST_VECTORS;
    for (unsigned i = 0; i < count; i++)
        vectors[i] = (struct iovec){parts[i].base, parts[i].size_bytes};
    return count;
}

static bool is_for_now(int error) {
    return error == EAGAIN || error == EINTR;
}

static bool is_leaving(int error) {
    return error == EPIPE || error == ECONNRESET;
}

/* What an error means; those that are nobody's leaving are told. */
static int64_t failure(const struct port *port, const char *what) {
    if (is_for_now(errno))
        return HOST_AGAIN;
    if (!is_leaving(errno))
        dprintf(STDERR_FILENO, "axolotl: cannot %s %s: %s\n", what, port->name, strerror(errno));
    return HOST_BROKEN;
}

int64_t host_port_read(unsigned port, const struct host_vector *parts, unsigned count) {
    struct iovec vectors[HOST_VECTORS];
    count = vectors_fill(vectors, parts, count);
    ssize_t got = readv(ports[port].fd, vectors, (int)count);
    return got < 0 ? failure(&ports[port], "read") : got;
}

static ssize_t some_write(const struct port *own, struct iovec *vectors, unsigned count) {
    ssize_t gone;
    if (own->is_socket) {
        struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
        gone = sendmsg(own->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (own->may_block) {
        size_t part = vectors[0].iov_len < PIPE_BUF ? vectors[0].iov_len : PIPE_BUF;
        gone = write(own->fd, vectors[0].iov_base, part);
    } else {
        gone = writev(own->fd, vectors, (int)count);
    }
    return gone;
}

static _Noreturn void seeded_fail(const struct port *own) {
    if (is_leaving(errno))
        host_fail("nobody reads %s any more: a seeded run ends there", own->name);
    host_fail("%s cannot be written: %s", own->name, strerror(errno));
}

/* Writes all of it, however long that takes. */
static int64_t all_write(const struct port *own, struct iovec *vectors, unsigned count) {
    int64_t all = 0;
    while (count > 0) {
        struct pollfd poll_one = {.fd = own->fd, .events = POLLOUT};
        ssize_t gone = some_write(own, vectors, count);
        if (gone < 0 && !is_for_now(errno))
            seeded_fail(own);
        if (gone < 0)
            poll(&poll_one, 1, -1);
        all += gone > 0 ? gone : 0;
        for (; count > 0 && gone >= (ssize_t)vectors->iov_len; count--)
            gone -= (ssize_t)vectors++->iov_len;
        if (count > 0 && gone > 0) {
            vectors->iov_base = (char *)vectors->iov_base + gone;
            vectors->iov_len -= (size_t)gone;
        }
    }
    return all;
}

int64_t host_port_write(unsigned port, const struct host_vector *parts, unsigned count) {
    struct iovec vectors[HOST_VECTORS];
    count = vectors_fill(vectors, parts, count);
    if (count == 0)
        return HOST_AGAIN;
    if (is_complete)
        return all_write(&ports[port], vectors, count);
    ssize_t gone = some_write(&ports[port], vectors, count);
    return gone < 0 ? failure(&ports[port], "write") : gone;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static short poll_events(uint32_t wanted) {
    return (short)(((wanted & HOST_IN) != 0 ? POLLIN : 0) |
                   ((wanted & HOST_OUT) != 0 ? POLLOUT : 0));
}

/* An error or hang-up makes possible whatever is wanted, for that is how one learns of it. */
static uint32_t poll_ready(const struct pollfd *poll, uint32_t wanted) {
    if ((poll->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        return wanted;
    return ((poll->revents & POLLIN) != 0 ? HOST_IN : 0) |
           ((poll->revents & POLLOUT) != 0 ? HOST_OUT : 0);
}

void host_ports_wait(uint32_t wanted[HOST_PORTS]) {
    struct pollfd polls[HOST_PORTS + 1];
    uint64_t count;
    for (unsigned i = 0; i < port_count; i++)
        polls[i] = (struct pollfd){.fd = wanted[i] != 0 ? ports[i].fd : -1,
                                   .events = poll_events(wanted[i])};
    polls[port_count] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    if (poll(polls, port_count + 1, -1) < 0)
        memset(polls, 0, sizeof(polls)); /* interrupted: there was nothing */
    for (unsigned i = 0; i < port_count; i++)
        wanted[i] = polls[i].revents == 0 ? 0 : poll_ready(&polls[i], wanted[i]);
    if (polls[port_count].revents != 0 && read(wake_fd, &count, sizeof(count)) > 0)
        atomic_store(&is_woken, false);
}

void host_ports_wake(void) {
    uint64_t one = 1;
    if (!atomic_exchange(&is_woken, true) && write(wake_fd, &one, sizeof(one)) < 0)
        host_fail("the devices cannot be woken: %s", strerror(errno));
}

/* ---- Runs that depend on no time of the host ------------------------------------------------- */

void host_ports_complete(void) {
    is_complete = true;
    for (unsigned i = 0; i < port_count; i++) {
        struct stat status;
        if (ports[i].ways == HOST_IN &&
            (fstat(ports[i].fd, &status) != 0 || !S_ISREG(status.st_mode)))
            host_fail("port %s: what a seeded run reads must be a file", ports[i].name);
    }
}

void host_ports_look(uint32_t wanted[HOST_PORTS]) {
    for (unsigned i = 0; i < port_count; i++) {
        struct pollfd poll_one = {.fd = ports[i].fd, .events = poll_events(wanted[i])};
        wanted[i] &= ~(uint32_t)HOST_GONE;
        if (wanted[i] != 0 && ports[i].ways == (HOST_IN | HOST_OUT))
            wanted[i] = poll(&poll_one, 1, 0) > 0 ? poll_ready(&poll_one, wanted[i]) : 0;
    }
}
