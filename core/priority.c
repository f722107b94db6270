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

static uint8_t queued_priority(const struct endpoint *endpoint)
{
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
static uint8_t priority_of(const struct thread *thread)
{
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

// NOLINTNEXTLINE(misc-no-recursion): INHERIT_DEPTH deep at most
static void update(struct thread *thread, unsigned depth, unsigned *visits)
{
    while (thread != NULL && depth<INHERIT_DEPTH && * visits> 0) {
        --*visits;
        depth++;
        uint8_t priority = priority_of(thread);
        if (priority == thread->priority)
            return;
        sched_set_priority(thread, priority);
        struct call *call = &thread->call;
        if (call->state == CALL_QUEUED) {
            call_reposition(call);
            update_members(call->session->endpoint, depth, visits);
            return;
        }
        thread = call->state == CALL_RECEIVED ? call->reply->server : NULL;
    }
}

// NOLINTNEXTLINE(misc-no-recursion): INHERIT_DEPTH deep at most
static void update_members(struct endpoint *endpoint, unsigned depth, unsigned *visits)
{
    struct thread *member;
    list_for_each (member, &endpoint->members, in_members) {
        update(member, depth, visits);
    }
}

void priority_update(struct thread *thread)
{
    unsigned visits = VISITS_MAX;
    if (thread->state != THREAD_ENDED)
        update(thread, 0, &visits);
}

void priority_update_members(struct endpoint *endpoint)
{
    unsigned visits = VISITS_MAX;
    update_members(endpoint, 0, &visits);
}

/* ---- Cycles ---------------------------------------------------------------------------------- */

static bool all_wait_for(const struct endpoint *endpoint, const struct thread *for_whom,
                         unsigned depth, unsigned *visits);

/* Can `thread` not go on before `for_whom` does? Not knowing counts as no. */
// NOLINTNEXTLINE(misc-no-recursion): INHERIT_DEPTH deep at most
static bool waits_for(const struct thread *thread, const struct thread *for_whom, unsigned depth,
                      unsigned *visits)
{
    for (; depth<INHERIT_DEPTH && * visits> 0; depth++) {
        --*visits;
        if (thread == for_whom)
            return true;
        const struct call *call = &thread->call;
        if (call->state == CALL_QUEUED)
            return all_wait_for(call->session->endpoint, for_whom, depth + 1, visits);
        if (call->state == CALL_IDLE || call->reply->server == NULL)
            return false;
        thread = call->reply->server;
    }
    return false;
}

/* Can no thread of the endpoint take a call before `for_whom` goes on? */
// NOLINTNEXTLINE(misc-no-recursion): INHERIT_DEPTH deep at most
static bool all_wait_for(const struct endpoint *endpoint, const struct thread *for_whom,
                         unsigned depth, unsigned *visits)
{
    if (list_is_empty(&endpoint->members) || !list_is_empty(&endpoint->receivers))
        return false;
    const struct thread *member;
    list_for_each (member, &endpoint->members, in_members) {
        if (!waits_for(member, for_whom, depth, visits))
            return false;
    }
    return true;
}

bool priority_would_deadlock(struct thread *thread, struct endpoint *endpoint)
{
    unsigned visits = VISITS_MAX;
    return all_wait_for(endpoint, thread, 0, &visits);
}
