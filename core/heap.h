/* SPDX-License-Identifier: MIT */
/*
 * Memory for kernel objects and tables: power-of-two size classes from 32 bytes to half a page in
 * slabs of one frame, whole runs above. Charged to an account by the class's size, one object each.
 */
#pragma once

#include <base/list.h>

#include "types.h"

#define HEAP_CLASSES 7 /* 32, 64, ... 2048 bytes */

struct heap {
    struct list partial[HEAP_CLASSES]; /* slabs with a free cell */
    uint64_t used_bytes;               /* all cells and runs in use, by their class's size */
};

void heap_init(void);

/* Zeroed, aligned to its class (64 bytes at least from 64 bytes on); `memory` points to the pointer
 * to it. NULL account: core itself, at boot. Errors: LIMIT, MEMORY. */
MUST_USE ax_result heap_alloc(struct account *account, size_t size_bytes, void *memory);

/* With the size and account of its heap_alloc. NULL: nothing. */
void heap_free(struct account *account, void *memory, size_t size_bytes);

/* What an allocation of this size is charged. */
size_t heap_charge(size_t size_bytes);
