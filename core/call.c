/* SPDX-License-Identifier: MIT */
#include "call.h"

#include <base/memory.h>

#include "calls.h"
#include "ipc.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

struct thread *call_thread(struct call *call) {
    return container_of(call, struct thread, call);
}

/* Calls that an instance has received before come first, in the order it received them. */
static int call_class(const struct call *call) {
    return call->redelivered || call->retried ? 0 : 1;
}

static int call_compare(const void *key, const struct tree_node *node) {
    const struct call *x = key, *y = container_of(node, const struct call, node);
    if (call_class(x) != call_class(y))
        return call_class(x) - call_class(y);
    if (call_class(x) == 1 && x->priority != y->priority)
        return (int)y->priority - (int)x->priority;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int call_compare_order(const void *key, const struct tree_node *node) {
    const struct call *call = container_of(node, const struct call, node);
    return call_class(call) == 0 && call->order < *(const uint64_t *)key ? 1 : -1;
}

struct tree_node *call_lower_bound(const struct tree *calls, uint64_t order) {
    return tree_lower_bound(calls, &order, call_compare_order);
}

struct call *call_first_fresh(const struct tree *calls) {
    struct tree_node *node = call_lower_bound(calls, UINT64_MAX);
    return node != NULL ? container_of(node, struct call, node) : NULL;
}

static void call_insert(struct call *call) {
    struct endpoint *endpoint = call->session->endpoint;
    tree_insert(&endpoint->calls, &call->node, call, call_compare);
    list_append(&call->session->queued, &call->in_session);
    call->state = CALL_QUEUED;
    endpoint->queued_count++;
}

void call_unqueue(struct call *call) {
    ASSERT(call->state == CALL_QUEUED);
    struct endpoint *endpoint = call->session->endpoint;
    tree_remove(&endpoint->calls, &call->node);
    list_remove(&call->in_session);
    endpoint->queued_count--;
    call->state = CALL_IDLE;
}

void call_reposition(struct call *call, uint8_t priority) {
    bool queued = call->state == CALL_QUEUED;
    if (queued)
        call_unqueue(call);
    call->priority = priority;
    if (queued)
        call_insert(call);
}

void call_queue(struct call *call) {
    ASSERT(call->state == CALL_IDLE && call->session != NULL);
    struct endpoint *endpoint = call->session->endpoint;
    call->priority = call_thread(call)->priority;
    call_insert(call);
    endpoint_deliver(endpoint);
}

void call_clear(struct call *call, bool move) {
    struct process *process = call_thread(call)->process;
    for (unsigned i = 0; i < call->handle_count; i++) {
        struct held_handle *held = &call->handles[i];
        struct object *object;
        if (move && (held->rights & AX_HANDLE_MOVE) != 0 &&
            handle_lookup(process, held->source, AX_TYPE_NONE, 0, &object) == AX_OK &&
            object == held->object)
            (void)!handle_close(process, held->source);
        object_handle_unref(held->object, held->rights & AX_RIGHT_ALL);
    }
    handle_unpromise(process, call->accept);
    call->handle_count = call->loan_count = call->accept = 0;
    call->state = CALL_IDLE;
    call_leave(call);
}

void call_enter(struct call *call, struct session *session) {
    object_ref(&session->object);
    session->calls++;
    call->session = session;
    call->order = session->endpoint->next_order++;
}

void call_leave(struct call *call) {
    struct session *session = call->session;
    call->session = NULL;
    session->calls--;
    session_check_closed(session);
    endpoint_update(session->endpoint);
    object_unref(&session->object);
}

void call_fail(struct call *call, enum ax_error error) {
    if (call->state == CALL_QUEUED)
        call_unqueue(call);
    else if (call->state == CALL_RECEIVED)
        reply_detach(call->reply, false);
    call_clear(call, false);
    thread_wake(call_thread(call), error);
}

/* Of the holder's threads one that receives is told at once, those of the call's own endpoint
 * first; else the next to receive is. */
static void call_tell_holder(struct call *call) {
    struct endpoint *endpoint = call->session->endpoint;
    struct reply *reply = call->reply;
    struct process *holder = reply->holder;
    struct thread *thread;
    if (!list_is_linked(&reply->in_interrupts)) {
        list_append(&holder->interrupts, &reply->in_interrupts);
        reply->id = call->id;
        reply->session = call->session;
        object_ref(&reply->session->object);
        endpoint->interrupt_count++;
    }
    endpoint_deliver(endpoint);
    list_for_each (thread, &holder->threads, in_process) {
        if (thread->block == BLOCK_RECEIVE && !list_is_empty(&holder->interrupts)) {
            endpoint_deliver(thread->endpoint);
            break;
        }
    }
}

void call_abandon(struct thread *thread) {
    struct call *call = &thread->call;
    if (call->state == CALL_QUEUED) {
        call_unqueue(call);
    } else {
        struct reply *reply = call->reply;
        call->session->endpoint->received_count--;
        reply->caller = NULL;
        if (reply->server != NULL)
            priority_update(reply->server);
        call_tell_holder(call);
    }
    call_clear(call, false);
}

void call_ask_early(struct thread *thread, enum ax_error error) {
    struct call *call = &thread->call;
    bool was_received = call->redelivered || call->retried || call->forwarded;
    if (call->state == CALL_QUEUED && !was_received) {
        call_fail(call, error);
        return;
    }
    if (call->interrupted)
        return;
    call->interrupted = true;
    if (call->state == CALL_RECEIVED)
        call_tell_holder(call);
}

/* ---- Making a call ----------------------------------------------------------------------------
 */

static ax_result message_check(const struct ax_message *message) {
    if (message->word_count > AX_MESSAGE_WORDS || message->handle_count > AX_MESSAGE_HANDLES ||
        message->loan_count > AX_MESSAGE_LOANS)
        return AX_ERR_ARGUMENT;
    for (unsigned i = 0; i < message->loan_count; i++) {
        uint64_t end;
        if (message->loan_access[i] == 0 ||
            (message->loan_access[i] & ~(AX_LOAN_READ | AX_LOAN_WRITE)) != 0)
            return AX_ERR_ARGUMENT;
        if (__builtin_add_overflow(message->loans[i].address, message->loans[i].size_bytes, &end) ||
            end > AX_USER_END)
            return AX_ERR_ADDRESS;
    }
    return AX_OK;
}

ax_result message_hold(struct process *process, const struct ax_message *message, uint32_t moves,
                       struct held_handle *held) {
    for (unsigned i = 0; i < message->handle_count; i++) {
        uint32_t wanted = message->handles[i].rights;
        uint32_t right = (wanted & AX_HANDLE_MOVE) != 0 ? AX_RIGHT_MOVE : AX_RIGHT_COPY;
        uint32_t rights;
        TRY(handle_lookup_rights(process, message->handles[i].handle, AX_TYPE_NONE, 0,
                                 &held[i].object, &rights));
        if (held[i].object->type == AX_TYPE_REPLY)
            return AX_ERR_TYPE;
        if ((rights & right) == 0)
            return AX_ERR_RIGHTS;
        if ((wanted & AX_HANDLE_MOVE & ~moves) != 0)
            return AX_ERR_ARGUMENT;
        held[i].rights = (rights & wanted & AX_RIGHT_ALL) | (wanted & AX_HANDLE_MOVE);
        held[i].source = message->handles[i].handle;
        for (unsigned k = 0; k < i; k++) {
            if (held[k].source == held[i].source &&
                ((held[k].rights | held[i].rights) & AX_HANDLE_MOVE) != 0)
                return AX_ERR_ARGUMENT; /* it leaves once */
        }
    }
    return AX_OK;
}

/* Whom the call is made to, and in whose name; nothing is taken yet. */
static ax_result call_decode(struct thread *thread, uint64_t handle, const struct ax_ipc *ipc,
                             struct session **session, struct process **name) {
    TRY(handle_get(thread, handle, AX_TYPE_SESSION, AX_RIGHT_CALL, session));
    TRY(process_lookup(thread, ipc->id_process, AX_RIGHT_HANDLES, name));
    if (ipc->accept > AX_MESSAGE_HANDLES || (ipc->id_sequence & AX_SEQUENCE_CORE) != 0 ||
        (ipc->options | ipc->place) != 0)
        return AX_ERR_ARGUMENT;
    TRY(message_check(&ipc->message));
    if (thread->interrupted)
        return AX_ERR_INTERRUPTED;
    if (session_is_over(*session))
        return AX_ERR_PEER_CLOSED;
    if (ipc->deadline_ns <= hal_time_ns())
        return AX_ERR_TIMEOUT;
    if (priority_would_deadlock(thread, (*session)->endpoint)) {
        kernel->counters.deadlocks++;
        return AX_ERR_DEADLOCK;
    }
    return AX_OK;
}

void call_fill(struct call *call, const struct ax_message *message) {
    call->operation = message->operation;
    call->word_count = message->word_count;
    memcpy(call->words, message->words, message->word_count * sizeof(call->words[0]));
    for (unsigned i = 0; i < message->handle_count; i++) {
        const struct held_handle *held = &call->handles[call->handle_count++];
        object_handle_ref(held->object, held->rights & AX_RIGHT_ALL);
    }
}

void call_start(struct call *call, const struct ax_message *message, struct session *session) {
    call->redelivered = call->retried = call->forwarded = call->interrupted = false;
    call->deaths = 0;
    call->label = call_thread(call)->label;
    call_fill(call, message);
    call_enter(call, session);
}

static void call_record(struct call *call, const struct ax_ipc *ipc, struct session *session) {
    const struct ax_message *message = &ipc->message;
    call_start(call, message, session);
    call->loan_count = message->loan_count;
    memcpy(call->loan_access, message->loan_access, sizeof(call->loan_access));
    memcpy(call->loans, message->loans, sizeof(call->loans));
    call->accept = (uint8_t)ipc->accept;
}

ax_result sys_call(struct thread *thread, const uint64_t arguments[5]) {
    ax_result result;
    if (kernel->fast_ipc && ipc_fast_call(thread, (ax_handle)arguments[0], &result))
        return result;
    struct ax_ipc ipc;
    memcpy(&ipc, &thread->page->ipc, sizeof(ipc));
    struct session *session;
    struct process *name;
    TRY(call_decode(thread, arguments[0], &ipc, &session, &name));
    struct call *call = &thread->call;
    TRY(message_hold(thread->process, &ipc.message, AX_HANDLE_MOVE, call->handles));
    TRY(handle_promise(thread->process, ipc.accept));

    call_record(call, &ipc, session);
    call->id.caller = name->object.id;
    call->id.sequence =
        ipc.id_sequence != 0 ? ipc.id_sequence : AX_SEQUENCE_CORE | ++name->next_sequence;
    kernel->counters.calls_sent++;
    TRACE(AX_TRACE_SEND, call->operation, trace_hash(call));
    result = thread_block(thread, BLOCK_CALL, ipc.deadline_ns);
    call_queue(call);
    return result;
}
