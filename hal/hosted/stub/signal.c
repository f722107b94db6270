/* SPDX-License-Identifier: MIT */
/*
 * Signals: how a guest thread leaves its program without a kernel call. Nothing here may rely on
 * what lies in memory that the guest can write: the worst that may come of it is the thread's end.
 */
#include "stub.h"

#include <abi/thread_page.h>

#define SIGNAL_SYS  31
#define SIGNAL_USER 10
#define CODE_KERNEL 0x80 /* of a signal that Linux came to by itself */

#define ARCHITECTURE_X86_64 0xc000003eU
#define VSYSCALL_PAGE       0xffffffffff600000U

#define USER_CS 0x33
#define USER_SS 0x2b

#define TRAP_GENERAL 13
#define TRAP_PAGE    14
#define ERROR_FETCH  16 /* of a page fault: an instruction was fetched */
#define INT80_BYTES  2

_Static_assert(AX_THREAD_PAGES == 0x7ffe000f0000, "stub.S knows it");

static void context_from_frame(struct stub_context *context, const struct host_ucontext *frame) {
    uint64_t fs_base;
    __asm__ volatile("rdfsbase %0" : "=r"(fs_base));
    context->regs = (struct ax_regs){
        .rax = frame->rax,
        .rbx = frame->rbx,
        .rcx = frame->rcx,
        .rdx = frame->rdx,
        .rsi = frame->rsi,
        .rdi = frame->rdi,
        .rbp = frame->rbp,
        .rsp = frame->rsp,
        .r8 = frame->r8,
        .r9 = frame->r9,
        .r10 = frame->r10,
        .r11 = frame->r11,
        .r12 = frame->r12,
        .r13 = frame->r13,
        .r14 = frame->r14,
        .r15 = frame->r15,
        .rip = frame->rip,
        .rflags = frame->rflags,
        .fs_base = fs_base,
    };
}

/* What iretq loads, from the registers. */
static void context_seal(struct stub_context *context) {
    context->rip = context->regs.rip;
    context->cs = USER_CS;
    context->rflags = context->regs.rflags;
    context->rsp = context->regs.rsp;
    context->ss = USER_SS;
}

/* Goes on where the signal came, as if it had not. */
static struct stub_resume resume_interrupted(const struct host_ucontext *frame,
                                             struct stub_context *room) {
    context_from_frame(room, frame);
    context_seal(room);
    return (struct stub_resume){room, stub_load};
}

static bool is_in(uint64_t address, const char *start, const char *end) {
    return address >= (uint64_t)start && address < (uint64_t)end;
}

/* Stale preemptions are normal here; everything else only a hostile guest can bring about. */
static struct stub_resume signal_in_stub(int number, const struct host_ucontext *frame,
                                         struct stub_area *area, struct stub_context *room) {
    const struct stub_fixed *fixed = (const void *)((const char *)area + STUB_FIXED);
    if (number != SIGNAL_USER || is_in(frame->rip, stub_inner, stub_inner_end))
        return (struct stub_resume){NULL, stub_exit};
    uint32_t word = __atomic_load_n(&area->word, __ATOMIC_SEQ_CST) & ~(uint32_t)STUB_SLEEP;
    bool is_guests_turn = word == STUB_GUEST || word == STUB_KICKED;
    if (is_guests_turn && __atomic_load_n(&fixed->preempt, __ATOMIC_SEQ_CST) != 0 &&
        is_in(frame->rip, stub_wait, stub_run_end))
        return (struct stub_resume){NULL, stub_not_yet};
    return resume_interrupted(frame, room);
}

/*
 * A bounce that needs no kernel: the thread goes on in its personality, as core would have it
 * (abi/thread_page.h). False: core decides.
 */
static bool bounce_to_personality(struct stub_area *area, uint64_t page_address) {
    struct ax_thread_page *page = (void *)page_address; /* NOLINT(performance-no-int-to-ptr) */
    struct ax_regs *regs = &area->context.regs;
    uint64_t entry = page->personality.entry;
    uint64_t stack = page->personality_stack;
    if (page->inside != AX_INSIDE_PROGRAM || entry == 0 || entry >= AX_USER_END ||
        stack >= AX_USER_END ||
        (regs->rip >= page->personality.range_start && regs->rip < page->personality.range_end))
        return false;
    ax_regs_sanitize(regs);
    page->program.regs = *regs;
    page->program.reason = AX_UPCALL_BOUNCE;
    page->program.fault = 0;
    page->program.address = 0;
    page->program.access = 0;
    page->program.reserved = 0;
    page->inside = AX_INSIDE_PERSONALITY;
    ax_regs_enter(regs, entry, stack);
    context_seal(&area->context);
    return true;
}

static void fault_of_fetch(struct stub_area *area, uint64_t address) {
    area->kind = STUB_KIND_FAULT;
    area->trap = TRAP_PAGE;
    area->error = ERROR_FETCH;
    area->address = address;
}

/*
 * An exception. Where Linux emulates the vsyscall page and cannot read the stack it sends a signal
 * of its own, with what it remembers of an exception before.
 */
static void signal_of_fault(const struct host_siginfo *info, const struct host_ucontext *frame,
                            struct stub_area *area) {
    if (frame->rip >= VSYSCALL_PAGE) {
        fault_of_fetch(area, frame->rip);
        return;
    }
    area->kind = STUB_KIND_FAULT;
    area->trap = info->code == CODE_KERNEL && frame->trap == TRAP_PAGE ? TRAP_GENERAL : frame->trap;
    area->error = frame->error;
    area->address = frame->address;
}

/* A system call that Linux did not make. Only those of x86_64 bounce; the vsyscall page does not
 * exist. */
static struct stub_resume signal_of_call(const struct host_siginfo *info, struct stub_area *area,
                                         uint64_t page_address) {
    area->kind = STUB_KIND_BOUNCE;
    if (info->architecture != ARCHITECTURE_X86_64) {
        area->kind = STUB_KIND_FAULT;
        area->trap = TRAP_GENERAL;
        area->context.regs.rip -= INT80_BYTES;
    } else if (info->call_address >= VSYSCALL_PAGE) {
        fault_of_fetch(area, info->call_address);
    } else if (bounce_to_personality(area, page_address)) {
        return (struct stub_resume){NULL, stub_go_on};
    }
    return (struct stub_resume){NULL, stub_handoff};
}

struct stub_resume stub_signal(int number, const struct host_siginfo *info,
                               const struct host_ucontext *frame, struct stub_area *area,
                               struct stub_context *room) {
    const struct stub_fixed *fixed = (const void *)((const char *)area + STUB_FIXED);
    if (is_in(frame->rip, (const char *)STUB_TEXT, (const char *)STUB_TEXT + STUB_TEXT_BYTES))
        return signal_in_stub(number, frame, area, room);
    if (number == SIGNAL_USER && __atomic_load_n(&fixed->preempt, __ATOMIC_SEQ_CST) == 0)
        return resume_interrupted(frame, room);
    if (number != SIGNAL_USER && info->code <= 0)
        return resume_interrupted(frame, room); /* sent by somebody, and not by the processor */
    context_from_frame(&area->context, frame);
    if (number == SIGNAL_SYS)
        return signal_of_call(info, area, fixed->page);
    if (number == SIGNAL_USER)
        area->kind = STUB_KIND_PREEMPT;
    else
        signal_of_fault(info, frame, area);
    return (struct stub_resume){NULL, stub_handoff};
}
