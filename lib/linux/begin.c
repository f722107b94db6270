/* SPDX-License-Identifier: MIT */
/* The first steps of a process and of a thread, and its last. */
#include <base/align.h>
#include <base/memory.h>
#include <sys/ax.h>
#include <sys/cpu.h>
#include <sys/start.h>

#include "access.h"
#include "offsets.h"
#include "report.h"
#include "threads.h"
#include "upcall.h"

#define REGS_AT     offsetof(struct ax_thread_page, program.regs)
#define REG(member) offsetof(struct ax_regs, member)
_Static_assert(AT_PERSONALITY == AX_PERSONALITY_START && AT_KERNEL_CALL == AX_KERNEL_CALL,
               "entry.S");
_Static_assert(IMAGE_MAGIC == AX_PERSONALITY_MAGIC, "entry.S");
_Static_assert(PAGE_STACK == offsetof(struct ax_thread_page, personality_stack) &&
                   PAGE_INSIDE == offsetof(struct ax_thread_page, inside) &&
                   PAGE_PENDING == offsetof(struct ax_thread_page, pending) &&
                   PAGE_REGS == REGS_AT &&
                   PAGE_REASON == offsetof(struct ax_thread_page, program.reason) &&
                   PAGE_REASON + 4 == offsetof(struct ax_thread_page, program.fault) &&
                   PAGE_ADDRESS == offsetof(struct ax_thread_page, program.address) &&
                   PAGE_ACCESS == offsetof(struct ax_thread_page, program.access) &&
                   PAGE_RECOVERY_IP == offsetof(struct ax_thread_page, recovery.regs.rip),
               "entry.S");
_Static_assert(REG_RAX == REG(rax) && REG_RBX == REG(rbx) && REG_RCX == REG(rcx) &&
                   REG_RDX == REG(rdx) && REG_RSI == REG(rsi) && REG_RDI == REG(rdi) &&
                   REG_RBP == REG(rbp) && REG_RSP == REG(rsp) && REG_R8 == REG(r8) &&
                   REG_R9 == REG(r9) && REG_R10 == REG(r10) && REG_R11 == REG(r11) &&
                   REG_R12 == REG(r12) && REG_R13 == REG(r13) && REG_R14 == REG(r14) &&
                   REG_R15 == REG(r15) && REG_RIP == REG(rip) && REG_RFLAGS == REG(rflags) &&
                   REG_FS_BASE == REG(fs_base) && REG_RESERVED == REG(reserved),
               "entry.S");
_Static_assert(REASON_NONE == AX_UPCALL_NONE && REASON_BOUNCE == AX_UPCALL_BOUNCE &&
                   FLAGS_PLAIN == AX_RFLAGS_FIXED && INSIDE_PROGRAM == AX_INSIDE_PROGRAM &&
                   INSIDE_PERSON == AX_INSIDE_PERSONALITY,
               "entry.S");

/* Where there is no memory for the task block nobody can be told but by the process's end. */
static _Noreturn void begin_failed(void) {
    for (;;)
        (void)ax_process_end(AX_HANDLE_NONE, AX_CAUSE_FAULT, L_SIGKILL);
}

/* ---- The process ----------------------------------------------------------------------------- */

static const struct linux_rlimit limits[L_RLIMIT_COUNT] = {
    [L_RLIMIT_STACK] = {0, L_RLIM_INFINITY}, /* the current one is that of the stack there is */
    [L_RLIMIT_NPROC] = {AX_THREAD_MAX, AX_THREAD_MAX},
    [L_RLIMIT_NOFILE] = {DESCRIPTOR_MAX, DESCRIPTOR_MAX},
    [L_RLIMIT_MEMLOCK] = {UINT64_C(8) << 20, UINT64_C(8) << 20},
    [L_RLIMIT_SIGPENDING] = {SIGNAL_ENTRIES, SIGNAL_ENTRIES},
    [L_RLIMIT_MSGQUEUE] = {819200, 819200},
};

static void limits_begin(struct task *task) {
    for (unsigned i = 0; i < L_RLIMIT_COUNT; i++) {
        task->limits[i] = limits[i];
        if (limits[i].maximum == 0 && i != L_RLIMIT_CORE && i != L_RLIMIT_NICE &&
            i != L_RLIMIT_RTPRIO)
            task->limits[i] = (struct linux_rlimit){L_RLIM_INFINITY, L_RLIM_INFINITY};
    }
    task->limits[L_RLIMIT_STACK].current = task->start->stack_bytes;
    task->limits[L_RLIMIT_CORE].maximum = L_RLIM_INFINITY;
}

/* Descriptors 0, 1 and 2: the sessions by these names, or else the log. */
static void files_begin(struct task *task) {
    static const char *const names[] = {AX_START_STDIN, AX_START_STDOUT, AX_START_STDERR};
    for (int fd = 0; fd < 3; fd++) {
        uint32_t way = fd == 0 ? L_O_RDONLY : L_O_WRONLY;
        struct open_file file = {FILE_STREAM, ax_start_find(task->start, names[fd]), way, 0};
        if (file.handle == AX_HANDLE_NONE)
            file = (struct open_file){FILE_LOG, task->start->log, way, 0};
        (void)descriptor_open(&task->files, fd, &file);
    }
}

/* The task block with what it has of vector states, and the first thread's area: both are mapped
 * before either is touched, which takes the machine one step. */
static struct task *task_make(const struct ax_start *start) {
    struct ax_map_request request = {.address = AX_PERSONALITY_DATA,
                                     .size_bytes = sizeof(struct task),
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_FIXED | AX_MAP_POPULATE};
    bool fits = start->cpu.vector_bytes <= THREAD_VECTOR_BYTES;
    uint64_t size = fits ? start->cpu.vector_bytes : AX_CPU_LEGACY_BYTES;
    /* vector_reset writes as much as has to be there in any case. */
    uint64_t least = AX_CPU_LEGACY_BYTES + AX_CPU_XSAVE_HEADER;
    uint64_t room = align_up(size > least ? size : least, 64);
    if (ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request) < 0 || !thread_area_map(0, room))
        begin_failed();
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the address is fixed */
    struct task *task = (struct task *)AX_PERSONALITY_DATA;
    task->vector_mask = fits ? start->cpu.vector_mask : 0;
    task->vector_bytes = size;
    task->vector_room = room;
    task->areas_mapped = 1;
    return task;
}

static struct task *task_begin(const struct ax_start *start) {
    struct task *task = task_make(start);
    task->state.magic = AX_LINUX_STATE_MAGIC;
    task->start = start;
    task->pid = start->pid != 0 ? start->pid : 1;
    task->parent = start->parent;
    task->umask = 022;
    task->next_tid = task->pid;
    task->break_now = start->break_start;
    list_init(&task->threads);
    list_init(&task->left);
    timers_begin(&task->timers);
    limits_begin(task);
    files_begin(task);
    cipher_seed(&task->cipher, start->entropy);
    return task;
}

static struct thread *first_thread(struct task *task, const struct ax_thread_page *page) {
    struct thread *thread = thread_make(task);
    if (thread != NULL) {
        ax_result handle = ax_process_thread(AX_HANDLE_NONE, page->slot, AX_PLACE_ANY);
        if (handle > 0) {
            memcpy(thread->name, task->start->name, sizeof(thread->name));
            thread_join(thread, (ax_handle)handle);
            return thread;
        }
    }
    begin_failed();
}

/* What the loader prepared begins. */
static void process_begin(struct ax_start *start, struct ax_thread_page *page) {
    struct task *task = task_begin(start);
    memset(start->entropy, 0, sizeof(start->entropy)); /* it is the cipher's now */
    thread_attach(first_thread(task, page), page);
    ax_regs_start(&page->program.regs, start->entry, start->stack, 0);
}

/* ---- Threads --------------------------------------------------------------------------------- */

void thread_attach(struct thread *thread, struct ax_thread_page *page) {
    thread->page = page;
    page->user[USER_TASK] = (uintptr_t)thread->task;
    page->user[USER_THREAD] = (uintptr_t)thread;
    page->personality_stack = thread_stack(thread);
    page->program.reason = AX_UPCALL_BOUNCE;
}

void thread_begin(uint64_t argument, struct ax_thread_page *page) {
    /* NOLINTBEGIN(performance-no-int-to-ptr): what a thread is given is a number */
    if (argument == AX_START_ADDRESS) {
        process_begin((struct ax_start *)argument, page);
        return;
    }
    struct thread *thread = (struct thread *)argument;
    /* NOLINTEND(performance-no-int-to-ptr) */
    thread_attach(thread, page);
    if (thread->is_timekeeper)
        timekeeper_run(thread);
    page->program.regs = thread->first_regs;
    (void)!access_load_vector(thread_vector(thread), thread->task->vector_mask);
    fs_base_load(&page->program.regs);
    upcall_return(page);
}

/* ---- The end --------------------------------------------------------------------------------- */

void task_exit(int code) {
    for (;;)
        (void)ax_process_end(AX_HANDLE_NONE, AX_CAUSE_EXIT, code & 255);
}

/* Leaves what a report of the end needs; of several threads the first one's. */
static void end_note(struct thread *thread, int signal) {
    struct ax_linux_end *end = &thread->task->state.end;
    const struct ax_thread_page *page = thread->page;
    const struct ax_frame *program = &page->program;
    uint32_t none = 0;
    if (!__atomic_compare_exchange_n(&end->signal, &none, (uint32_t)signal, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    bool is_bug = page->inside == AX_INSIDE_RECOVERY;
    const struct ax_frame *frame = is_bug ? &page->recovery : program;
    end->tid = thread->tid;
    end->regs = program->regs;
    if (is_bug)
        end->inside = frame->regs.rip;
    if (!is_bug && frame->reason != AX_UPCALL_FAULT)
        return;
    end->fault = frame->fault;
    end->access = frame->access;
    end->address = frame->address;
}

void task_end_by_signal(struct thread *thread, int signal, bool is_fault) {
    /* abort() is a program's own doing: it counts against the call that it serves. */
    bool is_own = is_fault || signal == L_SIGABRT;
    end_note(thread, signal);
    for (;;)
        (void)ax_process_end(AX_HANDLE_NONE, is_own ? AX_CAUSE_FAULT : AX_CAUSE_KILLED, signal);
}
