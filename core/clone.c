/* SPDX-License-Identifier: MIT */
/* Copy-on-write copies of address spaces. */
#include <base/memory.h>

#include "frame.h"
#include "memory.h"
#include "process.h"

/* The child's view of a parent's private page. A pinned frame is the parent's own to the end of the
 * loan, so the child gets a copy. */
static ax_result clone_frame(struct process *child, struct frame *frame, struct frame **copy) {
    if (frame->pins == 0 && frame->refs < UINT32_MAX) {
        frame_ref(frame);
        *copy = frame;
        return AX_OK;
    }
    TRY(frame_alloc(child->account, 0, copy));
    memcpy(frame_window(*copy), frame_window(frame), AX_PAGE_SIZE);
    return AX_OK;
}

static ax_result clone_page(struct region *copy, uint64_t address, struct frame *frame) {
    struct frame *own;
    TRY(clone_frame(copy->process, frame, &own));
    ax_result result = region_insert(copy, address, own);
    if (result != AX_OK)
        frame_unref(own);
    return result;
}

/*
 * Clones private pages from `first` on to the child's region, up to *portion; *end: how far it
 * came. The parent must fault when it writes what is shared now.
 */
static ax_result clone_pages(const struct region *region, struct region *copy, uint64_t first,
                             uint64_t *end, unsigned *portion) {
    *end = region_end(region);
    if (region->overlay == NULL)
        return AX_OK;
    uint64_t base = region->overlay_offset, limit = base + region_kept(region);
    uint64_t page = memory_next(region->overlay, base + (first - region->start) / AX_PAGE_SIZE);
    uint64_t start = region->start + (page - base) * AX_PAGE_SIZE, address = start;
    ax_result result = AX_OK;
    for (; page < limit && result == AX_OK; page = memory_next(region->overlay, page + 1)) {
        address = region->start + (page - base) * AX_PAGE_SIZE;
        if (!portion_take(portion))
            break;
        result = clone_page(copy, address, memory_find(region->overlay, page));
        if (result == AX_OK)
            address += AX_PAGE_SIZE;
    }
    if (page < limit || result != AX_OK)
        *end = address;
    if (address > start && (region->prot & AX_PROT_WRITE) != 0)
        space_reduce(region->process, start, (address - start) / AX_PAGE_SIZE, AX_PROT_READ);
    return result;
}

/*
 * Clones one region from *cursor on, as far as the portion and memory last. Between two portions
 * the parent can change its regions, so the child's have just what was cloned; the next part is
 * joined to them where it is alike.
 */
static ax_result clone_region(struct region *region, struct process *child, uint64_t *cursor,
                              unsigned *portion) {
    uint64_t first = *cursor > region->start ? *cursor : region->start;
    uint64_t end = region_end(region), before = (first - region->start) / AX_PAGE_SIZE;
    TRY(space_map(child, first, region->page_count - before, region->memory,
                  region->offset + before, region->prot, region->allowed, region->is_private,
                  NULL));
    region_join(space_find(child, first));
    struct region *copy = space_find(child, first);
    ax_result result = clone_pages(region, copy, first, &end, portion);
    copy->page_count = (end - copy->start) / AX_PAGE_SIZE;
    if (copy->page_count == 0)
        region_remove(copy);
    *cursor = end;
    return result;
}

ax_result space_clone(struct process *parent, struct process *child, uint64_t *cursor,
                      unsigned *portion) {
    struct region *region;
    while ((region = space_next(parent, *cursor)) != NULL) {
        if (!portion_take(portion))
            return 0;
        if (region->is_loan)
            *cursor = region_end(region);
        else
            TRY(clone_region(region, child, cursor, portion));
    }
    return 1;
}
