/* SPDX-License-Identifier: MIT */
/*
 * Programs at random: the input is a list of things that user mode does on some CPU (kernel calls
 * with any arguments, scribbling in the thread page, faults, bounces) and that happen to the
 * machine (time, interrupts, memory that runs out). Core must stand it, and everything that
 * driver_check_invariants knows must hold afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include "driver_private.h"
#include "fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Core's own leaks are found by the census; the sanitizer's search for the host's gets lost in the
 * scripted machine's area and hangs at the end of the run. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

#define ACTIONS_MAX     200
#define ACTIONS_A_CHECK 16

struct input {
    const uint8_t *data;
    size_t left;
};

static uint8_t take_byte(struct input *input) {
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->data++;
}

static uint64_t take_word(struct input *input) {
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)take_byte(input) << (8 * i);
    return word;
}

/* Mostly what could make sense. */
static uint64_t take_value(struct input *input) {
    uint8_t kind = take_byte(input);
    uint64_t small = kind & 31;
    switch (kind >> 5) {
    case 0: return small;
    case 1: return small; /* handles of generation 0 are small numbers as well */
    case 2: return WORLD_MEMORY + small * AX_PAGE_SIZE;
    case 3: return WORLD_MEMORY + small * 4 + 0x800;
    case 4: return UINT64_C(1) << (2 * small);
    case 5: return UINT64_MAX - small;
    case 6: return AX_PLACE(small, take_byte(input));
    default: return take_word(input);
    }
}

/* The program writes to its thread page: most of all to what calls take from there. */
static void scribble(struct input *input, struct thread *thread) {
    uint8_t *page = (uint8_t *)thread->page;
    uint8_t where = take_byte(input);
    size_t offset;
    if (where < 96)
        offset = offsetof(struct ax_thread_page, ipc) + where * 4U;
    else if (where < 192)
        offset = AX_BUFFER_BYTES + (where - 96U) * 4;
    else
        offset = (where - 192U) * 64 + take_byte(input) % 64;
    uint64_t value = take_value(input);
    size_t width = (take_byte(input) & 1) != 0 ? 8 : 4;
    if (offset + width <= AX_PAGE_SIZE)
        memcpy(page + offset, &value, width);
}

/* The message is plausible: few words, a handle or two, loans in the program's memory. */
static void compose(struct input *input, struct thread *thread) {
    struct ax_ipc *ipc = &thread->page->ipc;
    uint8_t shape = take_byte(input);
    ipc->message.word_count = shape & 7;
    ipc->message.handle_count = shape >> 3 & 3;
    ipc->message.loan_count = shape >> 5 & 3;
    ipc->accept = take_byte(input) & 7;
    for (unsigned i = 0; i < 3; i++) {
        ipc->message.handles[i].handle = take_byte(input) & 31;
        ipc->message.handles[i].rights =
            AX_RIGHT_ALL | ((take_byte(input) & 1) != 0 ? AX_HANDLE_MOVE : 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        ipc->message.loan_access[i] = take_byte(input) & 3;
        ipc->message.loans[i].address = take_value(input);
        ipc->message.loans[i].size_bytes = take_byte(input) * 64U;
    }
    ipc->buffer = take_value(input);
    ipc->buffer_bytes = take_byte(input) * 16U;
    ipc->data = take_value(input);
    ipc->data_bytes = take_byte(input) * 16U;
    ipc->deadline_ns = (shape & 64) != 0 ? hal_time_ns() + 100000 : AX_TIME_NEVER;
    ipc->receive_deadline_ns = ipc->deadline_ns;
    ipc->change_count = 0;
    ipc->id_process = AX_HANDLE_NONE;
}

/* The CPU's current thread meets the event, unless something else comes first there. */
static void meet(struct thread *thread, const struct hal_event *event) {
    uint32_t cpu = thread->cpu->id;
    driver_arm(cpu, event);
    driver_step(cpu);
    driver.armed = false;
    driver_auto_settle();
}

static void call(struct input *input, struct thread *thread) {
    uint64_t number = take_byte(input) % (AX_CALL_COUNT + 1);
    uint64_t arguments[5];
    for (unsigned i = 0; i < 5; i++)
        arguments[i] = take_value(input);
    /* The reply that this process holds, whatever its handle is by now. */
    struct tree_node *held = tree_first(&thread->process->received);
    if ((number == AX_CALL_REPLY_RECEIVE || number == AX_CALL_FORWARD ||
         (number >= AX_CALL_REPLY_CONTROL && number <= AX_CALL_LOAN_MAP)) &&
        (arguments[0] & 1) != 0 && held != NULL)
        arguments[0] = container_of(held, struct reply, in_holder)->handle;
    struct ax_queue_request request = {.key = arguments[3] & 7,
                                       .data = arguments[3],
                                       .mask = (uint32_t)arguments[4],
                                       .mode = (uint32_t)(arguments[3] >> 3 & 7)};
    if (number == AX_CALL_QUEUE_CONTROL)
        memcpy(thread->page->buffer, &request, sizeof(request));
    struct hal_event event = {.kind = HAL_EVENT_CALL, .call = {.number = number}};
    memcpy(event.call.arguments, arguments, sizeof(arguments));
    meet(thread, &event);
}

static void fault(struct input *input, struct thread *thread) {
    uint8_t kind = take_byte(input);
    struct hal_event event = {.kind = HAL_EVENT_FAULT};
    event.fault.fault = kind % AX_FAULT_COUNT;
    if (event.fault.fault == AX_FAULT_NONE)
        event.fault.fault = AX_FAULT_UNMAPPED;
    event.fault.access = 1U << (kind >> 4) % 3;
    event.fault.address = take_value(input);
    meet(thread, &event);
}

static void act(struct input *input) {
    uint8_t action = take_byte(input);
    struct cpu *cpu = &kernel->cpus[action % WORLD_CPUS];
    struct thread *thread = cpu->current;
    action /= WORLD_CPUS;
    if (thread != NULL && action >= 48) {
        call(input, thread);
    } else if (thread != NULL && action >= 16) {
        switch (action % 8) {
        case 0: fault(input, thread); break;
        case 1: meet(thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE}); break;
        case 2: ax_regs_set_pc(&thread->user.regs, take_value(input) % AX_USER_END); break;
        case 3:
        case 4: scribble(input, thread); break;
        case 5: driver_slice_end(cpu->id); break;
        default: compose(input, thread); break;
        }
    } else {
        switch (action % 4) {
        case 0: driver_advance(take_byte(input) * UINT64_C(1000000)); break;
        case 1: model_irq_raise(take_byte(input) % 8, cpu->id); break;
        case 2: driver_fail_after(take_byte(input)); break;
        default: driver_step(cpu->id); break;
        }
    }
}

static void play(void *context) {
    struct input *input = context;
    for (unsigned i = 0; i < ACTIONS_MAX && input->left > 0; i++) {
        act(input);
        if (i % ACTIONS_A_CHECK == 0)
            driver_check_invariants();
    }
    driver_fail_after(0);
    driver_settle();
    driver_check_invariants();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {.data = data, .left = size};
    int code;
    world_restore();
    /* Programs may halt the machine: root's death, or the call for it. That ends the play. */
    (void)driver_halts(play, &input, &code);
    return 0;
}
