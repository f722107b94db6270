/* SPDX-License-Identifier: MIT */
/* The kernel calls that change and list address spaces. */
#include <base/align.h>
#include <base/memory.h>

#include "calls.h"
#include "handle.h"
#include "kernel.h"
#include "memory.h"
#include "process.h"
#include "space.h"
#include "thread.h"

#define MAP_FLAGS (AX_MAP_PRIVATE | AX_MAP_FIXED | AX_MAP_REPLACE | AX_MAP_POPULATE)
/* Pages that one memory_list counts. */
#define LIST_PORTION (8 * WORK_PORTION)

/* A range of whole pages. */
struct range {
    uint64_t address;
    uint64_t page_count;
};

/* Where programs may map: below the machine's part, and the personality. */
static bool range_is_mappable(const struct range *range) {
    uint64_t end = range->address + range->page_count * AX_PAGE_SIZE;
    return (range->address >= AX_USER_START && end <= AX_PROGRAM_END) ||
           (range->address >= AX_PERSONALITY_START && end <= AX_PERSONALITY_END);
}

static bool range_is_free(struct process *process, const struct range *range) {
    const struct region *next = space_next(process, range->address);
    return next == NULL || next->start >= range->address + range->page_count * AX_PAGE_SIZE;
}

/* The pages of a range of bytes. ARGUMENT: none, or not a range of pages in user space. */
static ax_result range_decode(uint64_t address, uint64_t size_bytes, struct range *range) {
    size_t whole_bytes;
    if (!is_aligned(address, AX_PAGE_SIZE) || size_bytes == 0 ||
        !size_align_up(size_bytes, AX_PAGE_SIZE, &whole_bytes) || address > AX_USER_END ||
        whole_bytes > AX_USER_END - address)
        return AX_ERR_ARGUMENT;
    *range = (struct range){address, whole_bytes / AX_PAGE_SIZE};
    return AX_OK;
}

/* Writing is reading as well; writing and executing exclude each other. */
static ax_result prot_decode(uint64_t prot, uint32_t *decoded) {
    if ((prot & ~(uint64_t)AX_PROT_ALL) != 0 ||
        ((prot & AX_PROT_WRITE) != 0 && (prot & AX_PROT_EXECUTE) != 0))
        return AX_ERR_ARGUMENT;
    *decoded = (uint32_t)prot;
    if ((prot & AX_PROT_WRITE) != 0)
        *decoded |= AX_PROT_READ;
    return AX_OK;
}

/* The process whose space is to be changed. */
static ax_result space_lookup(struct thread *thread, uint64_t handle, struct process **process) {
    ax_result result = process_lookup(thread, (ax_handle)handle, AX_RIGHT_SPACE, process);
    if (result == AX_OK && (*process)->state != PROCESS_OPEN)
        return AX_ERR_ENDED;
    return result;
}

/* ---- memory_map ------------------------------------------------------------------------------ */

struct mapping {
    struct process *process;
    struct memory *memory; /* NULL: anonymous */
    struct range range;    /* address 0: anywhere */
    uint64_t offset;       /* pages */
    uint32_t prot;
    uint32_t allowed;
    uint32_t flags;
};

static ax_result mapping_decode_request(const struct ax_map_request *request,
                                        struct mapping *mapping) {
    const uint32_t flags = request->flags;
    bool is_fixed = (flags & AX_MAP_FIXED) != 0;
    if ((flags & ~(uint32_t)MAP_FLAGS) != 0 || ((flags & AX_MAP_REPLACE) != 0 && !is_fixed) ||
        !is_aligned(request->offset, AX_PAGE_SIZE))
        return AX_ERR_ARGUMENT;
    mapping->flags = flags;
    mapping->offset = request->offset / AX_PAGE_SIZE;
    TRY(prot_decode(request->prot, &mapping->prot));
    /* A wish that cannot be is no wish. */
    TRY(range_decode(is_fixed ? request->address : 0, request->size_bytes, &mapping->range));
    if (is_fixed)
        return range_is_mappable(&mapping->range) ? AX_OK : AX_ERR_ARGUMENT;
    struct range wish = {request->address, mapping->range.page_count};
    if (is_aligned(wish.address, AX_PAGE_SIZE) && wish.address < AX_USER_END &&
        range_is_mappable(&wish))
        mapping->range = wish;
    return AX_OK;
}

/* Which accesses a handle's rights allow; the bits of enum ax_prot and ax_right differ. */
static uint32_t rights_prot(uint32_t rights) {
    uint32_t prot = AX_PROT_NONE;
    if ((rights & AX_RIGHT_READ) != 0) {
        prot |= AX_PROT_READ;
        prot |= (rights & AX_RIGHT_WRITE) != 0 ? (uint32_t)AX_PROT_WRITE : 0;
    }
    prot |= (rights & AX_RIGHT_EXECUTE) != 0 ? (uint32_t)AX_PROT_EXECUTE : 0;
    return prot;
}

/* The memory object, and what access the handle allows. */
static ax_result mapping_decode_memory(struct thread *thread, ax_handle handle,
                                       struct mapping *mapping) {
    struct object *object;
    uint32_t rights;
    bool is_private = (mapping->flags & AX_MAP_PRIVATE) != 0;
    TRY(handle_lookup_rights(thread->process, handle, AX_TYPE_MEMORY,
                             is_private ? AX_RIGHT_READ : 0, &object, &rights));
    mapping->memory = container_of(object, struct memory, object);
    mapping->allowed = is_private ? AX_PROT_ALL : rights_prot(rights);
    if ((mapping->prot & ~mapping->allowed) != 0)
        return AX_ERR_RIGHTS;
    uint64_t page_count = mapping->range.page_count;
    if (mapping->offset > MEMORY_PAGES_MAX || page_count > MEMORY_PAGES_MAX - mapping->offset)
        return AX_ERR_ARGUMENT;
    /* Of registers there are no copies. */
    if (mapping->memory->registers && is_private)
        return AX_ERR_ARGUMENT;
    return AX_OK;
}

static ax_result mapping_decode(struct thread *thread, const uint64_t arguments[5],
                                struct mapping *mapping) {
    struct ax_map_request request;
    memcpy(&request, thread->page->buffer, sizeof(request));
    *mapping = (struct mapping){0};
    TRY(space_lookup(thread, arguments[0], &mapping->process));
    TRY(mapping_decode_request(&request, mapping));
    ax_handle memory = (ax_handle)arguments[1];
    if (memory != AX_HANDLE_NONE)
        return mapping_decode_memory(thread, memory, mapping);
    mapping->flags |= AX_MAP_PRIVATE;
    mapping->allowed = AX_PROT_ALL;
    mapping->offset = 0;
    return AX_OK;
}

/* Finds the place of a mapping that says not, or not bindingly, where it is to be. */
static ax_result mapping_place(struct thread *thread, struct mapping *mapping) {
    struct range *range = &mapping->range;
    if (range->address != 0 && range_is_free(mapping->process, range))
        return AX_OK;
    return space_place(mapping->process, range->page_count, &thread->progress[0], &range->address);
}

/* Makes the range free: 1, or 0: not yet. */
static ax_result mapping_clear(const struct mapping *mapping) {
    if ((mapping->flags & AX_MAP_REPLACE) != 0) {
        unsigned portion = WORK_PORTION;
        return space_unmap(mapping->process, mapping->range.address, mapping->range.page_count,
                           &portion);
    }
    return range_is_free(mapping->process, &mapping->range) ? 1 : AX_ERR_EXISTS;
}

/* Makes the region. Its memory is taken first, so that nothing is unmapped in vain. */
static ax_result mapping_make(const struct mapping *mapping) {
    struct region *region;
    TRY(region_reserve(mapping->process, &region));
    ax_result result = mapping_clear(mapping);
    if (result != 1) {
        region_unreserve(mapping->process, region);
        return result == 0 ? RESULT_RESTART : result;
    }
    *region = (struct region){.process = mapping->process,
                              .start = mapping->range.address,
                              .page_count = mapping->range.page_count,
                              .offset = mapping->offset,
                              .memory = mapping->memory,
                              .prot = mapping->prot,
                              .allowed = mapping->allowed,
                              .is_private = (mapping->flags & AX_MAP_PRIVATE) != 0};
    region_link(region);
    region_join(region);
    return AX_OK;
}

/*
 * AX_MAP_POPULATE, from page progress[0] of the mapping at progress[1] on. As far as it comes: what
 * cannot be made now is made, or fails, when it is touched.
 */
static ax_result mapping_populate(struct thread *thread, const struct mapping *mapping) {
    uint64_t address = thread->progress[1];
    uint32_t access = (mapping->prot & AX_PROT_WRITE) != 0  ? AX_PROT_WRITE
                      : (mapping->prot & AX_PROT_READ) != 0 ? AX_PROT_READ
                                                            : AX_PROT_EXECUTE;
    struct process *process = mapping->process;
    for (unsigned portion = WORK_PORTION; thread->progress[0] < mapping->range.page_count;
         thread->progress[0]++) {
        if (portion-- == 0)
            return RESULT_RESTART;
        struct frame *frame;
        uint32_t fault;
        uint64_t at = address + thread->progress[0] * AX_PAGE_SIZE;
        /* Present first; the last of a window, or of all, then maps them together. */
        bool is_last = at / AX_PAGE_SIZE % FAULT_WINDOW == FAULT_WINDOW - 1 ||
                       thread->progress[0] == mapping->range.page_count - 1 ||
                       (mapping->memory != NULL && mapping->memory->registers);
        ax_result result = is_last ? page_fault(process, at, access, &fault)
                                   : page_resolve(process, at, access, false, &frame, &fault);
        if (result != AX_OK)
            break;
    }
    return (ax_result)address;
}

ax_result sys_memory_map(struct thread *thread, const uint64_t arguments[5]) {
    struct mapping mapping;
    ax_result result = mapping_decode(thread, arguments, &mapping);
    if (result != AX_OK)
        return result;
    if (thread->progress[1] != 0)
        return mapping_populate(thread, &mapping);
    if ((mapping.flags & AX_MAP_FIXED) == 0)
        TRY(mapping_place(thread, &mapping));
    TRY(mapping_make(&mapping));
    if ((mapping.flags & AX_MAP_POPULATE) == 0)
        return (ax_result)mapping.range.address;
    thread->progress[0] = 0;
    thread->progress[1] = mapping.range.address;
    return mapping_populate(thread, &mapping);
}

/* ---- The others ------------------------------------------------------------------------------ */

ax_result sys_memory_unmap(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    struct range range;
    TRY(space_lookup(thread, arguments[0], &process));
    TRY(range_decode(arguments[1], arguments[2], &range));
    unsigned portion = WORK_PORTION;
    ax_result result = space_unmap(process, range.address, range.page_count, &portion);
    if (result < 0)
        return result;
    return result == 1 ? AX_OK : RESULT_RESTART;
}

/* Cuts the region that an address lies in, so that one begins there. */
static ax_result space_cut(struct process *process, uint64_t address) {
    struct region *region = space_find(process, address);
    if (region == NULL || region->start == address || region->is_loan)
        return AX_OK;
    return region_split(region, address, NULL);
}

/* A cut that made no difference is healed. */
static void space_uncut(struct process *process, uint64_t address) {
    struct region *region = space_find(process, address);
    if (region != NULL && region->start == address)
        region_join(region);
}

/* Gives a whole region its new access. What grows shows at the next fault; so does what is left of
 * a large region, whose translations are not changed one by one. */
static void region_protect(struct region *region, uint32_t prot) {
    struct process *process = region->process;
    uint32_t kept = region->prot & prot;
    if (kept == AX_PROT_NONE || (kept != region->prot && region->page_count > HAL_RUN_PAGES)) {
        space_hide(process, region->start, region->page_count);
    } else if (kept != region->prot && process->space.created) {
        /* Never writable: W^X, and writing includes reading. */
        ASSERT((kept & AX_PROT_WRITE) == 0);
        space_dirty(process);
        hal_space_protect(&process->space.hal, region->start, region->page_count, kept);
    }
    region->prot = prot;
    region_join(region);
}

/* Protects from *done pages into the range on; 1: all, 0: more is left. */
static ax_result space_protect(struct process *process, const struct range *range, uint32_t prot,
                               uint64_t *done, unsigned *portion) {
    while (*done < range->page_count) {
        uint64_t address = range->address + *done * AX_PAGE_SIZE;
        struct region *region = space_find(process, address);
        if (region == NULL)
            return AX_ERR_NOT_FOUND;
        if (region->is_loan || (prot & ~region->allowed) != 0)
            return AX_ERR_RIGHTS;
        if (*portion == 0)
            return 0;
        --*portion;
        *done = (region_end(region) - range->address) / AX_PAGE_SIZE;
        region_protect(region, prot);
    }
    return 1;
}

ax_result sys_memory_protect(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    struct range range;
    uint32_t prot;
    TRY(space_lookup(thread, arguments[0], &process));
    TRY(range_decode(arguments[1], arguments[2], &range));
    TRY(prot_decode(arguments[3], &prot));
    uint64_t *done = &thread->progress[0];
    uint64_t end = range.address + range.page_count * AX_PAGE_SIZE;
    unsigned portion = WORK_PORTION;
    /* What may fail for lack of memory comes first. */
    ax_result result = space_cut(process, range.address + *done * AX_PAGE_SIZE);
    if (result == AX_OK)
        result = space_cut(process, end);
    if (result == AX_OK)
        result = space_protect(process, &range, prot, done, &portion);
    if (result == 0)
        return RESULT_RESTART;
    space_uncut(process, range.address);
    space_uncut(process, end);
    return result == 1 ? AX_OK : result;
}

/*
 * Private pages the region has of its own: counted from *page (of the region) on, as a part of a
 * larger region's were. False: not all yet.
 */
static bool region_count(const struct region *region, uint64_t *page, uint64_t *present,
                         unsigned *portion) {
    const struct memory *overlay = region->overlay;
    if (overlay == NULL)
        return true;
    if (overlay->object.refs == 1) {
        *present = overlay->present;
        return true;
    }
    uint64_t next;
    while ((next = memory_next(overlay, region->overlay_offset + *page) - region->overlay_offset) <
           region->page_count) {
        if (*portion == 0)
            return false;
        --*portion;
        ++*present;
        *page = next + 1;
    }
    return true;
}

static void region_describe(const struct region *region, uint64_t present,
                            struct ax_region_info *info) {
    *info = (struct ax_region_info){
        .address = region->start,
        .size_bytes = region->page_count * AX_PAGE_SIZE,
        .prot = region->prot,
        .flags = region->is_private ? AX_MAP_PRIVATE : 0,
        .present_pages = present,
    };
    if (region->memory != NULL) {
        info->memory = region->memory->object.id;
        info->offset = region->offset * AX_PAGE_SIZE;
    }
}

ax_result sys_memory_list(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    TRY(process_lookup(thread, (ax_handle)arguments[0], AX_RIGHT_INSPECT, &process));
    struct ax_region_info infos[AX_BUFFER_BYTES / sizeof(struct ax_region_info)];
    unsigned portion = LIST_PORTION;
    size_t count = 0;
    const struct region *region = space_next(process, arguments[1]);
    for (; region != NULL && count < sizeof(infos) / sizeof(infos[0]); count++) {
        /* Only the first may take more than a portion: the list can end before any other. */
        uint64_t page = count == 0 ? thread->progress[0] : 0;
        uint64_t present = count == 0 ? thread->progress[1] : 0;
        if (!region_count(region, &page, &present, &portion)) {
            thread->progress[0] = page;
            thread->progress[1] = present;
            break;
        }
        region_describe(region, present, &infos[count]);
        region = space_next(process, region_end(region));
    }
    if (count == 0 && region != NULL)
        return RESULT_RESTART;
    memcpy(thread->page->buffer, infos, count * sizeof(infos[0]));
    return (ax_result)count;
}
