/* SPDX-License-Identifier: MIT */
/* The machine's translations and TLBs never show more than the regions do. */
#include "census.h"
#include "memory.h"

/* The process of a machine's space, or NULL. Spaces come sorted: the last one is tried first. */
static struct process *process_of(uint32_t space) {
    static struct process *last;
    struct object *object;
    if (last != NULL && driver.space_cache == space)
        return last;
    list_for_each (object, &kernel->objects, all) {
        struct process *process = (struct process *)object;
        if (object->type == AX_TYPE_PROCESS && process->space.created &&
            model_space_id(&process->space.hal) == space) {
            driver.space_cache = space;
            last = process;
            return process;
        }
    }
    return NULL;
}

/* The frame that a region shows at a page now, and whether it may be written there. */
static uint64_t region_shows(const struct region *region, uint64_t address, bool *writable) {
    uint64_t page = (address - region->start) / AX_PAGE_SIZE;
    const struct frame *frame = NULL;
    *writable = !region->is_private;
    if (region->overlay != NULL)
        frame = memory_find(region->overlay, address / AX_PAGE_SIZE);
    if (frame != NULL) {
        *writable = frame_is_exclusive(frame);
        return frame_physical(frame);
    }
    if (region->memory == NULL)
        return 0;
    if (region->memory->registers) {
        return region->memory->physical + (region->offset + page) * AX_PAGE_SIZE;
    }
    frame = memory_find(region->memory, region->offset + page);
    return frame != NULL ? frame_physical(frame) : 0;
}

/* What a thread page's or the kernel page's translation must be, or 0. */
static uint64_t machine_page_shows(const struct process *process, uint64_t address) {
    if (address == AX_KERNEL_PAGE)
        return kernel->physical_kernel_page;
    const struct thread *thread;
    list_for_each (thread, &process->threads, in_process) {
        if (thread->page_frame != NULL && thread->user.page_address == address)
            return frame_physical(thread->page_frame);
    }
    for (const struct frame *frame = process->space.pages; frame != NULL; frame = frame->next) {
        if (AX_THREAD_PAGES + frame->pins * AX_PAGE_SIZE == address)
            return frame_physical(frame);
    }
    return 0;
}

static void translation_check(struct process *process, const struct model_translation *at) {
    uint64_t address = at->page << AX_PAGE_SHIFT;
    const struct object *of = &process->object;
    if (address >= AX_PROGRAM_END && address < AX_PERSONALITY_START) {
        INVARIANT_OF(of, at->physical == machine_page_shows(process, address));
        return;
    }
    const struct region *region = space_find(process, address);
    bool writable = false;
    INVARIANT_OF(of, region != NULL);
    INVARIANT_OF(of, region_shows(region, address, &writable) == at->physical);
    INVARIANT_OF(of, (at->prot & AX_PROT_ALL & ~region->prot) == 0 ||
                         (at->prot & AX_PROT_ALL & ~(region->prot | AX_PROT_READ)) == 0);
    INVARIANT_OF(of, writable || (at->prot & HAL_WRITE) == 0);
}

/* A page that a TLB still knows is translated so, or its removal has not been brought into force.
 */
static void tlb_check(const struct model_translation *entry) {
    struct process *process = process_of(entry->space);
    if (process == NULL || list_is_linked(&process->space.dirty))
        return;
    size_t count;
    const struct model_translation *all = model_translations(&count);
    for (size_t i = 0; i < count; i++) {
        if (all[i].space == entry->space && all[i].page == entry->page) {
            INVARIANT_OF(&process->object, all[i].physical == entry->physical);
            INVARIANT_OF(&process->object, (entry->prot & ~all[i].prot) == 0);
            return;
        }
    }
    driver_fail("process %llu: a TLB uses a translation of %#llx that is gone",
                (unsigned long long)process->object.id,
                (unsigned long long)entry->page << AX_PAGE_SHIFT);
}

#define TABLE (UINT64_C(1) << 63) /* as in model_space.c */

void invariants_check_spaces(void) {
    size_t count;
    const struct model_translation *all = model_translations(&count);
    driver.space_cache = 0;
    uint64_t spaces = 0;
    const struct object *object;
    list_for_each (object, &kernel->objects, all) {
        const struct process *process = (const struct process *)object;
        if (object->type != AX_TYPE_PROCESS || !process->space.created)
            continue;
        spaces++;
        if (driver.config.model.table_frames)
            census_frame(frame_at(process->space.hal.machine[1]), 0); /* its root table */
    }
    INVARIANT(spaces == model_spaces());
    for (size_t i = 0; i < count; i++) {
        struct process *process = process_of(all[i].space);
        INVARIANT(process != NULL);
        if ((all[i].page & TABLE) != 0)
            census_frame(frame_at(all[i].physical), 0);
        else
            translation_check(process, &all[i]);
    }
    for (uint32_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
        size_t entries;
        const struct model_translation *tlb = model_tlb(cpu, &entries);
        for (size_t i = 0; i < entries; i++) {
            if (tlb[i].space != 0)
                tlb_check(&tlb[i]);
        }
    }
}
