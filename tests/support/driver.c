/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <hal/model/machine.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "driver_private.h"

/* More steps than any test needs: beyond it something goes round in circles. */
#define STEPS_MAX 1000000

struct driver driver;

static char console[16384];
static size_t console_used;
static jmp_buf halt_target;
static bool halt_is_caught;
static int halt_code;

void driver_fail(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fprintf(stderr, "driver: %s\n%s", line, driver_console());
    abort();
}

/* ---- The machine's hooks --------------------------------------------------------------------- */

/* User mode: the event that was armed for this CPU, or nothing. */
static bool user_hook(void *context, uint32_t cpu, struct hal_user *user, struct hal_event *event) {
    (void)context;
    if (!driver.armed || driver.cpu != cpu)
        return false;
    driver.armed = false;
    if (driver.is_touch)
        return !model_user_access(cpu, user, driver.address, driver.access, &driver.pointer, event);
    *event = driver.event;
    return true;
}

static void halt_hook(void *context, int code) {
    (void)context;
    if (!halt_is_caught)
        driver_fail("the machine halted: %d", code);
    halt_code = code;
    longjmp(halt_target, 1);
}

static void console_hook(void *context, const char *text, size_t size) {
    (void)context;
    size_t room = sizeof(console) - 1;
    if (size > room) {
        text += size - room;
        size = room;
    }
    if (console_used + size > room) {
        size_t drop = console_used + size - room;
        memmove(console, console + drop, console_used - drop);
        console_used -= drop;
    }
    memcpy(console + console_used, text, size);
    console_used += size;
    console[console_used] = 0;
}

const char *driver_console(void) {
    return console;
}

bool driver_halts(void (*function)(void *context), void *context, int *code) {
    if (setjmp(halt_target) != 0) { /* NOLINT: the way out of a machine that has halted */
        halt_is_caught = false;
        *code = halt_code;
        return true;
    }
    halt_is_caught = true;
    function(context);
    halt_is_caught = false;
    return false;
}

/* ---- Start and stop -------------------------------------------------------------------------- */

#define IMAGE_TEXT 0x400000
#define IMAGE_DATA 0x600000

/* A root image of one page of text and two of data, of which the second is zero. */
static void image_make(char image[3 * AX_PAGE_SIZE]) {
    struct ax_root_image header = {
        .magic = AX_ROOT_MAGIC,
        .entry = IMAGE_TEXT,
        .segment_count = 2,
        .segments = {{.address = IMAGE_TEXT,
                      .offset = AX_PAGE_SIZE,
                      .file_bytes = AX_PAGE_SIZE,
                      .size_bytes = AX_PAGE_SIZE,
                      .prot = AX_PROT_READ | AX_PROT_EXECUTE},
                     {.address = IMAGE_DATA,
                      .offset = 2 * AX_PAGE_SIZE,
                      .file_bytes = 100,
                      .size_bytes = 2 * AX_PAGE_SIZE,
                      .prot = AX_PROT_READ | AX_PROT_WRITE}},
    };
    memset(image, 0x5a, 3 * AX_PAGE_SIZE);
    memcpy(image, &header, sizeof(header));
}

void driver_start(const struct driver_config *wanted) {
    static char image[3 * AX_PAGE_SIZE];
    static const struct driver_config standard = {.model = {.cpu_count = 2,
                                                            .table_frames = true,
                                                            .irq_count = 16,
                                                            .irq_messages = 4,
                                                            .vector_bytes = 64}};
    driver = (struct driver){.config = wanted != NULL ? *wanted : standard};
    struct model_config *config = &driver.config.model;
    if (config->module_count == 0) {
        image_make(image);
        config->modules[0] = image;
        config->module_bytes[0] = sizeof(image);
        config->module_count = 1;
    }
    config->hooks.user = config->hooks.user != NULL ? config->hooks.user : user_hook;
    config->hooks.halt = config->hooks.halt != NULL ? config->hooks.halt : halt_hook;
    config->hooks.console = config->hooks.console != NULL ? config->hooks.console : console_hook;
    console_used = 0;
    console[0] = 0;
    model_create(config);
    driver.exists = true;
    core_init();
    driver.memory_bytes = model_memory_bytes();
    driver.limit_bytes = kernel->root_account->limit_bytes;
    kernel->fast_ipc = !driver.config.slow_ipc;
    for (uint32_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
        model_cpu_set(cpu);
        kernel_lock();
        kernel->cpus[cpu].online = true;
        cpu_prepare(&kernel->cpus[cpu]);
        kernel_unlock();
    }
    model_cpu_set(0);
    driver_auto_settle();
}

void driver_stop(void) {
    if (driver.exists)
        model_destroy();
    driver.exists = false;
}

void driver_set_manual(bool manual) {
    driver.config.manual = manual;
    driver_auto_settle();
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* Late: what is pending for the CPU is hidden until its thread has entered the kernel. */
static void step(uint32_t cpu, bool late) {
    uint32_t before = hal_cpu_id();
    struct hal_event event;
    struct model_cpu *at = &model->cpus[cpu], hidden = *at;
    model_cpu_set(cpu);
    if (late) {
        at->kicked = false;
        at->deadline_ns = UINT64_MAX;
    }
    cpu_run(&kernel->cpus[cpu], &event);
    if (late) {
        at->kicked = hidden.kicked;
        at->deadline_ns = hidden.deadline_ns;
    }
    kernel_lock();
    cpu_handle(&kernel->cpus[cpu], &event);
    cpu_prepare(&kernel->cpus[cpu]);
    kernel_unlock();
    model_cpu_set(before);
}

void driver_step(uint32_t cpu) {
    step(cpu, false);
}

void driver_step_late(uint32_t cpu) {
    if (kernel->cpus[cpu].current == NULL || kernel->cpus[cpu].poll)
        driver_fail("CPU %u is not in user mode", cpu);
    step(cpu, true);
}

/* The CPU's loop goes on without an event from user mode. */
static bool cpu_is_busy(uint32_t cpu) {
    return model_cpu_is_pending(cpu) || kernel->cpus[cpu].poll;
}

static void settle(void) {
    unsigned steps = 0;
    for (bool again = true; again; steps++) {
        if (steps == STEPS_MAX)
            driver_fail("it does not settle");
        again = work_is_pending() || kernel->frames.waiting_count != 0;
        if (again)
            driver_step(steps % kernel->cpu_count);
        for (uint32_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
            if (!cpu_is_busy(cpu))
                continue;
            driver_step(cpu);
            again = true;
        }
    }
}

/* What a test does by core's functions counts as done by the CPU it is at, which would go on to
 * prepare: it does when it is kicked. */
void driver_settle(void) {
    hal_cpu_kick(hal_cpu_id());
    settle();
}

void driver_auto_settle(void) {
    if (!driver.config.manual)
        driver_settle();
    else
        hal_cpu_kick(hal_cpu_id());
}

/* After a step: only what it brought about. */
static void auto_settle(void) {
    if (!driver.config.manual)
        settle();
}

void driver_slice_end(uint32_t cpu) {
    struct thread *current = kernel->cpus[cpu].current;
    if (current == NULL)
        driver_fail("CPU %u is idle", cpu);
    current->slice_left_ns = 0;
    driver_arm(cpu, &(struct hal_event){.kind = HAL_EVENT_TIMER});
    for (unsigned i = 0; i < STEPS_MAX && driver.armed && kernel->cpus[cpu].current == current; i++)
        driver_step(cpu);
    driver.armed = false;
}

void driver_advance(uint64_t ns) {
    model_time_advance(ns);
    auto_settle();
}

/* A READY thread gets a step nearer to a CPU. */
static void run_step(struct thread *thread) {
    struct cpu *cpu = thread->cpu;
    if (thread->state != THREAD_READY || thread->held)
        driver_fail("thread %llu cannot run: state %u, block %u, held %u",
                    (unsigned long long)thread->object.id, thread->state, thread->block,
                    thread->held);
    for (uint32_t other = 0; other < kernel->cpu_count; other++) {
        if (cpu_is_busy(other) && (!driver.config.manual || other == cpu->id)) {
            driver_step(other);
            return;
        }
    }
    if (cpu->current == NULL || cpu->current->priority < thread->priority)
        driver_fail("thread %llu is ready, but CPU %u was not told",
                    (unsigned long long)thread->object.id, cpu->id);
    if (cpu->current->priority > thread->priority)
        driver_fail("thread %llu of priority %u waits for thread %llu of priority %u",
                    (unsigned long long)thread->object.id, thread->priority,
                    (unsigned long long)cpu->current->object.id, cpu->current->priority);
    driver_slice_end(cpu->id);
}

void driver_run(struct thread *thread) {
    for (unsigned steps = 0; thread->state != THREAD_RUNNING; steps++) {
        if (steps == STEPS_MAX)
            driver_fail("thread %llu gets no CPU", (unsigned long long)thread->object.id);
        run_step(thread);
    }
}

/* ---- Threads --------------------------------------------------------------------------------- */

void driver_arm(uint32_t cpu, const struct hal_event *event) {
    driver.armed = true;
    driver.cpu = cpu;
    driver.is_touch = event == NULL;
    if (event != NULL)
        driver.event = *event;
}

/* The thread, on a CPU, meets the event (NULL: the access that was set up). It may be gone then. */
static void meet(struct thread *thread, const struct hal_event *event) {
    do {
        driver_run(thread);
        driver_arm(thread->cpu->id, event);
        driver_step(thread->cpu->id);
    } while (driver.armed); /* something else came first */
}

/* The thread stays readable, though it may end, until `unhold`. */
static void hold(struct thread *thread) {
    kernel_lock();
    object_ref(&thread->object);
    kernel_unlock();
}

static void unhold(struct thread *thread) {
    kernel_lock();
    object_unref(&thread->object);
    kernel_unlock();
    auto_settle();
}

void driver_yield_late(struct thread *thread) {
    uint64_t result = thread->user.regs.rax;
    hold(thread);
    driver_arm(thread->cpu->id, &(struct hal_event){.kind = HAL_EVENT_CALL,
                                                    .call.number = AX_CALL_OBJECT_WAIT_MANY});
    driver_step_late(thread->cpu->id);
    if (driver.armed)
        driver_fail("an interrupt came first");
    ax_regs_set_result(&thread->user.regs, (int64_t)result);
    unhold(thread);
}

void driver_event(struct thread *thread, const struct hal_event *event) {
    meet(thread, event);
    auto_settle();
}

void driver_bounce(struct thread *thread, uint64_t number) {
    driver_run(thread);
    ax_regs_set_result(&thread->user.regs, (int64_t)number);
    driver_event(thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE});
}

ax_result driver_answer(const struct thread *thread) {
    if (thread->state == THREAD_ENDED)
        return DRIVER_ENDED;
    if (thread->state == THREAD_BLOCKED)
        return DRIVER_BLOCKED;
    return thread->restarting ? DRIVER_RESTART : (ax_result)thread->user.regs.rax;
}

bool driver_result(const struct thread *thread, ax_result *result) {
    *result = driver_answer(thread);
    return *result != DRIVER_BLOCKED && *result != DRIVER_RESTART;
}

ax_result kcall_array(struct thread *thread, uint64_t number, const uint64_t arguments[5]) {
    struct hal_event event = {.kind = HAL_EVENT_CALL, .call = {.number = number}};
    memcpy(event.call.arguments, arguments, sizeof(event.call.arguments));
    hold(thread);
    meet(thread, &event);
    auto_settle();
    ax_result result = driver_answer(thread);
    unhold(thread);
    return result;
}

void *driver_touch(struct thread *thread, uint64_t address, uint32_t access) {
    hold(thread);
    driver.pointer = NULL;
    driver.address = address;
    driver.access = access;
    uint64_t before = thread->user.regs.rip;
    do
        meet(thread, NULL);
    while (driver.pointer == NULL && thread->state != THREAD_ENDED &&
           thread->user.regs.rip == before);
    unhold(thread);
    return driver.pointer;
}

/* ---- Failures and state ---------------------------------------------------------------------- */

void driver_fail_after(uint64_t count) {
    kernel->fail_countdown = count;
}

void driver_fail_machine_after(uint64_t count) {
    model_fail_after(count);
}

bool driver_has_failed(void) {
    return kernel->fail_countdown == 0 && !model_will_fail();
}

struct driver_snapshot {
    struct driver driver;
    char state[];
};

struct driver_snapshot *driver_snapshot(void) {
    struct driver_snapshot *snapshot = malloc(sizeof(*snapshot) + model_state_bytes());
    if (snapshot == NULL)
        driver_fail("no memory for a snapshot");
    snapshot->driver = driver;
    model_save(snapshot->state);
    return snapshot;
}

void driver_restore(const struct driver_snapshot *snapshot) {
    driver = snapshot->driver;
    model_restore(snapshot->state);
}

void driver_snapshot_free(struct driver_snapshot *snapshot) {
    free(snapshot);
}
