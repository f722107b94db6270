/* SPDX-License-Identifier: MIT */
#include "space.h"

#include <hal/core.h>

#include "kernel.h"
#include "loan.h"
#include "memory.h"
#include "process.h"

/* Regions that one search for a free place passes. */
#define PLACE_PORTION (4 * WORK_PORTION)
/* Where the first search begins: below it programs place what is bound to an address. */
#define PLACE_START (UINT64_C(1) << 40)

static struct region *region_of(struct tree_node *node) {
    return node != NULL ? container_of(node, struct region, node) : NULL;
}

uint64_t region_end(const struct region *region) {
    return region->start + region->page_count * AX_PAGE_SIZE;
}

/* A region is before an address when it ends at or before it. */
static int region_compare(const void *key, const struct tree_node *node) {
    const struct region *region = container_of(node, struct region, node);
    uint64_t address = *(const uint64_t *)key;
    if (region_end(region) <= address)
        return 1;
    return region->start <= address ? 0 : -1;
}

struct region *space_find(struct process *process, uint64_t address) {
    return region_of(tree_find(&process->space.regions, &address, region_compare));
}

struct region *space_next(struct process *process, uint64_t address) {
    return region_of(tree_lower_bound(&process->space.regions, &address, region_compare));
}

bool space_is_free(struct process *process, uint64_t address, uint64_t page_count) {
    const struct region *next = space_next(process, address);
    return next == NULL || next->start >= address + page_count * AX_PAGE_SIZE;
}

void space_init(struct process *process) {
    struct space *space = &process->space;
    *space = (struct space){.place = PLACE_START, .table_error = AX_ERR_MEMORY};
    list_init(&space->dirty);
}

ax_result space_create(struct process *process) {
    struct space *space = &process->space;
    if (space->created)
        return AX_OK;
    space->table_error = AX_ERR_MEMORY;
    if (!hal_space_create(&space->hal))
        return space->table_error;
    ax_result result = space_show(process, AX_KERNEL_PAGE, kernel->physical_kernel_page, 1,
                                  HAL_READ | HAL_EXECUTE);
    unsigned budget = UINT32_MAX;
    space->created = result == AX_OK || !hal_space_destroy(&space->hal, &budget);
    ASSERT(space->created == (result == AX_OK)); /* it never had a thread */
    return result;
}

uint64_t core_table_alloc(struct hal_space *space) {
    struct process *process = container_of(space, struct process, space.hal);
    struct frame *frame;
    ax_result result = frame_alloc(process->account, 0, &frame);
    if (result != AX_OK) {
        process->space.table_error = result;
        return 0;
    }
    process->space.table_pages++;
    return frame_physical(frame);
}

void core_table_free(struct hal_space *space, uint64_t physical) {
    struct process *process = container_of(space, struct process, space.hal);
    ASSERT(process->space.table_pages > 0);
    process->space.table_pages--;
    frame_unref(frame_at(physical));
}

/* ---- Regions --------------------------------------------------------------------------------- */

/* A filled-in region, known not to overlap any other, gets its place in the space. */
static void region_link(struct region *region) {
    struct space *space = &region->process->space;
    struct memory *memory = region->memory;
    tree_node_init(&region->node);
    tree_insert(&space->regions, &region->node, &region->start, region_compare);
    space->region_count++;
    list_init(&region->in_memory);
    list_init(&region->in_reply);
    if (memory != NULL) {
        object_ref(&memory->object);
        list_prepend(&memory->regions, &region->in_memory);
        memory->region_count++;
        /* It may be a part of one that a cut has yet to come to. */
        memory->untrimmed += memory->untrimmed > 0;
    }
    if (region->overlay != NULL)
        object_ref(&region->overlay->object);
    if (region->reply != NULL) {
        list_append(&region->reply->maps, &region->in_reply);
        region->reply->map_count++;
    }
}

/* What is free again is looked at first, so that a process that maps and unmaps for ever needs no
 * more tables than its pages once spread over. */
static void space_vacate(struct space *space, uint64_t address) {
    if (address >= PLACE_START && address < space->place)
        space->place = address;
}

static void region_free(struct region *region) {
    struct process *process = region->process;
    tree_remove(&process->space.regions, &region->node);
    process->space.region_count--;
    if (region->memory != NULL) {
        list_remove(&region->in_memory);
        region->memory->region_count--;
        object_unref(&region->memory->object);
    }
    if (region->overlay != NULL)
        object_unref(&region->overlay->object);
    heap_free(process->account, region, sizeof(*region));
}

ax_result space_cut(struct process *process, uint64_t address) {
    struct region *region = space_find(process, address), *made;
    if (region == NULL || region->start == address || region->reply != NULL)
        return AX_OK;
    TRY(heap_alloc(process->account, sizeof(*made), &made));
    *made = *region;
    made->start = address;
    region->page_count = (address - region->start) / AX_PAGE_SIZE;
    made->page_count -= region->page_count;
    made->offset += region->page_count;
    region_link(made);
    return AX_OK;
}

/* Nobody else has pages in its overlay. */
static bool region_owns_overlay(const struct region *region) {
    return region->overlay == NULL || region->overlay->object.refs == 1;
}

/* Could b be the continuation of a? An overlay holds pages only where a region shows them, so one
 * that nobody shares has nothing beyond its region. While an object is being cut, those of its
 * regions that the cut has come to stay apart from those that it has not. */
static bool region_is_alike(const struct region *a, const struct region *b) {
    if (region_end(a) != b->start || a->memory != b->memory || a->prot != b->prot ||
        a->allowed != b->allowed || a->is_private != b->is_private || a->reply != NULL ||
        b->reply != NULL)
        return false;
    if (a->memory != NULL && (a->offset + a->page_count != b->offset || a->memory->untrimmed > 0))
        return false;
    return a->overlay == b->overlay || (b->overlay == NULL && region_owns_overlay(a));
}

void space_join(struct process *process, uint64_t address) {
    struct region *region = space_find(process, address);
    struct region *before = region != NULL ? region_of(tree_previous(&region->node)) : NULL;
    if (before == NULL || !region_is_alike(before, region))
        return;
    before->page_count += region->page_count;
    region_free(region);
}

void region_remove(struct region *region) {
    space_vacate(&region->process->space, region->start);
    space_hide(region->process, region->start, region->page_count);
    if (region->reply != NULL) {
        ASSERT(region->reply->map_count > 0);
        region->reply->map_count--;
        list_remove(&region->in_reply);
        loan_unpin(region->memory);
    }
    region_free(region);
}

ax_result region_insert(struct region *region, uint64_t address, struct frame *frame) {
    bool is_first = region->overlay == NULL;
    if (is_first)
        TRY(memory_make(region->process->account, MEMORY_PAGES_MAX, &region->overlay));
    ax_result result = memory_insert(region->overlay, address / AX_PAGE_SIZE, frame);
    if (result != AX_OK && is_first) {
        object_discard(&region->overlay->object, sizeof(*region->overlay));
        region->overlay = NULL;
    }
    return result;
}

/* Takes private pages out of [first, end) of the region, up to *portion; true: all. */
static bool region_drop(struct region *region, uint64_t first, uint64_t end, unsigned *portion) {
    uint64_t page_count = (end - first) / AX_PAGE_SIZE;
    space_hide(region->process, first, page_count);
    return region->overlay == NULL ||
           memory_drop(region->overlay, first / AX_PAGE_SIZE, page_count, portion);
}

uint64_t region_kept(const struct region *region) {
    const struct memory *memory = region->memory;
    if (memory == NULL || memory->page_count >= region->offset + region->page_count)
        return region->page_count;
    return memory->page_count > region->offset ? memory->page_count - region->offset : 0;
}

bool region_trim(struct region *region, unsigned *portion) {
    uint64_t kept = region_kept(region);
    if (kept == region->page_count)
        return true;
    uint64_t first = region->start + kept * AX_PAGE_SIZE;
    return region_drop(region, first, region_end(region), portion);
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

ax_result space_place(struct process *process, uint64_t page_count, uint64_t *looked,
                      uint64_t *address) {
    uint64_t size_bytes = page_count * AX_PAGE_SIZE, *place = &process->space.place;
    unsigned portion = PLACE_PORTION;
    while (*looked <= AX_PROGRAM_END - AX_USER_START) {
        if (!portion_take(&portion))
            return RESULT_RESTART;
        uint64_t next = AX_PROGRAM_END;
        if (size_bytes <= AX_PROGRAM_END - *place) {
            *address = *place;
            if (space_is_free(process, *place, page_count))
                return AX_OK;
            next = region_end(space_next(process, *place));
        }
        *looked += next - *place;
        *place = next < AX_PROGRAM_END ? next : AX_USER_START;
    }
    return AX_ERR_LIMIT;
}

/* Unmaps what the region has in [first, end). */
static ax_result region_cut(struct region *region, uint64_t first, uint64_t end,
                            unsigned *portion) {
    first = first > region->start ? first : region->start;
    end = end < region_end(region) ? end : region_end(region);
    uint64_t count = (end - first) / AX_PAGE_SIZE;
    if (region->reply != NULL || (count == region->page_count && region_owns_overlay(region))) {
        region_remove(region);
        return AX_OK;
    }
    if (first > region->start)
        TRY(space_cut(region->process, end));
    if (!region_drop(region, first, end, portion))
        return RESULT_RESTART;
    space_vacate(&region->process->space, first);
    if (first == region->start) {
        region->start = end;
        region->offset += count;
    }
    region->page_count -= count;
    if (region->page_count == 0)
        region_free(region);
    return AX_OK;
}

ax_result space_unmap(struct process *process, uint64_t *next, uint64_t end, unsigned *portion) {
    struct region *region;
    while ((region = space_next(process, *next)) != NULL && region->start < end) {
        uint64_t after = region_end(region);
        if (!portion_take(portion))
            return RESULT_RESTART;
        TRY(region_cut(region, *next, end, portion));
        *next = after < end ? after : end;
    }
    *next = end;
    return AX_OK;
}

ax_result space_replace(const struct region *wanted, uint64_t *next) {
    struct process *process = wanted->process;
    ASSERT(wanted->page_count > 0 && (wanted->memory != NULL || wanted->is_private));
    struct region part = *wanted;
    part.start = *next;
    part.offset += (*next - wanted->start) / AX_PAGE_SIZE;
    struct region *made = *next > wanted->start ? space_find(process, *next - 1) : NULL;
    bool grows = made != NULL && region_is_alike(made, &part);
    /* Its memory is taken first, so that nothing is unmapped in vain. */
    if (!grows)
        TRY(heap_alloc(process->account, sizeof(*made), &made));
    unsigned portion = WORK_PORTION;
    ax_result result = space_unmap(process, next, region_end(wanted), &portion);
    part.page_count = (*next - part.start) / AX_PAGE_SIZE;
    if (grows) {
        made->page_count += part.page_count;
    } else if (part.page_count > 0) {
        *made = part;
        region_link(made);
    } else {
        heap_free(process->account, made, sizeof(*made));
    }
    if (result != AX_OK)
        return result;
    space_join(process, region_end(wanted));
    space_join(process, wanted->start);
    return AX_OK;
}

ax_result space_map(const struct region *wanted) {
    uint64_t next = wanted->start;
    if (!space_is_free(wanted->process, wanted->start, wanted->page_count))
        return AX_ERR_EXISTS;
    return space_replace(wanted, &next);
}

bool space_clear(struct process *process, unsigned *portion) {
    struct region *region;
    while ((region = space_next(process, 0)) != NULL) {
        if (!portion_take(portion))
            return false;
        region_remove(region);
    }
    return true;
}

/* ---- Thread pages ---------------------------------------------------------------------------- */

struct frame *space_take_page(struct process *process, uint32_t *slot) {
    struct frame *frame = process->space.pages;
    if (frame == NULL)
        return NULL;
    process->space.pages = frame->next;
    *slot = frame->pins;
    frame->pins = 0;
    return frame;
}

void space_keep_page(struct process *process, struct frame *frame, uint32_t slot) {
    frame->pins = (uint16_t)slot;
    frame->next = process->space.pages;
    process->space.pages = frame;
}

/* Up to *portion; true: all. */
static bool pages_free(struct process *process, unsigned *portion) {
    uint32_t slot;
    while (process->space.pages != NULL) {
        if (!portion_take(portion))
            return false;
        struct frame *frame = space_take_page(process, &slot);
        space_hide(process, AX_THREAD_PAGES + slot * AX_PAGE_SIZE, 1);
        frame_unref(frame);
    }
    return true;
}

/* ---- Changes --------------------------------------------------------------------------------- */

ax_result space_show(struct process *process, uint64_t address, uint64_t physical,
                     size_t page_count, uint32_t prot) {
    struct space *space = &process->space;
    space->table_error = AX_ERR_MEMORY;
    bool is_shown =
        page_count == 0 || hal_space_map(&space->hal, address, physical, page_count, prot);
    return is_shown ? AX_OK : space->table_error;
}

void space_hide(struct process *process, uint64_t address, uint64_t page_count) {
    if (!process->space.created)
        return;
    space_dirty(process);
    hal_space_unmap(&process->space.hal, address, page_count);
}

void space_reduce(struct process *process, uint64_t address, uint64_t page_count, uint32_t prot) {
    ASSERT((prot & AX_PROT_WRITE) == 0); /* it could show pages that are to be copied first */
    if (prot == AX_PROT_NONE || page_count > HAL_RUN_PAGES) {
        space_hide(process, address, page_count);
    } else if (process->space.created) {
        space_dirty(process);
        hal_space_protect(&process->space.hal, address, page_count, prot);
    }
}

void space_dirty(struct process *process) {
    struct space *space = &process->space;
    struct frames *frames = &kernel->frames;
    /* A process that is being freed has no thread: no CPU uses its translations. */
    if (!space->created || process->object.refs == 0)
        return;
    space->changed = ++frames->changes;
    if (list_is_linked(&space->dirty))
        return;
    object_ref(&process->object);
    space->synced = space->changed - 1;
    list_append(&frames->dirty, &space->dirty);
}

struct process *space_sync_begin(uint64_t until, uint64_t *change) {
    struct space *space;
    list_for_each (space, &kernel->frames.dirty, dirty) {
        if (space->synced < until) {
            struct process *process = container_of(space, struct process, space);
            object_ref(&process->object);
            space->syncing++;
            *change = kernel->frames.changes;
            return process;
        }
    }
    return NULL;
}

void space_sync_end(struct process *process, uint64_t change) {
    struct space *space = &process->space;
    ASSERT(space->syncing > 0);
    space->syncing--;
    if (space->synced < change)
        space->synced = change;
    if (space->synced >= space->changed && list_is_linked(&space->dirty)) {
        list_remove(&space->dirty);
        object_unref(&process->object);
    }
    object_unref(&process->object);
}

bool space_is_synced(uint64_t change) {
    const struct space *space;
    list_for_each (space, &kernel->frames.dirty, dirty) {
        if (space->synced < change)
            return false;
    }
    return true;
}

bool space_destroy(struct process *process, unsigned *portion) {
    struct space *space = &process->space;
    ASSERT(tree_is_empty(&space->regions));
    if (!space->created)
        return true;
    if (!pages_free(process, portion) || list_is_linked(&space->dirty) || space->syncing > 0)
        return false; /* what was removed may still be seen, and its frames wait for that */
    space->created = !hal_space_destroy(&space->hal, portion);
    return !space->created;
}
