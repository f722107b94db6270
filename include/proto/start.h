/* SPDX-License-Identifier: MIT */
/*
 * What a new process finds, and what its end means: the contract between whoever loads a program,
 * the personality, and the program itself.
 *
 *   AX_PERSONALITY_START     the personality's image: begins with struct ax_personality_image;
 *                            read and execute, the same bytes in every process
 *   AX_START_ADDRESS         struct ax_start, one page, which the program may read; then the
 *                            stack on which the first thread starts
 *   AX_PERSONALITY_DATA      what the personality maps for itself, up to AX_PERSONALITY_END
 *
 * The first thread starts at ax_personality_image.start with the start block's address as argument,
 * on the stack behind it. A process without a personality has the block all the same; its first
 * thread starts at ax_start.entry on ax_start.stack, as a Linux program would.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/layout.h>
#include <abi/object.h>
#include <abi/thread_page.h>

#define AX_START_ADDRESS (AX_PERSONALITY_START + UINT64_C(0x1000000))
#define AX_START_BYTES   UINT64_C(0x10000) /* the block's page, and the first thread's stack */
#define AX_START_STACK   (AX_START_ADDRESS + AX_START_BYTES)

#define AX_PERSONALITY_DATA (AX_PERSONALITY_START + UINT64_C(0x2000000))

#define AX_START_MAGIC   UINT64_C(0x317472617473786f) /* "oxstart1" */
#define AX_START_HANDLES 32
#define AX_START_NAME    24

/* A handle by the name under which it was given: terminated, not empty. */
struct ax_start_handle {
    char name[AX_START_NAME];
    ax_handle handle;
    uint32_t reserved;
};

/* Names that mean the same everywhere. */
#define AX_START_STDIN  "stdin" /* sessions of <proto/stream.h> */
#define AX_START_STDOUT "stdout"
#define AX_START_STDERR "stderr"

enum ax_start_flag {
    AX_START_FIXED = 1U << 0,         /* a seeded run: the layout, and all else, repeats */
    AX_START_AFTER_FAILURE = 1U << 1, /* a server: the instance before died of itself */
};

/* What the processor says of itself. Asking takes long in a virtual machine, so it is passed on. */
struct ax_start_cpu {
    uint64_t vector_mask;  /* the state components that XSAVE keeps; 0: there is only FXSAVE */
    uint32_t vector_bytes; /* how long the area for these is; 0: nobody has asked yet */
    uint32_t features;     /* AT_HWCAP */
};

struct ax_start {
    uint64_t magic;
    uint32_t size_bytes; /* sizeof(struct ax_start) */
    uint32_t flags;      /* enum ax_start_flag */

    /* The program, as it was loaded. */
    uint64_t entry;       /* its first instruction */
    uint64_t stack;       /* the first stack pointer: argc, argv, envp, auxv lie there */
    uint64_t stack_start; /* lowest address of the first thread's stack, and its size */
    uint64_t stack_bytes;
    uint64_t break_start;  /* where brk begins */
    uint64_t load_bias;    /* 0 for a program that is not position independent */
    uint64_t headers;      /* address of its program headers; 0: they are not loaded */
    uint64_t header_count; /* of AT_PHENT bytes each */
    uint64_t signal_bytes; /* AT_MINSIGSTKSZ, which signal frames do not exceed */
    char name[16];         /* the program's file name, cut, terminated */
    int64_t realtime_ns;   /* CLOCK_REALTIME is the machine's clock plus this */
    uint64_t memory_bytes; /* of the machine */
    uint32_t cpu_count;
    uint32_t pid, parent; /* process ids, as far as somebody gave them; 0: nobody did */

    /* What it was given. 0: nothing. */
    ax_handle process; /* its own process, not cloned */
    ax_handle account; /* its own account */
    ax_handle log;     /* the system device, to write to the log */

    /* For the personality alone, which makes its random numbers from it and wipes it. */
    uint8_t entropy[32];

    struct ax_start_cpu cpu;

    uint32_t handle_count;
    uint32_t reserved;
    struct ax_start_handle handles[AX_START_HANDLES];
};

#define AX_PERSONALITY_MAGIC UINT64_C(0x316f736f72707861) /* "axproso1" */

/* The first bytes of the personality's image, which is linked to AX_PERSONALITY_START. */
struct ax_personality_image {
    uint64_t magic;
    uint64_t size_bytes; /* of the whole image */
    uint64_t start;      /* where a new process's first thread starts */
    struct ax_personality personality;
};

/*
 * The first thing at AX_PERSONALITY_DATA: what the personality tells others of its process, who
 * read it with process_copy, also when the process has ended.
 */
#define AX_LINUX_STATE_MAGIC UINT64_C(0x316b736174786c61) /* "alxtask1" */
#define AX_LINUX_NUMBERS     512

/* How a process came to be ended by a signal, in the thread that took it. */
struct ax_linux_end {
    uint32_t signal; /* 0: none did */
    uint32_t tid;
    uint32_t fault;   /* enum ax_fault; AX_FAULT_NONE: the signal was sent */
    uint32_t access;  /* of the fault, enum ax_prot */
    uint64_t address; /* of the fault */
    uint64_t inside;  /* where the personality itself faulted; 0: it did not */
    struct ax_regs regs;
};

struct ax_linux_state {
    uint64_t magic;
    /* How often each Linux call was made that is not there, or not in that way; the last one is for
     * numbers beyond. */
    uint32_t unknown[AX_LINUX_NUMBERS + 1];
    uint32_t reserved;
    struct ax_linux_end end;
};

/*
 * How a process of the personality tells why it ended (object_info):
 *
 *   AX_CAUSE_EXIT    by exit; the code is 0 to 255
 *   AX_CAUSE_FAULT   by a signal that a fault raised, or by SIGABRT; the code is its number. Code
 *                    0: the kernel ended it, and says by which fault
 *   AX_CAUSE_KILLED  by another signal; the code is its number. Code 0: ended from outside
 */
static inline int ax_fault_signal(uint32_t fault) {
    switch (fault) {
    case AX_FAULT_BEYOND:
    case AX_FAULT_MEMORY:
    case AX_FAULT_ALIGNMENT: return 7; /* SIGBUS */
    case AX_FAULT_DIVIDE:
    case AX_FAULT_FLOAT: return 8; /* SIGFPE */
    case AX_FAULT_DEBUG:
    case AX_FAULT_BREAKPOINT: return 5;  /* SIGTRAP */
    case AX_FAULT_INSTRUCTION: return 4; /* SIGILL */
    default: return 11;                  /* SIGSEGV */
    }
}

/* The signal that ended a process; 0: it was none, and the code is that of an exit. */
static inline int ax_end_signal(uint32_t cause, uint32_t fault, int64_t code) {
    switch (cause) {
    case AX_CAUSE_NONE:
    case AX_CAUSE_EXIT: return 0;
    case AX_CAUSE_FAULT: return code > 0 && code < 65 ? (int)code : ax_fault_signal(fault);
    case AX_CAUSE_BOUNCE: return 31;                       /* SIGSYS */
    default: return code > 0 && code < 65 ? (int)code : 9; /* SIGKILL */
    }
}

/* The exit status by which shells tell it: the code, or 128 and the signal. */
static inline int ax_end_status(uint32_t cause, uint32_t fault, int64_t code) {
    int signal = ax_end_signal(cause, fault, code);
    return signal != 0 ? 128 + signal : (int)(code & 255);
}

_Static_assert(sizeof(struct ax_start_handle) == 32, "shared with programs");
_Static_assert(offsetof(struct ax_start, entry) == 16, "shared with programs");
_Static_assert(offsetof(struct ax_start, load_bias) == 56 && offsetof(struct ax_start, name) == 88,
               "scripts/lib/stubs.py");
_Static_assert(offsetof(struct ax_start, handles) % 8 == 0, "shared with programs");
_Static_assert(sizeof(struct ax_start) <= AX_PAGE_SIZE, "one page");
_Static_assert(sizeof(struct ax_personality_image) == 64, "shared with programs");
_Static_assert(sizeof(struct ax_linux_state) == 2256, "shared with programs");
_Static_assert(AX_START_STACK <= AX_PERSONALITY_DATA, "in this order");
