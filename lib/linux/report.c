/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdarg.h>

#include <base/assert.h>
#include <base/format.h>
#include <sys/ax.h>

#define LINE_BYTES 240

[[gnu::format(printf, 2, 0)]] static void line_write(const struct thread *thread,
                                                     const char *pattern, va_list arguments) {
    char line[LINE_BYTES];
    const struct task *task = thread->task;
    if (task->start->log == AX_HANDLE_NONE)
        return;
    size_t length = format(line, sizeof(line), "%s[%u]: ", thread->name, thread->tid);
    length += format_list(line + length, sizeof(line) - length, pattern, arguments);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    line[length++] = '\n';
    (void)ax_log_write(task->start->log, line, length);
}

void report(const struct thread *thread, const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    line_write(thread, pattern, arguments);
    va_end(arguments);
}

void assert_failed(const char *expression, const char *file, int line) {
    struct thread *thread = thread_self();
    report(thread, "%s:%d: assertion failed in the personality: %s", file, line, expression);
    task_end_by_signal(thread, L_SIGABRT, true);
}
