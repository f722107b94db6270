/* SPDX-License-Identifier: MIT */
/* Events are an object and its signals, no more; bindings let an endpoint receive signals as
 * messages. */
#pragma once

#include "watch.h"

#define BINDINGS_MAX 256 /* an endpoint: a new instance of its server gets them all at once */

/* At most one an object; it goes with its endpoint. */
struct binding {
    struct list in_endpoint; /* endpoint->bindings */
    struct list ready;       /* endpoint->ready_bindings */
    bool renewed;            /* to be delivered whatever the signals: the receiver is new */
    struct endpoint *endpoint;
    uint64_t cookie;
    struct watch watch;      /* holds a ref on its object */
    struct account *account; /* pays: of the process that made it */
};

/* Takes a ready binding: what to tell of it. From an event, the bits told are cleared. False: its
 * signals have been cleared meanwhile, there is nothing to tell. */
bool binding_take(struct binding *binding, uint64_t *cookie, uint32_t *signals);

/* A new instance of the endpoint's server begins to receive: it gets every bound object once. */
void binding_renew(struct endpoint *endpoint);
