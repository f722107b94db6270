/* SPDX-License-Identifier: MIT */
/* Sessions: their badges, their ends, their signals. */
#include "private.h"

#define SESSION_RIGHTS (AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE)
#define LIST_MAX       (AX_BUFFER_BYTES / sizeof(struct ax_session_info))

void *server_badge_object(const struct server *server, uint64_t badge) {
    return badge_is_supervisors(badge) ? NULL
                                       : stash_badge_object(&server->stash, server->badges, badge);
}

bool server_is_role(const struct server_call *call, uint32_t *role) {
    if (!badge_is_supervisors(call->message.badge))
        return false;
    *role = SUPERVISOR_BADGE_ROLE(call->message.badge);
    return true;
}

uint64_t server_session_new(struct server_call *call, void *object, uint32_t signals) {
    struct server *server = call->server;
    struct stash *stash = &server->stash;
    struct stash_reply *reply = &server->reply;
    ASSERT(reply->handle_count < AX_MESSAGE_HANDLES);
    uint64_t badge = stash_badge_new(stash, server->badges, object);
    uint32_t slot = stash_slot_reserve(stash);
    if (badge == 0 || slot == 0) {
        server_refuse(call, AX_ERR_LIMIT);
        return 0;
    }
    ax_place place = AX_PLACE(server->gifts.stash, slot);
    ax_result result = ax_session_create(server->endpoint, badge, signals, place);
    if (result == AX_ERR_EXISTS) {
        /* Left by a transaction that was aborted: the badge, the slot, or both. */
        (void)ax_session_retire(server->endpoint, badge, AX_RETIRE_END);
        stash->hooks.slot_close(stash->hooks.context, slot);
        result = ax_session_create(server->endpoint, badge, signals, place);
    }
    if (result < 0) {
        server_refuse(call, result);
        return 0;
    }
    reply->handles[reply->handle_count].slot = slot;
    reply->handles[reply->handle_count].rights = SESSION_RIGHTS;
    reply->handle_count++;
    return badge;
}

static void signals_set(const struct server *server, uint64_t badge, uint32_t signals) {
    (void)ax_session_signal(server->endpoint, badge, AX_SIGNAL_SERVED & ~signals, signals);
}

/* ---- The supervisor's sessions ----------------------------------------------------------------
 */

static uint32_t role_find(const struct server *server, uint64_t badge) {
    uint32_t i = 0;
    while (i < server->role_count && server->role_badges[i] != badge)
        i++;
    return i;
}

void server_role_called(struct server *server, uint64_t badge) {
    const struct server_program *program = server->program;
    uint32_t i = role_find(server, badge);
    if (program->role_signals == NULL || i < server->role_count || i == SERVER_ROLES_MAX)
        return;
    server->role_badges[server->role_count++] = badge;
    signals_set(server, badge, program->role_signals(server, SUPERVISOR_BADGE_ROLE(badge)));
}

static void role_forget(struct server *server, uint64_t badge) {
    uint32_t i = role_find(server, badge);
    if (i < server->role_count)
        server->role_badges[i] = server->role_badges[--server->role_count];
}

/* Those that are there already. */
static void roles_open(struct server *server) {
    struct ax_session_info infos[LIST_MAX];
    uint64_t cursor = SUPERVISOR_BADGE(0, 0);
    while (cursor != 0 && server->program->role_signals != NULL) {
        ax_result count = ax_endpoint_list(server->endpoint, AX_LIST_LIVE, cursor, infos, LIST_MAX);
        if (count <= 0)
            return;
        for (ax_result i = 0; i < count; i++) {
            cursor = infos[i].badge + (infos[i].is_hint != 0 ? 0 : 1);
            if (infos[i].is_hint == 0)
                server_role_called(server, infos[i].badge);
        }
    }
}

/* ---- Closes ---------------------------------------------------------------------------------- */

void server_session_closed(struct server *server, uint64_t badge) {
    void *object = server_badge_object(server, badge);
    if (object != NULL) {
        stash_begin(&server->stash);
        if (server->program->close != NULL)
            server->program->close(server, badge, object);
        stash_badge_free(&server->stash, server->badges, badge);
        enum stash_error error = stash_commit(&server->stash);
        if (error != STASH_OK) { /* it stays listed: the next instance finds it */
            server_log(server, "a close: %s", stash_error_text(error));
            server_signals_drop(server);
            return;
        }
        server_point(server, SERVER_CLOSE_COMMITTED);
        server_committed(server);
    }
    role_forget(server, badge);
    (void)ax_session_retire(server->endpoint, badge, 0);
    server_signals_flush(server);
}

void server_sessions_sweep(struct server *server) {
    struct ax_session_info infos[LIST_MAX];
    uint64_t cursor = 0;
    for (;;) {
        ax_result count =
            ax_endpoint_list(server->endpoint, AX_LIST_CLOSED, cursor, infos, LIST_MAX);
        if (count <= 0)
            return;
        for (ax_result i = 0; i < count; i++) {
            cursor = infos[i].badge + (infos[i].is_hint != 0 ? 0 : 1);
            if (infos[i].is_hint == 0)
                server_session_closed(server, infos[i].badge);
        }
        if (cursor == 0)
            return;
    }
}

/* ---- A new instance -------------------------------------------------------------------------- */

/* Sessions of transactions that were not committed, or are not any more. */
static void strangers_drop(struct server *server) {
    struct ax_session_info infos[LIST_MAX];
    uint64_t cursor = 0;
    for (;;) {
        ax_result count = ax_endpoint_list(server->endpoint, AX_LIST_LIVE, cursor, infos, LIST_MAX);
        if (count <= 0)
            return;
        for (ax_result i = 0; i < count; i++) {
            uint64_t badge = infos[i].badge;
            if (badge_is_supervisors(badge))
                return; /* they are the last ones */
            cursor = badge + (infos[i].is_hint != 0 ? 0 : 1);
            if (infos[i].is_hint == 0 && server_badge_object(server, badge) == NULL)
                (void)ax_session_retire(server->endpoint, badge, AX_RETIRE_END);
        }
    }
}

/* Badges without a session: the endpoint is another one, or a commit was undone. */
static void orphans_close(struct server *server) {
    uint64_t badge = 0;
    while ((badge = stash_badge_next(&server->stash, server->badges, badge)) != 0) {
        if (ax_session_signal(server->endpoint, badge, 0, 0) == AX_ERR_NOT_FOUND)
            server_session_closed(server, badge);
    }
}

void server_sessions_open(struct server *server) {
    strangers_drop(server);
    orphans_close(server);
    server_sessions_sweep(server);
    server_signals_set_all(server);
    roles_open(server);
}

/* ---- Signals --------------------------------------------------------------------------------- */

void server_signal(struct server *server, uint64_t badge, uint32_t clear, uint32_t set) {
    struct ax_signal_change *changes = server->signals;
    uint32_t i = 0;
    while (i < server->signal_count && changes[i].badge != badge)
        i++;
    if (i == SERVER_SIGNALS_MAX) {
        server->signals_spilt = true;
        return;
    }
    if (i == server->signal_count)
        changes[server->signal_count++] = (struct ax_signal_change){.badge = badge};
    changes[i].clear = (changes[i].clear & ~set) | clear;
    changes[i].set = (changes[i].set & ~clear) | set;
}

void server_signal_role(struct server *server, uint32_t role, uint32_t clear, uint32_t set) {
    for (uint32_t i = 0; i < server->role_count; i++) {
        if (SUPERVISOR_BADGE_ROLE(server->role_badges[i]) == role)
            server_signal(server, server->role_badges[i], clear, set);
    }
}

void server_signals_set_all(struct server *server) {
    const struct server_program *program = server->program;
    uint64_t badge = 0;
    while (program->signals != NULL &&
           (badge = stash_badge_next(&server->stash, server->badges, badge)) != 0) {
        const void *object = server_badge_object(server, badge);
        signals_set(server, badge, program->signals(server, badge, object));
    }
    for (uint32_t i = 0; i < server->role_count; i++) {
        badge = server->role_badges[i];
        signals_set(server, badge, program->role_signals(server, SUPERVISOR_BADGE_ROLE(badge)));
    }
}

void server_signals_drop(struct server *server) {
    server->signal_count = 0;
    server->signals_spilt = false;
}

void server_signals_flush(struct server *server) {
    for (uint32_t i = 0; i < server->signal_count; i++) {
        const struct ax_signal_change *change = &server->signals[i];
        (void)ax_session_signal(server->endpoint, change->badge, change->clear, change->set);
    }
    if (server->signals_spilt)
        server_signals_set_all(server);
    server_signals_drop(server);
}
