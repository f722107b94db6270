/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "calls.h"
#include "ipc.h"
#include "process.h"
#include "thread.h"

static int session_compare(const void *key, const struct tree_node *node) {
    uint64_t badge = *(const uint64_t *)key;
    const struct session *session = container_of(node, const struct session, node);
    return badge < session->badge ? -1 : badge > session->badge;
}

struct tree_node *session_lower_bound(const struct endpoint *endpoint, uint64_t badge) {
    return tree_lower_bound(&endpoint->sessions, &badge, session_compare);
}

struct session *session_find(const struct endpoint *endpoint, uint64_t badge) {
    struct tree_node *node = tree_find(&endpoint->sessions, &badge, session_compare);
    return node != NULL ? container_of(node, struct session, node) : NULL;
}

void session_check_closed(struct session *session) {
    if (session->state != SESSION_OPEN || session->object.handles != 0 || session->calls != 0)
        return;
    struct endpoint *endpoint = session->endpoint;
    session->state = SESSION_CLOSED;
    endpoint->session_count--;
    endpoint->closed_count++;
    list_append(&endpoint->closed, &session->in_closed);
    endpoint_deliver(endpoint);
}

void session_forget(struct session *session) {
    struct endpoint *endpoint = session->endpoint;
    if (session->state == SESSION_OPEN)
        endpoint->session_count--;
    else
        endpoint->closed_count--;
    list_remove(&session->in_closed);
    tree_remove(&endpoint->sessions, &session->node);
    session->state = SESSION_ENDED;
    endpoint_update(endpoint);
    object_unref(&session->object);
}

void session_free(struct session *session) {
    ASSERT(session->state == SESSION_ENDED && session->calls == 0);
    object_unref(&session->endpoint->object);
    object_free(&session->object, sizeof(*session));
}

ax_result sys_session_create(struct thread *thread, const uint64_t arguments[5]) {
    struct endpoint *endpoint;
    struct place place;
    TRY(handle_get(thread, arguments[0], AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &endpoint));
    if ((arguments[2] & ~(uint64_t)AX_SIGNAL_SERVED) != 0)
        return AX_ERR_ARGUMENT;
    if (endpoint->dead)
        return AX_ERR_PEER_CLOSED;
    if (session_find(endpoint, arguments[1]) != NULL)
        return AX_ERR_EXISTS;
    TRY(place_decode(thread, arguments[3], &place));
    struct account *account = thread->process->account;
    struct session *session = NULL;
    ax_result result = object_make(AX_TYPE_SESSION, account, sizeof(*session), &session);
    if (result != AX_OK)
        return place_made(&place, result, session, 0);

    session->object.signals = (uint32_t)arguments[2];
    session->badge = arguments[1];
    session->endpoint = endpoint;
    object_ref(&endpoint->object);
    list_init(&session->in_closed);
    list_init(&session->queued);
    tree_insert(&endpoint->sessions, &session->node, &session->badge, session_compare);
    endpoint->session_count++;
    object_ref(&session->object); /* the tree's */
    return place_made(&place, AX_OK, session,
                      AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE);
}

/* Fails queued calls, up to a portion; false: more are left. */
static bool session_fail_queued(struct session *session) {
    for (unsigned i = 0; i < 1 + WORK_PORTION / CALL_UNITS; i++) {
        struct list *first = list_first(&session->queued);
        if (first == NULL)
            return true;
        call_fail(list_entry(first, struct call, in_session), AX_ERR_PEER_CLOSED);
    }
    return list_is_empty(&session->queued);
}

/* The session that the first two arguments name; bits of the others that may not be are a bad
 * argument. */
static ax_result session_lookup(struct thread *thread, const uint64_t arguments[5], uint64_t bad,
                                struct session **session) {
    struct endpoint *endpoint;
    TRY(handle_get(thread, arguments[0], AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &endpoint));
    if (bad != 0)
        return AX_ERR_ARGUMENT;
    *session = session_find(endpoint, arguments[1]);
    return *session != NULL ? AX_OK : AX_ERR_NOT_FOUND;
}

ax_result sys_session_retire(struct thread *thread, const uint64_t arguments[5]) {
    struct session *session;
    TRY(session_lookup(thread, arguments, arguments[2] & ~(uint64_t)AX_RETIRE_END, &session));
    if (session->state == SESSION_OPEN) {
        if ((arguments[2] & AX_RETIRE_END) == 0)
            return AX_ERR_STATE;
        session->state = SESSION_ENDING;
        session->endpoint->session_count--;
        session->endpoint->closed_count++;
        object_signal(&session->object, 0, AX_SIGNAL_PEER_CLOSED);
    }
    if (!session_fail_queued(session))
        return RESULT_RESTART;
    session_forget(session);
    return AX_OK;
}

ax_result sys_session_signal(struct thread *thread, const uint64_t arguments[5]) {
    struct session *session;
    uint64_t bad = (arguments[2] | arguments[3]) & ~(uint64_t)AX_SIGNAL_SERVED;
    TRY(session_lookup(thread, arguments, bad, &session));
    object_signal(&session->object, (uint32_t)arguments[2], (uint32_t)arguments[3]);
    return AX_OK;
}

ax_result sys_session_identify(struct thread *thread, const uint64_t arguments[5]) {
    struct endpoint *endpoint;
    struct session *session;
    TRY(handle_get(thread, arguments[0], AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &endpoint));
    TRY(handle_get(thread, arguments[1], AX_TYPE_NONE, 0, &session));
    if (session->object.type != AX_TYPE_SESSION || session->endpoint != endpoint ||
        session->state == SESSION_ENDED)
        return AX_ERR_NOT_FOUND;
    thread->page->ipc.message.badge = session->badge;
    return AX_OK;
}
