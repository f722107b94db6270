/* SPDX-License-Identifier: MIT */
#include "root.h"

#include <base/align.h>
#include <base/memory.h>

#include "calls.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

#define ROOT_PRIORITY    (AX_PRIORITY_COUNT - 1)
#define ROOT_STACK_BYTES (AX_ROOT_STACK_PAGES * AX_PAGE_SIZE)
#define ROOT_STACK_START (AX_PROGRAM_END - ROOT_STACK_BYTES)
/* Two deaths within this time end the machine. */
#define ROOT_LIFE_NS UINT64_C(1000000000)

static _Noreturn void root_halt(const char *text) {
    log_line("root task: %s", text);
    core_log_show();
    hal_halt(1);
}

/* ---- The image ------------------------------------------------------------------------------- */

static bool segment_is_valid(const struct ax_root_segment *segment, uint64_t image_bytes) {
    const uint32_t write_execute = AX_PROT_WRITE | AX_PROT_EXECUTE;
    return is_aligned(segment->address, AX_PAGE_SIZE) && segment->address >= AX_USER_START &&
           segment->address < AX_PROGRAM_END && segment->size_bytes > 0 &&
           segment->size_bytes <= AX_PROGRAM_END - segment->address &&
           is_aligned(segment->offset, AX_PAGE_SIZE) && segment->offset <= image_bytes &&
           segment->file_bytes <= image_bytes - segment->offset &&
           segment->file_bytes <= segment->size_bytes && segment->prot <= AX_PROT_ALL &&
           (segment->prot & write_execute) != write_execute;
}

static bool image_is_valid(const struct ax_root_image *image, uint64_t image_bytes) {
    if (image_bytes < sizeof(*image) || image->magic != AX_ROOT_MAGIC ||
        image->segment_count == 0 || image->segment_count > AX_ROOT_SEGMENTS)
        return false;
    bool has_entry = false;
    for (uint64_t i = 0; i < image->segment_count; i++) {
        const struct ax_root_segment *segment = &image->segments[i];
        if (!segment_is_valid(segment, image_bytes))
            return false;
        if (image->entry - segment->address < segment->size_bytes &&
            (segment->prot & AX_PROT_EXECUTE) != 0)
            has_entry = true;
    }
    return has_entry;
}

static ax_result root_map(struct process *process, uint64_t start, uint64_t size_bytes,
                          uint32_t prot) {
    struct region wanted = {.process = process,
                            .start = start,
                            .page_count = align_up(size_bytes, AX_PAGE_SIZE) / AX_PAGE_SIZE,
                            .prot = prot,
                            .allowed = prot,
                            .is_private = true};
    return space_map(&wanted);
}

/* Maps the segments that are not yet, and the stack. */
static ax_result image_map(struct process *process) {
    struct root *root = &kernel->root;
    for (; root->mapped < root->image->segment_count; root->mapped++) {
        const struct ax_root_segment *segment = &root->image->segments[root->mapped];
        TRY(root_map(process, segment->address, segment->size_bytes, (uint32_t)segment->prot));
    }
    if (root->mapped == root->image->segment_count)
        TRY(root_map(process, ROOT_STACK_START, ROOT_STACK_BYTES, AX_PROT_READ | AX_PROT_WRITE));
    root->mapped = AX_ROOT_SEGMENTS + 1;
    return AX_OK;
}

/* Copies one page of a segment out of the image. */
static ax_result page_load(struct process *process, const struct ax_root_segment *segment,
                           uint64_t page) {
    struct frame *frame;
    uint64_t start = page * AX_PAGE_SIZE;
    TRY(page_resolve(process, segment->address + start, AX_PROT_WRITE, true, &frame));
    uint64_t left = segment->file_bytes - start;
    ASSERT(start < segment->file_bytes && left <= kernel->root.image_bytes - start);
    memcpy(frame_window(frame), (const char *)kernel->root.image + segment->offset + start,
           left < AX_PAGE_SIZE ? left : AX_PAGE_SIZE);
    return AX_OK;
}

/* Copies the pages that come next. RESTART: there are more. */
static ax_result image_load(struct process *process, unsigned *portion) {
    struct root *root = &kernel->root;
    uint64_t before = 0;
    for (uint64_t i = 0; i < root->image->segment_count; i++) {
        const struct ax_root_segment *segment = &root->image->segments[i];
        uint64_t file_pages = align_up(segment->file_bytes, AX_PAGE_SIZE) / AX_PAGE_SIZE;
        while (root->loaded < before + file_pages) {
            if (!portion_take(portion))
                return RESULT_RESTART;
            TRY(page_load(process, segment, root->loaded - before));
            root->loaded++;
        }
        before += file_pages;
    }
    return AX_OK;
}

/* ---- Its thread ------------------------------------------------------------------------------ */

/* The new thread takes the place of an old one's handle, if that is there, by the same name. Room
 * is promised. */
static void thread_give(struct process *process, struct thread *thread) {
    struct slot *slot = handle_slot(&process->handles, AX_ROOT_THREAD);
    struct place place = {.process = process, .slot = AX_ROOT_THREAD};
    uint16_t generation = slot->generation;
    if (slot->object != NULL && slot->object->type == AX_TYPE_THREAD &&
        ((struct thread *)slot->object)->process == process) {
        ax_result result = handle_close(process, handle_of(AX_ROOT_THREAD, slot));
        ASSERT(result == AX_OK);
        slot->generation = generation;
    }
    if (slot->object != NULL)
        place.slot = 0; /* root has put something else there */
    kernel->root.page->thread = place_put(&place, &thread->object, AX_RIGHT_ALL);
}

static ax_result root_run(struct process *process) {
    struct thread *thread;
    TRY(handle_promise(process, 1));
    ax_result result = thread_make(process, UINT32_MAX, 0, ROOT_PRIORITY, &thread);
    if (result != AX_OK) {
        handle_unpromise(process, 1);
        return result;
    }
    thread_give(process, thread);
    process->cause = AX_CAUSE_NONE;
    kernel->root.step = ROOT_RUNS;
    ax_regs_start(&thread->user.regs, kernel->root.image->entry, AX_PROGRAM_END, AX_PROGRAM_END);
    sched_ready(thread);
    return AX_OK;
}

/* What is left of making it, from the mapping on. RESTART: there is more. */
static ax_result root_make(struct process *process, unsigned *portion) {
    TRY(image_map(process));
    TRY(image_load(process, portion));
    return root_run(process);
}

void root_start(void) {
    const struct hal_boot *boot = hal_boot();
    struct root *root = &kernel->root;
    if (boot->module_count == 0 || boot->module_bytes[0] == 0)
        root_halt("there is no image");
    root->image = hal_window(boot->modules[0].base);
    root->image_bytes = boot->module_bytes[0];
    if (!image_is_valid(root->image, root->image_bytes))
        root_halt("damaged image");
    unsigned portion = UINT32_MAX;
    if (root_make(root->process, &portion) != AX_OK)
        root_halt("damaged image, or no memory for it");
}

/* ---- Its death ------------------------------------------------------------------------------- */

bool root_is_restarting(const struct process *process) {
    return process->is_root && kernel->root.step != ROOT_RUNS;
}

void root_restart(struct process *process, uint32_t fault, uint64_t address) {
    struct root *root = &kernel->root;
    uint64_t now_ns = hal_time_ns();
    if (root->step != ROOT_RUNS)
        return; /* another thread of the same instance */
    log_line("root task died: cause %u, fault %u at 0x%llx", process->cause, fault,
             (unsigned long long)address);
    if (root->page->root_restarts != 0 && now_ns - root->died_ns < ROOT_LIFE_NS)
        root_halt("died twice within a second");
    root->died_ns = now_ns;
    root->page->root_restarts++;
    kernel->counters.root_restarts++;
    root->step = ROOT_ENDS;
    process->personality = (struct ax_personality){0};
}

bool root_work(struct process *process, unsigned *portion) {
    struct root *root = &kernel->root;
    bool was_coming = memory_try();
    if (root->step == ROOT_RUNS)
        return true;
    if (root->step == ROOT_ENDS) {
        if (!process_end_threads(process, (enum ax_cause)process->cause, portion))
            return false;
        if (process->running != 0)
            return true; /* process_thread_left puts it on the work list again */
        if (!process_give_back_calls(process, portion))
            return false;
        process->instance = ++kernel->next_id;
        root->step = ROOT_CLEARS;
    }
    if (root->step == ROOT_CLEARS) {
        if (!space_clear(process, portion))
            return false;
        root->mapped = root->loaded = 0;
        root->step = ROOT_LOADS;
        return false; /* what it had comes back first */
    }
    ax_result result = root_make(process, portion);
    if (result == AX_OK || result == RESULT_RESTART)
        return result == AX_OK;
    *portion = 0; /* first what is on its way must come */
    if (!was_coming && !process_reclaim(result == AX_ERR_LIMIT ? process->account : NULL))
        root_halt("no memory");
    return false;
}
