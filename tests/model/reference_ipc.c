/* SPDX-License-Identifier: MIT */
/* Sessions, calls and their delivery in the reference. */
#include <string.h>

#include "reference_private.h"

/* ---- Sessions -------------------------------------------------------------------------------- */

unsigned ref_open_calls(int session) {
    unsigned count = 0;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        count += (call->queued || call->received) && call->session == session;
    }
    return count;
}

bool ref_is_over(int session) {
    return ref.objects[session].state == REF_OVER || ref.objects[ref.objects[session].of].dead;
}

void ref_check_closed(int session) {
    struct ref_object *it = &ref.objects[session];
    if (it->state != REF_OPEN || ref_handle_count(session) != 0 || ref_open_calls(session) != 0)
        return;
    it->state = REF_CLOSED;
    it->closed_at = ref.clock++;
    ref_deliver(it->of);
}

/* The session whose close comes first, or -1. */
static int first_closed(int endpoint) {
    int first = -1;
    for (int s = 0; s < ref.object_count; s++) {
        const struct ref_object *it = &ref.objects[s];
        if (it->type == AX_TYPE_SESSION && it->of == endpoint && it->state == REF_CLOSED &&
            (first < 0 || it->closed_at < ref.objects[first].closed_at))
            first = s;
    }
    return first;
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
    for (unsigned i = 0; i < call->message.handle_count; i++) {
        struct ref_handle held = call->handles[i];
        struct ref_handle *own = ref_handle_find(process, held.value);
        if (move && (held.rights & AX_HANDLE_MOVE) != 0 && own != NULL &&
            own->object == held.object)
            ref_handle_drop(own);
        call->handles[i].object = OBJECTS; /* none */
        call->handles[i].rights = 0;
        ref_handle_lost(held.object, held.rights);
    }
    call->queued = call->received = false;
    call->message.handle_count = 0;
    ref_check_closed(call->session);
}

/* Its record counts, in nobody's hands, until it is queued or cleared. */
static void keep_record(struct ref_call *call) {
    call->queued = false;
    call->received = true;
    call->holder = PROCESSES;
}

void ref_call_fail(int caller, ax_result error) {
    struct ref_call *call = &ref.threads[caller].call;
    if (call->received && call->holder < PROCESSES)
        ref_detach(caller, true);
    keep_record(call);
    ref_call_clear(caller, false);
    ref_wake(caller, error);
}

void ref_forget_interrupt(int caller) {
    struct ref_process *process = &ref.processes[ref.threads[caller].call.holder];
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
    ref_forget_interrupt(caller);
    ref_unmap_loans(call->holder, caller);
    if (call->server >= 0)
        ref_unserve(call->server);
    struct ref_handle *own = reply_handle(caller);
    call->server = -1;
    keep_record(call);
    if (handle && own != NULL)
        own->used = false;
}

void ref_tell_holder(int caller) {
    struct ref_call *call = &ref.threads[caller].call;
    struct ref_process *holder = &ref.processes[call->holder];
    bool is_there = false;
    for (int i = 0; i < holder->interrupt_count; i++)
        is_there |= holder->interrupts[i] == caller;
    if (!is_there)
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

void ref_call_ask_early(int caller, ax_result error) {
    struct ref_call *call = &ref.threads[caller].call;
    if (call->queued && !call->redelivered && !call->retried && !call->forwarded) {
        ref_call_fail(caller, error);
        return;
    }
    if (call->interrupted)
        return;
    call->interrupted = true;
    if (call->received)
        ref_tell_holder(caller);
}

void ref_give_back(int caller, bool died) {
    struct ref_call *call = &ref.threads[caller].call;
    ref_detach(caller, true);
    if (died && call->deaths >= 2) {
        ref_call_fail(caller, AX_ERR_FAULTED);
    } else if (ref_is_over(call->session)) {
        ref_call_fail(caller, AX_ERR_PEER_CLOSED);
    } else {
        call->redelivered |= died;
        call->retried |= !died;
        call->received = false;
        ref_queue(caller);
    }
}

/* ---- Delivery -------------------------------------------------------------------------------- */

/* The call that comes first at an endpoint, or -1. */
int ref_first_call(int endpoint) {
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
        bool was_received = call->redelivered || call->retried;
        bool before = call->order < other->order;
        if (was_received != (other->redelivered || other->retried))
            before = was_received;
        else if (!was_received && ref.threads[t].priority != ref.threads[best].priority)
            before = ref.threads[t].priority > ref.threads[best].priority;
        if (before)
            best = t;
    }
    return best;
}

/* The handles become the receiver's; the kernel will tell their values. */
void ref_deliver_handles(int thread, const struct ref_handle *held, unsigned count, int payer) {
    int process = ref.threads[thread].process;
    for (unsigned i = 0; i < count; i++) {
        struct ref_object *object = &ref.objects[held[i].object];
        struct ref_handle *made =
            ref_handle_new(process, held[i].object, held[i].rights & AX_RIGHT_ALL, 0);
        made->to_thread = thread;
        made->to_index = (int)i;
        if (object->type == AX_TYPE_SESSION && !object->delivered && object->account == payer) {
            object->delivered = true;
            object->account = ref_account_of(process);
        }
    }
}

static uint32_t inline_bytes(int caller, int thread) {
    const struct ref_message *message = &ref.threads[caller].call.message;
    const struct ref_thread *server = &ref.threads[thread];
    uint64_t size = server->buffer_bytes;
    int side;
    if (message->loan_count == 0 || (message->loans[0].access & AX_LOAN_READ) == 0)
        return 0;
    if (message->loans[0].size < size)
        size = message->loans[0].size;
    ax_result copied = ref_copy(server->process, server->buffer, ref.threads[caller].process,
                                message->loans[0].address, size, false, &side);
    return copied > 0 ? (uint32_t)copied : 0;
}

static bool begin(int caller, int thread) {
    struct ref_call *call = &ref.threads[caller].call;
    struct ref_thread *server = &ref.threads[thread];
    if (call->message.handle_count > server->accept) {
        ref_call_fail(caller, AX_ERR_ACCEPT);
        return false;
    }
    ref_deliver_handles(thread, call->handles, call->message.handle_count, -1);
    if (!call->redelivered && !call->retried)
        call->order = ref.objects[ref.objects[call->session].of].next_order++;
    call->queued = false;
    call->received = true;
    call->holder = server->process;
    call->server = thread;
    server->serving = caller;
    struct ref_handle *reply = ref_handle_new(server->process, -1 - caller, 0, 0);
    reply->to_thread = thread;
    reply->to_index = -1;
    server->message = call->message;
    server->message.kind = AX_MESSAGE_CALL;
    server->message.flags = (uint16_t)((call->redelivered ? AX_MESSAGE_REDELIVERED : 0) |
                                       (call->retried ? AX_MESSAGE_RETRIED : 0) |
                                       (call->interrupted ? AX_MESSAGE_INTERRUPTED : 0));
    server->message.badge = ref.objects[call->session].badge;
    server->message.label = call->label;
    server->message.has_reply = true;
    server->message.inline_bytes = inline_bytes(caller, thread);
    server->fresh = true;
    return true;
}

static void receive_notice(int thread, enum ax_message_kind kind, uint64_t badge) {
    struct ref_thread *it = &ref.threads[thread];
    memset(&it->message, 0, sizeof(it->message));
    it->message.kind = (uint8_t)kind;
    it->message.badge = badge;
    it->message.caller = -1;
    it->fresh = true;
}

static void receive_interrupt(int thread, int caller) {
    const struct ref_call *call = &ref.threads[caller].call;
    ref_forget_interrupt(caller);
    receive_notice(thread, AX_MESSAGE_INTERRUPT, ref.objects[call->session].badge);
    ref.threads[thread].message.flags = ref_is_live(caller) ? 0 : AX_MESSAGE_CALLER_DEAD;
    ref.threads[thread].message.sequence = call->message.sequence;
    ref.threads[thread].message.caller = call->message.caller;
    ref.threads[thread].message.has_reply = true;
}

static bool take(int endpoint, int thread) {
    for (;;) {
        const struct ref_process *process = &ref.processes[ref.threads[thread].process];
        if (process->interrupt_count > 0) {
            receive_interrupt(thread, process->interrupts[0]);
            return true;
        }
        int session = first_closed(endpoint);
        if (session >= 0) {
            ref.objects[session].state = REF_ANNOUNCED;
            receive_notice(thread, AX_MESSAGE_CLOSE, ref.objects[session].badge);
            return true;
        }
        if (ref_binding_take(endpoint, thread))
            return true;
        int caller = ref_first_call(endpoint);
        if (caller < 0)
            return false;
        if (begin(caller, thread))
            return true;
    }
}

bool ref_receive(int endpoint, int thread) {
    bool taken = take(endpoint, thread);
    ref.objects[endpoint].delivered_count += taken;
    return taken;
}

/* The first in line of those that some of what is there can be given to, or -1. */
static int receiver(int endpoint) {
    int first = -1;
    bool for_anyone = first_closed(endpoint) >= 0 || ref_binding_is_ready(endpoint) ||
                      ref_first_call(endpoint) >= 0;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (it->state == REF_RECEIVES && it->endpoint == endpoint &&
            ref.processes[it->process].open &&
            (for_anyone || ref.processes[it->process].interrupt_count > 0) &&
            (first < 0 || it->waits_since < ref.threads[first].waits_since))
            first = t;
    }
    return first;
}

void ref_deliver(int endpoint) {
    struct ref_object *it = &ref.objects[endpoint];
    int thread;
    while (!it->delivering && (thread = receiver(endpoint)) >= 0) {
        it->delivering = true;
        ref.threads[thread].state = REF_RUNS;
        bool delivered = ref_receive(endpoint, thread);
        it->delivering = false;
        if (delivered)
            ref_wake(thread, AX_OK);
        else
            ref.threads[thread].state = REF_RECEIVES; /* at its old place */
    }
}
