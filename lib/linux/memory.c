/* SPDX-License-Identifier: MIT */
/* The program's address space: brk, mmap and what belongs to it. */
#include <base/align.h>
#include <sys/ax.h>

#include "access.h"
#include "regions.h"

/* ---- Protections and ranges ------------------------------------------------------------------ */

/* What can be executed can be read, as on processors of this kind. EACCES: writing and executing
 * at once, which no program gets here. */
static int64_t prot_decode(uint64_t prot, uint32_t *decoded) {
    if ((prot & ~(uint64_t)L_PROT_KNOWN) != 0)
        return -L_EINVAL;
    *decoded = (uint32_t)prot & AX_PROT_ALL;
    if ((prot & (L_PROT_WRITE | L_PROT_EXEC)) != 0)
        *decoded |= AX_PROT_READ;
    return (prot & L_PROT_WRITE) != 0 && (prot & L_PROT_EXEC) != 0 ? -L_EACCES : 0;
}

_Static_assert((int)L_PROT_READ == (int)AX_PROT_READ && (int)L_PROT_WRITE == (int)AX_PROT_WRITE &&
                   (int)L_PROT_EXEC == (int)AX_PROT_EXECUTE,
               "the same bits");

bool range_decode(const struct task *task, uint64_t address, uint64_t size_bytes,
                  uint64_t *whole_bytes) {
    return is_aligned(address, AX_PAGE_SIZE) &&
           size_align_up(size_bytes, AX_PAGE_SIZE, whole_bytes) && address <= AX_PROGRAM_END &&
           *whole_bytes <= AX_PROGRAM_END - address &&
           (task == NULL || !patch_owns(task, address, *whole_bytes));
}

/* ---- brk ------------------------------------------------------------------------------------- */

/* So much of what is new is made at once, as programs use it soon. */
#define BREAK_AHEAD_BYTES (4 * AX_PAGE_SIZE)

static bool break_map(uint64_t from, uint64_t to, uint32_t flags) {
    struct ax_map_request request = {.address = from,
                                     .size_bytes = to - from,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_FIXED | flags};
    return to == from || ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request) >= 0;
}

/* Maps or unmaps the pages between the old break and the new one. */
static bool break_move(uint64_t old, uint64_t wanted) {
    uint64_t from = align_up(old, AX_PAGE_SIZE), to = align_up(wanted, AX_PAGE_SIZE);
    if (to <= from)
        return to == from || ax_memory_unmap(AX_HANDLE_NONE, to, from - to) >= 0;
    uint64_t ahead = to - from < BREAK_AHEAD_BYTES ? to : from + BREAK_AHEAD_BYTES;
    if (!break_map(ahead, to, 0))
        return false;
    if (break_map(from, ahead, AX_MAP_POPULATE))
        return true;
    if (ahead < to)
        (void)ax_memory_unmap(AX_HANDLE_NONE, ahead, to - ahead);
    return false;
}

int64_t linux_brk(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t wanted = a[0];
    lock_take(&task->memory_lock);
    if (wanted >= task->start->break_start && wanted < AX_PROGRAM_END - AX_PAGE_SIZE &&
        break_move(task->break_now, wanted))
        task->break_now = wanted;
    uint64_t now = task->break_now;
    lock_give(&task->memory_lock);
    return (int64_t)now;
}

/* ---- mmap ------------------------------------------------------------------------------------ */

/* An address for MAP_32BIT: the first gap from 1 GiB to 2 GiB; 0: there is none. */
#define LOW_START UINT64_C(0x40000000)
#define LOW_END   UINT64_C(0x80000000)

static uint64_t low_place(uint64_t size_bytes) {
    struct ax_region_info region;
    uint64_t at = LOW_START;
    while (size_bytes <= LOW_END - at) {
        ax_result count = ax_memory_list(AX_HANDLE_NONE, at, &region, 1);
        if (count < 0)
            return 0;
        if (count == 0 || region.address >= at + size_bytes)
            return at;
        at = region.address + region.size_bytes;
        if (at >= LOW_END)
            return 0;
    }
    return 0;
}

/* What the flags mean to the kernel. */
static int64_t flags_decode(const uint64_t a[6], struct ax_map_request *request) {
    uint64_t flags = a[3];
    bool is_fixed = (flags & (L_MAP_FIXED | L_MAP_FIXED_NOREPLACE)) != 0;
    if (is_fixed && (request->address < AX_USER_START || request->address >= AX_PROGRAM_END))
        return request->address < AX_USER_START ? -L_EPERM : -L_ENOMEM;
    if (is_fixed)
        request->flags |= AX_MAP_FIXED;
    if ((flags & L_MAP_FIXED) != 0 && (flags & L_MAP_FIXED_NOREPLACE) == 0)
        request->flags |= AX_MAP_REPLACE;
    if ((flags & L_MAP_POPULATE) != 0)
        request->flags |= AX_MAP_POPULATE;
    if ((flags & L_MAP_HUGETLB) != 0)
        return -L_ENOMEM; /* as where no huge pages are set aside */
    if (!is_fixed && (flags & L_MAP_32BIT) != 0) {
        request->address = low_place(request->size_bytes);
        request->flags |= AX_MAP_FIXED;
        if (request->address == 0)
            return -L_ENOMEM;
    }
    return 0;
}

static int64_t map_private(const struct ax_map_request *request) {
    ax_result result = ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, request);
    return result < 0 ? error_of(result) : result;
}

/* Shared with nobody yet: the mapping alone holds the object. */
static int64_t map_shared(const struct ax_map_request *request) {
    ax_result memory = ax_memory_create(request->size_bytes / AX_PAGE_SIZE, 0, AX_PLACE_ANY);
    if (memory < 0)
        return error_of(memory);
    ax_result result = ax_memory_map(AX_HANDLE_NONE, (ax_handle)memory, request);
    (void)ax_handle_close((ax_handle)memory);
    return result < 0 ? error_of(result) : result;
}

int64_t linux_mmap(struct thread *thread, const uint64_t a[6]) {
    struct ax_map_request request = {.address = a[0]};
    uint64_t type = a[3] & L_MAP_TYPE;
    if (a[1] == 0 || !is_aligned(a[5], AX_PAGE_SIZE))
        return -L_EINVAL;
    if (!range_decode(NULL, 0, a[1], &request.size_bytes))
        return -L_ENOMEM;
    if ((a[3] & (L_MAP_FIXED | L_MAP_FIXED_NOREPLACE)) == 0)
        request.address = align_down(request.address, AX_PAGE_SIZE);
    else if (!is_aligned(request.address, AX_PAGE_SIZE))
        return -L_EINVAL;
    else if (!range_decode(thread->task, request.address, a[1], &request.size_bytes))
        return -L_ENOMEM;
    if (type != L_MAP_PRIVATE && type != L_MAP_SHARED)
        return -L_EINVAL;
    int64_t error = prot_decode(a[2], &request.prot);
    if (error == 0)
        error = flags_decode(a, &request);
    if (error != 0)
        return error;
    if ((a[3] & L_MAP_ANONYMOUS) == 0) {
        /* No file that can be open here can be mapped. */
        return descriptor_file(&thread->task->files, (int32_t)a[4]) != NULL ? -L_ENODEV : -L_EBADF;
    }
    /* What takes the place of something else must not do so while others work on that. */
    bool replaces = (request.flags & AX_MAP_REPLACE) != 0;
    if (replaces)
        lock_take(&thread->task->memory_lock);
    int64_t result = type == L_MAP_PRIVATE ? map_private(&request) : map_shared(&request);
    if (replaces)
        lock_give(&thread->task->memory_lock);
    return result;
}

int64_t linux_munmap(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t size_bytes;
    if (a[1] == 0 || !range_decode(task, a[0], a[1], &size_bytes))
        return -L_EINVAL;
    lock_take(&task->memory_lock);
    ax_result result = ax_memory_unmap(AX_HANDLE_NONE, a[0], size_bytes);
    lock_give(&task->memory_lock);
    return error_or_zero(result);
}

int64_t linux_mprotect(struct thread *thread, const uint64_t a[6]) {
    struct task *task = thread->task;
    uint64_t size_bytes;
    uint32_t prot;
    if (!is_aligned(a[0], AX_PAGE_SIZE))
        return -L_EINVAL;
    if (!range_decode(task, a[0], a[1], &size_bytes))
        return -L_ENOMEM;
    int64_t error = prot_decode(a[2], &prot);
    if (error != 0 || size_bytes == 0)
        return error;
    lock_take(&task->memory_lock);
    ax_result result = ax_memory_protect(AX_HANDLE_NONE, a[0], size_bytes, prot);
    lock_give(&task->memory_lock);
    return result == AX_ERR_NOT_FOUND ? -L_ENOMEM : error_or_zero(result);
}
