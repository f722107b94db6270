/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <base/align.h>
#include <base/memory.h>

#include "account.h"
#include "kernel.h"
#include "space.h"

/* Most waiting frames that one call of frame_reclaim frees. */
#define RECLAIM_PORTION (8 * WORK_PORTION)

void frame_init(struct frame *all, uint64_t base_page, uint64_t page_count) {
    struct frames *frames = &kernel->frames;
    *frames = (struct frames){.all = all, .base_page = base_page, .page_count = page_count};
    for (unsigned order = 0; order < FRAME_ORDERS; order++)
        list_init(&frames->free[order]);
    list_init(&frames->waiting[0]);
    list_init(&frames->waiting[1]);
    list_init(&frames->dirty);
}

struct frame *frame_at(uint64_t physical) {
    const struct frames *frames = &kernel->frames;
    uint64_t page = physical / AX_PAGE_SIZE;
    if (page < frames->base_page || page - frames->base_page >= frames->page_count)
        return NULL;
    return &frames->all[page - frames->base_page];
}

uint64_t frame_physical(const struct frame *frame) {
    const struct frames *frames = &kernel->frames;
    return (frames->base_page + (uint64_t)(frame - frames->all)) * AX_PAGE_SIZE;
}

void *frame_window(const struct frame *frame) {
    return hal_window(frame_physical(frame));
}

struct frame *frame_of_window(const void *window) {
    const struct frames *frames = &kernel->frames;
    const char *first = hal_window(frames->base_page * AX_PAGE_SIZE);
    uint64_t page = (uint64_t)((const char *)window - first) / AX_PAGE_SIZE;
    ASSERT(page < frames->page_count);
    return &frames->all[page];
}

/* The other half of the run twice as long; NULL: it is not free as a whole. Runs are aligned by
 * physical page number. */
static struct frame *frame_buddy(const struct frame *frame, unsigned order) {
    uint64_t physical = frame_physical(frame) ^ (AX_PAGE_SIZE << order);
    struct frame *buddy = frame_at(physical);
    bool is_free = buddy != NULL && buddy->state == FRAME_FREE && buddy->order == order;
    return is_free ? buddy : NULL;
}

static void run_insert(struct frame *frame, unsigned order) {
    frame->state = FRAME_FREE;
    frame->order = (uint8_t)order;
    list_init(&frame->link);
    list_prepend(&kernel->frames.free[order], &frame->link);
}

/* Frees a run that is in no list, joined with what is free beside it. `refs` of its frames is 0. */
static void run_free(struct frame *frame, unsigned order) {
    kernel->frames.free_count += UINT64_C(1) << order;
    frame->state = FRAME_INSIDE;
    struct frame *buddy;
    while (order + 1 < FRAME_ORDERS && (buddy = frame_buddy(frame, order)) != NULL) {
        list_remove(&buddy->link);
        buddy->state = FRAME_INSIDE;
        if (buddy < frame)
            frame = buddy;
        order++;
    }
    run_insert(frame, order);
}

/* The run that a run of the order is taken from: the shortest that is long enough; NULL: there is
 * none. */
static struct frame *run_find(unsigned order) {
    const struct frames *frames = &kernel->frames;
    while (order < FRAME_ORDERS && list_is_empty(&frames->free[order]))
        order++;
    if (order == FRAME_ORDERS)
        return NULL;
    return list_entry(list_first(&frames->free[order]), struct frame, link);
}

static void frame_zero(struct frame *frame) {
    if (frame->refs == 0)
        memset(frame_window(frame), 0, AX_PAGE_SIZE);
    frame->refs = 1;
}

bool frame_prepare(unsigned order, unsigned *portion) {
    struct frame *run = run_find(order);
    for (uint64_t i = 0; run != NULL && i < UINT64_C(1) << order; i++) {
        if (run[i].refs == 0 && !portion_take(portion))
            return false;
        frame_zero(&run[i]);
    }
    return true;
}

static struct frame *run_take(unsigned order) {
    struct frames *frames = &kernel->frames;
    struct frame *frame = run_find(order);
    if (frame == NULL)
        return NULL;
    unsigned found = frame->order;
    list_remove(&frame->link);
    while (found > order) {
        found--;
        run_insert(frame + (UINT64_C(1) << found), found);
    }
    frames->free_count -= UINT64_C(1) << order;
    return frame;
}

void frame_add_range(uint64_t base, uint64_t size_bytes) {
    ASSERT(is_aligned(base | size_bytes, AX_PAGE_SIZE));
    struct frame *frame = frame_at(base);
    uint64_t left = size_bytes / AX_PAGE_SIZE;
    kernel->frames.total_count += left;
    while (left > 0) {
        uint64_t page = frame_physical(frame) / AX_PAGE_SIZE;
        unsigned order = FRAME_ORDERS - 1;
        while (!is_aligned(page, UINT64_C(1) << order) || UINT64_C(1) << order > left)
            order--;
        for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
            ASSERT(frame[i].state == FRAME_RESERVED);
            frame[i].state = FRAME_INSIDE;
        }
        run_free(frame, order);
        frame += UINT64_C(1) << order;
        left -= UINT64_C(1) << order;
    }
}

ax_result frame_adopt(uint64_t physical, struct account *account, struct frame **frame) {
    TRY(account_charge(account, AX_PAGE_SIZE, 0));
    *frame = frame_at(physical);
    ASSERT((*frame)->state == FRAME_RESERVED);
    **frame = (struct frame){.account = account, .refs = 1, .state = FRAME_USED};
    kernel->frames.total_count++;
    return AX_OK;
}

ax_result frame_alloc(struct account *account, unsigned order, struct frame **frame) {
    ASSERT(order < FRAME_ORDERS);
    uint64_t size_bytes = AX_PAGE_SIZE << order;
    if (alloc_fails())
        return AX_ERR_MEMORY;
    TRY(account_charge(account, size_bytes, 0));
    struct frame *run = run_take(order);
    if (run == NULL) {
        kernel->refused = order > 0 ? account : NULL;
        account_uncharge(account, size_bytes, 0);
        return AX_ERR_MEMORY;
    }
    for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
        frame_zero(&run[i]);
        run[i] = (struct frame){.account = account, .refs = 1, .state = FRAME_USED};
    }
    *frame = run;
    return AX_OK;
}

void frame_ref(struct frame *frame) {
    ASSERT(frame->state == FRAME_USED && frame->refs > 0 && frame->refs < UINT32_MAX);
    frame->refs++;
    frame->recounted = kernel->frames.changes + 1;
}

void frame_unref(struct frame *frame) {
    ASSERT(frame->state == FRAME_USED && frame->refs > frame->pins);
    struct frames *frames = &kernel->frames;
    if (--frame->refs != 0) {
        if (frame_is_exclusive(frame))
            frame->recounted = frames->changes + 1;
        return;
    }
    struct account *account = frame->account;
    frame->account = NULL;
    if (list_is_empty(&frames->dirty)) {
        run_free(frame, 0);
    } else {
        frame->state = FRAME_WAITING;
        list_init(&frame->link);
        list_append(&frames->waiting[0], &frame->link);
        frames->waiting_count++;
    }
    account_uncharge(account, AX_PAGE_SIZE, 0);
}

bool frame_is_settled(const struct frame *frame) {
    return space_is_synced(frame->recounted);
}

void frame_reclaim(void) {
    struct frames *frames = &kernel->frames;
    /* What waits in waiting[1] waits for no change made later, however many there are. */
    if (list_is_empty(&frames->waiting[1])) {
        list_splice(&frames->waiting[1], &frames->waiting[0]);
        frames->waited_for = frames->changes;
    }
    if (!space_is_synced(frames->waited_for))
        return;
    struct list *node;
    unsigned left = RECLAIM_PORTION;
    while (portion_take(&left) && (node = list_take(&frames->waiting[1])) != NULL) {
        run_free(list_entry(node, struct frame, link), 0);
        frames->waiting_count--;
    }
}
