/* SPDX-License-Identifier: MIT */
/* A thread of a process with a personality. */
#pragma once

#include "cpu_world.h"

#define ENTRY         UINT64_C(0x7ffe40000000)
#define RECOVERY      UINT64_C(0x7ffe40001000)
#define RANGE_START   UINT64_C(0x7ffe40002000)
#define RANGE_END     UINT64_C(0x7ffe40002040)
#define RANGE_RESTART UINT64_C(0x7ffe40003000)
#define UPCALL_STACK  UINT64_C(0x7ffe50000000)

struct upcall_world {
    struct process *process;
    struct thread *thread;
    struct ax_thread_page *page;
    struct ax_regs *regs; /* what it runs with */
    struct ax_regs before;
};
extern struct upcall_world upcalls;

/* Fixture: distinct values in all registers; not inside the personality. */
void upcall_start(void);
void upcall_stop(void);
TCase *upcall_case(const char *name);

/* The thread is inside its personality, by a bounce. */
void upcall_enter(void);
void fault(uint32_t fault, uint64_t address);
/* Asks for its attention, as another thread does; takes effect at its next kernel entry. */
void interrupt(void);
/* All registers but pc, stack and flags are the same. */
bool regs_same_but_place(const struct ax_regs *a, const struct ax_regs *b);
bool regs_same(const struct ax_regs *a, const struct ax_regs *b);
