/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: a buddy allocator of page frames with counts. A frame in use has an account that
 * pays and at least one ref; refs above one mean sharing by copy-on-write, or a loan that is mapped
 * (each of those counts a pin as well: refs - pins == 1 is exclusive ownership).
 * A freed frame is not used again while a translation to it may be in force somewhere: it waits
 * until every CPU that had a hal_space_sync outstanding has finished it.
 */
#pragma once

#include <base/list.h>

#include "types.h"

#define FRAME_ORDERS 20 /* runs of 1 to 2^19 pages: 2 GiB */

enum frame_state { FRAME_RESERVED = 0, FRAME_FREE, FRAME_USED, FRAME_WAITING };

struct frame {
    struct list link;        /* free list of its order, or the waiting list */
    struct account *account; /* USED: who pays; NULL: core itself (heap slabs) */
    uint32_t refs;
    uint16_t pins;
    uint8_t order; /* FREE: of the run it begins */
    uint8_t state;
};

struct frames {
    struct frame *all; /* one for each page from base_page on */
    uint64_t base_page;
    uint64_t page_count;
    struct list free[FRAME_ORDERS];
    uint64_t free_count;    /* pages */
    uint64_t total_count;   /* pages handed to frame_add_range */
    struct list waiting[2]; /* [0] freed since the last snapshot, [1] wait for `waited_for` */
    uint64_t waiting_count;
    uint64_t waited_for;      /* CPUs whose sync the frames in waiting[1] wait for */
    _Atomic uint64_t syncing; /* CPUs that have a sync outstanding */
};

/* Boot: hands a range of RAM, page aligned, to the allocator. frames->all covers it. */
void frame_add_range(uint64_t base, uint64_t size_bytes);

/*
 * A run of 2^order zeroed frames, contiguous, each with one ref and freed on its own. NULL account:
 * core's own, not charged. Errors: LIMIT, MEMORY.
 */
MUST_USE ax_result frame_alloc(struct account *account, unsigned order, struct frame **frame);
void frame_ref(struct frame *frame);
/* The last unref uncharges and frees. */
void frame_unref(struct frame *frame);

/* Moves waiting frames on; called in the loop after syncs. True if some were freed. */
bool frame_reclaim(void);

struct frame *frame_at(uint64_t physical); /* NULL: not RAM of ours */
uint64_t frame_physical(const struct frame *frame);
void *frame_window(const struct frame *frame);

static inline bool frame_is_exclusive(const struct frame *frame)
{
    return frame->refs - frame->pins == 1;
}
