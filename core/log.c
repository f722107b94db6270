/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <base/format.h>
#include <base/hash.h>

#include "kernel.h"
#include "thread.h"

#define LINE_MAX 256

/* What a serial line takes without much waiting. */
#define SHOW_BYTES 16

void log_write(const char *text, size_t size_bytes) {
    struct log *log = &kernel->log;
    for (size_t i = 0; i < size_bytes; i++)
        log->bytes[log->written++ & (log->size - 1)] = text[i];
    if (log->written - log->shown > log->size)
        log->shown = log->written - log->size; /* the console is too slow for all of it */
}

void log_show(void) {
    struct log *log = &kernel->log;
    char text[SHOW_BYTES];
    size_t count = 0;
    if (log->is_shown || log->shown == log->written)
        return;
    while (count < SHOW_BYTES && log->shown != log->written)
        text[count++] = log->bytes[log->shown++ & (log->size - 1)];
    log->is_shown = true;
    kernel_unlock();
    hal_console_write(text, count);
    kernel_lock();
    log->is_shown = false;
}

void core_log_show(void) {
    while (kernel != NULL && kernel->log.shown != kernel->log.written)
        hal_console_write(&kernel->log.bytes[kernel->log.shown++ & (kernel->log.size - 1)], 1);
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
    struct ax_trace_entry *entry = &trace->entries[trace->written++ & (trace->size - 1)];
    *entry = (struct ax_trace_entry){
        .time_ns = hal_time_ns(),
        .kind = (uint16_t)kind,
        .cpu = (uint16_t)cpu->id,
        .thread = cpu->current != NULL ? (uint32_t)cpu->current->object.id : 0,
        .a = a,
        .b = b,
    };
    hal_trace(entry);
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
