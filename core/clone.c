/* SPDX-License-Identifier: MIT */
/* Copy-on-write copies of address spaces. */
#include <base/memory.h>

#include "frame.h"
#include "kernel.h"
#include "memory.h"
#include "process.h"
#include "space.h"

/* The child's region that ends where `first` begins and came from the same, or NULL. */
static struct region *clone_previous(struct process *child, const struct region *region,
                                     uint64_t first) {
    if (first == region->start)
        return NULL;
    struct region *previous = space_find(child, first - AX_PAGE_SIZE);
    if (previous == NULL || previous->memory != region->memory || previous->prot != region->prot ||
        previous->allowed != region->allowed || previous->is_private != region->is_private)
        return NULL;
    uint64_t count = (first - previous->start) / AX_PAGE_SIZE;
    uint64_t offset = region->offset + (first - region->start) / AX_PAGE_SIZE;
    return region->memory == NULL || previous->offset + count == offset ? previous : NULL;
}

/*
 * The child's region for the parent's from `first` on: the parent's may be cloned in several
 * portions, between which it can change, so the child's has always just what was cloned.
 */
static ax_result clone_extend(struct process *child, const struct region *region, uint64_t first,
                              struct region **copy) {
    uint64_t page_count = (region_end(region) - first) / AX_PAGE_SIZE;
    *copy = clone_previous(child, region, first);
    if (*copy == NULL) {
        uint64_t offset = region->offset + (first - region->start) / AX_PAGE_SIZE;
        return space_map(child, first, page_count, region->memory, offset, region->prot,
                         region->allowed, region->is_private, copy);
    }
    (*copy)->page_count += page_count;
    return AX_OK;
}

/* The child's view of a parent's private page. A pinned frame is the parent's own to the end of the
 * loan, so the child gets a copy. */
static ax_result clone_frame(struct process *child, struct frame *frame, struct frame **copy) {
    if (frame->pins == 0) {
        frame_ref(frame);
        *copy = frame;
        return AX_OK;
    }
    ax_result result = frame_alloc(child->account, 0, copy);
    if (result == AX_OK)
        memcpy(frame_window(*copy), frame_window(frame), AX_PAGE_SIZE);
    return result;
}

static ax_result clone_page(struct region *copy, uint64_t address, struct frame *frame) {
    struct process *child = copy->process;
    if (copy->overlay == NULL) {
        TRY(memory_make(child->account, MEMORY_PAGES_MAX, &copy->overlay));
    }
    struct frame *own;
    TRY(clone_frame(child, frame, &own));
    uint64_t page = (address - copy->start) / AX_PAGE_SIZE;
    ax_result result = memory_insert(copy->overlay, copy->overlay_offset + page, own);
    if (result != AX_OK)
        frame_unref(own);
    return result;
}

/* Clones private pages from `first` on to the child's region, up to *portion; *end, the region's
 * end at first, is where it stopped before that. */
static ax_result clone_pages(const struct region *region, struct region *copy, uint64_t first,
                             uint64_t *end, unsigned *portion) {
    if (region->overlay == NULL)
        return AX_OK;
    uint64_t base = region->overlay_offset;
    uint64_t page = base + (first - region->start) / AX_PAGE_SIZE;
    uint64_t limit = base + region_kept(region);
    for (; (page = memory_next(region->overlay, page)) < limit; page++) {
        uint64_t address = region->start + (page - base) * AX_PAGE_SIZE;
        ax_result result = AX_OK;
        if (*portion > 0)
            result = clone_page(copy, address, memory_find(region->overlay, page));
        if (*portion == 0 || result != AX_OK) {
            *end = address;
            return result;
        }
        --*portion;
    }
    return AX_OK;
}

/* The parent must fault when it writes what is shared now. */
static void clone_protect(struct region *region, uint64_t first, uint64_t end) {
    struct process *parent = region->process;
    if (!region->is_private || (region->prot & AX_PROT_WRITE) == 0 || !parent->space.created)
        return;
    space_dirty(parent);
    hal_space_protect(&parent->space.hal, first, (end - first) / AX_PAGE_SIZE, AX_PROT_READ);
}

/* Clones one region from *cursor on, as far as the portion and memory last. */
static ax_result clone_region(struct region *region, struct process *child, uint64_t *cursor,
                              unsigned *portion) {
    uint64_t first = *cursor > region->start ? *cursor : region->start;
    uint64_t end = region_end(region);
    *cursor = end;
    if (region->is_loan)
        return AX_OK;
    struct region *copy;
    ax_result result = clone_extend(child, region, first, &copy);
    if (result == AX_OK) {
        result = clone_pages(region, copy, first, &end, portion);
        copy->page_count = (end - copy->start) / AX_PAGE_SIZE;
        if (copy->page_count == 0)
            region_remove(copy);
        if (end > first)
            clone_protect(region, first, end);
    } else {
        end = first;
    }
    *cursor = end;
    return result;
}

ax_result space_clone(struct process *parent, struct process *child, uint64_t *cursor,
                      unsigned *portion) {
    struct region *region;
    while ((region = space_next(parent, *cursor)) != NULL) {
        if (*portion == 0)
            return 0;
        --*portion;
        TRY(clone_region(region, child, cursor, portion));
    }
    return 1;
}
