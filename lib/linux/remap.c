/* SPDX-License-Identifier: MIT */
/* madvise and mremap, which go by what is mapped where. Both hold the lock of memory. */
#include <base/align.h>
#include <sys/ax.h>

#include "access.h"
#include "regions.h"

/* Leaves of a region what lies between the address, which is in it, and the end of a range. */
static void region_cut(struct ax_region_info *region, uint64_t address, uint64_t end) {
    uint64_t region_end = region->address + region->size_bytes;
    region->size_bytes = (region_end < end ? region_end : end) - address;
    region->address = address;
}

/* The region at the address, cut to end with the range. False: nothing is mapped there. */
static bool region_at(uint64_t address, uint64_t end, struct ax_region_info *region) {
    if (ax_memory_list(AX_HANDLE_NONE, address, region, 1) != 1 || region->address > address)
        return false;
    region_cut(region, address, end);
    return true;
}

static bool is_anonymous(const struct ax_region_info *region) {
    return region->memory == 0 && (region->flags & AX_MAP_PRIVATE) != 0;
}

/* ---- madvise --------------------------------------------------------------------------------- */

/* Private pages become zeroes again; shared ones keep what they have, as the object is there for
 * others. Of a private mapping of an object it would be that object's content: EINVAL. */
static int64_t region_forget(const struct ax_region_info *region) {
    struct ax_map_request request = {.address = region->address,
                                     .size_bytes = region->size_bytes,
                                     .prot = region->prot,
                                     .flags = AX_MAP_FIXED | AX_MAP_REPLACE};
    if ((region->flags & AX_MAP_PRIVATE) == 0)
        return 0;
    if (!is_anonymous(region))
        return -L_EINVAL;
    if (region->present_pages == 0)
        return 0;
    return error_or_zero(ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request));
}

/* Touches each page as the program would. */
static int64_t region_populate(const struct ax_region_info *region, bool writes) {
    for (uint64_t at = region->address; at < region->address + region->size_bytes;
         at += AX_PAGE_SIZE) {
        uint32_t word;
        int64_t error = user_get(&word, at);
        if (error == 0 && writes)
            error = user_exchange(at, word, word, &word);
        if (error != 0)
            return error;
    }
    return 0;
}

static int64_t region_advise(const struct ax_region_info *region, int32_t advice) {
    switch (advice) {
    case L_MADV_DONTNEED: return region_forget(region);
    case L_MADV_FREE: return is_anonymous(region) ? region_forget(region) : -L_EINVAL;
    case L_MADV_POPULATE_READ: return region_populate(region, false);
    case L_MADV_POPULATE_WRITE: return region_populate(region, true);
    default: return 0; /* no more than a hint */
    }
}

static bool advice_is_known(int32_t advice) {
    switch (advice) {
    case L_MADV_NORMAL:
    case L_MADV_RANDOM:
    case L_MADV_SEQUENTIAL:
    case L_MADV_WILLNEED:
    case L_MADV_DONTNEED:
    case L_MADV_FREE:
    case L_MADV_HUGEPAGE:
    case L_MADV_NOHUGEPAGE:
    case L_MADV_DONTDUMP:
    case L_MADV_DODUMP:
    case L_MADV_COLD:
    case L_MADV_PAGEOUT:
    case L_MADV_POPULATE_READ:
    case L_MADV_POPULATE_WRITE: return true;
    default: return false;
    }
}

/* Regions that are asked for at a time: a thread's stack, which its end gives back, is two. */
#define ADVISE_REGIONS 4

/* Advises on the regions of [at, end) that come next; where the last of them ends. */
static uint64_t regions_advise(uint64_t at, uint64_t end, int32_t advice, bool *has_gap,
                               int64_t *error) {
    struct ax_region_info regions[ADVISE_REGIONS];
    ax_result count = ax_memory_list(AX_HANDLE_NONE, at, regions, ADVISE_REGIONS);
    if (count <= 0 || regions[0].address >= end) {
        *has_gap = true;
        return end;
    }
    for (ax_result i = 0; i < count && regions[i].address < end && *error == 0; i++) {
        struct ax_region_info *region = &regions[i];
        *has_gap |= region->address > at;
        region_cut(region, region->address > at ? region->address : at, end);
        *error = region_advise(region, advice);
        at = region->address + region->size_bytes;
    }
    return at;
}

/* What is not mapped is passed over, and told of at the end, as Linux does. */
int64_t linux_madvise(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    int32_t advice = (int32_t)a[2];
    uint64_t size_bytes, at = a[0];
    int64_t error = 0;
    bool has_gap = false;
    if (!advice_is_known(advice) || !range_decode(task, a[0], a[1], &size_bytes))
        return -L_EINVAL;
    uint64_t end = a[0] + size_bytes;
    lock_take(&task->memory_lock);
    while (at < end && error == 0)
        at = regions_advise(at, end, advice, &has_gap, &error);
    lock_give(&task->memory_lock);
    return error == 0 && has_gap ? -L_ENOMEM : error;
}

/* ---- What else goes by regions -----------------------------------------------------------------
 */

/* Is all of the range mapped? Memory never goes elsewhere, so that what is there is locked, and
 * nothing of it needs to be written back. */
static int64_t range_check(const struct task *task, uint64_t address, uint64_t size_bytes) {
    uint64_t whole_bytes, end;
    struct ax_region_info region;
    if (!range_decode(task, address, size_bytes, &whole_bytes))
        return -L_ENOMEM;
    end = address + whole_bytes;
    for (uint64_t at = address; at < end; at += region.size_bytes) {
        if (!region_at(at, end, &region))
            return -L_ENOMEM;
    }
    return 0;
}

/* What is not there yet comes now. */
int64_t linux_mlock(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t first = align_down(a[0], AX_PAGE_SIZE), size_bytes = a[1] + (a[0] - first);
    struct ax_region_info region;
    if (size_bytes < a[1])
        return -L_EINVAL;
    lock_take(&task->memory_lock);
    int64_t error = range_check(task, first, size_bytes);
    for (uint64_t at = first; error == 0 && at < first + size_bytes; at += region.size_bytes) {
        if (!region_at(at, first + size_bytes, &region))
            break;
        error = region_populate(&region, (region.prot & AX_PROT_WRITE) != 0);
    }
    lock_give(&task->memory_lock);
    return error != 0 ? -L_ENOMEM : 0;
}

int64_t linux_munlock(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t first = align_down(a[0], AX_PAGE_SIZE), size_bytes = a[1] + (a[0] - first);
    if (size_bytes < a[1])
        return -L_EINVAL;
    lock_take(&task->memory_lock);
    int64_t error = range_check(task, first, size_bytes);
    lock_give(&task->memory_lock);
    return error;
}

int64_t linux_msync(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t flags = (uint32_t)a[2], both = L_MS_ASYNC | L_MS_SYNC;
    if ((flags & ~(both | L_MS_INVALIDATE)) != 0 || (flags & both) == both ||
        !is_aligned(a[0], AX_PAGE_SIZE))
        return -L_EINVAL;
    lock_take(&task->memory_lock);
    int64_t error = range_check(task, a[0], a[1]);
    lock_give(&task->memory_lock);
    return error;
}

/* ---- mremap ---------------------------------------------------------------------------------- */

/* Grows it where it is; false: what is behind is taken, or there is no memory. */
static bool region_grow(const struct ax_region_info *region, uint64_t old_end, uint64_t more) {
    struct ax_map_request request = {
        .address = old_end, .size_bytes = more, .prot = region->prot, .flags = AX_MAP_FIXED};
    return ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request) >= 0;
}

/* The content of pages that may not be readable as they are. */
static int64_t pages_copy(uint64_t to, const struct ax_region_info *from, uint64_t size_bytes) {
    bool hides = (from->prot & AX_PROT_READ) == 0;
    if (from->present_pages == 0)
        return 0;
    if (hides &&
        ax_memory_protect(AX_HANDLE_NONE, from->address, size_bytes, AX_PROT_READ) != AX_OK)
        return -L_ENOMEM;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the program's numbers are addresses */
    int64_t error = user_write(to, (const void *)from->address, size_bytes);
    if (hides)
        (void)!ax_memory_protect(AX_HANDLE_NONE, from->address, size_bytes, from->prot);
    return error != 0 ? -L_ENOMEM : 0;
}

/* Moves its first `kept` bytes to a new mapping of new_bytes. */
static int64_t region_move(const struct ax_region_info *region, uint64_t kept, uint64_t new_bytes,
                           uint64_t wish, uint32_t flags) {
    struct ax_map_request request = {.address = wish,
                                     .size_bytes = new_bytes,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = flags};
    ax_result place = ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
    if (place < 0)
        return error_of(place);
    uint64_t to = (uint64_t)place;
    int64_t error = pages_copy(to, region, kept);
    if (error == 0 && region->prot != request.prot)
        error = error_or_zero(ax_memory_protect(AX_HANDLE_NONE, to, new_bytes, region->prot));
    if (error != 0) {
        (void)ax_memory_unmap(AX_HANDLE_NONE, to, new_bytes);
        return error;
    }
    return (int64_t)to;
}

struct remap {
    uint64_t old, old_bytes, new_bytes, flags, wish;
};

static int64_t remap_check(const struct task *task, const uint64_t a[6], struct remap *remap) {
    *remap = (struct remap){.old = a[0], .flags = a[3], .wish = a[4]};
    if ((remap->flags & ~(uint64_t)(L_MREMAP_MAYMOVE | L_MREMAP_FIXED)) != 0 ||
        ((remap->flags & L_MREMAP_FIXED) != 0 && (remap->flags & L_MREMAP_MAYMOVE) == 0) ||
        a[1] == 0 || a[2] == 0)
        return -L_EINVAL;
    if (!is_aligned(a[0], AX_PAGE_SIZE))
        return -L_EINVAL;
    if (!range_decode(task, a[0], a[1], &remap->old_bytes))
        return -L_EFAULT;
    if (!range_decode(NULL, 0, a[2], &remap->new_bytes))
        return -L_ENOMEM;
    if ((remap->flags & L_MREMAP_FIXED) == 0)
        return 0;
    uint64_t whole;
    if (!range_decode(task, remap->wish, remap->new_bytes, &whole) ||
        (remap->wish < remap->old + remap->old_bytes &&
         remap->old < remap->wish + remap->new_bytes))
        return -L_EINVAL;
    return 0;
}

static int64_t remap_do(const struct remap *remap) {
    struct ax_region_info region;
    uint64_t old_end = remap->old + remap->old_bytes;
    bool is_fixed = (remap->flags & L_MREMAP_FIXED) != 0;
    uint64_t kept = remap->old_bytes < remap->new_bytes ? remap->old_bytes : remap->new_bytes;
    if (!region_at(remap->old, old_end, &region))
        return -L_EFAULT;
    if (!is_fixed && remap->new_bytes <= remap->old_bytes) {
        if (remap->new_bytes < remap->old_bytes)
            return ax_memory_unmap(AX_HANDLE_NONE, remap->old + remap->new_bytes,
                                   remap->old_bytes - remap->new_bytes) < 0
                       ? -L_ENOMEM
                       : (int64_t)remap->old;
        return (int64_t)remap->old;
    }
    if (region.size_bytes < remap->old_bytes)
        return -L_EFAULT; /* several mappings */
    if (!is_anonymous(&region))
        return -L_EINVAL; /* what is mapped there cannot be mapped anew without its handle */
    if (!is_fixed && region_grow(&region, old_end, remap->new_bytes - remap->old_bytes))
        return (int64_t)remap->old;
    if ((remap->flags & L_MREMAP_MAYMOVE) == 0)
        return -L_ENOMEM;
    int64_t moved = region_move(&region, kept, remap->new_bytes, remap->wish,
                                is_fixed ? AX_MAP_FIXED | AX_MAP_REPLACE : 0);
    if (moved > 0)
        (void)ax_memory_unmap(AX_HANDLE_NONE, remap->old, remap->old_bytes);
    return moved;
}

int64_t linux_mremap(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    struct remap remap;
    int64_t error = remap_check(task, a, &remap);
    if (error != 0)
        return error;
    lock_take(&task->memory_lock);
    int64_t result = remap_do(&remap);
    lock_give(&task->memory_lock);
    return result;
}
