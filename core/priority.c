/* SPDX-License-Identifier: MIT */
/* Priority inheritance along calls, and the cycles that calls could close. */
#include "calls.h"
#include "endpoint.h"
#include "kernel.h"
#include "process.h"
#include "sched.h"
#include "thread.h"

/* How many threads one change, or one search, looks at: what lies beyond keeps what it had. */
#define VISITS_MAX 128

static uint8_t queued_priority(const struct endpoint *endpoint) {
    uint8_t best = 0;
    struct tree_node *first = tree_first(&endpoint->calls);
    const struct call *fresh = call_first_fresh(&endpoint->calls);
    if (first != NULL)
        best = container_of(first, struct call, node)->priority;
    if (fresh != NULL && fresh->priority > best)
        best = fresh->priority;
    return best;
}

/* The highest of its own, of the call it serves, and, when nobody receives, of the calls waiting.
 */
static uint8_t priority_of(const struct thread *thread) {
    uint8_t priority = thread->base_priority;
    if (thread->serving != NULL && thread->serving->caller != NULL &&
        thread->serving->caller->priority > priority)
        priority = thread->serving->caller->priority;
    const struct endpoint *endpoint = thread->endpoint;
    if (endpoint != NULL && list_is_empty(&endpoint->receivers)) {
        uint8_t queued = queued_priority(endpoint);
        if (queued > priority)
            priority = queued;
    }
    return priority;
}

static void update_members(struct endpoint *endpoint, unsigned depth, unsigned *visits);

/* The thread has another priority, and whoever works for it gets it too. */
// NOLINTNEXTLINE(misc-no-recursion): INHERIT_DEPTH deep at most
static void update(struct thread *thread, uint8_t priority, unsigned depth, unsigned *visits) {
    while (priority != thread->priority) {
        sched_set_priority(thread, priority);
        struct call *call = &thread->call;
        if (call->state == CALL_QUEUED) {
            call_reposition(call);
            update_members(call->session->endpoint, depth, visits);
            return;
        }
        thread = call->state == CALL_RECEIVED ? call->reply->server : NULL;
        if (thread == NULL || depth == INHERIT_DEPTH || *visits == 0)
            return;
        --*visits;
        depth++;
        priority = priority_of(thread);
    }
}

// NOLINTNEXTLINE(misc-no-recursion): INHERIT_DEPTH deep at most
static void update_members(struct endpoint *endpoint, unsigned depth, unsigned *visits) {
    struct thread *member;
    list_for_each (member, &endpoint->members, in_members) {
        if (depth == INHERIT_DEPTH || *visits == 0)
            return;
        --*visits;
        update(member, priority_of(member), depth + 1, visits);
    }
}

/*
 * What a thread has inherited may come back to it through others that work for it (it may wait at
 * an endpoint that it receives from itself), and would then stay for ever. So it is put back to
 * its own first, and then inherits anew.
 */
void priority_update(struct thread *thread) {
    unsigned visits = VISITS_MAX;
    if (thread->state == THREAD_ENDED)
        return;
    if (priority_of(thread) <= thread->priority)
        update(thread, thread->base_priority, 0, &visits);
    update(thread, priority_of(thread), 0, &visits);
}

void priority_update_members(struct endpoint *endpoint) {
    struct thread *member;
    list_for_each (member, &endpoint->members, in_members) {
        if (member->priority != member->base_priority || priority_of(member) != member->priority)
            priority_update(member);
    }
}

/* ---- Cycles ---------------------------------------------------------------------------------- */

/* Threads of which one would have to go on; each is looked at once. */
struct waiting {
    const struct thread *threads[VISITS_MAX];
    unsigned count;
};

/* False: there are too many to know. */
static bool waiting_add(struct waiting *waiting, const struct thread *thread) {
    for (unsigned i = 0; i < waiting->count; i++) {
        if (waiting->threads[i] == thread)
            return true;
    }
    if (waiting->count == VISITS_MAX)
        return false;
    waiting->threads[waiting->count++] = thread;
    return true;
}

/* Adds those who could take a call there; false: one of them may be free, or is still to come. */
static bool waiting_add_members(struct waiting *waiting, const struct endpoint *endpoint) {
    const struct thread *member;
    if (list_is_empty(&endpoint->members) || !list_is_empty(&endpoint->receivers))
        return false;
    list_for_each (member, &endpoint->members, in_members) {
        if (!waiting_add(waiting, member))
            return false;
    }
    return true;
}

/*
 * It would if nobody, of all whom the call would wait for in the end, can go on before the caller
 * does. Any one thread of an endpoint will do, so all that is reachable is looked at.
 */
bool priority_would_deadlock(struct thread *thread, struct endpoint *endpoint) {
    struct waiting waiting;
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
            waits = waiting_add(&waiting, call->reply->server);
        if (!waits)
            return false;
    }
    return true;
}
