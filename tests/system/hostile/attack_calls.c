/* SPDX-License-Identifier: MIT */
/* System calls of the host: by every number, from everywhere, by every instruction. */
#include "hostile.h"

#define X32          UINT64_C(0x40000000)
#define NUMBERS      601
#define UPROBE_FIRST 335 /* Linux lets these two past every filter; they do nothing */
#define UPROBE_LAST  336
#define VSYSCALL     UINT64_C(0xffffffffff600000)
#define SELECTOR_32  0x23

extern const char code_syscall[], code_int80[], code_sysenter[];
extern const char code32_int80[], code32_sysenter[], code32_syscall[], code32_trap[];

/* A file that must not be there afterwards: whoever starts the machine looks. */
static const char canary[] = "/tmp/axolotl-hostile-canary";

/* Arguments with which many calls would do something. */
static void arguments_fill(struct jump *jump, uint64_t number) {
    jump->regs.rax = number;
    jump->regs.rdi = (uint64_t)canary;
    jump->regs.rsi = 0x241; /* to write, create, truncate */
    jump->regs.rdx = 0777;
    jump->regs.r10 = 0x22;
    jump->regs.r8 = UINT64_MAX;
}

/* 0: what came is what shall come of a syscall instruction. */
static int syscall_try(uint64_t number) {
    struct jump jump;
    jump_prepare(&jump, (uint64_t)code_syscall);
    arguments_fill(&jump, number);
    jump_run(&jump);
    bool is_uprobe = (uint32_t)number >= UPROBE_FIRST && (uint32_t)number <= UPROBE_LAST;
    if (is_uprobe && jump.outcome.reason == AX_UPCALL_FAULT)
        return 0;
    bool is_bounce = jump.outcome.reason == AX_UPCALL_BOUNCE && jump.outcome.regs.rax == number &&
                     jump.outcome.regs.rdi == (uint64_t)canary &&
                     jump.outcome.regs.rip == (uint64_t)code_syscall + 2;
    return is_bounce ? 0 : 1;
}

/* With these in rax a signal ends Linux's call as if it had been one that goes on later. */
static bool is_restart(uint64_t number) {
    return (int64_t)number <= -512 && (int64_t)number >= -516;
}

static int numbers(uint64_t argument) {
    static const uint64_t bases[] = {
        0, X32, (uint64_t)-NUMBERS, UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 63};
    for (uint64_t i = 0; i < NUMBERS; i++) {
        if (!is_restart(bases[argument] + i) && syscall_try(bases[argument] + i) != 0)
            return (int)i + 1;
    }
    return 0;
}

static int expect_fault(struct jump *jump, uint64_t instruction) {
    jump_run(jump);
    return jump->outcome.reason == AX_UPCALL_FAULT && jump->outcome.regs.rip == instruction ? 0 : 1;
}

static int int80(uint64_t argument) {
    (void)argument;
    for (uint64_t number = 0; number < NUMBERS; number++) {
        struct jump jump;
        jump_prepare(&jump, (uint64_t)code_int80);
        arguments_fill(&jump, number);
        jump.regs.rbx = jump.regs.rdi;
        jump.regs.rcx = jump.regs.rsi;
        if (expect_fault(&jump, (uint64_t)code_int80) != 0)
            return 1;
    }
    return 0;
}

static int sysenter(uint64_t argument) {
    struct jump jump;
    jump_prepare(&jump, (uint64_t)code_sysenter);
    arguments_fill(&jump, argument);
    jump_run(&jump);
    return jump.outcome.reason == AX_UPCALL_FAULT ? 0 : 1;
}

/* Selector 0x23 is the host's for 32-bit code; this program lies below 4 GiB. */
static int far_jump(uint64_t argument) {
    static const char *const codes[] = {code32_int80, code32_sysenter, code32_syscall, code32_trap};
    for (uint64_t number = 0; number < 400; number++) {
        struct jump jump;
        jump_prepare(&jump, (uint64_t)codes[argument]);
        arguments_fill(&jump, number);
        jump.cs = SELECTOR_32;
        jump.regs.rbx = jump.regs.rdi;
        jump.regs.rcx = jump.regs.rsi;
        jump.regs.rbp = jump.rsp;
        jump_run(&jump);
        if (jump.outcome.reason != AX_UPCALL_FAULT)
            return 1;
    }
    return 0;
}

static int selectors(uint64_t argument) {
    struct jump jump;
    jump_prepare(&jump, (uint64_t)code_syscall);
    jump.cs = argument;
    jump_run(&jump);
    jump_prepare(&jump, (uint64_t)code_syscall);
    jump.ss = argument;
    jump_run(&jump);
    return 0;
}

static int vsyscall(uint64_t argument) {
    struct jump jump;
    uint64_t value;
    jump_prepare(&jump, VSYSCALL + argument * 0x400);
    jump.rsp -= 8;
    jump_run(&jump);
    return jump.outcome.reason == AX_UPCALL_FAULT && jump.outcome.fault == AX_FAULT_UNMAPPED &&
                   !try_read(VSYSCALL, &value)
               ? 0
               : 1;
}

/* ---- From every such instruction that can be read -------------------------------------------- */

/* Calls that reach something, and those that would undo the confinement. */
static const uint16_t reaching[] = {0,   1,   2,   9,   10,  11,  13,  14,  15,  16,  20,  25,
                                    32,  41,  56,  57,  58,  59,  62,  72,  83,  85,  87,  97,
                                    101, 109, 131, 157, 158, 160, 172, 200, 202, 218, 231, 234,
                                    257, 272, 273, 279, 288, 293, 298, 302, 310, 311, 317, 319,
                                    321, 322, 323, 334, 425, 434, 435, 436, 438, 440};

extern const uint8_t __executable_start[], etext[];

/* The places, found anew in each attacker: the `index`th. 0: no more. */
static uint64_t place_find(unsigned index) {
    static const uint8_t pairs[][2] = {{0x0f, 0x05}, {0xcd, 0x80}, {0x0f, 0x34}};
    const uint64_t ranges[][2] = {
        {STUB_TEXT, STUB_TEXT + STUB_TEXT_BYTES},
        {STUB_CONSTANTS, STUB_CONSTANTS + STUB_CONSTANTS_BYTES},
        {AX_KERNEL_PAGE, AX_KERNEL_PAGE + AX_PAGE_SIZE},
        {(uint64_t)__executable_start, (uint64_t)etext},
    };
    for (unsigned range = 0; range < COUNT(ranges); range++) {
        for (unsigned pair = 0; pair < COUNT(pairs); pair++) {
            for (uint64_t at = ranges[range][0];
                 (at = bytes_find(at, ranges[range][1], pairs[pair][0], pairs[pair][1])) != 0;
                 at++) {
                if (index-- == 0)
                    return at;
            }
        }
    }
    return 0;
}

#define PLACES 14 /* the stub's all, and some of the program's own */

static int places(uint64_t argument) {
    uint64_t at = place_find((unsigned)(argument % PLACES));
    struct jump jump;
    if (at == 0)
        return 0;
    jump_prepare(&jump, at);
    arguments_fill(&jump, reaching[argument / PLACES]);
    jump.regs.r12 = (uint64_t)area_of(thread_slot());
    jump_run(&jump);
    return 0;
}

/* ---- A forged signal frame ------------------------------------------------------------------- */

static int forged_return(uint64_t argument) {
    static uint64_t frame[512] __attribute__((aligned(64)));
    uint64_t at = argument == 0 ? (uint64_t)code_syscall : place_find((unsigned)argument - 1);
    struct jump jump;
    for (unsigned i = 0; i < COUNT(frame); i++)
        frame[i] = UINT64_MAX; /* with a mask of everything */
    jump_prepare(&jump, at);
    jump.regs.rax = 15;
    jump.rsp = (uint64_t)&frame[64];
    jump_run(&jump);
    spin();
}

/* ---- What the filter allows ------------------------------------------------------------------ */

/* Every operation of futex, from the stub's own call. */
static int futex_operations(uint64_t argument) {
    static uint32_t words[2];
    uint64_t timeout[2] = {0, 1000};
    bool is_allowed = argument == 1; /* WAKE; WAIT with a time-out is none */
    (void)host_call(202, (uint64_t)&words[0], argument, 1, (uint64_t)timeout, (uint64_t)&words[1]);
    return is_allowed ? 0 : 1;
}

static int exit_in_stub(uint64_t argument) {
    if (argument == 1)
        (void)thread_start((void (*)(uint64_t))spin, 0);
    (void)host_call(60, 0, 0, 0, 0, 0);
    return 1;
}

static int yield_in_stub(uint64_t argument) {
    (void)argument;
    for (uint64_t end = ax_clock_ns() + 300 * MS; ax_clock_ns() < end;)
        host_call_quietly(24, 0, 0, 0, 0, 0);
    return 0;
}

const struct attack attacks_calls[] = {
    {"numbers", numbers, 6, END_DONE, 0, 0},
    {"int80", int80, 1, END_DONE, 0, 0},
    {"sysenter", sysenter, 2, END_DONE, 0, 0},
    {"far-jump", far_jump, 4, END_DONE, 0, 0},
    {"selectors", selectors, 256, END_DONE | END_LOST, 0, 0},
    {"vsyscall", vsyscall, 4, END_DONE, 0, 0},
    {"places", places, PLACES *COUNT(reaching), END_DONE | END_LOST | END_FAULT, 0, 0},
    {"forged-return", forged_return, PLACES + 1, END_LOST | END_KILLED, 100, 0},
    {"futex-operations", futex_operations, 16, END_DONE | END_LOST, 0, 0},
    {"exit-in-stub", exit_in_stub, 2, END_LOST, 0, 0},
    {"yield-in-stub", yield_in_stub, 1, END_DONE, 0, 0},
    {NULL, NULL, 0, 0, 0, 0},
};
