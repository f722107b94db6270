/* SPDX-License-Identifier: MIT */
/* The world of the reference: handles, sessions, deliveries, ends. */
#include "reference.h"

#include <string.h>

#include "reference_private.h"

struct reference ref;

void ref_reset(void) {
    memset(&ref, 0, sizeof(ref));
    ref.clock = 1;
}

int ref_object_new(enum ax_type type, void *core, int of) {
    if (ref.object_count == OBJECTS) {
        ref.unpredictable = true;
        ref.object_count--;
    }
    struct ref_object *object = &ref.objects[ref.object_count];
    memset(object, 0, sizeof(*object));
    object->type = type;
    object->core = core;
    object->of = of;
    return ref.object_count++;
}

int ref_process_new(void *core) {
    for (int i = 0; i < PROCESSES; i++) {
        struct ref_process *process = &ref.processes[i];
        if (process->exists)
            continue;
        memset(process, 0, sizeof(*process));
        process->exists = process->open = true;
        process->core = core;
        process->object = ref_object_new(AX_TYPE_PROCESS, core, i);
        for (int page = 0; page < PAGES; page++)
            process->mapped[page] = true;
        return i;
    }
    ref.unpredictable = true;
    return 0;
}

int ref_thread_new(int process, void *core, int base, uint64_t label) {
    for (int i = 0; i < THREADS; i++) {
        struct ref_thread *thread = &ref.threads[i];
        if (thread->state != REF_NONE)
            continue;
        memset(thread, 0, sizeof(*thread));
        thread->state = REF_RUNS;
        thread->process = process;
        thread->core = core;
        thread->base = thread->priority = base;
        thread->label = label;
        thread->serving = thread->endpoint = thread->object = -1;
        return i;
    }
    ref.unpredictable = true;
    return 0;
}

/* ---- Handles --------------------------------------------------------------------------------- */

struct ref_handle *ref_handle_new(int process, int object, uint32_t rights, ax_handle value) {
    for (int i = 0; i < HANDLES; i++) {
        struct ref_handle *handle = &ref.processes[process].handles[i];
        if (handle->used)
            continue;
        *handle = (struct ref_handle){true, object, rights, value, -1, 0};
        return handle;
    }
    ref.unpredictable = true;
    return &ref.processes[process].handles[0];
}

struct ref_handle *ref_handle_find(int process, ax_handle value) {
    for (int i = 0; i < HANDLES; i++) {
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
        for (int i = 0; ref.processes[p].exists && i < HANDLES; i++) {
            const struct ref_handle *handle = &ref.processes[p].handles[i];
            count +=
                handle->used && handle->object == object && (handle->rights & rights) == rights;
        }
    }
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        for (unsigned i = 0; (call->queued || call->received) && i < call->handle_count; i++)
            count +=
                call->handles[i].object == object && (call->handles[i].rights & rights) == rights;
    }
    return count;
}

unsigned ref_handle_count(int object) {
    return count_with(object, 0) + ref.objects[object].kept;
}

void ref_handle_counts(unsigned counts[OBJECTS]) {
    for (int o = 0; o < OBJECTS; o++)
        counts[o] = ref.objects[o].kept;
    for (int p = 0; p < PROCESSES; p++) {
        for (int i = 0; ref.processes[p].exists && i < HANDLES; i++) {
            const struct ref_handle *handle = &ref.processes[p].handles[i];
            if (handle->used && handle->object >= 0)
                counts[handle->object]++;
        }
    }
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        for (unsigned i = 0; (call->queued || call->received) && i < call->handle_count; i++)
            counts[call->handles[i].object]++;
    }
}

static void work_add(int object) {
    for (int i = 0; i < ref.work_count; i++) {
        if (ref.work[i] == object)
            return;
    }
    ref.work[ref.work_count++] = object;
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
        work_add(object);
    }
    if (ref_handle_count(object) != 0)
        return;
    if (it->type == AX_TYPE_SESSION)
        ref_check_closed(object);
    if (it->type == AX_TYPE_PROCESS) {
        bool has_thread = false;
        for (int t = 0; t < THREADS; t++)
            has_thread |= ref.threads[t].process == it->of && ref.threads[t].state != REF_NONE &&
                          ref.threads[t].state != REF_GONE;
        if (!has_thread)
            ref_end_process(it->of, AX_CAUSE_KILLED);
    }
}

void ref_handle_drop(int process, struct ref_handle *handle) {
    (void)process;
    int object = handle->object;
    uint32_t rights = handle->rights;
    handle->used = false;
    ref_handle_lost(object, rights);
}

/* ---- Threads --------------------------------------------------------------------------------- */

void ref_wake(int thread, ax_result result) {
    struct ref_thread *it = &ref.threads[thread];
    it->state = REF_RUNS;
    it->result = result;
    it->has_result = true;
    it->object = -1;
}

void ref_set_signals(int object, uint32_t clear, uint32_t set) {
    struct ref_object *it = &ref.objects[object];
    it->signals = (it->signals & ~clear) | set;
    for (int t = 0; t < THREADS; t++) {
        struct ref_thread *thread = &ref.threads[t];
        if (thread->state == REF_WAITS && thread->object == object && (thread->mask & set) != 0)
            ref_wake(t, it->signals & thread->mask);
    }
}

void ref_unserve(int thread) {
    int caller = ref.threads[thread].serving;
    ref.threads[thread].serving = -1;
    if (caller >= 0 && ref.threads[caller].call.server == thread)
        ref.threads[caller].call.server = -1;
}

/* It receives no more from where it did. */
void ref_leave(int thread) {
    int endpoint = ref.threads[thread].endpoint;
    if (endpoint < 0)
        return;
    struct ref_object *it = &ref.objects[endpoint];
    for (int i = 0; i < it->receiver_count; i++) {
        if (it->receivers[i] != thread)
            continue;
        memmove(&it->receivers[i], &it->receivers[i + 1],
                sizeof(int) * (size_t)(--it->receiver_count - i));
        break;
    }
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static unsigned open_calls(int session) {
    unsigned count = 0;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        count += (call->queued || call->received) && call->session == session;
    }
    return count;
}

void ref_check_closed(int session) {
    struct ref_object *it = &ref.objects[session];
    if (it->state != REF_OPEN || ref_handle_count(session) != 0 || open_calls(session) != 0)
        return;
    struct ref_object *endpoint = &ref.objects[it->of];
    it->state = REF_CLOSED;
    endpoint->closed[endpoint->closed_count++] = session;
    ref_deliver(it->of);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

void ref_queue(int caller) {
    struct ref_call *call = &ref.threads[caller].call;
    call->queued = true;
    ref_deliver(ref.objects[call->session].of);
}

void ref_call_clear(int caller, bool move) {
    struct ref_call *call = &ref.threads[caller].call;
    int process = ref.threads[caller].process;
    unsigned count = call->handle_count;
    int session = call->session;
    for (unsigned i = 0; i < count; i++) {
        const struct ref_handle *held = &call->handles[i];
        struct ref_handle *own = ref_handle_find(process, held->value);
        if (move && (held->rights & AX_HANDLE_MOVE) != 0 && own != NULL &&
            own->object == held->object)
            ref_handle_drop(process, own);
        struct ref_handle gone = *held;
        call->handles[i].object = OBJECTS; /* none */
        call->handles[i].rights = 0;
        ref_handle_lost(gone.object, gone.rights);
    }
    call->queued = call->received = false;
    call->handle_count = 0;
    ref_check_closed(session);
}

void ref_call_fail(int caller, ax_result error) {
    struct ref_call *call = &ref.threads[caller].call;
    if (call->received)
        ref_detach(caller, true);
    call->received = true; /* its record counts until it is cleared */
    call->queued = false;
    ref_call_clear(caller, false);
    ref_wake(caller, error);
}

static void forget_interrupt(int caller) {
    int holder = ref.threads[caller].call.holder;
    struct ref_process *process = &ref.processes[holder];
    for (int i = 0; i < process->interrupt_count; i++) {
        if (process->interrupts[i] != caller)
            continue;
        memmove(&process->interrupts[i], &process->interrupts[i + 1],
                sizeof(int) * (size_t)(--process->interrupt_count - i));
        return;
    }
}

static struct ref_handle *reply_handle(int caller) {
    int holder = ref.threads[caller].call.holder;
    for (int i = 0; i < HANDLES; i++) {
        struct ref_handle *handle = &ref.processes[holder].handles[i];
        if (handle->used && handle->object == -1 - caller)
            return handle;
    }
    return NULL;
}

void ref_detach(int caller, bool handle) {
    struct ref_call *call = &ref.threads[caller].call;
    forget_interrupt(caller);
    if (call->server >= 0)
        ref_unserve(call->server);
    struct ref_handle *own = reply_handle(caller);
    call->received = false;
    call->server = -1;
    if (handle && own != NULL)
        own->used = false;
}

void ref_call_ask_early(int caller, ax_result error) {
    struct ref_call *call = &ref.threads[caller].call;
    if (call->queued && !call->redelivered && !call->forwarded) {
        ref_call_fail(caller, error);
        return;
    }
    if (call->interrupted)
        return;
    call->interrupted = true;
    if (!call->received)
        return;
    struct ref_process *holder = &ref.processes[call->holder];
    holder->interrupts[holder->interrupt_count++] = caller;
    ref_deliver(ref.objects[call->session].of);
    for (int t = 0; t < THREADS; t++) { /* or whoever of that process receives */
        if (ref.threads[t].process == (int)(holder - ref.processes) &&
            ref.threads[t].state == REF_RECEIVES && holder->interrupt_count > 0) {
            ref_deliver(ref.threads[t].endpoint);
            break;
        }
    }
}

/* ---- Delivery -------------------------------------------------------------------------------- */

/* The call that comes first at an endpoint, or -1. */
static int first_call(int endpoint) {
    int best = -1;
    ref_priorities();
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        if (!call->queued || ref.objects[call->session].of != endpoint)
            continue;
        if (best < 0) {
            best = t;
            continue;
        }
        const struct ref_call *other = &ref.threads[best].call;
        bool before = call->order < other->order;
        if (call->redelivered != other->redelivered)
            before = call->redelivered;
        else if (!call->redelivered && ref.threads[t].priority != ref.threads[best].priority)
            before = ref.threads[t].priority > ref.threads[best].priority;
        if (before)
            best = t;
    }
    return best;
}

/* The handles become the receiver's; the kernel will tell their values. */
static void deliver_handles(int thread, const struct ref_handle *held, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct ref_handle *made = ref_handle_new(ref.threads[thread].process, held[i].object,
                                                 held[i].rights & AX_RIGHT_ALL, 0);
        made->to_thread = thread;
        made->to_index = (int)i;
    }
}

static bool begin(int caller, int thread) {
    struct ref_call *call = &ref.threads[caller].call;
    struct ref_thread *server = &ref.threads[thread];
    if (call->handle_count > server->accept) {
        ref_call_fail(caller, AX_ERR_ACCEPT);
        return false;
    }
    deliver_handles(thread, call->handles, call->handle_count);
    struct ref_object *endpoint = &ref.objects[ref.objects[call->session].of];
    if (!call->redelivered)
        call->order = endpoint->next_order++;
    call->queued = false;
    call->received = true;
    call->holder = server->process;
    call->server = thread;
    server->serving = caller;
    struct ref_handle *reply = ref_handle_new(server->process, -1 - caller, 0, 0);
    reply->to_thread = thread;
    reply->to_index = -1;
    server->message = (struct ref_message){
        .kind = AX_MESSAGE_CALL,
        .flags = (uint16_t)((call->redelivered ? AX_MESSAGE_REDELIVERED : 0) |
                            (call->interrupted ? AX_MESSAGE_INTERRUPTED : 0)),
        .operation = call->operation,
        .badge = ref.objects[call->session].badge,
        .label = ref.threads[caller].label,
        .sequence = call->sequence,
        .word = call->word,
        .handle_count = call->handle_count,
        .has_reply = true,
    };
    server->fresh = true;
    return true;
}

bool ref_receive(int endpoint, int thread) {
    struct ref_thread *server = &ref.threads[thread];
    struct ref_object *it = &ref.objects[endpoint];
    for (;;) {
        struct ref_process *process = &ref.processes[server->process];
        if (process->interrupt_count > 0) {
            int caller = process->interrupts[0];
            forget_interrupt(caller);
            server->message =
                (struct ref_message){.kind = AX_MESSAGE_INTERRUPT,
                                     .badge = ref.objects[ref.threads[caller].call.session].badge,
                                     .sequence = ref.threads[caller].call.sequence,
                                     .has_reply = true};
            server->fresh = true;
            return true;
        }
        if (it->closed_count > 0) {
            int session = it->closed[0];
            memmove(it->closed, it->closed + 1, sizeof(int) * (size_t)--it->closed_count);
            ref.objects[session].state = REF_ANNOUNCED;
            server->message =
                (struct ref_message){.kind = AX_MESSAGE_CLOSE, .badge = ref.objects[session].badge};
            server->fresh = true;
            return true;
        }
        int caller = first_call(endpoint);
        if (caller < 0)
            return false;
        if (begin(caller, thread))
            return true;
    }
}

void ref_deliver(int endpoint) {
    struct ref_object *it = &ref.objects[endpoint];
    if (it->delivering)
        return; /* the delivery further up goes on with it */
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < it->receiver_count; i++) {
            int thread = it->receivers[i];
            const struct ref_process *process = &ref.processes[ref.threads[thread].process];
            if (!process->open || (it->closed_count == 0 && first_call(endpoint) < 0 &&
                                   process->interrupt_count == 0))
                continue;
            ref_leave(thread);
            it->delivering = true;
            bool delivered = ref_receive(endpoint, thread);
            it->delivering = false;
            if (delivered) {
                ref_wake(thread, AX_OK);
            } else {
                memmove(it->receivers + 1, it->receivers,
                        sizeof(int) * (size_t)it->receiver_count++);
                it->receivers[0] = thread;
            }
            again = delivered;
            break;
        }
    }
}

/* ---- Ends ------------------------------------------------------------------------------------ */

void ref_end_thread(int thread) {
    struct ref_thread *it = &ref.threads[thread];
    if (it->state == REF_GONE || it->state == REF_NONE)
        return;
    struct ref_call *call = &it->call;
    enum ref_state state = it->state;
    if (it->serving >= 0 && (ref.processes[it->process].cause == AX_CAUSE_FAULT ||
                             ref.processes[it->process].cause == AX_CAUSE_HUNG))
        ref.threads[it->serving].call.deaths += ref.threads[it->serving].call.received;
    it->state = REF_GONE;
    if (state == REF_RECEIVES)
        ref_leave(thread);
    if (state == REF_CALLS) {
        if (call->received)
            forget_interrupt(thread); /* its server serves a dead caller on */
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
    if (!it->open)
        return;
    it->open = false;
    it->ending = true;
    it->cause = cause;
    work_add(it->object);
}

static void give_back(int caller) {
    struct ref_call *call = &ref.threads[caller].call;
    ref_detach(caller, true);
    call->received = true; /* it counts as open until it is queued or fails */
    call->holder = PROCESSES - 1;
    const struct ref_object *session = &ref.objects[call->session];
    ax_result error = AX_OK;
    if (call->deaths >= 2)
        error = AX_ERR_FAULTED;
    else if (session->state == REF_OVER || ref.objects[session->of].dead)
        error = AX_ERR_PEER_CLOSED;
    call->received = false;
    if (error != AX_OK) {
        ref_call_fail(caller, error);
        return;
    }
    call->redelivered = true;
    ref_queue(caller);
}

/* By endpoint, in the order first received. */
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

static void process_work(int process) {
    struct ref_process *it = &ref.processes[process];
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].process == process)
            ref_end_thread(t);
    }
    for (int first; (first = first_held(process)) >= 0;)
        give_back(first);
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
        ref_handle_drop(process, first);
    }
    it->ending = false;
    ref_set_signals(it->object, 0, AX_SIGNAL_ENDED);
}

static void endpoint_work(int endpoint) {
    int caller;
    struct ref_object *it = &ref.objects[endpoint];
    while ((caller = first_call(endpoint)) >= 0)
        ref_call_fail(caller, AX_ERR_PEER_CLOSED);
    while (it->receiver_count > 0) {
        int thread = it->receivers[0];
        ref_leave(thread);
        ref_wake(thread, AX_ERR_PEER_CLOSED);
    }
    it->closed_count = 0;
    for (int s = 0; s < ref.object_count; s++) {
        struct ref_object *session = &ref.objects[s];
        if (session->type != AX_TYPE_SESSION || session->of != endpoint ||
            session->state == REF_OVER)
            continue;
        session->state = REF_OVER;
        ref_set_signals(s, 0, AX_SIGNAL_PEER_CLOSED);
    }
}

void ref_settle(void) {
    while (ref.work_count > 0) {
        int object = ref.work[0];
        memmove(ref.work, ref.work + 1, sizeof(int) * (size_t)--ref.work_count);
        if (ref.objects[object].type == AX_TYPE_PROCESS)
            process_work(ref.objects[object].of);
        else
            endpoint_work(object);
    }
    ref_priorities();
}
