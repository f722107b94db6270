/* SPDX-License-Identifier: MIT */
/*
 * What the kernel process and its stubs share: where things lie in a stub, and what they look like.
 * Assembly includes it too. docs/hosted.md tells the whole story.
 *
 * A stub is the Linux process beneath one address space. All of its user half belongs to the guest
 * but for what lies above AX_PERSONALITY_END:
 *
 *   STUB_TEXT       code, the same in all stubs: read, execute
 *   STUB_CONSTANTS  what that code points to: read
 *   STUB_ORDERS     what the mapper shall do: the kernel writes it, the stub reads
 *   STUB_AREAS      64 KiB for each slot of a guest thread:
 *                   +0      struct stub_area: read, write (so it is hostile input to the kernel)
 *                   +4 KiB  struct stub_fixed: the kernel writes it, the stub reads
 *                   +12 KiB signal stack, to the end: read, write
 */
#pragma once

#define STUB_TEXT       0x7ffe80000000
#define STUB_TEXT_BYTES 0x4000
#define STUB_CONSTANTS  0x7ffe80100000
#define STUB_ORDERS     0x7ffe80200000
#define ZYGOTE_STACK    0x7ffe80300000
#define STUB_AREAS      0x7fff00000000

#define STUB_AREA_SHIFT   16
#define STUB_AREA_BYTES   0x10000
#define STUB_FIXED        0x1000 /* offset of struct stub_fixed in an area */
#define STUB_SIGNAL_STACK 0x3000 /* offset of the signal stack */

#define STUB_UNIT_BYTES      0x2000 /* of shared memory for a thread: its area's first two pages */
#define STUB_ORDERS_BYTES    0x4000
#define STUB_CONSTANTS_BYTES 0x4000 /* XRSTOR may touch a whole vector state there */
#define ZYGOTE_STACK_BYTES   0x4000
#define START_END            0x10000000 /* below it lies start.S, until the zygote runs */

/* Offsets in STUB_FD_MEMORY; the rest of what lies below guest RAM is the kernel's to divide. */
#define MEMORY_TEXT      0
#define MEMORY_CONSTANTS 0x4000
#define MEMORY_FREE      0x8000
#define MEMORY_RAM       0x40000000

/* Descriptors of a mapper. */
#define STUB_FD_MEMORY 3 /* guest RAM and what the kernel process shares beside it */
#define STUB_FD_REPORT 4 /* eventfd: an order list was executed, or failed */
#define STUB_FD_NUMBER 5 /* its offset tells the kernel a number */
#define STUB_FD_ZYGOTE 6 /* zygote only: where requests come from */
/* With which status the zygote ends where rdtsc cannot be made to trap. */
#define ZYGOTE_NO_TSC 97

/*
 * stub_area.word: whose turn it is. The kernel hands over by compare-and-swap from KERNEL to GUEST
 * only, the guest back; anything that is not one of these ends the stub. Who waits and is going to
 * sleep adds SLEEP: without it nobody has to be woken.
 */
#define STUB_DEAD   0 /* the host thread has gone; written by Linux (CLONE_CHILD_CLEARTID) */
#define STUB_GUEST  1 /* the guest runs */
#define STUB_KERNEL 2 /* the guest waits */
#define STUB_EXIT   3 /* the host thread shall exit */
#define STUB_KICKED 5 /* as GUEST, and the kernel has something else to do */
#define STUB_SLEEP  16
#define STUB_START  (4 | STUB_SLEEP) /* the host thread is being made */

/* stub_area.kind: what brought the guest back. */
#define STUB_KIND_CALL    1
#define STUB_KIND_BOUNCE  2
#define STUB_KIND_FAULT   3
#define STUB_KIND_PREEMPT 4
#define STUB_KIND_NOT_YET 5 /* as PREEMPT, before anything of the context was loaded */

/* Offsets that the assembly uses, asserted below. */
#define AREA_WORD     0
#define AREA_KIND     8
#define AREA_CALL     16 /* number and five arguments */
#define AREA_REGS     64
#define AREA_IRET     224 /* rip, cs, rflags, rsp, ss */
#define AREA_YIELD    288
#define REGS_RBX      8
#define REGS_RBP      48
#define REGS_RSP      56
#define REGS_R12      96
#define REGS_R13      104
#define REGS_R14      112
#define REGS_R15      120
#define REGS_RIP      128
#define REGS_RFLAGS   136
#define REGS_FS       144
#define IRET_OFFSET   (AREA_IRET - AREA_REGS)
#define CONTEXT_BYTES 256

#define FIXED_PAGE      0
#define FIXED_STACK     8 /* a stack_t */
#define FIXED_PREEMPT   32
#define FIXED_FRESH     36
#define FIXED_YIELDS    40
#define CONST_DONE      0
#define CONST_FAILED    8
#define CONST_NO_MASK   16
#define CONST_FILTER    24
#define CONST_YIELD     48
#define CONST_VECTOR    64 /* an XSAVE area in which everything is in its initial state */
#define ORDERS_SEQUENCE 0
#define ORDERS_COUNT    4
#define ORDERS_NUMBERED 8
#define ORDERS_FIRST    64
#define ORDER_BYTES     64

#define HOST_CLONE 56 /* numbers of host calls that the mapper must know */

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

#include <abi/layout.h>
#include <abi/regs.h>

/* Everything that is loaded when a thread goes on; `iret` repeats what `iretq` takes. */
struct stub_context {
    struct ax_regs regs;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct stub_area {
    uint32_t word;
    uint32_t reserved;
    uint64_t kind;
    uint64_t number;
    uint64_t arguments[5];
    struct stub_context context;
    /* Of a fault: what the processor told. */
    uint64_t trap, error, address;
    /* When the thread may yield again before it sleeps; by the time stamp counter. */
    uint64_t yield_again;
};

/* A slot's part that the guest cannot write. */
struct stub_fixed {
    uint64_t page;            /* address of the thread page: GS base */
    uint64_t signal_stack[3]; /* Linux's stack_t */
    uint32_t preempt;         /* 1: the kernel wants the thread back */
    uint32_t fresh;           /* 1: a new thread begins: vector state is reset first */
    uint32_t yields;          /* how often it yields before it sleeps */
    uint32_t reserved;
};

struct stub_constants {
    uint64_t done, failed; /* what the mapper writes to its eventfd */
    uint64_t no_mask;      /* an empty signal mask */
    uint16_t filter_length;
    uint16_t padding[3];
    uint64_t filter;     /* address of the program */
    uint64_t is_seeded;  /* 1: reading the time stamp counter traps */
    uint64_t yield_most; /* a yield that takes longer does not pay; by the time stamp counter */
    uint64_t reserved;
    uint8_t vector[576];
    uint8_t program[]; /* the seccomp filter */
};

/* A host call, executed as it stands. */
struct stub_order {
    uint64_t number;
    uint64_t arguments[6];
    uint64_t reserved;
};

#define STUB_ORDER_MAX (STUB_ORDERS_BYTES / ORDER_BYTES - 1)

struct stub_orders {
    uint32_t sequence; /* a new one: a new list */
    uint32_t count;
    uint32_t numbered; /* 1: the last result is wanted, as the offset of STUB_FD_NUMBER */
    uint32_t reserved[13];
    struct stub_order order[STUB_ORDER_MAX];
};

/* What the kernel asks of the zygote, with the new stub's eventfd attached; it answers the pid. */
struct zygote_request {
    uint64_t orders; /* offset in STUB_FD_MEMORY */
};

_Static_assert(STUB_TEXT >= AX_PERSONALITY_END &&
                   STUB_AREAS + ((uint64_t)AX_THREAD_MAX << STUB_AREA_SHIFT) <= AX_USER_END,
               "in the machine's part of user space");
_Static_assert(offsetof(struct stub_area, kind) == AREA_KIND, "shared with assembly");
_Static_assert(offsetof(struct stub_area, number) == AREA_CALL, "shared with assembly");
_Static_assert(offsetof(struct stub_area, context) == AREA_REGS, "shared with assembly");
_Static_assert(offsetof(struct stub_context, rip) == IRET_OFFSET, "shared with assembly");
_Static_assert(sizeof(struct stub_context) <= CONTEXT_BYTES, "shared with assembly");
_Static_assert(offsetof(struct ax_regs, r15) == REGS_R15, "shared with assembly");
_Static_assert(offsetof(struct ax_regs, rbp) == REGS_RBP, "shared with assembly");
_Static_assert(offsetof(struct ax_regs, fs_base) == REGS_FS, "shared with assembly");
_Static_assert(offsetof(struct stub_fixed, signal_stack) == FIXED_STACK, "shared with assembly");
_Static_assert(offsetof(struct stub_fixed, preempt) == FIXED_PREEMPT, "shared with assembly");
_Static_assert(offsetof(struct stub_fixed, fresh) == FIXED_FRESH, "shared with assembly");
_Static_assert(offsetof(struct stub_area, yield_again) == AREA_YIELD, "shared with assembly");
_Static_assert(offsetof(struct stub_fixed, yields) == FIXED_YIELDS, "shared with assembly");
_Static_assert(offsetof(struct stub_constants, yield_most) == CONST_YIELD, "shared with assembly");
_Static_assert(offsetof(struct stub_constants, filter_length) == CONST_FILTER, "a sock_fprog");
_Static_assert(offsetof(struct stub_constants, filter) == CONST_FILTER + 8, "a sock_fprog");
_Static_assert(offsetof(struct stub_constants, vector) == CONST_VECTOR, "shared with assembly");
_Static_assert(sizeof(struct stub_order) == ORDER_BYTES, "shared with assembly");
_Static_assert(offsetof(struct stub_orders, order) == ORDERS_FIRST, "shared with assembly");
_Static_assert(sizeof(struct stub_orders) == STUB_ORDERS_BYTES, "whole pages");

#endif
