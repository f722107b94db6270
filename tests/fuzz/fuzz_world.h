/* SPDX-License-Identifier: MIT */
/* The world in which fuzzed programs live: made once, put back before each input. */
#pragma once

#include "driver.h"

#define WORLD_CPUS  3
#define WORLD_PAGES 8
/* Where each process has WORLD_PAGES private pages, and then as many shared ones. */
#define WORLD_MEMORY UINT64_C(0x10000000)

/* Back to the same first moment: a root task, a server process of two threads, two clients and a
 * stash, with handles to one of everything at small indices in each table. */
void world_restore(void);
