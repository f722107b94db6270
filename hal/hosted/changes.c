/* SPDX-License-Identifier: MIT */
/*
 * Brings a stub's mappings up to date: what changed in the tables becomes a list of mmap and munmap
 * calls, in runs as long as physical memory allows, that the stub's mapper executes.
 *
 * Pages that the guest may write are shared mappings of guest RAM. Others are private ones, which
 * show the same pages, and in which a debugger can plant a breakpoint that no other process sees.
 */
#include "machine.h"

#define HOST_MMAP   9
#define HOST_MUNMAP 11

#define HOST_PROT_READ  1
#define HOST_PROT_WRITE 2
#define HOST_PROT_EXEC  4

#define HOST_MAP_SHARED    0x1
#define HOST_MAP_PRIVATE   0x2
#define HOST_MAP_FIXED     0x10
#define HOST_MAP_ANONYMOUS 0x20
#define HOST_MAP_POPULATE  0x8000

/* Of long runs that are only read Linux makes the parts that are touched, many pages at a time. */
#define POPULATE_READ_BYTES (16 * AX_PAGE_SIZE)

/* Pages that become one host call. */
struct run {
    struct stub *stub;
    uint32_t count; /* orders so far */
    uint64_t first, end;
    uint64_t entry; /* of the first page; 0: nothing shall be there */
};

static struct stub_order order_unmap(uint64_t first, uint64_t end) {
    return (struct stub_order){.number = HOST_MUNMAP, .arguments = {first, end - first}};
}

static struct stub_order order_map(const struct run *run) {
    uint32_t prot = (uint32_t)(run->entry / ENTRY_PROT(1)) & AX_PROT_ALL;
    uint64_t physical = ENTRY_FRAME(run->entry);
    uint64_t host_prot = HOST_PROT_READ, flags = HOST_MAP_FIXED;
    if ((prot & AX_PROT_WRITE) != 0)
        host_prot |= HOST_PROT_WRITE;
    if ((prot & AX_PROT_EXECUTE) != 0)
        host_prot |= HOST_PROT_EXEC;
    flags |= (prot & AX_PROT_WRITE) != 0 ? HOST_MAP_SHARED : HOST_MAP_PRIVATE;
    if ((prot & AX_PROT_WRITE) != 0 || run->end - run->first <= POPULATE_READ_BYTES)
        flags |= HOST_MAP_POPULATE;
    struct stub_order order = {.number = HOST_MMAP,
                               .arguments = {run->first, run->end - run->first, host_prot, flags,
                                             STUB_FD_MEMORY, physical}};
    if (!machine_is_ram(physical, (run->end - run->first) / AX_PAGE_SIZE)) {
        /* There are no device registers here: it reads zero, and only this process sees a write. */
        order.arguments[3] = HOST_MAP_PRIVATE | HOST_MAP_FIXED | HOST_MAP_ANONYMOUS;
        order.arguments[4] = UINT64_MAX;
        order.arguments[5] = 0;
    }
    return order;
}

static void run_flush(struct run *run) {
    if (run->first == run->end)
        return;
    bool is_mapped = (run->entry / ENTRY_PROT(1) & AX_PROT_ALL) != 0;
    run->stub->orders->order[run->count++] =
        is_mapped ? order_map(run) : order_unmap(run->first, run->end);
    run->first = run->end;
}

static bool run_joins(const struct run *run, uint64_t address, uint64_t entry) {
    if (run->end != address || run->first == run->end)
        return false;
    return entry == 0 ? run->entry == 0 : entry == run->entry + (run->end - run->first);
}

/* False: the list is full. */
static bool change_one(void *context, uint64_t address, uint64_t *entry) {
    struct run *run = context;
    if ((*entry & ENTRY_STALE) == 0)
        return true;
    uint64_t fresh = *entry & ~ENTRY_STALE;
    if ((fresh & ENTRY_PRESENT) == 0)
        fresh = 0;
    if (!run_joins(run, address, fresh)) {
        run_flush(run);
        if (run->count == STUB_ORDER_MAX)
            return false;
        run->first = address;
        run->entry = fresh;
    }
    run->end = address + AX_PAGE_SIZE;
    *entry = fresh;
    return true;
}

/* One list of orders; how many there are. */
static uint32_t changes_collect(struct space *space) {
    struct run run = {.stub = space->stub};
    spin_lock(&space->lock);
    while (space->change_count > 0) {
        struct change *change = &space->changes[space->change_count - 1];
        change->first = space_walk(space, change->first, change->end, change_one, &run);
        if (change->first < change->end)
            break;
        space->change_count--;
    }
    if (space->change_count == 0)
        space->is_behind = false;
    run_flush(&run);
    spin_unlock(&space->lock);
    return run.count;
}

bool changes_gather(struct space *space, uint32_t most, uint32_t *count) {
    while ((*count = changes_collect(space)) > most) {
        if (!stub_execute(space->stub, *count, false, NULL))
            return false;
    }
    return stub_is_alive(space->stub);
}

bool changes_apply(struct space *space) {
    uint32_t count;
    return changes_gather(space, 0, &count);
}
