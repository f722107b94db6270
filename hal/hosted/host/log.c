/* SPDX-License-Identifier: MIT */
#include "private.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int log_fd = -1;

void host_log_open(int descriptor) {
    log_fd = descriptor;
}

void host_log_write(const char *text, size_t size_bytes) {
    while (size_bytes > 0 && log_fd >= 0) {
        ssize_t written = write(log_fd, text, size_bytes);
        if (written < 0 && errno != EINTR)
            return; /* nobody reads it any more */
        if (written > 0) {
            text += written;
            size_bytes -= (size_t)written;
        }
    }
}

void host_exit(int status) {
    host_trace_flush();
    _exit(status); /* the stubs end with their parent */
}

const char *host_error_text(void) {
    static const struct {
        int error;
        const char *help;
    } helps[] = {
        {ENOMEM, " (less --memory, or ulimit -v)"},
        {EFBIG, " (ulimit -f)"},
        {EAGAIN, " (ulimit -u)"},
        {EMFILE, " (ulimit -n)"},
    };
    static char text[128];
    const char *help = "";
    for (size_t i = 0; i < sizeof(helps) / sizeof(helps[0]); i++) {
        if (helps[i].error == errno)
            help = helps[i].help;
    }
    snprintf(text, sizeof(text), "%s%s", strerror(errno), help);
    return text;
}

void host_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    dprintf(STDERR_FILENO, "axolotl: ");
    vdprintf(STDERR_FILENO, format, arguments);
    dprintf(STDERR_FILENO, "\n");
    va_end(arguments);
    host_exit(125);
}
