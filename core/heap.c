/* SPDX-License-Identifier: MIT */
#include "heap.h"

#include <base/bitmap.h>
#include <base/memory.h>

#include "account.h"
#include "kernel.h"

#define CELL_MIN_SHIFT 5
#define CELL_MAX       ((size_t)1 << (CELL_MIN_SHIFT + HEAP_CLASSES - 1))

_Static_assert(CELL_MAX == AX_PAGE_SIZE / 2, "two cells of the last class fill a slab");

/* A free cell of a slab begins with the address of the next. */
struct cell {
    struct cell *next;
};

void heap_init(void) {
    kernel->heap = (struct heap){0};
    for (unsigned size_class = 0; size_class < HEAP_CLASSES; size_class++)
        list_init(&kernel->heap.classes[size_class].partial);
}

/* The base-two logarithm of what an allocation of this size takes. */
static unsigned size_shift(size_t size_bytes) {
    ASSERT(size_bytes > 0);
    unsigned shift = size_bytes == 1 ? 0 : bits_highest(size_bytes - 1) + 1;
    return shift < CELL_MIN_SHIFT ? CELL_MIN_SHIFT : shift;
}

static unsigned shift_class(unsigned shift) {
    return shift - CELL_MIN_SHIFT;
}

/* Above half a page whole frames are taken. */
static bool shift_is_run(unsigned shift) {
    return shift_class(shift) >= HEAP_CLASSES;
}

static unsigned shift_order(unsigned shift) {
    return shift < AX_PAGE_SHIFT ? 0 : shift - AX_PAGE_SHIFT;
}

size_t heap_charge(size_t size_bytes) {
    return (size_t)1 << size_shift(size_bytes);
}

static ax_result slab_make(unsigned size_class, struct frame **slab) {
    TRY(frame_alloc(NULL, 0, slab));
    struct frame *frame = *slab;
    frame->state = FRAME_SLAB;
    frame->order = (uint8_t)size_class;
    frame->refs = 0;
    size_t cell_bytes = (size_t)1 << (size_class + CELL_MIN_SHIFT);
    char *window = frame_window(frame);
    struct cell *next = NULL;
    for (size_t at = AX_PAGE_SIZE; at > 0; next = (struct cell *)(void *)(window + at)) {
        at -= cell_bytes;
        ((struct cell *)(void *)(window + at))->next = next;
    }
    frame->free_cell = next;
    list_append(&kernel->heap.classes[size_class].partial, &frame->link);
    kernel->heap.slab_frames++;
    return AX_OK;
}

static ax_result cell_alloc(unsigned size_class, void **memory) {
    struct heap_class *heap_class = &kernel->heap.classes[size_class];
    struct list *first = list_first(&heap_class->partial);
    struct frame *slab = first != NULL ? list_entry(first, struct frame, link) : NULL;
    if (slab == NULL)
        TRY(slab_make(size_class, &slab));
    struct cell *cell = slab->free_cell;
    slab->free_cell = cell->next;
    slab->refs++;
    if (slab->free_cell == NULL)
        list_remove(&slab->link);
    heap_class->used++;
    memset(cell, 0, (size_t)1 << (size_class + CELL_MIN_SHIFT));
    *memory = cell;
    return AX_OK;
}

static void cell_free(unsigned size_class, struct frame *slab, void *memory) {
    ASSERT(slab->state == FRAME_SLAB && slab->order == size_class && slab->refs > 0);
    struct cell *cell = memory;
    cell->next = slab->free_cell;
    slab->free_cell = cell;
    slab->refs--;
    kernel->heap.classes[size_class].used--;
    if (slab->refs == 0) {
        list_remove(&slab->link);
        slab->state = FRAME_USED;
        slab->account = NULL;
        slab->refs = 1;
        kernel->heap.slab_frames--;
        frame_unref(slab);
    } else if (!list_is_linked(&slab->link)) {
        list_prepend(&kernel->heap.classes[size_class].partial, &slab->link);
    }
}

ax_result heap_alloc(struct account *account, size_t size_bytes, void **memory) {
    unsigned shift = size_shift(size_bytes);
    unsigned order = shift_order(shift);
    if (order >= FRAME_ORDERS)
        return AX_ERR_LIMIT;
    if (alloc_fails())
        return AX_ERR_MEMORY;
    size_t charge = (size_t)1 << shift;
    if (account != NULL)
        TRY(account_charge(account, charge, 1));
    ax_result result;
    if (shift_is_run(shift)) {
        struct frame *run;
        result = frame_alloc(NULL, order, &run);
        if (result == AX_OK)
            *memory = frame_window(run);
    } else {
        result = cell_alloc(shift_class(shift), memory);
    }
    if (result != AX_OK) {
        if (account != NULL)
            account_uncharge(account, charge, 1);
        return result;
    }
    kernel->heap.used_bytes += charge;
    return AX_OK;
}

void heap_free(struct account *account, void *memory, size_t size_bytes) {
    if (memory == NULL)
        return;
    unsigned shift = size_shift(size_bytes);
    struct frame *frame = frame_of_window(memory);
    if (shift_is_run(shift)) {
        for (unsigned i = 0; i < 1U << shift_order(shift); i++)
            frame_unref(frame + i);
    } else {
        cell_free(shift_class(shift), frame, memory);
    }
    size_t charge = (size_t)1 << shift;
    kernel->heap.used_bytes -= charge;
    if (account != NULL)
        account_uncharge(account, charge, 1);
}
