/* SPDX-License-Identifier: MIT */
/* The kernel calls that change and list address spaces. */
#include <base/align.h>
#include <base/memory.h>

#include "calls.h"
#include "memory.h"
#include "process.h"
#include "thread.h"

#define MAP_FLAGS (AX_MAP_PRIVATE | AX_MAP_FIXED | AX_MAP_REPLACE | AX_MAP_POPULATE)
/* Pages that one memory_list counts. */
#define LIST_PORTION (8 * WORK_PORTION)

/* Where programs may map: below the machine's part, and the personality. */
static bool range_is_mappable(uint64_t address, uint64_t page_count) {
    uint64_t end = address + page_count * AX_PAGE_SIZE;
    return (address >= AX_USER_START && end <= AX_PROGRAM_END) ||
           (address >= AX_PERSONALITY_START && end <= AX_PERSONALITY_END);
}

/* How many pages a range of bytes has. ARGUMENT: none, or it is not one of pages in user space. */
static ax_result range_decode(uint64_t address, uint64_t size_bytes, uint64_t *page_count) {
    size_t whole_bytes;
    if (!is_aligned(address, AX_PAGE_SIZE) || size_bytes == 0 ||
        !size_align_up(size_bytes, AX_PAGE_SIZE, &whole_bytes) || address > AX_USER_END ||
        whole_bytes > AX_USER_END - address)
        return AX_ERR_ARGUMENT;
    *page_count = whole_bytes / AX_PAGE_SIZE;
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
    struct region region; /* as it is to be; start 0: anywhere */
    uint32_t flags;
};

static ax_result mapping_decode_request(const struct ax_map_request *request,
                                        struct mapping *mapping) {
    struct region *region = &mapping->region;
    const uint32_t flags = mapping->flags = request->flags;
    bool is_fixed = (flags & AX_MAP_FIXED) != 0;
    if ((flags & ~(uint32_t)MAP_FLAGS) != 0 || ((flags & AX_MAP_REPLACE) != 0 && !is_fixed) ||
        !is_aligned(request->offset, AX_PAGE_SIZE))
        return AX_ERR_ARGUMENT;
    region->offset = request->offset / AX_PAGE_SIZE;
    region->is_private = (flags & AX_MAP_PRIVATE) != 0;
    TRY(prot_decode(request->prot, &region->prot));
    TRY(range_decode(0, request->size_bytes, &region->page_count));
    bool is_mappable = is_aligned(request->address, AX_PAGE_SIZE) &&
                       request->address < AX_USER_END &&
                       range_is_mappable(request->address, region->page_count);
    /* A wish that cannot be is no wish. */
    region->start = is_mappable ? request->address : 0;
    return is_fixed && !is_mappable ? AX_ERR_ARGUMENT : AX_OK;
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
                                       struct region *region) {
    struct object *object;
    uint32_t rights;
    TRY(handle_lookup_rights(thread->process, handle, AX_TYPE_MEMORY,
                             region->is_private ? AX_RIGHT_READ : 0, &object, &rights));
    region->memory = container_of(object, struct memory, object);
    region->allowed = region->is_private ? AX_PROT_ALL : rights_prot(rights);
    if ((region->prot & ~region->allowed) != 0)
        return AX_ERR_RIGHTS;
    /* Of registers there are no copies. */
    if (region->offset > MEMORY_PAGES_MAX ||
        region->page_count > MEMORY_PAGES_MAX - region->offset ||
        (region->memory->registers && region->is_private))
        return AX_ERR_ARGUMENT;
    return AX_OK;
}

static ax_result mapping_decode(struct thread *thread, const uint64_t arguments[5],
                                struct mapping *mapping) {
    struct ax_map_request request;
    struct region *region = &mapping->region;
    memcpy(&request, thread->page->buffer, sizeof(request));
    *mapping = (struct mapping){0};
    TRY(space_lookup(thread, arguments[0], &region->process));
    TRY(mapping_decode_request(&request, mapping));
    ax_handle memory = (ax_handle)arguments[1];
    if (memory != AX_HANDLE_NONE)
        return mapping_decode_memory(thread, memory, region);
    region->is_private = true;
    region->allowed = AX_PROT_ALL;
    region->offset = 0;
    return AX_OK;
}

/* Finds the place of a mapping that says not, or not bindingly, where it is to be. */
static ax_result mapping_place(struct thread *thread, struct region *region) {
    if (region->start != 0 && space_is_free(region->process, region->start, region->page_count))
        return AX_OK;
    return space_place(region->process, region->page_count, &thread->progress[0], &region->start);
}

/* Makes the region. Its memory is taken first, so that nothing is unmapped in vain. */
static ax_result mapping_make(const struct mapping *mapping) {
    const struct region *wanted = &mapping->region;
    struct process *process = wanted->process;
    struct region *region;
    TRY(region_reserve(process, &region));
    unsigned portion = WORK_PORTION;
    ax_result result = 1;
    if ((mapping->flags & AX_MAP_REPLACE) != 0)
        result = space_unmap(process, wanted->start, wanted->page_count, &portion);
    else if (!space_is_free(process, wanted->start, wanted->page_count))
        result = AX_ERR_EXISTS;
    if (result != 1) {
        region_unreserve(process, region);
        return result == 0 ? RESULT_RESTART : result;
    }
    *region = *wanted;
    region_link(region);
    region_join(region);
    return AX_OK;
}

/*
 * AX_MAP_POPULATE, from page progress[0] of the mapping at progress[1] on. As far as it comes: what
 * cannot be made now is made, or fails, when it is touched.
 */
static ax_result mapping_populate(struct thread *thread, const struct region *region) {
    uint64_t *page = &thread->progress[0], address = thread->progress[1];
    uint32_t access = (region->prot & AX_PROT_WRITE) != 0  ? AX_PROT_WRITE
                      : (region->prot & AX_PROT_READ) != 0 ? AX_PROT_READ
                                                           : AX_PROT_EXECUTE;
    unsigned portion = WORK_PORTION;
    ax_result result = AX_OK;
    for (; *page < region->page_count && result == AX_OK; ++*page) {
        if (!portion_take(&portion))
            return RESULT_RESTART;
        struct frame *frame;
        uint32_t fault;
        uint64_t at = address + *page * AX_PAGE_SIZE;
        /* Present first; the last of a window, or of all, then maps them together. */
        if (at / AX_PAGE_SIZE % FAULT_WINDOW == FAULT_WINDOW - 1 ||
            *page == region->page_count - 1 ||
            (region->memory != NULL && region->memory->registers))
            result = page_fault(region->process, at, access, &fault);
        else
            result = page_resolve(region->process, at, access, false, &frame, &fault);
    }
    return (ax_result)address;
}

ax_result sys_memory_map(struct thread *thread, const uint64_t arguments[5]) {
    struct mapping mapping;
    TRY(mapping_decode(thread, arguments, &mapping));
    if (thread->progress[1] == 0) {
        if ((mapping.flags & AX_MAP_FIXED) == 0)
            TRY(mapping_place(thread, &mapping.region));
        TRY(mapping_make(&mapping));
        if ((mapping.flags & AX_MAP_POPULATE) == 0)
            return (ax_result)mapping.region.start;
        thread->progress[0] = 0;
        thread->progress[1] = mapping.region.start;
    }
    return mapping_populate(thread, &mapping.region);
}

/* ---- The others ------------------------------------------------------------------------------ */

ax_result sys_memory_unmap(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    uint64_t page_count;
    TRY(space_lookup(thread, arguments[0], &process));
    TRY(range_decode(arguments[1], arguments[2], &page_count));
    unsigned portion = WORK_PORTION;
    ax_result result = space_unmap(process, arguments[1], page_count, &portion);
    return result == 0 ? RESULT_RESTART : result == 1 ? AX_OK : result;
}

/* Cuts the region that an address lies in, so that one begins there. */
static ax_result space_cut(struct process *process, uint64_t address) {
    struct region *region = space_find(process, address);
    if (region == NULL || region->start == address || region->is_loan)
        return AX_OK;
    return region_split(region, address);
}

/* A cut that made no difference is healed. */
static void space_uncut(struct process *process, uint64_t address) {
    struct region *region = space_find(process, address);
    if (region != NULL && region->start == address)
        region_join(region);
}

/* Gives a whole region its new access. What grows shows at the next fault. */
static void region_protect(struct region *region, uint32_t prot) {
    uint32_t kept = region->prot & prot;
    if (kept != region->prot)
        space_reduce(region->process, region->start, region->page_count, kept);
    region->prot = prot;
    region_join(region);
}

/* Protects from *address to the end; 1: all, 0: more is left. */
static ax_result space_protect(struct process *process, uint64_t *address, uint64_t end,
                               uint32_t prot, unsigned *portion) {
    while (*address < end) {
        struct region *region = space_find(process, *address);
        if (region == NULL)
            return AX_ERR_NOT_FOUND;
        if (region->is_loan || (prot & ~region->allowed) != 0)
            return AX_ERR_RIGHTS;
        if (!portion_take(portion))
            return 0;
        *address = region_end(region);
        region_protect(region, prot);
    }
    return 1;
}

ax_result sys_memory_protect(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    uint64_t page_count, first = arguments[1];
    uint32_t prot;
    TRY(space_lookup(thread, arguments[0], &process));
    TRY(range_decode(first, arguments[2], &page_count));
    TRY(prot_decode(arguments[3], &prot));
    uint64_t end = first + page_count * AX_PAGE_SIZE;
    uint64_t *next = &thread->progress[0];
    if (*next == 0)
        *next = first;
    unsigned portion = WORK_PORTION;
    /* What may fail for lack of memory comes first. */
    ax_result result = space_cut(process, *next);
    if (result == AX_OK)
        result = space_cut(process, end);
    if (result == AX_OK)
        result = space_protect(process, next, end, prot, &portion);
    if (result == 0)
        return RESULT_RESTART;
    space_uncut(process, first);
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
        if (!portion_take(portion))
            return false;
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
