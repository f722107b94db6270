/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <base/format.h>
#include <base/hash.h>

#include "kernel.h"
#include "thread.h"

#define LINE_MAX 256

void log_write(const char *text, size_t size_bytes) {
    struct log *log = &kernel->log;
    hal_console_write(text, size_bytes);
    for (size_t i = 0; log->size != 0 && i < size_bytes; i++)
        log->bytes[log->written++ & (log->size - 1)] = text[i];
}

void log_line(const char *pattern, ...) {
    char line[LINE_MAX];
    va_list arguments;
    va_start(arguments, pattern);
    size_t length = format_list(line, sizeof(line), pattern, arguments);
    va_end(arguments);
    if (length >= sizeof(line))
        length = sizeof(line) - 1;
    line[length] = '\n';
    log_write(line, length + 1);
}

void trace_record(enum ax_trace kind, uint64_t a, uint64_t b) {
    struct trace *trace = &kernel->trace;
    const struct cpu *cpu = cpu_this();
    trace->entries[trace->written++ & (trace->size - 1)] = (struct ax_trace_entry){
        .time_ns = hal_time_ns(),
        .kind = (uint16_t)kind,
        .cpu = (uint16_t)cpu->id,
        .thread = cpu->current != NULL ? (uint32_t)cpu->current->object.id : 0,
        .a = a,
        .b = b,
    };
}

uint64_t trace_hash_message(const struct ax_message *message) {
    uint64_t hash = hash_mix(message->operation ^ hash_mix(message->handle_count));
    return hash_bytes(message->words, message->word_count * sizeof(message->words[0]), hash);
}

uint64_t trace_hash(const struct call *call) {
    uint64_t hash = hash_mix(call->operation ^ hash_mix(call->handle_count));
    hash = hash_bytes(call->words, call->word_count * sizeof(call->words[0]), hash);
    return hash_bytes(call->loans, call->loan_count * sizeof(call->loans[0]), hash);
}
