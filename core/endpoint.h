/* SPDX-License-Identifier: MIT */
/*
 * Endpoints and sessions. An endpoint lives, for callers, while a handle with AX_RIGHT_RECEIVE to
 * it exists anywhere: that is what keeping it means. A session is known by its badge, which is
 * unique at its endpoint until retired.
 */
#pragma once

#include <base/tree.h>

#include "call.h"
#include "object.h"

#define MEMBERS_MAX 64 /* threads that share in receiving from an endpoint */
/* Of a portion of work: with the end of a queued call all members may inherit anew. */
#define CALL_UNITS 8

struct endpoint {
    struct object object;
    uint32_t receive_handles;
    bool dead;       /* no receiver's handle any more: final */
    bool delivering; /* endpoint_deliver is at work further up */
    uint32_t member_count;
    struct list members;   /* struct thread.in_members */
    struct list receivers; /* struct thread.in_receivers: waiting, first come first */
    struct tree calls;     /* QUEUED, by call_compare */
    struct tree sessions;  /* by badge: open and closed, not retired */
    struct list closed;    /* struct session.in_closed: closes to announce, in order */
    struct list bindings;  /* struct binding.in_endpoint */
    uint32_t binding_count;
    struct list ready_bindings; /* struct binding.ready */
    uint64_t next_order;
    uint64_t interrupt_count; /* its received calls in their holders' lists of interrupts to tell */
    uint64_t instance;        /* of who last received: a new one gets bound events anew */
    uint64_t session_count, closed_count, queued_count, received_count;
    uint64_t delivered_count; /* messages, ever */
};

enum session_state {
    SESSION_OPEN = 0,
    SESSION_CLOSED,    /* to be announced */
    SESSION_ANNOUNCED, /* told, not yet retired */
    SESSION_ENDING,    /* by the server: its queued calls are being ended */
    SESSION_ENDED,     /* or retired: not listed any more */
};

struct session {
    struct object object;
    struct endpoint *endpoint; /* holds a ref */
    uint64_t badge;
    struct tree_node node; /* endpoint->sessions */
    struct list in_closed; /* endpoint->closed */
    struct list queued;    /* struct call.in_session */
    uint32_t calls;        /* not answered */
    uint8_t state;         /* enum session_state */
    bool delivered;        /* its charge has passed to who was first answered with it */
};

MUST_USE ax_result endpoint_make(struct account *account, struct object **made);

/* Delivers as long as there is something to receive and someone who waits for it. */
void endpoint_deliver(struct endpoint *endpoint);

/* There is something to receive: sets or clears AX_SIGNAL_PENDING. */
void endpoint_update(struct endpoint *endpoint);

/* A thread that waits in receive gives up; its promised slots are returned. */
void endpoint_receive_cancel(struct thread *thread);

/* The thread stops being a member: one that last received from it. */
void endpoint_leave(struct thread *thread);

/* The first session, by badge, at or after the badge: a node of endpoint->sessions. */
struct tree_node *session_lower_bound(const struct endpoint *endpoint, uint64_t badge);
struct session *session_find(const struct endpoint *endpoint, uint64_t badge);
/* Its last handle and last unanswered call are gone, or may be: announces the close. */
void session_check_closed(struct session *session);

/* No call can be made through it any more. */
static inline bool session_is_over(const struct session *session) {
    return session->state >= SESSION_ENDING || session->endpoint->dead;
}

/* A bound object has an edge; what is told is what holds when it is received. */
void binding_notify(struct binding *binding);
/* The bound object, or the endpoint, goes. */
void binding_remove(struct binding *binding);
