/* SPDX-License-Identifier: MIT */
/* What the C and the assembly of a stub know of each other. */
#pragma once

#include "layout.h"

/* What the entry of signals shall do: load vector state, then jump, with the context in rdi. */
struct stub_resume {
    const struct stub_context *context;
    const char *go_on;
};

/* Linux's siginfo_t and ucontext_t, as far as they matter here (x86_64 ABI of Linux). */
struct host_siginfo {
    int32_t number, error, code, padding;
    uint64_t call_address; /* SIGSYS: behind the instruction */
    int32_t call_number;
    uint32_t architecture;
};

struct host_ucontext {
    uint64_t unused[5];
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
    uint64_t rflags, segments, error, trap, mask, address;
    uint64_t vector; /* address of the state in XSAVE format */
};

_Static_assert(offsetof(struct host_ucontext, vector) == 224, "shared with assembly");

#pragma GCC visibility push(hidden)
/* Places in the code; [stub_wait, stub_run_end): see stub.S. */
extern const char stub_handoff[], stub_wait[], stub_go_on[], stub_load[], stub_run_end[];
extern const char stub_not_yet[], stub_exit[];
extern const char stub_inner[], stub_inner_end[]; /* where no guest thread has any business */
extern const char stub_signal_entry[];

struct stub_resume stub_signal(int number, const struct host_siginfo *info,
                               const struct host_ucontext *frame, struct stub_area *area,
                               struct stub_context *room);
_Noreturn void zygote_main(void);
_Noreturn void stub_mapper(uint32_t sequence);
long stub_host(long number, long a, long b, long c, long d, long e, long f);
#pragma GCC visibility pop
