/* SPDX-License-Identifier: MIT */
/*
 * The properties. In each state: a call is not sent, or queued, or held by one holder that lives,
 * and not answered yet; sessions that nobody can use any more are closed; tokens are where the
 * scripts know them to be; nobody waits for what is there; priorities are what they inherit. And
 * everything that the driver checks of core's own state. Where no step is possible: everybody has
 * done what he wanted.
 */
#include "handle.h"
#include "process.h"
#include "script_server.h"
#include "timer.h"

/* ---- Calls ----------------------------------------------------------------------------------- */

static bool is_calling(unsigned who) {
    const struct actor *actor = &world.actors[who];
    return actor->in_call && (actor->move.verb == VERB_CALL || actor->move.verb == VERB_SUBCALL);
}

static void received_check(unsigned who, const struct call *call) {
    MUST_OF(who, 0,
            !list_is_linked(&call->reply->in_interrupts) || !world.records[tag_of_call(who)].told);
    const struct reply *reply = call->reply;
    struct object *object;
    MUST_OF(who, call->state, reply->caller == setting.thread[who] && reply->holder != NULL);
    unsigned holder = whose(reply->holder);
    MUST_OF(who, holder, is_server(holder) && reply->holder->state != PROCESS_CORPSE);
    MUST_OF(who, holder,
            handle_lookup(reply->holder, reply->handle, AX_TYPE_REPLY, 0, &object) == AX_OK &&
                object == &reply->object);
    /* Its holder is told of the wish for an early answer as soon as it receives. */
    for (unsigned other = S1; other <= LOWER; other++) {
        const struct thread *server = setting.thread[other];
        if (are_one(holder, other) && list_is_linked(&reply->in_interrupts) &&
            reply->holder->state == PROCESS_OPEN)
            MUST_OF(who, other, server->block != BLOCK_RECEIVE);
    }
    if (setting.thread[who]->interrupted)
        MUST_OF(who, holder, call->interrupted);
}

static void call_check(unsigned who) {
    const struct thread *thread = setting.thread[who];
    const struct call *call = &thread->call;
    if (!is_calling(who)) {
        MUST_OF(who, call->state, call->state == CALL_IDLE);
        return;
    }
    unsigned tag = tag_of_call(who);
    const struct record *record = &world.records[tag];
    MUST_OF(who, tag, thread->state == THREAD_BLOCKED && thread->block == BLOCK_CALL);
    MUST_OF(who, tag, record->sent && record->answered == 0 && record->dropped == 0);
    MUST_OF(who, tag, call->state == CALL_QUEUED || call->state == CALL_RECEIVED);
    if (call->state == CALL_RECEIVED) {
        received_check(who, call);
        MUST_OF(who, tag,
                record->deaths < DEATHS_MAX || call->reply->holder->state != PROCESS_OPEN);
        return;
    }
    MUST_OF(who, tag, record->deaths < DEATHS_MAX);
    /* No wish for an early answer is lost: a call that nobody received is withdrawn by it. */
    MUST_OF(who, tag,
            !thread->interrupted || (call->redelivered && call->interrupted) || record->known);
    MUST_OF(who, tag,
            !call->session->endpoint->dead || call->session->endpoint->object.work_queued);
}

/* The thread serves the call that its script has at hand, unless that is parked. */
static void server_check(unsigned who) {
    const struct actor *actor = &world.actors[who];
    const struct thread *thread = setting.thread[who];
    bool serves = actor->server.now.tag != 0 && actor->server.now.served;
    MUST_OF(who, actor->server.now.tag, serves == (thread->serving != NULL));
    unsigned held = 0;
    for (const struct tree_node *node = tree_first(&thread->process->received); node != NULL;
         node = tree_next(node))
        held++;
    for (unsigned other = S1; other <= LOWER; other++) {
        const struct server *server = &world.actors[other].server;
        if (are_one(who, other))
            held -= server->parked_count + (server->now.tag != 0 ? 1U : 0U);
    }
    MUST_OF(who, held, held == 0);
}

/* ---- Queues ---------------------------------------------------------------------------------- */

static unsigned position(const struct call *call) {
    unsigned who = who_is(container_of(call, const struct thread, call));
    unsigned tag = tag_of_call(who);
    unsigned at = 0;
    while (at < world.received_count && world.received_order[at] != tag)
        at++;
    return at;
}

/* Calls that were received before come first, in the order in which they were. */
static void queue_check(unsigned index) {
    const struct endpoint *endpoint = setting.endpoint[index];
    unsigned least = 0;
    bool fresh = false;
    int priority = AX_PRIORITY_COUNT;
    if (endpoint == NULL || !endpoint_lives(index))
        return;
    for (const struct tree_node *node = tree_first(&endpoint->calls); node != NULL;
         node = tree_next(node)) {
        const struct call *call = container_of(node, const struct call, node);
        if (call->redelivered || call->retried) {
            unsigned at = position(call);
            MUST_OF(NOBODY, index, !fresh && at >= least && at < world.received_count);
            least = at + 1;
        } else {
            MUST_OF(NOBODY, index, call->priority <= priority);
            priority = call->priority;
            fresh = true;
        }
    }
    for (const struct tree_node *node = tree_first(&endpoint->sessions); node != NULL;
         node = tree_next(node)) {
        const struct session *session = container_of(node, const struct session, node);
        bool is_used = session->object.handles != 0 || session->calls != 0;
        MUST_OF(NOBODY, session->badge, (session->state == SESSION_OPEN) == is_used);
    }
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

static unsigned table_count(const struct process *process, const struct object *object) {
    const struct handle_table *table = &process->handles;
    unsigned count = 0;
    for (uint32_t i = 1, seen = 0; seen < table->used; i++) {
        const struct slot *slot = handle_slot(table, i);
        seen += slot->object != NULL;
        count += slot->object == object;
    }
    return count;
}

/* Handles to a token are in the tables where scripts put them, and in calls under way. */
static void token_check(unsigned token) {
    const struct object *object = setting.token[token];
    const struct object *found;
    bool lives = false;
    uint32_t handles = 0;
    list_for_each (found, &kernel->objects, all)
        lives = lives || (found == object && found->id == setting.token_id[token]);
    for (unsigned who = 0; who < PROCESSES; who++) {
        const struct process *process = setting.process[who];
        if (process == NULL)
            continue;
        unsigned count = lives ? table_count(process, object) : 0;
        handles += count;
        if (process->state == PROCESS_OPEN)
            MUST_OF(who, token, count == world.tokens_at[token][who]);
        else
            MUST_OF(who, token, count == 0 || process->state == PROCESS_ENDING);
    }
    const struct call *call = &setting.thread[token]->call;
    if (call->state != CALL_IDLE && call->handle_count == 1)
        handles++;
    MUST_OF(token, handles, !lives || object->handles == handles);
    MUST_OF(token, handles, lives || handles == 0);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static uint8_t inherited(const struct thread *thread) {
    uint8_t priority = thread->base_priority;
    const struct endpoint *endpoint = thread->endpoint;
    if (thread->serving != NULL && thread->serving->caller != NULL &&
        thread->serving->caller->priority > priority)
        priority = thread->serving->caller->priority;
    if (endpoint == NULL || !list_is_empty(&endpoint->receivers))
        return priority;
    for (const struct tree_node *node = tree_first(&endpoint->calls); node != NULL;
         node = tree_next(node)) {
        const struct call *call = container_of(node, const struct call, node);
        if (call->priority > priority)
            priority = call->priority;
    }
    return priority;
}

static void thread_check(unsigned who) {
    const struct thread *thread = setting.thread[who];
    const struct process *process = thread->process;
    /* The end is told when no thread is in user mode any more. */
    MUST_OF(who, process->running, process->state != PROCESS_CORPSE || process->running == 0);
    MUST_OF(who, thread->interrupted,
            world.actors[who].dead || thread->interrupted == world.actors[who].pending);
    if (thread->state == THREAD_ENDED) {
        MUST_OF(who, process->state, thread->endpoint == NULL && thread->serving == NULL);
        return;
    }
    MUST_OF(who, thread->priority, thread->priority == inherited(thread));
    if (thread->call.state == CALL_QUEUED)
        MUST_OF(who, thread->priority, thread->call.priority == thread->priority);
    /* An interrupt ends what is waited for, or calls for an early end of it. */
    if (thread->interrupted && thread->state == THREAD_BLOCKED)
        MUST_OF(who, thread->block, thread->block == BLOCK_CALL);
    /* What is due is about to be told. */
    const struct due *due = &thread->due;
    MUST_OF(who, thread->block,
            due->cpu == NULL || due->deadline_ns > hal_time_ns() ||
                model_cpu_is_pending(due->cpu->id) || due->cpu->poll);
}

void check_state(void) {
    driver_check_invariants();
    for (unsigned who = 0; who < ACTORS; who++) {
        const struct actor *actor = &world.actors[who];
        if (!actor->exists)
            continue;
        thread_check(who);
        if (actor->dead)
            continue;
        if (is_client(who) || is_server(who))
            call_check(who);
        if (is_server(who) && setting.process[who]->state == PROCESS_OPEN)
            server_check(who);
    }
    for (unsigned i = 0; i < ENDPOINTS; i++)
        queue_check(i);
    for (unsigned token = 0; token < 2; token++)
        token_check(token);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void server_end_check(unsigned who) {
    const struct actor *actor = &world.actors[who];
    const struct thread *thread = setting.thread[who];
    if (actor->dead)
        return;
    if (actor->move.verb == VERB_WAIT_GO) {
        MUST_OF(who, actor->move.verb, !world.actors[KEEPER].keeper.went);
        return;
    }
    MUST_OF(who, actor->move.verb, thread->block == BLOCK_RECEIVE);
    MUST_OF(who, actor->server.parked[0].tag, actor->server.parked_count == 0);
    /* What one of two instances was told and had not finished when it died is listed. */
    MUST_OF(who, 0, list_is_empty(&thread->endpoint->closed));
    if (!setting.scenario->two_servers || !(world.actors[S1].dead || world.actors[S2].dead))
        MUST_OF(who, 0, thread->endpoint->closed_count == 0);
    MUST_OF(who, thread->endpoint->queued_count, thread->endpoint->queued_count == 0);
    MUST_OF(who, world.signalled, world.signalled == 0);
    if (setting.scenario->event)
        MUST_OF(who, actor->server.told_event, actor->server.told_event > 0);
}

void check_end(void) {
    for (unsigned who = C1; who <= C2; who++)
        MUST_OF(who, world.actors[who].move.verb, world.actors[who].dead);
    for (unsigned who = S1; who <= LOWER; who++) {
        if (world.actors[who].exists)
            server_end_check(who);
    }
    MUST_OF(KEEPER, 0, setting.thread[KEEPER]->block == BLOCK_WAIT);
    MUST(list_is_empty(&kernel->work));
}
