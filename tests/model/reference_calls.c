/* SPDX-License-Identifier: MIT */
/* The kernel calls of IPC, handles and sessions in the reference, in the order they check things.
 */
#include <string.h>

#include "reference_private.h"

/* The caller of a received call; the handle of a dead one is closed. */
static ax_result answerable(int thread, ax_handle value, int *caller) {
    TRY_REF(ref_look_reply(thread, value, caller));
    if (ref.threads[*caller].call.received)
        return AX_OK;
    if (ref.threads[thread].serving == *caller)
        ref.threads[thread].serving = -1;
    ref_handle_drop(ref_handle_find(ref.threads[thread].process, value));
    return AX_ERR_CALLER_DEAD;
}

/* Whether some thread could take a call there that can go on by itself. */
static bool can_be_taken(int endpoint, const bool can_go[THREADS]) {
    bool has_member = false;
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].endpoint != endpoint || !ref_is_live(t))
            continue;
        has_member = true;
        if (can_go[t])
            return true;
    }
    return !has_member; /* somebody may still come */
}

/* Nobody whom the call would wait for in the end can go on before `thread` does. */
static bool would_deadlock(int thread, int endpoint) {
    bool can_go[THREADS] = {false};
    for (bool again = true; again;) {
        again = false;
        for (int t = 0; t < THREADS; t++) {
            const struct ref_thread *it = &ref.threads[t];
            if (t == thread || can_go[t])
                continue;
            bool goes = true;
            if (it->state == REF_CALLS && it->call.received)
                goes = it->call.server < 0 || can_go[it->call.server];
            else if (it->state == REF_CALLS)
                goes = can_be_taken(ref.objects[it->call.session].of, can_go);
            can_go[t] = goes;
            again |= goes;
        }
    }
    return !can_be_taken(endpoint, can_go);
}

static ax_result hold(int thread, const struct ref_send *send, bool may_move,
                      struct ref_handle *held) {
    for (unsigned i = 0; i < send->message.handle_count; i++) {
        struct ref_handle *handle;
        bool move = (send->rights[i] & AX_HANDLE_MOVE) != 0;
        TRY_REF(ref_look(thread, send->handles[i], AX_TYPE_NONE, 0, &handle));
        if (handle->object < 0)
            return AX_ERR_TYPE;
        if ((handle->rights & (move ? AX_RIGHT_MOVE : AX_RIGHT_COPY)) == 0)
            return AX_ERR_RIGHTS;
        if (move && !may_move)
            return AX_ERR_ARGUMENT;
        held[i] = *handle;
        held[i].rights = handle->rights & send->rights[i] & AX_RIGHT_ALL;
        held[i].rights |= move ? AX_HANDLE_MOVE : 0;
        for (unsigned k = 0; k < i; k++) {
            if (held[k].value == held[i].value && (move || (held[k].rights & AX_HANDLE_MOVE) != 0))
                return AX_ERR_ARGUMENT;
        }
    }
    return AX_OK;
}

/* A call that blocked may have ended at once. */
static ax_result outcome(int thread) {
    const struct ref_thread *it = &ref.threads[thread];
    return it->state == REF_RUNS ? it->result : it->state == REF_GONE ? REF_ENDED : REF_BLOCKED;
}

static ax_result check_loans(const struct ref_message *message) {
    for (unsigned i = 0; i < message->loan_count; i++) {
        if (message->loans[i].access == 0 || message->loans[i].access > 3)
            return AX_ERR_ARGUMENT;
        if (message->loans[i].address > AX_USER_END ||
            message->loans[i].size > AX_USER_END - message->loans[i].address)
            return AX_ERR_ADDRESS;
    }
    return AX_OK;
}

ax_result ref_call(int thread, const struct ref_send *send) {
    struct ref_thread *it = &ref.threads[thread];
    struct ref_handle *handle, held[AX_MESSAGE_HANDLES];
    int name;
    TRY_REF(ref_look(thread, send->target, AX_TYPE_SESSION, AX_RIGHT_CALL, &handle));
    int session = handle->object, endpoint = ref.objects[session].of;
    TRY_REF(ref_look_process(thread, send->id_process, AX_RIGHT_HANDLES, &name));
    if ((send->id_sequence & AX_SEQUENCE_CORE) != 0)
        return AX_ERR_ARGUMENT;
    TRY_REF(check_loans(&send->message));
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (ref_is_over(session))
        return AX_ERR_PEER_CLOSED;
    if (send->deadline == 0)
        return AX_ERR_TIMEOUT;
    if (would_deadlock(thread, endpoint))
        return AX_ERR_DEADLOCK;
    TRY_REF(hold(thread, send, true, held));
    it->call = (struct ref_call){.session = session,
                                 .server = -1,
                                 .accept = send->accept,
                                 .label = it->label,
                                 .message = send->message};
    memcpy(it->call.handles, held, sizeof(held[0]) * send->message.handle_count);
    it->call.message.caller = ref.processes[name].object;
    it->call.message.sequence = send->id_sequence != 0
                                    ? send->id_sequence
                                    : AX_SEQUENCE_CORE | ++ref.processes[name].next_sequence;
    it->call.order = ref.objects[endpoint].next_order++;
    ref_block(thread, REF_CALLS, send->deadline);
    ref_queue(thread);
    return outcome(thread);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static int find_session(int endpoint, uint64_t badge) {
    for (int s = 0; s < ref.object_count; s++) {
        const struct ref_object *it = &ref.objects[s];
        if (it->type == AX_TYPE_SESSION && it->of == endpoint && it->badge == badge &&
            it->state != REF_OVER)
            return s;
    }
    return -1;
}

/* The bytes for loan 1. */
static ax_result answer_loan(int thread, int caller, const struct ref_send *send) {
    const struct ref_message *message = &ref.threads[caller].call.message;
    int side;
    if (message->loan_count < 2 || send->data_bytes > message->loans[1].size)
        return AX_ERR_ARGUMENT;
    if ((message->loans[1].access & AX_LOAN_WRITE) == 0)
        return AX_ERR_RIGHTS;
    ax_result copied = 0;
    for (uint64_t done = 0; done < send->data_bytes && copied >= 0; done += (uint64_t)copied) {
        copied = ref_copy(ref.threads[caller].process, message->loans[1].address + done,
                          ref.threads[thread].process, send->data + done, send->data_bytes - done,
                          false, &side);
        if (copied < 0)
            return side == 1 ? AX_ERR_ABSENT : AX_ERR_ADDRESS;
    }
    return AX_OK;
}

static ax_result check_answer(int thread, int caller, const struct ref_send *send,
                              struct ref_handle *held) {
    const struct ref_call *call = &ref.threads[caller].call;
    for (unsigned i = 0; i < send->change_count; i++) {
        if (find_session(ref.objects[call->session].of, send->changes[i].badge) < 0)
            return AX_ERR_NOT_FOUND;
    }
    TRY_REF(hold(thread, send, true, held));
    if (send->message.handle_count > call->accept)
        return AX_ERR_ACCEPT;
    return send->data_bytes != 0 ? answer_loan(thread, caller, send) : AX_OK;
}

static void answer(int thread, int caller, const struct ref_send *send,
                   const struct ref_handle *held) {
    struct ref_thread *to = &ref.threads[caller];
    int endpoint = ref.objects[to->call.session].of;
    for (unsigned i = 0; i < send->change_count; i++)
        ref_set_signals(find_session(endpoint, send->changes[i].badge), send->changes[i].clear,
                        send->changes[i].set);
    ref_detach(caller, true);
    ref_deliver_handles(caller, held, send->message.handle_count,
                        ref_account_of(ref.threads[thread].process));
    for (unsigned i = 0; i < send->message.handle_count; i++) {
        struct ref_handle *own = ref_handle_find(ref.threads[thread].process, send->handles[i]);
        if ((held[i].rights & AX_HANDLE_MOVE) != 0 && own != NULL)
            ref_handle_drop(own);
    }
    to->message = send->message;
    to->message.caller = -1;
    to->message.loan_count = 0;
    to->fresh = true;
    ref_call_clear(caller, true);
    ref_wake(caller, AX_OK);
}

static ax_result receive(int thread, int endpoint, const struct ref_send *send) {
    struct ref_thread *it = &ref.threads[thread];
    struct ref_object *from = &ref.objects[endpoint];
    ref_unserve(thread);
    int process = ref.processes[it->process].object;
    if (it->endpoint != endpoint && from->instance != process) {
        from->instance = process;
        ref_binding_renew(endpoint);
    }
    it->endpoint = endpoint;
    it->accept = send->accept;
    it->buffer = send->buffer;
    it->buffer_bytes = send->buffer_bytes;
    ax_result result = AX_OK;
    if (it->interrupted)
        result = AX_ERR_INTERRUPTED;
    else if (ref_receive(endpoint, thread))
        result = AX_OK;
    else if (send->deadline == 0)
        result = AX_ERR_TIMEOUT;
    else
        result = REF_BLOCKED;
    if (result == REF_BLOCKED)
        ref_block(thread, REF_RECEIVES, send->deadline);
    ref_deliver(endpoint);
    return result == REF_BLOCKED ? outcome(thread) : result;
}

ax_result ref_reply_receive(int thread, const struct ref_send *send) {
    struct ref_handle *source = NULL, held[AX_MESSAGE_HANDLES];
    if (send->endpoint != 0) {
        TRY_REF(ref_look(thread, send->endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_RECEIVE, &source));
        if (send->buffer_bytes > AX_INLINE_MAX)
            return AX_ERR_ARGUMENT;
    }
    int from = source != NULL ? source->object : -1;
    if (send->target != 0) {
        int caller;
        TRY_REF(answerable(thread, send->target, &caller));
        TRY_REF(check_answer(thread, caller, send, held));
        answer(thread, caller, send, held);
    }
    return from >= 0 ? receive(thread, from, send) : AX_OK;
}

static ax_result forward_message(int thread, struct ref_call *call, const struct ref_send *send) {
    struct ref_handle held[AX_MESSAGE_HANDLES];
    unsigned had = call->message.handle_count, added = send->message.handle_count;
    if (had + added > AX_MESSAGE_HANDLES)
        return AX_ERR_ARGUMENT;
    TRY_REF(hold(thread, send, false, held));
    memcpy(&call->handles[had], held, sizeof(held[0]) * added);
    call->message.handle_count = had + added;
    call->message.operation = send->message.operation;
    call->message.word_count = send->message.word_count;
    memcpy(call->message.words, send->message.words, sizeof(call->message.words));
    return AX_OK;
}

ax_result ref_forward(int thread, ax_handle reply, ax_handle to, const struct ref_send *send) {
    struct ref_handle *handle;
    int caller;
    TRY_REF(ref_look(thread, to, AX_TYPE_SESSION, AX_RIGHT_CALL, &handle));
    int session = handle->object;
    if (ref_is_over(session))
        return AX_ERR_PEER_CLOSED;
    TRY_REF(answerable(thread, reply, &caller));
    if (would_deadlock(caller, ref.objects[session].of))
        return AX_ERR_DEADLOCK;
    struct ref_call *call = &ref.threads[caller].call;
    if (send != NULL)
        TRY_REF(forward_message(thread, call, send));
    int old = call->session;
    ref_detach(caller, true);
    call->session = session;
    call->redelivered = call->retried = false;
    call->forwarded = true;
    call->deaths = 0;
    call->order = ref.objects[ref.objects[session].of].next_order++;
    ref_check_closed(old);
    call->received = false;
    ref_queue(caller);
    return AX_OK;
}

ax_result ref_serve(int thread, ax_handle reply) {
    int caller;
    TRY_REF(answerable(thread, reply, &caller));
    struct ref_call *call = &ref.threads[caller].call;
    if (call->server == thread)
        return AX_OK;
    if (call->server >= 0)
        return AX_ERR_STATE;
    ref_unserve(thread);
    call->server = thread;
    ref.threads[thread].serving = caller;
    return AX_OK;
}

ax_result ref_reply_fault(int thread, ax_handle reply, uint64_t loan, uint64_t offset) {
    int caller;
    TRY_REF(answerable(thread, reply, &caller));
    const struct ref_message *message = &ref.threads[caller].call.message;
    if (loan >= message->loan_count || offset >= message->loans[loan].size)
        return AX_ERR_ARGUMENT;
    uint32_t access =
        (message->loans[loan].access & AX_LOAN_WRITE) != 0 ? AX_PROT_WRITE : AX_PROT_READ;
    if (ref_resolve(ref.threads[caller].process, message->loans[loan].address + offset, access,
                    false) < 0)
        ref_call_fail(caller, AX_ERR_ADDRESS);
    else
        ref_give_back(caller, false);
    return AX_OK;
}

/* ---- Handles and sessions -------------------------------------------------------------------- */

ax_result ref_close(int thread, ax_handle value) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, value, AX_TYPE_NONE, 0, &handle));
    ref_handle_drop(handle);
    return AX_OK;
}

ax_result ref_object_info(int thread, ax_handle value, struct ref_handle **found) {
    TRY_REF(ref_look(thread, value, AX_TYPE_NONE, 0, found));
    if ((*found)->object >= 0)
        (void)ref_signals((*found)->object);
    return AX_OK;
}

ax_result ref_transfer(int thread, ax_handle source, uint64_t value, uint64_t place, uint32_t flags,
                       struct ref_handle **found, int *to) {
    int from;
    TRY_REF(ref_look_process(thread, source, AX_RIGHT_HANDLES, &from));
    struct ref_process *process = &ref.processes[from];
    if (!process->open)
        return AX_ERR_ENDED;
    *found = NULL;
    for (int i = 0; i < HANDLES; i++) {
        struct ref_handle *each = &process->handles[i];
        bool by_slot = (flags & AX_TRANSFER_SLOT) != 0;
        if (each->used && (by_slot ? each->value & AX_HANDLE_INDEX_MASK : each->value) == value)
            *found = each;
    }
    if (*found == NULL || value == 0)
        return (flags & AX_TRANSFER_SLOT) != 0 ? AX_ERR_NOT_FOUND : AX_ERR_HANDLE;
    if ((*found)->object < 0)
        return AX_ERR_TYPE;
    uint32_t right = (flags & AX_TRANSFER_MOVE) != 0 ? AX_RIGHT_MOVE : AX_RIGHT_COPY;
    if (((*found)->rights & right) == 0)
        return AX_ERR_RIGHTS;
    return ref_place(thread, place, to);
}

ax_result ref_session_create(int thread, ax_handle endpoint, uint64_t badge, uint64_t place,
                             int *index, int *process) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &handle));
    *index = handle->object;
    if (ref.objects[*index].dead)
        return AX_ERR_PEER_CLOSED;
    if (find_session(*index, badge) >= 0)
        return AX_ERR_EXISTS;
    return ref_place(thread, place, process);
}

static ax_result look_session(int thread, ax_handle endpoint, uint64_t badge, int *session) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &handle));
    *session = find_session(handle->object, badge);
    return *session >= 0 ? AX_OK : AX_ERR_NOT_FOUND;
}

ax_result ref_session_retire(int thread, ax_handle endpoint, uint64_t badge, bool end) {
    int session = 0;
    TRY_REF(look_session(thread, endpoint, badge, &session));
    struct ref_object *it = &ref.objects[session];
    if (it->state == REF_OPEN && !end)
        return AX_ERR_STATE;
    bool was_open = it->state == REF_OPEN;
    it->state = REF_OVER; /* nothing is announced */
    for (int t = 0; t < THREADS && was_open; t++) {
        if (ref.threads[t].call.queued && ref.threads[t].call.session == session)
            ref_call_fail(t, AX_ERR_PEER_CLOSED);
    }
    if (was_open)
        ref_set_signals(session, 0, AX_SIGNAL_PEER_CLOSED);
    return AX_OK;
}

ax_result ref_session_signal(int thread, ax_handle endpoint, uint64_t badge, uint32_t clear,
                             uint32_t set) {
    int session = 0;
    TRY_REF(look_session(thread, endpoint, badge, &session));
    ref_set_signals(session, clear, set);
    return AX_OK;
}

ax_result ref_session_identify(int thread, ax_handle endpoint, ax_handle value, uint64_t *badge) {
    struct ref_handle *handle, *what;
    TRY_REF(ref_look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &handle));
    TRY_REF(ref_look(thread, value, AX_TYPE_NONE, 0, &what));
    if (what->object < 0)
        return AX_ERR_NOT_FOUND;
    const struct ref_object *session = &ref.objects[what->object];
    if (session->type != AX_TYPE_SESSION || session->of != handle->object ||
        session->state == REF_OVER)
        return AX_ERR_NOT_FOUND;
    *badge = session->badge;
    return AX_OK;
}

static ax_result list_calls(int endpoint, uint64_t order, struct ax_session_info *infos) {
    unsigned count = 0;
    for (;;) {
        const struct ref_thread *first = NULL;
        for (int t = 0; t < THREADS; t++) {
            const struct ref_call *call = &ref.threads[t].call;
            if (call->queued && ref.objects[call->session].of == endpoint &&
                (call->redelivered || call->retried) && call->order >= order &&
                (first == NULL || call->order < first->call.order))
                first = &ref.threads[t];
        }
        if (first == NULL)
            return count;
        order = first->call.order + 1;
        infos[count++] = (struct ax_session_info){
            .badge = ref.objects[first->call.session].badge,
            .calls = 1,
            .id = {(uint64_t)first->call.message.caller, first->call.message.sequence},
            .order = first->call.order};
    }
}

ax_result ref_endpoint_list(int thread, ax_handle value, enum ax_list_kind kind, uint64_t cursor,
                            struct ax_session_info *infos) {
    struct ref_handle *handle;
    unsigned count = 0;
    TRY_REF(ref_look(thread, value, AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &handle));
    if (kind == AX_LIST_REDELIVERED)
        return list_calls(handle->object, cursor, infos);
    for (uint64_t badge = cursor; badge < 32; badge++) { /* badges are smaller */
        int s = find_session(handle->object, badge);
        if (s >= 0 && (ref.objects[s].state == REF_OPEN) == (kind == AX_LIST_LIVE))
            infos[count++] = (struct ax_session_info){
                .badge = badge, .handles = ref_handle_count(s), .calls = ref_open_calls(s)};
    }
    return count;
}
