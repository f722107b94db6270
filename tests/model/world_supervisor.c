/* SPDX-License-Identifier: MIT */
/*
 * The program that looks after the others, so that something goes on: a thread of high priority
 * that sleeps. It clears away what has ended, wakes what is stuck, starts new programs.
 */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "world.h"

#define SUPERVISOR_PRIORITY 20
#define ENTRY               UINT64_C(0x400000)
#define SYSTEM_RIGHTS       (AX_RIGHT_SET_LABEL | AX_RIGHT_COPY | AX_RIGHT_MOVE)

static const int self = SUPERVISOR;

/* What every program is given, by the index in the supervisor's table. */
struct gifts {
    ax_handle endpoint, stash, memory, event, timer, queue, account, system;
};
static struct gifts gifts;

static ax_result expect(ax_result result, ax_result predicted) {
    world_finish(self, result, predicted);
    return result;
}

/* A call that makes a handle in a table. */
static ax_handle make(enum ax_type type, uint64_t argument, int of) {
    ax_result result = type == AX_TYPE_MEMORY
                           ? CALL_OF(self, MEMORY_CREATE, argument, 0, AX_PLACE_ANY)
                           : CALL_OF(self, OBJECT_CREATE, type, argument, AX_PLACE_ANY);
    if (world_is_refused)
        return 0;
    int object = ref_object_new(type, NULL, of, ref_account_of(self));
    ref.objects[object].page_count = type == AX_TYPE_MEMORY ? (unsigned)argument : 0;
    world_made(self, result, AX_OK, self, object, AX_RIGHT_ALL);
    return (ax_handle)result;
}

static void give(ax_handle process, ax_handle handle, uint32_t rights) {
    struct ref_handle *found = NULL;
    int to = 0;
    if (handle == 0)
        return;
    uint64_t place = AX_PLACE(process, 0);
    ax_result result = CALL_OF(self, HANDLE_TRANSFER, 0, handle, place, rights, 0);
    ax_result predicted = PREDICT(result, ref_transfer(self, 0, handle, place, 0, &found, &to));
    if (predicted == AX_OK && result > 0) {
        ref_handle_new(to, found->object, found->rights & rights, (ax_handle)result);
        predicted = result;
    }
    expect(result, predicted);
}

/* A session of the first badge that is free, put into a table. */
static void give_session(ax_handle process, ax_handle endpoint) {
    uint64_t place = AX_PLACE(process, 0);
    for (uint64_t badge = 1; badge < 16; badge++) {
        int of = 0, to = 0;
        ax_result predicted = ref_session_create(self, endpoint, badge, place, &of, &to);
        if (predicted == AX_ERR_EXISTS)
            continue;
        ax_result result = CALL_OF(self, SESSION_CREATE, endpoint, badge, 0, place);
        predicted = PREDICT(result, predicted);
        int session = -1;
        if (predicted == AX_OK) {
            session = ref_object_new(AX_TYPE_SESSION, NULL, of, ref_account_of(self));
            ref.objects[session].badge = badge;
        }
        world_made(self, result, predicted, to, session,
                   AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE);
        return;
    }
}

static void close(ax_handle handle) {
    if (handle != 0) {
        ax_result result = CALL_OF(self, HANDLE_CLOSE, handle);
        expect(result, ref_close(self, handle));
    }
}

/* ---- A new program --------------------------------------------------------------------------- */

static ax_handle start_process(ax_handle account) {
    int payer = 0, to = 0;
    ax_result result = CALL_OF(self, PROCESS_CREATE, account, AX_PLACE_ANY);
    ax_result predicted =
        PREDICT(result, ref_process_create(self, account, AX_PLACE_ANY, &payer, &to));
    if (predicted != AX_OK || result <= 0) {
        expect(result, predicted);
        return 0;
    }
    int made = ref_process_new(world_core(self, result), payer);
    world_made(self, result, AX_OK, self, ref.processes[made].object, AX_RIGHT_PROCESS);
    return (ax_handle)result;
}

static void start_thread(ax_handle process, int priority, uint64_t label) {
    int in = 0, to = 0;
    ax_result result = CALL_OF(self, THREAD_CREATE, process, ENTRY, 0, 0, AX_PLACE_ANY);
    ax_result predicted = PREDICT(result, ref_thread_create(self, process, AX_PLACE_ANY, &in, &to));
    if (predicted != AX_OK || result <= 0) {
        expect(result, predicted);
        return;
    }
    ax_handle thread = (ax_handle)result;
    int made =
        ref_thread_new(in, world_core(self, result), SUPERVISOR_PRIORITY, ref.threads[self].label);
    world_made(self, result, AX_OK, self,
               ref_object_new(AX_TYPE_THREAD, NULL, made, ref_account_of(in)), AX_RIGHT_ALL);
    result = CALL_OF(self, THREAD_CONTROL, thread, AX_THREAD_PRIORITY, (uint64_t)priority);
    expect(result, ref_priority(self, thread, priority));
    result = CALL_OF(self, PROCESS_CONTROL, process, AX_PROCESS_LABEL, AX_ALL_THREADS, label,
                     gifts.system);
    expect(result, ref_process_control(self, process, AX_PROCESS_LABEL, label, gifts.system));
}

static void map(ax_handle process, ax_handle memory, unsigned page, unsigned count) {
    struct ax_map_request request = {PAGE_AT(page), count * AX_PAGE_SIZE, 0,
                                     AX_PROT_READ | AX_PROT_WRITE,
                                     AX_MAP_FIXED | (memory == 0 ? AX_MAP_PRIVATE : 0U)};
    memcpy(((struct thread *)ref.threads[self].core)->page->buffer, &request, sizeof(request));
    ax_result result = CALL_OF(self, MEMORY_MAP, process, memory);
    expect(result, PREDICT(result, ref_memory_map(self, process, memory, &request)));
}

/* Two threads, some memory, sessions with others and an endpoint of its own. */
static void start_program(unsigned number) {
    ax_handle process = start_process((number & 3) == 1 ? gifts.account : 0);
    if (process == 0)
        return;
    map(process, 0, 0, 4);
    map(process, gifts.memory, 4, 4);
    give(process, gifts.endpoint, (number & 4) != 0 ? AX_RIGHT_ALL : AX_RIGHT_SESSIONS);
    give(process, gifts.stash, AX_RIGHT_ALL);
    give(process, gifts.memory, AX_RIGHT_ALL);
    give(process, gifts.event, AX_RIGHT_ALL);
    give(process, gifts.timer, AX_RIGHT_ALL);
    give(process, gifts.queue, AX_RIGHT_ALL);
    give(process, gifts.account, AX_RIGHT_ALL);
    if ((number & 2) != 0) /* it may set labels */
        give(process, gifts.system, AX_RIGHT_ALL);
    give_session(process, gifts.endpoint);
    give(process, world_handle(self, AX_TYPE_PROCESS, number), AX_RIGHT_ALL);
    ax_handle endpoint = make(AX_TYPE_ENDPOINT, 0, 0);
    if (endpoint != 0) {
        give(process, endpoint, AX_RIGHT_ALL);
        for (unsigned i = 0; i < 3; i++) {
            ax_handle to = world_handle(self, AX_TYPE_PROCESS, number + i);
            if (to != process)
                give_session(to, endpoint);
        }
        close(endpoint);
    }
    for (unsigned i = 0; i < 2; i++)
        start_thread(process, 16 + (number >> 3) % 2, number % 1000);
    /* A thread of it may name another. */
    give(process, world_handle(self, AX_TYPE_THREAD, number), AX_RIGHT_ALL);
}

/* ---- Looking after them ---------------------------------------------------------------------- */

static bool is_gift(ax_handle handle) {
    return handle == gifts.endpoint || handle == gifts.stash || handle == gifts.memory ||
           handle == gifts.event || handle == gifts.timer || handle == gifts.queue ||
           handle == gifts.account || handle == gifts.system;
}

static bool has_ended(const struct ref_handle *handle) {
    if (handle->object < 0)
        return false;
    const struct ref_object *object = &ref.objects[handle->object];
    return (object->type == AX_TYPE_PROCESS && !ref.processes[object->of].open) ||
           (object->type == AX_TYPE_THREAD && (object->signals & AX_SIGNAL_ENDED) != 0);
}

static void clear_away(void) {
    for (int i = 0; i < HANDLES && !ref.unpredictable; i++) {
        const struct ref_handle *handle = &ref.processes[self].handles[i];
        if (handle->used && !is_gift(handle->value) && has_ended(handle))
            close(handle->value);
    }
}

static unsigned program_count(void) {
    unsigned count = 0;
    for (int t = 0; t < THREADS; t++) {
        bool is_first = t != self && ref_is_live(t);
        for (int other = 0; other < t; other++)
            is_first &= ref.threads[other].process != ref.threads[t].process || !ref_is_live(other);
        count += is_first;
    }
    return count;
}

static void resume_all(void) {
    for (int i = 0; i < HANDLES; i++) {
        const struct ref_handle *handle = &ref.processes[self].handles[i];
        if (!handle->used || handle->object < 0 ||
            ref.objects[handle->object].type != AX_TYPE_PROCESS)
            continue;
        const struct ref_process *process = &ref.processes[ref.objects[handle->object].of];
        while (process->open && process->suspended > 0) {
            ax_result result = CALL_OF(self, PROCESS_CONTROL, handle->value, AX_PROCESS_RESUME);
            expect(result, ref_process_control(self, handle->value, AX_PROCESS_RESUME, 0, 0));
        }
    }
}

/* Interrupts some threads that it can name and that wait. */
static void wake_some(unsigned number) {
    unsigned woken = 0;
    for (unsigned i = 0; i < THREADS && woken < 3 && !ref.unpredictable; i++) {
        ax_handle thread = world_handle(self, AX_TYPE_THREAD, number + i);
        const struct ref_handle *handle = ref_handle_find(self, thread);
        if (thread == 0 || !ref_is_blocked(ref.objects[handle->object].of))
            continue;
        ax_result result = CALL_OF(self, THREAD_CONTROL, thread, AX_THREAD_INTERRUPT);
        expect(result, ref_interrupt(self, thread));
        woken++;
    }
}

/* A handle of a thread of some process, if it has none yet. */
static void meet_threads(unsigned number) {
    int t = (int)(number % THREADS);
    if (!ref_is_live(t) || t == self)
        return;
    ax_handle process = 0;
    for (int i = 0; i < HANDLES; i++) {
        const struct ref_handle *handle = &ref.processes[self].handles[i];
        if (handle->used && handle->object == ref.processes[ref.threads[t].process].object)
            process = handle->value;
        if (handle->used && handle->object >= 0 &&
            ref.objects[handle->object].type == AX_TYPE_THREAD &&
            ref.objects[handle->object].of == t)
            return;
    }
    if (process == 0)
        return;
    uint32_t rights = 0, slot = ((struct thread *)ref.threads[t].core)->slot;
    int to = 0, object = -1;
    ax_result result =
        CALL_OF(self, PROCESS_CONTROL, process, AX_PROCESS_THREAD, slot, AX_PLACE_ANY);
    ax_result predicted =
        PREDICT(result, ref_process_thread(self, process, t, AX_PLACE_ANY, &rights, &to));
    if (predicted == AX_OK)
        object = ref_object_of_thread(t);
    world_made(self, result, predicted, self, object, rights);
}

static void sleep_on(void) {
    uint64_t deadline = world_deadline(1) + 3000;
    ax_result result = CALL_OF(self, OBJECT_WAIT_MANY, 0, deadline);
    expect(result, ref_wait(self, NULL, 0, true, deadline));
}

void world_supervise(const struct op *op) {
    if (ref.threads[self].interrupted) {
        ax_result result = CALL_OF(self, THREAD_CONTROL, 0, AX_THREAD_TAKE);
        expect(result, ref_take(self));
    }
    clear_away();
    resume_all();
    if (program_count() < 3 || (op->a % 16 == 0 && program_count() < 6))
        start_program(op->b);
    else
        wake_some(op->b);
    meet_threads(op->c);
    if (!ref.unpredictable)
        sleep_on();
}

/* ---- The beginning and the end --------------------------------------------------------------- */

void world_populate(void) {
    struct thread *root = driver_root_thread();
    if (kcall(root, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER) != DRIVER_BLOCKED)
        driver_fail("root does not sleep");
    int account = ref_object_new(AX_TYPE_ACCOUNT, kernel->root_account, -1, -1);
    ref.objects[account].kept = ref.objects[account].has_parts = true;
    ref.objects[account].limit_objects = kernel->root_account->limit_objects;
    struct process *process = driver_process();
    ref.objects[ref.processes[ref_process_new(process, account)].object].kept = true;
    struct thread *thread = driver_thread_with(process, SUPERVISOR_PRIORITY, 1);
    (void)ref_thread_new(self, thread, SUPERVISOR_PRIORITY, 1);
    gifts.endpoint = make(AX_TYPE_ENDPOINT, 0, 0);
    gifts.event = make(AX_TYPE_EVENT, 0, -1);
    gifts.timer = make(AX_TYPE_TIMER, 0, -1);
    gifts.queue = make(AX_TYPE_QUEUE, 0, -1);
    gifts.memory = make(AX_TYPE_MEMORY, 4, -1);
    ax_result result = CALL_OF(self, ACCOUNT_CREATE, 0, 1 << 19, AMPLE * 2, AX_PLACE_ANY);
    int ample = ref_object_new(AX_TYPE_ACCOUNT, NULL, account, account);
    ref.objects[ample].limit_objects = AMPLE * 2;
    world_made(self, result, AX_OK, self, ample, AX_RIGHT_ALL);
    gifts.account = (ax_handle)result;
    gifts.stash = start_process(0);
    struct object *system = driver_object(driver_root(), AX_ROOT_SYSTEM);
    gifts.system = driver_copy(driver_root(), AX_ROOT_SYSTEM, process, SYSTEM_RIGHTS);
    int device = ref_object_new(AX_TYPE_DEVICE, system, -1, account);
    ref.objects[device].kept = true;
    ref_handle_new(ref.threads[self].process, device, SYSTEM_RIGHTS, gifts.system);
    map(0, 0, 0, 4);
    for (unsigned i = 0; i < 3; i++)
        start_program(0xfd + i);
    sleep_on();
    driver_settle();
}
