/* SPDX-License-Identifier: MIT */
/* The stores of lib/stash, each counted, and perhaps the last. */
#include <stash/store.h>

#include <string.h>

#include "world.h"

/* In pieces of a page where they are many: what lies between two of them differs in nothing. */
static size_t piece_of(size_t size_bytes) {
    return size_bytes > 256 ? 256 : size_bytes;
}

void stash_store(void *to, const void *from, size_t size_bytes) {
    for (size_t done = 0; done < size_bytes;) {
        size_t piece = piece_of(size_bytes - done);
        memcpy((uint8_t *)to + done, (const uint8_t *)from + done, piece);
        done += piece;
        world_step();
    }
}

void stash_store_zero(void *to, size_t size_bytes) {
    memset(to, 0, size_bytes);
    world_step();
}

void stash_store_word(uint64_t *to, uint64_t value) {
    *to = value;
    world_step();
}
