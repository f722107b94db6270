/* SPDX-License-Identifier: MIT */
/* Counters: the smallest server that must do everything exactly once. */
#include "counter.h"

#include <base/memory.h>
#include <proto/counter.h>

struct counter {
    struct counter *next; /* of the named ones */
    uint64_t name[AX_COUNTER_NAME / sizeof(uint64_t)];
    uint64_t value;
    uint64_t label; /* for whom it is held */
};

struct counters {
    struct counter *named;
};

static void *create(struct server *server) {
    return stash_alloc(&server->stash, sizeof(struct counters));
}

static void adopt(struct server *server, void *root) {
    server->context = root;
}

static struct counter *find(struct server *server, const uint64_t name[2]) {
    const struct counters *counters = server->context;
    for (struct counter *counter = counters->named; counter != NULL; counter = counter->next) {
        if (counter->name[0] == name[0] && counter->name[1] == name[1])
            return counter;
    }
    return NULL;
}

/* NULL: the call is refused. */
static struct counter *make(struct server_call *call, bool is_named) {
    struct server *server = call->server;
    struct counters *counters = server->context;
    if (!server_hold(server, call->message.label, 1)) {
        server_refuse(call, AX_ERR_LIMIT);
        return NULL;
    }
    struct counter *counter = stash_alloc(&server->stash, sizeof(*counter));
    if (counter == NULL) {
        server_refuse(call, AX_ERR_MEMORY);
        return NULL;
    }
    struct counter made = {.name = {call->message.words[0], call->message.words[1]},
                           .label = call->message.label};
    if (is_named) {
        made.next = counters->named;
        /* A pointer it is: NOLINTNEXTLINE(bugprone-sizeof-expression) */
        STASH_SET(&server->stash, counters->named, counter);
    }
    stash_write(&server->stash, counter, &made, sizeof(made));
    return counter;
}

static void open_counter(struct server_call *call) {
    bool is_named = (call->message.words[0] | call->message.words[1]) != 0;
    struct counter *counter = is_named ? find(call->server, call->message.words) : NULL;
    if (counter == NULL)
        counter = make(call, is_named);
    if (counter != NULL && server_session_new(call, counter, 0) != 0)
        server_answer(call, 0);
}

static void answer_value(struct server_call *call, uint64_t value) {
    server_answer(call, 0);
    server_answer_word(call, value);
}

static void serve(struct server_call *call) {
    struct counter *counter = call->object;
    uint32_t role;
    if (server_is_role(call, &role)) {
        if (call->message.operation == AX_COUNTER_OPEN)
            open_counter(call);
        else
            server_refuse(call, AX_ERR_ARGUMENT);
        return;
    }
    switch (call->message.operation) {
    case AX_COUNTER_ADD: {
        uint64_t value = counter->value + call->message.words[0];
        STASH_SET(&call->server->stash, counter->value, value);
        answer_value(call, value);
        break;
    }
    case AX_COUNTER_GET: answer_value(call, counter->value); break;
    default: server_refuse(call, AX_ERR_ARGUMENT); break;
    }
}

static void close(struct server *server, uint64_t badge, void *object) {
    struct counter *counter = object;
    (void)badge;
    if ((counter->name[0] | counter->name[1]) != 0)
        return;
    server_release(server, counter->label, 1);
    stash_free(&server->stash, counter);
}

const struct server_program counter_program = {
    .name = "counter",
    .schema = 1,
    .log_bytes = 32768,
    .session_max = 1024,
    .label_max = 64,
    .label_limit = 512,
    .create = create,
    .adopt = adopt,
    .call = serve,
    .close = close,
};
