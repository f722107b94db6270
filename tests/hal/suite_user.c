/* SPDX-License-Identifier: MIT */
/* User threads: events, registers, the kernel page, what interrupts them. */
#include <base/memory.h>

#include "suite.h"

/*
 * The programs. r15 holds the address of the entry of kernel calls: one is made by `call *%r15`;
 * r14 that of the clock, r13 that of the yield point. What they find out they tell as the number of
 * a kernel call.
 */
extern const char programs_start[], programs_end[];
__asm__(".pushsection .rodata\n"
        ".balign 4096\n"
        ".globl program_load, program_store, program_call, program_bounce, program_undefined\n"
        ".globl program_breakpoint, program_divide, program_spin, program_fs, program_gs\n"
        ".globl program_vector, program_clock, program_yield\n"
        "programs_start:\n"
        "program_load: mov (%rdi), %rdi\n call *%r15\n ud2\n"
        "program_store: mov %rsi, (%rdi)\n call *%r15\n ud2\n"
        "program_call: call *%r15\n mov %rax, %rdi\n call *%r15\n ud2\n"
        "program_bounce: syscall\n call *%r15\n ud2\n"
        "program_undefined: ud2\n"
        "program_breakpoint: int3\n ud2\n"
        "program_divide: div %rcx\n call *%r15\n ud2\n"
        "program_spin: 1: inc %rbx\n jmp 1b\n"
        "program_fs: mov %fs:0, %rdi\n call *%r15\n ud2\n"
        "program_gs: mov %gs:0, %rdi\n call *%r15\n ud2\n"
        "program_vector: movq %rsi, %xmm0\n call *%r15\n movq %xmm0, %rdi\n call *%r15\n ud2\n"
        "program_clock: call *%r14\n mov %rax, %rdi\n call *%r15\n ud2\n"
        "program_yield: call *%r13\n mov %rbx, %rdi\n call *%r15\n ud2\n"
        "programs_end:\n"
        ".popsection\n");

/* Longer than any machine takes to let go of a space. */
#define DESTROY_NS UINT64_C(10000000000)
/* The same, for a thread to come to run. */
#define PROGRESS_NS UINT64_C(10000000000)

static uint64_t kernel_page, program_page;

uint64_t program_address(const char *program) {
    return PROGRAM_ADDRESS + (uint64_t)(program - programs_start);
}

static void map(struct hal_space *space, uint64_t address, uint64_t physical, uint32_t prot) {
    CHECK(hal_space_map(space, address, physical, 1, prot));
}

void space_start(struct hal_space *space) {
    if (kernel_page == 0) {
        kernel_page = frame_take();
        hal_kernel_page(kernel_page);
        program_page = frame_take();
        memcpy(hal_window(program_page), programs_start, (size_t)(programs_end - programs_start));
    }
    memset(space, 0, sizeof(*space));
    CHECK(hal_space_create(space));
    map(space, AX_KERNEL_PAGE, kernel_page, HAL_READ | HAL_EXECUTE);
    map(space, PROGRAM_ADDRESS, program_page, HAL_READ | HAL_EXECUTE);
    map(space, STACK_ADDRESS, frame_take(), HAL_READ | HAL_WRITE);
    hal_space_sync(space);
}

void space_destroy(struct hal_space *space, unsigned budget) {
    uint64_t start_ns = hal_time_ns(), before = suite_tables;
    for (unsigned left = budget; !hal_space_destroy(space, &left); left = budget) {
        bool is_late = hal_time_ns() - start_ns > DESTROY_NS;
        CHECK(!is_late && left <= budget && before - suite_tables == budget - left);
        if (is_late)
            return;
        before = suite_tables;
    }
}

void space_stop(struct hal_space *space) {
    hal_space_sync(space);
    space_destroy(space, UINT32_MAX);
}

void thread_start(struct thread_under_test *thread, struct hal_space *space, unsigned slot,
                  const char *program) {
    memset(thread, 0, sizeof(*thread));
    thread->space = space;
    uint64_t page = frame_take();
    thread->page = hal_window(page);
    thread->user.page = page;
    thread->user.page_address = AX_THREAD_PAGES + slot * AX_PAGE_SIZE;
    thread->page->self = thread->user.page_address;
    map(space, thread->user.page_address, page, HAL_READ | HAL_WRITE);
    if (hal_boot()->vector_bytes != 0) {
        CHECK(hal_boot()->vector_bytes <= AX_PAGE_SIZE);
        thread->user.vector = hal_window(frame_take());
    }
    CHECK(hal_user_create(&thread->user, space));
    ax_regs_start(&thread->user.regs, program_address(program),
                  STACK_ADDRESS + AX_PAGE_SIZE - UINT64_C(256) * (slot + 1), 0);
    thread->user.regs.r15 = AX_KERNEL_CALL;
    thread->user.regs.r14 = AX_KERNEL_CLOCK;
    thread->user.regs.r13 = AX_KERNEL_YIELD;
}

void thread_stop(struct thread_under_test *thread) {
    hal_user_destroy(&thread->user);
}

enum hal_event_kind thread_run(struct thread_under_test *thread) {
    do {
        hal_space_sync(thread->space);
        hal_user_run(&thread->user, thread->space, &thread->event);
    } while (thread->event.kind == HAL_EVENT_KICK);
    return thread->event.kind;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static struct hal_space space;
static struct thread_under_test thread;

static void begin(const char *program) {
    space_start(&space);
    thread_start(&thread, &space, 0, program);
}

static void end(void) {
    thread_stop(&thread);
    space_stop(&space);
}

static void call_arguments(void) {
    begin(program_call);
    struct ax_regs *regs = &thread.user.regs;
    regs->rdi = 1;
    regs->rsi = 2;
    regs->rdx = UINT64_MAX;
    regs->rcx = UINT64_C(1) << 63;
    regs->r8 = 5;
    regs->r9 = 6;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(thread.event.call.number == 1);
    CHECK(thread.event.call.arguments[0] == 2);
    CHECK(thread.event.call.arguments[1] == UINT64_MAX);
    CHECK(thread.event.call.arguments[2] == UINT64_C(1) << 63);
    CHECK(thread.event.call.arguments[3] == 5);
    CHECK(thread.event.call.arguments[4] == 6);
    end();
}

/* What a C function keeps is kept, and the result is in rax. */
static void call_keeps_registers(void) {
    begin(program_call);
    struct ax_regs *regs = &thread.user.regs;
    uint64_t stack = regs->rsp;
    regs->rbx = 11;
    regs->rbp = 12;
    regs->r12 = 13;
    regs->r13 = 14;
    regs->r14 = 15;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    ax_regs_set_result(regs, -1234);
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK((int64_t)thread.event.call.number == -1234);
    CHECK(regs->rbx == 11 && regs->rbp == 12 && regs->r12 == 13);
    CHECK(regs->r13 == 14 && regs->r14 == 15 && regs->r15 == AX_KERNEL_PAGE);
    CHECK(regs->rsp <= stack && stack - regs->rsp <= 128);
    end();
}

/* All registers arrive, and all that core changes are loaded. */
static void bounce_registers(void) {
    begin(program_bounce);
    struct ax_regs *regs = &thread.user.regs;
    struct ax_regs before = *regs;
    before.rax = 231;
    before.rdi = 1;
    before.rsi = 2;
    before.rdx = 3;
    before.rbx = 4;
    before.r8 = 6;
    before.r9 = 7;
    before.r14 = 8;
    *regs = before;
    CHECK(thread_run(&thread) == HAL_EVENT_BOUNCE);
    CHECK(regs->rip == before.rip + 2); /* behind the instruction */
    CHECK(regs->rax == 231 && regs->rdi == 1 && regs->rsi == 2 && regs->rdx == 3);
    CHECK(regs->rbx == 4 && regs->r8 == 6 && regs->r9 == 7 && regs->r14 == 8);
    CHECK(regs->r15 == AX_KERNEL_PAGE && regs->rsp == before.rsp);
    regs->rdi = 99;
    regs->rsi = 98;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(thread.event.call.number == 99 && thread.event.call.arguments[0] == 98);
    end();
}

static void exception(const char *program, uint32_t fault) {
    begin(program);
    thread.user.regs.rbx = 42;
    CHECK(thread_run(&thread) == HAL_EVENT_FAULT);
    CHECK(thread.event.fault.fault == fault);
    CHECK(thread.user.regs.rbx == 42);
    uint64_t at = program_address(program);
    if (fault == AX_FAULT_BREAKPOINT)
        CHECK(thread.user.regs.rip == at || thread.user.regs.rip == at + 1);
    else
        CHECK(thread.user.regs.rip == at);
    end();
}

static void exceptions(void) {
    exception(program_undefined, AX_FAULT_INSTRUCTION);
    exception(program_breakpoint, AX_FAULT_BREAKPOINT);
    exception(program_divide, AX_FAULT_DIVIDE);
}

/* A kick that is pending comes back before the first instruction. */
static void kick_before_user(void) {
    begin(program_call);
    uint64_t start = thread.user.regs.rip;
    hal_space_sync(&space);
    hal_cpu_kick(0);
    hal_user_run(&thread.user, &space, &thread.event);
    CHECK(thread.event.kind == HAL_EVENT_KICK);
    CHECK(thread.user.regs.rip == start);
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    end();
}

static void timer_before_user(void) {
    begin(program_call);
    uint64_t start = thread.user.regs.rip;
    hal_deadline_set(0);
    CHECK(thread_run(&thread) == HAL_EVENT_TIMER);
    CHECK(thread.user.regs.rip == start);
    end();
}

/* A machine whose own host is busy may need several tries until the thread comes to run at all. */
static void timer_interrupts_user(void) {
    begin(program_spin);
    uint64_t counted = 0, progress = 0, start_ns = hal_time_ns();
    while (progress < 3 && hal_time_ns() - start_ns < PROGRESS_NS) {
        uint64_t deadline_ns = hal_time_ns() + 2000000;
        hal_deadline_set(deadline_ns);
        CHECK(thread_run(&thread) == HAL_EVENT_TIMER);
        CHECK(hal_time_ns() >= deadline_ns);
        CHECK(thread.user.regs.rbx >= counted); /* it went on where it was */
        progress += thread.user.regs.rbx > counted;
        counted = thread.user.regs.rbx;
    }
    CHECK(progress == 3);
    uint64_t at = program_address(program_spin);
    CHECK(thread.user.regs.rip >= at && thread.user.regs.rip < at + 8);
    end();
}

static void irq_interrupts_user(void) {
    uint32_t line = hal_boot()->irq_count - 1;
    if (hal_boot()->irq_count == 0 || !machine_irq_raise(line)) {
        suite_not_run("no interrupt can be raised");
        return;
    }
    begin(program_spin);
    hal_irq_unmask(line);
    CHECK(thread_run(&thread) == HAL_EVENT_INTERRUPT && thread.event.irq == line);
    end();
}

/* It comes back, and if it made a kernel call before, that was one which lets others run. */
static void yield_entry(void) {
    begin(program_yield);
    thread.user.regs.rbx = 1234;
    uint64_t stack = thread.user.regs.rsp;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    if (thread.event.call.number == AX_CALL_OBJECT_WAIT_MANY) {
        CHECK(thread.event.call.arguments[0] == 0 && thread.event.call.arguments[1] == 0);
        ax_regs_set_result(&thread.user.regs, AX_ERR_TIMEOUT);
        CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    }
    CHECK(thread.event.call.number == 1234);
    CHECK(thread.user.regs.rbx == 1234 && thread.user.regs.r15 == AX_KERNEL_CALL);
    CHECK(thread.user.regs.rsp <= stack && thread.user.regs.rsp >= stack - 64);
    end();
}

/* Without a kernel call: the first event is the one that tells. */
static void clock_entry(void) {
    begin(program_clock);
    for (unsigned i = 0; i < 3; i++) {
        thread.user.regs.rip = program_address(program_clock);
        uint64_t before_ns = hal_time_ns();
        CHECK(thread_run(&thread) == HAL_EVENT_CALL);
        uint64_t seen_ns = thread.event.call.number;
        CHECK(seen_ns >= before_ns && seen_ns <= hal_time_ns());
    }
    end();
}

static void fs_base(void) {
    begin(program_fs);
    uint64_t data = frame_take();
    *(uint64_t *)hal_window(data) = 1234;
    CHECK(hal_space_map(&space, DATA_ADDRESS, data, 1, HAL_READ));
    thread.user.regs.fs_base = DATA_ADDRESS;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(thread.event.call.number == 1234);
    CHECK(thread.user.regs.fs_base == DATA_ADDRESS);
    end();
}

/* GS base is the thread page, each thread's own; the page is what core sees of it. */
static void thread_pages(void) {
    static struct thread_under_test other;
    begin(program_gs);
    thread_start(&other, &space, 1, program_gs);
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(thread_run(&other) == HAL_EVENT_CALL);
    CHECK(thread.event.call.number == thread.user.page_address);
    CHECK(other.event.call.number == other.user.page_address);
    thread_stop(&other);
    thread_stop(&thread);
    thread_start(&thread, &space, 2, program_store);
    thread.user.regs.rdi = thread.user.page_address + offsetof(struct ax_thread_page, user);
    thread.user.regs.rsi = 4321;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(thread.page->user[0] == 4321);
    end();
}

/* What the thread, which has run before, finds at an address, without a sync. */
static uint64_t look_at(uint64_t address) {
    thread.user.regs.rip = program_address(program_load);
    thread.user.regs.rdi = address;
    do
        hal_user_run(&thread.user, thread.space, &thread.event);
    while (thread.event.kind == HAL_EVENT_KICK);
    CHECK(thread.event.kind == HAL_EVENT_CALL);
    return thread.event.call.number;
}

/* What is mapped for a thread to come is there for the others before that ever runs: its page, and
 * what the personality has for it. It can be taken away again, too. */
static void mapped_for_another(void) {
    static struct thread_under_test other;
    uint64_t area = AX_PERSONALITY_START + 16 * AX_PAGE_SIZE;
    begin(program_load);
    thread.user.regs.rdi = thread.user.page_address;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    thread_start(&other, &space, 1, program_call);
    CHECK(look_at(other.user.page_address) == other.user.page_address);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t frame = frame_take();
        *(uint64_t *)hal_window(frame) = 77 + i;
        map(&space, area + i * AX_PAGE_SIZE, frame, HAL_READ | HAL_WRITE);
    }
    hal_space_unmap(&space, area, 1);
    CHECK(look_at(area + 2 * AX_PAGE_SIZE) == 79 && look_at(area + AX_PAGE_SIZE) == 78);
    thread.user.regs.rip = program_address(program_load);
    thread.user.regs.rdi = area;
    CHECK(thread_run(&thread) == HAL_EVENT_FAULT && thread.event.fault.address == area);
    CHECK(thread_run(&other) == HAL_EVENT_CALL);
    thread_stop(&other);
    end();
}

/* Vector registers belong to the thread, whoever else runs meanwhile. */
static void vector_state(void) {
    static struct thread_under_test other;
    begin(program_vector);
    thread_start(&other, &space, 1, program_vector);
    thread.user.regs.rsi = 111;
    other.user.regs.rsi = 222;
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(thread_run(&other) == HAL_EVENT_CALL);
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(thread_run(&other) == HAL_EVENT_CALL);
    CHECK(thread.event.call.number == 111);
    CHECK(other.event.call.number == 222);
    thread_stop(&other);
    end();
}

const struct suite_case user_cases[] = {
    {"a kernel call brings its arguments", call_arguments},
    {"a kernel call keeps what C keeps", call_keeps_registers},
    {"a bounce brings and loads all registers", bounce_registers},
    {"exceptions", exceptions},
    {"a kick comes before the first instruction", kick_before_user},
    {"a timer comes before the first instruction", timer_before_user},
    {"the timer interrupts a thread", timer_interrupts_user},
    {"an interrupt interrupts a thread", irq_interrupts_user},
    {"the clock of the kernel page", clock_entry},
    {"the yield point of the kernel page", yield_entry},
    {"fs base", fs_base},
    {"thread pages", thread_pages},
    {"what is mapped for another thread", mapped_for_another},
    {"vector state", vector_state},
    {NULL, NULL},
};
