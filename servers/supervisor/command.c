/* SPDX-License-Identifier: MIT */
/* The kernel's command line, as far as it is meant for user space: words between spaces. */
#include <base/memory.h>

#include "supervisor.h"

#define REALTIME "realtime="

/* The word that the text begins with. */
static size_t word_length(const char *text) {
    size_t length = 0;
    while (text[length] != 0 && text[length] != ' ')
        length++;
    return length;
}

static bool number_read(const char *text, size_t length, int64_t *value) {
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, text[i] - '0', value))
            return false;
    }
    return length != 0;
}

int64_t command_realtime(const char *line) {
    const size_t name_length = sizeof(REALTIME) - 1;
    int64_t realtime_ns = 0;
    for (size_t length; *line != 0; line += length + (line[length] == ' ')) {
        length = word_length(line);
        if (length < name_length || memcmp(line, REALTIME, name_length) != 0)
            continue;
        size_t rest = length - name_length;
        if (!number_read(line + name_length, rest, &realtime_ns))
            fail("the kernel's command line: realtime=\"%.*s\" is not a number of nanoseconds",
                 (int)rest, line + name_length);
    }
    return realtime_ns;
}
