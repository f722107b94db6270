/* SPDX-License-Identifier: MIT */
/* The trace as text: a line for each record, which says nothing of the host. */
#include "machine.h"

#include <base/format.h>

#define LINE_BYTES 128

static const char *kind_name(uint32_t kind) {
    static const char *const names[AX_TRACE_COUNT] = {
        [AX_TRACE_ENTRY] = "entry",   [AX_TRACE_RESULT] = "result",   [AX_TRACE_SWITCH] = "switch",
        [AX_TRACE_SEND] = "send",     [AX_TRACE_RECEIVE] = "receive", [AX_TRACE_ANSWER] = "answer",
        [AX_TRACE_SIGNAL] = "signal", [AX_TRACE_END] = "end",         [AX_TRACE_COPY] = "copy",
    };
    return kind < AX_TRACE_COUNT ? names[kind] : "?";
}

void hal_trace(const struct ax_trace_entry *entry) {
    char line[LINE_BYTES];
    if (!host_trace_is_open())
        return;
    size_t length =
        format(line, sizeof(line), "%llu cpu %u thread %u %s %llx %llx\n",
               (unsigned long long)entry->time_ns, entry->cpu, entry->thread,
               kind_name(entry->kind), (unsigned long long)entry->a, (unsigned long long)entry->b);
    host_trace_write(line, length);
}
