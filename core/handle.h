/* SPDX-License-Identifier: MIT */
/* A process's handle table: leaves of 256 slots, made when needed, gone with the process. */
#pragma once

#include "object.h"

#define SLOTS_PER_LEAF 256
#define HANDLE_LEAVES  ((1U << AX_HANDLE_INDEX_BITS) / SLOTS_PER_LEAF)

struct slot {
    struct object *object; /* NULL: empty */
    uint32_t rights;       /* with AX_HANDLE_NOT_CLONED */
    uint16_t generation;
};

struct leaf {
    struct slot *slots; /* one frame; NULL: not there yet (named slots can make it out of order) */
    uint32_t used;
};

struct handle_table {
    struct leaf *leaves; /* heap, leaf_capacity long, grows by doubling */
    uint32_t leaf_capacity;
    uint32_t slot_count; /* slots in leaves that are there, without slot 0 */
    uint32_t used;
    uint32_t promised; /* reserved by handle_promise; used + promised <= slot_count always */
    uint32_t hint;     /* no slot below it is empty */
};

/* The slot at an index, empty or not; NULL: none there yet, or index 0. */
struct slot *handle_slot(const struct handle_table *table, uint32_t index);

/* The handle that names what is in a slot. */
ax_handle handle_of(uint32_t index, const struct slot *slot);

/* The object a handle names, of this type (AX_TYPE_NONE: any) and with all these rights; not
 * referenced. Errors: HANDLE, TYPE, RIGHTS, in this order. */
MUST_USE ax_result handle_lookup(struct process *process, ax_handle handle, enum ax_type type,
                                 uint32_t rights, struct object **object);
/* The same, with the handle's own rights. */
MUST_USE ax_result handle_lookup_rights(struct process *process, ax_handle handle,
                                        enum ax_type type, uint32_t rights, struct object **object,
                                        uint32_t *held);

/* For a handle in an argument of a call of the thread; `object` points to the pointer to the type's
 * structure. */
MUST_USE ax_result handle_get(const struct thread *thread, uint64_t handle, enum ax_type type,
                              uint32_t rights, void *object);

/*
 * Promises room for that many handles, so that handle_put_promised cannot fail. Errors: LIMIT,
 * MEMORY, and then nothing was promised.
 */
MUST_USE ax_result handle_promise(struct process *process, unsigned count);
void handle_unpromise(struct process *process, unsigned count);

/* Makes a handle (its own ref) in promised room; the promise is used up. */
ax_handle handle_put_promised(struct process *process, struct object *object, uint32_t rights);

/* Closes: empties the slot and drops the handle ref. HANDLE: names nothing. */
MUST_USE ax_result handle_close(struct process *process, ax_handle handle);

/* Closes up to *portion handles; true when the table is empty and its memory is given back. */
bool handle_table_clear(struct process *process, unsigned *portion);

/*
 * Copies the parent's slots from *cursor on to the same places in the child, all but replies,
 * devices and not-cloned ones, up to *portion slots. Generations of empty slots too.
 * RESTART: there are more; LIMIT, MEMORY.
 */
MUST_USE ax_result handle_table_clone(struct process *parent, struct process *child,
                                      uint64_t *cursor, unsigned *portion);

/* An ax_place that was checked: the process, a slot or 0, and room promised there. */
struct place {
    struct process *process;
    uint32_t slot;
};

/*
 * Decodes an ax_place given by the thread and promises the room. After it either place_put or
 * place_cancel is called, within the same portion of kernel work. Errors: those of the process
 * handle, EXISTS, ENDED, LIMIT, MEMORY.
 */
MUST_USE ax_result place_decode(struct thread *thread, ax_place place, struct place *decoded);
ax_handle place_put(struct place *place, struct object *object, uint32_t rights);
void place_cancel(struct place *place);

/*
 * The usual end of a call that makes an object: puts it (its structure), drops the maker's ref, and
 * answers the handle as a result. If making it had another result than AX_OK (`object` may be
 * NULL then): cancels the place, and answers that.
 */
MUST_USE ax_result place_made(struct place *place, ax_result result, void *object, uint32_t rights);
