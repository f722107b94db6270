/* SPDX-License-Identifier: MIT */
/* What comes of a server's moves, but for what it receives, and whether it may be so. */
#include <string.h>

#include "handle.h"
#include "process.h"
#include "script_server.h"

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
