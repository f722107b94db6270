/* SPDX-License-Identifier: MIT */
/* Stores to the stash, ahead of the library's own: after each the driver may die. */
#include <stash/store.h>
#include <string.h>

#include "world.h"

void stash_store(void *to, const void *from, size_t size_bytes) {
    memcpy(to, from, size_bytes);
    world_step();
}

void stash_store_zero(void *to, size_t size_bytes) {
    memset(to, 0, size_bytes);
    world_step();
}

void stash_store_word(uint64_t *to, uint64_t value) {
    *to = value;
    world_step();
}
