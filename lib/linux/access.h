/* SPDX-License-Identifier: MIT */
/*
 * Memory of the program, which may be anything: these survive its faults. The personality touches
 * no pointer that it was given in any other way.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/layout.h>

#define ACCESS_CHECKED [[gnu::warn_unused_result]]

/* In entry.S: 0, or -EFAULT when the program's side of it faults (some may have been copied). */
ACCESS_CHECKED int64_t access_copy(void *to, const void *from, size_t size_bytes);
ACCESS_CHECKED int64_t access_zero(void *to, size_t size_bytes);
/* The word becomes `wanted` if it is `old`; *seen is what it was. Aligned. */
ACCESS_CHECKED int64_t access_exchange(uint32_t *word, uint32_t old, uint32_t wanted,
                                       uint32_t *seen);
/* The vector state of the thread to and from an area aligned to 64 bytes; mask 0: FXSAVE's. What
 * no processor takes back is -EFAULT as well. */
ACCESS_CHECKED int64_t access_save_vector(void *area, uint64_t mask);
ACCESS_CHECKED int64_t access_load_vector(const void *area, uint64_t mask);

/* Copies from and to an address that the program named. */
ACCESS_CHECKED int64_t user_read(void *to, uint64_t address, size_t size_bytes);
ACCESS_CHECKED int64_t user_write(uint64_t address, const void *from, size_t size_bytes);
ACCESS_CHECKED int64_t user_zero(uint64_t address, size_t size_bytes);
ACCESS_CHECKED int64_t user_exchange(uint64_t address, uint32_t old, uint32_t wanted,
                                     uint32_t *seen);

/* The same of a value of any type. */
#define user_get(value, address) user_read(value, address, sizeof(*(value)))
#define user_put(address, value) user_write(address, value, sizeof(*(value)))
