/* SPDX-License-Identifier: MIT */
/* What the monitor shows of processes, handles, memory and the kernel. */
#include "monitor.h"

#include <stdio.h>
#include <string.h>

#include <sys/ax.h>
#include <sys/start.h>

#define KIB(bytes) ((unsigned long long)((bytes) / 1024))

static const char *type_name(uint32_t type) {
    static const char *const names[AX_TYPE_COUNT] = {
        "nothing", "process", "account", "thread", "endpoint", "session", "reply",
        "memory",  "event",   "timer",   "irq",    "queue",    "device",
    };
    return type < AX_TYPE_COUNT ? names[type] : "?";
}

static const char *state_name(uint32_t state) {
    static const char *const names[] = {"never started", "starting", "running", "waiting", "ended"};
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static const char *thread_state_name(uint32_t state) {
    static const char *const names[] = {"ready",     "running",   "waiting", "calling",
                                        "receiving", "suspended", "ended"};
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

/* ---- Processes ------------------------------------------------------------------------------- */

static void show_thread(ax_handle process, uint32_t slot) {
    struct ax_object_info info;
    ax_result thread = ax_process_thread(process, slot, AX_PLACE_ANY);
    if (thread < 0)
        return;
    if (ax_object_info((ax_handle)thread, &info) == AX_OK)
        printf("    thread %-4u %-10s priority %-3u %8llu us\n", slot,
               thread_state_name(info.thread.state), info.thread.priority,
               (unsigned long long)(info.thread.cpu_ns / 1000));
    (void)ax_handle_close((ax_handle)thread);
}

static void show_process(const char *name, ax_handle process) {
    struct ax_object_info info;
    if (ax_object_info(process, &info) != AX_OK)
        return;
    printf("%-24s %u threads, %u handles, %llu page faults, %llu us\n", name, info.process.threads,
           info.process.handles, (unsigned long long)info.process.page_faults,
           (unsigned long long)(info.process.cpu_ns / 1000));
    for (uint32_t slot = 0; slot < AX_THREAD_MAX; slot++)
        show_thread(process, slot);
}

void show_processes(const char *argument) {
    (void)argument;
    show_process("supervisor", monitor.supervisor);
    for (uint32_t index = 0; index < monitor.status->server_count; index++) {
        ax_handle process = server_process(index, AX_RIGHT_INSPECT);
        if (process == AX_HANDLE_NONE)
            continue;
        show_process(monitor.status->servers[index].name, process);
        (void)ax_handle_close(process);
    }
    show_process("monitor", ax_start()->process);
}

/* ---- Servers --------------------------------------------------------------------------------- */

/* A copy of what the supervisor has in one of a server's slots. */
static ax_handle slot_copy(uint32_t index, enum supervisor_slot what, uint32_t rights) {
    ax_result handle = ax_handle_transfer(monitor.supervisor, SUPERVISOR_SERVER(index, what),
                                          AX_PLACE_ANY, rights, AX_TRANSFER_SLOT);
    return handle > 0 ? (ax_handle)handle : AX_HANDLE_NONE;
}

ax_handle server_process(uint32_t index, uint32_t rights) {
    return slot_copy(index, SUPERVISOR_PROCESS, rights);
}

static bool slot_info(uint32_t index, enum supervisor_slot what, struct ax_object_info *info) {
    ax_handle handle = slot_copy(index, what, AX_RIGHT_INSPECT);
    bool is_there = handle != AX_HANDLE_NONE && ax_object_info(handle, info) == AX_OK;
    if (handle != AX_HANDLE_NONE)
        (void)ax_handle_close(handle);
    return is_there;
}

void show_servers(const char *argument) {
    (void)argument;
    printf("%-16s %-14s %8s %10s %8s %8s %10s\n", "name", "state", "restarts", "messages",
           "waiting", "sessions", "KiB");
    for (uint32_t index = 0; index < monitor.status->server_count; index++) {
        const struct supervisor_server *server = &monitor.status->servers[index];
        struct ax_object_info endpoint = {0}, account = {0};
        (void)slot_info(index, SUPERVISOR_ENDPOINT, &endpoint);
        (void)slot_info(index, SUPERVISOR_ACCOUNT, &account);
        printf("%-16s %-14s %8u %10llu %8llu %8llu %10llu\n", server->name,
               state_name(server->state), server->restarts,
               (unsigned long long)endpoint.endpoint.delivered,
               (unsigned long long)endpoint.endpoint.queued,
               (unsigned long long)endpoint.endpoint.sessions, KIB(account.account.used_bytes));
    }
}

void show_handles(const char *argument) {
    int index = server_find(argument);
    if (index < 0)
        return;
    ax_handle process = server_process((uint32_t)index, AX_RIGHT_HANDLES);
    struct ax_handle_info infos[16];
    uint32_t next = 0;
    if (process == AX_HANDLE_NONE) {
        printf("%s is not running\n", argument);
        return;
    }
    for (;;) {
        ax_result count = ax_handle_list(process, next, infos, 16);
        for (ax_result i = 0; i < count; i++) {
            next = infos[i].slot + 1;
            if (infos[i].type != AX_TYPE_NONE)
                printf("  %-6u %-9s object %-8llu rights %05x\n", infos[i].slot,
                       type_name(infos[i].type), (unsigned long long)infos[i].object_id,
                       infos[i].rights & AX_RIGHT_ALL);
        }
        if (count <= 0)
            break;
    }
    (void)ax_handle_close(process);
}

/* ---- The kernel ------------------------------------------------------------------------------ */

static bool counters_read(struct ax_counters *counters) {
    if (ax_system_counters(monitor.system, counters) == AX_OK)
        return true;
    printf("the kernel's counters cannot be read\n");
    return false;
}

void show_memory(const char *argument) {
    struct ax_counters counters;
    (void)argument;
    if (!counters_read(&counters))
        return;
    printf("%llu KiB in all, %llu free, %llu on the way back, %llu of the kernel's heap\n",
           KIB(counters.frames_total * AX_PAGE_SIZE), KIB(counters.frames_free * AX_PAGE_SIZE),
           KIB(counters.frames_waiting * AX_PAGE_SIZE), KIB(counters.heap_bytes));
    for (uint32_t index = 0; index < monitor.status->server_count; index++) {
        struct ax_object_info info;
        if (slot_info(index, SUPERVISOR_ACCOUNT, &info))
            printf("  %-16s %8llu of %8llu KiB, %llu of %llu objects\n",
                   monitor.status->servers[index].name, KIB(info.account.used_bytes),
                   KIB(info.account.limit_bytes), (unsigned long long)info.account.used_objects,
                   (unsigned long long)info.account.limit_objects);
    }
}

void show_counters(const char *argument) {
    struct ax_counters counters;
    (void)argument;
    if (!counters_read(&counters))
        return;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"kernel entries", counters.kernel_entries},
        {"kernel calls", counters.kernel_calls},
        {"calls sent", counters.calls_sent},
        {"calls answered", counters.calls_answered},
        {"of these the short way", counters.calls_fast},
        {"calls delivered again", counters.calls_redelivered},
        {"calls that killed", counters.calls_faulted},
        {"deadlocks", counters.deadlocks},
        {"page faults", counters.page_faults},
        {"bounces", counters.bounces},
        {"upcalls", counters.upcalls},
        {"interrupts", counters.interrupts},
        {"switches", counters.switches},
        {"processes", counters.processes},
        {"threads", counters.threads},
        {"longest lock, us", counters.lock_held_max_ns / 1000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("  %-24s %llu\n", rows[i].name, (unsigned long long)rows[i].value);
}
