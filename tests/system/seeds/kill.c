/* SPDX-License-Identifier: MIT */
/* Whoever kills the server of those that work. When: what the machine's entropy says. */
#include "seeds.h"

#include <sys/random.h>

#include <proto/supervisor.h>

#define POLL_NS  UINT64_C(1000000)
#define PAUSE_NS UINT64_C(3000000)

static ax_handle supervisor;

static const volatile struct supervisor_status *status_map(void) {
    struct ax_map_request request = {.size_bytes = AX_PAGE_SIZE, .prot = AX_PROT_READ};
    ax_result memory = ax_handle_transfer(supervisor, SUPERVISOR_STATUS, AX_PLACE_ANY,
                                          AX_RIGHT_READ, AX_TRANSFER_SLOT);
    CHECK(memory > 0, "error %lld", (long long)memory);
    ax_result address = ax_memory_map(AX_HANDLE_NONE, (ax_handle)memory, &request);
    CHECK(address > 0, "error %lld", (long long)address);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return (const volatile void *)(uintptr_t)address;
}

static bool instance_kill(uint32_t index) {
    ax_result process = ax_handle_transfer(supervisor, SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS),
                                           AX_PLACE_ANY, AX_RIGHT_CONTROL, AX_TRANSFER_SLOT);
    if (process <= 0)
        return false;
    ax_result result = ax_process_end((ax_handle)process, AX_CAUSE_KILLED, 0);
    (void)ax_handle_close((ax_handle)process);
    return result == AX_OK;
}

/* Servers that end, and are not started again: those that work. How many have not ended yet. */
static unsigned workers_left(const volatile struct supervisor_status *status, uint32_t pipe) {
    unsigned left = 0;
    for (uint32_t i = 0; i + 1 < status->server_count; i++) {
        const volatile struct supervisor_server *server = &status->servers[i];
        if (i == pipe)
            continue;
        left += server->state != SUPERVISOR_ENDED;
        CHECK(server->state != SUPERVISOR_ENDED ||
                  (server->cause == AX_CAUSE_EXIT && server->code == 0),
              "worker %u: cause %u", i, server->cause);
    }
    return left;
}

int kill_servers(unsigned kills) {
    supervisor = ax_start_handle("supervisor");
    CHECK(supervisor != AX_HANDLE_NONE, "there is no supervisor");
    const volatile struct supervisor_status *status = status_map();
    uint32_t pipe = 0;
    uint64_t seed;
    struct random random;
    while (strcmp((const char *)status->servers[pipe].name, "pipe") != 0)
        pipe++;
    CHECK(getrandom(&seed, sizeof(seed), 0) == sizeof(seed), "no entropy");
    random_seed(&random, seed);
    for (unsigned i = 0; i < kills; i++) {
        do
            (void)ax_sleep_until(ax_clock_ns() + random_below(&random, PAUSE_NS));
        while (status->servers[pipe].state != SUPERVISOR_RUNNING || !instance_kill(pipe));
    }
    while (workers_left(status, pipe) != 0)
        (void)ax_sleep_until(ax_clock_ns() + POLL_NS);
    printf("%u kills, and all that work have ended\n", kills);
    fflush(stdout);
    return 0;
}
