/* SPDX-License-Identifier: MIT */
/* Pages: what is at an address, made present, copied before a write, mapped. */
#include <base/align.h>
#include <base/memory.h>

#include "account.h"
#include "kernel.h"
#include "memory.h"
#include "process.h"

/* One page of a region: where it is, and the frame it shows (NULL: none yet). */
struct page {
    struct region *region;
    uint64_t address;
    uint64_t index; /* in region->memory */
    struct frame *frame;
    bool is_own; /* the frame is the overlay's */
    bool is_new; /* there was none before page_make */
};

static void page_look(struct page *page, struct region *region, uint64_t address) {
    *page = (struct page){.region = region,
                          .address = align_down(address, AX_PAGE_SIZE),
                          .index = region->offset + (address - region->start) / AX_PAGE_SIZE};
    if (region->overlay != NULL)
        page->frame = memory_find(region->overlay, address / AX_PAGE_SIZE);
    page->is_own = page->frame != NULL;
    if (!page->is_own && region->memory != NULL)
        page->frame = memory_find(region->memory, page->index);
}

static bool page_is_beyond(const struct page *page) {
    const struct memory *memory = page->region->memory;
    return memory != NULL && page->index >= memory->page_count;
}

/* May the frame be written as it is? */
static bool page_is_writable(const struct page *page) {
    return !page->region->is_private || (page->is_own && frame_is_exclusive(page->frame));
}

static bool region_allows(const struct region *region, uint32_t access, bool force) {
    if (force)
        return access != AX_PROT_WRITE || region->is_private || (region->prot & AX_PROT_WRITE);
    return (region->prot & access) != 0;
}

/* The page's own frame takes the place of what it showed, which may be mapped. */
static ax_result page_copy(struct page *page, struct frame *fresh) {
    struct region *region = page->region;
    const struct frame *old = page->frame;
    if (old != NULL) {
        memcpy(frame_window(fresh), frame_window(old), AX_PAGE_SIZE);
        space_hide(region->process, page->address, 1);
    }
    if (!page->is_own)
        return region_insert(region, page->address, fresh);
    frame_unref(memory_replace(region->overlay, page->address / AX_PAGE_SIZE, fresh));
    return AX_OK;
}

/* Gives the page a frame that fits the access; takes memory. */
static ax_result page_make(struct page *page, bool write) {
    struct region *region = page->region;
    bool is_shared = !region->is_private;
    if (page->frame == NULL && region->memory != NULL && region->memory->pager != NULL)
        return AX_ERR_ABSENT;
    ASSERT(page->frame == NULL || (write && !is_shared));
    struct frame *fresh;
    TRY(frame_alloc(region->process->account, 0, &fresh));
    ax_result result =
        is_shared ? memory_insert(region->memory, page->index, fresh) : page_copy(page, fresh);
    if (result != AX_OK) {
        frame_unref(fresh);
        return result;
    }
    page->is_new = page->frame == NULL;
    page->frame = fresh;
    page->is_own = !is_shared;
    return AX_OK;
}

/* page_resolve, with all about the page. ADDRESS: *fault tells why. */
static ax_result page_find(struct process *process, uint64_t address, uint32_t access, bool force,
                           struct page *page, uint32_t *fault) {
    struct region *region = space_find(process, address);
    *fault = AX_FAULT_UNMAPPED;
    if (region == NULL)
        return AX_ERR_ADDRESS;
    *fault = AX_FAULT_PROTECTION;
    if (!region_allows(region, access, force))
        return AX_ERR_ADDRESS;
    page_look(page, region, address);
    *fault = AX_FAULT_BEYOND;
    if (page_is_beyond(page))
        return AX_ERR_ADDRESS;
    *fault = AX_FAULT_NONE;
    if (region->memory != NULL && region->memory->registers)
        return AX_OK;
    bool write = access == AX_PROT_WRITE;
    /* Who may still store into what is shared now would lose the store to a copy; who may still
     * read what was shared would see what is written, so that is copied (a lent page cannot be). */
    bool settled = !page->is_own || frame_is_settled(page->frame);
    if (write && !settled && !frame_is_exclusive(page->frame))
        return RESULT_RESTART;
    if (page->frame != NULL &&
        (!write || (page_is_writable(page) && (settled || page->frame->pins > 0))))
        return AX_OK;
    ax_result result = page_make(page, write);
    *fault = result == AX_OK ? AX_FAULT_NONE : AX_FAULT_MEMORY;
    return result;
}

ax_result page_resolve(struct process *process, uint64_t address, uint32_t access, bool force,
                       struct frame **frame) {
    struct page page;
    uint32_t fault;
    TRY(page_find(process, address, access, force, &page, &fault));
    *frame = page.frame;
    return page.frame != NULL ? AX_OK : AX_ERR_ADDRESS; /* NULL: device registers */
}

/* ---- Pages ahead ----------------------------------------------------------------------------- */

/* So much that nobody will miss a page that was made in vain. */
static bool memory_is_plenty(const struct account *account) {
    const struct frames *frames = &kernel->frames;
    return account->used_bytes < account->limit_bytes / 2 &&
           frames->free_count > frames->total_count / 4;
}

/*
 * A program that goes through fresh memory would fault at each of its pages. So after one that was
 * just made, as many absent ones are made as are present in a row before it: who uses few gets few
 * in vain. Only in the same leaf, so that nothing but frames is taken, and only of plenty; a
 * failure is no matter. Not in a private view of a memory object, for a page of its own would hide
 * what the object gets there later. Answers the end of what was made.
 */
static uint64_t pages_ahead(const struct page *made) {
    struct region *region = made->region;
    uint64_t before = made->address, after = before + AX_PAGE_SIZE;
    uint64_t slot = region->is_private ? made->address / AX_PAGE_SIZE : made->index;
    uint64_t leaf_end = after + (MEMORY_LEAF_PAGES - 1 - slot % MEMORY_LEAF_PAGES) * AX_PAGE_SIZE;
    uint64_t end = leaf_end < region_end(region) ? leaf_end : region_end(region);
    if (!made->is_new || (region->is_private && region->memory != NULL))
        return after;
    for (; before > region->start && after < end; after += AX_PAGE_SIZE) {
        struct page page;
        before -= AX_PAGE_SIZE;
        page_look(&page, region, before);
        if (page.frame == NULL)
            break;
        page_look(&page, region, after);
        if (page.frame != NULL || page_is_beyond(&page) ||
            !memory_is_plenty(region->process->account) || page_make(&page, false) != AX_OK)
            break;
    }
    return after;
}

/* ---- Mapping --------------------------------------------------------------------------------- */

/* A run of pages that one hal_space_map makes. */
struct run {
    uint64_t address;
    uint64_t physical;
    size_t page_count;
    uint32_t prot;
};

/* What a page of the region looks like to the machine; false: it is not present. */
static bool page_translate(const struct page *page, uint64_t *physical, uint32_t *prot) {
    const struct region *region = page->region;
    *prot = region->prot;
    if (page_is_beyond(page))
        return false;
    if (region->memory != NULL && region->memory->registers) {
        *physical = region->memory->physical + page->index * AX_PAGE_SIZE;
        *prot |= HAL_DEVICE;
        return true;
    }
    if (page->frame == NULL)
        return false;
    if (!page_is_writable(page))
        *prot &= ~(uint32_t)AX_PROT_WRITE;
    *physical = frame_physical(page->frame);
    return true;
}

/* Maps what is present of the region in [first, end), in runs. Errors: LIMIT, MEMORY (for tables).
 */
static ax_result region_show(struct region *region, uint64_t first, uint64_t end) {
    struct process *process = region->process;
    if (!process->space.created)
        return AX_OK;
    first = first > region->start ? first : region->start;
    end = end < region_end(region) ? end : region_end(region);
    struct run run = {0};
    for (uint64_t at = first; at < end; at += AX_PAGE_SIZE) {
        struct page page;
        uint64_t physical;
        uint32_t prot;
        page_look(&page, region, at);
        if (!page_translate(&page, &physical, &prot))
            continue;
        uint64_t run_bytes = run.page_count * AX_PAGE_SIZE;
        if (run.page_count > 0 && run.address + run_bytes == at &&
            run.physical + run_bytes == physical && run.prot == prot) {
            run.page_count++;
            continue;
        }
        TRY(space_show(process, run.address, run.physical, run.page_count, run.prot));
        run = (struct run){at, physical, 1, prot};
    }
    return space_show(process, run.address, run.physical, run.page_count, run.prot);
}

ax_result page_fault(struct process *process, uint64_t address, uint32_t access, uint32_t *fault) {
    struct page page;
    TRY(page_find(process, address, access, false, &page, fault));
    uint64_t first = align_down(address, FAULT_WINDOW * AX_PAGE_SIZE);
    uint64_t end = first + FAULT_WINDOW * AX_PAGE_SIZE, ahead = pages_ahead(&page);
    ax_result result = region_show(page.region, first, ahead > end ? ahead : end);
    if (result != AX_OK)
        result = region_show(page.region, page.address, page.address + AX_PAGE_SIZE);
    if (result != AX_OK)
        *fault = AX_FAULT_MEMORY;
    return result;
}

ax_result space_populate(struct process *process, uint64_t *next, uint64_t end, uint32_t access) {
    uint64_t first = *next;
    unsigned portion = WORK_PORTION;
    ax_result result = AX_OK;
    while (result == AX_OK && *next < end) {
        struct page page;
        uint32_t fault;
        result = portion_take(&portion) ? page_find(process, *next, access, false, &page, &fault)
                                        : RESULT_RESTART;
        if (result == AX_OK)
            *next += AX_PAGE_SIZE;
    }
    struct region *region = space_find(process, first);
    if (region == NULL)
        return result;
    ax_result shown = region_show(region, first, *next);
    return result == AX_OK ? shown : result;
}
