/* SPDX-License-Identifier: MIT */
/*
 * Messages: building one, calling, receiving, answering. The caller keeps a struct ax_message of
 * its own; it is copied into the thread page for the kernel call, and what came from there.
 *
 *     struct ax_message message;
 *     ax_message_init(&message, SOME_OPERATION);
 *     ax_message_word(&message, 42);
 *     ax_message_lend(&message, data, size_bytes, AX_LOAN_READ);
 *     ax_result result = ax_call(session, &message, NULL);
 *     if (result == AX_OK && (int64_t)message.operation >= 0) ...
 */
#pragma once

#include <sys/ax.h>

/* ---- Building -------------------------------------------------------------------------------- */

static inline void ax_message_init(struct ax_message *message, uint64_t operation) {
    message->operation = operation;
    message->word_count = message->handle_count = message->loan_count = 0;
}

/* What does not fit is counted nevertheless, and the kernel refuses the message. */
static inline void ax_message_word(struct ax_message *message, uint64_t word) {
    if (message->word_count < AX_MESSAGE_WORDS)
        message->words[message->word_count] = word;
    message->word_count++;
}

/* `rights` with AX_HANDLE_MOVE where the handle shall leave the sender. */
static inline void ax_message_handle(struct ax_message *message, ax_handle handle,
                                     uint32_t rights) {
    if (message->handle_count < AX_MESSAGE_HANDLES)
        message->handles[message->handle_count] = (struct ax_message_handle){handle, rights};
    message->handle_count++;
}

/* The next loan; enum ax_loan_access. One of size 0 keeps the place of loan 0. */
static inline void ax_message_lend(struct ax_message *message, const void *address,
                                   size_t size_bytes, uint32_t access) {
    unsigned i = message->loan_count++;
    if (i >= AX_MESSAGE_LOANS)
        return;
    message->loan_access[i] = (uint8_t)access;
    message->loans[i] = (struct ax_loan){(uintptr_t)address, size_bytes};
}

/* ---- To and from the thread page ------------------------------------------------------------- */

static inline size_t ax_message_words_used(const struct ax_message *message) {
    return message->word_count < AX_MESSAGE_WORDS ? message->word_count : AX_MESSAGE_WORDS;
}

/* Words beyond those used, and what is only told, are left as they are. */
static inline void ax_message_put(struct ax_thread_page *page, const struct ax_message *message) {
    struct ax_message *to = &page->ipc.message;
    to->operation = message->operation;
    for (size_t i = 0; i < ax_message_words_used(message); i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): as many were put there */
        to->words[i] = message->words[i];
    to->word_count = message->word_count;
    to->handle_count = message->handle_count;
    to->loan_count = message->loan_count;
    for (unsigned i = 0; i < message->loan_count && i < AX_MESSAGE_LOANS; i++) {
        to->loan_access[i] = message->loan_access[i];
        to->loans[i] = message->loans[i];
    }
    for (unsigned i = 0; i < message->handle_count && i < AX_MESSAGE_HANDLES; i++)
        to->handles[i] = message->handles[i];
}

/* ---- Calling --------------------------------------------------------------------------------- */

/* What a call can be given besides; all zero is the usual, but for the deadline. */
struct ax_call_options {
    uint64_t deadline_ns; /* AX_TIME_NEVER: none */
    uint64_t id_sequence; /* 0: the next one */
    ax_handle id_process; /* 0, or the stash in whose name */
    uint32_t accept;      /* handles accepted in the answer */
    ax_place place;       /* where they go; AX_PLACE_ANY */
};

/*
 * Sends the message and blocks until it is answered; the answer takes its place. `options` NULL:
 * no deadline, no handles. A result of AX_OK means that the server answered; what it said is in
 * message->operation.
 */
AX_CHECKED ax_result ax_call(ax_handle session, struct ax_message *message,
                             const struct ax_call_options *options) {
    static const struct ax_call_options usual = {.deadline_ns = AX_TIME_NEVER};
    struct ax_thread_page *page = ax_thread_page();
    if (options == NULL)
        options = &usual;
    ax_message_put(page, message);
    page->ipc.deadline_ns = options->deadline_ns;
    page->ipc.id_sequence = options->id_sequence;
    page->ipc.id_process = options->id_process;
    page->ipc.accept = options->accept;
    page->ipc.options = 0;
    page->ipc.place = options->place;
    ax_result result = ax_kernel(AX_CALL_CALL, session, 0, 0, 0, 0);
    if (result == AX_OK)
        *message = page->ipc.message;
    return result;
}

/* ---- Receiving and answering ----------------------------------------------------------------- */

struct ax_receive_options {
    uint64_t deadline_ns;  /* of the wait for a message; AX_TIME_NEVER: none */
    uint32_t accept;       /* handles accepted in a message */
    ax_place place;        /* where they go */
    void *buffer;          /* where the first bytes of loan 0 go */
    uint32_t buffer_bytes; /* at most AX_INLINE_MAX; 0: none */
    /* Of the answer: bytes for the answered call's loan 1, and signals of sessions. */
    uint32_t data_bytes; /* at most AX_INLINE_MAX */
    const void *data;
    struct ax_signal_change changes[2];
    uint32_t change_count;
};

/*
 * Answers `reply` with the message (AX_HANDLE_NONE: nothing to answer), then receives the next one
 * from `endpoint` into it (AX_HANDLE_NONE: only answers).
 */
AX_CHECKED ax_result ax_reply_receive(ax_handle reply, ax_handle endpoint,
                                      struct ax_message *message,
                                      const struct ax_receive_options *options) {
    struct ax_thread_page *page = ax_thread_page();
    if (reply != AX_HANDLE_NONE)
        ax_message_put(page, message);
    page->ipc.accept = options->accept;
    page->ipc.buffer = (uintptr_t)options->buffer;
    page->ipc.buffer_bytes = options->buffer_bytes;
    page->ipc.data_bytes = options->data_bytes;
    page->ipc.data = (uintptr_t)options->data;
    page->ipc.receive_deadline_ns = options->deadline_ns;
    page->ipc.changes[0] = options->changes[0];
    page->ipc.changes[1] = options->changes[1];
    page->ipc.change_count = options->change_count;
    page->ipc.options = 0;
    page->ipc.place = options->place;
    ax_result result = ax_kernel(AX_CALL_REPLY_RECEIVE, reply, endpoint, 0, 0, 0);
    if (result == AX_OK && endpoint != AX_HANDLE_NONE)
        *message = page->ipc.message;
    return result;
}

/* Passes a received call on through a session; with another message, if one is given. */
AX_CHECKED ax_result ax_forward(ax_handle reply, ax_handle session,
                                const struct ax_message *message) {
    uint32_t flags = 0;
    if (message != NULL) {
        ax_message_put(ax_thread_page(), message);
        flags = AX_FORWARD_MESSAGE;
    }
    return ax_kernel(AX_CALL_FORWARD, reply, session, flags, 0, 0);
}
