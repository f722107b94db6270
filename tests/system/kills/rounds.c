/* SPDX-License-Identifier: MIT */
/* The supervisor is killed together with a server, in one of the ways that may matter. */
#include "kills.h"

#include <abi/root.h>

unsigned root_kills;

static const volatile struct ax_boot_page *boot;
static ax_handle root;
static struct random random_;

void rounds_open(uint64_t seed) {
    boot = supervisor_page(AX_ROOT_BOOT);
    root = supervisor_handle(AX_ROOT_PROCESS, AX_RIGHT_CONTROL);
    random_seed(&random_, seed);
}

unsigned long root_restarts(void) {
    return boot->root_restarts;
}

static void pause_for(uint64_t ns) {
    uint64_t until_ns = ax_clock_ns() + ns;
    while (ax_clock_ns() < until_ns)
        ;
}

static void root_kill(void) {
    CHECK(ax_process_end(root, AX_CAUSE_KILLED, 0) == AX_OK, "the supervisor is not there");
    root_kills++;
}

static void together(uint32_t index) {
    bool is_root_first = random_below(&random_, 2) == 0;
    if (is_root_first)
        root_kill();
    (void)instance_kill(index);
    if (!is_root_first)
        root_kill();
}

/* The supervisor goes while it makes an instance, and perhaps that one as well. */
static void while_made(uint32_t index) {
    uint32_t restarts = status->servers[index].restarts;
    (void)instance_kill(index);
    while (status->servers[index].restarts == restarts ||
           status->servers[index].state == SUPERVISOR_WAITING)
        ;
    pause_for(random_below(&random_, 400000));
    if (random_below(&random_, 2) == 0)
        (void)instance_kill(index);
    root_kill();
}

/* The server goes while the supervisor looks for what the last one left. */
static void while_adopted(uint32_t index) {
    root_kill();
    if (random_below(&random_, 2) == 0)
        pause_for(random_below(&random_, 400000));
    else
        (void)ax_sleep_until(ax_clock_ns() + random_below(&random_, 1000000));
    (void)instance_kill(index);
}

void round_play(uint32_t index) {
    static void (*const rounds[])(uint32_t index) = {together, while_made, while_adopted};
    rounds[random_below(&random_, sizeof(rounds) / sizeof(rounds[0]))](index);
}
