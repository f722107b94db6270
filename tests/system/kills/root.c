/* SPDX-License-Identifier: MIT */
/*
 * The supervisor is killed together with a server, again and again, while clients work with both
 * servers: `kills_root COUNT SEED inside|outside`. Inside this program kills, outside somebody
 * else does. It is the machine's first program, and ends with one line that tells how it went.
 */
#include "kills.h"

#include <string.h>

static const char *const names[SERVERS] = {"counter", "pipe"};
static uint32_t indices[SERVERS];
static struct random random_;

/* Both servers answer again: so many calls more. */
static void await_clients(unsigned long calls) {
    for (unsigned i = 0; i < SERVERS; i++) {
        unsigned long before = atomic_load(&progress[i]);
        while (atomic_load(&progress[i]) - before < calls)
            (void)ax_sleep_until(ax_clock_ns() + 1000000);
    }
}

static void *killer(void *argument) {
    unsigned count = *(const unsigned *)argument;
    for (unsigned i = 0; i < count; i++) {
        round_play(indices[random_below(&random_, SERVERS)]);
        uint64_t next_ns = ax_clock_ns() + ROOT_PAUSE_NS;
        await_clients(10);
        (void)ax_sleep_until(next_ns + random_below(&random_, 10000000));
    }
    return NULL;
}

static void *waiter(void *argument) {
    unsigned count = *(const unsigned *)argument;
    while (root_restarts() < count)
        (void)ax_sleep_until(ax_clock_ns() + 1000000);
    printf("kills: enough\n"); /* whoever kills stops; there may be one more */
    fflush(stdout);
    await_clients(10);
    return NULL;
}

int main(int argc, char **argv) {
    static unsigned count;
    static bool is_used[SERVERS] = {true, true};
    char counts[256] = "", bytes[256] = "";
    pthread_t kills;
    CHECK(argc == 4, "usage: kills_root COUNT SEED inside|outside");
    supervisor_open();
    count = (unsigned)strtoul(argv[1], NULL, 0);
    uint64_t seed = strtoull(argv[2], NULL, 0);
    random_seed(&random_, seed);
    rounds_open(seed + 1);
    for (unsigned i = 0; i < SERVERS; i++)
        indices[i] = server_find(names[i]);
    watch_over(is_used);
    counter_start(ax_start_handle("counter"), seed);
    pipe_start(ax_start_handle("pipe"), seed);
    bool is_inside = strcmp(argv[3], "inside") == 0;
    CHECK(pthread_create(&kills, NULL, is_inside ? killer : waiter, &count) == 0, "no thread");
    pthread_join(kills, NULL);
    atomic_store(&is_enough, true);
    counter_finish(counts, sizeof(counts));
    pipe_finish(bytes, sizeof(bytes));
    CHECK(!is_inside || root_restarts() == root_kills, "the supervisor died %lu times, not %u",
          root_restarts(), root_kills);
    printf("kills: supervisor died %lu times, counter %u, pipe %u: %s; %s\n", root_restarts(),
           status->servers[indices[SERVER_COUNTER]].restarts,
           status->servers[indices[SERVER_PIPE]].restarts, counts, bytes);
    fflush(stdout);
    return 0;
}
