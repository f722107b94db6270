/* SPDX-License-Identifier: MIT */
/* What programs share in which servers are killed while clients work with them. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/random.h>
#include <proto/supervisor.h>
#include <sys/message.h>
#include <sys/start.h>

/* Ends the machine with what was not as it should be. */
#define CHECK(condition, ...)                                             \
    do {                                                                  \
        if (!(condition)) {                                               \
            printf("FAILED %s:%d: %s: ", __FILE__, __LINE__, #condition); \
            printf(__VA_ARGS__);                                          \
            printf("\n");                                                 \
            fflush(stdout);                                               \
            _Exit(1);                                                     \
        }                                                                 \
    } while (0)

/* Set when there have been enough kills: clients come to their end. */
extern atomic_bool is_enough;

enum server { SERVER_COUNTER, SERVER_PIPE, SERVERS };
/* Clients count here what they have done: standing still is a failure. */
extern atomic_ulong progress[SERVERS];
/* Of those that are used. */
void watch_over(bool is_used[SERVERS]);

/* In a client's thread: below the one that kills, which must come to its turn. */
void client_begin(void);

/* A call that the server must answer, whatever becomes of it; the status is in the message. */
void must_call(enum server which, ax_handle session, struct ax_message *message, uint32_t accept);

/* The supervisor's process and status page; must come first. */
extern ax_handle supervisor;
extern const volatile struct supervisor_status *status;
void supervisor_open(void);
/* A handle of its table; AX_HANDLE_NONE: the slot is empty. */
ax_handle supervisor_handle(uint32_t slot, uint32_t rights);
/* The first page of a memory object of its table. */
const volatile void *supervisor_page(uint32_t slot);
/* A server's number. */
uint32_t server_find(const char *name);
/* Kills the instance, wherever it is in its life; false: there is none. */
bool instance_kill(uint32_t index);

/* The supervisor dies with a server, in one of several ways; how often it did, and was started. Two
 * of its deaths within a second would end the machine. */
#define ROOT_PAUSE_NS UINT64_C(1010000000)
extern unsigned root_kills;
void rounds_open(uint64_t seed);
void round_play(uint32_t index);
unsigned long root_restarts(void);

/* Starts the clients of a server with that seed, and waits for their end and checks it; says in
 * text what was done. */
void counter_start(ax_handle server, uint64_t seed);
void counter_finish(char *text, size_t size);
void pipe_start(ax_handle server, uint64_t seed);
void pipe_finish(char *text, size_t size);
