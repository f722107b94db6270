/* SPDX-License-Identifier: MIT */
/* Registers that the stub relies on, or seems to: stack pointer, bases, flags, keys. */
#include "hostile.h"

#include <cpuid.h>

extern const char code_trap[], code_spin[], code_kernel_call[], code_syscall[], code_gs[],
    code_fs[], code_gs_call[], code_gs_spin[], code_pkru[], code_seize_stack[];

/* What is done with a register that is odd: the ways into the stub. */
static uint64_t way(uint64_t index) {
    const char *const ways[] = {code_trap, code_kernel_call, code_syscall, code_seize_stack,
                                code_spin};
    return (uint64_t)ways[index % COUNT(ways)];
}

#define WAYS 5

/* Addresses to point registers at. */
static uint64_t odd_address(uint64_t index) {
    uint64_t own = (uint64_t)area_of(thread_slot());
    const uint64_t addresses[] = {
        own + STUB_AREA_BYTES,
        own + STUB_AREA_BYTES - 8,
        own + STUB_AREA_BYTES / 2,
        own + STUB_SIGNAL_STACK + 4096,
        own + STUB_SIGNAL_STACK + 8,
        own + STUB_SIGNAL_STACK,
        own + STUB_SIGNAL_STACK - 8,
        own + STUB_FIXED + 8,
        own + 256,
        own + 8,
        own,
        own + 2 * STUB_AREA_BYTES,
        STUB_TEXT + 64,
        STUB_CONSTANTS + 64,
        STUB_ORDERS + 64,
        AX_KERNEL_PAGE + 64,
        AX_THREAD_PAGES,
        AX_THREAD_PAGES + 64,
        AX_THREAD_PAGES + AX_PAGE_SIZE * 4095,
        AX_PERSONALITY_START,
        AX_USER_END,
        AX_USER_END - 8,
        UINT64_C(0x7ffffffff000),
        UINT64_C(0x800000000000),
        UINT64_C(0x1234567890abcdef),
        UINT64_C(0xffff800000000000),
        UINT64_C(0xffffffff81000000),
        UINT64_C(0xffffffffff600000),
        UINT64_MAX,
        UINT64_MAX - 7,
        8,
        0,
    };
    return addresses[index % COUNT(addresses)];
}

#define ODD_ADDRESSES 32

static int stack_pointer(uint64_t argument) {
    struct jump jump;
    jump_prepare(&jump, way(argument / ODD_ADDRESSES));
    jump.rsp = odd_address(argument % ODD_ADDRESSES);
    jump_run(&jump);
    return 0;
}

static int base_gs(uint64_t argument) {
    const char *const codes[] = {code_gs, code_gs_call, code_gs_spin};
    struct jump jump;
    jump_prepare(&jump, (uint64_t)codes[argument / ODD_ADDRESSES]);
    jump.regs.rbx = odd_address(argument % ODD_ADDRESSES);
    jump_run(&jump);
    return 0;
}

static int base_fs(uint64_t argument) {
    struct jump jump;
    jump_prepare(&jump, (uint64_t)code_fs);
    jump.regs.rbx = odd_address(argument);
    jump_run(&jump);
    return 0;
}

/* Each flag, and all together; the processor or the machine drops what a program may not have. */
static int flags(uint64_t argument) {
    struct jump jump;
    jump_prepare(&jump, way(argument / 23));
    uint64_t bit = argument % 23;
    jump.rflags = bit == 22 ? UINT64_C(0x254fd5) : 0x202 | UINT64_C(1) << bit;
    jump_run(&jump);
    return 0;
}

static bool has_keys(void) {
    unsigned a, b, c = 0, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & (1U << 4)) != 0;
}

static int keys(uint64_t argument) {
    static const uint32_t values[] = {1, 2, 3, 0x55555555, 0xaaaaaaaa, 0xffffffff, 0xfffffffc};
    struct jump jump;
    if (!has_keys())
        return 0;
    jump_prepare(&jump, (uint64_t)code_pkru);
    jump.regs.rbx = values[argument % 7];
    jump.regs.rsi = way(argument / 7);
    jump_run(&jump);
    return 0;
}

/* MXCSR with every exception unmasked and every one pending, and x87 likewise. */
static int vectors(uint64_t argument) {
    uint32_t mxcsr = argument % 2 != 0 ? 0x1fbf : 0x003f;
    uint16_t control = 0;
    struct jump jump;
    __asm__ volatile("ldmxcsr %0\n fldcw %1\n" ::"m"(mxcsr), "m"(control));
    jump_prepare(&jump, way(argument / 2));
    jump_run(&jump);
    return 0;
}

const struct attack attacks_registers[] = {
    {"stack-pointer", stack_pointer, ODD_ADDRESSES *WAYS, END_ANY, 100, 0},
    {"base-gs", base_gs, ODD_ADDRESSES * 3, END_ANY, 100, 0},
    {"base-fs", base_fs, ODD_ADDRESSES, END_ANY, 100, 0},
    {"flags", flags, 23 * WAYS, END_ANY, 100, 0},
    {"keys", keys, 7 * WAYS, END_ANY, 100, 0},
    {"vectors", vectors, 2 * WAYS, END_ANY, 100, 0},
    {NULL, NULL, 0, 0, 0, 0},
};
