/* SPDX-License-Identifier: MIT */
#include "heap.h"

#include <base/bitmap.h>
#include <base/memory.h>

#include "account.h"
#include "kernel.h"

#define CELL_MIN ((size_t)32)
/* Above it whole frames are taken. */
#define CELL_MAX (CELL_MIN << (HEAP_CLASSES - 1))
#define RUN_MAX  ((size_t)AX_PAGE_SIZE << (FRAME_ORDERS - 1))

_Static_assert(CELL_MAX == AX_PAGE_SIZE / 2, "two cells of the last class fill a slab");

/* A free cell of a slab begins with the address of the next. */
struct cell {
    struct cell *next;
};

void heap_init(void) {
    kernel->heap = (struct heap){0};
    for (unsigned size_class = 0; size_class < HEAP_CLASSES; size_class++)
        list_init(&kernel->heap.partial[size_class]);
}

size_t heap_charge(size_t size_bytes) {
    ASSERT(size_bytes > 0);
    return size_bytes <= CELL_MIN ? CELL_MIN : (size_t)2 << bits_highest(size_bytes - 1);
}

/* The slabs with a free cell of that many bytes. */
static struct list *cell_slabs(size_t cell_bytes) {
    return &kernel->heap.partial[bits_highest(cell_bytes / CELL_MIN)];
}

static ax_result slab_make(size_t cell_bytes, struct frame **slab) {
    TRY(frame_alloc(NULL, 0, slab));
    struct frame *frame = *slab;
    frame->state = FRAME_SLAB;
    frame->order = (uint8_t)bits_highest(cell_bytes);
    frame->refs = 0;
    char *window = frame_window(frame);
    struct cell *next = NULL;
    for (size_t at = AX_PAGE_SIZE; at > 0; next = (struct cell *)(void *)(window + at)) {
        at -= cell_bytes;
        ((struct cell *)(void *)(window + at))->next = next;
    }
    frame->free_cell = next;
    list_init(&frame->link);
    list_append(cell_slabs(cell_bytes), &frame->link);
    return AX_OK;
}

static ax_result cell_alloc(size_t cell_bytes, void **memory) {
    struct list *first = list_first(cell_slabs(cell_bytes));
    struct frame *slab = first != NULL ? list_entry(first, struct frame, link) : NULL;
    if (slab == NULL)
        TRY(slab_make(cell_bytes, &slab));
    struct cell *cell = slab->free_cell;
    slab->free_cell = cell->next;
    slab->refs++;
    if (slab->free_cell == NULL)
        list_remove(&slab->link);
    memset(cell, 0, cell_bytes);
    *memory = cell;
    return AX_OK;
}

static void cell_free(size_t cell_bytes, struct frame *slab, struct cell *cell) {
    ASSERT(slab->state == FRAME_SLAB && slab->refs > 0);
    ASSERT(slab->order == bits_highest(cell_bytes));
    cell->next = slab->free_cell;
    slab->free_cell = cell;
    slab->refs--;
    if (slab->refs == 0) {
        list_remove(&slab->link);
        slab->state = FRAME_USED;
        slab->account = NULL;
        slab->refs = 1;
        frame_unref(slab);
    } else if (!list_is_linked(&slab->link)) {
        list_prepend(cell_slabs(cell_bytes), &slab->link);
    }
}

static ax_result run_alloc(size_t run_bytes, void **memory) {
    struct frame *run;
    TRY(frame_alloc(NULL, bits_highest(run_bytes / AX_PAGE_SIZE), &run));
    *memory = frame_window(run);
    return AX_OK;
}

ax_result heap_alloc(struct account *account, size_t size_bytes, void *memory) {
    size_t charge = heap_charge(size_bytes);
    if (charge > RUN_MAX)
        return AX_ERR_LIMIT;
    if (alloc_fails())
        return AX_ERR_MEMORY;
    TRY(account_charge(account, charge, 1));
    ax_result result = charge > CELL_MAX ? run_alloc(charge, memory) : cell_alloc(charge, memory);
    if (result != AX_OK) {
        account_uncharge(account, charge, 1);
        return result;
    }
    kernel->heap.used_bytes += charge;
    return AX_OK;
}

void heap_free(struct account *account, void *memory, size_t size_bytes) {
    if (memory == NULL)
        return;
    size_t charge = heap_charge(size_bytes);
    struct frame *frame = frame_of_window(memory);
    if (charge <= CELL_MAX)
        cell_free(charge, frame, memory);
    for (size_t i = 0; i < charge / AX_PAGE_SIZE; i++)
        frame_unref(frame + i);
    kernel->heap.used_bytes -= charge;
    account_uncharge(account, charge, 1);
}
