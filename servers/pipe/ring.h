/* SPDX-License-Identifier: MIT */
/*
 * The bytes in a pipe: a ring of blocks in the stash, of which only those in use are there. What
 * was read stays where it was until the next transaction on the pipe, so that an answer's bytes can
 * be made once more.
 */
#pragma once

#include <stash/stash.h>

#define RING_BLOCK  4080 /* with its header 4096 */
#define RING_BLOCKS 18   /* in so many lie 64 KiB wherever they begin, and one block behind them */

struct ring {
    uint64_t head, tail; /* bytes ever read, and written */
    uint64_t freed;      /* blocks below this one are not there any more */
    uint8_t *blocks[RING_BLOCKS];
};

static inline uint64_t ring_used(const struct ring *ring) {
    return ring->tail - ring->head;
}

/* In a transaction, before anything else: frees what was read before. */
void ring_trim(struct stash *stash, struct ring *ring);
/* Adds bytes, for which there is room. False: the stash has none, and the transaction failed. */
bool ring_put(struct stash *stash, struct ring *ring, const void *from, size_t size_bytes);
/* Copies bytes from a position between head, or where it was at the last commit, and tail. */
void ring_copy(const struct ring *ring, uint64_t at, void *to, size_t size_bytes);
void ring_take(struct stash *stash, struct ring *ring, size_t size_bytes);
void ring_free(struct stash *stash, struct ring *ring);
