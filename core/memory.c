/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include "calls.h"
#include "device.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

/*
 * A tree of height h holds the pages below FANOUT^h. A node holds nodes of the height below, or
 * frames at height 1. No node is empty, and a root holds more than its first entry, so that the
 * tree's shape follows from the pages present.
 */
#define FANOUT     (1U << MEMORY_FANOUT_SHIFT)
#define HEIGHT_MAX 6U

_Static_assert(MEMORY_PAGES_MAX <= UINT64_C(1) << (HEIGHT_MAX * MEMORY_FANOUT_SHIFT),
               "a tree of full height holds every page");

struct node {
    void *entries[FANOUT];
};

static uint64_t height_pages(unsigned height) {
    return UINT64_C(1) << (height * MEMORY_FANOUT_SHIFT);
}

/* Where a page lies in a node of this height (1: leaf). */
static unsigned node_index(uint64_t page, unsigned height) {
    return (unsigned)(page >> ((height - 1) * MEMORY_FANOUT_SHIFT)) % FANOUT;
}

/* The first entry in use from an index on, or FANOUT. */
static unsigned node_next(const struct node *node, unsigned index) {
    while (index < FANOUT && node->entries[index] == NULL)
        index++;
    return index;
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

/* The place below a root that holds the page's frame; NULL: a node on the way is not there. */
static void **node_entry(void **root, unsigned height, uint64_t page) {
    if (page >= height_pages(height))
        return NULL;
    void **entry = root;
    for (; height > 0; height--) {
        struct node *node = *entry;
        if (node == NULL)
            return NULL;
        entry = &node->entries[node_index(page, height)];
    }
    return entry;
}

struct frame *memory_find(const struct memory *memory, uint64_t page) {
    void *root = memory->root;
    void **entry = node_entry(&root, memory->height, page);
    return entry != NULL ? *entry : NULL;
}

uint64_t memory_next(const struct memory *memory, uint64_t page) {
    while (page < height_pages(memory->height) && memory->root != NULL) {
        void *at = memory->root;
        unsigned height = memory->height;
        while (height > 0) {
            unsigned wanted = node_index(page, height);
            unsigned index = node_next(at, wanted);
            if (index == FANOUT)
                break;
            uint64_t below = height_pages(height - 1);
            if (index != wanted)
                page = (page / (below * FANOUT) * FANOUT + index) * below;
            at = ((struct node *)at)->entries[index];
            height--;
        }
        if (height == 0)
            return page;
        /* Nothing more in this node: on with the one beside it. There are no empty nodes, so this
         * happens at most once a height. */
        page = (page / height_pages(height) + 1) * height_pages(height);
    }
    return UINT64_MAX;
}

static void node_free(struct memory *memory, struct node *node) {
    heap_free(memory->object.account, node, sizeof(*node));
}

/* Frees the empty nodes above a page that is not there, and roots that hold their first entry only.
 */
static void memory_trim(struct memory *memory, uint64_t page) {
    void **path[HEIGHT_MAX];
    unsigned depth = 0;
    void **entry = &memory->root;
    for (unsigned height = memory->height; height > 0 && *entry != NULL; height--) {
        path[depth++] = entry;
        entry = &((struct node *)*entry)->entries[node_index(page, height)];
    }
    while (depth > 0 && node_next(*path[depth - 1], 0) == FANOUT) {
        depth--;
        node_free(memory, *path[depth]);
        *path[depth] = NULL;
    }
    if (memory->root == NULL)
        memory->height = 0;
    struct node *root;
    while (memory->height > 0 && (root = memory->root) != NULL && node_next(root, 1) == FANOUT) {
        memory->root = root->entries[0];
        memory->height--;
        node_free(memory, root);
    }
}

/* Makes the tree high enough for the page. */
static ax_result memory_grow(struct memory *memory, uint64_t page) {
    while (page >= height_pages(memory->height)) {
        if (memory->root != NULL) {
            void *cell;
            TRY(heap_alloc(memory->object.account, sizeof(struct node), &cell));
            ((struct node *)cell)->entries[0] = memory->root;
            memory->root = cell;
        }
        memory->height++;
    }
    return AX_OK;
}

/* Makes the nodes down to the page, and answers where its frame goes. */
static ax_result memory_dig(struct memory *memory, uint64_t page, void ***entry) {
    TRY(memory_grow(memory, page));
    *entry = &memory->root;
    for (unsigned height = memory->height; height > 0; height--) {
        if (**entry == NULL)
            TRY(heap_alloc(memory->object.account, sizeof(struct node), *entry));
        *entry = &((struct node *)**entry)->entries[node_index(page, height)];
    }
    return AX_OK;
}

ax_result memory_insert(struct memory *memory, uint64_t page, struct frame *frame) {
    ASSERT(page < MEMORY_PAGES_MAX);
    void **entry;
    ax_result result = memory_dig(memory, page, &entry);
    if (result != AX_OK) {
        memory_trim(memory, page);
        return result;
    }
    ASSERT(*entry == NULL);
    *entry = frame;
    memory->present++;
    return AX_OK;
}

struct frame *memory_replace(struct memory *memory, uint64_t page, struct frame *frame) {
    void **entry = node_entry(&memory->root, memory->height, page);
    ASSERT(entry != NULL && *entry != NULL);
    struct frame *old = *entry;
    *entry = frame;
    return old;
}

struct frame *memory_remove(struct memory *memory, uint64_t page) {
    void **entry = node_entry(&memory->root, memory->height, page);
    if (entry == NULL || *entry == NULL)
        return NULL;
    struct frame *frame = *entry;
    *entry = NULL;
    memory->present--;
    memory_trim(memory, page);
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

/* The shortest run that holds so many pages; FRAME_ORDERS: none does. */
static unsigned pages_order(uint64_t page_count) {
    unsigned order = 0;
    while (order < FRAME_ORDERS && UINT64_C(1) << order < page_count)
        order++;
    return order;
}

bool memory_prepare(uint64_t page_count, uint64_t progress[2], unsigned *portion) {
    unsigned order = pages_order(page_count);
    return order == FRAME_ORDERS || frame_prepare(order, progress, portion);
}

/* Gives an object without pages all of them, in one run, or none. */
static ax_result memory_fill(struct memory *memory) {
    unsigned order = pages_order(memory->page_count);
    if (order == FRAME_ORDERS)
        return AX_ERR_LIMIT;
    struct frame *run;
    TRY(frame_alloc(memory->object.account, order, &run));
    ax_result result = AX_OK;
    for (uint64_t page = 0; page < UINT64_C(1) << order; page++) {
        if (result == AX_OK && page < memory->page_count)
            result = memory_insert(memory, page, &run[page]);
        if (result != AX_OK || page >= memory->page_count)
            frame_unref(&run[page]);
    }
    unsigned portion = UINT32_MAX;
    bool is_settled = result == AX_OK || memory_drop(memory, 0, UINT64_MAX, &portion);
    ASSERT(is_settled);
    return result;
}

ax_result memory_make_contiguous(struct account *account, uint64_t page_count,
                                 struct memory **memory) {
    TRY(memory_make(account, page_count, memory));
    (*memory)->flags = AX_MEMORY_CONTIGUOUS;
    ax_result result = memory_fill(*memory);
    if (result != AX_OK)
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
    unsigned portion = WORK_PORTION;
    if (is_contiguous && !memory_prepare(page_count, thread->progress, &portion))
        return RESULT_RESTART;
    struct place place;
    TRY(place_decode(thread, arguments[2], &place));
    struct account *account = thread->process->account;
    struct memory *memory = NULL;
    ax_result result = is_contiguous ? memory_make_contiguous(account, page_count, &memory)
                                     : memory_make(account, page_count, &memory);
    return place_made(&place, result, memory, AX_RIGHT_ALL);
}

/* Hides and frees what is left beyond the end, up to *portion; true: nothing is. */
static bool memory_cut(struct memory *memory, unsigned *portion) {
    while (memory->untrimmed > 0) {
        struct list *first = list_first(&memory->regions);
        if (first == NULL)
            break;
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
