/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "account.h"
#include "handle.h"

static struct account unused; /* the root account before anything was made */
static uint64_t deadlines;    /* each is another one, so that never two are due at a time */

/* ---- The first moment ------------------------------------------------------------------------ */

void world_start(unsigned cpus, bool slow_ipc, uint64_t steps_seed) {
    static struct driver_snapshot *first;
    static struct reference first_reference;
    static unsigned first_cpus;
    static uint64_t first_deadlines;
    if (first != NULL && first_cpus == cpus) {
        driver_restore(first);
        ref = first_reference;
        deadlines = first_deadlines;
    } else {
        if (first != NULL) {
            driver_snapshot_free(first);
            driver_stop();
        }
        struct driver_config config = {.model = {.cpu_count = cpus,
                                                 .memory_bytes = 3 << 19,
                                                 .table_frames = true,
                                                 .vector_bytes = 64}};
        driver_start(&config);
        world_go_by_steps(0);
        ref_reset();
        deadlines = 0;
        unused = *kernel->root_account;
        world_populate();
        first = driver_snapshot();
        first_reference = ref;
        first_cpus = cpus;
        first_deadlines = deadlines;
    }
    kernel->fast_ipc = !slow_ipc;
    world_go_by_steps(steps_seed);
}

/* ---- The last -------------------------------------------------------------------------------- */

static void end_processes(void) {
    struct object *object;
    kernel_lock();
    list_for_each (object, &kernel->objects, all) {
        struct process *process = container_of(object, struct process, object);
        if (object->type == AX_TYPE_PROCESS && !process->is_root)
            process_end(process, AX_CAUSE_KILLED, AX_FAULT_NONE, 0, 0);
    }
    kernel_unlock();
    driver_settle();
}

void world_end(void) {
    struct process *supervisor = ref.processes[SUPERVISOR].core;
    world_go_by_steps(0);
    world_fast_count += kernel->counters.calls_fast;
    end_processes();
    kernel_lock();
    ax_result result = handle_close(driver_root(), driver_process_handle(supervisor));
    kernel_unlock();
    driver_settle();
    const struct account *root = kernel->root_account;
    if (result != AX_OK || root->used_bytes != unused.used_bytes ||
        root->used_objects != unused.used_objects || root->limit_bytes != unused.limit_bytes ||
        root->limit_objects != unused.limit_objects)
        driver_fail(
            "after all: %llu bytes of %llu, %llu objects are in use; not %llu of %llu, %llu",
            (unsigned long long)root->used_bytes, (unsigned long long)root->limit_bytes,
            (unsigned long long)root->used_objects, (unsigned long long)unused.used_bytes,
            (unsigned long long)unused.limit_bytes, (unsigned long long)unused.used_objects);
    driver_check_invariants();
}

/* ---- Choices --------------------------------------------------------------------------------- */

static bool is_of_type(const struct ref_handle *handle, enum ax_type type) {
    enum ax_type is = handle->object < 0 ? AX_TYPE_REPLY : ref.objects[handle->object].type;
    return handle->used && handle->value != 0 && (is == type || type == AX_TYPE_NONE);
}

ax_handle world_handle(int process, enum ax_type type, unsigned number) {
    const struct ref_handle *handles = ref.processes[process].handles;
    unsigned count = 0, end = (unsigned)ref.processes[process].handle_end;
    for (unsigned i = 0; i < end; i++)
        count += is_of_type(&handles[i], type);
    if (count == 0)
        return 0;
    number %= count;
    for (unsigned i = 0; i < end; i++) {
        if (is_of_type(&handles[i], type) && number-- == 0)
            return handles[i].value;
    }
    return 0;
}

ax_handle world_choose(int process, enum ax_type type, uint16_t number) {
    unsigned odd = number >> 10; /* 0 to 63 */
    if (odd == 0)
        return number & 127;
    return world_handle(process, odd == 1 ? AX_TYPE_NONE : type, number);
}

uint64_t world_deadline(uint16_t number) {
    switch (number & 15) {
    case 0: return 0;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5: return hal_time_ns() + 1000 + ++deadlines * 7;
    default: return AX_TIME_NEVER;
    }
}

uint32_t world_rights(uint16_t number) {
    return (number & 3) != 0 ? AX_RIGHT_ALL : AX_RIGHT_ALL & ~(1U << (number >> 2) % 20);
}

uint64_t world_place(int process, uint16_t number) {
    ax_handle to = (number & 3) == 0 ? world_choose(process, AX_TYPE_PROCESS, number) : 0;
    uint32_t slot = (number & 0x1c) == 0 ? 1 + (number >> 5) % 100U : 0;
    return AX_PLACE(to, slot);
}

uint64_t world_address(uint16_t number) {
    static const int offsets[] = {0, 0, 4, 8, -4, -8, 64, 2};
    return PAGE_AT(1 + number % (PAGES - 1)) + (uint64_t)(int64_t)offsets[(number >> 4) % 8];
}

static int thread_of(const struct thread *core) {
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].core == core && ref.threads[t].state == REF_RUNS)
            return t;
    }
    return -1;
}

/* A thread that is on a CPU, that one or the next. */
static int choose_actor(unsigned cpu) {
    for (uint32_t i = 0; i < kernel->cpu_count; i++) {
        uint32_t at = (cpu + i) % kernel->cpu_count;
        const struct thread *thread = kernel->cpus[at].current;
        int index = thread != NULL && !world_cpu_is_busy(at) ? thread_of(thread) : -1;
        if (index >= 0)
            return index;
    }
    return -1;
}

/* ---- Time ------------------------------------------------------------------------------------ */

bool world_pass_time(void) {
    uint64_t next = AX_TIME_NEVER;
    int thread = -1, timer = -1;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (ref_is_blocked(t) && it->deadline < next) {
            next = it->deadline;
            thread = t;
        }
    }
    for (int o = 0; o < ref.object_count; o++) {
        if (ref.objects[o].type == AX_TYPE_TIMER && ref.objects[o].deadline < next &&
            (ref_handle_count(o) > 0 || ref.objects[o].bound_to >= 0 || ref_is_waited_for(o))) {
            next = ref.objects[o].deadline;
            timer = o;
        }
    }
    if (next == AX_TIME_NEVER)
        return false;
    if (world_is_verbose)
        printf("  time passes\n");
    if (timer >= 0)
        ref_timer_fire(timer);
    else
        ref_timeout(thread);
    driver_advance(next - hal_time_ns());
    world_settle_all();
    ref_settle();
    world_compare();
    return true;
}

/* ---- A step ---------------------------------------------------------------------------------- */

/* What the thread does instead, where what was drawn makes no sense. */
static enum op_kind adapt(int t, const struct op *op) {
    enum op_kind kind = (enum op_kind)op->kind;
    int process = ref.threads[t].process;
    if (ref.threads[t].interrupted && (op->c & 7) > 1)
        return OP_TAKE;
    int serving = ref.threads[t].serving;
    if (serving >= 0 && ref.threads[serving].call.deaths > 0 && op->d % 8 == 0)
        return OP_DIE; /* so that some calls are poisoned */
    for (int m = 0; m < MAPS && op->d % 16 == 1; m++) {
        if (ref.maps[m].used && ref.threads[ref.maps[m].caller].process == process)
            return (op->d & 16) != 0 ? OP_CLONE : OP_TOUCH; /* while a loan is mapped */
    }
    if (kind == OP_DIE && ref.threads[t].serving < 0)
        kind = OP_RECEIVE;
    if ((kind == OP_LOAN_COPY || kind == OP_LOAN_MAP) && (op->c & 15) != 0 &&
        world_lent(process, 0) == 0)
        kind = (op->c & 32) != 0 ? OP_CALL : OP_RECEIVE;
    bool needs_reply = kind == OP_REPLY || kind == OP_ANSWER || kind == OP_FORWARD ||
                       kind == OP_SERVE || kind == OP_FAULT || kind == OP_LOAN_COPY ||
                       kind == OP_LOAN_MAP;
    if (needs_reply && world_handle(process, AX_TYPE_REPLY, 0) == 0 && (op->c & 15) != 0)
        kind = (op->c & 32) != 0 ? OP_CALL : OP_RECEIVE;
    if (kind == OP_RECEIVE && world_handle(process, AX_TYPE_ENDPOINT, 0) == 0 && (op->d & 15) != 0)
        kind = OP_CALL;
    if (kind == OP_CALL && world_handle(process, AX_TYPE_SESSION, 0) == 0 && (op->d & 15) != 0)
        kind = OP_SESSION;
    return kind;
}

/* Where it can fail for lack of memory, and only there: what else it sets going needs none, but for
 * pages of loans, and who cannot have them is told in many ways. */
static bool makes_something(enum op_kind kind) {
    return kind == OP_CREATE || kind == OP_SESSION || kind == OP_TRANSFER || kind == OP_THREAD ||
           kind == OP_CLONE || kind == OP_PROCESS || kind == OP_ACCOUNT || kind == OP_MAP ||
           kind == OP_UNMAP || kind == OP_PROTECT || kind == OP_WAIT || kind == OP_BIND ||
           kind == OP_QUEUE || kind == OP_RESIZE;
}

static void act(int t, struct op op) {
    op.kind = (uint8_t)adapt(t, &op);
    enum op_kind kind = (enum op_kind)op.kind;
    if (kind == OP_TAKE) {
        ax_result result = CALL_OF(t, THREAD_CONTROL, 0, AX_THREAD_TAKE);
        world_finish(t, result, PREDICT(result, ref_take(t)));
        return;
    }
    op_function function = world_ipc_op(kind);
    if (function == NULL)
        function = world_object_op(kind);
    if (function == NULL)
        function = world_memory_op(kind);
    if (function == NULL)
        function = world_queue_op(kind);
    if (function == NULL)
        function = world_info_op(kind);
    world_fail_after(makes_something(kind) ? op.fail : 0);
    function(t, &op);
    world_fail_after(0);
}

bool world_step(const struct op *op) {
    int t = choose_actor(op->cpu);
    if (t < 0 || op->kind == OP_TIME || op->kind == OP_SLICE) {
        world_settle_all();
        t = choose_actor(op->cpu);
    }
    if (op->kind == OP_TIME || t < 0) {
        (void)world_pass_time();
        if (!ref.unpredictable && ref.threads[SUPERVISOR].state == REF_RUNS)
            world_supervise(op);
    } else if (op->kind == OP_SLICE) {
        driver_slice_end(((struct thread *)ref.threads[t].core)->cpu->id);
        driver_settle();
        world_settle_all();
        world_compare();
    } else {
        act(t, *op);
    }
    return !ref.unpredictable;
}
