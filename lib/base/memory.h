/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * The four functions the compiler itself emits calls to. They behave as standard C says and are
 * defined by whatever the code is linked with: a libc on a host, the machine elsewhere.
 */
void *memcpy(void *restrict destination, const void *restrict source, size_t size);
void *memmove(void *destination, const void *source, size_t size);
void *memset(void *destination, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
