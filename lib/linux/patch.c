/* SPDX-License-Identifier: MIT */
#include "patch.h"

#include <base/align.h>
#include <base/hash.h>
#include <base/memory.h>
#include <sys/ax.h>

#include "access.h"
#include "task.h"

/* A patch costs as much as so many traps. */
#define TRAPS_BEFORE_PATCH 32
/* What a counter is set to when its site was looked at: nothing more is done for it. */
#define TRAPS_AFTER_LOOK 1000

/* How far below the site the page may lie: a jump reaches 2 GiB. */
#define REACH_BYTES (UINT64_C(0x80000000) - UINT64_C(0x100000))

/* Regions that are asked for at a time. */
#define PLACE_REGIONS 8

/* Slots that are written at a time. */
#define FILL_SLOTS 32

_Static_assert(PATCH_SLOTS % FILL_SLOTS == 0, "no part is less");
_Static_assert(PATCH_SLOTS *PATCH_SLOT_BYTES <= AX_PAGE_SIZE, "they fit into the page");

/* ---- The page of trampolines ----------------------------------------------------------------- */

static uint64_t slot_address(const struct patches *patches, unsigned slot) {
    return patches->page + slot * PATCH_SLOT_BYTES;
}

static bool slot_is_load(unsigned slot) {
    return slot <= PATCH_LOAD_SLOTS;
}

/* The instruction that the jump stands for, mov $slot,%ecx, jmp *header(%rip). What the program has
 * in ecx and the flags is of no interest to it: syscall overwrites ecx, and no flag is changed. */
static void slot_encode(unsigned slot, uint8_t code[PATCH_SLOT_BYTES]) {
    static const uint8_t load[] = {0x4c, 0x8b, 0x4c, 0x24, 0x08};    /* mov 8(%rsp),%r9 */
    static const uint8_t nothing[] = {0x0f, 0x1f, 0x44, 0x00, 0x00}; /* the personality does it */
    uint32_t index = slot, back = -(uint32_t)((slot + 1) * PATCH_SLOT_BYTES);
    memcpy(code, slot_is_load(slot) ? load : nothing, 5);
    code[5] = 0xb9;
    memcpy(code + 6, &index, sizeof(index));
    code[10] = 0xff;
    code[11] = 0x25;
    memcpy(code + 12, &back, sizeof(back));
}

/* As a debugger writes to text: through the kernel, which needs no mapping for it. */
static bool text_write(uint64_t address, const void *bytes, size_t size_bytes) {
    return ax_process_write(AX_HANDLE_NONE, address, bytes, size_bytes) == (ax_result)size_bytes;
}

/* In parts: the stack has not room for all of it. */
static bool page_fill(uint64_t page) {
    uint8_t code[FILL_SLOTS][PATCH_SLOT_BYTES] = {0};
    uint64_t entry = (uintptr_t)patched_entry;
    memcpy(code[0], &entry, sizeof(entry));
    for (unsigned first = 0; first < PATCH_SLOTS; first += FILL_SLOTS) {
        for (unsigned i = first == 0 ? 1 : 0; i < FILL_SLOTS; i++)
            slot_encode(first + i, code[i]);
        if (!text_write(page + first * PATCH_SLOT_BYTES, code, sizeof(code)))
            return false;
    }
    return true;
}

/* The page below the mappings that the site is among: below the program, as a rule, where neither
 * its break nor what it maps comes to. 0: nothing is free in reach. */
static uint64_t page_place(uint64_t site) {
    uint64_t end = site > AX_USER_START + REACH_BYTES ? site - REACH_BYTES : AX_USER_START;
    uint64_t place = 0;
    struct ax_region_info regions[PLACE_REGIONS];
    ax_result count;
    end = align_up(end, AX_PAGE_SIZE);
    do {
        count = ax_memory_list(AX_HANDLE_NONE, end, regions, PLACE_REGIONS);
        for (ax_result i = 0; i < count && regions[i].address <= site; i++) {
            if (regions[i].address >= end + AX_PAGE_SIZE)
                place = regions[i].address - AX_PAGE_SIZE;
            end = regions[i].address + regions[i].size_bytes;
        }
    } while (count == PLACE_REGIONS && regions[count - 1].address <= site);
    return place;
}

static bool page_make(struct patches *patches, uint64_t site) {
    struct ax_map_request request = {.address = page_place(site),
                                     .size_bytes = AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_EXECUTE,
                                     .flags = AX_MAP_FIXED};
    if (patches->page != 0)
        return true;
    if (request.address == 0 || ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request) < 0)
        return false;
    if (page_fill(request.address)) {
        patches->page = request.address;
        return true;
    }
    (void)ax_memory_unmap(AX_HANDLE_NONE, request.address, AX_PAGE_SIZE);
    return false;
}

/* ---- Patching -------------------------------------------------------------------------------- */

/* The slot that a site has or can have; 0: all of its kind are taken. */
static unsigned slot_find(const struct patches *patches, const struct site *site) {
    unsigned first = site->kind == SITE_LOAD ? 1 : PATCH_LOAD_SLOTS + 1;
    unsigned end = site->kind == SITE_LOAD ? PATCH_LOAD_SLOTS + 1 : PATCH_SLOTS;
    for (unsigned slot = first; slot < end; slot++) {
        uint64_t taken_by = patches->sites[slot].behind;
        if (taken_by == 0 || taken_by == site->behind)
            return slot;
    }
    return 0;
}

/* Text that was loaded from a file: private, executable and not writable. What the program makes
 * itself is its own affair. */
static bool is_text(const struct ax_region_info *region) {
    return region->prot == (AX_PROT_READ | AX_PROT_EXECUTE) && region->memory != 0 &&
           (region->flags & AX_MAP_PRIVATE) != 0;
}

/*
 * Can the page's protection go to and fro? Where it becomes a region of its own, which takes
 * memory, the way back takes none, unless it was joined meanwhile with a writable region beside it.
 */
static bool page_is_patchable(uint64_t page) {
    struct ax_region_info regions[3];
    bool is_found = false;
    ax_result count = ax_memory_list(AX_HANDLE_NONE, page - AX_PAGE_SIZE, regions, 3);
    for (ax_result i = 0; i < count; i++) {
        const struct ax_region_info *region = &regions[i];
        uint64_t end = region->address + region->size_bytes;
        if (region->address <= page && end > page)
            is_found = is_text(region);
        else if ((region->prot & AX_PROT_WRITE) != 0 &&
                 (end == page || region->address == page + AX_PAGE_SIZE))
            return false;
    }
    return is_found;
}

/*
 * Nobody executes the page while it is written. It is not executable then: the kernel has every
 * processor know of that before the thread goes on, and who comes there faults and tries again
 * (patch_was_in_the_way). Where there was never another thread nobody can. A thread has its area
 * before it runs, but is counted among the others only afterwards.
 */
static void jump_write(const struct task *task, uint64_t site,
                       const uint8_t jump[SITE_JUMP_BYTES]) {
    uint64_t page = align_down(site, AX_PAGE_SIZE);
    bool is_alone = task->area_count == 1;
    if (!is_alone &&
        ax_memory_protect(AX_HANDLE_NONE, page, AX_PAGE_SIZE, AX_PROT_READ | AX_PROT_WRITE) < 0)
        return;
    (void)text_write(site, jump, SITE_JUMP_BYTES); /* without memory it stays as it is */
    if (!is_alone)
        (void)!ax_memory_protect(AX_HANDLE_NONE, page, AX_PAGE_SIZE,
                                 AX_PROT_READ | AX_PROT_EXECUTE);
}

/* Patches the site if it can be. With memory_lock: its text stays what it is. */
static void site_patch(struct task *task, const struct ax_regs *regs) {
    struct patches *patches = &task->patches;
    struct site site;
    uint8_t window[SITE_WINDOW], jump[SITE_JUMP_BYTES];
    if (user_read(window, regs->rip - SITE_WINDOW, SITE_WINDOW) != 0 ||
        !site_decode(window, regs, &site))
        return;
    uint64_t start = site_start(&site);
    unsigned slot = slot_find(patches, &site);
    bool is_in_one_page = start % AX_PAGE_SIZE <= AX_PAGE_SIZE - SITE_JUMP_BYTES;
    if (slot == 0 || !is_in_one_page || !page_is_patchable(align_down(start, AX_PAGE_SIZE)) ||
        !page_make(patches, start) || !site_jump(start, slot_address(patches, slot), jump))
        return;
    patches->sites[slot] = site;
    jump_write(task, start, jump);
}

/* The site's counter; NULL: it has none yet. In a set that is full every other site's trap counts
 * against those that are there, so those that trap often stay, or come. */
static struct patch_count *count_find(struct patch_count set[PATCH_WAYS], uint64_t behind) {
    struct patch_count *free = NULL;
    for (unsigned i = 0; i < PATCH_WAYS; i++) {
        if (set[i].behind == behind)
            return &set[i];
        if (set[i].traps == 0)
            free = &set[i];
    }
    if (free != NULL) {
        *free = (struct patch_count){behind, 0};
        return free;
    }
    for (unsigned i = 0; i < PATCH_WAYS; i++)
        set[i].traps--;
    return NULL;
}

void patch_count_trap(struct thread *thread) {
    struct task *task = thread->task;
    const struct ax_regs *regs = &thread->page->program.regs;
    struct patch_count *count =
        count_find(task->patches.counts[hash_mix(regs->rip) % PATCH_SETS], regs->rip);
    if (count == NULL || count->traps >= TRAPS_BEFORE_PATCH || ++count->traps < TRAPS_BEFORE_PATCH)
        return;
    count->traps = TRAPS_AFTER_LOOK;
    lock_take(&task->memory_lock);
    site_patch(task, regs);
    lock_give(&task->memory_lock);
}

/* ---- Patched calls --------------------------------------------------------------------------- */

static const struct site *site_of(const struct task *task, uint64_t slot) {
    return &task->patches.sites[slot % PATCH_SLOTS];
}

void patch_decode(const struct task *task, struct ax_regs *regs) {
    const struct site *site = site_of(task, regs->rcx);
    site_apply(site, regs);
    regs->rip = site->behind;
}

/* Does what the slot's first instruction does. False: it faults. */
static bool slot_begin(const struct site *site, struct ax_regs *regs) {
    return site->kind != SITE_LOAD || user_get(&regs->r9, regs->rsp + 8) == 0;
}

void patch_leave(struct thread *thread) {
    const struct task *task = thread->task;
    const struct ax_frame *frame = &thread->page->program;
    struct ax_regs *regs = &thread->page->program.regs;
    uint64_t page = task->patches.page, offset = regs->rip - page;
    bool is_at_entry = regs->rip == (uintptr_t)patched_entry;
    if (page == 0 || (!is_at_entry && offset >= PATCH_SLOTS * PATCH_SLOT_BYTES))
        return;
    uint64_t slot = is_at_entry ? regs->rcx : offset / PATCH_SLOT_BYTES;
    bool is_begun = is_at_entry || offset % PATCH_SLOT_BYTES != 0;
    /* Of a step through the program the instruction is the last one. */
    bool has_faulted = frame->reason == AX_UPCALL_FAULT && frame->fault != AX_FAULT_DEBUG;
    const struct site *site = site_of(task, slot);
    if (!is_begun && (has_faulted || !slot_begin(site, regs))) {
        regs->rip = site_start(site);
        return;
    }
    regs->rcx = slot;
    patch_decode(task, regs);
    regs->rip -= SITE_SYSCALL_BYTES;
}

/* ---- The program's mappings ------------------------------------------------------------------ */

bool patch_was_in_the_way(struct thread *thread, uint64_t address) {
    struct task *task = thread->task;
    struct ax_region_info region;
    if (task->patches.page == 0)
        return false;
    lock_take(&task->memory_lock);
    bool is_executable = ax_memory_list(AX_HANDLE_NONE, address, &region, 1) == 1 &&
                         region.address <= address && (region.prot & AX_PROT_EXECUTE) != 0;
    lock_give(&task->memory_lock);
    return is_executable;
}

bool patch_owns(const struct task *task, uint64_t address, uint64_t size_bytes) {
    uint64_t page = task->patches.page;
    return page != 0 && address < page + AX_PAGE_SIZE && page < address + size_bytes;
}
