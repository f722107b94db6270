/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "figure.h"

uint64_t now_ns(void);
/* Says what failed and ends. */
_Noreturn void die(const char *what);

/* Groups of yardsticks; each prints its lines. */
void yard_calls(void);
void yard_ipc(void);
void yard_loan(void);
void yard_memory(void);
void yard_threads(void);
/* Starts the program `count` times, one after the other, and waits for each end. */
void yard_start(const char *name, unsigned count, char **command);
