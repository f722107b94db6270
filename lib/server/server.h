/* SPDX-License-Identifier: MIT */
/*
 * The one server loop. A server is a struct of callbacks; the loop starts an instance, receives,
 * makes a transaction of the stash around each callback, remembers the answer in it, answers,
 * parks calls and takes them up again. docs/server.md tells the order of things and why a death
 * between any two of them is harmless.
 *
 * One thread. Every callback but `adopt`, `signals`, `data` and `committed` runs in a transaction;
 * what it writes with stash_*, the answer it gives and the signals it changes happen together or
 * not at all. State outside of the stash is rebuilt by `adopt` and by parking the calls that come
 * again.
 */
#pragma once

#include <base/list.h>
#include <proto/supervisor.h>
#include <stash/stash.h>
#include <sys/message.h>

/* Where the stash is mapped, in every server: far from where programs and their memory lie. */
#define SERVER_STASH_ADDRESS UINT64_C(0x500000000000)
/* Slots of the stash's handle table: one for a stash that was refused, some for what the program
 * puts there itself in every instance, then those of lib/stash. */
#define SERVER_SLOT_REFUSED 1
#define SERVER_SLOT_PROGRAM 2
#define SERVER_SLOT_FIRST   16

/* Most bytes of a call's loan 0 that come with it, and of an answer to its loan 1. */
#define SERVER_INLINE 4096

#define SERVER_EVENTS_MAX  32
#define SERVER_SIGNALS_MAX 16
#define SERVER_ROLES_MAX   (SUPERVISOR_SERVERS * SUPERVISOR_CALLS) /* sessions it can make */

struct server;
struct server_call;

/* What a server is. Callbacks that it has no use for are NULL. */
struct server_program {
    const char *name;
    /* Of the stash: version of the structures kept in it, and the sizes it is made with. */
    uint32_t schema;
    size_t log_bytes;
    uint32_t session_max; /* sessions that exist at a time, the supervisor's not counted */
    uint32_t note_max;    /* calls that are partly done at a time */
    uint32_t label_max;   /* labels for which something is held at a time */
    uint32_t label_limit; /* units a label may hold (server_hold) */
    uint32_t accept;      /* handles accepted in a call */
    uint32_t slot_max;    /* handles that the server itself keeps in the stash */

    /* Makes what the stash begins with and returns it; NULL if that failed. */
    void *(*create)(struct server *server);
    /* A new instance: `root` is what `create` returned once. Not in a transaction; it may make some
     * of its own. */
    void (*adopt)(struct server *server, void *root);
    /* The signals that a session of this object has by the state. Not in a transaction. */
    uint32_t (*signals)(struct server *server, uint64_t badge, const void *object);
    /* The same of the supervisor's sessions of a role; NULL: none has any, ever. */
    uint32_t (*role_signals)(struct server *server, uint32_t role);

    /*
     * A call, for the first time or taken up again. Ends it in one of the ways below; the last one
     * counts, but for a refusal and a loan that failed, which stay. It may be delivered again to
     * this instance or the next, unless it was answered or has left a note: what it changes in the
     * stash is changed once.
     */
    void (*call)(struct server_call *call);
    /* A parked call has left unanswered by `call`: it was interrupted, or its caller died. */
    void (*left)(struct server_call *call);
    /*
     * The bytes that go with an answer of `call`'s to the call's loan 1, at most SERVER_INLINE; how
     * many. Made from the state as the commit left it, perhaps by a later instance: only closes can
     * have been treated since. Not in a transaction.
     */
    uint32_t (*data)(struct server_call *call, const struct stash_reply *reply, void *to);
    /* An answer with bytes could not be given, and will not be: the caller's memory is not there,
     * or it died just then. What it took may go back; the state is still that of the commit. */
    void (*untaken)(struct server_call *call, const struct stash_reply *reply);
    /* The session of this object has no handle and no call any more; its badge goes with it. */
    void (*close)(struct server *server, uint64_t badge, void *object);
    /* An object bound to the endpoint (server_bind) has these signals; 0: perhaps. */
    void (*event)(struct server *server, uint64_t cookie, uint32_t signals);
    /* The time given to server_set_due has come. */
    void (*due)(struct server *server);
    /*
     * After each commit, before anybody outside learns of it: the place to tell a device, and to
     * wake and signal by the state as it is now, whatever has changed it. Not in a transaction; it
     * may make some of its own with stash_*, after which it is not called.
     */
    void (*committed)(struct server *server);
};

/* A received call. Valid until it is answered. */
struct server_call {
    struct server *server;
    struct ax_message message; /* as it came; handles in it are closed when it is answered */
    void *object;              /* of the session's badge; NULL: one of the supervisor's */
    uint64_t note;             /* readable: what of it is done (server_note); 0: nothing */
    bool is_interrupted;       /* readable: its caller asks for an early answer */
    /* Private. */
    struct list link; /* parked: in the server's line; ready: in the loop's */
    uint64_t order;
    uint64_t note_kept; /* as the last commit left it */
    int note_index;
    uint8_t state;
    bool was_parked, is_dead, has_inline;
};

/* What an instance was given (server_main takes it from the start block). */
struct server_gifts {
    ax_handle endpoint;
    ax_handle stash; /* a process with AX_RIGHT_HANDLES */
    ax_handle stash_memory;
    ax_handle log; /* AX_HANDLE_NONE: nothing is logged */
    bool after_failure;
    bool protect; /* the stash's pages are read-only outside of commits: for development */
    /* Room for the calls that are received and not answered; at least 4. */
    struct server_call *calls;
    uint32_t call_count;
};

struct server_root;
struct stash_badges;

struct server_event {
    uint64_t cookie;
    uint32_t signals;
};

/* An instance. */
struct server {
    const struct server_program *program;
    void *context; /* the program's own */
    ax_handle endpoint;
    struct stash stash;
    /* Private. */
    struct server_gifts gifts;
    struct server_root *root;
    struct stash_badges *badges;
    uint64_t due_ns, next_order;
    /* Calls. */
    struct server_call *spare;   /* what the next message is received into */
    struct server_call *serving; /* the kernel's notion of it */
    struct list free, ready;
    uint32_t calls_begun, parked_count;
    uint64_t notes_used[16];
    /* What the callback under way has decided. */
    uint8_t outcome;
    uint32_t fault_loan;
    uint64_t fault_offset;
    struct stash_reply reply;
    uint32_t signal_count;
    bool signals_spilt;
    struct ax_signal_change signals[SERVER_SIGNALS_MAX];
    /* The supervisor's sessions that are known, if they have signals. */
    uint32_t role_count;
    uint64_t role_badges[SERVER_ROLES_MAX];
    /* The answer that is to be given next. */
    struct server_call *answering;
    int answer_index; /* in the stash; -1: nothing was committed for it */
    bool answer_with_data;
    uint32_t absent_count;
    /* Set aside while committed answers are being given. */
    bool is_unsettled, is_beginning, notes_full, closes_held, is_over;
    int status;                  /* what server_run returns */
    struct server_call *untaken; /* whose committed answer is not given yet */
    uint32_t event_count;
    struct server_event events[SERVER_EVENTS_MAX];
    uint8_t inline_data[SERVER_INLINE];
    uint8_t answer_data[SERVER_INLINE];
};

/* ---- Running ----------------------------------------------------------------------------------*/

/*
 * Serves until nobody can receive from the endpoint any more: then 0. Or an error that keeps the
 * instance from serving, which was logged.
 */
int server_run(struct server *server, const struct server_program *program,
               const struct server_gifts *gifts);

/* In `adopt`: the instance cannot serve, which was logged. server_run returns 1. */
void server_give_up(struct server *server);

/* In a program: the whole main function of a server: takes the handles from the start block. */
int server_main(const struct server_program *program, int argc, char **argv);

/* A line of the kernel's log, with the server's name. */
void server_log(const struct server *server, const char *pattern, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- How a call ends, or does not -------------------------------------------------------------*/

/* With this status; words, and sessions made by server_session_new, go with it. */
void server_answer(struct server_call *call, int64_t status);
void server_answer_word(struct server_call *call, uint64_t word);

/* With an error, and nothing that was written in this transaction happens. */
void server_refuse(struct server_call *call, int64_t status);

/*
 * Not yet: it waits in this line, in the order of arrival, until server_wake. If it has been asked
 * for an early answer, or too many wait, it is answered instead: its note, or if it has none
 * AX_ERR_INTERRUPTED or AX_ERR_LIMIT.
 */
void server_park(struct server_call *call, struct list *line);

/* What was done so far is committed, and `call` called once more at once. */
void server_again(struct server_call *call);

/*
 * Keeps a number other than 0 with the call's id, in this transaction, until it is answered: what
 * of it is done. It is what the call is answered if it ends early.
 */
void server_note(struct server_call *call, uint64_t note);

/* The first call of a line is taken up again, after the one under way, or all are. */
void server_wake(struct server *server, struct list *line);
void server_wake_all(struct server *server, struct list *line);

/* ---- Loans ------------------------------------------------------------------------------------*/

static inline uint64_t server_loan_bytes(const struct server_call *call, unsigned loan) {
    return loan < call->message.loan_count ? call->message.loans[loan].size_bytes : 0;
}

/*
 * Copies all of that part of loan 0. False: it cannot be had now, and the call's end is settled: it
 * comes again, or not, and the callback returns.
 */
[[gnu::warn_unused_result]] bool server_loan_read(struct server_call *call, uint64_t offset,
                                                  void *to, size_t size_bytes);

/* The same to loan 1; how many bytes; fewer before a page that is absent. None from offset 0 on:
 * the call's end is settled. */
[[gnu::warn_unused_result]] size_t server_loan_write(struct server_call *call, uint64_t offset,
                                                     const void *from, size_t size_bytes);

/* ---- Sessions and their signals ---------------------------------------------------------------*/

/*
 * A session for the caller, whose handle goes with the answer. Its badge, or 0: none can be had,
 * the call's end is settled, and the callback returns.
 */
[[gnu::warn_unused_result]] uint64_t server_session_new(struct server_call *call, void *object,
                                                        uint32_t signals);

/* The supervisor's session, and which role it has; false: it is one of the server's own. */
bool server_is_role(const struct server_call *call, uint32_t *role);

/* After the commit; each bit set is an edge. */
void server_signal(struct server *server, uint64_t badge, uint32_t clear, uint32_t set);
/* To all of the supervisor's sessions of a role. One that was not there when the instance began
 * gets its signals with its first call. */
void server_signal_role(struct server *server, uint32_t role, uint32_t clear, uint32_t set);

/* ---- What is held for others ------------------------------------------------------------------*/

/* Accounts units to a label in this transaction. False: it would have more than its limit. */
[[gnu::warn_unused_result]] bool server_hold(struct server *server, uint64_t label, uint32_t units);
void server_release(struct server *server, uint64_t label, uint32_t units);

/* ---- Events and time --------------------------------------------------------------------------*/

/* In `adopt`: signals of an event, timer or irq come to `event`; at most SERVER_EVENTS_MAX. */
[[gnu::warn_unused_result]] ax_result server_bind(struct server *server, ax_handle object,
                                                  uint32_t mask, uint64_t cookie);
/* AX_TIME_NEVER: never. */
void server_set_due(struct server *server, uint64_t due_ns);

/* ---- Places for tests -------------------------------------------------------------------------*/

/* Where a death is most telling. */
enum server_point {
    SERVER_ADOPTED = 0,     /* nothing was received */
    SERVER_TAKEN,           /* a call was received */
    SERVER_COMMITTED,       /* done, and neither answered nor signalled */
    SERVER_ANSWERED,        /* answered, and what it woke has not been taken up */
    SERVER_CLOSE_RECEIVED,  /* nothing was done about it */
    SERVER_CLOSE_COMMITTED, /* the badge has not been retired */
    SERVER_POINT_COUNT,
};

/* Lets others run here, now and then, in a seeded run; a test links another one ahead of it. */
void server_point(const struct server *server, enum server_point point);
