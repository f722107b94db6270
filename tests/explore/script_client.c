/* SPDX-License-Identifier: MIT */
/* Clients: they make their calls, and know what each may come back with. */
#include <string.h>

#include "world.h"

/* How long after its beginning a call with a deadline is to be answered soon. */
#define SOON_NS 1000

static const struct client_step *step_of(unsigned who) {
    return &setting.scenario->client[who][world.actors[who].client.pc];
}

void client_moves(unsigned who, struct moves *moves) {
    const struct client *client = &world.actors[who].client;
    if (client->must_take) {
        moves_add(moves, VERB_TAKE, 0);
        return;
    }
    switch (step_of(who)->op) {
    case DO_END: moves_add(moves, VERB_EXIT, 0); break;
    case DO_CLOSE: moves_add(moves, VERB_CLOSE, BADGE_C1 + who); break;
    case DO_CLOSE_OPENED:
        if (client->has_opened != 0)
            moves_add(moves, VERB_CLOSE, BADGE_OPENED + client->has_opened);
        else
            moves_add(moves, VERB_TAKE, 0); /* nothing to close: this does nothing */
        break;
    default: moves_add(moves, VERB_CALL, client->calls + 1U); break;
    }
}

static void call_begin(unsigned who) {
    struct client *client = &world.actors[who].client;
    const struct client_step *step = step_of(who);
    struct ax_ipc *ipc = &setting.thread[who]->page->ipc;
    client->calls++;
    unsigned tag = tag_of_call(who);
    ipc->message.operation = tag | (uint64_t)step->request << 8;
    ipc->message.word_count = 1;
    ipc->message.words[0] = tag * UINT64_C(0x10001);
    if (step->op == DO_CALL_SOON)
        ipc->deadline_ns = hal_time_ns() + SOON_NS;
    if (step->op == DO_CALL_NAMED)
        ipc->id_sequence = 100 + tag;
    if (step->request == REQUEST_GIVE) {
        ipc->message.handle_count = 1;
        ipc->message.handles[0] = (struct ax_message_handle){
            .handle = names.token[who], .rights = AX_RIGHT_ALL | AX_HANDLE_MOVE};
    }
    if (step->request == REQUEST_LEND) {
        ipc->message.loan_count = 1;
        ipc->message.loan_access[0] = AX_LOAN_READ;
        ipc->message.loans[0] = (struct ax_loan){.address = LENT_ADDRESS, .size_bytes = 100};
    }
    if (step->request == REQUEST_TAKE || step->request == REQUEST_OPEN)
        ipc->accept = 1;
    world.records[tag] =
        (struct record){.sent = 1,
                        .attempt = 1,
                        .owed = (uint16_t)(world.closed & ~world.announced & ~world.retired)};
}

void client_begin(unsigned who, struct move move, struct hal_event *event) {
    const struct client *client = &world.actors[who].client;
    switch (move.verb) {
    case VERB_TAKE:
        event_call(event, AX_CALL_THREAD_CONTROL, AX_HANDLE_NONE, AX_THREAD_TAKE, 0);
        break;
    case VERB_EXIT: event_call(event, AX_CALL_THREAD_EXIT, 0, 0); break;
    case VERB_CLOSE:
        event_call(event, AX_CALL_HANDLE_CLOSE,
                   step_of(who)->op == DO_CLOSE ? names.session[who] : names.opened[who]);
        break;
    default: {
        bool opened = step_of(who)->op == DO_CALL_OPENED && client->has_opened != 0;
        call_begin(who);
        event_call(event, AX_CALL_CALL, opened ? names.opened[who] : names.session[who]);
        break;
    }
    }
}

/* ---- What came of it ------------------------------------------------------------------------- */

static void opened_absorb(unsigned who, unsigned tag, const struct ax_message *answer) {
    struct client *client = &world.actors[who].client;
    if (answer->handle_count == 0)
        return; /* a server before this one had made it, and it closed with that */
    client->has_opened = (uint8_t)tag;
    names.opened[who] = answer->handles[0].handle;
}

static void taken_absorb(unsigned who, const struct ax_message *answer) {
    if (answer->handle_count == 0)
        return;
    names.token[who] = answer->handles[0].handle;
    world.actors[who].client.has_token = 1;
    world.tokens_at[who][who]++;
}

static void answer_absorb(unsigned who, unsigned tag) {
    const struct record *record = &world.records[tag];
    const struct ax_message *answer = &setting.thread[who]->page->ipc.message;
    struct client *client = &world.actors[who].client;
    unsigned request = step_of(who)->request;
    MUST_OF(who, tag, record->answered == 1);
    MUST_OF(who, tag, answer->words[0] == tag * UINT64_C(0x20002));
    if (request == REQUEST_GIVE) { /* moved with the answer, whatever that says */
        client->has_token = 0;
        world.tokens_at[who][who]--;
    }
    if (answer->operation == ANSWER_EARLY) {
        MUST_OF(who, tag, record->asked != 0 && record->effects == 0);
        return;
    }
    MUST_OF(who, tag, answer->operation == ANSWER_OK);
    MUST_OF(who, tag, (setting.scenario->server & NO_EFFECT) != 0 || record->effects == 1);
    if (request == REQUEST_OPEN)
        opened_absorb(who, tag, answer);
    if (request == REQUEST_TAKE)
        taken_absorb(who, answer);
}

static void call_absorb(unsigned who, ax_result result) {
    struct client *client = &world.actors[who].client;
    unsigned tag = tag_of_call(who);
    struct record *record = &world.records[tag];
    MUST_OF(who, tag, record->sent == 1);
    switch (result) {
    case AX_OK: answer_absorb(who, tag); break;
    case AX_ERR_INTERRUPTED:
        MUST_OF(who, tag, world.actors[who].pending);
        MUST_OF(who, tag, record->known == 0 && record->effects == 0);
        client->must_take = 1;
        break;
    case AX_ERR_TIMEOUT:
        MUST_OF(who, tag, step_of(who)->op == DO_CALL_SOON);
        MUST_OF(who, tag, record->known == 0 && record->effects == 0);
        break;
    case AX_ERR_HANDLE: MUST_OF(who, tag, !client->has_session && record->known == 0); break;
    case AX_ERR_DROPPED: MUST_OF(who, tag, record->dropped == 1 && record->answered == 0); break;
    case AX_ERR_FAULTED:
        MUST_OF(who, tag, record->deaths == DEATHS_MAX && record->answered == 0);
        break;
    case AX_ERR_PEER_CLOSED:
        MUST_OF(who, tag,
                world.actors[KEEPER].keeper.closed || setting.scenario->unkept ||
                    (world.ended >> (BADGE_C1 + who) & 1) != 0);
        MUST_OF(who, tag, record->answered == 0);
        break;
    default: explore_fail("%s: call %u ended with %lld", who_name(who), tag, (long long)result);
    }
    record_end(tag);
    client->pc++;
}

static void close_absorb(unsigned who, unsigned badge, ax_result result) {
    struct client *client = &world.actors[who].client;
    bool is_first = badge == BADGE_C1 + who;
    client->pc++;
    if (is_first && !client->has_session) {
        MUST_OF(who, badge, result == AX_ERR_HANDLE);
        return;
    }
    MUST_OF(who, badge, result == AX_OK);
    world.closed |= (uint16_t)(1U << badge);
    if (is_first)
        client->has_session = 0;
    else
        client->has_opened = 0;
}

void client_absorb(unsigned who, struct move move, ax_result result) {
    struct client *client = &world.actors[who].client;
    switch (move.verb) {
    case VERB_TAKE:
        MUST_OF(who, result, result == world.actors[who].pending);
        world.actors[who].pending = 0;
        if (client->must_take)
            client->must_take = 0;
        else
            client->pc++;
        break;
    case VERB_CLOSE: close_absorb(who, move.argument, result); break;
    case VERB_CALL: call_absorb(who, result); break;
    default: explore_fail("%s returned from its end", who_name(who));
    }
}
