/* SPDX-License-Identifier: MIT */
/* Counters whose server dies anywhere: each addition happens once, in the order of answers. */
#include <stdio.h>
#include <stdlib.h>

#include <proto/counter.h>
#include <servers/counter/counter.h>

#include "tests.h"
#include "world.h"

#define CLIENTS 3
#define ADDS    4

/* Each opens the named counter and one of its own, adds to both in turn, closes the second. */
struct client {
    struct thread *thread;
    ax_handle root, named, own;
    unsigned done;
    uint64_t own_value;
    bool is_calling;
};

static struct client clients[CLIENTS];
static uint64_t total; /* what was added to the named one */
static uint64_t seen;  /* the greatest value it was said to have */

static const struct ax_message *answer_of(const struct client *client) {
    return &client->thread->page->ipc.message;
}

static void ask(struct client *client, ax_handle session, uint64_t operation, uint64_t word) {
    struct ax_ipc *ipc = client_message(client->thread, operation);
    ipc->message.words[0] = word;
    ipc->message.word_count = 1;
    ipc->accept = operation == AX_COUNTER_OPEN;
    client->is_calling = true;
    client_call(client->thread, session);
}

static void next(struct client *client, unsigned index) {
    if (client->named == AX_HANDLE_NONE)
        ask(client, client->root, AX_COUNTER_OPEN, 0x65726f63); /* a name */
    else if (client->own == AX_HANDLE_NONE)
        ask(client, client->root, AX_COUNTER_OPEN, 0);
    else if (client->done % 2 == 0)
        ask(client, client->named, AX_COUNTER_ADD, index + 1);
    else
        ask(client, client->own, AX_COUNTER_ADD, 100);
}

static void take(struct client *client, unsigned index) {
    const struct ax_message *message = answer_of(client);
    client->is_calling = false;
    ck_assert_int_eq((int64_t)message->operation, 0);
    if (client->named == AX_HANDLE_NONE) {
        ck_assert_uint_eq(message->handle_count, 1);
        client->named = message->handles[0].handle;
    } else if (client->own == AX_HANDLE_NONE) {
        ck_assert_uint_eq(message->handle_count, 1);
        client->own = message->handles[0].handle;
    } else if (client->done++ % 2 == 0) {
        total += index + 1;
        ck_assert_uint_ge(message->words[0], index + 1);
        if (message->words[0] > seen)
            seen = message->words[0];
    } else {
        client->own_value += 100;
        ck_assert_uint_eq(message->words[0], client->own_value);
    }
    if (client->done == 2 * ADDS) {
        ck_assert_int_eq(kcall(client->thread, AX_CALL_HANDLE_CLOSE, client->own), AX_OK);
        client->done++;
    }
}

static bool turn(void) {
    bool moved = false;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = &clients[i];
        ax_result result;
        if (client->is_calling && client_is_answered(client->thread, &result)) {
            ck_assert_int_eq(result, AX_OK);
            take(client, i);
            moved = true;
        } else if (!client->is_calling && client->done < 2 * ADDS) {
            next(client, i);
            moved = true;
        }
    }
    return moved;
}

static void start(void) {
    world_start(&counter_program, turn);
    total = seen = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.thread = world_client(i)};
        clients[i].root = world_session(clients[i].thread, 1);
    }
}

static void check_end(void) {
    for (unsigned i = 0; i < CLIENTS; i++)
        ck_assert_uint_eq(clients[i].done, 2 * ADDS + 1);
    ck_assert_uint_eq(total, ADDS * (1 + 2 + 3));
    ck_assert_uint_eq(seen, total);
}

START_TEST(every_step_can_be_the_last) {
    unsigned step = getenv("AX_QUICK") != NULL ? 7 : 1;
    uint64_t last = 1;
    world.protect = true;
    for (bool lives = false; !lives; last += step) {
        start();
        lives = world_serve(last);
        check_end();
        world_stop();
    }
    printf("figure: counter: a death after each of %llu steps\n", (unsigned long long)last);
    ck_assert_uint_gt(last, 400);
}
END_TEST

/* Two deaths: the second at each step of the successor, while it begins and after. */
START_TEST(successors_die_too) {
    world.protect = false;
    for (uint64_t first = 40; first < 700; first += 53) {
        for (uint64_t second = 1; second < 150; second += 3) {
            start();
            world_serve_twice(first, second);
            check_end();
            world_stop();
        }
    }
}
END_TEST

TCase *server_counter_tests(void) {
    TCase *tests = tcase_create("counter");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, every_step_can_be_the_last);
    tcase_add_test(tests, successors_die_too);
    return tests;
}
