/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <base/memory.h>

void stash_store(void *to, const void *from, size_t size_bytes) {
    memcpy(to, from, size_bytes);
}

void stash_store_zero(void *to, size_t size_bytes) {
    memset(to, 0, size_bytes);
}

/*
 * Only the compiler has to be held back. Memory is not lost when a process dies: of its thread's
 * stores the processor has made all up to some instruction and none after it, and whoever looks
 * at them does so after the kernel has seen the end of the process, on whatever CPU.
 */
void stash_store_word(uint64_t *to, uint64_t value) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
