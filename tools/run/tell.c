/* SPDX-License-Identifier: MIT */
#include "tell.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool needs_return;

void tell_raw(bool is_raw) {
    needs_return = is_raw;
}

/* Whoever gave us stderr may have made it one that does not block. That nobody reads it is no
 * reason to stop. */
static void put(const char *text, size_t size) {
    while (size != 0) {
        ssize_t count = write(STDERR_FILENO, text, size);
        if (count < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        else if (count < 0 && errno != EINTR)
            return;
        if (count > 0) {
            text += count;
            size -= (size_t)count;
        }
    }
}

/* C0 and DEL, and C1, which is two bytes in UTF-8. */
void tell_clean(char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        if (i > 0 && (unsigned char)text[i - 1] == 0xc2 && c >= 0x80 && c < 0xa0) {
            text[i - 1] = '?';
            is_control = true;
        }
        if (is_control)
            text[i] = '?';
    }
}

void tell_text(const char *text, size_t size) {
    const char *end;
    while (needs_return && (end = memchr(text, '\n', size)) != NULL) {
        put(text, (size_t)(end - text));
        put("\r\n", 2);
        size -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    put(text, size);
}

void tell(const char *pattern, ...) {
    char line[2048];
    va_list arguments;
    size_t length = (size_t)snprintf(line, sizeof(line), "%s: ", TELL_NAME);
    va_start(arguments, pattern);
    int more = vsnprintf(line + length, sizeof(line) - 1 - length, pattern, arguments);
    va_end(arguments);
    length += more < 0 ? 0 : (size_t)more;
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    tell_clean(line, length);
    line[length++] = '\n';
    tell_text(line, length);
}
