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
    uint64_t offset;         /* page of `memory` at start */
    uint64_t overlay_offset; /* page of `overlay` at start */
    struct memory *memory;   /* holds a ref; NULL: anonymous */
    struct memory
        *overlay;          /* holds a ref, shared with regions split from the same; NULL: not yet */
    struct list in_memory; /* memory->regions */
    uint32_t prot;         /* enum ax_prot */
    uint32_t allowed;      /* most that memory_protect may give */
    bool is_private;
    bool is_loan;         /* made by loan_map: frames pinned, not cloned */
    struct list in_reply; /* loan maps: reply->maps */
};

struct space {
    struct tree regions;
    uint64_t region_count;
    struct hal_space hal;
    bool created;         /* hal_space_create was done */
    struct list dirty;    /* kernel's list of spaces to sync before this CPU enters user mode */
    uint64_t table_pages; /* frames of translation tables */
};

void space_init(struct process *process);
/* Removes up to *portion pages and regions; true when nothing is left but the HAL's tables. */
bool space_clear(struct process *process, unsigned *portion);
/* After space_clear: gives the tables back. No thread of it exists. */
void space_destroy(struct process *process);

struct region *space_find(struct process *process, uint64_t address);
/* The first region that ends after the address, or NULL. */
struct region *space_next(struct process *process, uint64_t address);

/*
 * A region; memory NULL: anonymous. `address` 0: at any free place below AX_PROGRAM_END. All
 * checked by the caller but EXISTS (taken) and LIMIT (no place, account). Answers the address in
 * *address.
 */
MUST_USE ax_result space_map(struct process *process, uint64_t *address, uint64_t page_count,
                             struct memory *memory, uint64_t offset, uint32_t prot,
                             uint32_t allowed, bool is_private, struct region **region);

/* Unmaps what is in the range, up to *portion pages; 1: all done, 0: more is left; MEMORY, LIMIT:
 * a split needed memory, nothing more was unmapped. */
MUST_USE ax_result space_unmap(struct process *process, uint64_t address, uint64_t page_count,
                               unsigned *portion);

/* Unmaps and frees one whole region now (loan maps, at most AX_LOAN_MAP_PAGES pages). */
void region_remove(struct region *region);

/*
 * Copies the parent's regions from *cursor (an address) on into the child, copy-on-write, up to
 * *portion pages; 1: done, 0: more; LIMIT, MEMORY. *page: progress within the region at *cursor.
 */
MUST_USE ax_result space_clone(struct process *parent, struct process *child, uint64_t *cursor,
                               uint64_t *page, unsigned *portion);

/* Translations of the space were removed or reduced: sync before the next entry to user mode. */
void space_dirty(struct process *process);

/* ---- Pages (fault.c) ------------------------------------------------------------------------- */

/*
 * Makes the page of the address present for that access (enum ax_prot, one bit) and answers its
 * frame, not referenced: allocates zero pages, copies shared ones before a write; charges the
 * process. `force`: for debuggers, write to a private page whatever its protection.
 * Errors: ADDRESS (*fault tells which: UNMAPPED, PROTECTION, BEYOND), MEMORY and LIMIT (fault
 * MEMORY), ABSENT (a pager must bring it). Does not map it unless it has to replace a translation.
 * Device registers: ADDRESS with PROTECTION (core never touches them).
 */
MUST_USE ax_result page_resolve(struct process *process, uint64_t address, uint32_t access,
                                bool force, struct frame **frame, uint32_t *fault);

/*
 * A user-mode page fault: resolves and maps the page, with present neighbours in one aligned window
 * of FAULT_WINDOW pages. 0, or an error as above.
 */
MUST_USE ax_result page_fault(struct process *process, uint64_t address, uint32_t access,
                              uint32_t *fault);
#define FAULT_WINDOW 16

/* ---- Copies (user_copy.c) -------------------------------------------------------------------- */

/* Copies between core and user memory, at most a page or two (whole structures). All or error;
 * resolves pages as page_resolve. Errors: ADDRESS, MEMORY, LIMIT, ABSENT. */
MUST_USE ax_result user_read(struct process *process, void *to, uint64_t address, size_t size);
MUST_USE ax_result user_write(struct process *process, uint64_t address, const void *from,
                              size_t size);

/*
 * Copies between two processes' memory, up to *portion pages. Answers the bytes copied, which are
 * fewer than size only when the portion was used up or a page failed after some were copied; an
 * error if the first byte failed: *side tells whether 0 the source or 1 the destination did.
 */
MUST_USE ax_result user_copy(struct process *to, uint64_t to_address, struct process *from,
                             uint64_t from_address, uint64_t size, bool force, unsigned *portion,
                             int *side);
