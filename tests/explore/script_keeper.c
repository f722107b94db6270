/* SPDX-License-Identifier: MIT */
/*
 * The keeper: disturbs the others, and keeps what must outlive servers. When S1 has ended it starts
 * S2; when both have it gives E up.
 */
#include "script_server.h"

static const struct {
    uint8_t verb, who;
} disturbances[DISTURBANCES] = {
    [KILL_S1] = {VERB_KILL, S1},
    [KILL_S2] = {VERB_KILL, S2},
    [HANG_S1] = {VERB_HANG, S1},
    [HANG_S2] = {VERB_HANG, S2},
    [KILL_C1] = {VERB_KILL, C1},
    [INTERRUPT_C1] = {VERB_INTERRUPT, C1},
    [INTERRUPT_C2] = {VERB_INTERRUPT, C2},
    [INTERRUPT_S1] = {VERB_INTERRUPT, S1},
    [SIGNAL_EVENT] = {VERB_SIGNAL, KEEPER},
    [STEAL_C1] = {VERB_STEAL, C1},
};

static void moves_disturb(const struct keeper *keeper, struct moves *moves) {
    if (keeper->count == setting.scenario->disturb_count)
        return;
    for (unsigned i = 0; i < DISTURBANCES; i++) {
        if ((setting.scenario->disturb & ~(unsigned)keeper->done & BIT(i)) != 0 &&
            !world.actors[disturbances[i].who].dead)
            moves_add(moves, disturbances[i].verb, i);
    }
}

void keeper_moves(unsigned who, struct moves *moves) {
    const struct keeper *keeper = &world.actors[who].keeper;
    moves_disturb(keeper, moves);
    if (keeper->stolen)
        moves_add(moves, VERB_CLOSE_STOLEN, 0);
    else if ((keeper->seen & BIT(S1)) == 0)
        moves_add(moves, VERB_WAIT_END, S1);
    else if (!keeper->went)
        moves_add(moves, VERB_GO, 0);
    else if ((keeper->seen & BIT(S2)) == 0)
        moves_add(moves, VERB_WAIT_END, S2);
    else if (!keeper->closed)
        moves_add(moves, VERB_CLOSE_ENDPOINT, 0);
    else
        moves_add(moves, VERB_SLEEP, 0);
}

static void interrupt_begin(unsigned target, struct hal_event *event) {
    world.actors[target].pending = 1;
    if (is_client(target) && world.actors[target].in_call)
        world.records[tag_of_call(target)].asked = 1;
    event_call(event, AX_CALL_THREAD_CONTROL, names.thread[target], AX_THREAD_INTERRUPT, 0);
}

static void end_begin(unsigned target, bool hung, struct hal_event *event) {
    if (hung)
        deaths_count(target);
    event_call(event, AX_CALL_PROCESS_END, names.process[target],
               hung ? AX_CAUSE_HUNG : AX_CAUSE_KILLED, 0);
}

void keeper_begin(unsigned who, struct move move, struct hal_event *event) {
    struct keeper *keeper = &world.actors[who].keeper;
    unsigned target = KEEPER;
    if (move.verb == VERB_KILL || move.verb == VERB_HANG || move.verb == VERB_INTERRUPT ||
        move.verb == VERB_SIGNAL || move.verb == VERB_STEAL) {
        target = disturbances[move.argument].who;
        keeper->done |= (uint16_t)BIT(move.argument);
        keeper->count++;
    }
    switch (move.verb) {
    case VERB_KILL: end_begin(target, false, event); break;
    case VERB_HANG: end_begin(target, true, event); break;
    case VERB_INTERRUPT: interrupt_begin(target, event); break;
    case VERB_SIGNAL:
        world.signalled = 2;
        event_call(event, AX_CALL_OBJECT_SIGNAL, names.event, 0, 2);
        break;
    case VERB_STEAL:
        event_call(event, AX_CALL_HANDLE_TRANSFER, names.process[C1], names.session[C1],
                   AX_PLACE_ANY, AX_RIGHT_ALL, AX_TRANSFER_MOVE);
        break;
    case VERB_CLOSE_STOLEN: event_call(event, AX_CALL_HANDLE_CLOSE, names.stolen); break;
    case VERB_GO: event_call(event, AX_CALL_OBJECT_SIGNAL, names.go[who], 0, 1); break;
    case VERB_CLOSE_ENDPOINT:
        keeper->closed = 1;
        event_call(event, AX_CALL_HANDLE_CLOSE, names.endpoint[who]);
        break;
    case VERB_WAIT_END:
        event_call(event, AX_CALL_OBJECT_WAIT, names.process[move.argument], AX_SIGNAL_ENDED,
                   AX_TIME_NEVER);
        break;
    default: event_call(event, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER); break;
    }
}

static void steal_absorb(ax_result result) {
    if (result < 0) {
        MUST_OF(KEEPER, result, result == (world.actors[C1].dead ? AX_ERR_ENDED : AX_ERR_HANDLE));
        MUST_OF(KEEPER, result, !world.actors[C1].client.has_session);
        return;
    }
    names.stolen = (ax_handle)result;
    world.actors[KEEPER].keeper.stolen = 1;
    world.actors[C1].client.has_session = 0;
}

/* It is closed, but if a call is under way through it. */
static void stolen_closed(void) {
    const struct session *session = session_find(setting.endpoint[ENDPOINT_E], BADGE_C1);
    world.actors[KEEPER].keeper.stolen = 0;
    if (session == NULL || session->state != SESSION_OPEN)
        world.closed |= BIT(BADGE_C1);
}

void keeper_absorb(unsigned who, struct move move, ax_result result) {
    struct keeper *keeper = &world.actors[who].keeper;
    switch (move.verb) {
    case VERB_KILL:
    case VERB_HANG:
    case VERB_INTERRUPT: MUST_OF(who, result, result == AX_OK || result == AX_ERR_ENDED); break;
    case VERB_GO:
        keeper->went = 1;
        MUST_OF(who, result, result == AX_OK);
        break;
    case VERB_WAIT_END:
        MUST_OF(who, result, result == AX_SIGNAL_ENDED);
        MUST(world.actors[move.argument].dead);
        keeper->seen |= (uint8_t)BIT(move.argument);
        break;
    case VERB_STEAL: steal_absorb(result); break;
    case VERB_CLOSE_STOLEN:
        MUST_OF(who, result, result == AX_OK);
        stolen_closed();
        break;
    case VERB_SLEEP: explore_fail("the keeper slept and woke: %lld", (long long)result);
    default: MUST_OF(who, result, result == AX_OK); break;
    }
}
