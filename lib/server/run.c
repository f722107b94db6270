/* SPDX-License-Identifier: MIT */
/* The loop: what is ready goes first, then what comes. */
#include <server/server.h>

#include <base/format.h>

#include "private.h"

void server_log(const struct server *server, const char *pattern, ...) {
    char line[256];
    if (server->gifts.log == AX_HANDLE_NONE)
        return;
    size_t length = format(line, sizeof(line), "%s: ", server->program->name);
    va_list arguments;
    va_start(arguments, pattern);
    length += format_list(line + length, sizeof(line) - length - 1, pattern, arguments);
    va_end(arguments);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    line[length] = '\n';
    (void)ax_log_write(server->gifts.log, line, length + 1);
}

void server_committed(struct server *server) {
    if (server->program->committed != NULL)
        server->program->committed(server);
}

bool server_commit(struct server *server, const char *what) {
    enum stash_error error = stash_commit(&server->stash);
    if (error != STASH_OK) {
        server_log(server, "%s: %s", what, stash_error_text(error));
        server_signals_drop(server);
        return false;
    }
    server_committed(server);
    server_signals_flush(server);
    return true;
}

ax_result server_bind(struct server *server, ax_handle object, uint32_t mask, uint64_t cookie) {
    return ax_endpoint_bind(server->endpoint, object, mask, cookie);
}

void server_set_due(struct server *server, uint64_t due_ns) {
    server->due_ns = due_ns;
}

static void due_happens(struct server *server) {
    server->due_ns = AX_TIME_NEVER;
    if (server->program->due == NULL)
        return;
    stash_begin(&server->stash);
    server->program->due(server);
    (void)server_commit(server, "what was due");
}

static void event_happens(struct server *server, uint64_t cookie, uint32_t signals) {
    if (server->program->event == NULL)
        return;
    stash_begin(&server->stash);
    server->program->event(server, cookie, signals);
    (void)server_commit(server, "an event");
}

static void dispatch(struct server *server, struct server_call *call) {
    const struct ax_message *message = &call->message;
    struct server_call *other;
    switch (message->kind) {
    case AX_MESSAGE_CALL:
        server_call_begin(call);
        server_point(server, SERVER_TAKEN);
        server_call_serve(call);
        return;
    case AX_MESSAGE_CLOSE:
        server_point(server, SERVER_CLOSE_RECEIVED);
        server_session_closed(server, message->badge);
        break;
    case AX_MESSAGE_EVENT:
        event_happens(server, message->badge, (uint32_t)message->words[0]);
        break;
    default:
        other = server_call_find(server, message->reply);
        if (other != NULL)
            server_call_interrupt(other, (message->flags & AX_MESSAGE_CALLER_DEAD) != 0);
        else if ((message->flags & AX_MESSAGE_CALLER_DEAD) != 0)
            (void)ax_handle_close(message->reply);
        break;
    }
    server_call_free(call);
}

/* What was set aside while answers were given. */
static void held_happens(struct server *server) {
    uint32_t count = server->event_count;
    server->event_count = 0;
    for (uint32_t i = 0; i < count; i++)
        event_happens(server, server->events[i].cookie, server->events[i].signals);
    if (server->closes_held) {
        server->closes_held = false;
        server_sessions_sweep(server);
    }
}

void server_step(struct server *server) {
    if (server->is_unsettled) {
        server_settle(server);
        held_happens(server);
        return;
    }
    if (!list_is_empty(&server->ready)) {
        (void)server_exchange(server, false, 0);
        if (!server->is_unsettled)
            (void)server_call_next(server);
        return;
    }
    if (server_exchange(server, true, server->due_ns)) {
        struct server_call *call = server->spare;
        server->spare = NULL;
        dispatch(server, call);
    } else if (server->due_ns != AX_TIME_NEVER && ax_clock_ns() >= server->due_ns) {
        due_happens(server);
    }
}

void server_give_up(struct server *server) {
    server->is_over = true;
    server->status = 1;
}

bool server_begin(struct server *server, const struct server_program *program,
                  const struct server_gifts *gifts) {
    memset(server, 0, offsetof(struct server, inline_data));
    server->program = program;
    server->gifts = *gifts;
    server->endpoint = gifts->endpoint;
    server->due_ns = AX_TIME_NEVER;
    server_calls_open(server);
    if (!server_stash_open(server))
        return false;
    if (program->adopt != NULL)
        program->adopt(server, server->root->program);
    if (server->is_over)
        return false;
    server_sessions_open(server);
    server_point(server, SERVER_ADOPTED);
    server->is_beginning = true;
    server->is_unsettled = true;
    return true;
}

int server_run(struct server *server, const struct server_program *program,
               const struct server_gifts *gifts) {
    if (!server_begin(server, program, gifts))
        return 1;
    while (!server->is_over)
        server_step(server);
    return server->status;
}
