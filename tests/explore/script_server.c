/* SPDX-License-Identifier: MIT */
/*
 * Servers: an instance begins by retiring the closed sessions that it finds, then receives. Before
 * it answers a call it makes the call's effect, an object in the stash slot of the call's tag, so
 * that a successor finds it made. script_result.c says what comes of each move.
 */
#include "script_server.h"

#include <string.h>

/* ---- What it could do ------------------------------------------------------------------------ */

/* What must be done before the answer. */
static void moves_prepare(unsigned who, const struct job *job, struct moves *moves) {
    unsigned traits = setting.scenario->server;
    switch (job->request) {
    case REQUEST_FORWARD: moves_add(moves, VERB_FORWARD, job->tag); return;
    case REQUEST_POISON: moves_add(moves, VERB_FAULT, job->tag); return;
    case REQUEST_GIVE: moves_add(moves, VERB_STASH_PUT, job->tag); return;
    case REQUEST_TAKE:
        moves_add(moves, VERB_STASH_COPY, job->tag);
        if ((traits & MUST_COPY) == 0)
            moves_add(moves, VERB_STASH_TAKE, job->tag);
        return;
    case REQUEST_OPEN: moves_add(moves, VERB_OPEN, job->tag); return;
    case REQUEST_LEND:
        if (!world.records[job->tag].retried)
            moves_add(moves, VERB_RETRY, job->tag);
        break;
    case REQUEST_END:
        if (!job->asked) {
            moves_add(moves, VERB_END, BADGE_C2);
            return;
        }
        break;
    case REQUEST_SUB:
    case REQUEST_BACK:
        if (!job->asked) {
            moves_add(moves, VERB_SUBCALL, who == LOWER ? TAG_BACK : job->tag + TAG_SUB);
            return;
        }
        break;
    default: break;
    }
    moves_add(moves, VERB_EFFECT, job->tag);
    if (job->early && !job->effect && !job->again)
        moves_add(moves, VERB_ANSWER_EARLY, job->tag);
}

static bool may_park(const struct server *server) {
    const struct job *job = &server->now;
    if (job->final || server->parked_count == PARKED_MAX || job->extra != EXTRA_NONE)
        return false;
    if (job->request == REQUEST_HOLD)
        return !job->early;
    return (setting.scenario->server & MAY_PARK) != 0;
}

/* Parked calls that are only held wait for something to happen; others for nothing to do. */
static bool may_wait(const struct server *server) {
    for (unsigned i = 0; i < server->parked_count; i++) {
        if (server->parked[i].request != REQUEST_HOLD)
            return false;
    }
    return true;
}

static void moves_job(unsigned who, struct moves *moves) {
    const struct server *server = &world.actors[who].server;
    const struct job *job = &server->now;
    unsigned traits = setting.scenario->server;
    if (job->request == REQUEST_HOLD && may_park(server)) {
        moves_add(moves, may_wait(server) ? VERB_RECEIVE : VERB_POLL, 0);
        return;
    }
    if (job->ready) {
        if (may_wait(server))
            moves_add(moves, VERB_ANSWER_RECEIVE, job->tag);
        if ((traits & MAY_ANSWER) != 0 || !may_wait(server))
            moves_add(moves, VERB_ANSWER, job->tag);
    } else {
        moves_prepare(who, job, moves);
        if (may_park(server))
            moves_add(moves, VERB_POLL, 0);
        if ((traits & MAY_DROP) != 0 && !job->effect && job->extra == EXTRA_NONE)
            moves_add(moves, VERB_DROP, job->tag);
        if ((traits & MAY_SERVE) != 0 && !job->served)
            moves_add(moves, VERB_SERVE, job->tag);
    }
    if ((traits & MAY_FAULT) != 0 && job->request != REQUEST_POISON)
        moves_add(moves, VERB_FAULT, job->tag);
}

void server_moves(unsigned who, struct moves *moves) {
    const struct server *server = &world.actors[who].server;
    switch ((enum server_pc)server->pc) {
    case SERVER_GO: moves_add(moves, VERB_WAIT_GO, 0); break;
    case SERVER_LIST: moves_add(moves, VERB_LIST_CLOSED, 0); break;
    case SERVER_RETIRE: moves_add(moves, VERB_RETIRE, server->retire[0]); break;
    case SERVER_ADOPT: moves_add(moves, VERB_LIST_REDELIVERED, 0); break;
    case SERVER_IDLE:
        moves_add(moves, may_wait(server) ? VERB_RECEIVE : VERB_POLL, 0);
        if (server->exits && server->parked_count == 0 &&
            (setting.scenario->server & MAY_EXIT) != 0)
            moves_add(moves, VERB_EXIT, 0);
        break;
    case SERVER_JOB: moves_job(who, moves); break;
    case SERVER_INTERRUPTED: moves_add(moves, VERB_TAKE, 0); break;
    case SERVER_CLOSE: moves_add(moves, VERB_CLOSE_EXTRA, server->leftover_badge); break;
    }
}

/* Its caller still waits for it. */
bool job_is_wanted(const struct job *job) {
    const struct record *record = &world.records[job->tag];
    return record->sent && record->attempt == job->attempt;
}

/* ---- And how --------------------------------------------------------------------------------- */

/* The call at hand, if there is one, is parked by receiving. */
static void park(unsigned who) {
    struct server *server = &world.actors[who].server;
    if (server->now.tag == 0)
        return;
    unsigned index = server->parked_count++;
    server->parked[index] = server->now;
    server->parked[index].served = 0;
    names.parked[who][index] = names.reply[who];
    server->now = (struct job){0};
}

static void receive_begin(unsigned who, bool wait, struct hal_event *event) {
    struct ax_ipc *ipc = &setting.thread[who]->page->ipc;
    park(who);
    ipc->accept = 1;
    ipc->receive_deadline_ns = wait ? AX_TIME_NEVER : 0;
    event_call(event, AX_CALL_REPLY_RECEIVE, AX_HANDLE_NONE, names.endpoint[who]);
}

static void answer_begin(unsigned who, enum answer answer, bool receive, struct hal_event *event) {
    struct ax_ipc *ipc = &setting.thread[who]->page->ipc;
    const struct job *job = &world.actors[who].server.now;
    ipc->message.operation = answer;
    ipc->message.word_count = 1;
    ipc->message.words[0] = job->tag * UINT64_C(0x20002);
    if (answer == ANSWER_OK && job->extra != EXTRA_NONE) {
        ipc->message.handle_count = 1;
        ipc->message.handles[0] = (struct ax_message_handle){
            .handle = names.extra[who], .rights = AX_RIGHT_ALL | AX_HANDLE_MOVE};
    }
    ipc->accept = receive ? 1 : 0;
    event_call(event, AX_CALL_REPLY_RECEIVE, names.reply[who],
               receive ? names.endpoint[who] : AX_HANDLE_NONE);
}

/* The calls that threads of its process serve count its death. */
void deaths_count(unsigned who) {
    for (unsigned other = S1; other <= LOWER; other++) {
        const struct job *job = &world.actors[other].server.now;
        if (are_one(who, other) && job->served && job_is_wanted(job) &&
            setting.process[who]->state == PROCESS_OPEN)
            world.records[job->tag].deaths++;
    }
}

static void fault_begin(unsigned who, struct hal_event *event) {
    deaths_count(who);
    *event = (struct hal_event){.kind = HAL_EVENT_FAULT};
    event->fault.access = AX_PROT_READ;
    event->fault.fault = AX_FAULT_UNMAPPED;
}

static void stash_begin(unsigned who, enum verb verb, struct hal_event *event) {
    const struct job *job = &world.actors[who].server.now;
    unsigned slot = STASH_TOKENS + (job->tag - 1U) / CALLS_EACH;
    ax_handle stash = names.stash[who];
    if (verb == VERB_STASH_PUT)
        event_call(event, AX_CALL_HANDLE_TRANSFER, AX_HANDLE_NONE, names.extra[who],
                   AX_PLACE(stash, slot), AX_RIGHT_ALL, AX_TRANSFER_MOVE);
    else
        event_call(event, AX_CALL_HANDLE_TRANSFER, stash, slot, AX_PLACE_ANY, AX_RIGHT_ALL,
                   AX_TRANSFER_SLOT | (verb == VERB_STASH_TAKE ? AX_TRANSFER_MOVE : 0));
}

/* Of the lower server; its id follows from the call that is served. Or of the lower one, back. */
static void subcall_begin(unsigned who, unsigned tag, struct hal_event *event) {
    struct ax_ipc *ipc = &setting.thread[who]->page->ipc;
    const struct job *job = &world.actors[who].server.now;
    struct record *record = &world.records[tag];
    bool asks_back = job->request == REQUEST_BACK && who != LOWER;
    ipc->message.operation = tag | (uint64_t)(asks_back ? REQUEST_BACK : REQUEST_PLAIN) << 8;
    ipc->message.word_count = 1;
    ipc->message.words[0] = tag * UINT64_C(0x10001);
    if (who != LOWER) {
        ipc->id_process = names.stash[who];
        ipc->id_sequence = 100 + tag;
    }
    record->sent = 1;
    record->attempt++;
    record->received = record->answered = record->dropped = 0;
    event_call(event, AX_CALL_CALL, names.session[who]);
}

static void server_begin_job(unsigned who, struct move move, struct hal_event *event) {
    const struct server *server = &world.actors[who].server;
    switch (move.verb) {
    case VERB_EFFECT:
        event_call(event, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0,
                   AX_PLACE(names.stash[who], STASH_EFFECTS + server->now.tag));
        break;
    case VERB_ANSWER: answer_begin(who, ANSWER_OK, false, event); break;
    case VERB_ANSWER_EARLY: answer_begin(who, ANSWER_EARLY, false, event); break;
    case VERB_ANSWER_RECEIVE: answer_begin(who, ANSWER_OK, true, event); break;
    case VERB_DROP: event_call(event, AX_CALL_HANDLE_CLOSE, names.reply[who]); break;
    case VERB_FORWARD:
        if (job_is_wanted(&server->now)) {
            record_unreceive(server->now.tag);
            world.records[server->now.tag].received = 0;
            world.records[server->now.tag].deaths = 0;
        }
        event_call(event, AX_CALL_FORWARD, names.reply[who], names.forward[who]);
        break;
    case VERB_SERVE:
        event_call(event, AX_CALL_REPLY_CONTROL, names.reply[who], AX_REPLY_SERVE, 0, 0);
        break;
    case VERB_RETRY:
        if (job_is_wanted(&server->now)) {
            world.records[server->now.tag].retried = 1;
            world.records[server->now.tag].received = server->now.again;
        }
        event_call(event, AX_CALL_REPLY_CONTROL, names.reply[who], AX_REPLY_FAULT, 0, 0);
        break;
    case VERB_END:
        event_call(event, AX_CALL_SESSION_RETIRE, names.endpoint[who], move.argument,
                   AX_RETIRE_END);
        break;
    case VERB_FAULT: fault_begin(who, event); break;
    case VERB_OPEN:
        event_call(event, AX_CALL_SESSION_CREATE, names.endpoint[who],
                   BADGE_OPENED + server->now.tag, 0, AX_PLACE_ANY);
        break;
    case VERB_SUBCALL: subcall_begin(who, move.argument, event); break;
    default: stash_begin(who, (enum verb)move.verb, event); break;
    }
}

void server_begin(unsigned who, struct move move, struct hal_event *event) {
    struct server *server = &world.actors[who].server;
    switch (move.verb) {
    case VERB_WAIT_GO:
        event_call(event, AX_CALL_OBJECT_WAIT, names.go[who], 1, AX_TIME_NEVER);
        break;
    case VERB_LIST_CLOSED:
    case VERB_LIST_REDELIVERED:
        event_call(event, AX_CALL_ENDPOINT_LIST, names.endpoint[who],
                   move.verb == VERB_LIST_CLOSED ? AX_LIST_CLOSED : AX_LIST_REDELIVERED, 0);
        break;
    case VERB_RETIRE:
        event_call(event, AX_CALL_SESSION_RETIRE, names.endpoint[who], move.argument, 0);
        break;
    case VERB_RECEIVE: receive_begin(who, true, event); break;
    case VERB_POLL: receive_begin(who, false, event); break;
    case VERB_EXIT:
        server->exits = 0;
        event_call(event, AX_CALL_THREAD_EXIT, 0, 0);
        break;
    case VERB_TAKE:
        event_call(event, AX_CALL_THREAD_CONTROL, AX_HANDLE_NONE, AX_THREAD_TAKE, 0);
        break;
    case VERB_CLOSE_EXTRA: event_call(event, AX_CALL_HANDLE_CLOSE, names.leftover[who]); break;
    default: server_begin_job(who, move, event); break;
    }
}
