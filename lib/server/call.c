/* SPDX-License-Identifier: MIT */
/* Received calls: how each ends, or waits, or is taken up again. */
#include "private.h"

/* ---- Records --------------------------------------------------------------------------------- */

void server_calls_open(struct server *server) {
    ASSERT(server->gifts.call_count >= 4);
    list_init(&server->free);
    list_init(&server->ready);
}

struct server_call *server_call_new(struct server *server) {
    struct list *first = list_first(&server->free);
    struct server_call *call;
    if (first != NULL) {
        call = list_entry(first, struct server_call, link);
        list_remove(first);
    } else if (server->calls_begun < server->gifts.call_count) {
        call = &server->gifts.calls[server->calls_begun++];
    } else {
        return NULL;
    }
    memset(call, 0, sizeof(*call));
    list_init(&call->link);
    call->server = server;
    call->note_index = -1;
    call->state = CALL_SERVED;
    call->order = server->next_order++;
    return call;
}

void server_call_free(struct server_call *call) {
    struct server *server = call->server;
    list_remove(&call->link);
    call->state = CALL_FREE;
    if (call->message.kind == AX_MESSAGE_CALL) {
        for (unsigned i = 0; i < call->message.handle_count; i++)
            (void)ax_handle_close(call->message.handles[i].handle);
    }
    if (server->serving == call)
        server->serving = NULL;
    list_prepend(&server->free, &call->link);
}

struct server_call *server_call_find(struct server *server, ax_handle reply) {
    for (uint32_t i = 0; i < server->calls_begun; i++) {
        struct server_call *call = &server->gifts.calls[i];
        if ((call->state == CALL_PARKED || call->state == CALL_READY) &&
            call->message.reply == reply)
            return call;
    }
    return NULL;
}

void server_call_begin(struct server_call *call) {
    struct server *server = call->server;
    call->object = server_badge_object(server, call->message.badge);
    call->is_interrupted = (call->message.flags & AX_MESSAGE_INTERRUPTED) != 0;
    call->has_inline = call->message.inline_bytes > 0;
    if ((call->message.flags & (AX_MESSAGE_REDELIVERED | AX_MESSAGE_RETRIED)) != 0)
        server_note_find(call);
    if (badge_is_supervisors(call->message.badge))
        server_role_called(server, call->message.badge);
    server->serving = call;
}

void server_call_ready(struct server_call *call) {
    struct server *server = call->server;
    if (call->state == CALL_PARKED) {
        server->parked_count--;
        list_remove(&call->link);
    }
    call->state = CALL_READY;
    call->has_inline = false;
    list_append(&server->ready, &call->link);
}

/* ---- What the callback says ------------------------------------------------------------------ */

static bool is_settled(const struct server *server) {
    return server->outcome == OUTCOME_REFUSE || server->outcome == OUTCOME_FAULT ||
           server->outcome == OUTCOME_DEAD;
}

void server_answer(struct server_call *call, int64_t status) {
    struct server *server = call->server;
    if (is_settled(server))
        return;
    server->reply.operation = (uint64_t)status;
    server->outcome = OUTCOME_ANSWER;
}

void server_answer_word(struct server_call *call, uint64_t word) {
    struct stash_reply *reply = &call->server->reply;
    ASSERT(reply->word_count < AX_MESSAGE_WORDS);
    reply->words[reply->word_count++] = word;
}

void server_refuse(struct server_call *call, int64_t status) {
    struct server *server = call->server;
    server->reply = (struct stash_reply){.operation = (uint64_t)status};
    server->outcome = OUTCOME_REFUSE;
}

void server_again(struct server_call *call) {
    if (!is_settled(call->server))
        call->server->outcome = OUTCOME_AGAIN;
}

static int64_t early_status(const struct server_call *call) {
    if (call->note != 0)
        return (int64_t)call->note;
    return call->is_interrupted ? AX_ERR_INTERRUPTED : AX_ERR_LIMIT;
}

/* Once it stood in a line; now others may be first there. */
static void tell_left(struct server_call *call) {
    if (call->was_parked && call->server->program->left != NULL)
        call->server->program->left(call);
}

/* Lines are in the order of arrival, also where a call comes back that has waited before. */
static void line_insert(struct list *line, struct server_call *call) {
    struct list *place = line;
    while (place->prev != line &&
           list_entry(place->prev, struct server_call, link)->order > call->order)
        place = place->prev;
    list_insert_before(place, &call->link);
}

void server_park(struct server_call *call, struct list *line) {
    struct server *server = call->server;
    if (is_settled(server))
        return;
    if (call->is_interrupted || server->parked_count + 3 >= server->gifts.call_count) {
        server_answer(call, early_status(call));
        tell_left(call);
        return;
    }
    server->outcome = OUTCOME_PARK;
    line_insert(line, call);
}

void server_wake(struct server *server, struct list *line) {
    struct list *first = list_first(line);
    (void)server;
    if (first != NULL)
        server_call_ready(list_entry(first, struct server_call, link));
}

void server_wake_all(struct server *server, struct list *line) {
    while (!list_is_empty(line))
        server_wake(server, line);
}

/* ---- Carrying it out ------------------------------------------------------------------------- */

static void drop(struct server_call *call) {
    struct server *server = call->server;
    (void)ax_handle_close(call->message.reply);
    stash_begin(&server->stash);
    server_note_drop(call);
    tell_left(call);
    bool committed = server_commit(server, "a call whose caller died");
    server_note_settled(call, committed);
    server_call_free(call);
}

/* Without effect: an error, or what was done before. */
static void refuse(struct server_call *call, int64_t status) {
    struct server *server = call->server;
    server_signals_drop(server);
    server_note_settled(call, false);
    bool is_partial = call->note != 0;
    if (is_partial)
        status = (int64_t)call->note;
    server->reply = (struct stash_reply){.operation = (uint64_t)status};
    int index = -1;
    if (is_partial || call->was_parked) {
        stash_begin(&server->stash);
        tell_left(call);
        if (is_partial) {
            server_note_drop(call);
            index = stash_reply(&server->stash, call->message.id, &server->reply);
        }
        bool committed = server_commit(server, "a call that ends early");
        server_note_settled(call, committed);
        index = committed ? index : -1;
    }
    server_answer_set(call, index, false);
}

static int64_t commit_status(enum stash_error error) {
    return error == STASH_ERR_HEAP ? AX_ERR_MEMORY : AX_ERR_LIMIT;
}

static void answer(struct server_call *call) {
    struct server *server = call->server;
    struct stash *stash = &server->stash;
    int index = -1;
    if (stash_is_changed(stash) || call->note_index >= 0) {
        server_note_drop(call);
        index = stash_reply(stash, call->message.id, &server->reply);
    }
    enum stash_error error = stash_commit(stash);
    if (error != STASH_OK) {
        refuse(call, commit_status(error));
        return;
    }
    server_note_settled(call, true);
    if (index >= 0)
        server_point(server, SERVER_COMMITTED);
    server_committed(server);
    server_answer_set(call, index, true);
}

static void give_back(struct server_call *call) {
    struct server *server = call->server;
    ax_result result = ax_reply_control(call->message.reply, AX_REPLY_FAULT, server->fault_loan,
                                        server->fault_offset);
    if (result == AX_ERR_CALLER_DEAD) {
        drop(call);
    } else if (result != AX_OK) {
        refuse(call, AX_ERR_ADDRESS);
    } else {
        stash_begin(&server->stash);
        tell_left(call);
        (void)server_commit(server, "a call that was given back");
        server_call_free(call);
    }
}

/* It is in its line. */
static void parked(struct server_call *call) {
    struct server *server = call->server;
    call->state = CALL_PARKED;
    call->was_parked = true;
    call->has_inline = false;
    server->parked_count++;
    server->serving = NULL;
}

/* False: the callback is to be called once more. */
static bool carry_out(struct server_call *call) {
    struct server *server = call->server;
    enum stash_error error = STASH_OK;
    if (server->outcome != OUTCOME_PARK)
        list_remove(&call->link);
    switch (server->outcome) {
    case OUTCOME_ANSWER: answer(call); return true;
    case OUTCOME_PARK:
    case OUTCOME_AGAIN: error = stash_commit(&server->stash); break;
    default: stash_abort(&server->stash); break;
    }
    if (server->outcome == OUTCOME_REFUSE || error != STASH_OK) {
        list_remove(&call->link);
        refuse(call, error != STASH_OK ? commit_status(error) : (int64_t)server->reply.operation);
        return true;
    }
    if (server->outcome == OUTCOME_FAULT || server->outcome == OUTCOME_DEAD) {
        server_signals_drop(server);
        server_note_settled(call, false);
        if (server->outcome == OUTCOME_DEAD)
            drop(call);
        else
            give_back(call);
        return true;
    }
    server_note_settled(call, true);
    bool is_parked = server->outcome == OUTCOME_PARK;
    if (is_parked)
        parked(call);
    server_committed(server);
    server_signals_flush(server);
    return is_parked;
}

static void serve_once(struct server_call *call) {
    struct server *server = call->server;
    server->outcome = OUTCOME_NONE;
    server->reply = (struct stash_reply){0};
    stash_begin(&server->stash);
    server->program->call(call);
    ASSERT(server->outcome != OUTCOME_NONE);
}

void server_call_serve(struct server_call *call) {
    struct server *server = call->server;
    call->state = CALL_SERVED;
    stash_serving(&server->stash, &call->message.id);
    do
        serve_once(call);
    while (!carry_out(call));
    if (server->answering == NULL)
        stash_serving(&server->stash, NULL);
}

bool server_call_next(struct server *server) {
    struct list *first = list_first(&server->ready);
    if (first == NULL)
        return false;
    struct server_call *call = list_entry(first, struct server_call, link);
    list_remove(first);
    call->state = CALL_SERVED;
    if (call->is_dead) {
        drop(call);
        return true;
    }
    if (server->serving != call &&
        ax_reply_control(call->message.reply, AX_REPLY_SERVE, 0, 0) == AX_ERR_CALLER_DEAD) {
        drop(call);
        return true;
    }
    server->serving = call;
    server_call_serve(call);
    return true;
}

void server_call_interrupt(struct server_call *call, bool is_dead) {
    call->is_interrupted = true;
    call->is_dead = call->is_dead || is_dead;
    if (call->state == CALL_PARKED)
        server_call_ready(call);
}
