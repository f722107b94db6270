/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include <base/assert.h>
#include <base/hash.h>

/*
 * Repeatable pseudo-random numbers for tests and simulation (the splitmix64 sequence): the same
 * seed gives the same numbers everywhere. Never to be used where they must not be guessed.
 */
struct random {
    uint64_t state;
};

static inline void random_seed(struct random *random, uint64_t seed) {
    random->state = seed;
}

static inline uint64_t random_next(struct random *random) {
    uint64_t value = hash_mix(random->state);
    random->state += HASH_STEP;
    return value;
}

/* Evenly distributed over 0 to bound - 1; bound is not 0. */
static inline uint64_t random_below(struct random *random, uint64_t bound) {
    ASSERT(bound != 0);
    /* Drawing again below 2^64 mod bound leaves a whole multiple of bound. */
    uint64_t excess = (0 - bound) % bound;
    uint64_t value;
    do {
        value = random_next(random);
    } while (value < excess);
    return value % bound;
}
