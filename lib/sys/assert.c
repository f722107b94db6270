/* SPDX-License-Identifier: MIT */
/* Assertions of programs: a line of the log, and an end that counts as a fault. */
#include <base/assert.h>
#include <base/format.h>

#include <sys/ax.h>
#include <sys/start.h>

void assert_failed(const char *expression, const char *file, int line) {
    char text[256];
    size_t size = format(text, sizeof(text), "%s: assertion failed: %s (%s:%d)\n", ax_start()->name,
                         expression, file, line);
    (void)ax_log_write(ax_start()->log, text, size < sizeof(text) ? size : sizeof(text) - 1);
    __builtin_trap();
}
