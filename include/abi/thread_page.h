/* SPDX-License-Identifier: MIT */
/*
 * The page a thread shares with core. GS base points to it; it lies at AX_THREAD_PAGES plus the
 * thread's slot times the page size. The program can write all of it: core trusts none of it
 * beyond harm to the program itself. When the thread is gone, off its stack for good, core clears
 * the page; it stays where it is, for the next thread of the slot, until the process ends.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/layout.h>
#include <abi/message.h>
#include <abi/regs.h>

/* Why the thread came to its personality, or to its recovery address. */
enum ax_upcall_reason {
    AX_UPCALL_NONE = 0,
    AX_UPCALL_BOUNCE,    /* a syscall instruction outside the kernel page; rax is the number */
    AX_UPCALL_FAULT,     /* an exception; see fault, address, access */
    AX_UPCALL_INTERRUPT, /* thread_control asked for its attention */
};

enum ax_fault {
    AX_FAULT_NONE = 0,
    AX_FAULT_UNMAPPED,    /* nothing is mapped there */
    AX_FAULT_PROTECTION,  /* mapped without that access */
    AX_FAULT_BEYOND,      /* mapped, but its memory object ends before it (SIGBUS) */
    AX_FAULT_MEMORY,      /* no memory, or the account's limit */
    AX_FAULT_DIVIDE,      /* divide error */
    AX_FAULT_DEBUG,       /* debug trap, single step */
    AX_FAULT_BREAKPOINT,  /* breakpoint instruction */
    AX_FAULT_INSTRUCTION, /* undefined or privileged instruction */
    AX_FAULT_FLOAT,       /* x87 or SIMD exception */
    AX_FAULT_ALIGNMENT,
    AX_FAULT_GENERAL, /* everything else the processor refuses */
    AX_FAULT_COUNT,
};

/* One interrupted context. Written by core, or by the machine at a bounce; read back by resume. */
struct ax_frame {
    struct ax_regs regs;
    uint32_t reason;  /* enum ax_upcall_reason */
    uint32_t fault;   /* enum ax_fault */
    uint64_t address; /* of the faulting access */
    uint32_t access;  /* enum ax_prot: what the access wanted */
    uint32_t reserved;
};

/*
 * Which upcall frames are in use: thread_page.inside.
 *
 * An upcall from the program fills the program frame and starts the personality's entry on
 * personality_stack, flags cleared, other registers as they were. Inside the personality
 * - interrupts wait: `pending` is set, and the next resume of frame 0 delivers them;
 * - a fault fills the recovery frame and goes on at the recovery address, registers as they were;
 *   resume of frame 1 goes back;
 * - a bounce is an AX_FAULT_INSTRUCTION.
 * After a bounce the personality may return without a kernel call. The instructions with which it
 * does so, from the one that reads `pending` to the jump to the program, are the marked range of
 * struct ax_personality. It clears `inside` somewhere in it. An interrupt that finds the thread
 * there sets `pending` and AX_INSIDE_PERSONALITY and goes on at range_restart: that code, which is
 * outside the range, may rely on the program frame and on nothing else, loads what it needs anew
 * (its stack too, should it want one), and comes to the range again or resumes. A fault in
 * the range counts as one inside the personality.
 */
enum ax_inside {
    AX_INSIDE_PROGRAM = 0,     /* the program runs; an upcall uses the program frame */
    AX_INSIDE_PERSONALITY = 1, /* the program frame is in use; a fault uses the recovery frame */
    AX_INSIDE_RECOVERY = 2,    /* both are; a further fault ends the process */
};

struct ax_personality {
    uint64_t entry;       /* upcalls start here, on thread_page.personality_stack */
    uint64_t recovery;    /* faults inside the personality continue here; 0: they end it */
    uint64_t range_start; /* the marked range: its code is restarted, not interrupted */
    uint64_t range_end;
    uint64_t range_restart; /* where an interrupted marked range continues */
};

#define AX_BUFFER_BYTES 2048

/*
 * Where core would only fill the program frame and start the personality, that is at a bounce that
 * happens with `inside` 0, outside the marked range and with an entry, the machine may do the same
 * by itself without core's knowledge. It goes by this page, and `personality` is there for it:
 * core writes it and never reads it. A program that changes it misleads only itself.
 */
struct ax_thread_page {
    uint64_t self;              /* this page's address, for GS-relative code */
    uint64_t thread_id;         /* the thread's object id */
    uint64_t personality_stack; /* the program's: top of the stack an upcall starts on */
    uint32_t inside;            /* enum ax_inside; set by core, cleared by the personality */
    uint32_t pending;           /* 1: an interrupt is pending (core's own copy decides) */
    uint32_t slot;              /* the thread's slot in its process */
    uint32_t cpu;               /* on which it last started to run */
    uint64_t user[8];           /* the personality's: its task block, call counters ... */
    uint64_t machine[16];       /* the machine's: the hosted hand-off word lives here */
    struct ax_frame program;
    struct ax_frame recovery;
    struct ax_ipc ipc;
    struct ax_personality personality; /* the process's, as the machine sees it */
    uint8_t unused[AX_PAGE_SIZE - AX_BUFFER_BYTES - 992];
    uint8_t buffer[AX_BUFFER_BYTES]; /* lists and structures that calls take and give */
};

_Static_assert(sizeof(struct ax_frame) == 184, "shared with assembly");
_Static_assert(offsetof(struct ax_thread_page, user) == 40, "shared with assembly");
_Static_assert(offsetof(struct ax_thread_page, program) == 232, "shared with assembly");
_Static_assert(offsetof(struct ax_thread_page, ipc) == 600, "shared with programs");
_Static_assert(offsetof(struct ax_thread_page, personality) == 952, "shared with assembly");
_Static_assert(offsetof(struct ax_thread_page, buffer) == AX_BUFFER_BYTES, "second half");
_Static_assert(sizeof(struct ax_thread_page) == AX_PAGE_SIZE, "one page");
