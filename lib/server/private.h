/* SPDX-License-Identifier: MIT */
/* What the files of the library use of each other. */
#pragma once

#include <base/bitmap.h>
#include <base/memory.h>
#include <proto/supervisor.h>
#include <server/server.h>

#define SERVER_NOTES_MAX 1024

/* What is in the stash before anything of the server's. */
struct server_root {
    void *program; /* what `create` made */
    struct stash_badges *badges;
    struct server_note *notes;
    struct server_label *labels;
    uint32_t note_max, label_max;
};

struct server_note {
    struct ax_call_id id; /* of caller 0: none */
    uint64_t note;
};

struct server_label {
    uint64_t label;
    uint64_t used; /* 0: the entry is free */
};

enum server_outcome {
    OUTCOME_NONE = 0,
    OUTCOME_ANSWER,
    OUTCOME_REFUSE,
    OUTCOME_PARK,
    OUTCOME_AGAIN,
    OUTCOME_FAULT, /* a page of a loan is absent */
    OUTCOME_DEAD,  /* the caller is */
};

enum server_call_state {
    CALL_FREE = 0,
    CALL_SERVED,
    CALL_PARKED,
    CALL_READY,
    CALL_ANSWERING,
};

static inline bool badge_is_supervisors(uint64_t badge) {
    return (badge >> 63) != 0;
}

/* ---- Running (run.c) --------------------------------------------------------------------------
 */

/* server_run in its parts. False: it cannot serve. */
bool server_begin(struct server *server, const struct server_program *program,
                  const struct server_gifts *gifts);
/* Until is_over. */
void server_step(struct server *server);

/* ---- Beginning (begin.c, stash.c) ------------------------------------------------------------ */

/* Maps and adopts the stash, or makes a new one. False: it cannot; logged. */
bool server_stash_open(struct server *server);
/* Sessions: drops, closes, signals. */
void server_sessions_open(struct server *server);
/* Gives committed answers to calls that come again; what comes meanwhile waits. */
void server_settle(struct server *server);

/* ---- Calls (call.c) -------------------------------------------------------------------------- */

void server_calls_open(struct server *server);
/* Room for one more; NULL: there is none. */
struct server_call *server_call_new(struct server *server);
void server_call_free(struct server_call *call);
/* By its reply handle; NULL: it is not here any more. */
struct server_call *server_call_find(struct server *server, ax_handle reply);
/* Completes what the kernel has filled in. */
void server_call_begin(struct server_call *call);
void server_call_ready(struct server_call *call);
/* Runs `call` and carries out how it ended. */
void server_call_serve(struct server_call *call);
/* Takes the first ready call up; false: there is none. */
bool server_call_next(struct server *server);
/* Its caller asks for an early answer, or is dead. */
void server_call_interrupt(struct server_call *call, bool is_dead);

/* ---- Answers (answer.c) ---------------------------------------------------------------------- */

/* The answer in server->reply is given next, with signals; `index` in the stash, or -1; with the
 * bytes that the program's `data` makes, or without. */
void server_answer_set(struct server_call *call, int index, bool with_data);
/*
 * Gives the answer that is to be given, if there is one, then receives into `spare`, if asked to:
 * true if something came.
 */
bool server_exchange(struct server *server, bool receive, uint64_t deadline_ns);

/* ---- Sessions (session.c) -------------------------------------------------------------------- */

void *server_badge_object(const struct server *server, uint64_t badge);
/* The session of that badge is closed: tells the program, forgets the badge. */
void server_session_closed(struct server *server, uint64_t badge);
/* All closed sessions that the endpoint lists. */
void server_sessions_sweep(struct server *server);
/* Makes the signal changes that are noted. */
void server_signals_flush(struct server *server);
void server_signals_drop(struct server *server);
void server_signals_set_all(struct server *server);
/* One of the supervisor's sessions has called: it has its signals then. */
void server_role_called(struct server *server, uint64_t badge);

/* ---- Tables (table.c) ------------------------------------------------------------------------ */

/* In the transaction that makes the root. */
bool server_tables_create(struct server *server, struct server_root *root);
/* Finds the notes in use. */
void server_notes_open(struct server *server);
/* The call's note, if it has one. */
void server_note_find(struct server_call *call);
/* In a transaction: it is not needed any more. */
void server_note_drop(struct server_call *call);
/* After a commit and after an abort. */
void server_note_settled(struct server_call *call, bool committed);
/* Drops notes of calls that nobody waits for. */
void server_notes_sweep(struct server *server);

/* ---- Transactions (run.c) -------------------------------------------------------------------- */

/* Commits what a callback that answers nobody has done, and makes its signal changes. */
bool server_commit(struct server *server, const char *what);
/* Tells the program of a commit. */
void server_committed(struct server *server);
