/* SPDX-License-Identifier: MIT */
/* Copy-on-write copies of address spaces. */
#include <base/memory.h>

#include "frame.h"
#include "memory.h"
#include "process.h"

/* Gives the child its view of a parent's private page. A pinned frame is the parent's own to the
 * end of the loan, so the child gets a copy. */
static ax_result clone_page(struct region *copy, uint64_t address, struct frame *frame) {
    struct frame *own = frame;
    if (frame->pins > 0 || frame->refs == UINT32_MAX) {
        TRY(frame_alloc(copy->process->account, 0, &own));
        memcpy(frame_window(own), frame_window(frame), AX_PAGE_SIZE);
    } else {
        frame_ref(frame);
    }
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
    uint64_t start = memory_next(region->overlay, first / AX_PAGE_SIZE), shared_end = start;
    uint64_t limit = region->start / AX_PAGE_SIZE + region_kept(region);
    ax_result result = AX_OK;
    for (uint64_t page = start; page < limit && result == AX_OK;
         page = memory_next(region->overlay, page + 1)) {
        uint64_t address = page * AX_PAGE_SIZE;
        result = portion_take(portion)
                     ? clone_page(copy, address, memory_find(region->overlay, page))
                     : RESULT_RESTART;
        if (result == AX_OK)
            shared_end = page + 1;
        else
            *end = address;
    }
    if (shared_end > start && (region->prot & AX_PROT_WRITE) != 0)
        space_reduce(region->process, start * AX_PAGE_SIZE, shared_end - start, AX_PROT_READ);
    return result;
}

/*
 * Clones one region from *cursor on, as far as the portion and memory last. Between two portions
 * the parent can change its regions, so the child's have just what was cloned; the next part is
 * joined to them where it is alike.
 */
static ax_result clone_region(struct region *region, struct process *child, uint64_t *cursor,
                              unsigned *portion) {
    struct region wanted = *region;
    wanted.process = child;
    wanted.overlay = NULL;
    wanted.start = *cursor > region->start ? *cursor : region->start;
    wanted.page_count = (region_end(region) - wanted.start) / AX_PAGE_SIZE;
    wanted.offset += region->page_count - wanted.page_count;
    TRY(space_map(&wanted));
    struct region *copy = space_find(child, wanted.start);
    ax_result result = clone_pages(region, copy, wanted.start, cursor, portion);
    copy->page_count = (*cursor - copy->start) / AX_PAGE_SIZE;
    if (copy->page_count == 0)
        region_remove(copy);
    return result;
}

ax_result space_clone(struct process *parent, struct process *child, uint64_t *cursor,
                      unsigned *portion) {
    struct region *region;
    while ((region = space_next(parent, *cursor)) != NULL) {
        if (!portion_take(portion))
            return RESULT_RESTART;
        if (region->reply != NULL)
            *cursor = region_end(region);
        else
            TRY(clone_region(region, child, cursor, portion));
    }
    return AX_OK;
}
