/* SPDX-License-Identifier: MIT */
/* What signal a fault is, and how Linux describes it. */
#include <sys/ax.h>

#include "access.h"
#include "deliver.h"
#include "threads.h"

/* Bits of the x87 status word and of MXCSR, exceptions and their masks, in the same order. */
enum {
    FLOAT_INVALID = 1,
    FLOAT_DIVIDE = 4,
    FLOAT_OVERFLOW = 8,
    FLOAT_UNDERFLOW = 16,
    FLOAT_INEXACT = 32,
    FLOAT_ALL = 0x3f,
};

struct legacy_state {
    uint16_t control, status;
    uint8_t skipped[20];
    uint32_t mxcsr;
};

/* Which exception was raised that is not masked: x87's are looked at first, as it reports late. */
static int32_t float_code(struct thread *thread) {
    const struct legacy_state *state = thread_vector(thread);
    if (access_save_vector(thread_vector(thread), 0) != 0)
        return L_FPE_FLTINV;
    uint32_t raised = (uint32_t)state->status & ~(uint32_t)state->control & FLOAT_ALL;
    if (raised == 0)
        raised = state->mxcsr & ~(state->mxcsr >> 7) & FLOAT_ALL;
    if ((raised & FLOAT_INVALID) != 0)
        return L_FPE_FLTINV;
    if ((raised & FLOAT_DIVIDE) != 0)
        return L_FPE_FLTDIV;
    if ((raised & FLOAT_OVERFLOW) != 0)
        return L_FPE_FLTOVF;
    return (raised & FLOAT_INEXACT) != 0 && (raised & FLOAT_UNDERFLOW) == 0 ? L_FPE_FLTRES
                                                                            : L_FPE_FLTUND;
}

/* The code that goes with the signal, and whether the address is the instruction's. */
static int32_t fault_code(struct thread *thread, const struct ax_frame *frame, bool *is_at_pc) {
    *is_at_pc = true;
    switch (frame->fault) {
    case AX_FAULT_UNMAPPED: *is_at_pc = false; return L_SEGV_MAPERR;
    case AX_FAULT_PROTECTION: *is_at_pc = false; return L_SEGV_ACCERR;
    case AX_FAULT_BEYOND:
    case AX_FAULT_MEMORY: *is_at_pc = false; return L_BUS_ADRERR;
    case AX_FAULT_ALIGNMENT: *is_at_pc = false; return L_BUS_ADRALN;
    case AX_FAULT_DIVIDE: return L_FPE_INTDIV;
    case AX_FAULT_DEBUG: return L_TRAP_TRACE;
    case AX_FAULT_INSTRUCTION: return L_ILL_ILLOPN;
    case AX_FAULT_FLOAT: return float_code(thread);
    default: *is_at_pc = false; return L_SI_KERNEL;
    }
}

void signal_fault(struct thread *thread) {
    const struct ax_frame *frame = &thread->page->program;
    bool is_at_pc;
    struct signal_info info = {.signal = ax_fault_signal(frame->fault)};
    info.code = fault_code(thread, frame, &is_at_pc);
    info.value = is_at_pc ? frame->regs.rip : frame->address;
    if (info.code == L_SI_KERNEL)
        info.value = 0;
    signal_force(thread, &info);
}
