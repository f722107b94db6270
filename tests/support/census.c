/* SPDX-License-Identifier: MIT */
#include "census.h"

#include <stdlib.h>
#include <string.h>

/* Objects lie in RAM at multiples of this. */
#define GRAIN 32

struct frame_found {
    uint32_t refs;
    uint32_t pins;
};

static struct found *found;
static struct frame_found *frames_found;
static uint64_t found_count, frame_count;
static uint32_t epoch;
static uint64_t heap_bytes, cell_bytes;

static void *table_make(uint64_t count, size_t entry_bytes) {
    void *table = calloc(count, entry_bytes);
    if (table == NULL)
        driver_fail("no memory for the census");
    return table;
}

void census_begin(void) {
    uint64_t count = driver.memory_bytes / GRAIN;
    if (count != found_count) {
        free(found);
        found = table_make(count, sizeof(*found));
        found_count = count;
    }
    if (kernel->frames.page_count != frame_count) {
        free(frames_found);
        frame_count = kernel->frames.page_count;
        frames_found = table_make(frame_count, sizeof(*frames_found));
    }
    memset(frames_found, 0, frame_count * sizeof(*frames_found));
    epoch++;
    heap_bytes = cell_bytes = 0;
}

static struct found *found_at(const struct object *object) {
    uint64_t offset = (uint64_t)((const char *)object - (const char *)hal_window(MODEL_RAM_BASE));
    INVARIANT(offset < driver.memory_bytes && offset % GRAIN == 0);
    return &found[offset / GRAIN];
}

void census_enter(const struct object *object) {
    struct found *at = found_at(object);
    INVARIANT(at->epoch != epoch);
    *at = (struct found){.epoch = epoch};
}

struct found *census_of(const struct object *object) {
    struct found *at = found_at(object);
    INVARIANT(at->epoch == epoch); /* or something refers to an object that is gone */
    return at;
}

void census_ref(const struct object *object) {
    if (object != NULL)
        census_of(object)->refs++;
}

void census_handle(const struct object *object, uint32_t rights) {
    struct found *at = census_of(object);
    at->refs++;
    at->handles++;
    if ((rights & AX_RIGHT_RECEIVE) != 0)
        at->receivers++;
}

void census_heap(const struct account *account, const void *memory, size_t size_bytes) {
    size_t charge = heap_charge(size_bytes);
    heap_bytes += charge;
    cell_bytes += charge < AX_PAGE_SIZE ? charge : 0;
    if (account != NULL) {
        struct found *at = census_of(&account->object);
        at->bytes += charge;
        at->objects++;
    }
    for (size_t at = 0; charge >= AX_PAGE_SIZE && at < charge; at += AX_PAGE_SIZE)
        census_frame(frame_of_window((const char *)memory + at), 0);
}

void census_frame(struct frame *frame, uint32_t pins) {
    struct frame_found *at = &frames_found[frame - kernel->frames.all];
    INVARIANT(frame->state == FRAME_USED);
    if (at->refs++ == 0 && frame->account != NULL)
        census_of(&frame->account->object)->bytes += AX_PAGE_SIZE;
    at->pins += pins;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static uint64_t list_length(const struct list *list) {
    uint64_t length = 0;
    for (const struct list *node = list->next; node != list; node = node->next)
        length++;
    return length;
}

static void free_lists_check(uint64_t free_runs) {
    uint64_t pages = 0, runs = 0;
    for (unsigned order = 0; order < FRAME_ORDERS; order++) {
        const struct frame *frame;
        list_for_each (frame, &kernel->frames.free[order], link) {
            INVARIANT(frame->state == FRAME_FREE && frame->order == order);
            pages += UINT64_C(1) << order;
            runs++;
        }
    }
    INVARIANT(pages == kernel->frames.free_count);
    INVARIANT(runs == free_runs);
}

void census_check_frames(void) {
    const struct frames *frames = &kernel->frames;
    uint64_t counts[FRAME_WAITING + 1] = {0}, slab_bytes = 0;
    for (uint64_t i = 0; i < frames->page_count; i++) {
        const struct frame *frame = &frames->all[i];
        INVARIANT(frame->state <= FRAME_WAITING);
        counts[frame->state]++;
        if (frame->state == FRAME_SLAB)
            slab_bytes += (uint64_t)frame->refs << frame->order;
        if (frame->state != FRAME_USED) {
            INVARIANT(frames_found[i].refs == 0);
            continue;
        }
        if (frame->refs != frames_found[i].refs || frame->pins != frames_found[i].pins)
            driver_fail("frame %#llx has %u refs and %u pins, %u and %u were found",
                        (unsigned long long)frame_physical(frame), frame->refs, frame->pins,
                        frames_found[i].refs, frames_found[i].pins);
    }
    free_lists_check(counts[FRAME_FREE]);
    INVARIANT(counts[FRAME_WAITING] == frames->waiting_count);
    INVARIANT(frames->waiting_count ==
              list_length(&frames->waiting[0]) + list_length(&frames->waiting[1]));
    INVARIANT(frames->free_count + counts[FRAME_USED] + counts[FRAME_SLAB] +
                  counts[FRAME_WAITING] ==
              frames->total_count);
    INVARIANT(slab_bytes == cell_bytes);
    INVARIANT(heap_bytes == kernel->heap.used_bytes);
}
