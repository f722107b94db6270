/* SPDX-License-Identifier: MIT */
/* What every thread of the machine is doing: for somebody who waited too long. */
#include "init.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <proto/supervisor.h>
#include <sys/start.h>

#define LIST_MAX 32

static char text[RUN_TEXT_MAX];
static size_t text_bytes;

static void flush(bool is_last) {
    uint64_t words[RUN_WORDS] = {is_last};
    control_send(AX_RUN_REPORT, words, text, text_bytes);
    text_bytes = 0;
}

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    size_t length = (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1;
    if (length > sizeof(text) - text_bytes)
        flush(false);
    memcpy(text + text_bytes, line, length);
    text_bytes += length;
}

static const char *state_name(uint32_t state) {
    static const char *const names[] = {
        "ready", "running", "waits", "in a call", "waits for a call", "suspended", "ended"};
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static void thread_put(ax_handle process, uint32_t slot) {
    struct ax_object_info info;
    ax_result thread = ax_process_thread(process, slot, AX_PLACE_ANY);
    if (thread < 0)
        return;
    if (ax_object_info((ax_handle)thread, &info) == AX_OK) {
        put("  thread %u: %s", slot, state_name(info.thread.state));
        if (info.thread.waits_for != 0)
            put(" (object %llu)", (unsigned long long)info.thread.waits_for);
        put(", %llu ms of CPU time\n", (unsigned long long)(info.thread.cpu_ns / 1000000));
    }
    (void)ax_handle_close((ax_handle)thread);
}

static void process_put(const char *name, ax_handle process) {
    struct ax_object_info info;
    if (ax_object_info(process, &info) != AX_OK)
        return;
    put("%s: %u threads, %u handles\n", name, info.process.threads, info.process.handles);
    for (uint32_t slot = 0, found = 0; slot < AX_THREAD_MAX && found < info.process.threads;
         slot++) {
        ax_result thread = ax_process_thread(process, slot, AX_PLACE_ANY);
        if (thread < 0)
            continue;
        (void)ax_handle_close((ax_handle)thread);
        thread_put(process, slot);
        found++;
    }
}

/* The servers, as far as init may look at what the supervisor holds. */
static void servers_put(void) {
    ax_handle supervisor = ax_start_handle("supervisor");
    if (supervisor == AX_HANDLE_NONE)
        return;
    process_put("supervisor", supervisor);
    for (uint32_t index = 0; index < SUPERVISOR_SERVERS; index++) {
        ax_result process =
            ax_handle_transfer(supervisor, SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS),
                               AX_PLACE_ANY, AX_RIGHT_INSPECT, AX_TRANSFER_SLOT);
        if (process < 0)
            continue;
        char name[24];
        snprintf(name, sizeof(name), "server %u", index);
        process_put(name, (ax_handle)process);
        (void)ax_handle_close((ax_handle)process);
    }
}

void report_send(void) {
    struct ax_handle_info infos[LIST_MAX];
    servers_put();
    uint32_t next = 0;
    for (;;) {
        ax_result count = ax_handle_list(AX_HANDLE_NONE, next, infos, LIST_MAX);
        if (count <= 0)
            break;
        for (ax_result i = 0; i < count; i++) {
            next = infos[i].slot + 1;
            if (infos[i].type == AX_TYPE_PROCESS && infos[i].handle != ax_start()->process &&
                infos[i].handle != ax_start_handle("supervisor"))
                process_put("program", infos[i].handle);
        }
    }
    flush(true);
}
