/* SPDX-License-Identifier: MIT */
#include "kills.h"

#include <string.h>
#include <time.h>

#define STUCK_SECONDS 30

atomic_bool is_enough;
atomic_ulong progress[SERVERS];

ax_handle supervisor;
const volatile struct supervisor_status *status;

void client_begin(void) {
    CHECK(ax_thread_priority(AX_HANDLE_NONE, 10) == AX_OK, "priority");
}

void must_call(enum server which, ax_handle session, struct ax_message *message, uint32_t accept) {
    const struct ax_call_options options = {.deadline_ns = AX_TIME_NEVER, .accept = accept};
    ax_result result = ax_call(session, message, &options);
    CHECK(result == AX_OK, "error %lld", (long long)result);
    atomic_fetch_add(&progress[which], 1);
}

/* ---- The supervisor's table ------------------------------------------------------------------ */

ax_handle supervisor_handle(uint32_t slot, uint32_t rights) {
    ax_result handle = ax_handle_transfer(supervisor, slot, AX_PLACE_ANY, rights, AX_TRANSFER_SLOT);
    return handle > 0 ? (ax_handle)handle : AX_HANDLE_NONE;
}

const volatile void *supervisor_page(uint32_t slot) {
    struct ax_map_request request = {.size_bytes = AX_PAGE_SIZE, .prot = AX_PROT_READ};
    ax_handle memory = supervisor_handle(slot, AX_RIGHT_READ);
    CHECK(memory != AX_HANDLE_NONE, "slot %u", slot);
    ax_result address = ax_memory_map(AX_HANDLE_NONE, memory, &request);
    CHECK(address > 0, "error %lld", (long long)address);
    return (const void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr): an answer */
}

void supervisor_open(void) {
    supervisor = ax_start_handle("supervisor");
    CHECK(supervisor != AX_HANDLE_NONE, "a handle is missing");
    status = supervisor_page(SUPERVISOR_STATUS);
}

uint32_t server_find(const char *name) {
    uint32_t index = 0;
    while (index < status->server_count &&
           strcmp((const char *)status->servers[index].name, name) != 0)
        index++;
    CHECK(index < status->server_count, "there is no server %s", name);
    return index;
}

bool instance_kill(uint32_t index) {
    ax_handle process =
        supervisor_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS), AX_RIGHT_CONTROL);
    if (process == AX_HANDLE_NONE)
        return false;
    ax_result result = ax_process_end(process, AX_CAUSE_KILLED, 0);
    (void)ax_handle_close(process);
    return result == AX_OK;
}

/* ---- Watching -------------------------------------------------------------------------------- */

/* Whatever sleeps for ever keeps the counts from growing. */
static void *watcher(void *argument) {
    unsigned long before[SERVERS] = {0};
    unsigned seconds[SERVERS] = {0};
    const bool *is_used = argument;
    for (;;) {
        (void)ax_sleep_until(ax_clock_ns() + 1000000000);
        for (unsigned i = 0; i < SERVERS; i++) {
            unsigned long now = atomic_load(&progress[i]);
            seconds[i] = now == before[i] && is_used[i] ? seconds[i] + 1 : 0;
            before[i] = now;
            CHECK(seconds[i] < STUCK_SECONDS, "with server %u nothing goes on", i);
        }
    }
    return NULL;
}

void watch_over(bool is_used[SERVERS]) {
    static pthread_t thread;
    CHECK(pthread_create(&thread, NULL, watcher, is_used) == 0, "no thread");
}
