/* SPDX-License-Identifier: MIT */
/*
 * Pipes. In the stash: the bytes, which ends are open, and of long writes how much of them is done.
 * In the instance: the lines of those that wait, which come again to the next one.
 */
#include "pipe.h"

#include <base/memory.h>
#include <proto/pipe.h>
#include <proto/stream.h>

#include "ring.h"

#define PIPES_MAX 1024
/* Most that one transaction puts into a pipe. */
#define STEP_BYTES 16384

struct pipe {
    uint64_t read_badge, write_badge; /* 0: that end is closed */
    uint64_t label;                   /* for whom it is held */
    uint32_t line;                    /* its lines in the instance */
    uint32_t reserved;
    struct ring ring;
};

struct pipes {
    struct pipe *pipes[PIPES_MAX];
};

/* Of each pipe, while it is there. */
struct lines {
    struct list readers, writers;
};
static struct lines lines[PIPES_MAX];

static uint8_t bounce[AX_PIPE_BYTES];

static void *create(struct server *server) {
    return stash_alloc(&server->stash, sizeof(struct pipes));
}

static void adopt(struct server *server, void *root) {
    server->context = root;
    for (unsigned i = 0; i < PIPES_MAX; i++) {
        list_init(&lines[i].readers);
        list_init(&lines[i].writers);
    }
}

static uint64_t room(const struct pipe *pipe) {
    return AX_PIPE_BYTES - ring_used(&pipe->ring);
}

/* ---- Signals --------------------------------------------------------------------------------- */

static uint32_t reader_signals(const struct pipe *pipe) {
    if (pipe->write_badge == 0)
        return AX_SIGNAL_READABLE | AX_SIGNAL_HANGUP;
    return ring_used(&pipe->ring) > 0 ? AX_SIGNAL_READABLE : 0;
}

static uint32_t writer_signals(const struct pipe *pipe) {
    if (pipe->read_badge == 0)
        return AX_SIGNAL_WRITABLE | AX_SIGNAL_ERROR;
    return room(pipe) >= AX_STREAM_ATOMIC ? AX_SIGNAL_WRITABLE : 0;
}

static uint32_t signals(struct server *server, uint64_t badge, const void *object) {
    const struct pipe *pipe = object;
    (void)server;
    return badge == pipe->read_badge ? reader_signals(pipe) : writer_signals(pipe);
}

/* Used bytes after this transaction: what each end can do then. */
static void signals_change(struct server *server, const struct pipe *pipe, uint64_t used,
                           bool is_read) {
    bool is_writable = AX_PIPE_BYTES - used >= AX_STREAM_ATOMIC;
    if (is_read && used == 0 && pipe->write_badge != 0)
        server_signal(server, pipe->read_badge, AX_SIGNAL_READABLE, 0);
    if (is_read && is_writable && pipe->write_badge != 0)
        server_signal(server, pipe->write_badge, 0, AX_SIGNAL_WRITABLE);
    if (!is_read)
        server_signal(server, pipe->read_badge, 0, AX_SIGNAL_READABLE);
    if (!is_read && !is_writable)
        server_signal(server, pipe->write_badge, AX_SIGNAL_WRITABLE, 0);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static uint32_t line_find(struct server *server) {
    const struct pipes *pipes = server->context;
    for (uint32_t i = 0; i < PIPES_MAX; i++) {
        if (pipes->pipes[i] == NULL)
            return i;
    }
    return PIPES_MAX;
}

static void make(struct server_call *call) {
    struct server *server = call->server;
    struct pipes *pipes = server->context;
    uint32_t line = line_find(server);
    if (line == PIPES_MAX || !server_hold(server, call->message.label, 1)) {
        server_refuse(call, AX_ERR_LIMIT);
        return;
    }
    struct pipe *pipe = stash_alloc(&server->stash, sizeof(*pipe));
    if (pipe == NULL) {
        server_refuse(call, AX_ERR_MEMORY);
        return;
    }
    struct pipe made = {.label = call->message.label, .line = line};
    made.read_badge = server_session_new(call, pipe, 0);
    if (made.read_badge == 0)
        return;
    made.write_badge = server_session_new(call, pipe, AX_SIGNAL_WRITABLE);
    if (made.write_badge == 0)
        return;
    stash_write(&server->stash, pipe, &made, sizeof(made));
    /* A pointer it is: NOLINTNEXTLINE(bugprone-sizeof-expression) */
    STASH_SET(&server->stash, pipes->pipes[line], pipe);
    server_answer(call, 0);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Many bytes go to the loan before the commit, few with the answer. */
static size_t take(struct server_call *call, struct pipe *pipe, size_t size) {
    if (size > SERVER_INLINE) {
        ring_copy(&pipe->ring, pipe->ring.head, bounce, size);
        size = server_loan_write(call, 0, bounce, size);
    }
    ring_take(&call->server->stash, &pipe->ring, size);
    return size;
}

static void read_stream(struct server_call *call, struct pipe *pipe) {
    struct server *server = call->server;
    struct lines *line = &lines[pipe->line];
    uint64_t used = ring_used(&pipe->ring), size = server_loan_bytes(call, 1);
    ring_trim(&server->stash, &pipe->ring);
    if (size > used)
        size = used;
    if (size == 0 && (used > 0 || pipe->write_badge == 0 || server_loan_bytes(call, 1) == 0)) {
        server_answer(call, 0);
        return;
    }
    if (size == 0) {
        if ((call->message.words[0] & AX_STREAM_NOWAIT) != 0)
            server_refuse(call, AX_ERR_AGAIN);
        else
            server_park(call, &line->readers);
        return;
    }
    size = take(call, pipe, size);
    if (size == 0)
        return;
    signals_change(server, pipe, used - size, true);
    server_wake(server, &line->writers);
    if (used > size)
        server_wake(server, &line->readers);
    server_answer(call, (int64_t)size);
}

/* What was read last lies before the head. */
static uint32_t data(struct server_call *call, const struct stash_reply *reply, void *to) {
    const struct pipe *pipe = call->object;
    int64_t size = (int64_t)reply->operation;
    if (pipe == NULL || call->message.operation != AX_STREAM_READ || size <= 0 ||
        size > SERVER_INLINE)
        return 0;
    ring_copy(&pipe->ring, pipe->ring.head - (uint64_t)size, to, (size_t)size);
    return (uint32_t)size;
}

/* Nobody has them: they are there for the next who reads. */
static void untaken(struct server_call *call, const struct stash_reply *reply) {
    struct pipe *pipe = call->object;
    struct server *server = call->server;
    uint64_t size = reply->operation;
    if (pipe == NULL || call->message.operation != AX_STREAM_READ || (int64_t)size <= 0)
        return;
    STASH_SET(&server->stash, pipe->ring.head, pipe->ring.head - size);
    server_signal(server, pipe->read_badge, 0, AX_SIGNAL_READABLE);
    if (room(pipe) - size < AX_STREAM_ATOMIC && pipe->write_badge != 0)
        server_signal(server, pipe->write_badge, AX_SIGNAL_WRITABLE, 0);
    server_wake(server, &lines[pipe->line].readers);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* How many of the bytes left go into the pipe now; 0: it has to wait. */
static uint64_t write_size(const struct pipe *pipe, uint64_t total, uint64_t left) {
    uint64_t free = room(pipe);
    if (total <= AX_STREAM_ATOMIC)
        return left <= free ? left : 0;
    if (left > STEP_BYTES)
        left = STEP_BYTES;
    return left < free ? left : free;
}

static void write_wait(struct server_call *call, struct lines *line) {
    bool is_nowait = (call->message.words[0] & AX_STREAM_NOWAIT) != 0;
    if (!is_nowait)
        server_park(call, &line->writers);
    else if (call->note != 0)
        server_answer(call, (int64_t)call->note);
    else
        server_refuse(call, AX_ERR_AGAIN);
}

static void write_stream(struct server_call *call, struct pipe *pipe) {
    struct server *server = call->server;
    struct lines *line = &lines[pipe->line];
    uint64_t total = server_loan_bytes(call, 0), done = call->note;
    ring_trim(&server->stash, &pipe->ring);
    if (pipe->read_badge == 0 && total > 0) {
        server_wake_all(server, &line->writers);
        server_refuse(call, AX_STREAM_BROKEN); /* or what was done */
        return;
    }
    /* Who comes later waits behind those that wait. */
    struct list *first = list_first(&line->writers);
    bool is_behind = first != NULL &&
                     list_entry(first, struct server_call, link)->order < call->order &&
                     (call->message.words[0] & AX_STREAM_NOWAIT) == 0 && !call->is_interrupted;
    uint64_t size = is_behind ? 0 : write_size(pipe, total, total - done);
    if (size == 0 && total > 0) {
        write_wait(call, line);
        return;
    }
    if (!server_loan_read(call, done, bounce, size))
        return;
    if (!ring_put(&server->stash, &pipe->ring, bounce, size)) {
        server_refuse(call, AX_ERR_MEMORY);
        return;
    }
    done += size;
    if (size > 0) {
        signals_change(server, pipe, ring_used(&pipe->ring) + size, false);
        server_wake(server, &line->readers);
    }
    if (done < total) {
        server_note(call, done);
        server_again(call);
        return;
    }
    server_wake(server, &line->writers);
    server_answer(call, (int64_t)done);
}

/* ---- Everything ------------------------------------------------------------------------------ */

static void serve_end(struct server_call *call, struct pipe *pipe) {
    bool is_reader = call->message.badge == pipe->read_badge;
    switch (call->message.operation) {
    case AX_STREAM_READ:
        if (is_reader)
            read_stream(call, pipe);
        else
            server_refuse(call, AX_STREAM_WAY);
        break;
    case AX_STREAM_WRITE:
        if (!is_reader)
            write_stream(call, pipe);
        else
            server_refuse(call, AX_STREAM_WAY);
        break;
    case AX_STREAM_DESCRIBE:
        server_answer(call, 0);
        server_answer_word(call, AX_STREAM_PIPE);
        break;
    default: server_refuse(call, AX_ERR_ARGUMENT); break;
    }
}

static void serve(struct server_call *call) {
    uint32_t role;
    if (!server_is_role(call, &role))
        serve_end(call, call->object);
    else if (call->message.operation == AX_PIPE_MAKE)
        make(call);
    else
        server_refuse(call, AX_ERR_ARGUMENT);
}

/* The next in its line may have what it was waiting for. */
static void left(struct server_call *call) {
    const struct pipe *pipe = call->object;
    if (pipe == NULL)
        return;
    server_wake(call->server, &lines[pipe->line].readers);
    server_wake(call->server, &lines[pipe->line].writers);
}

static void close(struct server *server, uint64_t badge, void *object) {
    struct stash *stash = &server->stash;
    struct pipes *pipes = server->context;
    struct pipe *pipe = object;
    struct lines *line = &lines[pipe->line];
    bool is_reader = badge == pipe->read_badge;
    uint64_t other = is_reader ? pipe->write_badge : pipe->read_badge;
    if (other == 0) {
        ring_free(stash, &pipe->ring);
        server_release(server, pipe->label, 1);
        /* A pointer it is: NOLINTNEXTLINE(bugprone-sizeof-expression) */
        STASH_SET(stash, pipes->pipes[pipe->line], NULL);
        stash_free(stash, pipe);
    } else if (is_reader) {
        STASH_SET(stash, pipe->read_badge, 0);
        server_signal(server, other, 0, AX_SIGNAL_WRITABLE | AX_SIGNAL_ERROR);
        server_wake_all(server, &line->writers);
    } else {
        STASH_SET(stash, pipe->write_badge, 0);
        server_signal(server, other, 0, AX_SIGNAL_READABLE | AX_SIGNAL_HANGUP);
        server_wake_all(server, &line->readers);
    }
}

const struct server_program pipe_program = {
    .name = "pipe",
    .schema = 1,
    .log_bytes = 65536,
    .session_max = 2 * PIPES_MAX,
    .note_max = 256,
    .label_max = 256,
    .label_limit = 512,
    .create = create,
    .adopt = adopt,
    .signals = signals,
    .call = serve,
    .left = left,
    .data = data,
    .untaken = untaken,
    .close = close,
};
