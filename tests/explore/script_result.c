/* SPDX-License-Identifier: MIT */
/* What comes of a server's moves, and whether it may be so. */
#include <string.h>

#include "handle.h"
#include "process.h"
#include "script_server.h"

/* ---- Calls that come in ---------------------------------------------------------------------- */

/* In the very step in which its call was received. */
static bool caller_died(unsigned tag) {
    if (tag > TAG_SUB && tag != TAG_BACK)
        return world.actors[S1].dead || world.actors[S2].dead;
    return world.actors[tag == TAG_BACK ? LOWER : (tag - 1) / CALLS_EACH].dead;
}

static void received_check(unsigned who, unsigned tag, const struct ax_message *message) {
    struct record *record = &world.records[tag];
    struct ax_call_id *id = &names.id[tag];
    MUST_OF(who, tag, tag > 0 && tag < TAGS && (record->sent || caller_died(tag)));
    MUST_OF(who, tag, record->answered == 0 && record->dropped == 0);
    MUST_OF(who, tag, message->words[0] == tag * UINT64_C(0x10001) && message->word_count == 1);
    MUST_OF(who, tag, ((message->flags & AX_MESSAGE_REDELIVERED) != 0) == (record->received > 0));
    MUST_OF(who, tag, ((message->flags & AX_MESSAGE_RETRIED) != 0) == record->retried);
    MUST_OF(who, tag, ((message->flags & AX_MESSAGE_INTERRUPTED) != 0) <= record->asked);
    MUST_OF(who, tag, (record->owed & ~(world.announced | world.retired)) == 0);
    MUST_OF(who, tag, (world.retired >> message->badge & 1) == 0);
    if (record->known)
        MUST_OF(who, tag, id->caller == message->id.caller && id->sequence == message->id.sequence);
    *id = message->id;
    if (tag > TAG_SUB && tag != TAG_BACK) {
        MUST_OF(who, tag, id->caller == setting.process[STASH]->object.id);
        MUST_OF(who, tag, id->sequence == 100 + tag);
    } else {
        unsigned caller = tag == TAG_BACK ? LOWER : (tag - 1) / CALLS_EACH;
        MUST_OF(who, tag, id->caller == setting.process[caller]->object.id);
        MUST_OF(who, tag, message->label == 0x100 + caller);
    }
}

static void order_add(unsigned tag) {
    for (unsigned i = 0; i < world.received_count; i++) {
        if (world.received_order[i] == tag)
            return;
    }
    MUST(world.received_count < TAGS);
    world.received_order[world.received_count++] = (uint8_t)tag;
}

/* Calls that are delivered again come in the order in which they were first received. */
static void order_check(unsigned who, unsigned tag, const struct endpoint *endpoint) {
    for (unsigned i = 0; i < world.received_count && world.received_order[i] != tag; i++) {
        unsigned earlier = world.received_order[i];
        if (earlier > TAG_SUB)
            continue;
        const struct call *call = &setting.thread[(earlier - 1) / CALLS_EACH]->call;
        MUST_OF(who, earlier,
                call->state != CALL_QUEUED || !(call->redelivered || call->retried) ||
                    call->session->endpoint != endpoint);
    }
}

static void call_received(unsigned who, const struct ax_message *message) {
    struct server *server = &world.actors[who].server;
    unsigned tag = message->operation & 0xff;
    received_check(who, tag, message);
    struct record *record = &world.records[tag];
    if ((message->flags & (AX_MESSAGE_REDELIVERED | AX_MESSAGE_RETRIED)) != 0)
        order_check(who, tag, setting.thread[who]->endpoint);
    record->received += record->received < 3;
    record->known = 1;
    record->told = (message->flags & AX_MESSAGE_INTERRUPTED) != 0;
    order_add(tag);
    struct job job = {.tag = (uint8_t)tag, .served = 1, .attempt = record->attempt};
    job.request = (uint8_t)(message->operation >> 8);
    job.badge = (uint8_t)message->badge;
    job.early = record->told;
    job.again = (message->flags & AX_MESSAGE_REDELIVERED) != 0;
    if (job.request == REQUEST_FORWARD && job.badge == BADGE_FORWARD)
        job.request = REQUEST_PLAIN;
    job.ready = job.request == REQUEST_PLAIN && (setting.scenario->server & NO_EFFECT) != 0;
    names.reply[who] = message->reply;
    MUST_OF(who, tag, message->handle_count == (job.request == REQUEST_GIVE));
    if (message->handle_count == 1) {
        job.extra = EXTRA_TOKEN;
        names.extra[who] = message->handles[0].handle;
        world.tokens_at[(tag - 1) / CALLS_EACH][who]++;
    }
    server->now = job;
    server->pc = SERVER_JOB;
}

/* ---- And the rest that is received ----------------------------------------------------------- */

static void close_received(unsigned who, const struct ax_message *message) {
    struct server *server = &world.actors[who].server;
    uint64_t badge = message->badge;
    const struct session *session = session_find(setting.thread[who]->endpoint, badge);
    MUST_OF(who, badge, session != NULL && session->object.handles == 0 && session->calls == 0);
    MUST_OF(who, badge, (world.announced >> badge & 1) == 0 && (world.retired >> badge & 1) == 0);
    world.announced |= (uint16_t)(1U << badge);
    server->retire[0] = (uint8_t)badge;
    server->retire_count = 1;
    server->pc = SERVER_RETIRE;
}

/* Out of those that are parked. */
static struct job parked_take(unsigned who, unsigned index, ax_handle *reply) {
    struct server *server = &world.actors[who].server;
    MUST(index < server->parked_count);
    struct job job = server->parked[index];
    *reply = names.parked[who][index];
    server->parked_count--;
    for (; index < server->parked_count; index++) {
        server->parked[index] = server->parked[index + 1];
        names.parked[who][index] = names.parked[who][index + 1];
    }
    server->parked[index] = (struct job){0};
    return job;
}

/* The call becomes the one at hand, for good; it may have been parked by another thread. */
static void unpark(unsigned who, unsigned from, unsigned index) {
    struct server *server = &world.actors[who].server;
    MUST(server->now.tag == 0);
    server->now = parked_take(from, index, &names.reply[who]);
    server->now.final = 1;
    server->pc = SERVER_JOB;
}

/* Which of a thread's calls the handle answers: a parked one, or the one at hand (PARKED_MAX). */
static bool job_find(unsigned who, ax_handle reply, unsigned *index) {
    const struct server *server = &world.actors[who].server;
    for (*index = 0; *index < server->parked_count; ++*index) {
        if (names.parked[who][*index] == reply)
            return true;
    }
    *index = PARKED_MAX;
    return server->now.tag != 0 && names.reply[who] == reply;
}

/* An early answer is asked for: of a call that its process holds, which was not told of before. */
static void interrupt_received(unsigned who, const struct ax_message *message) {
    unsigned holder = who, index;
    if (!job_find(who, message->reply, &index)) {
        holder = who == S1 ? S2 : S1;
        MUST_OF(who, message->badge, are_one(who, holder));
        MUST_OF(who, message->badge, job_find(holder, message->reply, &index));
    }
    struct server *server = &world.actors[holder].server;
    struct job *job = index < PARKED_MAX ? &server->parked[index] : &server->now;
    MUST_OF(who, job->tag, message->id.caller == names.id[job->tag].caller);
    MUST_OF(who, job->tag, message->id.sequence == names.id[job->tag].sequence);
    MUST_OF(who, job->tag, world.records[job->tag].asked && !world.records[job->tag].told);
    world.records[job->tag].told = 1;
    job->early = 1;
    world.actors[who].server.pc = SERVER_IDLE;
    if (index < PARKED_MAX) /* else the other thread is at it already */
        unpark(who, holder, index);
}

static void event_received(unsigned who, const struct ax_message *message) {
    struct server *server = &world.actors[who].server;
    MUST_OF(who, message->badge, message->badge == 99 && setting.scenario->event);
    MUST_OF(who, message->words[0], message->words[0] == world.signalled);
    world.signalled = 0;
    server->told_event += server->told_event < 2;
    server->pc = SERVER_IDLE;
}

static void receive_absorb(unsigned who, ax_result result) {
    struct server *server = &world.actors[who].server;
    const struct ax_message *message = &setting.thread[who]->page->ipc.message;
    MUST_OF(who, result, server->now.tag == 0);
    if (result == AX_ERR_TIMEOUT) {
        MUST_OF(who, 0, server->parked_count > 0);
        unpark(who, who, 0);
        return;
    }
    if (result == AX_ERR_INTERRUPTED) {
        MUST_OF(who, 0, world.actors[who].pending);
        server->pc = SERVER_INTERRUPTED;
        return;
    }
    MUST_OF(who, result, result == AX_OK);
    switch (message->kind) {
    case AX_MESSAGE_CALL: call_received(who, message); break;
    case AX_MESSAGE_CLOSE: close_received(who, message); break;
    case AX_MESSAGE_INTERRUPT: interrupt_received(who, message); break;
    default: event_received(who, message); break;
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void leave_over(unsigned who, const struct job *job) {
    struct server *server = &world.actors[who].server;
    server->leftover = job->extra;
    server->leftover_badge = (uint8_t)(BADGE_OPENED + job->tag);
    names.leftover[who] = names.extra[who];
    server->pc = SERVER_CLOSE;
}

/* The call at hand is over for this server; what it held for it is left over. */
static void job_end(unsigned who, bool handed_over) {
    struct server *server = &world.actors[who].server;
    struct job job = server->now;
    server->now = (struct job){0};
    server->pc = SERVER_IDLE;
    if (job.extra == EXTRA_NONE)
        return;
    if (handed_over) {
        if (job.extra == EXTRA_TOKEN)
            world.tokens_at[(job.tag - 1) / CALLS_EACH][who]--;
        return;
    }
    server->leftover = job.extra;
    server->leftover_badge = (uint8_t)(BADGE_OPENED + job.tag);
    names.leftover[who] = names.extra[who];
    server->pc = SERVER_CLOSE;
}

static void answer_count(const struct job *job) {
    if (job_is_wanted(job))
        world.records[job->tag].answered++;
}

static void answer_absorb(unsigned who, struct move move, ax_result result) {
    struct server *server = &world.actors[who].server;
    unsigned tag = server->now.tag;
    bool received = move.verb == VERB_ANSWER_RECEIVE;
    if (result == AX_ERR_CALLER_DEAD) {
        MUST_OF(who, tag, !job_is_wanted(&server->now));
        job_end(who, false);
        return;
    }
    MUST_OF(who, tag, result == AX_OK || received);
    answer_count(&server->now);
    job_end(who, move.verb != VERB_ANSWER_EARLY);
    if (received)
        receive_absorb(who, result);
}

void server_blocked(unsigned who) {
    struct actor *actor = &world.actors[who];
    if (actor->move.verb != VERB_ANSWER_RECEIVE)
        return;
    answer_count(&actor->server.now);
    job_end(who, true);
    actor->move = (struct move){.verb = VERB_RECEIVE};
}

/* ---- What is done for a call ----------------------------------------------------------------- */

static void effect_absorb(unsigned who, ax_result result) {
    struct job *job = &world.actors[who].server.now;
    struct record *record = &world.records[job->tag];
    if (result == AX_ERR_EXISTS) {
        /* Only a repeat finds it made: of the call, or of the one it was made for. */
        MUST_OF(who, job->tag, record->effects == 1);
        MUST_OF(who, job->tag, record->received > 1 || job->tag > TAG_SUB);
    } else {
        MUST_OF(who, result, result > 0);
        MUST_OF(who, job->tag, record->effects == 0);
        record->effects++;
    }
    job->effect = 1;
    job->ready = 1;
}

static void stash_absorb(unsigned who, enum verb verb, ax_result result) {
    struct job *job = &world.actors[who].server.now;
    uint8_t *at = world.tokens_at[(job->tag - 1) / CALLS_EACH];
    if (verb == VERB_STASH_PUT) {
        if (result == AX_ERR_EXISTS) { /* the last instance had put it there */
            MUST_OF(who, job->tag, job->again);
            leave_over(who, job);
        } else {
            MUST_OF(who, result, result > 0);
            at[STASH]++;
            at[who]--;
        }
        job->extra = EXTRA_NONE;
        world.records[job->tag].effects = 1;
    } else if (result == AX_ERR_NOT_FOUND) {
        MUST_OF(who, job->tag, at[STASH] == 0);
        world.records[job->tag].effects = 1;
    } else {
        MUST_OF(who, result, result > 0);
        names.extra[who] = (ax_handle)result;
        job->extra = EXTRA_TOKEN;
        at[who]++;
        at[STASH] -= verb == VERB_STASH_TAKE;
        world.records[job->tag].effects = 1;
    }
    job->effect = 1;
    job->ready = 1;
}

static void open_absorb(unsigned who, ax_result result) {
    struct job *job = &world.actors[who].server.now;
    if (result == AX_ERR_EXISTS) {
        MUST_OF(who, job->tag, world.records[job->tag].received > 1);
    } else {
        MUST_OF(who, result, result > 0);
        names.extra[who] = (ax_handle)result;
        job->extra = EXTRA_SESSION;
        badge_renew(BADGE_OPENED + job->tag);
    }
    world.records[job->tag].effects = 1;
    job->effect = 1;
    job->ready = 1;
}

static void forward_absorb(unsigned who, ax_result result) {
    const struct job *job = &world.actors[who].server.now;
    if (result == AX_ERR_CALLER_DEAD)
        MUST_OF(who, job->tag, !job_is_wanted(job));
    else
        MUST_OF(who, result, result == AX_OK);
    job_end(who, false);
}

/* It comes again, to whoever receives it. That counts as delivered again only if it did before. */
static void retry_absorb(unsigned who, ax_result result) {
    const struct job *job = &world.actors[who].server.now;
    MUST_OF(who, result, result == AX_OK || result == AX_ERR_CALLER_DEAD);
    MUST_OF(who, job->tag, result == AX_OK || !job_is_wanted(job));
    job_end(who, false);
}

static void subcall_absorb(unsigned who, unsigned tag, ax_result result) {
    struct job *job = &world.actors[who].server.now;
    const struct record *record = &world.records[tag];
    if (result == AX_ERR_DEADLOCK || result == AX_ERR_PEER_CLOSED) {
        MUST_OF(who, tag, record->answered == 0);
    } else if (result == AX_ERR_INTERRUPTED) {
        MUST_OF(who, tag, record->answered == 0 && record->received == 0);
        MUST_OF(who, tag, world.actors[who].pending);
    } else {
        MUST_OF(who, result, result == AX_OK);
        MUST_OF(who, tag, record->answered == 1 && record->effects == 1);
    }
    record_end(tag);
    job->asked = 1;
}

static void job_absorb(unsigned who, struct move move, ax_result result) {
    struct job *job = &world.actors[who].server.now;
    switch (move.verb) {
    case VERB_EFFECT: effect_absorb(who, result); break;
    case VERB_ANSWER:
    case VERB_ANSWER_EARLY:
    case VERB_ANSWER_RECEIVE: answer_absorb(who, move, result); break;
    case VERB_DROP:
        MUST_OF(who, result, result == AX_OK);
        if (job_is_wanted(job))
            world.records[job->tag].dropped++;
        job_end(who, false);
        break;
    case VERB_FORWARD: forward_absorb(who, result); break;
    case VERB_SERVE:
        MUST_OF(who, result,
                result == AX_OK || (result == AX_ERR_CALLER_DEAD && !job_is_wanted(job)));
        if (result == AX_OK)
            job->served = 1;
        else
            job_end(who, false);
        break;
    case VERB_OPEN: open_absorb(who, result); break;
    case VERB_RETRY: retry_absorb(who, result); break;
    case VERB_END:
        MUST_OF(who, result, result == AX_OK || (world.retired >> move.argument & 1) != 0);
        world.ended |= (uint16_t)BIT(move.argument);
        world.retired |= (uint16_t)BIT(move.argument);
        job->asked = 1;
        break;
    case VERB_SUBCALL: subcall_absorb(who, move.argument, result); break;
    default: stash_absorb(who, (enum verb)move.verb, result); break;
    }
}

/* ---- Closed sessions ------------------------------------------------------------------------- */

static void list_absorb(unsigned who, ax_result count) {
    struct server *server = &world.actors[who].server;
    struct ax_session_info info[4];
    MUST_OF(who, count, count >= 0 && count <= 4);
    memcpy(info, setting.thread[who]->page->buffer, sizeof(info));
    for (unsigned i = 0; i < count; i++) {
        MUST_OF(who, info[i].badge, info[i].handles == 0 && info[i].calls == 0);
        MUST_OF(who, info[i].badge, (world.retired >> info[i].badge & 1) == 0);
        server->retire[i] = (uint8_t)info[i].badge;
        world.announced |= (uint16_t)(1U << info[i].badge);
    }
    server->retire_count = (uint8_t)count;
    server->pc = count > 0 ? SERVER_RETIRE : SERVER_ADOPT;
}

static void retire_absorb(unsigned who, unsigned badge, ax_result result) {
    struct server *server = &world.actors[who].server;
    /* Another instance, which serves beside this one, may have been faster. */
    if (result == AX_ERR_NOT_FOUND)
        MUST_OF(who, badge, (world.retired >> badge & 1) != 0);
    else
        MUST_OF(who, result, result == AX_OK);
    world.retired |= (uint16_t)(1U << badge);
    server->retire_count--;
    memmove(server->retire, server->retire + 1, sizeof(server->retire) - 1);
    server->retire[sizeof(server->retire) - 1] = 0;
    if (server->retire_count == 0)
        server->pc = SERVER_IDLE;
}

/* The received call with this id, by its place in their order; of one whose caller is gone: 0. */
static unsigned order_of(const struct ax_call_id *id) {
    for (unsigned i = 0; i < world.received_count; i++) {
        const struct ax_call_id *at = &names.id[world.received_order[i]];
        if (at->sequence == id->sequence && at->caller == id->caller)
            return i + 1;
    }
    for (unsigned tag = 1; tag < TAGS; tag++) {
        const struct ax_call_id *at = &names.id[tag];
        if (at->sequence == id->sequence && at->caller == id->caller && !world.records[tag].sent)
            return 0;
    }
    explore_fail("call %llu of %llu waits for delivery, and nobody made it",
                 (unsigned long long)id->sequence, (unsigned long long)id->caller);
}

/* The calls that wait to be delivered again are told in the order in which they were received. */
static void redelivered_absorb(unsigned who, ax_result count) {
    const struct ax_session_info *info = (const void *)setting.thread[who]->page->buffer;
    unsigned last = 0;
    MUST_OF(who, count, count >= 0);
    for (unsigned i = 0; i < count; i++) {
        unsigned order = order_of(&info[i].id);
        MUST_OF(who, i, order == 0 || order > last);
        last = order != 0 ? order : last;
    }
    world.actors[who].server.pc = SERVER_IDLE;
}

void server_absorb(unsigned who, struct move move, ax_result result) {
    struct server *server = &world.actors[who].server;
    switch (move.verb) {
    case VERB_WAIT_GO:
        if (result == AX_ERR_INTERRUPTED) {
            server->pc = SERVER_INTERRUPTED;
            return;
        }
        MUST_OF(who, result, result == 1);
        server->pc = SERVER_LIST;
        break;
    case VERB_LIST_CLOSED: list_absorb(who, result); break;
    case VERB_LIST_REDELIVERED: redelivered_absorb(who, result); break;
    case VERB_RETIRE: retire_absorb(who, move.argument, result); break;
    case VERB_RECEIVE:
    case VERB_POLL: receive_absorb(who, result); break;
    case VERB_TAKE:
        MUST_OF(who, result, result == 1);
        world.actors[who].pending = 0;
        server->pc = SERVER_IDLE;
        break;
    case VERB_CLOSE_EXTRA:
        MUST_OF(who, result, result == AX_OK);
        if (server->leftover == EXTRA_TOKEN)
            world.tokens_at[server->leftover_badge <= BADGE_OPENED + CALLS_EACH ? 0 : 1][who]--;
        server->leftover = EXTRA_NONE;
        server->leftover_badge = 0;
        server->pc = server->now.tag != 0 ? SERVER_JOB : SERVER_IDLE;
        break;
    default: job_absorb(who, move, result); break;
    }
}

/* ---- Its end --------------------------------------------------------------------------------- */

/* Who makes the call that is at hand. */
static const struct thread *caller_of(const struct job *job) {
    if (job->tag < TAG_SUB)
        return setting.thread[(job->tag - 1) / CALLS_EACH];
    if (job->tag == TAG_BACK)
        return setting.thread[LOWER];
    return setting.thread[world.actors[S1].server.now.tag + TAG_SUB == job->tag ? S1 : S2];
}

static bool stash_holds(unsigned slot) {
    const struct slot *found = handle_slot(&setting.process[STASH]->handles, slot);
    return found != NULL && found->object != NULL;
}

void server_buried(unsigned who) {
    const struct actor *actor = &world.actors[who];
    const struct job *job = &actor->server.now;
    struct record *record = &world.records[job->tag];
    switch (actor->move.verb) {
    case VERB_ANSWER:
    case VERB_ANSWER_EARLY:
    case VERB_ANSWER_RECEIVE:
        if (job_is_wanted(job) && caller_of(job)->call.state == CALL_IDLE)
            record->answered++;
        break;
    case VERB_DROP:
        if (job_is_wanted(job) && caller_of(job)->call.state == CALL_IDLE)
            record->dropped++;
        break;
    case VERB_EFFECT: record->effects = stash_holds(STASH_EFFECTS + job->tag); break;
    case VERB_STASH_PUT:
    case VERB_STASH_TAKE:
        for (unsigned token = 0; token < 2; token++)
            world.tokens_at[token][STASH] = stash_holds(STASH_TOKENS + token);
        break;
    case VERB_OPEN:
        if (session_find(setting.endpoint[ENDPOINT_E], BADGE_OPENED + job->tag) != NULL)
            badge_renew(BADGE_OPENED + job->tag);
        break;
    default: break;
    }
}
