/* SPDX-License-Identifier: MIT */
/* Random sequences of calls, made with the short path and without: no program can tell. */
#include "ipc_tests.h"

#include <base/random.h>

#define STEPS   150
#define THREADS 6

/* All that can be seen after one step. */
struct seen {
    ax_result result;
    struct ax_message message;
    uint8_t states[THREADS], blocks[THREADS], priorities[THREADS];
    uint32_t endpoint_signals, session_signals;
    uint64_t client_bytes, server_bytes;
    uint64_t sent, answered;
};

static struct thread *threads[THREADS];
static ax_handle replies[THREADS]; /* what a server thread has received and not answered */
static struct random dice;
static ax_handle event; /* of the client's: bound to the endpoint */
static uint64_t next_badge;

static void sequence_start(uint64_t seed, bool slow) {
    ipc_set_slow(slow);
    ipc_start();
    keep();
    ax_handle made = make(world.sam, AX_TYPE_EVENT);
    event = driver_copy(world.server, made, world.client, AX_RIGHT_SIGNAL);
    has_nothing(world.sam, world.endpoint);
    expect(kcall(world.sam, AX_CALL_ENDPOINT_BIND, world.endpoint, made, 0xf, 9), AX_OK);
    next_badge = 100;
    struct thread *all[THREADS] = {world.one, world.two, driver_thread_with(world.client, 18, 0),
                                   world.sam, world.sue, driver_thread_with(world.server, 18, 0)};
    memcpy(threads, all, sizeof(threads));
    memset(replies, 0, sizeof(replies));
    random_seed(&dice, seed);
}

/* A session comes and goes, and its close is announced. */
static void close_step(void) {
    ax_result made = root_call(AX_CALL_SESSION_CREATE, world.kept, next_badge++, 0);
    ck_assert_int_gt(made, 0);
    must_close(driver_root_thread(), (ax_handle)made);
}

static bool can_run(const struct thread *thread) {
    for (unsigned i = 0; i < THREADS; i++) {
        const struct thread *other = threads[i];
        if (other->state != THREAD_BLOCKED && other->priority > thread->priority)
            return false;
    }
    return thread->state != THREAD_BLOCKED;
}

static ax_result client_step(struct thread *thread) {
    struct ax_ipc *ipc = fresh(thread);
    uint64_t choice = random_below(&dice, 20);
    ipc->message.operation = random_below(&dice, 1000);
    ipc->message.word_count = (uint8_t)random_below(&dice, choice == 0 ? 17 : 6);
    for (unsigned i = 0; i < AX_MESSAGE_WORDS; i++)
        ipc->message.words[i] = random_below(&dice, 1000);
    if (choice == 1)
        ipc->accept = 1;
    if (choice == 2)
        ipc->deadline_ns = hal_time_ns() + 50;
    if (choice == 3)
        ipc->id_sequence = 5;
    if (choice == 4)
        return kcall(thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE);
    if (choice == 5)
        return kcall(thread, AX_CALL_OBJECT_SIGNAL, event, 0, 1U << random_below(&dice, 4));
    return call_again(thread, world.session);
}

static ax_result server_step(struct thread *thread, ax_handle *reply) {
    struct ax_ipc *ipc = fresh(thread);
    uint64_t choice = random_below(&dice, 12);
    ax_handle answered = choice < 10 ? *reply : AX_HANDLE_NONE;
    ipc->message.operation = random_below(&dice, 1000);
    ipc->message.word_count = (uint8_t)random_below(&dice, choice == 1 ? 17 : 6);
    for (unsigned i = 0; i < AX_MESSAGE_WORDS; i++)
        ipc->message.words[i] = random_below(&dice, 1000);
    if (choice == 2)
        ipc->receive_deadline_ns = NOW;
    if (choice == 3)
        ipc->accept = 2;
    if (choice == 4)
        return kcall(thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE);
    if (answered != AX_HANDLE_NONE)
        *reply = AX_HANDLE_NONE;
    return kcall(thread, AX_CALL_REPLY_RECEIVE, answered, choice == 0 ? 0 : world.endpoint);
}

/* A server thread that has just received a call knows its reply. */
static void learn(void) {
    for (unsigned i = 3; i < THREADS; i++) {
        const struct ax_message *at = message(threads[i]);
        if (threads[i]->state != THREAD_BLOCKED && at->kind == AX_MESSAGE_CALL && at->reply != 0 &&
            is_handle(world.server, at->reply))
            replies[i] = at->reply;
    }
}

static void look(struct seen *seen, unsigned who) {
    memset(seen, 0, sizeof(*seen));
    seen->result = driver_answer(threads[who]);
    seen->message = *message(threads[who]);
    for (unsigned i = 0; i < THREADS; i++) {
        bool is_blocked = threads[i]->state == THREAD_BLOCKED;
        seen->states[i] = is_blocked;
        seen->blocks[i] = threads[i]->block;
        seen->priorities[i] = threads[i]->priority;
    }
    seen->endpoint_signals = driver_object(world.server, world.endpoint)->signals;
    seen->session_signals = driver_object(world.client, world.session)->signals;
    seen->client_bytes = world.client_account->used_bytes;
    seen->server_bytes = world.server_account->used_bytes;
    seen->sent = kernel->counters.calls_sent;
    seen->answered = kernel->counters.calls_answered;
}

static void sequence_step(struct seen *seen) {
    unsigned who = (unsigned)random_below(&dice, THREADS);
    uint64_t choice = random_below(&dice, 30);
    if (choice == 0) {
        interrupt(threads[who]);
    } else if (choice == 1) {
        driver_advance(20);
    } else if (choice == 2) {
        close_step();
    } else if (can_run(threads[who])) {
        if (who < 3)
            (void)client_step(threads[who]);
        else
            (void)server_step(threads[who], &replies[who]);
    }
    learn();
    look(seen, who);
    driver_check_invariants();
}

START_TEST(no_program_can_tell) {
    static struct seen fast[STEPS], slow;
    uint64_t fast_calls = 0;
    for (uint64_t seed = (uint64_t)_i * 10; seed < (uint64_t)(_i + 1) * 10; seed++) {
        sequence_start(seed, false);
        for (unsigned step = 0; step < STEPS; step++)
            sequence_step(&fast[step]);
        fast_calls += kernel->counters.calls_fast;
        ipc_stop();
        sequence_start(seed, true);
        for (unsigned step = 0; step < STEPS; step++) {
            sequence_step(&slow);
            ck_assert_msg(memcmp(&slow, &fast[step], sizeof(slow)) == 0, "seed %u, step %u",
                          (unsigned)seed, step);
        }
        ck_assert_uint_eq(kernel->counters.calls_fast, 0);
        ipc_stop();
    }
    ck_assert_uint_gt(fast_calls, 0);
    ipc_set_slow(false);
}
END_TEST

void ipc_same_tests(Suite *suite) {
    TCase *tcase = tcase_create("ipc_same");
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, no_program_can_tell, 0, 5);
}
