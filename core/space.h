/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: regions by address. A shared region shows its memory object's own pages. A
 * private one shows, at each page, the frame of its overlay, else the memory object's (never
 * writable), else a zero page to be made in the overlay at first touch. The machine's translations
 * are a cache of this: they may lack what is here, never have more.
 */
#pragma once

#include <base/list.h>
#include <base/tree.h>
#include <hal/hal.h>

#include "types.h"

struct region {
    struct tree_node node; /* in space->regions, by start */
    struct process *process;
    uint64_t start;
    uint64_t page_count;
    uint64_t offset;        /* page of `memory` at start */
    struct memory *memory;  /* holds a ref; NULL: anonymous */
    struct memory *overlay; /* its own pages, by address / AX_PAGE_SIZE: holds a ref, shared with
                               regions split from the same; NULL: not yet */
    struct list in_memory;  /* memory->regions */
    uint32_t prot;          /* enum ax_prot */
    uint32_t allowed;       /* most that memory_protect may give */
    bool is_private;
    struct reply *reply;  /* the loan that it maps: pinned, not cloned, goes as a whole; or NULL */
    struct list in_reply; /* reply->maps */
};

struct space {
    struct tree regions;
    uint64_t region_count;
    struct hal_space hal;
    bool created;          /* hal_space_create was done */
    uint32_t syncing;      /* CPUs that are in hal_space_sync for it */
    struct list dirty;     /* kernel->frames.dirty */
    uint64_t changed;      /* its last change */
    uint64_t synced;       /* dirty: its changes up to this one are in force */
    uint64_t place;        /* where to look for a free place next */
    uint64_t table_pages;  /* frames of translation tables */
    ax_result table_error; /* why the last one that was wanted could not be had */
    struct frame *pages;   /* thread pages that no thread has: mapped, zero */
};

/* No region, no machine space yet. */
void space_init(struct process *process);
/* Before a thread is made: the machine's space, with the kernel page. Once made it stays. Errors:
 * LIMIT, MEMORY. */
MUST_USE ax_result space_create(struct process *process);
/* Removes up to *portion pages and regions; true when nothing is left but the HAL's tables. */
bool space_clear(struct process *process, unsigned *portion);
/* After space_clear, with no thread of it left: gives thread pages and the tables back, up to
 * *portion; true: there is nothing left, false: ask again. */
bool space_destroy(struct process *process, unsigned *portion);

struct region *space_find(struct process *process, uint64_t address);
/* The first region that ends after the address, or NULL. */
struct region *space_next(struct process *process, uint64_t address);
bool space_is_free(struct process *process, uint64_t address, uint64_t page_count);

/*
 * Finds a free place below AX_PROGRAM_END: looks at a bounded number of regions a call and answers
 * RESULT_RESTART if that was not enough. *looked: 0 at first, kept until then. Errors: LIMIT.
 */
MUST_USE ax_result space_place(struct process *process, uint64_t page_count, uint64_t *looked,
                               uint64_t *address);

/*
 * Makes a region as wanted: process, start, page_count, memory (NULL: anonymous, and then
 * is_private), offset, prot, allowed, is_private, reply; joined with those beside it that are
 * alike. All checked by the caller but EXISTS (taken), LIMIT, MEMORY.
 */
MUST_USE ax_result space_map(const struct region *wanted);
/* The same, but unmaps what is there. *next: the start at first, then how far it came; what it has
 * passed is never free for others meanwhile. RESTART: more is left. */
MUST_USE ax_result space_replace(const struct region *wanted, uint64_t *next);

/* Unmaps what is there from *next, which it advances, to the end, up to *portion pages. RESTART:
 * more is left; MEMORY, LIMIT: a cut needed memory, nothing more was unmapped. */
MUST_USE ax_result space_unmap(struct process *process, uint64_t *next, uint64_t end,
                               unsigned *portion);

/* Unmaps one whole region; private pages are given back by the work list, loans at once. */
void region_remove(struct region *region);

/* Cuts the region that the address is inside of in two (but no loan), so that one begins there. */
MUST_USE ax_result space_cut(struct process *process, uint64_t address);
/* Joins the region at the address with the one before it where they are alike. */
void space_join(struct process *process, uint64_t address);
/* Puts a frame, whose ref passes, where the region has no private page. Errors: LIMIT, MEMORY. */
MUST_USE ax_result region_insert(struct region *region, uint64_t address, struct frame *frame);
/* Hides what the region shows beyond the end of its memory, up to *portion pages; true: done. */
bool region_trim(struct region *region, unsigned *portion);
uint64_t region_end(const struct region *region);
/* How many of its pages, from the first on, its memory has. */
uint64_t region_kept(const struct region *region);

/* hal_space_map. Errors: LIMIT, MEMORY (for tables). */
MUST_USE ax_result space_show(struct process *process, uint64_t address, uint64_t physical,
                              size_t page_count, uint32_t prot);
/* Removes translations, with space_dirty. */
void space_hide(struct process *process, uint64_t address, uint64_t page_count);
/* Reduces them to this access; those of many pages are removed instead, which takes no longer for
 * more. */
void space_reduce(struct process *process, uint64_t address, uint64_t page_count, uint32_t prot);

/*
 * Copies the parent's regions from *cursor (an address, 0 at first) on into the child,
 * copy-on-write, up to *portion pages and regions. RESTART: more are left; LIMIT, MEMORY.
 */
MUST_USE ax_result space_clone(struct process *parent, struct process *child, uint64_t *cursor,
                               unsigned *portion);

/*
 * A thread page once mapped stays where it is until the process is gone, for other threads: none
 * has to be unmapped and mapped again. One of those that no thread has, and its slot; NULL: there
 * is none.
 */
struct frame *space_take_page(struct process *process, uint32_t *slot);
/* No thread has it any more; it is zero. */
void space_keep_page(struct process *process, struct frame *frame, uint32_t slot);

/* ---- Changes that must reach all CPUs -------------------------------------------------------- */

/*
 * Translations of the space are about to be removed or reduced: call it before the hal_space
 * function that does so, and before frames that they show are given back, so that these wait.
 *
 * Changes are numbered. Before a CPU enters user mode every change made so far must be in force,
 * whichever CPU made it (a call begun here may be finished, or its effect be seen, there). So each
 * CPU, with the lock held,
 *
 *     uint64_t until = kernel->frames.changes;
 *     while ((process = space_sync_begin(until, &change)) != NULL) {
 *         kernel_unlock();
 *         hal_space_sync(&process->space.hal);
 *         kernel_lock();
 *         space_sync_end(process, change);
 *     }
 *     frame_reclaim();
 *
 * Two CPUs may sync the same space at a time: neither can rely on what the other has not finished.
 */
void space_dirty(struct process *process);

/* A space with changes up to `until` that may not be in force, held; NULL: there is none. */
struct process *space_sync_begin(uint64_t until, uint64_t *change);
void space_sync_end(struct process *process, uint64_t change);
/* Are all changes up to this one in force? */
bool space_is_synced(uint64_t change);

/* ---- Pages (fault.c) ------------------------------------------------------------------------- */

/*
 * Makes the page of the address present for that access (enum ax_prot, one bit) and answers its
 * frame, not referenced: allocates zero pages, copies shared ones before a write; charges the
 * process. `force`: for debuggers, write to a private page whatever its protection.
 * Errors: ADDRESS (also for device registers: core never touches them), MEMORY, LIMIT, ABSENT (a
 * pager must bring it), RESTART (it is to be written, and that others share it now is not yet in
 * force). Does not map it unless it has to replace a translation.
 */
MUST_USE ax_result page_resolve(struct process *process, uint64_t address, uint32_t access,
                                bool force, struct frame **frame);

/*
 * A user-mode page fault: resolves and maps the page, with pages made ahead where memory is used in
 * order, and present neighbours in one aligned window of FAULT_WINDOW pages. 0, or an error: as
 * above, with *fault UNMAPPED, PROTECTION or BEYOND for ADDRESS and MEMORY for MEMORY and LIMIT;
 * with RESTART it is to be met again.
 */
MUST_USE ax_result page_fault(struct process *process, uint64_t address, uint32_t access,
                              uint32_t *fault);
#define FAULT_WINDOW 16

/*
 * Makes the pages from *next to the end present for that access, and maps them, up to WORK_PORTION
 * (RESTART: more are left) or to the first that fails: *next. Errors: as page_resolve, but for
 * registers, which are mapped.
 */
MUST_USE ax_result space_populate(struct process *process, uint64_t *next, uint64_t end,
                                  uint32_t access);

/* ---- Copies (user_copy.c) -------------------------------------------------------------------- */

/*
 * Copies between two processes' memory, up to *portion pages. Answers the bytes copied, which are
 * fewer than size only when the portion was used up or a page failed after some were copied; an
 * error if the first byte failed: *side tells whether 0 the source or 1 the destination did.
 */
MUST_USE ax_result user_copy(struct process *to, uint64_t to_address, struct process *from,
                             uint64_t from_address, uint64_t size, bool force, unsigned *portion,
                             int *side);

/*
 * The same for a call of the thread that copies no more than that, between its own process and
 * another, into which it may write: goes on from its progress, and answers the call's result.
 * *is_others: an error is the other side's.
 */
MUST_USE ax_result user_copy_portion(struct thread *thread, uint64_t own_address,
                                     struct process *other, uint64_t address, uint64_t size,
                                     bool write, bool force, bool *is_others);
