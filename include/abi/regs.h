/* SPDX-License-Identifier: MIT */
/*
 * The general registers of a thread, as frames in the thread page and the inspection calls show
 * them. The only header of the kernel's interface that knows the x86_64 instruction set.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/layout.h>

struct ax_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip;
    uint64_t rflags;
    uint64_t fs_base; /* the program's thread pointer; GS base belongs to the machine */
    uint64_t reserved;
};

_Static_assert(sizeof(struct ax_regs) == 160, "shared with assembly");
_Static_assert(offsetof(struct ax_regs, rip) == 128, "shared with assembly");

/* Flags a program may choose: carry, parity, adjust, zero, sign, trap, direction, overflow, AC, ID.
 */
#define AX_RFLAGS_USER UINT64_C(0x240dd5)
/* Flags that are always set in user mode: interrupts enabled, and the reserved bit 1. */
#define AX_RFLAGS_FIXED UINT64_C(0x202)

/* Registers of a thread that starts at `entry` on `stack` with one argument, all others zero. */
static inline void ax_regs_start(struct ax_regs *regs, uint64_t entry, uint64_t stack,
                                 uint64_t argument) {
    *regs =
        (struct ax_regs){.rdi = argument, .rsp = stack, .rip = entry, .rflags = AX_RFLAGS_FIXED};
}

/* Forces what a program gave to something that cannot harm the machine when it is loaded. */
static inline void ax_regs_sanitize(struct ax_regs *regs) {
    regs->rflags = (regs->rflags & AX_RFLAGS_USER) | AX_RFLAGS_FIXED;
    regs->reserved = 0;
}

/* Addresses that the machine can load: the rest of the registers may hold anything. */
static inline bool ax_regs_are_valid(const struct ax_regs *regs) {
    return regs->rip < AX_USER_END && regs->fs_base < AX_USER_END;
}

/* An upcall: goes on at `entry` on `stack` with the flags a function expects, all else as it is. */
static inline void ax_regs_enter(struct ax_regs *regs, uint64_t entry, uint64_t stack) {
    regs->rip = entry;
    regs->rsp = stack;
    regs->rflags = AX_RFLAGS_FIXED;
}

static inline void ax_regs_set_result(struct ax_regs *regs, int64_t result) {
    regs->rax = (uint64_t)result;
}
static inline void ax_regs_set_pc(struct ax_regs *regs, uint64_t address) {
    regs->rip = address;
}
static inline void ax_regs_set_stack(struct ax_regs *regs, uint64_t address) {
    regs->rsp = address;
}
static inline uint64_t ax_regs_pc(const struct ax_regs *regs) {
    return regs->rip;
}
