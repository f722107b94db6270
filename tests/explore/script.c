/* SPDX-License-Identifier: MIT */
/* What all scripts have in common. */
#include <string.h>

#include "process.h"
#include "world.h"

struct world world;
struct names names;
struct setting setting;

static const char *const who_names[] = {"C1", "C2", "S1", "S2", "lower", "keeper", "stash"};

const char *who_name(unsigned who) {
    return who < PROCESSES ? who_names[who] : "nobody";
}

unsigned who_is(const struct thread *thread) {
    for (unsigned who = 0; thread != NULL && who < ACTORS; who++) {
        if (setting.thread[who] == thread)
            return who;
    }
    return NOBODY;
}

unsigned whose(const struct process *process) {
    for (unsigned who = 0; process != NULL && who < PROCESSES; who++) {
        if (setting.process[who] == process)
            return who;
    }
    return NOBODY;
}

bool is_client(unsigned who) {
    return who == C1 || who == C2;
}

bool is_server(unsigned who) {
    return who == S1 || who == S2 || who == LOWER;
}

bool are_one(unsigned a, unsigned b) {
    return setting.process[a] != NULL && setting.process[a] == setting.process[b];
}

/* Only the keeper's closing it ends an endpoint that it keeps. */
bool endpoint_lives(unsigned index) {
    const struct object *object;
    if (setting.endpoint[index] == NULL)
        return false;
    list_for_each (object, &kernel->objects, all) {
        if (object == &setting.endpoint[index]->object)
            return object->id == setting.endpoint_id[index];
    }
    return false;
}

void moves_add(struct moves *moves, enum verb verb, unsigned argument) {
    MUST(moves->count < MOVES_MAX);
    moves->all[moves->count++] =
        (struct move){.verb = (uint8_t)verb, .argument = (uint8_t)argument};
}

void event_call_array(struct hal_event *event, uint64_t number, const uint64_t arguments[5]) {
    *event = (struct hal_event){.kind = HAL_EVENT_CALL, .call = {.number = number}};
    memcpy(event->call.arguments, arguments, sizeof(event->call.arguments));
}

unsigned tag_of_call(unsigned who) {
    const struct actor *actor = &world.actors[who];
    if (is_client(who))
        return who * CALLS_EACH + actor->client.calls;
    return who == LOWER ? TAG_BACK : TAG_SUB + actor->server.now.tag;
}

void record_unreceive(unsigned tag) {
    unsigned kept = 0;
    for (unsigned i = 0; i < world.received_count; i++) {
        if (world.received_order[i] != tag)
            world.received_order[kept++] = world.received_order[i];
    }
    memset(&world.received_order[kept], 0, sizeof(world.received_order) - kept);
    world.received_count = (uint8_t)kept;
}

void record_end(unsigned tag) {
    record_unreceive(tag);
    world.records[tag].sent = 0;
    world.records[tag].owed = 0;
}

void badge_renew(unsigned badge) {
    uint16_t keep = (uint16_t) ~(1U << badge);
    world.closed &= keep;
    world.announced &= keep;
    world.retired &= keep;
}

/* Closes wait in the order in which they came about. */
static void closes_follow(void) {
    uint8_t now[sizeof(world.closing)] = {0};
    unsigned count = 0, at = 0;
    const struct session *session;
    if (endpoint_lives(ENDPOINT_E)) {
        list_for_each (session, &setting.endpoint[ENDPOINT_E]->closed, in_closed) {
            MUST(count < sizeof(now));
            now[count++] = (uint8_t)session->badge;
        }
    }
    for (unsigned i = 0; i < sizeof(now) && world.closing[i] != 0; i++) {
        if (at < count && now[at] == world.closing[i])
            at++;
        for (unsigned rest = at; rest < count; rest++)
            MUST_OF(NOBODY, now[rest], now[rest] != world.closing[i]);
    }
    memcpy(world.closing, now, sizeof(now));
}

/* ---- Dispatch -------------------------------------------------------------------------------- */

void script_moves(unsigned who, struct moves *moves) {
    const struct actor *actor = &world.actors[who];
    moves->count = 0;
    if (!actor->exists || actor->dead || actor->in_call || actor->stuck)
        return;
    if (is_client(who))
        client_moves(who, moves);
    else if (is_server(who))
        server_moves(who, moves);
    else
        keeper_moves(who, moves);
}

void script_begin(unsigned who, struct move move, struct hal_event *event) {
    struct actor *actor = &world.actors[who];
    struct ax_ipc *ipc = &setting.thread[who]->page->ipc;
    memset(ipc, 0, sizeof(*ipc));
    ipc->deadline_ns = AX_TIME_NEVER;
    ipc->receive_deadline_ns = AX_TIME_NEVER;
    actor->in_call = 1;
    actor->move = move;
    if (is_client(who))
        client_begin(who, move, event);
    else if (is_server(who))
        server_begin(who, move, event);
    else
        keeper_begin(who, move, event);
}

/* It is gone: what it was about to do is of no account any more. */
static void actor_bury(unsigned who) {
    struct actor *actor = &world.actors[who];
    if (is_server(who) && actor->in_call)
        server_buried(who);
    if (is_client(who) || (is_server(who) && actor->move.verb == VERB_SUBCALL))
        record_end(tag_of_call(who));
    memset(actor, 0, sizeof(*actor));
    actor->exists = 1;
    actor->dead = 1;
    for (unsigned token = 0; token < 2; token++)
        world.tokens_at[token][who] = 0;
}

/* Its process is about to end: it can do nothing more of use. */
static void actor_stop(unsigned who, struct move move) {
    if (move.verb == VERB_CALL || move.verb == VERB_SUBCALL)
        record_end(tag_of_call(who));
    world.actors[who].stuck = 1;
}

static void absorb(unsigned who) {
    struct actor *actor = &world.actors[who];
    const struct thread *thread = setting.thread[who];
    if (!actor->in_call || thread->restarting)
        return;
    if (thread->state == THREAD_BLOCKED) {
        if (is_server(who))
            server_blocked(who);
        return;
    }
    struct move move = actor->move;
    ax_result result = (ax_result)thread->user.regs.rax;
    actor->in_call = 0;
    actor->move = (struct move){0};
    if (result == AX_ERR_ENDED && thread->process->state != PROCESS_OPEN)
        actor_stop(who, move);
    else if (is_client(who))
        client_absorb(who, move, result);
    else if (is_server(who))
        server_absorb(who, move, result);
    else
        keeper_absorb(who, move, result);
}

static bool is_calling(const struct actor *actor) {
    return actor->in_call && (actor->move.verb == VERB_CALL || actor->move.verb == VERB_SUBCALL);
}

/* Those who ended come first, then those who answer, then those who are answered. */
void scripts_absorb(void) {
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned who = 0; who < ACTORS; who++) {
            const struct actor *actor = &world.actors[who];
            if (!actor->exists || actor->dead)
                continue;
            if (round == 0 && setting.thread[who]->state == THREAD_ENDED)
                actor_bury(who);
            else if (round > 0 && is_calling(actor) == (round == 2))
                absorb(who);
        }
    }
    closes_follow();
}
