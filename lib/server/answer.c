/* SPDX-License-Identifier: MIT */
/*
 * Giving answers. One is outstanding at a time: it is given in the same kernel call with which the
 * next message is received, if nothing else is ready.
 */
#include "private.h"

void server_answer_set(struct server_call *call, int index, bool with_data) {
    struct server *server = call->server;
    ASSERT(server->answering == NULL);
    call->state = CALL_ANSWERING;
    server->answering = call;
    server->answer_index = index;
    server->answer_with_data = with_data;
}

/* The kernel has the answer, or nobody wants it. */
static void given(struct server *server) {
    struct server_call *call = server->answering;
    server->answering = NULL;
    if (server->answer_index >= 0)
        stash_reply_given(&server->stash, server->answer_index);
    else
        stash_answered(&server->stash);
    server_signals_flush(server); /* those that did not go with it */
    server_point(server, SERVER_ANSWERED);
    server_call_free(call);
}

/* Handles of the answer, from the stash into the own table: they are moved from there. */
static ax_result handles_fetch(struct server *server, struct ax_message *message) {
    const struct stash_reply *reply = &server->reply;
    for (uint32_t i = 0; i < reply->handle_count; i++) {
        ax_result handle =
            ax_handle_transfer(server->gifts.stash, reply->handles[i].slot, AX_PLACE_ANY,
                               reply->handles[i].rights, AX_TRANSFER_SLOT);
        if (handle < 0)
            return handle;
        ax_message_handle(message, (ax_handle)handle, reply->handles[i].rights | AX_HANDLE_MOVE);
    }
    return AX_OK;
}

static void handles_drop(const struct ax_message *message) {
    for (unsigned i = 0; i < message->handle_count; i++)
        (void)ax_handle_close(message->handles[i].handle);
}

static ax_result answer_prepare(struct server *server, struct ax_message *message,
                                struct ax_receive_options *options) {
    const struct stash_reply *reply = &server->reply;
    ax_message_init(message, reply->operation);
    for (uint32_t i = 0; i < reply->word_count; i++)
        ax_message_word(message, reply->words[i]);
    if (server->answer_with_data && server->program->data != NULL) {
        options->data = server->answer_data;
        options->data_bytes = server->program->data(server->answering, reply, server->answer_data);
    }
    if (!server->signals_spilt) {
        while (options->change_count < 2 && options->change_count < server->signal_count) {
            options->changes[options->change_count] = server->signals[options->change_count];
            options->change_count++;
        }
    }
    return handles_fetch(server, message);
}

/* Changes that went with the answer are made. */
static void changes_made(struct server *server, uint32_t count) {
    for (uint32_t i = count; i < server->signal_count; i++)
        server->signals[i - count] = server->signals[i];
    server->signal_count -= count;
}

/*
 * Bytes of the answer go to a page that is absent: the call is given back, and comes again with the
 * page there. They touch two pages at most; which of them it was is not told.
 */
static bool give_back(struct server *server, uint32_t data_bytes) {
    struct server_call *call = server->answering;
    uint64_t offset = server->absent_count++ % 2 == 0 ? 0 : data_bytes - 1;
    server_signals_flush(server);
    if (ax_reply_control(call->message.reply, AX_REPLY_FAULT, 1, offset) != AX_OK)
        return false;
    server->answering = NULL;
    if (server->answer_index >= 0 && server->untaken == NULL) {
        server->is_unsettled = true;
        server->untaken = call;
    } else {
        server_call_free(call);
    }
    return true;
}

/* The answer cannot be given as it is: the caller is told why instead. */
static void answer_fail(struct server *server, ax_result error) {
    struct ax_message message;
    struct ax_receive_options options = {0};
    ax_handle reply = server->answering->message.reply;
    ax_message_init(&message, (uint64_t)error);
    if (ax_reply_receive(reply, AX_HANDLE_NONE, &message, &options) != AX_OK)
        (void)ax_handle_close(reply);
    given(server);
}

static bool is_receive_error(ax_result result) {
    return result == AX_ERR_TIMEOUT || result == AX_ERR_INTERRUPTED || result == AX_ERR_PEER_CLOSED;
}

/* Nothing came. */
static void receive_failed(struct server *server, ax_result result) {
    if (result == AX_ERR_TIMEOUT || result == AX_ERR_INTERRUPTED)
        return;
    if (result != AX_ERR_PEER_CLOSED) {
        server_log(server, "it cannot receive: error %lld", (long long)result);
        server->status = 1;
    }
    server->is_over = true;
}

static bool exchange(struct server *server, ax_handle endpoint, struct ax_message *message,
                     struct ax_receive_options *options) {
    ax_handle reply = server->answering->message.reply;
    ax_result result = ax_reply_receive(reply, endpoint, message, options);
    if (result == AX_OK || (endpoint != AX_HANDLE_NONE && is_receive_error(result))) {
        changes_made(server, options->change_count);
        given(server);
        if (result != AX_OK)
            receive_failed(server, result);
        return result == AX_OK && endpoint != AX_HANDLE_NONE;
    }
    handles_drop(message);
    if (result == AX_ERR_CALLER_DEAD)
        given(server);
    else if (result != AX_ERR_ABSENT || !give_back(server, options->data_bytes))
        answer_fail(server, result == AX_ERR_ABSENT ? (ax_result)AX_ERR_ADDRESS : result);
    return false;
}

bool server_exchange(struct server *server, bool receive, uint64_t deadline_ns) {
    struct ax_receive_options options = {.deadline_ns = deadline_ns,
                                         .accept = server->program->accept,
                                         .buffer = server->inline_data,
                                         .buffer_bytes = sizeof(server->inline_data)};
    ax_handle endpoint = receive ? server->endpoint : AX_HANDLE_NONE;
    if (server->spare == NULL)
        server->spare = server_call_new(server);
    ASSERT(server->spare != NULL);
    struct ax_message *message = &server->spare->message;
    if (server->answering != NULL) {
        ax_result result = answer_prepare(server, message, &options);
        if (result == AX_OK)
            return exchange(server, endpoint, message, &options);
        handles_drop(message);
        answer_fail(server, result);
        return false;
    }
    if (!receive)
        return false;
    server->serving = NULL;
    ax_result result = ax_reply_receive(AX_HANDLE_NONE, endpoint, message, &options);
    if (result != AX_OK)
        receive_failed(server, result);
    return result == AX_OK;
}
