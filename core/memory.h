/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: pages by index, made at first touch, in leaves of a tree. The same structure
 * serves as a region's private overlay (no handle, no name). Frames are charged to whoever touched
 * the page first, leaves to the object's account.
 */
#pragma once

#include <base/tree.h>

#include "object.h"

#define MEMORY_PAGES_MAX  (UINT64_C(1) << 36)
#define MEMORY_LEAF_PAGES 56

/* Some pages in a row, at least one of which is present. */
struct memory_leaf {
    struct tree_node node; /* memory->leaves, by number */
    uint64_t number;       /* page / MEMORY_LEAF_PAGES */
    uint64_t used;
    struct frame *frames[MEMORY_LEAF_PAGES];
};

_Static_assert(sizeof(struct memory_leaf) <= 512, "a leaf fits into a cell of the heap");

struct memory {
    struct object object;
    uint64_t page_count;
    uint64_t present; /* frames it holds */
    struct tree leaves;
    uint32_t flags;      /* enum ax_memory_flag */
    struct list regions; /* struct region.in_memory: who maps it (for shrinking) */
    uint64_t region_count;
    uint64_t untrimmed; /* the first so many of them may still show pages that were cut off */
    uint64_t physical;  /* device registers: no frames, the range starts here; else 0 */
    bool registers;
    struct device *device;  /* DMA memory and registers: holds a ref */
    struct list quarantine; /* device->quarantine: its last ref is gone; object_work frees it */
    /* The seam for pagers: who supplies absent pages. NULL: they are zero-filled at first touch.
     * A page that must come from a pager is "absent" to loans and faults (ABSENT, and the fault
     * path's wait), which is all that core's other files know of it. */
    struct endpoint *pager;
};

/* An object without pages yet. One ref. LIMIT also: more than MEMORY_PAGES_MAX. */
MUST_USE ax_result memory_make(struct account *account, uint64_t page_count,
                               struct memory **memory);

/* The frame at a page index, or NULL. */
struct frame *memory_find(const struct memory *memory, uint64_t page);

/* The first index at or after `page` that has a frame, or UINT64_MAX. Bounded by the tree's height,
 * not by the distance. */
uint64_t memory_next(const struct memory *memory, uint64_t page);

/* Puts a frame (its ref passes to the object) where none is. Errors: LIMIT, MEMORY (for leaves). */
MUST_USE ax_result memory_insert(struct memory *memory, uint64_t page, struct frame *frame);

/* Puts another frame where one is; the old one, with its ref, is given back. Cannot fail. */
struct frame *memory_replace(struct memory *memory, uint64_t page, struct frame *frame);

/* Takes the frame out, its ref passes to the caller; NULL: none there. Empty leaves are freed. */
struct frame *memory_remove(struct memory *memory, uint64_t page);

/* Makes an object with all its pages, in one run. LIMIT also: more than a run can have; RESTART:
 * the portion did not suffice for zeroing the run. */
MUST_USE ax_result memory_make_contiguous(struct account *account, uint64_t page_count,
                                          unsigned *portion, struct memory **memory);

/* Drops frames in [first, first + count), up to *portion; true when none is left there. */
bool memory_drop(struct memory *memory, uint64_t first, uint64_t count, unsigned *portion);
