/* SPDX-License-Identifier: MIT */
/*
 * The scripted machine under the suite: user mode is an interpreter of the few instructions that
 * the suite's programs consist of, and CPU 1 a coroutine that runs while CPU 0 spins or waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <hal/model/model.h>

#include "suite.h"

#define STEPS_AT_A_TIME 100
#define STEP_NS         UINT64_C(50)

bool machine_irq_raise(uint32_t irq) {
    model_irq_raise(irq, 0);
    return true;
}

/* ---- User mode ------------------------------------------------------------------------------- */

struct step {
    uint32_t cpu;
    struct hal_user *user;
    struct hal_event *event;
};

/* Eight bytes of user memory; false: a fault. The suite's accesses are aligned. */
static bool access_word(struct step *step, uint64_t address, uint32_t access, uint64_t *word) {
    void *pointer;
    if (!model_user_access(step->cpu, step->user, address, access, &pointer, step->event))
        return false;
    if (access == AX_PROT_WRITE)
        memcpy(pointer, word, sizeof(*word));
    else
        memcpy(word, pointer, sizeof(*word));
    return true;
}

static bool exception(struct step *step, uint32_t fault) {
    *step->event = (struct hal_event){.kind = HAL_EVENT_FAULT};
    step->event->fault.fault = fault;
    return false;
}

static bool do_syscall(struct step *step) {
    struct ax_regs *regs = &step->user->regs;
    bool is_call = regs->rip >> AX_PAGE_SHIFT == AX_KERNEL_PAGE >> AX_PAGE_SHIFT;
    regs->rip += 2;
    *step->event = (struct hal_event){.kind = is_call ? HAL_EVENT_CALL : HAL_EVENT_BOUNCE};
    if (is_call) {
        step->event->call.number = regs->rdi;
        uint64_t arguments[5] = {regs->rsi, regs->rdx, regs->rcx, regs->r8, regs->r9};
        memcpy(step->event->call.arguments, arguments, sizeof(arguments));
    }
    return false;
}

static bool do_load(struct step *step, uint64_t address, unsigned length) {
    if (!access_word(step, address, AX_PROT_READ, &step->user->regs.rdi))
        return false;
    step->user->regs.rip += length;
    return true;
}

static bool do_store(struct step *step) {
    if (!access_word(step, step->user->regs.rdi, AX_PROT_WRITE, &step->user->regs.rsi))
        return false;
    step->user->regs.rip += 3;
    return true;
}

static bool do_call(struct step *step, uint64_t target) {
    struct ax_regs *regs = &step->user->regs;
    uint64_t back = regs->rip + 3;
    if (!access_word(step, regs->rsp - 8, AX_PROT_WRITE, &back))
        return false;
    regs->rsp -= 8;
    regs->rip = target;
    return true;
}

static bool do_ret(struct step *step) {
    struct ax_regs *regs = &step->user->regs;
    if (!access_word(step, regs->rsp, AX_PROT_READ, &regs->rip))
        return false;
    regs->rsp += 8;
    return true;
}

/* Register to register: xmm0 is the first eight bytes of the thread's vector area. */
static bool do_move(struct step *step, void *to, const void *from, unsigned length) {
    memcpy(to, from, 8);
    step->user->regs.rip += length;
    return true;
}

#define IS(bytes) (memcmp(code, bytes, sizeof(bytes) - 1) == 0)

/* One instruction; false: it ended in an event. */
static bool do_step(struct step *step) {
    struct ax_regs *regs = &step->user->regs;
    void *at;
    if (!model_user_access(step->cpu, step->user, regs->rip, AX_PROT_EXECUTE, &at, step->event))
        return false;
    const char *code = at;
    if (IS("\x0f\x05"))
        return do_syscall(step);
    if (IS("\x41\xff\xd7"))
        return do_call(step, regs->r15);
    if (IS("\x41\xff\xd6"))
        return do_call(step, regs->r14);
    if (IS("\x41\xff\xd5"))
        return do_call(step, regs->r13);
    if (IS("\x0f\x31")) {
        uint64_t now_ns = hal_time_ns();
        return do_move(step, &regs->rax, &now_ns, 2);
    }
    if (IS("\xc3"))
        return do_ret(step);
    if (IS("\x48\x8b\x3f"))
        return do_load(step, regs->rdi, 3);
    if (IS("\x64\x48\x8b\x3c\x25"))
        return do_load(step, regs->fs_base, 9);
    if (IS("\x65\x48\x8b\x3c\x25"))
        return do_load(step, step->user->page_address, 9);
    if (IS("\x48\x89\x37"))
        return do_store(step);
    if (IS("\x48\x89\xc7"))
        return do_move(step, &regs->rdi, &regs->rax, 3);
    if (IS("\x48\x89\xdf"))
        return do_move(step, &regs->rdi, &regs->rbx, 3);
    if (IS("\x66\x48\x0f\x6e\xc6"))
        return do_move(step, step->user->vector, &regs->rsi, 5);
    if (IS("\x66\x48\x0f\x7e\xc7"))
        return do_move(step, &regs->rdi, step->user->vector, 5);
    if (IS("\x48\xff\xc3")) {
        regs->rbx++;
        regs->rip += 3;
        return true;
    }
    if (IS("\xeb")) {
        regs->rip += (uint64_t)(int64_t)code[1] + 2;
        return true;
    }
    if (IS("\xe9")) {
        int32_t distance;
        memcpy(&distance, code + 1, sizeof(distance));
        regs->rip += (uint64_t)(int64_t)distance + 5;
        return true;
    }
    if (IS("\xcc"))
        return exception(step, AX_FAULT_BREAKPOINT);
    if (IS("\x48\xf7\xf1") && regs->rcx == 0)
        return exception(step, AX_FAULT_DIVIDE);
    return exception(step, AX_FAULT_INSTRUCTION);
}

static bool user_hook(void *context, uint32_t cpu, struct hal_user *user, struct hal_event *event) {
    (void)context;
    struct step step = {.cpu = cpu, .user = user, .event = event};
    for (unsigned i = 0; i < STEPS_AT_A_TIME; i++) {
        if (!do_step(&step))
            return true;
    }
    model_time_advance(STEPS_AT_A_TIME * STEP_NS);
    return false;
}

/* ---- CPU 1 ----------------------------------------------------------------------------------- */

static ucontext_t contexts[2];
static bool is_started;
static char stack[65536];

static bool start_hook(void *context, uint32_t cpu) {
    (void)context;
    if (getcontext(&contexts[1]) != 0 || cpu != 1)
        return false;
    contexts[1].uc_stack.ss_sp = stack;
    contexts[1].uc_stack.ss_size = sizeof(stack);
    makecontext(&contexts[1], core_cpu_main, 0);
    is_started = true;
    return true;
}

static void others_hook(void *context, uint32_t cpu) {
    (void)context;
    if (!is_started)
        return;
    model_cpu_set(1 - cpu);
    if (swapcontext(&contexts[cpu], &contexts[1 - cpu]) != 0)
        abort();
    model_cpu_set(cpu);
}

/* ---- The program ----------------------------------------------------------------------------- */

static void halt_hook(void *context, int code) {
    (void)context;
    exit(code);
}

static void console_hook(void *context, const char *text, size_t size) {
    (void)context;
    fwrite(text, 1, size, stdout);
}

int main(int argc, char **argv) {
    (void)argv;
    static const char module[5000];
    struct model_config config = {
        .cpu_count = 2,
        .memory_bytes = UINT64_C(16) << 20,
        .hole_pages = 3,
        .vector_bytes = 64,
        .irq_count = 16,
        .irq_messages = 4,
        .framebuffer = {.physical = 0xfd000000,
                        .width = 640,
                        .height = 480,
                        .pitch_bytes = 2560,
                        .pixel_bits = 32,
                        .red_shift = 16,
                        .red_bits = 8,
                        .green_shift = 8,
                        .green_bits = 8,
                        .blue_bits = 8},
        .tagged_tlb = argc > 1, /* any argument */
        .table_frames = true,
        .jump_time = true,
        .entry_ns = 100,
        .seed = 1,
        .modules = {module},
        .module_bytes = {sizeof(module)},
        .module_count = 1,
        .hooks = {.user = user_hook,
                  .start = start_hook,
                  .others = others_hook,
                  .halt = halt_hook,
                  .console = console_hook},
    };
    model_create(&config);
    core_start();
}
