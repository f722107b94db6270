/* SPDX-License-Identifier: MIT */
/* A server's main function: what it was given, from the start block. */
#include "private.h"

#include <sys/start.h>

#define CALLS_MAX 1024

static bool is_text(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

int server_main(const struct server_program *program, int argc, char **argv) {
    static struct server server;
    static struct server_call calls[CALLS_MAX];
    const struct ax_start *start = ax_start();
    struct server_gifts gifts = {
        .endpoint = ax_start_handle("endpoint"),
        .stash = ax_start_handle("stash"),
        .stash_memory = ax_start_handle("stash-memory"),
        .log = start->log,
        .after_failure = (start->flags & AX_START_AFTER_FAILURE) != 0,
        .calls = calls,
        .call_count = CALLS_MAX,
    };
    for (int i = 1; i < argc; i++) {
        if (is_text(argv[i], "--protect"))
            gifts.protect = true;
    }
    return server_run(&server, program, &gifts);
}
