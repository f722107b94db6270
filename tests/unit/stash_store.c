/* SPDX-License-Identifier: MIT */
/* The stores of lib/stash as a test wants them: in words, each counted, and perhaps the last. */
#include <stash/store.h>

#include <string.h>

#include "stash_world.h"

void stash_store(void *to, const void *from, size_t size_bytes) {
    uint8_t *at = to;
    const uint8_t *source = from;
    while (size_bytes > 0) {
        size_t piece = 8 - (uintptr_t)at % 8;
        if (piece > size_bytes)
            piece = size_bytes;
        memcpy(at, source, piece);
        at += piece;
        source += piece;
        size_bytes -= piece;
        world_step();
    }
}

void stash_store_zero(void *to, size_t size_bytes) {
    static const uint8_t zeroes[64];
    uint8_t *at = to;
    while (size_bytes > 0) {
        size_t piece = size_bytes < sizeof(zeroes) ? size_bytes : sizeof(zeroes);
        stash_store(at, zeroes, piece);
        at += piece;
        size_bytes -= piece;
    }
}

void stash_store_word(uint64_t *to, uint64_t value) {
    *to = value;
    world_step();
}
