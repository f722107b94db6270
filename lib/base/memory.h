/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * The four functions the compiler itself emits calls to. They behave as standard C says and are
 * defined by whatever the code is linked with: a libc on a host, the machine elsewhere. A host
 * program, such as a test, may include this and its libc's header.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
/* NOLINTBEGIN(readability-redundant-declaration) */
void *memcpy(void *restrict, const void *restrict, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
/* NOLINTEND(readability-redundant-declaration) */
#pragma GCC diagnostic pop
