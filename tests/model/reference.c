/* SPDX-License-Identifier: MIT */
/* The world of the reference: objects, handles, processes, threads and their ends. */
#include "reference.h"

#include <string.h>

#include "reference_private.h"

struct reference ref;

void ref_reset(void) {
    memset(&ref, 0, sizeof(ref));
    ref.clock = 1;
}

int ref_object_new(enum ax_type type, void *core, int of, int account) {
    if (ref.object_count == OBJECTS) {
        ref.unpredictable = true;
        ref.object_count--;
    }
    struct ref_object *object = &ref.objects[ref.object_count];
    memset(object, 0, sizeof(*object));
    object->type = type;
    object->core = core;
    object->of = of;
    object->account = account;
    object->bound_to = object->instance = -1;
    object->deadline = AX_TIME_NEVER;
    for (int i = 0; i < MEMORY_PAGES; i++)
        object->frames[i] = -1;
    return ref.object_count++;
}

bool ref_is_live(int thread) {
    return ref.threads[thread].state != REF_NONE && ref.threads[thread].state != REF_GONE;
}

bool ref_is_blocked(int thread) {
    return ref_is_live(thread) && ref.threads[thread].state != REF_RUNS;
}

bool ref_is_waited_for(int object) {
    for (int t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < ref.threads[t].wait_count; i++) {
            if (ref.threads[t].state == REF_WAITS && ref.threads[t].waits[i].object == object)
                return true;
        }
    }
    return false;
}

int ref_object_of_thread(int thread) {
    for (int o = 0; o < ref.object_count; o++) {
        if (ref.objects[o].type == AX_TYPE_THREAD && ref.objects[o].of == thread)
            return o;
    }
    return ref_object_new(AX_TYPE_THREAD, ref.threads[thread].core, thread,
                          ref_account_of(ref.threads[thread].process));
}

/* Forgets processes and threads that are gone and that nothing names any more. */
static void collect(void) {
    bool is_named[THREADS] = {false};
    for (int p = 0; p < PROCESSES; p++) {
        struct ref_process *process = &ref.processes[p];
        for (int i = 0; process->exists && i < HANDLES; i++) {
            if (process->handles[i].used && process->handles[i].object < 0)
                is_named[-1 - process->handles[i].object] = true;
        }
        if (process->exists && !process->open && ref_handle_count(process->object) == 0)
            process->exists = false;
    }
    for (int o = 0; o < ref.object_count; o++) {
        if (ref.objects[o].type == AX_TYPE_THREAD && ref_handle_count(o) > 0)
            is_named[ref.objects[o].of] = true;
    }
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].state != REF_GONE || is_named[t])
            continue;
        ref.threads[t].state = REF_NONE;
        for (int o = 0; o < ref.object_count; o++) {
            if (ref.objects[o].type == AX_TYPE_THREAD && ref.objects[o].of == t)
                ref.objects[o].of = -1;
        }
    }
}

static int process_find(bool exists) {
    for (int p = 0; p < PROCESSES; p++) {
        if (ref.processes[p].exists == exists)
            return p;
    }
    return -1;
}

int ref_process_new(void *core, int account) {
    int found = process_find(false);
    if (found < 0) {
        collect();
        found = process_find(false);
    }
    if (found < 0) {
        ref.unpredictable = true;
        return 0;
    }
    struct ref_process *process = &ref.processes[found];
    memset(process, 0, sizeof(*process));
    process->exists = process->open = true;
    process->core = core;
    process->object = ref_object_new(AX_TYPE_PROCESS, core, found, account);
    return found;
}

static int thread_find(enum ref_state state) {
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].state == state)
            return t;
    }
    return -1;
}

int ref_thread_new(int process, void *core, int base, uint64_t label) {
    int found = thread_find(REF_NONE);
    if (found < 0) {
        collect();
        found = thread_find(REF_NONE);
    }
    if (found < 0) {
        ref.unpredictable = true;
        return 0;
    }
    struct ref_thread *thread = &ref.threads[found];
    memset(thread, 0, sizeof(*thread));
    thread->state = thread->before = REF_RUNS;
    thread->process = process;
    thread->made_at = ref.clock++;
    thread->core = core;
    thread->base = thread->priority = base;
    thread->label = label;
    thread->serving = thread->endpoint = -1;
    return found;
}

int ref_account_of(int process) {
    return ref.objects[ref.processes[process].object].account;
}

/* ---- Handles --------------------------------------------------------------------------------- */

struct ref_handle *ref_handle_new(int process, int object, uint32_t rights, ax_handle value) {
    for (int i = 0; i < HANDLES; i++) {
        struct ref_handle *handle = &ref.processes[process].handles[i];
        if (handle->used)
            continue;
        *handle = (struct ref_handle){true, object, rights, value, -1, 0};
        if (ref.processes[process].handle_end <= i)
            ref.processes[process].handle_end = i + 1;
        return handle;
    }
    ref.unpredictable = true;
    return &ref.processes[process].handles[0];
}

struct ref_handle *ref_handle_find(int process, ax_handle value) {
    for (int i = 0; i < ref.processes[process].handle_end; i++) {
        struct ref_handle *handle = &ref.processes[process].handles[i];
        if (handle->used && handle->value == value)
            return handle;
    }
    return NULL;
}

/* Handles in tables and in records, with all of these rights. */
static unsigned count_with(int object, uint32_t rights) {
    unsigned count = 0;
    for (int p = 0; p < PROCESSES; p++) {
        for (int i = 0; ref.processes[p].exists && i < ref.processes[p].handle_end; i++) {
            const struct ref_handle *handle = &ref.processes[p].handles[i];
            count +=
                handle->used && handle->object == object && (handle->rights & rights) == rights;
        }
    }
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        for (unsigned i = 0; (call->queued || call->received) && i < call->message.handle_count;
             i++)
            count +=
                call->handles[i].object == object && (call->handles[i].rights & rights) == rights;
    }
    return count;
}

unsigned ref_handle_count(int object) {
    return count_with(object, 0) + ref.objects[object].kept;
}

void ref_work_add(int object) {
    for (int i = 0; i < ref.work_count; i++) {
        if (ref.work[i] == object)
            return;
    }
    ref.work[ref.work_count++] = object;
}

static bool process_has_thread(int process) {
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].process == process && ref_is_live(t))
            return true;
    }
    return false;
}

void ref_handle_lost(int object, uint32_t rights) {
    if (object < 0) { /* a reply: nobody can answer the call any more */
        int caller = -1 - object;
        if (ref.threads[caller].call.received) {
            ref_detach(caller, false);
            ref_call_fail(caller, AX_ERR_DROPPED);
        }
        return;
    }
    struct ref_object *it = &ref.objects[object];
    if (it->type == AX_TYPE_ENDPOINT && (rights & AX_RIGHT_RECEIVE) != 0 && !it->dead &&
        count_with(object, AX_RIGHT_RECEIVE) == 0) {
        it->dead = true;
        ref_work_add(object);
    }
    if (ref_handle_count(object) > 0)
        return;
    if (it->type == AX_TYPE_SESSION)
        ref_check_closed(object);
    if (it->type == AX_TYPE_PROCESS && it->of >= 0 && !process_has_thread(it->of))
        ref_end_process(it->of, AX_CAUSE_KILLED);
    ref_work_add(object); /* queues forget it */
}

void ref_handle_drop(struct ref_handle *handle) {
    int object = handle->object;
    uint32_t rights = handle->rights;
    handle->used = false;
    if (object < 0 && !ref.threads[-1 - object].call.received) {
        ref_forget_interrupt(-1 - object);
        for (int p = 0; p < PROCESSES; p++) {
            if (handle >= ref.processes[p].handles && handle < ref.processes[p].handles + HANDLES)
                ref_unmap_loans(p, -1 - object);
        }
    }
    ref_handle_lost(object, rights);
}

ax_result ref_look(int thread, ax_handle value, enum ax_type type, uint32_t rights,
                   struct ref_handle **found) {
    struct ref_handle *handle = ref_handle_find(ref.threads[thread].process, value);
    if (handle == NULL || value == 0)
        return AX_ERR_HANDLE;
    enum ax_type is = handle->object < 0 ? AX_TYPE_REPLY : ref.objects[handle->object].type;
    if (type != AX_TYPE_NONE && is != type)
        return AX_ERR_TYPE;
    if ((handle->rights & rights) != rights)
        return AX_ERR_RIGHTS;
    *found = handle;
    return AX_OK;
}

ax_result ref_look_process(int thread, ax_handle value, uint32_t rights, int *process) {
    struct ref_handle *handle;
    *process = ref.threads[thread].process;
    if (value == 0)
        return AX_OK;
    TRY_REF(ref_look(thread, value, AX_TYPE_PROCESS, rights, &handle));
    *process = ref.objects[handle->object].of;
    return AX_OK;
}

ax_result ref_look_reply(int thread, ax_handle value, int *caller) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, value, AX_TYPE_REPLY, 0, &handle));
    *caller = -1 - handle->object;
    return AX_OK;
}

ax_result ref_place(int thread, uint64_t place, int *process) {
    uint32_t slot = (uint32_t)(place >> 32);
    TRY_REF(ref_look_process(thread, (ax_handle)place, AX_RIGHT_HANDLES, process));
    const struct ref_process *it = &ref.processes[*process];
    if (!it->open)
        return AX_ERR_ENDED;
    for (int i = 0; i < HANDLES && slot != 0; i++) {
        if (it->handles[i].used && (it->handles[i].value & AX_HANDLE_INDEX_MASK) == slot)
            return AX_ERR_EXISTS;
    }
    return AX_OK;
}

/* ---- Threads --------------------------------------------------------------------------------- */

void ref_block(int thread, enum ref_state state, uint64_t deadline) {
    ref.threads[thread].state = state;
    ref.threads[thread].deadline = deadline;
    ref.threads[thread].waits_since = ref.clock++;
}

void ref_wake(int thread, ax_result result) {
    struct ref_thread *it = &ref.threads[thread];
    it->state = REF_RUNS;
    it->result = result;
    it->has_result = true;
}

void ref_unserve(int thread) {
    int caller = ref.threads[thread].serving;
    ref.threads[thread].serving = -1;
    if (caller >= 0 && ref.threads[caller].call.server == thread)
        ref.threads[caller].call.server = -1;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static bool is_death_of_a_call(enum ax_cause cause) {
    return cause == AX_CAUSE_FAULT || cause == AX_CAUSE_HUNG || cause == AX_CAUSE_BOUNCE;
}

void ref_end_thread(int thread) {
    struct ref_thread *it = &ref.threads[thread];
    if (!ref_is_live(thread))
        return;
    enum ref_state state = it->state;
    if (it->serving >= 0 && is_death_of_a_call(ref.processes[it->process].cause))
        ref.threads[it->serving].call.deaths += ref.threads[it->serving].call.received;
    it->state = REF_GONE;
    if (state == REF_CALLS) {
        if (it->call.received)
            ref_tell_holder(thread); /* its server serves a dead caller on */
        ref_call_clear(thread, false);
    }
    ref_unserve(thread);
    it->endpoint = -1;
    for (int o = 0; o < ref.object_count; o++) {
        if (ref.objects[o].type == AX_TYPE_THREAD && ref.objects[o].of == thread)
            ref_set_signals(o, 0, AX_SIGNAL_ENDED);
    }
}

void ref_end_process(int process, enum ax_cause cause) {
    struct ref_process *it = &ref.processes[process];
    if (!it->exists || !it->open)
        return;
    it->open = false;
    it->cause = cause;
    ref_work_add(it->object);
}

/* The received call that goes back first: by endpoint, in the order first received. */
static int first_held(int process) {
    int first = -1;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        if (!call->received || call->holder != process)
            continue;
        const struct ref_call *other = first >= 0 ? &ref.threads[first].call : call;
        int at = ref.objects[call->session].of, other_at = ref.objects[other->session].of;
        if (first < 0 || at < other_at || (at == other_at && call->order < other->order))
            first = t;
    }
    return first;
}

/* The thread that was made first of those that live, or -1. */
static int oldest_thread(int process) {
    int oldest = -1;
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].process == process && ref_is_live(t) &&
            (oldest < 0 || ref.threads[t].made_at < ref.threads[oldest].made_at))
            oldest = t;
    }
    return oldest;
}

static void process_work(int process) {
    struct ref_process *it = &ref.processes[process];
    if (it->open || it->has_ended)
        return;
    it->has_ended = true;
    for (int oldest; (oldest = oldest_thread(process)) >= 0;)
        ref_end_thread(oldest);
    for (int first; (first = first_held(process)) >= 0;)
        ref_give_back(first, true);
    for (;;) { /* by their slots */
        struct ref_handle *first = NULL;
        for (int i = 0; i < HANDLES; i++) {
            struct ref_handle *handle = &it->handles[i];
            if (handle->used && (first == NULL || (handle->value & AX_HANDLE_INDEX_MASK) <
                                                      (first->value & AX_HANDLE_INDEX_MASK)))
                first = handle;
        }
        if (first == NULL)
            break;
        ref_handle_drop(first);
    }
    ref_set_signals(it->object, AX_SIGNAL_SUSPENDED, AX_SIGNAL_ENDED);
}

/* Nobody can receive from it any more. */
static void endpoint_work(int endpoint) {
    int caller;
    while ((caller = ref_first_call(endpoint)) >= 0)
        ref_call_fail(caller, AX_ERR_PEER_CLOSED);
    for (;;) {
        int first = -1;
        for (int t = 0; t < THREADS; t++) {
            const struct ref_thread *it = &ref.threads[t];
            if (it->state == REF_RECEIVES && it->endpoint == endpoint &&
                (first < 0 || it->waits_since < ref.threads[first].waits_since))
                first = t;
        }
        if (first < 0)
            break;
        ref_wake(first, AX_ERR_PEER_CLOSED);
    }
    for (int s = 0; s < ref.object_count; s++) {
        struct ref_object *session = &ref.objects[s];
        if (session->type != AX_TYPE_SESSION || session->of != endpoint ||
            session->state == REF_OVER)
            continue;
        session->state = REF_OVER;
        ref_set_signals(s, 0, AX_SIGNAL_PEER_CLOSED);
    }
    ref_binding_remove_all(endpoint);
}

void ref_settle(void) {
    while (ref.work_count > 0) {
        int object = ref.work[0];
        memmove(ref.work, ref.work + 1, sizeof(int) * (size_t)--ref.work_count);
        const struct ref_object *it = &ref.objects[object];
        if (ref_handle_count(object) == 0)
            ref_members_drop(object);
        if (it->type == AX_TYPE_PROCESS && ref.processes[it->of].object == object)
            process_work(it->of);
        else if (it->type == AX_TYPE_ENDPOINT && it->dead)
            endpoint_work(object);
        else if (it->type == AX_TYPE_QUEUE)
            ref_queue_work(object);
    }
    ref_queues_collect();
    ref_priorities();
}
