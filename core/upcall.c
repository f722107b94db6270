/* SPDX-License-Identifier: MIT */
#include "upcall.h"

#include "calls.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

/*
 * Where the thread is, as far as upcalls are concerned. The page's word may be anything. In the
 * marked range the program frame is in use, though the word may say already that it is not.
 */
static enum ax_inside upcall_inside(const struct thread *thread, bool *in_range) {
    const struct ax_personality *personality = &thread->process->personality;
    uint64_t pc = ax_regs_pc(&thread->user.regs);
    uint32_t inside = *(volatile uint32_t *)&thread->page->inside;
    *in_range = pc >= personality->range_start && pc < personality->range_end;
    if (inside > AX_INSIDE_PERSONALITY)
        return AX_INSIDE_RECOVERY;
    return *in_range ? AX_INSIDE_PERSONALITY : (enum ax_inside)inside;
}

static void frame_fill(struct ax_frame *frame, const struct thread *thread,
                       enum ax_upcall_reason reason) {
    *frame = (struct ax_frame){.regs = thread->user.regs, .reason = (uint32_t)reason};
}

static void thread_fault_end(struct thread *thread, uint32_t fault, uint64_t address) {
    process_end(thread->process, AX_CAUSE_FAULT, fault, 0, address);
}

/* The personality's entry, on its stack; the program frame is filled. */
static void personality_start(struct thread *thread) {
    struct ax_thread_page *page = thread->page;
    ASSERT(thread->state == THREAD_RUNNING && thread->process->personality.entry < AX_USER_END);
    uint64_t stack = *(volatile uint64_t *)&page->personality_stack;
    if (stack >= AX_USER_END) {
        thread_fault_end(thread, AX_FAULT_GENERAL, stack);
        return;
    }
    kernel->counters.upcalls++;
    page->inside = AX_INSIDE_PERSONALITY;
    ax_regs_enter(&thread->user.regs, thread->process->personality.entry, stack);
}

void upcall_bounce(struct thread *thread) {
    bool in_range;
    kernel->counters.bounces++;
    if (thread->process->personality.entry == 0) {
        process_end(thread->process, AX_CAUSE_BOUNCE, AX_FAULT_NONE, 0,
                    ax_regs_pc(&thread->user.regs));
        return;
    }
    if (upcall_inside(thread, &in_range) != AX_INSIDE_PROGRAM) {
        upcall_fault(thread, AX_FAULT_INSTRUCTION, ax_regs_pc(&thread->user.regs), 0);
        return;
    }
    frame_fill(&thread->page->program, thread, AX_UPCALL_BOUNCE);
    personality_start(thread);
}

void upcall_fault(struct thread *thread, uint32_t fault, uint64_t address, uint32_t access) {
    struct process *process = thread->process;
    struct ax_thread_page *page = thread->page;
    bool in_range;
    enum ax_inside inside = upcall_inside(thread, &in_range);
    uint64_t handler = inside == AX_INSIDE_PROGRAM       ? process->personality.entry
                       : inside == AX_INSIDE_PERSONALITY ? process->personality.recovery
                                                         : 0;
    if (handler == 0) {
        thread_fault_end(thread, fault, address);
        return;
    }
    struct ax_frame *frame = inside == AX_INSIDE_PROGRAM ? &page->program : &page->recovery;
    frame_fill(frame, thread, AX_UPCALL_FAULT);
    frame->fault = fault;
    frame->address = address;
    frame->access = access;
    if (inside == AX_INSIDE_PROGRAM) {
        personality_start(thread);
        return;
    }
    kernel->counters.upcalls++;
    page->inside = AX_INSIDE_RECOVERY;
    ax_regs_set_pc(&thread->user.regs, handler);
}

static void interrupt_delivered(struct thread *thread) {
    thread->interrupted = false;
    thread->page->pending = 0;
}

void upcall_interrupt(struct thread *thread) {
    const struct ax_personality *personality = &thread->process->personality;
    bool in_range;
    thread->page->pending = 1;
    if (personality->entry == 0)
        return;
    enum ax_inside inside = upcall_inside(thread, &in_range);
    if (inside == AX_INSIDE_PROGRAM) {
        frame_fill(&thread->page->program, thread, AX_UPCALL_INTERRUPT);
        interrupt_delivered(thread);
        personality_start(thread);
    } else if (in_range && inside == AX_INSIDE_PERSONALITY) {
        /* It looked at `pending` before, and will look again: the interrupt stays pending. */
        thread->page->inside = AX_INSIDE_PERSONALITY;
        ax_regs_set_pc(&thread->user.regs, personality->range_restart);
    }
}

ax_result upcall_resume(struct thread *thread, uint64_t frame) {
    struct ax_thread_page *page = thread->page;
    if (frame > 1)
        return AX_ERR_ARGUMENT;
    if (frame == 0 && thread->interrupted && thread->process->personality.entry != 0) {
        page->program.reason = AX_UPCALL_INTERRUPT;
        interrupt_delivered(thread);
        personality_start(thread);
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

ax_result sys_resume(struct thread *thread, const uint64_t arguments[5]) {
    return upcall_resume(thread, arguments[0]);
}
