/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "account.h"
#include "calls.h"
#include "ipc.h"
#include "kernel.h"
#include "loan.h"
#include "process.h"
#include "thread.h"

void reply_free(struct reply *reply) {
    ASSERT(reply->holder == NULL);
    object_free(&reply->object, sizeof(*reply));
}

/* ---- Delivery -------------------------------------------------------------------------------- */

/*
 * Who is answered pays from now on for sessions that a server made for it: those that it is the
 * first to be answered with, and that the server itself pays for. For all, or for none.
 */
static ax_result sessions_recharge(const struct account *server, const struct process *receiver,
                                   const struct held_handle *held, unsigned count) {
    struct account *account = receiver->account;
    struct session *sessions[AX_MESSAGE_HANDLES];
    unsigned fresh = 0;
    for (unsigned i = 0; i < count; i++) {
        struct session *session = (struct session *)held[i].object;
        if (held[i].object->type == AX_TYPE_SESSION && !session->delivered &&
            session->object.account == server)
            sessions[fresh++] = session;
    }
    uint64_t bytes = fresh * heap_charge(sizeof(struct session));
    TRY(account_charge(account, bytes, fresh));
    for (unsigned i = 0; i < fresh; i++) {
        account_uncharge(sessions[i]->object.account, bytes / fresh, 1);
        sessions[i]->object.account = account;
        sessions[i]->delivered = true;
    }
    return AX_OK;
}

static void message_deliver_handles(struct process *receiver, const struct held_handle *held,
                                    unsigned count, struct ax_message_handle *to) {
    for (unsigned i = 0; i < count; i++) {
        uint32_t rights = held[i].rights & AX_RIGHT_ALL;
        to[i].handle = handle_put_promised(receiver, held[i].object, rights);
        to[i].rights = rights;
    }
}

static void message_from_call(struct call *call, struct ax_message *message) {
    memset(message, 0, sizeof(*message));
    message->kind = AX_MESSAGE_CALL;
    message->operation = call->operation;
    message->word_count = call->word_count;
    memcpy(message->words, call->words, call->word_count * sizeof(call->words[0]));
    message->handle_count = call->handle_count;
    message->loan_count = call->loan_count;
    for (unsigned i = 0; i < call->loan_count; i++) {
        message->loan_access[i] = call->loan_access[i];
        message->loans[i].size_bytes = call->loans[i].size_bytes;
    }
    message->flags = (uint16_t)((call->redelivered ? AX_MESSAGE_REDELIVERED : 0) |
                                (call->retried ? AX_MESSAGE_RETRIED : 0) |
                                (call->interrupted ? AX_MESSAGE_INTERRUPTED : 0));
    message->id = call->id;
    message->label = call->label;
    message->badge = call->session->badge;
}

static int reply_compare(const void *key, const struct tree_node *node) {
    const struct reply *x = key, *y = container_of(node, const struct reply, in_holder);
    if (x->endpoint_id != y->endpoint_id)
        return x->endpoint_id < y->endpoint_id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void reply_enter(struct reply *reply, struct process *holder) {
    const struct call *call = &reply->caller->call;
    reply->holder = holder;
    reply->endpoint_id = call->session->endpoint->object.id;
    reply->order = call->order;
    tree_insert(&holder->received, &reply->in_holder, reply, reply_compare);
}

/* The call is this process's from now on, and this thread serves it. */
static void reply_hold(struct call *call, struct thread *server) {
    struct reply *reply = call->reply;
    struct endpoint *endpoint = call->session->endpoint;
    if (!call->redelivered && !call->retried)
        call->order = endpoint->next_order++;
    call_unqueue(call);
    call->state = CALL_RECEIVED;
    endpoint->received_count++;
    reply_enter(reply, server->process);
    reply->handle = handle_put_promised(server->process, &reply->object, 0);
    reply->server = server;
    server->serving = reply;
}

bool reply_begin(struct call *call, struct thread *server) {
    struct process *process = server->process;
    struct ax_message message;
    if (call->handle_count > server->accept) {
        call_fail(call, AX_ERR_ACCEPT);
        return false;
    }
    message_from_call(call, &message);
    message_deliver_handles(process, call->handles, call->handle_count, message.handles);
    reply_hold(call, server);
    handle_unpromise(process, server->accept - call->handle_count);
    message.reply = call->reply->handle;
    message.inline_bytes = loan_inline(call, server);
    memcpy(&server->page->ipc.message, &message, sizeof(message));
    if (call->redelivered)
        kernel->counters.calls_redelivered++;
    TRACE(AX_TRACE_RECEIVE, call->id.sequence, trace_hash(call));
    priority_update(server);
    return true;
}

void reply_forget_interrupt(struct reply *reply) {
    if (!list_is_linked(&reply->in_interrupts))
        return;
    list_remove(&reply->in_interrupts);
    reply->session->endpoint->interrupt_count--;
    endpoint_update(reply->session->endpoint);
    object_unref(&reply->session->object);
}

/* ---- The end of a reply ---------------------------------------------------------------------- */

void reply_park(struct thread *server) {
    ASSERT(server->serving != NULL && server->serving->server == server);
    server->serving->server = NULL;
    server->serving = NULL;
    priority_update(server);
}

void reply_detach(struct reply *reply, bool handle_gone) {
    struct process *holder = reply->holder;
    struct list *first;
    reply_forget_interrupt(reply);
    if (reply->caller != NULL) {
        struct call *call = &reply->caller->call;
        ASSERT(call->state == CALL_RECEIVED);
        call->session->endpoint->received_count--;
        call->state = CALL_IDLE;
    }
    while ((first = list_first(&reply->maps)) != NULL)
        region_remove(list_entry(first, struct region, in_reply));
    reply->map_count = 0;
    tree_remove(&reply->holder->received, &reply->in_holder);
    reply->holder = NULL;
    if (reply->server != NULL)
        reply_park(reply->server);
    if (!handle_gone) {
        ax_result result = handle_close(holder, reply->handle);
        ASSERT(result == AX_OK);
    }
}

void reply_unhandled(struct reply *reply) {
    if (reply->holder == NULL)
        return;
    struct thread *caller = reply->caller;
    reply_detach(reply, true);
    if (caller != NULL)
        call_fail(&caller->call, AX_ERR_DROPPED);
}

void reply_give_back(struct reply *reply, bool died) {
    struct thread *caller = reply->caller;
    reply_detach(reply, false);
    if (caller == NULL)
        return;
    struct call *call = &caller->call;
    if (died && call->deaths >= DEATHS_MAX) {
        uint64_t words[4] = {0}; /* those beyond its count are of older calls */
        memcpy(words, call->words, (call->word_count < 4 ? call->word_count : 4) * sizeof(*words));
        log_line("call %llx of process %llu, operation %llx, %u words (%llx %llx %llx %llx ...): "
                 "%u servers died of it",
                 (unsigned long long)call->id.sequence, (unsigned long long)call->id.caller,
                 (unsigned long long)call->operation, call->word_count,
                 (unsigned long long)words[0], (unsigned long long)words[1],
                 (unsigned long long)words[2], (unsigned long long)words[3], call->deaths);
        kernel->counters.calls_faulted++;
        call_fail(call, AX_ERR_FAULTED);
        return;
    }
    if (session_is_over(call->session)) {
        call_fail(call, AX_ERR_PEER_CLOSED);
        return;
    }
    if (died)
        call->redelivered = true;
    else
        call->retried = true;
    call_queue(call);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* A received call by its reply handle. CALLER_DEAD: the handle is closed. */
static ax_result reply_lookup(struct thread *thread, uint64_t handle, struct reply **reply) {
    TRY(handle_get(thread, handle, AX_TYPE_REPLY, 0, reply));
    if ((*reply)->caller != NULL)
        return AX_OK;
    ax_result result = handle_close(thread->process, (ax_handle)handle);
    ASSERT(result == AX_OK);
    return AX_ERR_CALLER_DEAD;
}

static ax_result answer_decode(struct thread *thread, struct call *call, const struct ax_ipc *ipc,
                               struct held_handle *held) {
    const struct ax_message *message = &ipc->message;
    if (message->word_count > AX_MESSAGE_WORDS || message->handle_count > AX_MESSAGE_HANDLES ||
        ipc->change_count > 2 || ipc->data_bytes > AX_INLINE_MAX ||
        (ipc->options | ipc->place) != 0)
        return AX_ERR_ARGUMENT;
    for (unsigned i = 0; i < ipc->change_count; i++) {
        const struct ax_signal_change *change = &ipc->changes[i];
        if (((change->clear | change->set) & ~AX_SIGNAL_SERVED) != 0)
            return AX_ERR_ARGUMENT;
        if (session_find(call->session->endpoint, change->badge) == NULL)
            return AX_ERR_NOT_FOUND;
    }
    TRY(message_hold(thread->process, message, AX_HANDLE_MOVE, held));
    if (message->handle_count > call->accept)
        return AX_ERR_ACCEPT;
    if (ipc->data_bytes == 0)
        return AX_OK;
    return loan_answer(call, thread->process, ipc->data, ipc->data_bytes);
}

/* Writes the answer into the caller's page. LIMIT: it cannot be charged for what it would get. */
static ax_result answer_write(const struct thread *server, struct thread *caller,
                              const struct ax_message *answer, const struct held_handle *held) {
    struct ax_message message;
    memset(&message, 0, sizeof(message));
    TRY(sessions_recharge(server->process->account, caller->process, held, answer->handle_count));
    message_deliver_handles(caller->process, held, answer->handle_count, message.handles);
    caller->call.accept -= answer->handle_count; /* room that was promised and is used */
    message.operation = answer->operation;
    message.word_count = answer->word_count;
    memcpy(message.words, answer->words, answer->word_count * sizeof(message.words[0]));
    message.handle_count = answer->handle_count;
    memcpy(&caller->page->ipc.message, &message, sizeof(message));
    return AX_OK;
}

ax_result reply_answer(struct thread *thread, ax_handle handle) {
    struct reply *reply;
    struct ax_ipc ipc;
    struct held_handle held[AX_MESSAGE_HANDLES];
    TRY(reply_lookup(thread, handle, &reply));
    struct thread *caller = reply->caller;
    struct call *call = &caller->call;
    memcpy(&ipc, &thread->page->ipc, sizeof(ipc));
    TRY(answer_decode(thread, call, &ipc, held));

    for (unsigned i = 0; i < ipc.change_count; i++)
        object_signal(&session_find(call->session->endpoint, ipc.changes[i].badge)->object,
                      ipc.changes[i].clear, ipc.changes[i].set);
    reply_detach(reply, false);
    ax_result result = answer_write(thread, caller, &ipc.message, held);
    for (unsigned i = 0; i < ipc.message.handle_count; i++) {
        if ((held[i].rights & AX_HANDLE_MOVE) != 0)
            (void)!handle_close(thread->process, held[i].source);
    }
    kernel->counters.calls_answered++;
    TRACE(AX_TRACE_ANSWER, call->id.sequence, trace_hash_message(&ipc.message));
    call_clear(call, true);
    thread_wake_direct(caller, result);
    return AX_OK;
}

/* ---- Passing on, giving back, taking up -------------------------------------------------------
 */

/* The forwarder's message takes the place of what came, but for the handles, to which it adds. */
static ax_result forward_message(struct thread *thread, struct call *call) {
    struct ax_message message;
    memcpy(&message, &thread->page->ipc.message, sizeof(message));
    if (message.word_count > AX_MESSAGE_WORDS ||
        message.handle_count + call->handle_count > AX_MESSAGE_HANDLES)
        return AX_ERR_ARGUMENT;
    TRY(message_hold(thread->process, &message, 0, &call->handles[call->handle_count]));
    call_fill(call, &message);
    return AX_OK;
}

ax_result sys_forward(struct thread *thread, const uint64_t arguments[5]) {
    struct reply *reply;
    struct session *session;
    if ((arguments[2] & ~(uint64_t)AX_FORWARD_MESSAGE) != 0)
        return AX_ERR_ARGUMENT;
    TRY(handle_get(thread, arguments[1], AX_TYPE_SESSION, AX_RIGHT_CALL, &session));
    if (session_is_over(session))
        return AX_ERR_PEER_CLOSED;
    TRY(reply_lookup(thread, arguments[0], &reply));
    struct thread *caller = reply->caller;
    if (priority_would_deadlock(caller, session->endpoint)) {
        kernel->counters.deadlocks++;
        return AX_ERR_DEADLOCK;
    }

    struct call *call = &caller->call;
    if (arguments[2] == AX_FORWARD_MESSAGE)
        TRY(forward_message(thread, call));
    reply_detach(reply, false);
    call_leave(call);
    call_enter(call, session);
    call->redelivered = call->retried = false;
    call->forwarded = true;
    call->deaths = 0;
    call_queue(call);
    return AX_OK;
}

static ax_result reply_fault(struct reply *reply, uint64_t loan, uint64_t offset) {
    struct thread *caller = reply->caller;
    struct call *call = &caller->call;
    if (loan >= call->loan_count || offset >= call->loans[loan].size_bytes)
        return AX_ERR_ARGUMENT;
    bool was_coming = memory_try();
    ax_result result = loan_populate(call, (unsigned)loan, offset);
    if (result == AX_OK)
        reply_give_back(reply, false);
    if (result == AX_OK || result == RESULT_RESTART)
        return result;
    /* It is the caller for whom there must be memory, which the dispatcher does not know. */
    if (memory_may_come(caller, result, was_coming))
        return RESULT_RESTART;
    call_fail(call, (enum ax_error)result);
    return AX_OK;
}

ax_result sys_reply_control(struct thread *thread, const uint64_t arguments[5]) {
    struct reply *reply;
    if (arguments[1] != AX_REPLY_FAULT && arguments[1] != AX_REPLY_SERVE)
        return AX_ERR_ARGUMENT;
    TRY(reply_lookup(thread, arguments[0], &reply));
    if (arguments[1] == AX_REPLY_FAULT)
        return reply_fault(reply, arguments[2], arguments[3]);
    if (reply->server == thread)
        return AX_OK;
    if (reply->server != NULL)
        return AX_ERR_STATE;
    if (thread->serving != NULL)
        reply_park(thread);
    reply->server = thread;
    thread->serving = reply;
    priority_update(thread);
    return AX_OK;
}
