/* SPDX-License-Identifier: MIT */
/*
 * The shelf: a small server that puts things of all kinds into its stash, and the reference, which
 * says in plain arrays what must be there. An operation is a call to that server: one transaction
 * with the call's answer in it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "stash_world.h"

#define SHELF_ITEMS      6
#define SHELF_BYTES      600
#define SHELF_CALLER     77
#define SHELF_KIND_COUNT 6

enum shelf_kind {
    SHELF_ADD,    /* an item with bytes, a badge and, if the seed is odd, a handle */
    SHELF_REMOVE, /* and what it has */
    SHELF_CHANGE, /* parts of its bytes, written over each other */
    SHELF_GROW,   /* the same item in a larger block */
    SHELF_SWAP,   /* with its neighbour */
    SHELF_HAND,   /* answers with a handle */
};

struct shelf_call {
    enum shelf_kind kind;
    bool aborted; /* the server changes its mind */
    unsigned index;
    uint32_t size;
    uint64_t seed;
    uint64_t sequence; /* of the call's id */
};

struct reference_item {
    bool present;
    uint32_t size;
    uint32_t handle; /* 0: none */
    uint8_t bytes[SHELF_BYTES];
};

struct reference {
    struct reference_item items[SHELF_ITEMS];
    uint64_t sum;
};

/* A random call that makes sense after those in the reference. */
struct shelf_call shelf_choose(uint64_t random, const struct reference *reference,
                               uint64_t sequence);

/* What the call changes, and what it is answered. */
void reference_apply(struct reference *reference, const struct shelf_call *call);

/* The server's own first transaction. */
void shelf_create(void);

/*
 * The server's side of a call, from receiving it to having answered. *answered becomes true in the
 * moment in which the kernel takes the answer.
 */
void shelf_serve(const struct shelf_call *call, bool *answered);

/* Whether the stash has this call's answer, which is then the right one, with its handle. */
bool shelf_has_answer(const struct shelf_call *call, int *index);

/*
 * All of the stash is as the reference says: items, bytes, badges, handles; and each used block of
 * the heap is known. With `went_back` handles may be missing, not wrong.
 */
void shelf_compare(const struct reference *reference, bool went_back);
