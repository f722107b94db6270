/* SPDX-License-Identifier: MIT */
#include "upcall.h"

#include "calls.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

/* In the range that an interrupt restarts. */
static bool upcall_in_range(const struct thread *thread) {
    const struct ax_personality *personality = &thread->process->personality;
    uint64_t pc = ax_regs_pc(&thread->user.regs);
    return pc >= personality->range_start && pc < personality->range_end;
}

/*
 * Where the thread is, as far as upcalls are concerned. The page's word may be anything. In the
 * marked range the program frame is in use, though the word may say already that it is not.
 */
static enum ax_inside upcall_inside(const struct thread *thread) {
    uint32_t inside = *(volatile uint32_t *)&thread->page->inside;
    if (inside > AX_INSIDE_PERSONALITY)
        return AX_INSIDE_RECOVERY;
    return upcall_in_range(thread) ? AX_INSIDE_PERSONALITY : (enum ax_inside)inside;
}

static void frame_fill(struct ax_frame *frame, const struct thread *thread,
                       enum ax_upcall_reason reason) {
    *frame = (struct ax_frame){.regs = thread->user.regs, .reason = (uint32_t)reason};
}

/* The personality's entry, on its stack; the program frame is filled. */
static void personality_start(struct thread *thread) {
    struct ax_thread_page *page = thread->page;
    ASSERT(thread->state == THREAD_RUNNING && thread->process->personality.entry < AX_USER_END);
    uint64_t stack = *(volatile uint64_t *)&page->personality_stack;
    if (stack >= AX_USER_END) {
        process_end(thread->process, AX_CAUSE_FAULT, AX_FAULT_GENERAL, 0, stack);
        return;
    }
    kernel->counters.upcalls++;
    page->inside = AX_INSIDE_PERSONALITY;
    ax_regs_enter(&thread->user.regs, thread->process->personality.entry, stack);
}

void upcall_bounce(struct thread *thread) {
    uint64_t pc = ax_regs_pc(&thread->user.regs);
    kernel->counters.bounces++;
    if (thread->process->personality.entry == 0) {
        process_end(thread->process, AX_CAUSE_BOUNCE, AX_FAULT_NONE, 0, pc);
    } else if (upcall_inside(thread) != AX_INSIDE_PROGRAM) {
        upcall_fault(thread, AX_FAULT_INSTRUCTION, pc, 0);
    } else {
        frame_fill(&thread->page->program, thread, AX_UPCALL_BOUNCE);
        personality_start(thread);
    }
}

void upcall_fault(struct thread *thread, uint32_t fault, uint64_t address, uint32_t access) {
    struct process *process = thread->process;
    struct ax_thread_page *page = thread->page;
    enum ax_inside inside = upcall_inside(thread);
    bool is_program = inside == AX_INSIDE_PROGRAM;
    uint64_t handler = is_program ? process->personality.entry : process->personality.recovery;
    if (handler == 0 || inside == AX_INSIDE_RECOVERY) {
        process_end(process, AX_CAUSE_FAULT, fault, 0, address);
        return;
    }
    struct ax_frame *frame = is_program ? &page->program : &page->recovery;
    frame_fill(frame, thread, AX_UPCALL_FAULT);
    frame->fault = fault;
    frame->address = address;
    frame->access = access;
    if (is_program) {
        personality_start(thread);
        return;
    }
    kernel->counters.upcalls++;
    page->inside = AX_INSIDE_RECOVERY;
    ax_regs_set_pc(&thread->user.regs, handler);
}

/* The pending interrupt is delivered; the program frame is filled. */
static void interrupt_start(struct thread *thread) {
    thread->interrupted = false;
    thread->page->pending = 0;
    personality_start(thread);
}

void upcall_interrupt(struct thread *thread) {
    const struct ax_personality *personality = &thread->process->personality;
    thread->page->pending = 1;
    if (personality->entry == 0)
        return;
    enum ax_inside inside = upcall_inside(thread);
    if (inside == AX_INSIDE_PROGRAM) {
        frame_fill(&thread->page->program, thread, AX_UPCALL_INTERRUPT);
        interrupt_start(thread);
    } else if (upcall_in_range(thread) && inside == AX_INSIDE_PERSONALITY) {
        /* It looked at `pending` before, and will look again: the interrupt stays pending. */
        thread->page->inside = AX_INSIDE_PERSONALITY;
        ax_regs_set_pc(&thread->user.regs, personality->range_restart);
    }
}

ax_result sys_resume(struct thread *thread, const uint64_t arguments[5]) {
    uint64_t frame = arguments[0];
    struct ax_thread_page *page = thread->page;
    if (frame > 1)
        return AX_ERR_ARGUMENT;
    if (frame == 0 && thread->interrupted && thread->process->personality.entry != 0) {
        page->program.reason = AX_UPCALL_INTERRUPT;
        interrupt_start(thread);
        return RESULT_NONE;
    }
    struct ax_regs regs = frame == 0 ? page->program.regs : page->recovery.regs;
    atomic_signal_fence(memory_order_seq_cst); /* what was checked is what is loaded */
    ax_regs_sanitize(&regs);
    if (!ax_regs_are_valid(&regs))
        return AX_ERR_ARGUMENT;
    thread->user.regs = regs;
    page->inside = frame == 0 ? AX_INSIDE_PROGRAM : AX_INSIDE_PERSONALITY;
    return RESULT_NONE;
}
