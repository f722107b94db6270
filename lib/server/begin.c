/* SPDX-License-Identifier: MIT */
/*
 * Calls that come again, to a new instance or after their answer could not be given. Those whose
 * answer is committed get it before anything else is done, so that bytes of an answer are still
 * where they were; the others wait, with whatever comes meanwhile.
 */
#include "private.h"

static bool are_calls_coming(const struct server *server) {
    struct ax_session_info info;
    return ax_endpoint_list(server->endpoint, AX_LIST_REDELIVERED, 0, &info, 1) > 0;
}

static void call_comes(struct server *server, struct server_call *call) {
    server_call_begin(call);
    int index = stash_reply_find(&server->stash, call->message.id, &server->reply);
    if (index >= 0) {
        server_answer_set(call, index, true);
        (void)server_exchange(server, false, 0);
        return;
    }
    server_call_ready(call);
}

/* There is no room to let it wait: what was done of it is its answer. */
static void call_turn_away(struct server *server, struct server_call *call) {
    server->reply = (struct stash_reply){
        .operation = call->note != 0 ? call->note : (uint64_t)(int64_t)AX_ERR_LIMIT};
    list_remove(&call->link);
    server_answer_set(call, -1, false);
    (void)server_exchange(server, false, 0);
}

static void event_comes(struct server *server, uint64_t cookie, uint32_t signals) {
    uint32_t i = 0;
    while (i < server->event_count && server->events[i].cookie != cookie)
        i++;
    if (i == SERVER_EVENTS_MAX)
        return; /* more than can be bound */
    if (i == server->event_count)
        server->events[server->event_count++] = (struct server_event){.cookie = cookie};
    server->events[i].signals |= signals;
}

static void something_comes(struct server *server, struct server_call *call) {
    struct server_call *other;
    switch (call->message.kind) {
    case AX_MESSAGE_CALL: call_comes(server, call); return;
    case AX_MESSAGE_CLOSE: server->closes_held = true; break;
    case AX_MESSAGE_EVENT:
        event_comes(server, call->message.badge, (uint32_t)call->message.words[0]);
        break;
    default:
        other = server_call_find(server, call->message.reply);
        if (other != NULL)
            server_call_interrupt(other, (call->message.flags & AX_MESSAGE_CALLER_DEAD) != 0);
        break;
    }
    server_call_free(call);
}

/* The last two records are for the one received and the next. */
static void keep_room(struct server *server) {
    struct list *last = list_last(&server->ready);
    if (list_is_empty(&server->free) && server->calls_begun + 1 >= server->gifts.call_count &&
        last != NULL)
        call_turn_away(server, list_entry(last, struct server_call, link));
}

/* It was given back, and did not come again: nobody has the answer. */
static void untaken_settle(struct server *server) {
    struct server_call *call = server->untaken;
    struct stash_reply reply;
    int index = stash_reply_find(&server->stash, call->message.id, &reply);
    if (index >= 0 && server->program->untaken != NULL) {
        stash_begin(&server->stash);
        server->program->untaken(call, &reply);
        (void)server_commit(server, "an answer that was not taken");
    }
    if (index >= 0)
        stash_reply_given(&server->stash, index);
    server->untaken = NULL;
    server_call_free(call);
}

void server_settle(struct server *server) {
    if (server->answering != NULL)
        (void)server_exchange(server, false, 0);
    while (!server->is_over && are_calls_coming(server)) {
        keep_room(server);
        if (!server_exchange(server, true, 0))
            continue;
        struct server_call *call = server->spare;
        server->spare = NULL;
        something_comes(server, call);
    }
    server->is_unsettled = false;
    if (server->is_over)
        return;
    if (server->is_beginning)
        stash_replies_settled(&server->stash);
    if (server->untaken != NULL)
        untaken_settle(server);
    if (server->is_beginning || server->notes_full)
        server_notes_sweep(server);
    server->is_beginning = server->notes_full = false;
}
