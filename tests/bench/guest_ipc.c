/* SPDX-License-Identifier: MIT */
/* Calls between two processes: this one and a clone of it, which answers. */
#include "guest.h"

#include <string.h>

#include <sys/message.h>

#define TURNS       5000
#define LOANS       1000
#define WARMUP      500
#define WORDS       4
#define STACK_BYTES 16384

enum { OPERATION_ECHO = 1, OPERATION_READ = 2 };

static ax_handle endpoint;
static uint64_t server_cpus; /* which it may use; 0: all */
static uint32_t server_room; /* so much of a loan may come with a call */
static char server_stack[STACK_BYTES] __attribute__((aligned(16)));
static char server_copy[LOAN_BYTES], lent[LOAN_BYTES];

/* Runs in the clone, of which the C library knows nothing: kernel calls alone. */
static void server(uint64_t argument) {
    (void)argument;
    const struct ax_receive_options options = {
        .deadline_ns = AX_TIME_NEVER, .buffer = server_copy, .buffer_bytes = server_room};
    struct ax_message message = {0};
    ax_handle reply = AX_HANDLE_NONE;
    if (server_cpus != 0 && ax_thread_affinity(AX_HANDLE_NONE, server_cpus) < 0)
        (void)ax_process_end(AX_HANDLE_NONE, AX_CAUSE_EXIT, 1);
    for (;;) {
        if (ax_reply_receive(reply, endpoint, &message, &options) < 0)
            (void)ax_process_end(AX_HANDLE_NONE, AX_CAUSE_EXIT, 2);
        reply = message.reply;
        ax_result result = 0;
        if (message.operation == OPERATION_READ && message.inline_bytes != LOAN_BYTES)
            result = AX_ERR_ARGUMENT;
        message.operation = (uint64_t)result;
        message.loan_count = message.handle_count = 0;
        message.word_count = WORDS;
    }
}

static ax_handle server_start(void) {
    ax_result made = ax_object_create(AX_TYPE_ENDPOINT, 0, AX_PLACE_ANY);
    if (made < 0)
        die("making an endpoint", made);
    endpoint = (ax_handle)made;
    ax_result session = ax_session_create(endpoint, 1, 0, AX_PLACE_ANY);
    /* A function's stack is 8 short of a multiple of 16 at its first instruction. */
    uint64_t top = (uintptr_t)server_stack + STACK_BYTES - 8;
    ax_result child = ax_process_clone((uintptr_t)server, top, 0, AX_PLACE_ANY);
    if (session < 0 || child < 0)
        die("starting the server", session < 0 ? session : child);
    return (ax_handle)session;
}

static void call(ax_handle session, uint64_t operation) {
    struct ax_message message;
    ax_message_init(&message, operation);
    for (unsigned i = 0; i < WORDS; i++)
        ax_message_word(&message, i);
    if (operation == OPERATION_READ)
        ax_message_lend(&message, lent, LOAN_BYTES, AX_LOAN_READ);
    ax_result result = ax_call(session, &message, NULL);
    if (result != AX_OK || (int64_t)message.operation < 0)
        die("a call", result != AX_OK ? result : (int64_t)message.operation);
}

static void measure(const char *name, uint64_t operation, unsigned turns) {
    ax_handle session = server_start();
    struct count count;
    uint64_t longest_ns = 0;
    for (unsigned i = 0; i < WARMUP; i++)
        call(session, operation);
    count_begin(&count);
    uint64_t start_ns = ax_clock_ns(), last_ns = start_ns;
    for (unsigned i = 0; i < turns; i++) {
        call(session, operation);
        uint64_t now_ns = ax_clock_ns();
        if (now_ns - last_ns > longest_ns)
            longest_ns = now_ns - last_ns;
        last_ns = now_ns;
    }
    char line[64];
    count_end(&count, name, turns);
    figure_time(name, last_ns - start_ns, turns);
    snprintf(line, sizeof(line), "%s.longest", name);
    figure_time(line, longest_ns, 1);
}

void bench_ipc(void) {
    measure("call", OPERATION_ECHO, TURNS);
}

void bench_loan(void) {
    memset(lent, 1, sizeof(lent));
    memset(server_copy, 2, sizeof(server_copy));
    measure("call", OPERATION_ECHO, TURNS);
    server_room = LOAN_BYTES;
    measure("loan", OPERATION_READ, LOANS);
}

/* Client and server each on a CPU of its own. */
void bench_apart(void) {
    ax_result result = ax_thread_affinity(AX_HANDLE_NONE, 1);
    if (result < 0)
        die("staying on the first CPU", result);
    server_cpus = 2;
    measure("apart", OPERATION_ECHO, TURNS / 5);
}
