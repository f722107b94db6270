/* SPDX-License-Identifier: MIT */
/* Events are an object and its signals; bindings let an endpoint receive signals as messages. */
#pragma once

#include "object.h"
#include "watch.h"

struct event {
    struct object object;
};

struct binding {
    struct list in_endpoint; /* endpoint->bindings */
    struct list ready;       /* endpoint->ready_bindings */
    struct endpoint *endpoint;
    uint64_t cookie;
    struct watch watch; /* holds a ref on its object */
    struct account *account;
};
