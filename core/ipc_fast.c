/* SPDX-License-Identifier: MIT */
/* The short path of call and reply: few words, no handles or loans, the other side waiting and fit
 * for this CPU, nothing inherited. What it leaves behind is exactly what the long path would. */
#include <base/memory.h>

#include "calls.h"
#include "ipc.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

#define FAST_WORDS 4

/* Nothing but a call made now could be received there by this thread. */
static bool is_quiet(const struct endpoint *endpoint, const struct thread *server) {
    return endpoint->queued_count == 0 && list_is_empty(&endpoint->closed) &&
           list_is_empty(&endpoint->ready_bindings) && list_is_empty(&server->process->interrupts);
}

static bool may_switch_to(const struct thread *thread) {
    const struct process *process = thread->process;
    return process->state == PROCESS_OPEN && process->suspended == 0 &&
           (thread->affinity >> cpu_this()->id & 1) != 0;
}

/* The whole message area of the other side: operation and words, the rest zero. */
static struct ax_message *message_put(struct thread *to, uint64_t operation, unsigned word_count,
                                      const uint64_t *words) {
    struct ax_message *message = &to->page->ipc.message;
    memset(message, 0, sizeof(*message));
    message->operation = operation;
    message->word_count = (uint8_t)word_count;
    memcpy(message->words, words, word_count * sizeof(words[0]));
    return message;
}

static void fast_record(struct thread *thread, struct session *session,
                        const struct ax_message *message) {
    struct call *call = &thread->call;
    call->loan_count = 0;
    call->priority = thread->priority;
    call_start(call, message, session);
    call->order = session->endpoint->next_order++; /* of its receipt */
    call->id.caller = thread->process->object.id;
    call->id.sequence = AX_SEQUENCE_CORE | ++thread->process->next_sequence;
}

static void fast_deliver(struct call *call, struct thread *server) {
    struct reply *reply = call->reply;
    struct endpoint *endpoint = call->session->endpoint;
    call->state = CALL_RECEIVED;
    endpoint->received_count++;
    endpoint->delivered_count++;
    reply->server = server;
    server->serving = reply;
    reply_enter(reply, server->process);
    reply->handle = handle_put_promised(server->process, &reply->object, 0);
    handle_unpromise(server->process, server->accept);
    struct ax_message *to = message_put(server, call->operation, call->word_count, call->words);
    to->id = call->id;
    to->label = call->label;
    to->badge = call->session->badge;
    to->reply = reply->handle;
    TRACE(AX_TRACE_RECEIVE, call->id.sequence, trace_hash(call));
}

bool ipc_fast_call(struct thread *thread, ax_handle handle, ax_result *result) {
    struct session *session;
    struct ax_message message;
    const struct ax_ipc *ipc = &thread->page->ipc;
    memcpy(&message, &ipc->message, offsetof(struct ax_message, handles));
    if (message.word_count > FAST_WORDS || message.handle_count != 0 || message.loan_count != 0 ||
        ipc->deadline_ns != AX_TIME_NEVER || ipc->accept != 0 || (ipc->options | ipc->place) != 0 ||
        ipc->id_process != AX_HANDLE_NONE || ipc->id_sequence != 0 || thread->interrupted ||
        handle_get(thread, handle, AX_TYPE_SESSION, AX_RIGHT_CALL, &session) != AX_OK)
        return false;
    struct endpoint *endpoint = session->endpoint;
    struct list *first = list_first(&endpoint->receivers);
    if (session_is_over(session) || thread->process->state != PROCESS_OPEN || first == NULL)
        return false;
    struct thread *server = list_entry(first, struct thread, in_receivers);
    if (!is_quiet(endpoint, server) || !may_switch_to(server) ||
        server->priority < thread->priority)
        return false;

    fast_record(thread, session, &message);
    kernel->counters.calls_sent++;
    kernel->counters.calls_fast++;
    TRACE(AX_TRACE_SEND, thread->call.operation, trace_hash(&thread->call));
    *result = thread_block(thread, BLOCK_CALL, AX_TIME_NEVER);
    list_remove(&server->in_receivers);
    fast_deliver(&thread->call, server);
    thread_wake_direct(server, AX_OK);
    return true;
}

bool ipc_fast_reply_receive(struct thread *thread, ax_handle handle, ax_handle from,
                            ax_result *result) {
    struct reply *reply;
    struct endpoint *endpoint;
    struct ax_message message;
    const struct ax_ipc *ipc = &thread->page->ipc;
    uint32_t accept = *(const volatile uint32_t *)&ipc->accept;
    memcpy(&message, &ipc->message, offsetof(struct ax_message, handles));
    if (message.word_count > FAST_WORDS || message.handle_count != 0 || ipc->data_bytes != 0 ||
        ipc->change_count != 0 || (ipc->options | ipc->place) != 0 ||
        ipc->receive_deadline_ns != AX_TIME_NEVER || accept > AX_MESSAGE_HANDLES ||
        ipc->buffer_bytes != 0 || thread->interrupted ||
        handle_get(thread, handle, AX_TYPE_REPLY, 0, &reply) != AX_OK ||
        handle_get(thread, from, AX_TYPE_ENDPOINT, AX_RIGHT_RECEIVE, &endpoint) != AX_OK)
        return false;
    struct thread *caller = reply->caller;
    if (caller == NULL || reply->server != thread || reply->map_count != 0 ||
        thread->endpoint != endpoint || caller->call.session->endpoint != endpoint)
        return false;
    struct call *call = &caller->call;
    struct session *session = call->session;
    if (call->handle_count != 0 || call->accept != 0 || session->object.handles == 0 ||
        !is_quiet(endpoint, thread) || !may_switch_to(caller) ||
        thread->priority != thread->base_priority || handle_promise(thread->process, accept + 1))
        return false;

    TRACE(AX_TRACE_ANSWER, call->id.sequence, trace_hash_message(&message));
    kernel->counters.calls_answered++;
    reply_detach(reply, false);
    call->session = NULL;
    session->calls--;
    object_unref(&session->object);
    message_put(caller, message.operation, message.word_count, message.words);
    thread_wake_direct(caller, AX_OK);
    thread->accept = accept;
    thread->buffer_bytes = 0;
    *result = thread_block(thread, BLOCK_RECEIVE, AX_TIME_NEVER);
    list_append(&endpoint->receivers, &thread->in_receivers);
    return true;
}
