/* SPDX-License-Identifier: MIT */
/* What the processor says of itself to programs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ax_cpu_id {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct ax_cpu_id ax_cpu_id(uint32_t leaf, uint32_t subleaf) {
    struct ax_cpu_id id;
    __asm__("cpuid"
            : "=a"(id.eax), "=b"(id.ebx), "=c"(id.ecx), "=d"(id.edx)
            : "a"(leaf), "c"(subleaf));
    return id;
}

/* The features bits of AT_HWCAP. */
static inline uint32_t ax_cpu_features(void) {
    return ax_cpu_id(1, 0).edx;
}

#define AX_CPU_LEGACY_BYTES 512 /* of what FXSAVE writes */
#define AX_CPU_XSAVE_HEADER 64
#define AX_CPU_OSXSAVE      (1U << 27)
/* The tiles' state, 8 KiB, which programs have only after asking for it: nobody can here. */
#define AX_CPU_TILES (UINT64_C(3) << 17)

/* The state components that XSAVE keeps for programs; 0: the machine has only FXSAVE. */
static inline uint64_t ax_cpu_vector_mask(void) {
    uint32_t low, high;
    if ((ax_cpu_id(1, 0).ecx & AX_CPU_OSXSAVE) == 0)
        return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32 | low) & ~AX_CPU_TILES;
}

/* How long the area for these components is, in XSAVE's standard format. */
static inline size_t ax_cpu_vector_bytes(uint64_t mask) {
    if (mask == 0)
        return AX_CPU_LEGACY_BYTES;
    size_t size = AX_CPU_LEGACY_BYTES + AX_CPU_XSAVE_HEADER;
    for (uint32_t component = 2; component < 63; component++) {
        if ((mask >> component & 1) == 0)
            continue;
        struct ax_cpu_id id = ax_cpu_id(0xd, component);
        if ((size_t)id.ebx + id.eax > size)
            size = (size_t)id.ebx + id.eax;
    }
    return size;
}

/*
 * A signal frame: what lies below the interrupted stack pointer (the red zone), the vector state
 * with its end mark, registers and signal information as Linux lays them out, and what aligning
 * takes.
 */
#define AX_CPU_SIGNAL_FIXED (128 + 440 + 8 + 16 + 64 + 8)

/* The most that a signal frame takes of a stack (AT_MINSIGSTKSZ), a multiple of 16. */
static inline size_t ax_cpu_signal_bytes(size_t vector_bytes) {
    size_t size = AX_CPU_SIGNAL_FIXED + vector_bytes;
    return (size + 15) & ~(size_t)15;
}
