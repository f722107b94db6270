/* SPDX-License-Identifier: MIT */
/* A server that is killed, and how long its client then waits for an answer. */
#include "guest.h"

#include <string.h>

#include <proto/counter.h>
#include <proto/supervisor.h>
#include <sys/message.h>
#include <sys/start.h>

#define KILLS 8

static ax_handle supervisor;

/* Its number in the supervisor's status. */
static uint32_t server_find(const char *name) {
    struct ax_map_request request = {.size_bytes = AX_PAGE_SIZE, .prot = AX_PROT_READ};
    ax_result memory = ax_handle_transfer(supervisor, SUPERVISOR_STATUS, AX_PLACE_ANY,
                                          AX_RIGHT_READ, AX_TRANSFER_SLOT);
    if (memory < 0)
        die("finding the supervisor's status", memory);
    ax_result address = ax_memory_map(AX_HANDLE_NONE, (ax_handle)memory, &request);
    if (address < 0)
        die("mapping the supervisor's status", address);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    const struct supervisor_status *status = (const void *)(uintptr_t)address;
    for (uint32_t i = 0; i < status->server_count; i++) {
        if (strcmp(status->servers[i].name, name) == 0)
            return i;
    }
    die(name, -1);
}

static void server_kill(uint32_t index) {
    ax_result process = ax_handle_transfer(supervisor, SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS),
                                           AX_PLACE_ANY, AX_RIGHT_CONTROL, AX_TRANSFER_SLOT);
    if (process < 0)
        die("finding the server's process", process);
    ax_result result = ax_process_end((ax_handle)process, AX_CAUSE_KILLED, 0);
    if (result != AX_OK)
        die("killing the server", result);
    (void)ax_handle_close((ax_handle)process);
}

static struct ax_message counter_call(ax_handle session, uint64_t operation, uint64_t word) {
    const struct ax_call_options options = {.deadline_ns = AX_TIME_NEVER, .accept = 1};
    struct ax_message message;
    ax_message_init(&message, operation);
    ax_message_word(&message, word);
    ax_result result = ax_call(session, &message, &options);
    if (result != AX_OK || message.operation != 0)
        die("calling the counter", result != AX_OK ? result : (long long)message.operation);
    return message;
}

/* The call is made when the server is dead, and answered by the next instance. */
void bench_restart(void) {
    ax_handle counter = ax_start_handle("counter");
    supervisor = ax_start_handle("supervisor");
    uint32_t index = server_find("counter");
    ax_handle session = counter_call(counter, AX_COUNTER_OPEN, 0).handles[0].handle;
    uint64_t total_ns = 0;
    for (unsigned i = 0; i < KILLS; i++) {
        (void)counter_call(session, AX_COUNTER_ADD, 1);
        uint64_t start_ns = ax_clock_ns();
        server_kill(index);
        uint64_t value = counter_call(session, AX_COUNTER_ADD, 1).words[0];
        total_ns += ax_clock_ns() - start_ns;
        if (value != 2 * (i + 1))
            die("adding each number once", (long long)value);
    }
    figure_time("restart", total_ns, KILLS);
}
