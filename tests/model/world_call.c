/* SPDX-License-Identifier: MIT */
/* Kernel calls of the world, as they are made, told, and checked. */
#include <base/random.h>
#include <stdio.h>

#include "frame.h"
#include "object.h"
#include "world.h"

uint64_t world_call_count, world_fast_count;
/* By what they answered: a success, each error, and these. */
#define BLOCKED (-AX_ERR_LAST + 1)
#define ENDED   (-AX_ERR_LAST + 2)
#define ANSWERS (-AX_ERR_LAST + 3)
static uint64_t answers[AX_CALL_COUNT][ANSWERS], ends[REF_GONE + 1][ANSWERS];
bool world_is_verbose, world_is_refused;
static unsigned fail_after;
static bool by_steps;
static struct random steps;

static const char *const call_names[AX_CALL_COUNT] = {
#define X(upper, lower) [AX_CALL_##upper] = #lower,
    AX_CALL_LIST(X)
#undef X
};

static const char *const error_names[-AX_ERR_LAST + 1] = {
    "OK",       "NO_CALL",     "ARGUMENT", "HANDLE",      "TYPE",      "RIGHTS",
    "ADDRESS",  "MEMORY",      "LIMIT",    "EXISTS",      "NOT_FOUND", "STATE",
    "TIMEOUT",  "INTERRUPTED", "AGAIN",    "PEER_CLOSED", "DROPPED",   "FAULTED",
    "DEADLOCK", "CALLER_DEAD", "ABSENT",   "ENDED",       "ACCEPT"};

const char *world_call_name(uint64_t number) {
    return number < AX_CALL_COUNT ? call_names[number] : "?";
}

const char *world_error_name(ax_result result) {
    static char numbers[2][32]; /* two may be told of at a time */
    static unsigned next;
    if (result == DRIVER_BLOCKED)
        return "blocked";
    if (result == DRIVER_ENDED)
        return "ended";
    if (result < 0 && result >= AX_ERR_LAST)
        return error_names[-result];
    char *number = numbers[next++ % 2];
    snprintf(number, sizeof(numbers[0]), "%#llx", (unsigned long long)result);
    return number;
}

static void print_message(const struct ax_ipc *ipc) {
    const struct ax_message *message = &ipc->message;
    printf("\n      message: operation %#llx, %u words", (unsigned long long)message->operation,
           message->word_count);
    for (unsigned i = 0; i < message->handle_count; i++)
        printf(", handle %#x (rights %#x%s)", message->handles[i].handle,
               message->handles[i].rights & AX_RIGHT_ALL,
               (message->handles[i].rights & AX_HANDLE_MOVE) != 0 ? ", moved" : "");
    for (unsigned i = 0; i < message->loan_count; i++)
        printf(", loan %#llx + %#llx (access %u)", (unsigned long long)message->loans[i].address,
               (unsigned long long)message->loans[i].size_bytes, message->loan_access[i]);
    printf("; accepts %u, deadline %lld, buffer %#llx + %#x, data %#llx + %#x", ipc->accept,
           (long long)ipc->deadline_ns, (unsigned long long)ipc->buffer, ipc->buffer_bytes,
           (unsigned long long)ipc->data, ipc->data_bytes);
    for (unsigned i = 0; i < ipc->change_count; i++)
        printf(", badge %llu: -%x +%x", (unsigned long long)ipc->changes[i].badge,
               ipc->changes[i].clear, ipc->changes[i].set);
    printf("\n     ");
}

static void print_map(const struct ax_map_request *request) {
    printf(" [%#llx + %#llx, offset %#llx, access %u, flags %u]",
           (unsigned long long)request->address, (unsigned long long)request->size_bytes,
           (unsigned long long)request->offset, request->prot, request->flags);
}

static void print_queue(const struct ax_queue_request *request) {
    printf(" [key %llu, data %llu, mask %#x, mode %u]", (unsigned long long)request->key,
           (unsigned long long)request->data, request->mask, request->mode);
}

static void print_call(int thread, enum ax_call number, const uint64_t arguments[5]) {
    const struct thread *core = ref.threads[thread].core;
    printf("  thread %d of process %d: %s(", thread, ref.threads[thread].process,
           world_call_name(number));
    for (unsigned i = 0; i < 5; i++)
        printf("%s%#llx", i > 0 ? ", " : "", (unsigned long long)arguments[i]);
    printf(")");
    if (number == AX_CALL_CALL || number == AX_CALL_REPLY_RECEIVE)
        print_message(&core->page->ipc);
    if (number == AX_CALL_MEMORY_MAP)
        print_map((const struct ax_map_request *)(const void *)core->page->buffer);
    if (number == AX_CALL_QUEUE_CONTROL)
        print_queue((const struct ax_queue_request *)(const void *)core->page->buffer);
    if (fail_after > FAILURES_OF_CORE)
        printf(" with function %u of the machine failing", fail_after - FAILURES_OF_CORE);
    else if (fail_after != 0)
        printf(" with allocation %u failing", fail_after);
    fflush(stdout);
}

/* Who holds what. */
void world_print(void) {
    static const char *const types[AX_TYPE_COUNT] = {
        "?",      "process", "account", "thread", "endpoint", "session", "reply",
        "memory", "event",   "timer",   "irq",    "queue",    "device"};
    for (int p = 0; p < PROCESSES; p++) {
        if (!ref.processes[p].exists)
            continue;
        printf("  process %d (object %d) holds", p, ref.processes[p].object);
        for (int i = 0; i < HANDLES; i++) {
            const struct ref_handle *handle = &ref.processes[p].handles[i];
            if (!handle->used)
                continue;
            const struct ref_object *object =
                handle->object >= 0 ? &ref.objects[handle->object] : NULL;
            printf(" %#x: %s %d", handle->value, object != NULL ? types[object->type] : "call of",
                   object != NULL ? handle->object : -1 - handle->object);
            if (object != NULL &&
                (object->type == AX_TYPE_SESSION || object->type == AX_TYPE_THREAD))
                printf("(%d)", object->of);
        }
        printf("\n");
    }
}

void world_fail_after(unsigned count) {
    fail_after = count;
}

/* ---- What follows ---------------------------------------------------------------------------- */

void world_go_by_steps(uint64_t seed) {
    by_steps = seed != 0;
    random_seed(&steps, seed);
    driver_set_manual(by_steps);
}

bool world_cpu_is_busy(uint32_t cpu) {
    return model_cpu_is_pending(cpu) || kernel->cpus[cpu].poll;
}

/* A CPU that has something to do, whichever; -1: none has. */
static int choose_busy(void) {
    bool has_work = work_is_pending() || kernel->frames.waiting_count != 0;
    uint32_t first = (uint32_t)random_below(&steps, kernel->cpu_count);
    for (uint32_t i = 0; i < kernel->cpu_count; i++) {
        uint32_t cpu = (first + i) % kernel->cpu_count;
        if (has_work || world_cpu_is_busy(cpu))
            return (int)cpu;
    }
    return -1;
}

/* Threads that a CPU is to look after may have entered the kernel before they are told. */
static void enter_late(void) {
    for (uint32_t id = 0; id < kernel->cpu_count; id++) {
        const struct cpu *cpu = &kernel->cpus[id];
        if (by_steps && cpu->current != NULL && cpu->current->state == THREAD_RUNNING &&
            !cpu->poll && model_cpu_is_pending(id) && random_below(&steps, 2) == 0) {
            driver_yield_late(cpu->current);
            driver_check_invariants();
        }
    }
}

/* Nothing is left to do but that CPUs look whom to run: that can wait, and others go on. */
static bool can_wait(void) {
    for (uint32_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
        const struct thread *thread = kernel->cpus[cpu].current;
        if (thread != NULL && (thread->state == THREAD_ENDED || thread->process->suspended > 0 ||
                               thread->process->state != PROCESS_OPEN))
            return false;
    }
    return !work_is_pending();
}

void world_settle(void) {
    if (by_steps && !(can_wait() && random_below(&steps, 2) == 0))
        world_settle_all();
}

void world_settle_all(void) {
    int cpu;
    if (!by_steps)
        return; /* the driver has seen to it */
    while ((cpu = choose_busy()) >= 0) {
        driver_step((uint32_t)cpu);
        driver_check_invariants();
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static unsigned answer_index(ax_result result) {
    if (result == DRIVER_BLOCKED)
        return BLOCKED;
    if (result == DRIVER_ENDED)
        return ENDED;
    return result < 0 ? (unsigned)-result : 0;
}

static void print_answers(const char *what, const uint64_t counts[ANSWERS]) {
    printf("%-20s", what);
    for (unsigned i = 0; i < ANSWERS; i++) {
        const char *name = i <= -AX_ERR_LAST ? error_names[i] : i == BLOCKED ? "blocked" : "ended";
        if (counts[i] != 0)
            printf(" %s %llu", name, (unsigned long long)counts[i]);
    }
    printf("\n");
}

void world_print_answers(void) {
    for (unsigned number = 0; number < AX_CALL_COUNT; number++)
        print_answers(call_names[number], answers[number]);
    printf("%llu IPC calls by the short path\n", (unsigned long long)world_fast_count);
    print_answers("in call", ends[REF_CALLS]);
    print_answers("in receive", ends[REF_RECEIVES]);
    print_answers("in wait", ends[REF_WAITS]);
    print_answers("in futex_wait", ends[REF_FUTEX]);
    print_answers("in queue_wait", ends[REF_QUEUES]);
}

void world_count_end(enum ref_state state, ax_result result) {
    ends[state][answer_index(result)]++;
}

ax_result world_call(int thread, enum ax_call number, const uint64_t arguments[5]) {
    if (world_is_verbose)
        print_call(thread, number, arguments);
    if (fail_after <= FAILURES_OF_CORE)
        driver_fail_after(fail_after);
    else
        driver_fail_machine_after(fail_after - FAILURES_OF_CORE);
    ax_result result = kcall_array(ref.threads[thread].core, number, arguments);
    enter_late();
    if (result == DRIVER_RESTART)
        world_settle_all();
    else
        world_settle();
    if (result != DRIVER_ENDED)
        result = driver_answer(ref.threads[thread].core);
    bool has_failed = fail_after != 0 && driver_has_failed();
    driver_fail_after(0);
    driver_fail_machine_after(0);
    fail_after = 0;
    world_call_count++;
    answers[number][answer_index(result)]++;
    world_is_refused = result == AX_ERR_MEMORY && (has_failed || kernel->frames.free_count < 16);
    if (world_is_verbose)
        printf(" = %s\n", world_error_name(result));
    return result;
}

void *world_core(int process, ax_result handle) {
    return handle > 0 ? driver_object(ref.processes[process].core, (ax_handle)handle) : NULL;
}

void world_made(int thread, ax_result result, ax_result predicted, int process, int object,
                uint32_t rights) {
    if (ref.unpredictable)
        return;
    if (predicted == AX_OK) {
        if (result < 0)
            driver_fail("nothing was made: %s", world_error_name(result));
        ref.objects[object].core = world_core(process, result);
        ref_handle_new(process, object, rights, (ax_handle)result);
        predicted = result;
    }
    world_finish(thread, result, predicted);
}

void world_finish(int thread, ax_result result, ax_result predicted) {
    struct ref_thread *it = &ref.threads[thread];
    ref_settle();
    if (predicted == REF_BLOCKED && it->state == REF_RUNS)
        predicted = it->result; /* what followed ended it at once */
    if (ref.unpredictable)
        return;
    if (result != predicted)
        driver_fail("thread %d got %s; the reference: %s", thread, world_error_name(result),
                    world_error_name(predicted));
    if (it->state == REF_RUNS) {
        it->result = result;
        it->has_result = true;
    }
    world_compare();
}
