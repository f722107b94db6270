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
    TRY(process_lookup(thread, (ax_handle)handle, AX_RIGHT_SPACE, process));
    return (*process)->state == PROCESS_OPEN ? AX_OK : AX_ERR_ENDED;
}

/* How far a call came, from an address on: others may have changed what is behind. */
static uint64_t *progress_from(uint64_t *progress, uint64_t address) {
    if (*progress == 0)
        *progress = address;
    return progress;
}

/* ---- memory_map ------------------------------------------------------------------------------ */

/* What the request tells of the region. */
static ax_result mapping_decode(const struct ax_map_request *request, struct region *region) {
    bool is_fixed = (request->flags & AX_MAP_FIXED) != 0;
    if ((request->flags & ~(uint32_t)MAP_FLAGS) != 0 ||
        ((request->flags & AX_MAP_REPLACE) != 0 && !is_fixed) ||
        !is_aligned(request->offset, AX_PAGE_SIZE))
        return AX_ERR_ARGUMENT;
    TRY(prot_decode(request->prot, &region->prot));
    TRY(range_decode(0, request->size_bytes, &region->page_count));
    bool is_mappable = is_aligned(request->address, AX_PAGE_SIZE) &&
                       request->address < AX_USER_END &&
                       range_is_mappable(request->address, region->page_count);
    /* A wish that cannot be is no wish. */
    region->start = is_mappable ? request->address : 0;
    return is_fixed && !is_mappable ? AX_ERR_ARGUMENT : AX_OK;
}

_Static_assert(AX_RIGHT_READ == 16 * AX_PROT_READ && AX_RIGHT_WRITE == 16 * AX_PROT_WRITE &&
                   AX_RIGHT_EXECUTE == 16 * AX_PROT_EXECUTE,
               "rights allow accesses bit by bit");

/* The memory object, and what access the handle allows. */
static ax_result mapping_decode_memory(struct thread *thread, ax_handle handle, uint64_t offset,
                                       struct region *region) {
    struct object *object;
    uint32_t rights;
    TRY(handle_lookup_rights(thread->process, handle, AX_TYPE_MEMORY,
                             region->is_private ? AX_RIGHT_READ : 0, &object, &rights));
    region->memory = container_of(object, struct memory, object);
    region->offset = offset / AX_PAGE_SIZE;
    if (!region->is_private)
        region->allowed = rights / 16 & AX_PROT_ALL;
    if ((region->prot & ~region->allowed) != 0)
        return AX_ERR_RIGHTS;
    /* Of registers there are no copies. */
    if (region->offset > MEMORY_PAGES_MAX ||
        region->page_count > MEMORY_PAGES_MAX - region->offset ||
        (region->memory->registers && region->is_private))
        return AX_ERR_ARGUMENT;
    return AX_OK;
}

ax_result sys_memory_map(struct thread *thread, const uint64_t arguments[5]) {
    struct ax_map_request request;
    memcpy(&request, thread->page->buffer, sizeof(request));
    struct region wanted = {.allowed = AX_PROT_ALL};
    TRY(space_lookup(thread, arguments[0], &wanted.process));
    ax_handle memory = (ax_handle)arguments[1];
    wanted.is_private = memory == AX_HANDLE_NONE || (request.flags & AX_MAP_PRIVATE) != 0;
    TRY(mapping_decode(&request, &wanted));
    if (memory != AX_HANDLE_NONE)
        TRY(mapping_decode_memory(thread, memory, request.offset, &wanted));
    /* Once it is made: where it is, and how far it is populated. */
    uint64_t *start = &thread->progress[1], *next = &thread->progress[0];
    if (*start == 0) {
        bool is_free =
            wanted.start != 0 && space_is_free(wanted.process, wanted.start, wanted.page_count);
        if ((request.flags & AX_MAP_FIXED) == 0 && !is_free)
            TRY(space_place(wanted.process, wanted.page_count, next, &wanted.start));
        if ((request.flags & AX_MAP_REPLACE) == 0)
            TRY(space_map(&wanted));
        else
            TRY(space_replace(&wanted, progress_from(next, wanted.start)));
        *start = *next = wanted.start;
    }
    /* As far as it comes: what cannot be made now is made, or fails, when it is touched. */
    ax_result result = AX_OK;
    if ((request.flags & AX_MAP_POPULATE) != 0)
        result = space_populate(wanted.process, next, *start + wanted.page_count * AX_PAGE_SIZE,
                                (wanted.prot & AX_PROT_WRITE) != 0 ? AX_PROT_WRITE : wanted.prot);
    return result == RESULT_RESTART ? result : (ax_result)*start;
}

/* ---- The others ------------------------------------------------------------------------------ */

ax_result sys_memory_unmap(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    uint64_t page_count;
    TRY(space_lookup(thread, arguments[0], &process));
    TRY(range_decode(arguments[1], arguments[2], &page_count));
    uint64_t *next = progress_from(&thread->progress[0], arguments[1]);
    unsigned portion = WORK_PORTION;
    return space_unmap(process, next, arguments[1] + page_count * AX_PAGE_SIZE, &portion);
}

/* Protects from *next to the end. What grows shows at the next fault. */
static ax_result space_protect(struct process *process, uint64_t *next, uint64_t end,
                               uint32_t prot) {
    unsigned portion = WORK_PORTION;
    while (*next < end) {
        struct region *region = space_find(process, *next);
        if (region == NULL)
            return AX_ERR_NOT_FOUND;
        if (region->reply != NULL || (prot & ~region->allowed) != 0)
            return AX_ERR_RIGHTS;
        if (!portion_take(&portion))
            return RESULT_RESTART;
        uint32_t kept = region->prot & prot;
        if (kept != region->prot)
            space_reduce(process, region->start, region->page_count, kept);
        region->prot = prot;
        *next = region_end(region);
        space_join(process, region->start);
    }
    return AX_OK;
}

ax_result sys_memory_protect(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    uint64_t page_count;
    uint32_t prot;
    TRY(space_lookup(thread, arguments[0], &process));
    TRY(range_decode(arguments[1], arguments[2], &page_count));
    TRY(prot_decode(arguments[3], &prot));
    uint64_t end = arguments[1] + page_count * AX_PAGE_SIZE;
    uint64_t *next = progress_from(&thread->progress[0], arguments[1]);
    /* What may fail for lack of memory comes first. */
    ax_result result = space_cut(process, *next);
    if (result == AX_OK)
        result = space_cut(process, end);
    if (result == AX_OK)
        result = space_protect(process, next, end, prot);
    if (result == RESULT_RESTART)
        return result;
    /* A cut that made no difference is healed. */
    space_join(process, *next);
    space_join(process, end);
    return result;
}

/* Counts the pages that a private region has of its own, from page *page on (0: its first). False:
 * not all yet. */
static bool region_count(const struct region *region, uint64_t *page, uint64_t *present,
                         unsigned *portion) {
    const struct memory *overlay = region->overlay;
    if (overlay == NULL)
        return true;
    if (overlay->object.refs == 1) {
        *present = overlay->present;
        return true;
    }
    if (*page == 0)
        *page = region->start / AX_PAGE_SIZE;
    while ((*page = memory_next(overlay, *page)) < region_end(region) / AX_PAGE_SIZE) {
        if (!portion_take(portion))
            return false;
        ++*present;
        ++*page;
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
