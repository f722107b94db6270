/* SPDX-License-Identifier: MIT */
/* Priority inheritance along calls, and the cycles that calls could close. */
#include "calls.h"
#include "endpoint.h"
#include "sched.h"
#include "thread.h"

/* How many threads one change, or one search, looks at: what lies beyond keeps what it had. */
#define VISITS_MAX 128

/* Threads, each once. */
struct visits {
    struct thread *threads[VISITS_MAX];
    unsigned count;
};

/* False: there are too many. */
static bool visits_add(struct visits *visits, struct thread *thread) {
    for (unsigned i = 0; i < visits->count; i++) {
        if (visits->threads[i] == thread)
            return true;
    }
    if (visits->count == VISITS_MAX)
        return false;
    visits->threads[visits->count++] = thread;
    return true;
}

static bool visits_add_members(struct visits *visits, const struct endpoint *endpoint) {
    struct thread *member;
    list_for_each (member, &endpoint->members, in_members) {
        if (!visits_add(visits, member))
            return false;
    }
    return true;
}

/* ---- Inheritance ----------------------------------------------------------------------------- */

static uint8_t queued_priority(const struct endpoint *endpoint) {
    struct tree_node *first = tree_first(&endpoint->calls);
    const struct call *fresh = call_first_fresh(&endpoint->calls);
    uint8_t best = first != NULL ? container_of(first, struct call, node)->priority : 0;
    return fresh != NULL && fresh->priority > best ? fresh->priority : best;
}

/* The highest of its own, of the call it serves, and, when nobody receives, of the calls waiting.
 */
static uint8_t priority_of(const struct thread *thread) {
    const struct endpoint *endpoint = thread->endpoint;
    uint8_t priority = thread->base_priority;
    uint8_t other = 0;
    if (thread->serving != NULL && thread->serving->caller != NULL)
        other = thread->serving->caller->call.priority;
    if (other > priority)
        priority = other;
    if (endpoint != NULL && list_is_empty(&endpoint->receivers))
        other = queued_priority(endpoint);
    return other > priority ? other : priority;
}

/* Those who work for these threads, and so inherit from them. */
static void visits_add_heirs(struct visits *heirs) {
    for (unsigned i = 0; i < heirs->count; i++) {
        const struct call *call = &heirs->threads[i]->call;
        if (call->state == CALL_QUEUED)
            (void)visits_add_members(heirs, call->session->endpoint);
        else if (call->state == CALL_RECEIVED && call->reply->server != NULL)
            (void)visits_add(heirs, call->reply->server);
    }
}

static bool call_set_priority(struct call *call, uint8_t priority) {
    if (call->state == CALL_IDLE || call->priority == priority)
        return false;
    call_reposition(call, priority);
    return true;
}

/*
 * What a thread has inherited may come back to it through others that work for it (it may wait at
 * an endpoint that it receives from itself), and would then stay for ever. So all of them are put
 * back to their own, and then inherit anew.
 */
static void visits_inherit(struct visits *heirs) {
    bool again = true;
    visits_add_heirs(heirs);
    for (unsigned i = 0; i < heirs->count; i++)
        (void)call_set_priority(&heirs->threads[i]->call, heirs->threads[i]->base_priority);
    for (unsigned pass = 0; again && pass < INHERIT_DEPTH; pass++) {
        again = false;
        for (unsigned i = 0; i < heirs->count; i++)
            again |= call_set_priority(&heirs->threads[i]->call, priority_of(heirs->threads[i]));
    }
    for (unsigned i = 0; i < heirs->count; i++) {
        uint8_t priority = priority_of(heirs->threads[i]);
        if (priority != heirs->threads[i]->priority)
            sched_set_priority(heirs->threads[i], priority);
    }
}

void priority_update(struct thread *thread) {
    struct visits heirs;
    if (thread->state == THREAD_ENDED ||
        (thread->priority == thread->base_priority && priority_of(thread) == thread->priority))
        return;
    heirs.threads[0] = thread;
    heirs.count = 1;
    visits_inherit(&heirs);
}

void priority_update_members(struct endpoint *endpoint) {
    struct visits heirs;
    struct thread *member;
    heirs.count = 0;
    list_for_each (member, &endpoint->members, in_members) {
        if (member->priority != member->base_priority || priority_of(member) != member->priority)
            (void)visits_add(&heirs, member);
    }
    if (heirs.count > 0)
        visits_inherit(&heirs);
}

/* ---- Cycles ---------------------------------------------------------------------------------- */

/* Adds those who could take a call there; false: one of them may be free, or is still to come. */
static bool waiting_add_members(struct visits *waiting, const struct endpoint *endpoint) {
    return !list_is_empty(&endpoint->members) && list_is_empty(&endpoint->receivers) &&
           visits_add_members(waiting, endpoint);
}

/*
 * It would if nobody, of all whom the call would wait for in the end, can go on before the caller
 * does. Any one thread of an endpoint will do, so all that is reachable is looked at.
 */
bool priority_would_deadlock(struct thread *thread, struct endpoint *endpoint) {
    struct visits waiting;
    waiting.threads[0] = thread;
    waiting.count = 1;
    if (!waiting_add_members(&waiting, endpoint))
        return false;
    for (unsigned i = 1; i < waiting.count; i++) {
        const struct call *call = &waiting.threads[i]->call;
        bool waits = false;
        if (call->state == CALL_QUEUED)
            waits = waiting_add_members(&waiting, call->session->endpoint);
        else if (call->state == CALL_RECEIVED && call->reply->server != NULL)
            waits = visits_add(&waiting, call->reply->server);
        if (!waits)
            return false;
    }
    return true;
}
