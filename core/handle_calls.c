/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "calls.h"
#include "process.h"
#include "thread.h"

ax_result sys_handle_close(struct thread *thread, const uint64_t arguments[5]) {
    return handle_close(thread->process, (ax_handle)arguments[0]);
}

ax_result sys_handle_transfer(struct thread *thread, const uint64_t arguments[5]) {
    ax_handle handle = (ax_handle)arguments[1];
    uint64_t rights = arguments[3], flags = arguments[4];
    if ((flags & ~(uint64_t)(AX_TRANSFER_MOVE | AX_TRANSFER_SLOT | AX_TRANSFER_NOT_CLONED)) != 0 ||
        (rights & ~(uint64_t)AX_RIGHT_ALL) != 0)
        return AX_ERR_ARGUMENT;
    struct process *source;
    TRY(process_lookup(thread, (ax_handle)arguments[0], AX_RIGHT_HANDLES, &source));
    if (source->state != PROCESS_OPEN)
        return AX_ERR_ENDED;
    if ((flags & AX_TRANSFER_SLOT) != 0) { /* of whatever generation */
        bool exists = arguments[1] <= AX_HANDLE_INDEX_MASK;
        const struct slot *slot = exists ? handle_slot(&source->handles, handle) : NULL;
        if (slot == NULL || slot->object == NULL)
            return AX_ERR_NOT_FOUND;
        handle = handle_of(handle, slot);
    }
    struct object *object;
    uint32_t held;
    bool move = (flags & AX_TRANSFER_MOVE) != 0;
    TRY(handle_lookup_rights(source, handle, AX_TYPE_NONE, 0, &object, &held));
    if (object->type == AX_TYPE_REPLY)
        return AX_ERR_TYPE;
    if ((held & (move ? AX_RIGHT_MOVE : AX_RIGHT_COPY)) == 0)
        return AX_ERR_RIGHTS;
    struct place place;
    TRY(place_decode(thread, arguments[2], &place));

    uint32_t granted = held & (uint32_t)rights;
    if ((flags & AX_TRANSFER_NOT_CLONED) != 0)
        granted |= AX_HANDLE_NOT_CLONED;
    ax_handle made = place_put(&place, object, granted);
    if (move)
        (void)!handle_close(source, handle);
    return made;
}

#define LIST_STEPS 512 /* slots, or leaves without a handle, that one call looks at */
#define LIST_MAX   (AX_BUFFER_BYTES / sizeof(struct ax_handle_info))

ax_result sys_handle_list(struct thread *thread, const uint64_t arguments[5]) {
    struct process *process;
    TRY(process_lookup(thread, (ax_handle)arguments[0], AX_RIGHT_HANDLES, &process));
    const struct handle_table *table = &process->handles;
    uint64_t end = (uint64_t)table->leaf_capacity * SLOTS_PER_LEAF;
    bool is_hint = false;
    unsigned count = 0;
    uint64_t index = arguments[1];
    for (unsigned steps = 0; index < end && count < LIST_MAX && !is_hint; steps++) {
        struct ax_handle_info info = {.slot = (uint32_t)index};
        const struct slot *slot = handle_slot(table, info.slot);
        bool is_empty = slot == NULL || slot->object == NULL;
        is_hint = steps >= LIST_STEPS;
        if (!is_empty) {
            info.handle = handle_of(info.slot, slot);
            info.type = slot->object->type;
            info.rights = slot->rights;
            info.object_id = slot->object->id;
        }
        if (!is_empty || is_hint)
            memcpy(thread->page->buffer + count++ * sizeof(info), &info, sizeof(info));
        bool is_bare = table->leaves[index / SLOTS_PER_LEAF].used == 0;
        index += is_bare ? SLOTS_PER_LEAF - index % SLOTS_PER_LEAF : 1;
    }
    return count;
}
