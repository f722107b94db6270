/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: a buddy allocator of page frames with counts. A frame in use has an account that
 * pays and at least one ref; refs above one mean sharing by copy-on-write, or a loan that is mapped
 * (each of those counts a pin as well: refs - pins == 1 is exclusive ownership).
 * A freed frame is not used again while a translation to it may be in force somewhere: it waits
 * until every change of a space that was made before it was freed is in force (space_sync_begin).
 */
#pragma once

#include <base/list.h>

#include "types.h"

#define FRAME_ORDERS 13 /* runs of 1 to 2^12 pages: 16 MiB */

enum frame_state {
    FRAME_RESERVED = 0,
    FRAME_FREE,   /* begins a free run */
    FRAME_INSIDE, /* of a free run, not its first */
    FRAME_USED,
    FRAME_SLAB, /* USED by the heap for small cells */
    FRAME_WAITING,
};

struct frame {
    union {
        struct list link;   /* FREE: of its order; WAITING; SLAB: those with a free cell */
        struct frame *next; /* in struct space.pages */
        uint64_t recounted; /* USED: the change after the last one when it was shared
                               with one more, or became exclusive */
    };
    union {
        struct account *account; /* USED: who pays; NULL: core itself, or the heap's user */
        void *free_cell;         /* SLAB */
    };
    uint32_t refs; /* SLAB: cells in use; FREE, INSIDE: 1 if its memory is known to be zero */
    uint16_t pins; /* in struct space.pages: the slot */
    uint8_t order; /* FREE: of the run; SLAB: of a cell, in bytes */
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
    uint64_t waited_for; /* the last change that the frames in waiting[1] wait for */

    /* Spaces with changes that may not be in force everywhere (space.h). */
    uint64_t changes;  /* how many there ever were */
    struct list dirty; /* struct space.dirty; each holds its process */
};

/* Boot: nothing free yet; `all`, zeroed, describes page_count pages from base_page on. */
void frame_init(struct frame *all, uint64_t base_page, uint64_t page_count);

/* Boot: hands a range of RAM, page aligned, to the allocator. frames->all covers it. */
void frame_add_range(uint64_t base, uint64_t size_bytes);

/* Boot: a page that is RAM but in no range (a module's) becomes a USED frame with one ref. LIMIT.
 */
MUST_USE ax_result frame_adopt(uint64_t physical, struct account *account, struct frame **frame);

/*
 * Zeroes, in portions, the run that frame_alloc would give next; true: it need not zero it any
 * more. For long runs, before frame_alloc.
 */
bool frame_prepare(unsigned order, unsigned *portion);

/*
 * A run of 2^order zeroed frames, contiguous, each with one ref and freed on its own. NULL account:
 * core's own, not charged. Errors: LIMIT, MEMORY.
 */
MUST_USE ax_result frame_alloc(struct account *account, unsigned order, struct frame **frame);
void frame_ref(struct frame *frame);
/* The last unref uncharges and frees. */
void frame_unref(struct frame *frame);

/* Moves waiting frames on; called in the loop after syncs. */
void frame_reclaim(void);

struct frame *frame_at(uint64_t physical); /* NULL: not RAM of ours */
uint64_t frame_physical(const struct frame *frame);
void *frame_window(const struct frame *frame);
struct frame *frame_of_window(const void *window); /* any address in the frame's window */

/* False: a CPU may still write it though it is shared by now, or read it in a space that shares it
 * no more. */
bool frame_is_settled(const struct frame *frame);

static inline bool frame_is_exclusive(const struct frame *frame) {
    return frame->refs - frame->pins == 1;
}
