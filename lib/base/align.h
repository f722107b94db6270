/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_power_of_two(uint64_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

/* The alignment is a power of two in all of these. */

static inline uint64_t align_down(uint64_t value, uint64_t alignment) {
    return value & ~(alignment - 1);
}

/* Wraps to 0 when the result has no room; size_align_up is for values not known to be small. */
static inline uint64_t align_up(uint64_t value, uint64_t alignment) {
    return align_down(value + alignment - 1, alignment);
}

static inline bool is_aligned(uint64_t value, uint64_t alignment) {
    return (value & (alignment - 1)) == 0;
}

/* Checked arithmetic: false when the result does not fit, in which case it must not be used. */

__attribute__((warn_unused_result)) static inline bool size_add(size_t a, size_t b, size_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}

__attribute__((warn_unused_result)) static inline bool size_mul(size_t a, size_t b,
                                                                size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

__attribute__((warn_unused_result)) static inline bool size_align_up(size_t value, size_t alignment,
                                                                     size_t *aligned) {
    if (!size_add(value, alignment - 1, aligned))
        return false;
    *aligned = align_down(*aligned, alignment);
    return true;
}
