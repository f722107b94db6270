/* SPDX-License-Identifier: MIT */
/*
 * The call record, part of the calling thread, and the reply, the receiver's end of it.
 *
 *   IDLE --call--> QUEUED (endpoint->calls) --receive--> RECEIVED (reply->in_holder)
 *    ^                ^ redelivery, retry, forward  <------'  |
 *    '--- answer, withdrawal, drop, fault, death <------------'
 *
 * Everything a delivery needs was copied and allocated when the call was made.
 */
#pragma once

#include <abi/message.h>
#include <base/list.h>
#include <base/tree.h>

#include "object.h"

enum call_state { CALL_IDLE = 0, CALL_QUEUED, CALL_RECEIVED };

struct held_handle {
    struct object *object; /* a handle ref is held */
    uint32_t rights;       /* granted, with AX_HANDLE_MOVE */
    ax_handle source;      /* the caller's handle, closed at the answer if MOVE */
};

struct call {
    struct tree_node node; /* QUEUED: in endpoint->calls, by call_compare */
    uint8_t state;         /* enum call_state */
    bool redelivered;      /* given back by a dead instance */
    bool retried;          /* given back after a resolved fault */
    bool forwarded;        /* a server has received it and passed it on */
    bool interrupted;      /* an early answer has been asked for */
    uint8_t deaths;        /* instances that died serving it */
    uint8_t priority; /* the caller's effective priority: its place in the queue, and what servers
                         inherit */
    uint8_t handle_count;
    uint8_t accept;          /* handles accepted in the answer; promised in the caller's table */
    struct session *session; /* holds a ref, counted in session->calls; NULL when IDLE */
    uint64_t order;          /* received: of first receipt; else of arrival */
    uint64_t operation;
    uint64_t words[AX_MESSAGE_WORDS];
    uint8_t word_count;
    uint8_t loan_count;
    uint8_t loan_access[AX_MESSAGE_LOANS];
    struct ax_loan loans[AX_MESSAGE_LOANS];
    struct held_handle handles[AX_MESSAGE_HANDLES];
    struct ax_call_id id;
    uint64_t label;         /* the caller's when it called */
    struct reply *reply;    /* made with the thread; holds a ref */
    struct list in_session; /* QUEUED: session->queued */
};

/*
 * The receiver's end. The caller's pointer goes NULL when the caller dies; the object then lives on
 * until its holder closes the handle. Its one handle is never copied.
 */
struct reply {
    struct object object;
    struct thread *caller;      /* NULL: dead */
    struct process *holder;     /* who received the call; NULL: not RECEIVED */
    ax_handle handle;           /* in the holder's table */
    struct thread *server;      /* which thread serves it; NULL: parked */
    struct tree_node in_holder; /* holder->received */
    uint64_t endpoint_id;       /* its place there: the endpoint's, and then the call's order */
    uint64_t order;
    struct list maps; /* struct region.in_reply: loans mapped */
    uint32_t map_count;
    /* holder->interrupts: the server is to be told, that an early answer is asked for or that the
     * caller is dead; until then, of which call, and of which session (a ref). */
    struct list in_interrupts;
    struct ax_call_id id;
    struct session *session;
};

#define REPLY_MAPS_MAX 8

/* So many instances may die serving a call before it is answered FAULTED. */
#define DEATHS_MAX 2

/* ---- The caller's side (call.c) -------------------------------------------------------------- */

/* Puts a complete record into its session's endpoint and delivers if someone receives. */
void call_queue(struct call *call);

/* The thread whose record this is. */
struct thread *call_thread(struct call *call);

/*
 * Ends a call that was not answered by a server: QUEUED, RECEIVED (then the reply handle is closed
 * in the holder's table), or detached from its reply already. Handles, loans, session go; the
 * caller wakes with the error.
 */
void call_fail(struct call *call, enum ax_error error);

/* The caller dies: queued, withdrawn; received, the reply object is left to its holder, who is told
 * so. */
void call_abandon(struct thread *thread);

/* Interrupt or deadline (error INTERRUPTED or TIMEOUT): queued, withdrawn with that error;
 * received, the server is asked. */
void call_ask_early(struct thread *thread, enum ax_error error);

/* Drops what the record holds (handles, session ref) and makes it IDLE. `move`: handles marked MOVE
 * leave the caller's table (the call was answered). */
void call_clear(struct call *call, bool move);

/* Of the queued calls that an instance has received before, the first of this order or a later one;
 * else the first of the others. A node of `calls`, or NULL. */
struct tree_node *call_lower_bound(const struct tree *calls, uint64_t order);

/* The first queued call that no instance has received before, or NULL. */
struct call *call_first_fresh(const struct tree *calls);

/* The caller's effective priority is another one: while QUEUED the call changes its place. */
void call_reposition(struct call *call, uint8_t priority);

/* ---- The receiver's side (reply.c) ----------------------------------------------------------- */

/* Gives a RECEIVED call back to its endpoint: redelivered (its server died) or retried. With no
 * receiver's handle left at the endpoint it fails with PEER_CLOSED; poisoned ones with FAULTED. */
void reply_give_back(struct reply *reply, bool died);

/* The reply ends: out of the holder's lists, loans unmapped, handle closed (unless `handle_gone`).
 * The call becomes detached from it. */
void reply_detach(struct reply *reply, bool handle_gone);

/* The serving thread stops serving (receives anew, dies): the call is parked. */
void reply_park(struct thread *server);
