/* SPDX-License-Identifier: MIT */
/* What threads of the reference do: the kernel calls, one each, in the order call.h checks things.
 */
#include <string.h>

#include "reference_private.h"

#define TRY_REF(expression)                  \
    do {                                     \
        ax_result try_result = (expression); \
        if (try_result != AX_OK)             \
            return try_result;               \
    } while (0)

/* The object of a handle of the thread's process, with these rights. */
static ax_result look(int thread, ax_handle value, enum ax_type type, uint32_t rights,
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

/* The caller of a received call by the reply handle. */
static ax_result look_reply(int thread, ax_handle value, int *caller) {
    struct ref_handle *handle;
    TRY_REF(look(thread, value, AX_TYPE_REPLY, 0, &handle));
    *caller = -1 - handle->object;
    if (ref.threads[*caller].state != REF_GONE)
        return AX_OK;
    if (ref.threads[thread].serving == *caller)
        ref.threads[thread].serving = -1;
    handle->used = false;
    return AX_ERR_CALLER_DEAD;
}

static bool is_over(int session) {
    return ref.objects[session].state == REF_OVER || ref.objects[ref.objects[session].of].dead;
}

/* Whether some thread could take a call there that can go on by itself. */
static bool can_be_taken(int endpoint, const bool can_go[THREADS]) {
    bool has_member = false;
    if (ref.objects[endpoint].receiver_count > 0)
        return true;
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].endpoint != endpoint || ref.threads[t].state == REF_GONE)
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

static ax_result hold(int thread, const struct ref_send *send, struct ref_handle held[2]) {
    for (unsigned i = 0; i < send->handle_count; i++) {
        struct ref_handle *handle;
        uint32_t wanted = send->rights[i];
        TRY_REF(look(thread, send->handles[i], AX_TYPE_NONE, 0, &handle));
        if (handle->object < 0)
            return AX_ERR_TYPE;
        if ((handle->rights & ((wanted & AX_HANDLE_MOVE) != 0 ? AX_RIGHT_MOVE : AX_RIGHT_COPY)) ==
            0)
            return AX_ERR_RIGHTS;
        held[i] = *handle;
        held[i].rights = (handle->rights & wanted) | (wanted & AX_HANDLE_MOVE);
    }
    return AX_OK;
}

static void block(int thread, enum ref_state state, uint64_t deadline) {
    ref.threads[thread].state = state;
    ref.threads[thread].deadline = deadline;
    ref.threads[thread].waits_since = ref.clock++;
}

/* A call that blocked may have ended at once. */
static ax_result outcome(int thread) {
    const struct ref_thread *it = &ref.threads[thread];
    return it->state == REF_RUNS ? it->result : it->state == REF_GONE ? REF_ENDED : REF_BLOCKED;
}

ax_result ref_call(int thread, const struct ref_send *send) {
    struct ref_thread *it = &ref.threads[thread];
    struct ref_handle *handle, held[2];
    TRY_REF(look(thread, send->session, AX_TYPE_SESSION, AX_RIGHT_CALL, &handle));
    int session = handle->object;
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (is_over(session))
        return AX_ERR_PEER_CLOSED;
    if (send->deadline == 0)
        return AX_ERR_TIMEOUT;
    if (would_deadlock(thread, ref.objects[session].of))
        return AX_ERR_DEADLOCK;
    TRY_REF(hold(thread, send, held));
    it->call = (struct ref_call){.session = session,
                                 .server = -1,
                                 .handle_count = send->handle_count,
                                 .accept = send->accept,
                                 .operation = send->operation,
                                 .word = send->word};
    memcpy(it->call.handles, held, sizeof(held[0]) * send->handle_count);
    it->call.sequence = AX_SEQUENCE_CORE | ++ref.processes[it->process].next_sequence;
    it->call.order = ref.objects[ref.objects[session].of].next_order++;
    block(thread, REF_CALLS, send->deadline);
    ref_queue(thread);
    return outcome(thread);
}

/* The answer's handles, in the caller's table. */
static void answer(int thread, int caller, const struct ref_send *send,
                   const struct ref_handle held[2]) {
    struct ref_thread *to = &ref.threads[caller];
    ref_detach(caller, true);
    to->call.received = true; /* its record counts until it is cleared */
    to->call.holder = PROCESSES - 1;
    for (unsigned i = 0; i < send->handle_count; i++) {
        struct ref_handle *made =
            ref_handle_new(to->process, held[i].object, held[i].rights & AX_RIGHT_ALL, 0);
        made->to_thread = caller;
        made->to_index = (int)i;
    }
    for (unsigned i = 0; i < send->handle_count; i++) {
        struct ref_handle *own = ref_handle_find(ref.threads[thread].process, send->handles[i]);
        if ((held[i].rights & AX_HANDLE_MOVE) != 0 && own != NULL)
            ref_handle_drop(ref.threads[thread].process, own);
    }
    to->message = (struct ref_message){
        .operation = send->operation, .word = send->word, .handle_count = send->handle_count};
    to->fresh = true;
    ref_call_clear(caller, true);
    ref_wake(caller, AX_OK);
}

static ax_result receive(int thread, int endpoint, const struct ref_send *send) {
    struct ref_thread *it = &ref.threads[thread];
    ref_unserve(thread);
    it->endpoint = endpoint;
    it->accept = send->accept;
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (ref_receive(endpoint, thread)) {
        ref_deliver(endpoint);
        return AX_OK;
    }
    if (send->deadline == 0)
        return AX_ERR_TIMEOUT;
    block(thread, REF_RECEIVES, send->deadline);
    struct ref_object *from = &ref.objects[endpoint];
    from->receivers[from->receiver_count++] = thread;
    return REF_BLOCKED;
}

ax_result ref_reply_receive(int thread, ax_handle reply, const struct ref_send *send,
                            ax_handle endpoint) {
    struct ref_handle *source = NULL, held[2];
    if (endpoint != 0)
        TRY_REF(look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_RECEIVE, &source));
    int from = source != NULL ? source->object : -1;
    if (reply != 0) {
        int caller;
        TRY_REF(look_reply(thread, reply, &caller));
        TRY_REF(hold(thread, send, held));
        if (send->handle_count > ref.threads[caller].call.accept)
            return AX_ERR_ACCEPT;
        answer(thread, caller, send, held);
    }
    return from >= 0 ? receive(thread, from, send) : AX_OK;
}

ax_result ref_forward(int thread, ax_handle reply, ax_handle to) {
    struct ref_handle *handle;
    int caller;
    TRY_REF(look(thread, to, AX_TYPE_SESSION, AX_RIGHT_CALL, &handle));
    int session = handle->object;
    if (is_over(session))
        return AX_ERR_PEER_CLOSED;
    TRY_REF(look_reply(thread, reply, &caller));
    if (would_deadlock(caller, ref.objects[session].of))
        return AX_ERR_DEADLOCK;
    struct ref_call *call = &ref.threads[caller].call;
    int old = call->session;
    ref_detach(caller, true);
    call->session = session;
    call->received = true; /* it is open all the time */
    call->holder = PROCESSES - 1;
    call->redelivered = false;
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
    TRY_REF(look_reply(thread, reply, &caller));
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

/* ---- Handles and sessions -------------------------------------------------------------------- */

ax_result ref_close(int thread, ax_handle value) {
    struct ref_handle *handle;
    TRY_REF(look(thread, value, AX_TYPE_NONE, 0, &handle));
    ref_handle_drop(ref.threads[thread].process, handle);
    return AX_OK;
}

ax_result ref_transfer(int thread, ax_handle value, ax_handle to, bool move, uint32_t rights,
                       struct ref_handle *granted, int *to_process) {
    struct ref_handle *handle, *table;
    TRY_REF(look(thread, value, AX_TYPE_NONE, 0, &handle));
    if (handle->object < 0)
        return AX_ERR_TYPE;
    if ((handle->rights & (move ? AX_RIGHT_MOVE : AX_RIGHT_COPY)) == 0)
        return AX_ERR_RIGHTS;
    *to_process = ref.threads[thread].process;
    if (to != 0) {
        TRY_REF(look(thread, to, AX_TYPE_PROCESS, AX_RIGHT_HANDLES, &table));
        *to_process = ref.objects[table->object].of;
    }
    if (!ref.processes[*to_process].open)
        return AX_ERR_ENDED;
    *granted = *handle;
    granted->rights &= rights;
    return AX_OK;
}

ax_result ref_session_create(int thread, ax_handle endpoint, uint64_t badge, int *index) {
    struct ref_handle *handle;
    TRY_REF(look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &handle));
    *index = handle->object;
    if (ref.objects[*index].dead)
        return AX_ERR_PEER_CLOSED;
    for (int s = 0; s < ref.object_count; s++) {
        const struct ref_object *session = &ref.objects[s];
        if (session->type == AX_TYPE_SESSION && session->of == *index && session->badge == badge &&
            session->state != REF_OVER)
            return AX_ERR_EXISTS;
    }
    return AX_OK;
}

static ax_result look_session(int thread, ax_handle endpoint, uint64_t badge, int *session) {
    struct ref_handle *handle;
    TRY_REF(look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &handle));
    for (int s = 0; s < ref.object_count; s++) {
        const struct ref_object *it = &ref.objects[s];
        if (it->type != AX_TYPE_SESSION || it->of != handle->object || it->badge != badge ||
            it->state == REF_OVER)
            continue;
        *session = s;
        return AX_OK;
    }
    return AX_ERR_NOT_FOUND;
}

ax_result ref_session_retire(int thread, ax_handle endpoint, uint64_t badge, bool end) {
    int session = 0;
    TRY_REF(look_session(thread, endpoint, badge, &session));
    struct ref_object *it = &ref.objects[session];
    if (it->state == REF_OPEN && !end)
        return AX_ERR_STATE;
    if (it->state == REF_OPEN) {
        it->state = REF_OVER; /* nothing is announced */
        for (int t = 0; t < THREADS; t++) {
            if (ref.threads[t].call.queued && ref.threads[t].call.session == session)
                ref_call_fail(t, AX_ERR_PEER_CLOSED);
        }
        ref_set_signals(session, 0, AX_SIGNAL_PEER_CLOSED);
        return AX_OK;
    }
    struct ref_object *from = &ref.objects[it->of];
    for (int i = 0; i < from->closed_count; i++) {
        if (from->closed[i] != session)
            continue;
        memmove(&from->closed[i], &from->closed[i + 1],
                sizeof(int) * (size_t)(--from->closed_count - i));
        break;
    }
    it->state = REF_OVER;
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
    TRY_REF(look(thread, endpoint, AX_TYPE_ENDPOINT, AX_RIGHT_SESSIONS, &handle));
    TRY_REF(look(thread, value, AX_TYPE_NONE, 0, &what));
    if (what->object < 0)
        return AX_ERR_NOT_FOUND;
    const struct ref_object *session = &ref.objects[what->object];
    if (session->type != AX_TYPE_SESSION || session->of != handle->object ||
        session->state == REF_OVER)
        return AX_ERR_NOT_FOUND;
    *badge = session->badge;
    return AX_OK;
}

/* ---- Signals, futexes ------------------------------------------------------------------------ */

ax_result ref_signal(int thread, ax_handle event, uint32_t clear, uint32_t set) {
    struct ref_handle *handle;
    TRY_REF(look(thread, event, AX_TYPE_EVENT, AX_RIGHT_SIGNAL, &handle));
    ref_set_signals(handle->object, clear, set);
    return AX_OK;
}

ax_result ref_wait(int thread, ax_handle object, uint32_t mask, uint64_t deadline) {
    struct ref_handle *handle;
    struct ref_thread *it = &ref.threads[thread];
    TRY_REF(look(thread, object, AX_TYPE_NONE, AX_RIGHT_WAIT, &handle));
    uint32_t seen = ref.objects[handle->object].signals & mask;
    if (seen != 0)
        return seen;
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (deadline == 0)
        return AX_ERR_TIMEOUT;
    it->object = handle->object;
    it->mask = mask;
    block(thread, REF_WAITS, deadline);
    return REF_BLOCKED;
}

static bool page_is_there(int thread, int page) {
    return page >= PAGES || ref.processes[ref.threads[thread].process].mapped[page];
}

static uint32_t *page_word(int thread, int page) {
    return page >= PAGES ? &ref.shared[page - PAGES]
                         : &ref.processes[ref.threads[thread].process].pages[page];
}

ax_result ref_futex_wait(int thread, int page, uint32_t value, uint64_t deadline) {
    struct ref_thread *it = &ref.threads[thread];
    if (!page_is_there(thread, page))
        return AX_ERR_ADDRESS;
    if (*page_word(thread, page) != value)
        return AX_ERR_AGAIN;
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (deadline == 0)
        return AX_ERR_TIMEOUT;
    it->futex_process = page >= PAGES ? -1 : it->process;
    it->futex_page = page;
    block(thread, REF_FUTEX, deadline);
    return REF_BLOCKED;
}

ax_result ref_futex_wake(int thread, int page, int count) {
    int process = page >= PAGES ? -1 : ref.threads[thread].process;
    int woken = 0;
    if (!page_is_there(thread, page))
        return AX_ERR_ADDRESS;
    while (woken < count) {
        int first = -1;
        for (int t = 0; t < THREADS; t++) {
            const struct ref_thread *it = &ref.threads[t];
            if (it->state == REF_FUTEX && it->futex_process == process && it->futex_page == page &&
                (first < 0 || it->waits_since < ref.threads[first].waits_since))
                first = t;
        }
        if (first < 0)
            break;
        ref_wake(first, AX_OK);
        woken++;
    }
    return woken;
}

/* ---- Interrupts, deadlines, ends ------------------------------------------------------------- */

static void cut_short(int thread, ax_result error) {
    struct ref_thread *it = &ref.threads[thread];
    if (it->state == REF_CALLS) {
        ref_call_ask_early(thread, error);
        return;
    }
    if (it->state == REF_RECEIVES)
        ref_leave(thread);
    if (it->state != REF_RUNS)
        ref_wake(thread, error);
}

void ref_timeout(int thread) {
    ref.threads[thread].deadline = UINT64_MAX;
    cut_short(thread, AX_ERR_TIMEOUT);
}

ax_result ref_interrupt(int thread, ax_handle target) {
    struct ref_handle *handle;
    TRY_REF(look(thread, target, AX_TYPE_THREAD, AX_RIGHT_CONTROL, &handle));
    int other = ref.objects[handle->object].of;
    if (ref.threads[other].state == REF_GONE)
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

ax_result ref_priority(int thread, int base) {
    if (base > ref.threads[thread].base)
        return AX_ERR_RIGHTS;
    ref.threads[thread].base = base;
    return AX_OK;
}

ax_result ref_process_end(int thread, ax_handle value, enum ax_cause cause) {
    int process = ref.threads[thread].process;
    if (value != 0) {
        struct ref_handle *handle;
        TRY_REF(look(thread, value, AX_TYPE_PROCESS, AX_RIGHT_CONTROL, &handle));
        process = ref.objects[handle->object].of;
    }
    if (!ref.processes[process].open)
        return AX_ERR_ENDED;
    bool own = process == ref.threads[thread].process;
    ref_end_process(process, cause);
    if (own)
        ref_end_thread(thread);
    return own ? REF_ENDED : AX_OK;
}

static bool is_last(int thread) {
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (t != thread && it->process == ref.threads[thread].process && it->state != REF_NONE &&
            it->state != REF_GONE)
            return false;
    }
    return true;
}

ax_result ref_thread_exit(int thread) {
    bool last = is_last(thread);
    ref_end_thread(thread);
    if (last)
        ref_end_process(ref.threads[thread].process, AX_CAUSE_EXIT);
    return REF_ENDED;
}

void ref_fault(int thread) {
    ref_end_process(ref.threads[thread].process, AX_CAUSE_FAULT);
    ref_end_thread(thread);
}

ax_result ref_clone(int thread, int child) {
    const struct ref_process *from = &ref.processes[ref.threads[thread].process];
    struct ref_process *to = &ref.processes[child];
    for (int i = 0; i < HANDLES; i++) {
        if (from->handles[i].used && from->handles[i].object >= 0)
            to->handles[i] = from->handles[i];
    }
    memcpy(to->mapped, from->mapped, sizeof(to->mapped));
    memcpy(to->pages, from->pages, sizeof(to->pages));
    return AX_OK;
}
