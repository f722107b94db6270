/* SPDX-License-Identifier: MIT */
#include "handle.h"

#include <base/memory.h>

#include "frame.h"
#include "heap.h"
#include "process.h"
#include "thread.h"

_Static_assert(SLOTS_PER_LEAF * sizeof(struct slot) == AX_PAGE_SIZE, "a leaf is one frame");

ax_handle handle_of(uint32_t index, const struct slot *slot) {
    return index | (uint32_t)slot->generation << AX_HANDLE_INDEX_BITS;
}

struct slot *handle_slot(const struct handle_table *table, uint32_t index) {
    uint32_t leaf = index / SLOTS_PER_LEAF;
    if (index == 0 || leaf >= table->leaf_capacity || table->leaves[leaf].slots == NULL)
        return NULL;
    return &table->leaves[leaf].slots[index % SLOTS_PER_LEAF];
}

static struct slot *handle_find(const struct handle_table *table, ax_handle handle) {
    struct slot *slot = handle_slot(table, handle & AX_HANDLE_INDEX_MASK);
    if (slot == NULL || slot->object == NULL || slot->generation != handle >> AX_HANDLE_INDEX_BITS)
        return NULL;
    return slot;
}

ax_result handle_lookup_rights(struct process *process, ax_handle handle, enum ax_type type,
                               uint32_t rights, struct object **object, uint32_t *held) {
    const struct slot *slot = handle_find(&process->handles, handle);
    if (slot == NULL)
        return AX_ERR_HANDLE;
    if (type != AX_TYPE_NONE && slot->object->type != type)
        return AX_ERR_TYPE;
    if ((rights & ~slot->rights) != 0)
        return AX_ERR_RIGHTS;
    *object = slot->object;
    *held = slot->rights;
    return AX_OK;
}

ax_result handle_lookup(struct process *process, ax_handle handle, enum ax_type type,
                        uint32_t rights, struct object **object) {
    uint32_t held;
    return handle_lookup_rights(process, handle, type, rights, object, &held);
}

ax_result handle_get(const struct thread *thread, uint64_t handle, enum ax_type type,
                     uint32_t rights, void *object) {
    struct object *found;
    TRY(handle_lookup(thread->process, (ax_handle)handle, type, rights, &found));
    memcpy(object, &found, sizeof(void *)); /* whatever kind of pointer it is */
    return AX_OK;
}

/* ---- Room ------------------------------------------------------------------------------------ */

/* The array of leaves becomes long enough to hold this one. */
static ax_result table_extend(struct process *process, uint32_t leaf) {
    struct handle_table *table = &process->handles;
    uint32_t capacity = table->leaf_capacity > 0 ? table->leaf_capacity : 1;
    while (capacity <= leaf)
        capacity *= 2;
    if (capacity == table->leaf_capacity)
        return AX_OK;
    void *memory;
    TRY(heap_alloc(process->account, capacity * sizeof(struct leaf), &memory));
    size_t old_bytes = table->leaf_capacity * sizeof(struct leaf);
    if (old_bytes > 0)
        memcpy(memory, table->leaves, old_bytes);
    heap_free(process->account, table->leaves, old_bytes);
    table->leaves = memory;
    table->leaf_capacity = capacity;
    return AX_OK;
}

static uint32_t leaf_room(uint32_t leaf) {
    return leaf > 0 ? SLOTS_PER_LEAF : SLOTS_PER_LEAF - 1; /* there is no slot 0 */
}

static ax_result leaf_make(struct process *process, uint32_t leaf) {
    struct handle_table *table = &process->handles;
    ax_result result = table_extend(process, leaf);
    if (result != AX_OK || table->leaves[leaf].slots != NULL)
        return result;
    struct frame *frame;
    TRY(frame_alloc(process->account, 0, &frame));
    table->leaves[leaf].slots = frame_window(frame);
    table->slot_count += leaf_room(leaf);
    if (table->hint > leaf * SLOTS_PER_LEAF)
        table->hint = leaf * SLOTS_PER_LEAF;
    return AX_OK;
}

/* One leaf more, the first that is not there. */
static ax_result table_grow(struct process *process) {
    const struct handle_table *table = &process->handles;
    uint32_t leaf = 0;
    while (leaf < table->leaf_capacity && table->leaves[leaf].slots != NULL)
        leaf++;
    return leaf < HANDLE_LEAVES ? leaf_make(process, leaf) : AX_ERR_LIMIT;
}

ax_result handle_promise(struct process *process, unsigned count) {
    struct handle_table *table = &process->handles;
    ASSERT(count < SLOTS_PER_LEAF && table->used + table->promised <= table->slot_count);
    if (process->state != PROCESS_OPEN)
        return AX_ERR_ENDED;
    if (table->used + table->promised + count > table->slot_count)
        TRY(table_grow(process));
    table->promised += count;
    return AX_OK;
}

void handle_unpromise(struct process *process, unsigned count) {
    ASSERT(process->handles.promised >= count);
    process->handles.promised -= count;
}

/* ---- Slots are filled and emptied ------------------------------------------------------------ */

static void slot_fill(struct handle_table *table, uint32_t index, struct slot *slot,
                      struct object *object, uint32_t rights) {
    ASSERT(slot->object == NULL && object->type != AX_TYPE_NONE);
    object_handle_ref(object, rights);
    slot->object = object;
    slot->rights = rights;
    table->leaves[index / SLOTS_PER_LEAF].used++;
    table->used++;
}

static void slot_close(struct handle_table *table, uint32_t index, struct slot *slot) {
    struct object *object = slot->object;
    uint32_t rights = slot->rights;
    slot->object = NULL;
    slot->rights = 0;
    slot->generation = (slot->generation + 1) & AX_HANDLE_GENERATION_MASK;
    table->leaves[index / SLOTS_PER_LEAF].used--;
    table->used--;
    if (table->hint > index)
        table->hint = index;
    object_handle_unref(object, rights);
}

/* There is an empty one. At most HANDLE_LEAVES and two leaves of steps. */
static uint32_t table_first_empty(struct handle_table *table) {
    uint32_t index = table->hint > 0 ? table->hint : 1;
    for (;;) {
        ASSERT(index / SLOTS_PER_LEAF < table->leaf_capacity);
        const struct leaf *leaf = &table->leaves[index / SLOTS_PER_LEAF];
        if (leaf->slots == NULL || leaf->used == SLOTS_PER_LEAF)
            index = (index / SLOTS_PER_LEAF + 1) * SLOTS_PER_LEAF;
        else if (leaf->slots[index % SLOTS_PER_LEAF].object != NULL)
            index++;
        else
            break;
    }
    table->hint = index;
    return index;
}

ax_handle handle_put_promised(struct process *process, struct object *object, uint32_t rights) {
    struct place place = {.process = process};
    return place_put(&place, object, rights);
}

ax_result handle_close(struct process *process, ax_handle handle) {
    struct slot *slot = handle_find(&process->handles, handle);
    if (slot == NULL)
        return AX_ERR_HANDLE;
    slot_close(&process->handles, handle & AX_HANDLE_INDEX_MASK, slot);
    return AX_OK;
}

/* ---- Whole tables ---------------------------------------------------------------------------- */

bool handle_table_clear(struct process *process, unsigned *portion) {
    struct handle_table *table = &process->handles;
    ASSERT(table->promised == 0);
    for (uint32_t number = 0; number < table->leaf_capacity; number++) {
        struct leaf *leaf = &table->leaves[number];
        if (leaf->slots == NULL)
            continue;
        for (uint32_t i = 0; leaf->used > 0; i++) {
            struct slot *slot = &leaf->slots[i];
            if (slot->object == NULL)
                continue;
            if (!portion_take(portion))
                return false;
            slot_close(table, number * SLOTS_PER_LEAF + i, slot);
        }
        if (!portion_take(portion))
            return false;
        frame_unref(frame_of_window(leaf->slots));
        leaf->slots = NULL;
        table->slot_count -= leaf_room(number);
    }
    ASSERT(table->used == 0 && table->slot_count == 0);
    heap_free(process->account, table->leaves, table->leaf_capacity * sizeof(struct leaf));
    *table = (struct handle_table){0};
    return true;
}

ax_result handle_table_clone(struct process *parent, struct process *child, uint64_t *cursor,
                             unsigned *portion) {
    const struct handle_table *table = &parent->handles;
    for (; *cursor / SLOTS_PER_LEAF < table->leaf_capacity; ++*cursor) {
        if (!portion_take(portion))
            return RESULT_RESTART;
        const struct leaf *leaf = &table->leaves[*cursor / SLOTS_PER_LEAF];
        if (leaf->slots == NULL) {
            *cursor |= SLOTS_PER_LEAF - 1; /* the last of this leaf */
            continue;
        }
        TRY(leaf_make(child, *cursor / SLOTS_PER_LEAF));
        const struct slot *from = &leaf->slots[*cursor % SLOTS_PER_LEAF];
        struct slot *to =
            &child->handles.leaves[*cursor / SLOTS_PER_LEAF].slots[*cursor % SLOTS_PER_LEAF];
        to->generation = from->generation;
        if (from->object != NULL && (from->rights & AX_HANDLE_NOT_CLONED) == 0 &&
            from->object->type != AX_TYPE_REPLY && from->object->type != AX_TYPE_DEVICE)
            slot_fill(&child->handles, *cursor, to, from->object, from->rights);
    }
    return AX_OK;
}

/* ---- Places ---------------------------------------------------------------------------------- */

ax_result place_decode(struct thread *thread, ax_place place, struct place *decoded) {
    uint64_t slot = place >> 32;
    TRY(process_lookup(thread, (ax_handle)place, AX_RIGHT_HANDLES, &decoded->process));
    if (slot > AX_HANDLE_INDEX_MASK)
        return AX_ERR_ARGUMENT;
    decoded->slot = (uint32_t)slot;
    struct process *process = decoded->process;
    if (process->state != PROCESS_OPEN)
        return AX_ERR_ENDED;
    const struct slot *taken = handle_slot(&process->handles, decoded->slot);
    if (taken != NULL && taken->object != NULL)
        return AX_ERR_EXISTS;
    if (slot != 0 && taken == NULL)
        TRY(leaf_make(process, decoded->slot / SLOTS_PER_LEAF));
    return handle_promise(process, 1);
}

ax_handle place_put(struct place *place, struct object *object, uint32_t rights) {
    struct handle_table *table = &place->process->handles;
    uint32_t index = place->slot != 0 ? place->slot : table_first_empty(table);
    struct slot *slot = handle_slot(table, index);
    ASSERT(slot != NULL);
    handle_unpromise(place->process, 1);
    slot_fill(table, index, slot, object, rights);
    return handle_of(index, slot);
}

void place_cancel(struct place *place) {
    handle_unpromise(place->process, 1);
}

ax_result place_made(struct place *place, ax_result result, void *object, uint32_t rights) {
    if (result != AX_OK) {
        place_cancel(place);
        return result;
    }
    ax_handle handle = place_put(place, object, rights);
    object_unref(object);
    return handle;
}
