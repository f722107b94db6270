/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "place.h"
#include "terminal.h"

void input_prepare(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static bool collect(struct place *all, struct failure *failure) {
    static char bytes[1 << 16];
    for (;;) {
        ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
        if (count == 0)
            break;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(failure, "stdin cannot be read: %s", strerror(errno));
        if (!place_write(all, bytes, (size_t)count, failure))
            return false;
    }
    if (lseek(all->fd, 0, SEEK_SET) != 0 || dup2(all->fd, STDIN_FILENO) != STDIN_FILENO)
        return fail(failure, "stdin cannot be kept: %s", strerror(errno));
    return true;
}

bool input_collect(struct failure *failure) {
    if (terminal_exists())
        return fail(failure, "--seed needs an input that can be read to its end, and stdin is a "
                             "terminal: try < /dev/null");
    struct place all = {.path = "the memory for stdin",
                        .fd = memfd_create("axolotl-stdin", MFD_CLOEXEC)};
    if (all.fd < 0)
        return fail(failure, "no memory for stdin can be had: %s", strerror(errno));
    bool is_collected = collect(&all, failure);
    place_drop(&all);
    return is_collected;
}
