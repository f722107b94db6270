/* SPDX-License-Identifier: MIT */
/*
 * A server is killed again and again while clients work with it: `kills SERVER COUNT SEED`. It
 * is the machine's first program, and ends with one line that tells how it went.
 */
#include "kills.h"

#include <string.h>

static unsigned kill_count;
static uint64_t seed;

/* Mostly an instance that runs, sometimes whatever the supervisor has just made of the next one. */
static void *killer(void *argument) {
    uint32_t index = *(const uint32_t *)argument;
    struct random random;
    random_seed(&random, seed);
    while (status->servers[index].restarts < kill_count) {
        /* Some soon after the start, most while it is busy. */
        uint64_t wait_ns = random_below(&random, random_below(&random, 4) == 0 ? 200000 : 4000000);
        (void)ax_sleep_until(ax_clock_ns() + wait_ns);
        bool is_any = random_below(&random, 4) == 0;
        while ((!is_any && status->servers[index].state != SUPERVISOR_RUNNING) ||
               !instance_kill(index))
            (void)ax_sleep_until(ax_clock_ns() + 100000);
    }
    atomic_store(&is_enough, true);
    return NULL;
}

int main(int argc, char **argv) {
    static uint32_t index;
    static bool is_used[SERVERS];
    char text[256] = "";
    pthread_t kills;
    CHECK(argc == 4, "usage: kills SERVER COUNT SEED");
    bool is_pipe = strcmp(argv[1], "pipe") == 0;
    supervisor_open();
    ax_handle server = ax_start_handle(argv[1]);
    CHECK(server != AX_HANDLE_NONE, "a handle is missing");
    kill_count = (unsigned)strtoul(argv[2], NULL, 0);
    seed = strtoull(argv[3], NULL, 0);
    index = server_find(argv[1]);
    is_used[is_pipe ? SERVER_PIPE : SERVER_COUNTER] = true;
    watch_over(is_used);
    if (is_pipe)
        pipe_start(server, seed);
    else
        counter_start(server, seed);
    CHECK(pthread_create(&kills, NULL, killer, &index) == 0, "no thread");
    pthread_join(kills, NULL);
    if (is_pipe)
        pipe_finish(text, sizeof(text));
    else
        counter_finish(text, sizeof(text));
    printf("kills: %s died %u times: %s\n", argv[1], status->servers[index].restarts, text);
    fflush(stdout);
    return 0;
}
