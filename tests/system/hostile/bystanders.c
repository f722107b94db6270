/* SPDX-License-Identifier: MIT */
/* Two processes that call each other, and look after their memory. */
#include "hostile.h"

#include <sys/message.h>

#define PATTERN_WORDS 8192
#define REST_NS       (MS / 5)
#define ANSWER(value) ((value)*3 + 1)

static uint64_t pattern[PATTERN_WORDS];
static uint8_t stack[2][STACK_BYTES] __attribute__((aligned(64)));
static ax_handle endpoint, session;

static void pattern_fill(uint64_t seed) {
    for (unsigned i = 0; i < PATTERN_WORDS; i++)
        pattern[i] = hash_mix(seed + i);
}

/* A part of it each time. */
static void pattern_check(uint64_t seed, uint64_t round) {
    for (unsigned i = (unsigned)(round % 64); i < PATTERN_WORDS; i += 64) {
        if (pattern[i] != hash_mix(seed + i))
            __atomic_fetch_add(&shared->mistakes, 1, __ATOMIC_SEQ_CST);
    }
}

static _Noreturn void server_main(void) {
    struct ax_message message = {0};
    struct ax_receive_options options = {.deadline_ns = AX_TIME_NEVER};
    ax_handle reply = AX_HANDLE_NONE;
    pattern_fill(1);
    for (uint64_t round = 0;; round++) {
        ax_result result = ax_reply_receive(reply, endpoint, &message, &options);
        reply = AX_HANDLE_NONE;
        if (result != AX_OK || message.kind != AX_MESSAGE_CALL)
            continue;
        reply = message.reply;
        message = (struct ax_message){.words = {ANSWER(message.words[0])}, .word_count = 1};
        pattern_check(1, round);
    }
}

static _Noreturn void client_main(void) {
    pattern_fill(2);
    shared->last_ns = ax_clock_ns();
    for (uint64_t round = 0;; round++) {
        struct ax_message message = {.words = {round}, .word_count = 1};
        if (ax_call(session, &message, NULL) != AX_OK || message.words[0] != ANSWER(round))
            __atomic_fetch_add(&shared->mistakes, 1, __ATOMIC_SEQ_CST);
        pattern_check(2, round);
        uint64_t now_ns = ax_clock_ns(), gap_ns = now_ns - shared->last_ns;
        shared->last_ns = now_ns;
        if (gap_ns > shared->longest_ns)
            shared->longest_ns = gap_ns;
        shared->round_trips++;
        (void)ax_sleep_until(now_ns + REST_NS);
    }
}

void bystanders_start(ax_handle processes[2]) {
    endpoint = (ax_handle)must("endpoint", ax_object_create(AX_TYPE_ENDPOINT, 0, AX_PLACE_ANY));
    session = (ax_handle)must("session", ax_session_create(endpoint, 1, 0, AX_PLACE_ANY));
    void (*const mains[])(void) = {server_main, client_main};
    for (unsigned i = 0; i < 2; i++)
        processes[i] = (ax_handle)must(
            "bystander", ax_process_clone((uint64_t)mains[i],
                                          (uint64_t)(stack[i] + STACK_BYTES - 8), 0, AX_PLACE_ANY));
    (void)ax_handle_close(endpoint);
    (void)ax_handle_close(session);
}
