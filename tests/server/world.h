/* SPDX-License-Identifier: MIT */
/*
 * A server on core itself: lib/server and the server's callbacks run in the test, their kernel
 * calls are those of a thread of a process on the scripted machine. While the server waits, the
 * test's clients make their moves. An instance may die at any store to its stash, and before or
 * after any kernel call; its successor finds what the kernel and the stash have kept.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include <server/server.h>
#include <tests/support/driver.h>

#define WORLD_STASH_BYTES (512 << 10)
#define WORLD_CALLS       12

struct world {
    const struct server_program *program;
    struct server server;
    struct server_call calls[WORLD_CALLS];
    struct thread *thread;     /* of the instance */
    ax_handle endpoint, stash; /* root's */
    /* Steps of this run so far, the one after which the instance dies (0: never), deaths. */
    uint64_t steps, last_step;
    unsigned deaths;
    uint64_t next_last_step; /* of the successor */
    bool failed;             /* the next instance is told that its predecessor died of itself */
    bool protect;
    /*
     * The clients' moves, when the server waits and now and then before. False: there is nothing
     * for them to do.
     */
    bool (*turn)(void);
    char log[4096];
};

extern struct world world;

/* A machine with an endpoint and a stash kept for the server, and no instance of it. */
void world_start(const struct server_program *program, bool (*turn)(void));
void world_stop(void);

/*
 * Serves until the clients have nothing to do any more while the server waits. With last_step, it
 * dies after so many steps and its successors live on; false: it died.
 */
bool world_serve(uint64_t last_step);
/* Dies after so many steps, and its successor after so many of its own. */
void world_serve_twice(uint64_t last_step, uint64_t next_last_step);

/* A step was made: the instance may die now. */
void world_step(void);

/* What the program says of each session's signals is what they are. */
void world_check_signals(void);

/* A client process, and a thread of it; a session as the supervisor makes them. */
struct thread *world_client(uint64_t label);
ax_handle world_session(struct thread *client, uint32_t role);

/* ---- What clients do --------------------------------------------------------------------------
 */

/* Memory of every client, for loans. */
#define CLIENT_MEMORY UINT64_C(0x100000)
#define CLIENT_PAGES  64

/* The thread's message, empty. */
struct ax_ipc *client_message(struct thread *client, uint64_t operation);
/* Calls; the answer may be there at once. */
void client_call(struct thread *client, ax_handle session);
/* The call is over: its result, with the answer in the thread's page. */
bool client_is_answered(struct thread *client, ax_result *result);
