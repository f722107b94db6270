/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include "calls.h"
#include "device.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

static struct memory_leaf *leaf_of(const struct tree_node *node) {
    return container_of(node, struct memory_leaf, node);
}

static int leaf_compare(const void *key, const struct tree_node *node) {
    uint64_t number = *(const uint64_t *)key, other = leaf_of(node)->number;
    return (number > other) - (number < other);
}

static struct memory_leaf *leaf_find(const struct memory *memory, uint64_t page) {
    uint64_t number = page / MEMORY_LEAF_PAGES;
    struct tree_node *node = tree_find(&memory->leaves, &number, leaf_compare);
    return node != NULL ? leaf_of(node) : NULL;
}

ax_result memory_make(struct account *account, uint64_t page_count, struct memory **memory) {
    if (page_count > MEMORY_PAGES_MAX)
        return AX_ERR_LIMIT;
    TRY(object_make(AX_TYPE_MEMORY, account, sizeof(**memory), memory));
    (*memory)->page_count = page_count;
    list_init(&(*memory)->regions);
    list_init(&(*memory)->quarantine);
    return AX_OK;
}

struct frame *memory_find(const struct memory *memory, uint64_t page) {
    const struct memory_leaf *leaf = leaf_find(memory, page);
    return leaf != NULL ? leaf->frames[page % MEMORY_LEAF_PAGES] : NULL;
}

uint64_t memory_next(const struct memory *memory, uint64_t page) {
    uint64_t number = page / MEMORY_LEAF_PAGES;
    const struct tree_node *node = tree_lower_bound(&memory->leaves, &number, leaf_compare);
    /* No leaf is empty: this looks at two at most. */
    for (; node != NULL; node = tree_next(node)) {
        uint64_t first = leaf_of(node)->number * MEMORY_LEAF_PAGES;
        for (uint64_t at = page > first ? page - first : 0; at < MEMORY_LEAF_PAGES; at++) {
            if (leaf_of(node)->frames[at] != NULL)
                return first + at;
        }
    }
    return UINT64_MAX;
}

ax_result memory_insert(struct memory *memory, uint64_t page, struct frame *frame) {
    ASSERT(page < MEMORY_PAGES_MAX);
    struct memory_leaf *leaf = leaf_find(memory, page);
    if (leaf == NULL) {
        TRY(heap_alloc(memory->object.account, sizeof(*leaf), &leaf));
        leaf->number = page / MEMORY_LEAF_PAGES;
        tree_insert(&memory->leaves, &leaf->node, &leaf->number, leaf_compare);
    }
    ASSERT(leaf->frames[page % MEMORY_LEAF_PAGES] == NULL);
    leaf->frames[page % MEMORY_LEAF_PAGES] = frame;
    leaf->used++;
    memory->present++;
    return AX_OK;
}

struct frame *memory_replace(struct memory *memory, uint64_t page, struct frame *frame) {
    struct frame *old = memory_find(memory, page);
    ASSERT(old != NULL);
    leaf_find(memory, page)->frames[page % MEMORY_LEAF_PAGES] = frame;
    return old;
}

struct frame *memory_remove(struct memory *memory, uint64_t page) {
    struct memory_leaf *leaf = leaf_find(memory, page);
    uint64_t at = page % MEMORY_LEAF_PAGES;
    if (leaf == NULL || leaf->frames[at] == NULL)
        return NULL;
    struct frame *frame = leaf->frames[at];
    leaf->frames[at] = NULL;
    memory->present--;
    if (--leaf->used == 0) {
        tree_remove(&memory->leaves, &leaf->node);
        heap_free(memory->object.account, leaf, sizeof(*leaf));
    }
    return frame;
}

bool memory_drop(struct memory *memory, uint64_t first, uint64_t count, unsigned *portion) {
    uint64_t page = first;
    while ((page = memory_next(memory, page)) != UINT64_MAX && page - first < count) {
        if (!portion_take(portion))
            return false;
        frame_unref(memory_remove(memory, page));
    }
    return true;
}

/* Gives an object without pages all of them, or some if that fails. */
static ax_result memory_fill(struct memory *memory, unsigned order) {
    struct frame *run;
    TRY(frame_alloc(memory->object.account, order, &run));
    ax_result result = AX_OK;
    for (uint64_t page = 0; page < memory->page_count && result == AX_OK; page++)
        result = memory_insert(memory, page, &run[page]);
    for (uint64_t page = memory->present; page < UINT64_C(1) << order; page++)
        frame_unref(&run[page]);
    return result;
}

ax_result memory_make_contiguous(struct account *account, uint64_t page_count, unsigned *portion,
                                 struct memory **memory) {
    unsigned order = 0;
    while (order < FRAME_ORDERS && UINT64_C(1) << order < page_count)
        order++;
    if (order == FRAME_ORDERS)
        return AX_ERR_LIMIT;
    if (!frame_prepare(order, portion))
        return RESULT_RESTART;
    TRY(memory_make(account, page_count, memory));
    (*memory)->flags = AX_MEMORY_CONTIGUOUS;
    ax_result result = memory_fill(*memory, order);
    if (result == AX_OK)
        return AX_OK;
    for (uint64_t page = (*memory)->present; page-- > 0;)
        frame_unref(memory_remove(*memory, page));
    object_discard(&(*memory)->object, sizeof(**memory));
    return result;
}

/* DMA memory of a device is not freed but taken over by the device's quarantine. */
bool memory_work(struct memory *memory, unsigned *portion) {
    if (memory->object.refs != 0)
        return true;
    ASSERT(list_is_empty(&memory->regions));
    struct device *device = memory->device;
    if (device != NULL && !memory->registers) {
        device_quarantine(device, memory);
        return true;
    }
    if (!memory_drop(memory, 0, UINT64_MAX, portion))
        return false;
    if (device != NULL)
        object_unref(&device->object);
    object_free(&memory->object, sizeof(*memory));
    return true;
}

/* ---- Kernel calls ---------------------------------------------------------------------------- */

ax_result sys_memory_create(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t page_count = arguments[0], flags = arguments[1];
    bool is_contiguous = (flags & AX_MEMORY_CONTIGUOUS) != 0;
    if ((flags & ~(uint64_t)AX_MEMORY_CONTIGUOUS) != 0 || (is_contiguous && page_count == 0))
        return AX_ERR_ARGUMENT;
    struct place place;
    TRY(place_decode(thread, arguments[2], &place));
    struct account *account = thread->process->account;
    struct memory *memory = NULL;
    unsigned portion = WORK_PORTION;
    ax_result result = is_contiguous
                           ? memory_make_contiguous(account, page_count, &portion, &memory)
                           : memory_make(account, page_count, &memory);
    return place_made(&place, result, memory, AX_RIGHT_ALL);
}

/* Hides and frees what is left beyond the end, up to *portion; true: nothing is. */
static bool memory_cut(struct memory *memory, unsigned *portion) {
    struct list *first;
    while (memory->untrimmed > 0 && (first = list_first(&memory->regions)) != NULL) {
        if (!portion_take(portion) ||
            !region_trim(list_entry(first, struct region, in_memory), portion))
            return false;
        list_remove(first);
        list_append(&memory->regions, first);
        memory->untrimmed--;
    }
    memory->untrimmed = 0;
    return memory_drop(memory, memory->page_count, UINT64_MAX, portion);
}

/*
 * The cut is the object's state, not the call's: whoever resizes next finishes what a thread that
 * died left, and pages come back empty when it grows again.
 */
ax_result sys_memory_resize(struct thread *thread, const uint64_t arguments[5]) {
    struct memory *memory;
    TRY(handle_get(thread, arguments[0], AX_TYPE_MEMORY, AX_RIGHT_RESIZE, &memory));
    uint64_t page_count = arguments[1];
    if (page_count > MEMORY_PAGES_MAX)
        return AX_ERR_LIMIT;
    if ((memory->flags & AX_MEMORY_CONTIGUOUS) != 0 || memory->device != NULL)
        return AX_ERR_STATE;
    if (page_count < memory->page_count) {
        memory->page_count = page_count;
        memory->untrimmed = memory->region_count;
    }
    unsigned portion = WORK_PORTION;
    if (!memory_cut(memory, &portion))
        return RESULT_RESTART;
    memory->page_count = page_count;
    return AX_OK;
}
