/* SPDX-License-Identifier: MIT */
/* Each client adds to one counter of its own and to one that all share. */
#include "kills.h"

#include <proto/counter.h>

#define CLIENTS 4
#define SHARED  UINT64_C(0x6c6c61) /* a name */

struct client {
    pthread_t thread;
    ax_handle own, shared;
    uint64_t own_count, shared_count;
};

static struct client clients[CLIENTS];
static ax_handle counter;

static ax_handle counter_open(uint64_t name) {
    struct ax_message message;
    ax_message_init(&message, AX_COUNTER_OPEN);
    ax_message_word(&message, name);
    must_call(SERVER_COUNTER, counter, &message, 1);
    CHECK(message.operation == 0 && message.handle_count == 1, "status %lld, %u handles",
          (long long)message.operation, message.handle_count);
    return message.handles[0].handle;
}

static uint64_t counter_call(ax_handle session, uint64_t operation) {
    struct ax_message message;
    ax_message_init(&message, operation);
    ax_message_word(&message, 1);
    must_call(SERVER_COUNTER, session, &message, 0);
    CHECK(message.operation == 0, "status %lld", (long long)message.operation);
    return message.words[0];
}

static void *work(void *argument) {
    struct client *client = argument;
    uint64_t last = 0;
    client_begin();
    while (!atomic_load(&is_enough)) {
        uint64_t value = counter_call(client->own, AX_COUNTER_ADD);
        CHECK(value == ++client->own_count, "%llu, not %llu", (unsigned long long)value,
              (unsigned long long)client->own_count);
        value = counter_call(client->shared, AX_COUNTER_ADD);
        client->shared_count++;
        CHECK(value > last, "%llu after %llu", (unsigned long long)value, (unsigned long long)last);
        last = value;
        if (client->own_count % 64 == 0) { /* a new one now and then */
            CHECK(ax_handle_close(client->own) == AX_OK, "close");
            client->own = counter_open(0);
            client->own_count = 0;
        }
    }
    return NULL;
}

void counter_start(ax_handle server, uint64_t seed) {
    (void)seed;
    counter = server;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].own = counter_open(0);
        clients[i].shared = counter_open(SHARED);
        CHECK(pthread_create(&clients[i].thread, NULL, work, &clients[i]) == 0, "no thread");
    }
}

void counter_finish(char *text, size_t size) {
    uint64_t count = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        count += clients[i].shared_count;
    }
    uint64_t value = counter_call(clients[0].shared, AX_COUNTER_GET);
    CHECK(value == count, "%llu additions, the counter has %llu", (unsigned long long)count,
          (unsigned long long)value);
    snprintf(text, size, "%llu additions, each once", (unsigned long long)count);
}
