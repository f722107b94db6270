/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/memory.h>

/*
 * Hashes for tables and for telling states apart. Good mixing, no secrecy: whoever chooses the
 * input can make collisions. Results depend on the byte order of the machine.
 */

/* 2^64 divided by the golden ratio: odd, and its multiples spread evenly. */
#define HASH_STEP UINT64_C(0x9e3779b97f4a7c15)

/* A bijection in which each bit of the input changes about half of the result's bits. */
static inline uint64_t hash_mix(uint64_t value) {
    value += HASH_STEP; /* so that 0 is not mapped to 0 */
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* The size counts as well: zeros at the end change the hash. */
static inline uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed) {
    const unsigned char *at = bytes;
    uint64_t hash = hash_mix(seed ^ hash_mix(size));
    uint64_t word;
    for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        hash = hash_mix(hash ^ word);
    }
    if (size > 0) {
        word = 0;
        memcpy(&word, at, size);
        hash = hash_mix(hash ^ word);
    }
    return hash;
}
