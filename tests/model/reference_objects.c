/* SPDX-License-Identifier: MIT */
/* Signals, waits, bindings, and control of threads and processes in the reference. */
#include <string.h>

#include "reference_private.h"

/* ---- Signals --------------------------------------------------------------------------------- */

/* Which of a waiting thread's items has one of these bits of the object; -1: none. */
static int waits_for(const struct ref_thread *thread, int object, uint32_t bits) {
    for (unsigned i = 0; thread->state == REF_WAITS && i < thread->wait_count; i++) {
        if (thread->waits[i].object == object && (thread->waits[i].mask & bits) != 0)
            return (int)i;
    }
    return -1;
}

static void end_wait(int thread, int object) {
    struct ref_thread *it = &ref.threads[thread];
    int item = waits_for(it, object, ref.objects[object].signals);
    if (item < 0)
        return; /* somebody took the bits meanwhile */
    for (unsigned i = 0; i < it->wait_count; i++)
        it->waits[i].seen = ref.objects[it->waits[i].object].signals & it->waits[i].mask;
    it->tells_seen = it->waits_for_many;
    ref_wake(thread, it->waits_for_many ? item : (ax_result)it->waits[0].seen);
}

static void make_ready(struct ref_object *bound) {
    if (bound->ready_at == 0)
        bound->ready_at = ref.clock++;
}

/* The queue's member that is told next, if that is before *next. */
static struct ref_member *next_member(int object, uint32_t set, uint64_t told, uint64_t *next) {
    struct ref_member *found = NULL;
    for (int m = 0; m < MEMBERS; m++) {
        struct ref_member *it = &ref.members[m];
        if (!it->used || it->object != object || it->since <= told || it->since >= *next ||
            (it->mask & set & ref.objects[object].signals) == 0)
            continue;
        *next = it->since;
        found = it;
    }
    return found;
}

/* Tells all who want to know, in the order in which they began to. */
void ref_set_signals(int object, uint32_t clear, uint32_t set) {
    struct ref_object *it = &ref.objects[object];
    uint64_t told = 0, end = ref.clock;
    bool taken = false; /* by one of the exclusive queues */
    it->signals = (it->signals & ~clear) | set;
    for (;;) {
        uint64_t next = end;
        int thread = -1;
        for (int t = 0; t < THREADS; t++) {
            uint64_t since = ref.threads[t].waits_since;
            if (since > told && since < next && waits_for(&ref.threads[t], object, set) >= 0) {
                next = since;
                thread = t;
            }
        }
        struct ref_member *member = next_member(object, set, told, &next);
        bool is_bound = it->bound_to >= 0 && (it->bound_mask & set & it->signals) != 0 &&
                        it->bound_at > told && it->bound_at < next;
        if (!is_bound && thread < 0 && member == NULL)
            return;
        told = is_bound ? it->bound_at : next;
        if (is_bound) {
            make_ready(it);
            ref_deliver(it->bound_to);
        } else if (member == NULL) {
            end_wait(thread, object);
        } else if ((member->mode & AX_QUEUE_EXCLUSIVE) == 0) {
            (void)ref_member_tell(member);
        } else if (!taken) {
            taken = ref_member_tell(member);
        }
    }
}

ax_result ref_signal(int thread, ax_handle object, uint32_t clear, uint32_t set) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, object, AX_TYPE_NONE, 0, &handle));
    enum ax_type type = handle->object < 0 ? AX_TYPE_REPLY : ref.objects[handle->object].type;
    if (type != AX_TYPE_EVENT && type != AX_TYPE_TIMER)
        return AX_ERR_TYPE;
    bool is_event = type == AX_TYPE_EVENT;
    if ((handle->rights & (is_event ? AX_RIGHT_SIGNAL : AX_RIGHT_WRITE)) == 0)
        return AX_ERR_RIGHTS;
    if ((clear & ~(is_event ? AX_SIGNAL_SERVED : AX_SIGNAL_FIRED)) != 0 ||
        (set & ~(is_event ? AX_SIGNAL_SERVED : 0)) != 0)
        return AX_ERR_ARGUMENT;
    ref_set_signals(handle->object, clear, set);
    return AX_OK;
}

ax_result ref_timer_set(int thread, ax_handle timer, uint64_t deadline, bool passed) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, timer, AX_TYPE_TIMER, AX_RIGHT_WRITE, &handle));
    ref.objects[handle->object].deadline = passed ? AX_TIME_NEVER : deadline;
    ref_set_signals(handle->object, AX_SIGNAL_FIRED, passed ? AX_SIGNAL_FIRED : 0);
    return AX_OK;
}

void ref_timer_fire(int timer) {
    ref.objects[timer].deadline = AX_TIME_NEVER;
    ref_set_signals(timer, 0, AX_SIGNAL_FIRED);
}

ax_result ref_wait(int thread, const struct ax_wait_item *items, unsigned count, bool many,
                   uint64_t deadline) {
    struct ref_thread *it = &ref.threads[thread];
    struct ref_wait waits[3];
    int found = -1;
    for (unsigned i = 0; i < count; i++) {
        struct ref_handle *handle;
        TRY_REF(ref_look(thread, items[i].handle, AX_TYPE_NONE, AX_RIGHT_WAIT, &handle));
        waits[i] = (struct ref_wait){handle->object, items[i].mask, 0};
    }
    for (unsigned i = count; i-- > 0;) {
        waits[i].seen = ref_signals(waits[i].object) & waits[i].mask;
        found = waits[i].seen != 0 ? (int)i : found;
    }
    memcpy(it->waits, waits, sizeof(waits[0]) * count);
    it->wait_count = count;
    it->waits_for_many = many;
    it->tells_seen = many && found >= 0;
    if (found >= 0)
        return many ? found : (ax_result)waits[0].seen;
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (deadline == 0)
        return AX_ERR_TIMEOUT;
    ref_block(thread, REF_WAITS, deadline);
    return REF_BLOCKED;
}

/* ---- Bindings -------------------------------------------------------------------------------- */

/* The bound object that is told of first, or -1; `after`: of those bound later. */
static int next_bound(int endpoint, bool ready, uint64_t after) {
    int first = -1;
    for (int o = 0; o < ref.object_count; o++) {
        const struct ref_object *it = &ref.objects[o];
        uint64_t key = ready ? it->ready_at : it->bound_at;
        if (it->bound_to != endpoint || key <= after)
            continue;
        if (first < 0 || key < (ready ? ref.objects[first].ready_at : ref.objects[first].bound_at))
            first = o;
    }
    return first;
}

bool ref_binding_is_ready(int endpoint) {
    return next_bound(endpoint, true, 0) >= 0;
}

bool ref_binding_take(int endpoint, int thread) {
    int object;
    while ((object = next_bound(endpoint, true, 0)) >= 0) {
        struct ref_object *it = &ref.objects[object];
        uint32_t signals = it->signals & it->bound_mask;
        bool tell = it->renewed || signals != 0;
        it->ready_at = 0;
        it->renewed = false;
        if (it->type == AX_TYPE_EVENT)
            it->signals &= ~signals;
        if (!tell)
            continue;
        struct ref_thread *to = &ref.threads[thread];
        memset(&to->message, 0, sizeof(to->message));
        to->message.kind = AX_MESSAGE_EVENT;
        to->message.badge = it->cookie;
        to->message.words[0] = signals;
        to->message.word_count = 1;
        to->message.caller = -1;
        to->fresh = true;
        return true;
    }
    return false;
}

void ref_binding_renew(int endpoint) {
    int object;
    for (uint64_t after = 0; (object = next_bound(endpoint, false, after)) >= 0;) {
        after = ref.objects[object].bound_at;
        ref.objects[object].renewed = true;
        make_ready(&ref.objects[object]);
    }
}

static void unbind(struct ref_object *bound) {
    bound->bound_to = -1;
    bound->bound_at = bound->ready_at = 0;
    bound->renewed = false;
}

void ref_binding_remove_all(int endpoint) {
    for (int o = 0; o < ref.object_count; o++) {
        if (ref.objects[o].bound_to == endpoint)
            unbind(&ref.objects[o]);
    }
}

ax_result ref_endpoint_bind(int thread, ax_handle endpoint, ax_handle value, uint32_t mask,
                            uint64_t cookie) {
    struct ref_handle *from, *what;
    TRY_REF(ref_look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_RECEIVE, &from));
    TRY_REF(ref_look(thread, value, AX_TYPE_NONE, 0, &what));
    if (what->object < 0)
        return AX_ERR_TYPE;
    struct ref_object *object = &ref.objects[what->object];
    if (object->type != AX_TYPE_EVENT && object->type != AX_TYPE_TIMER)
        return AX_ERR_TYPE;
    if ((what->rights & AX_RIGHT_WAIT) == 0)
        return AX_ERR_RIGHTS;
    if (mask == 0) {
        if (object->bound_to != from->object)
            return AX_ERR_NOT_FOUND;
        unbind(object);
        return AX_OK;
    }
    if (object->bound_to >= 0)
        return AX_ERR_EXISTS;
    object->bound_to = from->object;
    object->bound_mask = mask;
    object->cookie = cookie;
    object->bound_at = ref.clock++;
    if ((object->signals & mask) != 0) {
        make_ready(object);
        ref_deliver(from->object);
    }
    return AX_OK;
}

/* ---- Interrupts and deadlines ---------------------------------------------------------------- */

static void cut_short(int thread, ax_result error) {
    enum ref_state state = ref.threads[thread].state;
    if (state == REF_CALLS)
        ref_call_ask_early(thread, error);
    else if (state != REF_RUNS)
        ref_wake(thread, error);
}

void ref_timeout(int thread) {
    ref.threads[thread].deadline = AX_TIME_NEVER;
    cut_short(thread, AX_ERR_TIMEOUT);
}

ax_result ref_interrupt(int thread, ax_handle target) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, target, AX_TYPE_THREAD, AX_RIGHT_CONTROL, &handle));
    int other = ref.objects[handle->object].of;
    if (other < 0 || !ref_is_live(other))
        return AX_ERR_ENDED;
    ref.threads[other].interrupted = true;
    cut_short(other, AX_ERR_INTERRUPTED);
    return AX_OK;
}

ax_result ref_take(int thread) {
    bool pending = ref.threads[thread].interrupted;
    ref.threads[thread].interrupted = false;
    return pending;
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* The thread itself (0), or another. */
static ax_result look_thread(int thread, ax_handle target, int *found) {
    struct ref_handle *handle;
    *found = thread;
    if (target != 0) {
        TRY_REF(ref_look(thread, target, AX_TYPE_THREAD, AX_RIGHT_CONTROL, &handle));
        *found = ref.objects[handle->object].of;
    }
    return *found >= 0 && ref_is_live(*found) ? AX_OK : AX_ERR_ENDED;
}

ax_result ref_affinity(int thread, ax_handle target, bool is_empty) {
    int other;
    TRY_REF(look_thread(thread, target, &other));
    return is_empty ? AX_ERR_ARGUMENT : AX_OK;
}

ax_result ref_priority(int thread, ax_handle target, int base) {
    int other;
    TRY_REF(look_thread(thread, target, &other));
    if (base > ref.threads[thread].base)
        return AX_ERR_RIGHTS;
    ref.threads[other].base = base;
    return AX_OK;
}

ax_result ref_thread_create(int thread, ax_handle process, uint64_t place, int *in, int *to) {
    TRY_REF(ref_look_process(thread, process, AX_RIGHT_THREADS, in));
    TRY_REF(ref_place(thread, place, to));
    return ref.processes[*in].open ? AX_OK : AX_ERR_ENDED;
}

static bool is_last(int thread) {
    for (int t = 0; t < THREADS; t++) {
        if (t != thread && ref_is_live(t) && ref.threads[t].process == ref.threads[thread].process)
            return false;
    }
    return true;
}

ax_result ref_thread_exit(int thread, uint64_t clear_address, ax_handle handle) {
    int process = ref.threads[thread].process;
    bool last = is_last(thread);
    if (clear_address % 4 != 0)
        return AX_ERR_ARGUMENT;
    if (clear_address != 0)
        (void)ref_byte(process, clear_address, AX_PROT_WRITE); /* made, whatever comes of it */
    if (handle != 0)
        TRY_REF(ref_close(thread, handle));
    ref_end_thread(thread);
    if (clear_address != 0)
        ref_clear_word(process, clear_address);
    if (last)
        ref_end_process(process, AX_CAUSE_EXIT);
    return REF_ENDED;
}

/* ---- Processes ------------------------------------------------------------------------------- */

ax_result ref_account(int thread, ax_handle value, int *account) {
    struct ref_handle *handle;
    *account = ref_account_of(ref.threads[thread].process);
    if (value == 0)
        return AX_OK;
    TRY_REF(ref_look(thread, value, AX_TYPE_ACCOUNT, AX_RIGHT_CHARGE, &handle));
    *account = handle->object;
    return AX_OK;
}

void ref_account_refuse(int account) {
    ref_set_signals(account, 0, AX_SIGNAL_LIMIT);
}

void ref_account_given(int account) {
    ref_set_signals(account, AX_SIGNAL_LIMIT, 0);
}

ax_result ref_process_create(int thread, ax_handle account, uint64_t place, int *payer, int *to) {
    TRY_REF(ref_account(thread, account, payer));
    return ref_place(thread, place, to);
}

ax_result ref_process_end(int thread, ax_handle value, enum ax_cause cause) {
    int process;
    TRY_REF(ref_look_process(thread, value, AX_RIGHT_CONTROL, &process));
    if (!ref.processes[process].open)
        return AX_ERR_ENDED;
    bool own = process == ref.threads[thread].process;
    ref_end_process(process, cause);
    if (own)
        ref_end_thread(thread);
    return own ? REF_ENDED : AX_OK;
}

void ref_fault(int thread, enum ax_cause cause) {
    ref_end_process(ref.threads[thread].process, cause);
    ref_end_thread(thread);
}

static const uint32_t control_rights[] = {[AX_PROCESS_SUSPEND] = AX_RIGHT_CONTROL,
                                          [AX_PROCESS_RESUME] = AX_RIGHT_CONTROL,
                                          [AX_PROCESS_LABEL] = AX_RIGHT_CONTROL,
                                          [AX_PROCESS_RELEASE] = AX_RIGHT_CONTROL};

ax_result ref_process_control(int thread, ax_handle value, enum ax_process_op op, uint64_t label,
                              ax_handle authority) {
    struct ref_handle *handle, *system;
    TRY_REF(ref_look(thread, value, AX_TYPE_PROCESS, control_rights[op], &handle));
    if (op == AX_PROCESS_LABEL)
        TRY_REF(ref_look(thread, authority, AX_TYPE_DEVICE, AX_RIGHT_SET_LABEL, &system));
    struct ref_process *process = &ref.processes[ref.objects[handle->object].of];
    if (op == AX_PROCESS_RELEASE) {
        if (process->open)
            return AX_ERR_STATE;
        process->is_released = true;
        return AX_OK;
    }
    if (!process->open)
        return AX_ERR_ENDED;
    if (op == AX_PROCESS_RESUME && process->suspended == 0)
        return AX_ERR_STATE;
    for (int t = 0; t < THREADS && op == AX_PROCESS_LABEL; t++) {
        if (ref.threads[t].process == ref.objects[handle->object].of)
            ref.threads[t].label = label;
    }
    if (op == AX_PROCESS_SUSPEND && process->suspended++ == 0)
        ref_set_signals(handle->object, 0, AX_SIGNAL_SUSPENDED); /* when all is settled */
    if (op == AX_PROCESS_RESUME && --process->suspended == 0)
        ref_set_signals(handle->object, AX_SIGNAL_SUSPENDED, 0);
    return AX_OK;
}

ax_result ref_process_thread(int thread, ax_handle value, int of, uint64_t place, uint32_t *rights,
                             int *to) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, value, AX_TYPE_PROCESS, AX_RIGHT_INSPECT, &handle));
    *rights = handle->rights;
    if (of < 0)
        return AX_ERR_NOT_FOUND;
    return ref_place(thread, place, to);
}

ax_result ref_clone(int thread, uint64_t place, int *to) {
    return ref_place(thread, place, to);
}

void ref_clone_fill(int thread, int child) {
    const struct ref_process *from = &ref.processes[ref.threads[thread].process];
    struct ref_process *to = &ref.processes[child];
    to->handle_end = from->handle_end;
    for (int i = 0; i < HANDLES; i++) {
        if (from->handles[i].used && from->handles[i].object >= 0 &&
            ref.objects[from->handles[i].object].type != AX_TYPE_DEVICE &&
            (from->handles[i].rights & AX_HANDLE_NOT_CLONED) == 0)
            to->handles[i] = from->handles[i];
    }
    ref_clone_pages(ref.threads[thread].process, child);
}
