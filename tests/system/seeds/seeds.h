/* SPDX-License-Identifier: MIT */
/* What a seeded run is tried with: programs that only the order of events tells apart. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <sys/message.h>
#include <sys/start.h>

/* Ends the process, not well, with what was not as it should be. */
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

/* `seeds work NAME PIPES`: two threads, one pipe after another between them. */
int work(const char *name, unsigned pipes);
/* `seeds kill KILLS`: kills the server pipe so often, then awaits the end of those that work. */
int kill_servers(unsigned kills);
/* `seeds order`: a queue of two threads that is wrong in one order of events. */
int order(void);
/* `seeds counter`: a thread that does nothing but read the time stamp counter, until another, which
 * sleeps first, lets it go. */
int counter(void);
