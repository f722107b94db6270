/* SPDX-License-Identifier: MIT */
/* Upcalls: Linux calls by their number, faults, interrupts; and the way back. */
#include <sys/ax.h>

#include "deliver.h"
#include "report.h"
#include "task.h"
#include "upcall.h"

#define X(number, name) [number] = linux_##name,
static linux_call *const calls[LINUX_CALL_COUNT] = {LINUX_CALL_LIST(X)};
#undef X

_Static_assert(LINUX_CALL_COUNT == AX_LINUX_NUMBERS, "a counter for each");

#define NUMBER_SIGRETURN 15

/* Flags that make the processor trap: only the kernel loads these. */
#define RFLAGS_TRAP      UINT64_C(0x100)
#define RFLAGS_ALIGNMENT UINT64_C(0x40000)

static struct thread *thread_of(const struct ax_thread_page *page) {
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the page holds words */
    return (struct thread *)page->user[USER_THREAD];
}

struct thread *thread_self(void) {
    return thread_of(ax_thread_page());
}

int64_t call_unknown(struct thread *thread) {
    uint64_t index = thread->number < LINUX_CALL_COUNT ? thread->number : LINUX_CALL_COUNT;
    __atomic_fetch_add(&thread->task->state.unknown[index], 1, __ATOMIC_RELAXED);
    return -L_ENOSYS;
}

static int64_t call_make(struct thread *thread, uint64_t number) {
    const struct ax_regs *regs = &thread->page->program.regs;
    const uint64_t arguments[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    if (number >= LINUX_CALL_COUNT || calls[number] == NULL)
        return call_unknown(thread);
    return calls[number](thread, arguments);
}

/* Linux looks at the low half of the number alone. */
static void serve_call(struct thread *thread) {
    struct ax_regs *regs = &thread->page->program.regs;
    uint64_t number = (uint32_t)regs->rax;
    thread->number = number;
    regs->rcx = regs->rip; /* as the instruction leaves them */
    regs->r11 = regs->rflags;
    do {
        ax_yield_point();
        int64_t result = call_make(thread, number);
        if (number != NUMBER_SIGRETURN) /* it has restored what is in rax */
            regs->rax = (uint64_t)result;
    } while (!signals_deliver(thread, number != NUMBER_SIGRETURN));
    thread->again.is_set = false;
}

static void serve_fault(struct thread *thread) {
    const struct ax_frame *frame = &thread->page->program;
    bool is_refused = frame->fault == AX_FAULT_PROTECTION && (frame->access & AX_PROT_EXECUTE) != 0;
    if (is_refused && patch_was_in_the_way(thread, frame->address)) {
        (void)signals_deliver(thread, false); /* one may have come while it waited for that */
        return;
    }
    patch_leave(thread);
    signal_fault(thread);
}

static void upcall_done(struct thread *thread) {
    if (thread->must_resume)
        upcall_leave(thread->page);
    upcall_return(thread->page);
}

void upcall_serve(struct ax_thread_page *page) {
    struct thread *thread = thread_of(page);
    thread->must_resume = page->program.reason != AX_UPCALL_BOUNCE;
    switch (page->program.reason) {
    case AX_UPCALL_BOUNCE:
        patch_count_trap(thread);
        serve_call(thread);
        break;
    case AX_UPCALL_FAULT: serve_fault(thread); break;
    default:
        patch_leave(thread);
        thread->attention = 1;
        (void)signals_deliver(thread, false);
        break;
    }
    upcall_done(thread);
}

void upcall_patched(struct ax_thread_page *page) {
    struct thread *thread = thread_of(page);
    thread->must_resume = false;
    patch_decode(thread->task, &page->program.regs);
    serve_call(thread);
    upcall_done(thread);
}

void upcall_return(struct ax_thread_page *page) {
    if ((page->program.regs.rflags & (RFLAGS_TRAP | RFLAGS_ALIGNMENT)) != 0)
        upcall_leave(page);
}

void upcall_leave(struct ax_thread_page *page) {
    struct thread *thread = thread_of(page);
    (void)ax_resume(0);
    /* It came back: the program has made registers that cannot be loaded. */
    report(thread, "registers that cannot be loaded");
    task_end_by_signal(thread, L_SIGSEGV, true);
}

void upcall_bug(const struct ax_thread_page *page) {
    const struct ax_frame *frame = &page->recovery;
    struct thread *thread = thread_of(page);
    report(thread, "the personality faulted (%u) at 0x%llx, address 0x%llx, in call %llu",
           frame->fault, (unsigned long long)frame->regs.rip, (unsigned long long)frame->address,
           (unsigned long long)thread->number);
    task_end_by_signal(thread, L_SIGSEGV, true);
}
