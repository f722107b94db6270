/* SPDX-License-Identifier: MIT */
/*
 * All stores to stash memory. A program gets those of store.c; a test can link others ahead of them
 * that count, and stop at the Nth.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void stash_store(void *to, const void *from, size_t size_bytes);
void stash_store_zero(void *to, size_t size_bytes);

/* One store of 8 bytes; all before it in the program are made before it, all after it after it. */
void stash_store_word(uint64_t *to, uint64_t value);
