/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <base/memory.h>

/* How many bytes from there lie in one block, at most so many. */
static size_t piece_at(uint64_t at, size_t size_bytes) {
    size_t left = RING_BLOCK - at % RING_BLOCK;
    return left < size_bytes ? left : size_bytes;
}

static unsigned block_index(uint64_t at) {
    return (unsigned)(at / RING_BLOCK % RING_BLOCKS);
}

void ring_trim(struct stash *stash, struct ring *ring) {
    uint64_t freed = ring->freed;
    for (; freed < ring->head / RING_BLOCK; freed++) {
        unsigned i = (unsigned)(freed % RING_BLOCKS);
        stash_free(stash, ring->blocks[i]);
        STASH_SET(stash, ring->blocks[i], NULL);
    }
    if (freed != ring->freed)
        STASH_SET(stash, ring->freed, freed);
}

bool ring_put(struct stash *stash, struct ring *ring, const void *from, size_t size_bytes) {
    const uint8_t *source = from;
    uint64_t at = ring->tail;
    while (size_bytes > 0) {
        size_t piece = piece_at(at, size_bytes);
        uint8_t *block = STASH_GET(stash, ring->blocks[block_index(at)]);
        if (block == NULL) {
            block = stash_alloc(stash, RING_BLOCK);
            if (block == NULL)
                return false;
            STASH_SET(stash, ring->blocks[block_index(at)], block);
        }
        stash_write(stash, block + at % RING_BLOCK, source, piece);
        source += piece;
        at += piece;
        size_bytes -= piece;
    }
    STASH_SET(stash, ring->tail, at);
    return true;
}

void ring_copy(const struct ring *ring, uint64_t at, void *to, size_t size_bytes) {
    uint8_t *target = to;
    while (size_bytes > 0) {
        size_t piece = piece_at(at, size_bytes);
        memcpy(target, ring->blocks[block_index(at)] + at % RING_BLOCK, piece);
        target += piece;
        at += piece;
        size_bytes -= piece;
    }
}

void ring_take(struct stash *stash, struct ring *ring, size_t size_bytes) {
    STASH_SET(stash, ring->head, ring->head + size_bytes);
}

void ring_free(struct stash *stash, struct ring *ring) {
    for (unsigned i = 0; i < RING_BLOCKS; i++)
        stash_free(stash, ring->blocks[i]);
}
