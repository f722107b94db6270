/* SPDX-License-Identifier: MIT */
/* What a server receives, and whether it may be so. */
#include <string.h>

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

/* An early answer is asked for: of a call that its process holds, which was not told of before. Or
 * its caller is dead, which TAG_BACK's sees later than who is told. */
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
    if ((message->flags & AX_MESSAGE_CALLER_DEAD) != 0) {
        MUST_OF(who, job->tag, !job_is_wanted(job) || job->tag == TAG_BACK);
        job->final = 1; /* nobody tells of it again if another thread parks it now */
    } else {
        MUST_OF(who, job->tag, world.records[job->tag].asked && !world.records[job->tag].told);
        world.records[job->tag].told = 1;
        job->early = 1;
    }
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

void receive_absorb(unsigned who, ax_result result) {
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
