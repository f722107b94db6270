/* SPDX-License-Identifier: MIT */
/*
 * Frames of handlers on the program's stack, exactly as Linux makes them: from the highest address
 * down the vector state, struct linux_signal_frame, and the handler's return address in it.
 */
#include <base/align.h>
#include <base/memory.h>
#include <sys/cpu.h>

#include "access.h"
#include "deliver.h"
#include "threads.h"

#define RED_ZONE 128

/* Segment registers are the machine's and of no use: what Linux shows in them. */
#define CODE_SEGMENT  0x33
#define STACK_SEGMENT 0x2b

/* ---- Stacks ---------------------------------------------------------------------------------- */

static bool is_on_altstack(const struct thread *thread, uint64_t stack) {
    const struct linux_stack *alt = &thread->altstack;
    return (alt->flags & L_SS_DISABLE) == 0 && stack > alt->start &&
           stack - alt->start <= alt->size_bytes;
}

/* As sigaltstack tells of it. */
static struct linux_stack altstack_describe(const struct thread *thread, uint64_t stack) {
    struct linux_stack told = thread->altstack;
    if ((told.flags & L_SS_DISABLE) == 0 && is_on_altstack(thread, stack) &&
        (told.flags & L_SS_AUTODISARM) == 0)
        told.flags |= L_SS_ONSTACK;
    return told;
}

/* Where the frame may begin, going down. */
static uint64_t frame_stack(const struct thread *thread, const struct linux_sigaction *action) {
    uint64_t stack = thread->page->program.regs.rsp;
    const struct linux_stack *alt = &thread->altstack;
    if ((action->flags & L_SA_ONSTACK) != 0 && (alt->flags & L_SS_DISABLE) == 0 &&
        ((alt->flags & L_SS_AUTODISARM) != 0 || !is_on_altstack(thread, stack)))
        return alt->start + alt->size_bytes;
    return stack - RED_ZONE;
}

/* ---- Vector state ---------------------------------------------------------------------------- */

/* In the frame behind the state itself, for XSAVE, its end mark. */
static uint64_t vector_frame_bytes(const struct task *task) {
    return task->vector_bytes + (task->vector_mask != 0 ? sizeof(uint32_t) : 0);
}

/* Saves it, and marks it as Linux does so that programs find all of it. */
static int64_t vector_save(struct thread *thread, uint64_t address) {
    const struct task *task = thread->task;
    uint8_t *area = thread_vector(thread);
    memset(area, 0, AX_CPU_LEGACY_BYTES + AX_CPU_XSAVE_HEADER);
    int64_t error = access_save_vector(area, task->vector_mask);
    if (error != 0)
        return error;
    if (task->vector_mask != 0) {
        struct linux_vector_mark mark = {.magic = L_VECTOR_MAGIC,
                                         .size_bytes = (uint32_t)vector_frame_bytes(task),
                                         .mask = task->vector_mask,
                                         .state_bytes = (uint32_t)task->vector_bytes};
        uint32_t end = L_VECTOR_END;
        memcpy(area + L_VECTOR_MARK_AT, &mark, sizeof(mark));
        error = user_put(address + task->vector_bytes, &end);
    }
    return error != 0 ? error : user_write(address, area, task->vector_bytes);
}

/*
 * What a handler starts with: no component in use, and MXCSR as after a reset. The processor may
 * touch all of an area, however little of it is in use (Intel SDM vol. 1, 13.8), so it is the
 * thread's own, which is large enough.
 */
static int64_t vector_reset(struct thread *thread) {
    static const struct {
        uint8_t control[24];
        uint32_t mxcsr;
    } first = {.control = {0x7f, 0x03}, .mxcsr = 0x1f80};
    uint8_t *area = thread_vector(thread);
    memset(area, 0, AX_CPU_LEGACY_BYTES + AX_CPU_XSAVE_HEADER);
    memcpy(area, &first, sizeof(first));
    return access_load_vector(area, thread->task->vector_mask);
}

/* Loads what a frame has. Without the mark it is FXSAVE's part alone, and the rest is as it is at
 * a handler's start. */
static int64_t vector_restore(struct thread *thread, uint64_t address) {
    const struct task *task = thread->task;
    uint8_t *area = thread_vector(thread);
    struct linux_vector_mark mark = {0};
    uint64_t size = task->vector_bytes;
    if (address == 0)
        return vector_reset(thread);
    if (task->vector_mask != 0) {
        int64_t error = user_get(&mark, address + L_VECTOR_MARK_AT);
        if (error != 0)
            return error;
        bool is_whole = mark.magic == L_VECTOR_MAGIC && mark.state_bytes == size;
        if (!is_whole)
            size = AX_CPU_LEGACY_BYTES;
    }
    memset(area, 0, task->vector_room);
    int64_t error = user_read(area, address, size);
    if (error != 0)
        return error;
    if (task->vector_mask != 0 && size == AX_CPU_LEGACY_BYTES)
        area[AX_CPU_LEGACY_BYTES] = 3; /* XSTATE_BV: x87 and SSE are there */
    return access_load_vector(area, task->vector_mask);
}

/* ---- In -------------------------------------------------------------------------------------- */

static void context_save(const struct ax_frame *frame, struct linux_sigcontext *to) {
    const struct ax_regs *r = &frame->regs;
    bool is_fault = frame->reason == AX_UPCALL_FAULT;
    *to = (struct linux_sigcontext){.r8 = r->r8,
                                    .r9 = r->r9,
                                    .r10 = r->r10,
                                    .r11 = r->r11,
                                    .r12 = r->r12,
                                    .r13 = r->r13,
                                    .r14 = r->r14,
                                    .r15 = r->r15,
                                    .rdi = r->rdi,
                                    .rsi = r->rsi,
                                    .rbp = r->rbp,
                                    .rbx = r->rbx,
                                    .rdx = r->rdx,
                                    .rax = r->rax,
                                    .rcx = r->rcx,
                                    .rsp = r->rsp,
                                    .rip = r->rip,
                                    .rflags = r->rflags};
    to->cs = CODE_SEGMENT;
    to->ss = STACK_SEGMENT;
    if (!is_fault)
        return;
    static const uint8_t traps[AX_FAULT_COUNT] = {
        [AX_FAULT_UNMAPPED] = 14,  [AX_FAULT_PROTECTION] = 14, [AX_FAULT_BEYOND] = 14,
        [AX_FAULT_MEMORY] = 14,    [AX_FAULT_DIVIDE] = 0,      [AX_FAULT_DEBUG] = 1,
        [AX_FAULT_BREAKPOINT] = 3, [AX_FAULT_INSTRUCTION] = 6, [AX_FAULT_FLOAT] = 19,
        [AX_FAULT_ALIGNMENT] = 17, [AX_FAULT_GENERAL] = 13};
    to->trap = frame->fault < AX_FAULT_COUNT ? traps[frame->fault] : 13;
    to->address = frame->address;
    if (to->trap == 14) /* as the processor has it: in user mode, present, written, fetched */
        to->error = 4 | (frame->fault == AX_FAULT_PROTECTION ? 1 : 0) |
                    ((frame->access & AX_PROT_WRITE) != 0 ? 2 : 0) |
                    ((frame->access & AX_PROT_EXECUTE) != 0 ? 16 : 0);
}

bool handler_enter(struct thread *thread, const struct linux_sigaction *action,
                   const struct linux_siginfo *info) {
    const struct task *task = thread->task;
    struct ax_regs *regs = &thread->page->program.regs;
    struct linux_signal_frame frame;
    uint64_t stack = frame_stack(thread, action);
    uint64_t vector = align_down(stack - vector_frame_bytes(task), 64);
    uint64_t at = align_down(vector - sizeof(frame), 16) - 8;
    /* On the alternate stack the frame must not reach below it. */
    if (is_on_altstack(thread, stack) && !is_on_altstack(thread, at))
        return false;
    memset(&frame, 0, sizeof(frame));
    frame.return_address = action->restorer;
    frame.ucontext.flags = (task->vector_mask != 0 ? L_UC_XSTATE : 0) | L_UC_SS;
    frame.ucontext.stack = altstack_describe(thread, regs->rsp);
    frame.ucontext.mask = thread->has_saved ? thread->saved : thread->blocked;
    context_save(&thread->page->program, &frame.ucontext.context);
    frame.ucontext.context.vector = vector;
    frame.ucontext.context.old_mask = frame.ucontext.mask;
    frame.info = *info;
    if ((action->flags & L_SA_RESTORER) == 0 || vector_save(thread, vector) != 0 ||
        user_put(at, &frame) != 0 || vector_reset(thread) != 0)
        return false;
    if ((thread->altstack.flags & L_SS_AUTODISARM) != 0)
        thread->altstack = (struct linux_stack){.flags = L_SS_DISABLE};
    regs->rdi = (uint64_t)(uint32_t)info->signal;
    regs->rsi = at + offsetof(struct linux_signal_frame, info);
    regs->rdx = at + offsetof(struct linux_signal_frame, ucontext);
    regs->rax = 0;
    regs->rsp = at;
    regs->rip = action->handler;
    regs->rflags = AX_RFLAGS_FIXED;
    thread->must_resume = true;
    return true;
}

/* ---- Out ------------------------------------------------------------------------------------- */

static void context_restore(const struct linux_sigcontext *from, struct ax_regs *r) {
    r->r8 = from->r8, r->r9 = from->r9, r->r10 = from->r10, r->r11 = from->r11;
    r->r12 = from->r12, r->r13 = from->r13, r->r14 = from->r14, r->r15 = from->r15;
    r->rdi = from->rdi, r->rsi = from->rsi, r->rbp = from->rbp, r->rbx = from->rbx;
    r->rdx = from->rdx, r->rax = from->rax, r->rcx = from->rcx, r->rsp = from->rsp;
    r->rip = from->rip, r->rflags = from->rflags;
}

static void frame_is_bad(struct thread *thread) {
    struct signal_info info = {.signal = L_SIGSEGV, .code = L_SI_KERNEL};
    signal_force(thread, &info);
}

/* The frame's own words are at the program's mercy: the kernel checks what it loads of them. */
int64_t linux_rt_sigreturn(struct thread *thread, const uint64_t a[6]) {
    struct ax_regs *regs = &thread->page->program.regs;
    struct linux_signal_frame frame;
    (void)a;
    thread->must_resume = true;
    /* The handler's return has taken the return address off. */
    if (user_get(&frame, regs->rsp - sizeof(frame.return_address)) != 0 ||
        vector_restore(thread, frame.ucontext.context.vector) != 0) {
        frame_is_bad(thread);
        return 0;
    }
    context_restore(&frame.ucontext.context, regs);
    const struct linux_stack *stack = &frame.ucontext.stack;
    if ((stack->flags & L_SS_DISABLE) == 0 && stack->size_bytes >= L_MINSIGSTKSZ) {
        thread->altstack = *stack;
        thread->altstack.flags &= L_SS_AUTODISARM;
    } else if ((stack->flags & L_SS_DISABLE) != 0) {
        thread->altstack = (struct linux_stack){.flags = L_SS_DISABLE};
    }
    signal_mask_set(thread, frame.ucontext.mask);
    return 0;
}

/* ---- The alternate stack --------------------------------------------------------------------- */

static int64_t altstack_set(struct thread *thread, const struct linux_stack *wish) {
    uint32_t mode = wish->flags & ~L_SS_AUTODISARM;
    if (is_on_altstack(thread, thread->page->program.regs.rsp) &&
        (thread->altstack.flags & L_SS_AUTODISARM) == 0)
        return -L_EPERM;
    if (mode != 0 && mode != L_SS_ONSTACK && mode != L_SS_DISABLE)
        return -L_EINVAL;
    if (mode == L_SS_DISABLE) {
        thread->altstack = (struct linux_stack){.flags = L_SS_DISABLE};
        return 0;
    }
    if (wish->size_bytes < L_MINSIGSTKSZ)
        return -L_ENOMEM;
    thread->altstack = (struct linux_stack){.start = wish->start,
                                            .size_bytes = wish->size_bytes,
                                            .flags = wish->flags & L_SS_AUTODISARM};
    return 0;
}

int64_t linux_sigaltstack(struct thread *thread, const uint64_t a[6]) {
    struct linux_stack told = altstack_describe(thread, thread->page->program.regs.rsp);
    struct linux_stack wish;
    int64_t error = 0;
    if (a[0] != 0) {
        error = user_get(&wish, a[0]);
        if (error == 0)
            error = altstack_set(thread, &wish);
    }
    if (error == 0 && a[1] != 0)
        error = user_put(a[1], &told);
    return error;
}
