/* SPDX-License-Identifier: MIT */
/*
 * What compilers emit calls to, for programs without a C library. The string instructions are what
 * processors are fastest with at any size, where vector registers may not be used.
 */
#include <base/memory.h>

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes) {
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size_bytes) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t size_bytes) {
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size_bytes) : "a"(byte) : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size_bytes) {
    if ((uintptr_t)to - (uintptr_t)from >= size_bytes)
        return memcpy(to, from, size_bytes);
    /* The target begins inside the source: from the end backwards. */
    char *at = (char *)to + size_bytes - 1;
    const char *last = (const char *)from + size_bytes - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(at), "+S"(last), "+c"(size_bytes) : : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size_bytes) {
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size_bytes; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}
