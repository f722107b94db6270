/* SPDX-License-Identifier: MIT */
#include "hostile.h"

#define POOL 16

#define HOST_FUTEX 202
#define FUTEX_WAKE 1

struct jump_page { /* thread_page.user, as jump.S knows it */
    uint64_t stack, back;
    struct jump *jump;
};

void upcall_serve(struct ax_thread_page *page);
long host_call_through(uint64_t at, long number, const uint64_t *arguments) __asm__("host_call_at");

/* ---- Upcalls --------------------------------------------------------------------------------- */

/* Back to whoever jumped; without one it is the end. */
void upcall_serve(struct ax_thread_page *page) {
    struct ax_frame *frame = &page->program;
    struct jump_page *jump_page = (void *)page->user;
    if (jump_page->back == 0) {
        (void)ax_process_end(AX_HANDLE_NONE, AX_CAUSE_FAULT, 0);
        __builtin_trap();
    }
    jump_page->jump->outcome = (struct outcome){.reason = frame->reason,
                                                .fault = frame->fault,
                                                .address = frame->address,
                                                .access = frame->access,
                                                .regs = frame->regs};
    frame->regs.rip = jump_page->back;
    frame->regs.rsp = jump_page->stack;
    frame->regs.rflags = AX_RFLAGS_FIXED;
    frame->regs.fs_base = page->user[3];
    (void)ax_resume(0);
    __builtin_trap();
}

void jump_prepare(struct jump *jump, uint64_t address) {
    static uint64_t stacks[AX_THREAD_MAX / 64][64] __attribute__((aligned(64)));
    uint64_t stack = (uint64_t)&stacks[thread_slot() % COUNT(stacks)][60];
    *jump = (struct jump){.rip = address, .cs = 0x33, .rflags = 0x202, .rsp = stack, .ss = 0x2b};
}

/* ---- Threads --------------------------------------------------------------------------------- */

static uint8_t stacks[POOL][2][STACK_BYTES] __attribute__((aligned(64)));
static struct {
    void (*run)(uint64_t);
    uint64_t argument;
} starts[POOL];
static unsigned used;

void thread_begin(void *upcall_stack) {
    struct ax_thread_page *page = ax_thread_page();
    uint64_t fs_base;
    __asm__("rdfsbase %0" : "=r"(fs_base));
    page->user[1] = 0;
    page->user[3] = fs_base;
    page->personality_stack = (uint64_t)upcall_stack;
}

static void thread_main(uint64_t index) {
    thread_begin(stacks[index][1] + STACK_BYTES);
    starts[index].run(starts[index].argument);
    (void)ax_thread_exit(0, 0, AX_HANDLE_NONE);
}

ax_handle thread_start(void (*run)(uint64_t), uint64_t argument) {
    unsigned index = used++ % POOL;
    starts[index].run = run;
    starts[index].argument = argument;
    ax_result result =
        ax_thread_create(AX_HANDLE_NONE, (uint64_t)thread_main,
                         (uint64_t)(stacks[index][0] + STACK_BYTES - 8), index, AX_PLACE_ANY);
    return result < 0 ? AX_HANDLE_NONE : (ax_handle)result;
}

/* ---- The host's calls ------------------------------------------------------------------------ */

void host_call_fake(uint64_t at, long number, const uint64_t *arguments,
                    void *area) __asm__("host_call_handoff");

uint64_t bytes_find(uint64_t from, uint64_t end, uint8_t first, uint8_t second) {
    for (uint64_t at = from; at + 1 < end; at++) {
        const volatile uint8_t *bytes = (const volatile uint8_t *)at; /* NOLINT */
        if (bytes[0] == first && bytes[1] == second)
            return at;
    }
    return 0;
}

/* "syscall; ret" in the stub. */
static uint64_t gadget_find(void) {
    for (uint64_t at = STUB_TEXT; (at = bytes_find(at, STUB_TEXT + STUB_TEXT_BYTES, 0x0f, 5)) != 0;
         at++) {
        if (*(const volatile uint8_t *)(at + 2) == 0xc3) /* NOLINT */
            return at;
    }
    return 0;
}

long host_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    const uint64_t arguments[] = {a, b, c, d, e};
    uint64_t at = gadget_find();
    return at == 0 ? 0 : host_call_through(at, number, arguments);
}

void host_call_quietly(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    static uint8_t areas[POOL + 1][2 * AX_PAGE_SIZE] __attribute__((aligned(64)));
    const uint64_t arguments[] = {a, b, c, d, e};
    uint64_t at = bytes_find(STUB_TEXT, STUB_TEXT + STUB_TEXT_BYTES, 0x0f, 5);
    volatile uint8_t *area = areas[thread_slot() % (POOL + 1)];
    area[0] = area[STUB_FIXED] = 0; /* a fault in the stub would be the end */
    if (at != 0)
        host_call_fake(at, number, arguments, (void *)area);
}

/* ---- Trying ---------------------------------------------------------------------------------- */

/* mov (%rsi), %rax; ud2 and its like, by the jump's registers. */
void code_load(void);
void code_store(void);
__asm__(".text\n"
        "code_load: mov (%rsi), %rax\n ud2\n"
        "code_store: mov %rax, (%rsi)\n ud2\n");

bool try_read(uint64_t address, uint64_t *value) {
    struct jump jump;
    jump_prepare(&jump, (uint64_t)code_load);
    jump.regs.rsi = address;
    jump_run(&jump);
    *value = jump.outcome.regs.rax;
    return jump.outcome.reason == AX_UPCALL_FAULT && jump.outcome.fault == AX_FAULT_INSTRUCTION;
}

bool try_write(uint64_t address, uint64_t value) {
    struct jump jump;
    jump_prepare(&jump, (uint64_t)code_store);
    jump.regs.rsi = address;
    jump.regs.rax = value;
    jump_run(&jump);
    return jump.outcome.reason == AX_UPCALL_FAULT && jump.outcome.fault == AX_FAULT_INSTRUCTION;
}

/* ---- Mischief -------------------------------------------------------------------------------- */

void claim_to_wait(uint64_t until_ns) {
    volatile struct stub_area *area = area_of(thread_slot());
    area->kind = STUB_KIND_CALL;
    area->number = AX_CALL_OBJECT_WAIT_MANY;
    area->arguments[0] = 0;
    area->arguments[1] = until_ns;
    area->context.regs.rip = (uint64_t)spin;
    area->context.regs.rflags = AX_RFLAGS_FIXED;
    __atomic_exchange_n(&area->word, STUB_KERNEL, __ATOMIC_SEQ_CST);
    host_call(HOST_FUTEX, (uint64_t)&area->word, FUTEX_WAKE, INT32_MAX, 0, 0);
}

_Noreturn void stub_crash(void) {
    uint64_t bottom = (uint64_t)area_of(thread_slot()) + STUB_SIGNAL_STACK + 256;
    __asm__ volatile("mov %0, %%rsp\n ud2" ::"r"(bottom));
    __builtin_unreachable();
}

_Noreturn void spin(void) {
    for (volatile uint64_t *progress = &shared->progress[own_slot];;)
        ++*progress;
}

void spin_for(uint64_t ns) {
    for (uint64_t end = ax_clock_ns() + ns; ax_clock_ns() < end;)
        ;
}
