/* SPDX-License-Identifier: MIT */
/*
 * A server goes wrong in one of the worst ways: `planted_client call|loop|stash|later|wild|broken
 * COUNT SEED`. Who has nothing to do with it must not notice. It is the machine's first program,
 * and ends with one line that tells how it went.
 */
#include "planted.h"

#include <string.h>

#include <proto/counter.h>

#include "kills.h"

#define ADDERS    2
#define ATTACKERS 4

static ax_handle planted;
static uint32_t index_;
static unsigned count, errors;
static uint64_t seed;

static uint32_t restarts(void) {
    return status->servers[index_].restarts;
}

/* ---- Calls that may fail --------------------------------------------------------------------- */

static ax_result try_call(ax_handle session, uint64_t operation, uint64_t word, uint64_t word2,
                          struct ax_message *message) {
    const struct ax_call_options options = {.deadline_ns = AX_TIME_NEVER, .accept = 1};
    ax_message_init(message, operation);
    ax_message_word(message, word);
    ax_message_word(message, word2);
    ax_result result = ax_call(session, message, &options);
    return result == AX_OK ? (ax_result)(int64_t)message->operation : result;
}

static ax_handle try_open(void) {
    struct ax_message message;
    if (try_call(planted, AX_COUNTER_OPEN, 0, 0, &message) != AX_OK || message.handle_count != 1)
        return AX_HANDLE_NONE;
    return message.handles[0].handle;
}

/* A new session, however long it takes. */
static ax_handle must_open(void) {
    ax_handle session = try_open();
    for (; session == AX_HANDLE_NONE; session = try_open())
        errors++;
    return session;
}

static ax_result plant(enum plant what, uint64_t word, uint64_t word2) {
    struct ax_message message;
    ax_handle session = must_open();
    ax_result result = try_call(session, what, word, word2, &message);
    (void)ax_handle_close(session);
    return result;
}

/* The server counts again, from nothing or as before. */
static void must_be_well(void) {
    struct ax_message message;
    ax_handle session = must_open();
    while (try_call(session, AX_COUNTER_ADD, 1, 0, &message) != AX_OK) {
        errors++;
        (void)ax_handle_close(session);
        session = must_open();
    }
    CHECK(ax_handle_close(session) == AX_OK, "close");
}

/* Its own clients get an answer or an error, whatever it does, and come to their end. */
static void *adder(void *argument) {
    struct ax_message message;
    ax_handle session = must_open();
    (void)argument;
    client_begin();
    while (!atomic_load(&is_enough)) {
        if (try_call(session, AX_COUNTER_ADD, 1, 0, &message) == AX_OK)
            continue;
        (void)ax_handle_close(session);
        session = must_open();
    }
    return NULL;
}

static void await_clients(void) {
    for (unsigned i = 0; i < SERVERS; i++) {
        unsigned long before = atomic_load(&progress[i]);
        while (atomic_load(&progress[i]) - before < 10)
            (void)ax_sleep_until(ax_clock_ns() + 1000000);
    }
}

/* ---- What is planted ------------------------------------------------------------------------- */

/* The call of which two instances die is answered with an error. */
static void *attacker(void *argument) {
    const unsigned *number = argument;
    ax_result result = plant(*number % 2 == 0 ? PLANT_FAULT : PLANT_ABORT, 0, 0);
    CHECK(result == AX_ERR_FAULTED, "error %lld", (long long)result);
    return NULL;
}

/* One after another, each to an instance that perhaps has answered nobody, and then together. */
static void plant_calls(void) {
    static unsigned numbers[ATTACKERS];
    pthread_t threads[ATTACKERS];
    unsigned kills = 0;
    for (unsigned i = 0; i < count; i++) {
        kills += instance_kill(index_) ? 1 : 0;
        (void)attacker(&i);
    }
    for (unsigned i = 0; i < ATTACKERS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, attacker, &numbers[i]) == 0, "no thread");
    }
    for (unsigned i = 0; i < ATTACKERS; i++)
        pthread_join(threads[i], NULL);
    await_clients();
    CHECK(restarts() == 2 * (count + ATTACKERS) + kills, "%u deaths of %u calls and %u kills",
          restarts(), count + ATTACKERS, kills);
}

static void plant_loops(void) {
    for (unsigned i = 0; i < count; i++) {
        ax_result result = plant(PLANT_LOOP, 0, 0);
        CHECK(result == AX_ERR_FAULTED, "error %lld", (long long)result);
    }
    await_clients();
    CHECK(restarts() >= 2 * count, "%u deaths of %u calls", restarts(), count);
}

/* What was committed and not answered is taken back. */
static void plant_stashes(void) {
    for (unsigned i = 0; i < count; i++) {
        ax_result result = plant(PLANT_STASH, 0, 0);
        CHECK(result == AX_ERR_FAULTED, "error %lld", (long long)result);
        await_clients();
    }
}

/* What was committed and answered costs the server all it kept. */
static void plant_stashes_later(void) {
    struct ax_message message;
    for (unsigned i = 0; i < count; i++) {
        ax_handle session = must_open();
        ax_result result = plant(PLANT_STASH_LATER, 0, 0);
        CHECK(result == AX_OK, "error %lld", (long long)result);
        result = try_call(session, AX_COUNTER_ADD, 1, 0, &message);
        CHECK(result == AX_OK, "error %lld", (long long)result);
        CHECK(instance_kill(index_), "it is not there");
        result = try_call(session, AX_COUNTER_ADD, 1, 0, &message);
        CHECK(result == AX_ERR_PEER_CLOSED, "error %lld", (long long)result);
        CHECK(ax_handle_close(session) == AX_OK, "close");
        must_be_well();
    }
}

static void plant_wild(void) {
    struct random random;
    random_seed(&random, seed);
    for (unsigned i = 0; i < count; i++) {
        if (i < 2)
            (void)plant(i == 0 ? PLANT_WILD_ALL : PLANT_WILD_STASH, 0, 0);
        else
            (void)plant(PLANT_WILD_SOME, UINT64_C(1) << random_below(&random, 18),
                        random_next(&random));
        must_be_well();
    }
}

/* A server that never comes so far as to receive, and is given up: nobody waits for it. */
static void plant_broken(void) {
    struct ax_message message;
    ax_result result = try_call(ax_start_handle("broken"), AX_COUNTER_OPEN, 0, 0, &message);
    CHECK(result == AX_ERR_PEER_CLOSED, "error %lld", (long long)result);
    CHECK(status->servers[server_find("broken")].deaths == count, "%u deaths",
          status->servers[server_find("broken")].deaths);
}

static const struct {
    const char *name;
    void (*plant)(void);
    bool is_exact; /* the server's own clients must not notice either */
} modes[] = {
    {"call", plant_calls, true},    {"loop", plant_loops, true},
    {"stash", plant_stashes, true}, {"later", plant_stashes_later, false},
    {"wild", plant_wild, false},    {"broken", plant_broken, true},
};

int main(int argc, char **argv) {
    static bool is_used[SERVERS] = {true, true};
    pthread_t adders[ADDERS];
    char counts[256] = "", bytes[256] = "";
    unsigned mode = 0;
    CHECK(argc == 4, "usage: planted_client MODE COUNT SEED");
    while (mode < sizeof(modes) / sizeof(modes[0]) && strcmp(modes[mode].name, argv[1]) != 0)
        mode++;
    CHECK(mode < sizeof(modes) / sizeof(modes[0]), "no such mode");
    count = (unsigned)strtoul(argv[2], NULL, 0);
    seed = strtoull(argv[3], NULL, 0);
    supervisor_open();
    planted = ax_start_handle("planted");
    index_ = server_find("planted");
    watch_over(is_used);
    counter_start(modes[mode].is_exact ? planted : ax_start_handle("counter"), seed);
    pipe_start(ax_start_handle("pipe"), seed);
    for (unsigned i = 0; !modes[mode].is_exact && i < ADDERS; i++)
        CHECK(pthread_create(&adders[i], NULL, adder, NULL) == 0, "no thread");
    modes[mode].plant();
    await_clients();
    atomic_store(&is_enough, true);
    counter_finish(counts, sizeof(counts));
    pipe_finish(bytes, sizeof(bytes));
    for (unsigned i = 0; !modes[mode].is_exact && i < ADDERS; i++)
        pthread_join(adders[i], NULL);
    printf("planted: %s: %u deaths, %u errors: %s; %s\n", argv[1], restarts(), errors, counts,
           bytes);
    fflush(stdout);
    return 0;
}
