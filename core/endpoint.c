/* SPDX-License-Identifier: MIT */
#include "endpoint.h"

#include <base/memory.h>

#include "calls.h"
#include "event.h"
#include "ipc.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

ax_result endpoint_make(struct account *account, struct object **made) {
    struct endpoint *endpoint;
    TRY(object_make(AX_TYPE_ENDPOINT, account, sizeof(*endpoint), &endpoint));
    list_init(&endpoint->members);
    list_init(&endpoint->receivers);
    list_init(&endpoint->closed);
    list_init(&endpoint->bindings);
    list_init(&endpoint->ready_bindings);
    *made = &endpoint->object;
    return AX_OK;
}

void endpoint_handles_changed(struct endpoint *endpoint, uint32_t rights, int change) {
    if ((rights & AX_RIGHT_RECEIVE) == 0)
        return;
    endpoint->receive_handles += (uint32_t)change;
    if (endpoint->receive_handles != 0)
        return;
    endpoint->dead = true;
    object_work(&endpoint->object);
}

/* The endpoint is dead, or nobody can reach it: whoever waits there is told. */
static bool endpoint_bury(struct endpoint *endpoint, unsigned *portion) {
    for (; *portion > 0; --*portion) {
        struct tree_node *node;
        struct list *first;
        if ((node = tree_first(&endpoint->calls)) != NULL) {
            call_fail(container_of(node, struct call, node), AX_ERR_PEER_CLOSED);
            *portion -= *portion > CALL_UNITS ? CALL_UNITS - 1 : 0;
        } else if ((first = list_first(&endpoint->receivers)) != NULL) {
            struct thread *thread = list_entry(first, struct thread, in_receivers);
            endpoint_receive_cancel(thread);
            thread_wake(thread, AX_ERR_PEER_CLOSED);
        } else if ((node = tree_first(&endpoint->sessions)) != NULL) {
            struct session *session = container_of(node, struct session, node);
            object_signal(&session->object, 0, AX_SIGNAL_PEER_CLOSED);
            session_forget(session);
        } else if ((first = list_first(&endpoint->bindings)) != NULL) {
            binding_remove(list_entry(first, struct binding, in_endpoint));
            endpoint_update(endpoint);
        } else {
            return true;
        }
    }
    return false;
}

bool endpoint_work(struct endpoint *endpoint, unsigned *portion) {
    if (!endpoint->dead && endpoint->object.refs != 0) {
        *portion = 0;
        endpoint_deliver(endpoint); /* goes on where endpoint_receive stopped */
        return true;
    }
    if (!endpoint_bury(endpoint, portion))
        return false;
    if (endpoint->object.refs == 0) {
        ASSERT(endpoint->member_count == 0 && endpoint->received_count == 0);
        object_free(&endpoint->object, sizeof(*endpoint));
    }
    return true;
}

/* ---- Members --------------------------------------------------------------------------------- */

static void endpoint_join(struct endpoint *endpoint, struct thread *thread) {
    if (thread->endpoint == endpoint)
        return;
    ASSERT(endpoint->member_count < MEMBERS_MAX); /* receive_decode has seen to that */
    endpoint_leave(thread);
    thread->endpoint = endpoint;
    object_ref(&endpoint->object);
    list_append(&endpoint->members, &thread->in_members);
    endpoint->member_count++;
    if (endpoint->instance != thread->process->instance) {
        endpoint->instance = thread->process->instance;
        binding_renew(endpoint);
    }
}

void endpoint_leave(struct thread *thread) {
    struct endpoint *endpoint = thread->endpoint;
    if (endpoint == NULL)
        return;
    list_remove(&thread->in_members);
    endpoint->member_count--;
    thread->endpoint = NULL;
    object_unref(&endpoint->object);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Something that any thread may receive. */
static bool has_message(const struct endpoint *endpoint) {
    return endpoint->queued_count > 0 || !list_is_empty(&endpoint->closed) ||
           !list_is_empty(&endpoint->ready_bindings);
}

void endpoint_update(struct endpoint *endpoint) {
    bool pending = has_message(endpoint) || endpoint->interrupt_count > 0;
    bool shown = (endpoint->object.signals & AX_SIGNAL_PENDING) != 0;
    if (pending != shown)
        object_signal(&endpoint->object, AX_SIGNAL_PENDING, pending ? AX_SIGNAL_PENDING : 0);
    priority_update_members(endpoint);
}

/* Something that is not a call; the promised slots go back. */
static struct ax_message *receive_notice(struct thread *thread, enum ax_message_kind kind,
                                         uint64_t badge) {
    struct ax_message *message = &thread->page->ipc.message;
    memset(message, 0, sizeof(*message));
    message->kind = (uint8_t)kind;
    message->badge = badge;
    handle_unpromise(thread->process, thread->accept + 1);
    return message;
}

/* The first call that its process holds whose caller was interrupted or died, of whatever endpoint.
 */
static bool receive_interrupt(struct thread *thread) {
    struct list *first = list_first(&thread->process->interrupts);
    if (first == NULL)
        return false;
    struct reply *reply = list_entry(first, struct reply, in_interrupts);
    struct ax_message *message =
        receive_notice(thread, AX_MESSAGE_INTERRUPT, reply->session->badge);
    message->flags = reply->caller == NULL ? AX_MESSAGE_CALLER_DEAD : 0;
    message->id = reply->id;
    message->reply = reply->handle;
    reply_forget_interrupt(reply);
    return true;
}

static bool receive_close(struct endpoint *endpoint, struct thread *thread) {
    struct list *first = list_take(&endpoint->closed);
    if (first == NULL)
        return false;
    struct session *session = list_entry(first, struct session, in_closed);
    session->state = SESSION_ANNOUNCED;
    receive_notice(thread, AX_MESSAGE_CLOSE, session->badge);
    return true;
}

static bool receive_event(struct endpoint *endpoint, struct thread *thread) {
    struct list *first;
    while ((first = list_first(&endpoint->ready_bindings)) != NULL) {
        uint64_t cookie;
        uint32_t signals;
        if (binding_take(list_entry(first, struct binding, ready), &cookie, &signals)) {
            struct ax_message *message = receive_notice(thread, AX_MESSAGE_EVENT, cookie);
            message->words[0] = signals;
            message->word_count = 1;
            return true;
        }
    }
    return false;
}

static bool receive_call(struct endpoint *endpoint, struct thread *thread) {
    struct tree_node *node = tree_first(&endpoint->calls);
    return node != NULL && reply_begin(container_of(node, struct call, node), thread);
}

/* A call that cannot be delivered ends, and what its end brings about comes before the next one. */
static bool endpoint_receive(struct endpoint *endpoint, struct thread *thread) {
    for (unsigned left = WORK_PORTION; left > 0; left--) {
        if (receive_interrupt(thread) || receive_close(endpoint, thread) ||
            receive_event(endpoint, thread) || receive_call(endpoint, thread)) {
            endpoint->delivered_count++;
            return true;
        }
        if (!has_message(endpoint))
            return false;
    }
    object_work(&endpoint->object);
    return false;
}

/* A receiver that some of what is there can be delivered to; threads that are about to end are not.
 */
static struct thread *endpoint_receiver(struct endpoint *endpoint) {
    bool for_anyone = has_message(endpoint);
    struct thread *thread;
    list_for_each (thread, &endpoint->receivers, in_receivers) {
        const struct process *process = thread->process;
        if (process->state == PROCESS_OPEN && (for_anyone || !list_is_empty(&process->interrupts)))
            return thread;
    }
    return NULL;
}

void endpoint_deliver(struct endpoint *endpoint) {
    struct thread *thread;
    object_ref(&endpoint->object);
    while (!endpoint->delivering && (thread = endpoint_receiver(endpoint)) != NULL) {
        list_remove(&thread->in_receivers);
        endpoint->delivering = true;
        bool delivered = endpoint_receive(endpoint, thread);
        endpoint->delivering = false;
        if (!delivered) {
            list_prepend(&endpoint->receivers, &thread->in_receivers);
            if (has_message(endpoint))
                break; /* the work list goes on with it */
            continue;
        }
        thread_wake_direct(thread, AX_OK);
    }
    endpoint_update(endpoint);
    object_unref(&endpoint->object);
}

void endpoint_receive_cancel(struct thread *thread) {
    list_remove(&thread->in_receivers);
    handle_unpromise(thread->process, thread->accept + 1);
    priority_update_members(thread->endpoint);
}

static ax_result receive_decode(struct thread *thread, ax_handle handle,
                                struct endpoint **endpoint) {
    TRY(handle_get(thread, handle, AX_TYPE_ENDPOINT, AX_RIGHT_RECEIVE, endpoint));
    const volatile struct ax_ipc *ipc = &thread->page->ipc;
    thread->accept = ipc->accept;
    thread->buffer = ipc->buffer;
    thread->buffer_bytes = ipc->buffer_bytes;
    if (thread->accept > AX_MESSAGE_HANDLES || thread->buffer_bytes > AX_INLINE_MAX ||
        (ipc->options | ipc->place) != 0)
        return AX_ERR_ARGUMENT;
    if (thread->endpoint != *endpoint && (*endpoint)->member_count == MEMBERS_MAX)
        return AX_ERR_LIMIT;
    return handle_promise(thread->process, thread->accept + 1);
}

/* The room is promised. */
static ax_result receive(struct thread *thread, struct endpoint *endpoint, uint64_t deadline_ns) {
    ax_result result = AX_OK;
    if (thread->serving != NULL)
        reply_park(thread);
    endpoint_join(endpoint, thread);
    if (thread->interrupted)
        result = AX_ERR_INTERRUPTED;
    else if (!endpoint_receive(endpoint, thread))
        result = deadline_ns <= hal_time_ns() ? (ax_result)AX_ERR_TIMEOUT
                                              : thread_block(thread, BLOCK_RECEIVE, deadline_ns);
    if (result == RESULT_BLOCKED)
        list_append(&endpoint->receivers, &thread->in_receivers);
    else if (result != AX_OK)
        handle_unpromise(thread->process, thread->accept + 1);
    endpoint_deliver(endpoint); /* bound events may have come up anew, for others as well */
    return result;
}

ax_result sys_reply_receive(struct thread *thread, const uint64_t arguments[5]) {
    ax_result result = AX_OK;
    ax_handle reply = (ax_handle)arguments[0];
    ax_handle handle = (ax_handle)arguments[1];
    if (kernel->fast_ipc && ipc_fast_reply_receive(thread, reply, handle, &result))
        return result;
    struct endpoint *endpoint = NULL;
    uint64_t deadline_ns =
        ((const volatile struct ax_ipc *)&thread->page->ipc)->receive_deadline_ns;
    if (handle != AX_HANDLE_NONE)
        TRY(receive_decode(thread, handle, &endpoint));
    if (reply != AX_HANDLE_NONE)
        result = reply_answer(thread, reply);
    if (result != AX_OK && endpoint != NULL)
        handle_unpromise(thread->process, thread->accept + 1);
    TRY(result);
    return endpoint != NULL ? receive(thread, endpoint, deadline_ns) : AX_OK;
}

/* ---- Listing --------------------------------------------------------------------------------- */

#define LIST_MAX (AX_BUFFER_BYTES / sizeof(struct ax_session_info))
/* How many sessions one listing looks at. */
#define LIST_LOOK_MAX 256

static unsigned list_sessions(const struct endpoint *endpoint, bool closed, uint64_t cursor,
                              struct ax_session_info *info) {
    unsigned count = 0;
    unsigned looked = 0;
    struct tree_node *node = session_lower_bound(endpoint, cursor);
    for (; node != NULL && count < LIST_MAX && looked < LIST_LOOK_MAX; looked++) {
        const struct session *session = container_of(node, struct session, node);
        if ((session->state != SESSION_OPEN) == closed)
            info[count++] = (struct ax_session_info){.badge = session->badge,
                                                     .handles = session->object.handles,
                                                     .calls = session->calls};
        node = tree_next(node);
    }
    /* Looked at enough without finding one: a hint where to go on. */
    if (count == 0 && node != NULL)
        info[count++] = (struct ax_session_info){
            .badge = container_of(node, struct session, node)->badge, .is_hint = 1};
    return count;
}

static unsigned list_redelivered(const struct endpoint *endpoint, uint64_t order,
                                 struct ax_session_info *info) {
    unsigned count = 0;
    struct tree_node *node = call_lower_bound(&endpoint->calls, order);
    for (; node != NULL && count < LIST_MAX; node = tree_next(node)) {
        const struct call *call = container_of(node, struct call, node);
        if (!call->redelivered && !call->retried)
            break;
        info[count++] = (struct ax_session_info){
            .badge = call->session->badge, .calls = 1, .id = call->id, .order = call->order};
    }
    return count;
}

ax_result sys_endpoint_list(struct thread *thread, const uint64_t arguments[5]) {
    const struct endpoint *endpoint;
    struct ax_session_info info[LIST_MAX];
    unsigned count;
    TRY(handle_get(thread, arguments[0], AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &endpoint));
    if (arguments[1] > AX_LIST_REDELIVERED)
        return AX_ERR_ARGUMENT;
    if (arguments[1] == AX_LIST_REDELIVERED)
        count = list_redelivered(endpoint, arguments[2], info);
    else
        count = list_sessions(endpoint, arguments[1] == AX_LIST_CLOSED, arguments[2], info);
    memcpy(thread->page->buffer, info, count * sizeof(info[0]));
    return count;
}
