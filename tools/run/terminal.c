/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "tell.h"

#define PREFIX 1 /* Ctrl-A */

static struct termios before;
static bool is_entered, takes_lines, is_prefixed;
static char pending[1 << 16];
static size_t pending_count;

bool terminal_exists(void) {
    return isatty(STDIN_FILENO) == 1;
}

void terminal_size(uint32_t *columns, uint32_t *rows) {
    static const int descriptors[] = {STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO};
    struct winsize size;
    *columns = *rows = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (isatty(descriptors[i]) == 1 && ioctl(descriptors[i], TIOCGWINSZ, &size) == 0) {
            *columns = size.ws_col;
            *rows = size.ws_row;
            return;
        }
    }
}

/* ---- Settings -------------------------------------------------------------------------------- */

/* The one of the three that has settings to change. */
static int terminal_fd(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (isatty(fd) == 1)
            return fd;
    }
    return -1;
}

static bool is_in_front(void) {
    return tcgetpgrp(terminal_fd()) == getpgrp();
}

/* A terminal that no keys come from is as it was, but for its line ends. */
static bool settings_apply(void) {
    struct termios settings = before;
    if (terminal_exists()) {
        cfmakeraw(&settings);
        settings.c_oflag = before.c_oflag;
        settings.c_cc[VMIN] = 1;
        settings.c_cc[VTIME] = 0;
    }
    if (takes_lines)
        settings.c_oflag &= ~(tcflag_t)OPOST;
    return tcsetattr(terminal_fd(), TCSADRAIN, &settings) == 0;
}

bool terminal_enter(struct failure *failure) {
    int fd = terminal_fd();
    if (fd < 0 || is_entered || !is_in_front() || (fd != STDIN_FILENO && !takes_lines))
        return true;
    if (tcgetattr(fd, &before) != 0 || !settings_apply())
        return fail(failure, "the terminal cannot be set up: %s", strerror(errno));
    is_entered = true;
    tell_raw(takes_lines);
    return true;
}

bool terminal_resume(struct failure *failure) {
    if (!is_entered)
        return terminal_enter(failure);
    if (is_in_front() && !settings_apply())
        return fail(failure, "the terminal cannot be set up: %s", strerror(errno));
    return true;
}

void terminal_leave(void) {
    /* In the background it is somebody else's by now. */
    if (is_entered && is_in_front())
        tcsetattr(terminal_fd(), TCSADRAIN, &before);
    is_entered = false;
    tell_raw(false);
}

bool terminal_take_lines(struct failure *failure) {
    takes_lines = true;
    if (!terminal_resume(failure))
        return false;
    tell_raw(is_entered);
    return true;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static void keep(char key) {
    if (pending_count < sizeof(pending))
        pending[pending_count++] = key;
}

enum terminal_key terminal_feed(const char *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool was_prefixed = is_prefixed;
        is_prefixed = !was_prefixed && keys[i] == PREFIX;
        if (is_prefixed)
            continue;
        if (was_prefixed && keys[i] == 'x')
            return TERMINAL_QUIT;
        if (was_prefixed)
            keep(PREFIX);
        if (!was_prefixed || (keys[i] != 'a' && keys[i] != PREFIX))
            keep(keys[i]);
    }
    return TERMINAL_NOTHING;
}

const char *terminal_pending(size_t *count) {
    *count = pending_count;
    return pending;
}

void terminal_passed(size_t count) {
    pending_count -= count;
    memmove(pending, pending + count, pending_count);
}
