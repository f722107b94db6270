/* SPDX-License-Identifier: MIT */
#include <base/assert.h>
#include <base/format.h>
#include <base/memory.h>

#include "supervisor.h"

__attribute__((format(printf, 1, 0))) static void log_write(const char *pattern,
                                                            va_list arguments) {
    static const char name[] = "supervisor: ";
    char line[256];
    size_t start = sizeof(name) - 1;
    memcpy(line, name, start);
    size_t size = format_list(line + start, sizeof(line) - start - 1, pattern, arguments) + start;
    if (size > sizeof(line) - 2)
        size = sizeof(line) - 2;
    line[size++] = '\n';
    (void)ax_log_write(AX_ROOT_SYSTEM, line, size);
}

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_write(format, arguments);
    va_end(arguments);
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_write(format, arguments);
    va_end(arguments);
    (void)ax_system_halt(AX_ROOT_SYSTEM, 1);
    __builtin_trap();
}

void assert_failed(const char *expression, const char *file, int line) {
    say("assertion failed: %s (%s:%d)", expression, file, line);
    __builtin_trap();
}

const char *error_help(ax_result error) {
    bool is_memory = error == AX_ERR_MEMORY || error == AX_ERR_LIMIT;
    return is_memory ? ": give the machine more memory" : "";
}

const char *error_name(ax_result error) {
    static const char *const names[] = {
        "success",     "no such call", "bad argument", "bad handle",  "wrong type",
        "no right",    "bad address",  "no memory",    "limit",       "exists already",
        "not found",   "wrong state",  "timed out",    "interrupted", "try again",
        "peer closed", "dropped",      "faulted",      "deadlock",    "caller is dead",
        "absent",      "ended",        "not accepted",
    };
    return error <= 0 && error >= AX_ERR_LAST ? names[-error] : "an unknown error";
}
