/* SPDX-License-Identifier: MIT */
#include "init.h"

#include <stdlib.h>
#include <string.h>

#include <proto/stream.h>
#include <sys/message.h>
#include <sys/start.h>

ax_handle control;

static char incoming[RUN_MESSAGE_MAX];
static size_t incoming_bytes, taken_bytes;

void control_open(void) {
    control = ax_start_handle("control");
}

static bool stream_write(const char *bytes, size_t size) {
    while (size > 0) {
        struct ax_message message;
        ax_message_init(&message, AX_STREAM_WRITE);
        ax_message_word(&message, 0);
        ax_message_lend(&message, bytes, size, AX_LOAN_READ);
        if (ax_call(control, &message, NULL) != AX_OK || (int64_t)message.operation <= 0)
            return false;
        bytes += message.operation;
        size -= message.operation;
    }
    return true;
}

void control_send(uint32_t kind, const uint64_t *words, const char *text, size_t length) {
    static char buffer[RUN_MESSAGE_MAX];
    struct run_message message = {.kind = kind, .text = text, .text_length = length};
    if (control == AX_HANDLE_NONE)
        return;
    if (words != NULL)
        memcpy(message.words, words, sizeof(message.words));
    if (!stream_write(buffer, run_message_write(&message, buffer)))
        control = AX_HANDLE_NONE;
}

void stream_drain(ax_handle stream) {
    struct ax_message message;
    ax_message_init(&message, AX_STREAM_DRAIN);
    if (stream != AX_HANDLE_NONE)
        (void)!ax_call(stream, &message, NULL); /* a stream that is broken is empty */
}

/* Takes in what has come. False: nothing has. */
static bool incoming_read(void) {
    struct ax_message message;
    if (incoming_bytes == sizeof(incoming))
        return false;
    ax_message_init(&message, AX_STREAM_READ);
    ax_message_word(&message, AX_STREAM_NOWAIT);
    ax_message_lend(&message, incoming, 0, AX_LOAN_READ);
    ax_message_lend(&message, incoming + incoming_bytes, sizeof(incoming) - incoming_bytes,
                    AX_LOAN_WRITE);
    if (ax_call(control, &message, NULL) != AX_OK)
        return false;
    int64_t count = (int64_t)message.operation;
    if (count <= 0) {
        if (count != AX_ERR_AGAIN)
            control = AX_HANDLE_NONE; /* the end */
        return false;
    }
    incoming_bytes += (size_t)count;
    return true;
}

bool control_take(struct run_message *message) {
    memmove(incoming, incoming + taken_bytes, incoming_bytes - taken_bytes);
    incoming_bytes -= taken_bytes;
    taken_bytes = 0;
    while (control != AX_HANDLE_NONE) {
        enum run_error error =
            run_message_read(incoming, incoming_bytes, RUN_FROM_OUTSIDE, message, &taken_bytes);
        if (error == RUN_OK)
            return true;
        taken_bytes = 0;
        if (error != RUN_MORE)
            die("a message from outside %s", run_error_text(error));
        if (!incoming_read())
            return false;
    }
    return false;
}
