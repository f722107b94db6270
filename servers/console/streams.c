/* SPDX-License-Identifier: MIT */
/* Streams: the bytes of reads and writes, and the signals of sessions. */
#include "console.h"

#include <base/assert.h>
#include <base/memory.h>

static const struct virtio_lane *lane_of(const struct console *console,
                                         const struct console_stream *stream, unsigned way) {
    return &console->bytes[stream->port][way];
}

/* Whether the outside has gone, as far as it was told. */
static bool has_ended(const struct console *console, const struct console_stream *stream) {
    const struct console_port *port = &console->kept->ports[stream->port];
    return port->was_told != 0 && port->is_open == 0;
}

void streams_begin(struct console *console) {
    for (unsigned i = 0; i <= CONSOLE_STREAMS; i++) {
        struct console_stream *stream = &console->streams[i];
        *stream = (struct console_stream){.port = -1};
        list_init(&stream->reads);
        list_init(&stream->writes);
        list_init(&stream->drains);
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Who comes later does not overtake. */
static bool is_behind(const struct server_call *call, const struct list *line) {
    const struct list *first = list_first(line);
    return first != NULL && list_entry(first, struct server_call, link)->order < call->order;
}

static void call_wait(struct server_call *call, struct list *line) {
    if ((call->message.words[0] & AX_STREAM_NOWAIT) == 0)
        server_park(call, line);
    else
        server_refuse(call, AX_ERR_AGAIN);
}

/* The device is of no use; what was done before it failed is done. */
static void call_fail(struct server_call *call) {
    server_answer(call, call->note != 0 ? (int64_t)call->note : AX_STREAM_IO);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* What a call takes: whole buffers, and of a read a part of one more. */
struct taking {
    uint64_t done;
    unsigned count;
    uint32_t offset;
};

/* Copies bytes that are there into the caller's loan, as far as they go. False: the device lies. */
static bool bytes_give(struct server_call *call, const struct virtio_lane *lane, unsigned ready,
                       struct taking *taking) {
    uint64_t wanted = server_loan_bytes(call, 1);
    while (taking->count < ready && taking->done < wanted) {
        const uint8_t *bytes;
        uint32_t size;
        if (!virtio_lane_bytes(lane, taking->count, &bytes, &size))
            return false;
        uint32_t base = taking->count == 0 ? lane->kept->offset : 0;
        uint64_t left = wanted - taking->done;
        size_t part = size < left ? size : (size_t)left;
        size_t copied = part > 0 ? server_loan_write(call, taking->done, bytes, part) : 0;
        taking->done += copied;
        if (copied < size) {
            taking->offset = base + (uint32_t)copied;
            return true;
        }
        taking->count++;
        taking->offset = 0;
    }
    return true;
}

static void read_serve(struct console *console, struct server_call *call,
                       struct console_stream *stream) {
    const struct virtio_lane *lane = lane_of(console, stream, CONSOLE_IN);
    struct taking taking = {0};
    int ready = virtio_lane_ready(lane);
    if (server_loan_bytes(call, 1) == 0) {
        server_answer(call, 0);
        return;
    }
    if (is_behind(call, &stream->reads)) {
        call_wait(call, &stream->reads);
        return;
    }
    if (ready < 0 || !bytes_give(call, lane, (unsigned)ready, &taking)) {
        ports_fail(console, VIRTIO_BROKEN);
        call_fail(call);
        return;
    }
    if (ready == 0) {
        if (has_ended(console, stream))
            server_answer(call, 0);
        else
            call_wait(call, &stream->reads);
        return;
    }
    struct virtio_lane_kept kept = *lane->kept;
    virtio_lane_advance(&kept, true, taking.count, taking.offset);
    stash_write(&console->server->stash, (void *)lane->kept, &kept, sizeof(kept));
    if (taking.done == 0) /* empty buffers alone, or its page is absent */
        server_again(call);
    else
        server_answer(call, (int64_t)taking.done);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/*
 * Fills free buffers. What is to be taken together is in one buffer, or it is not taken. False: the
 * call's end is settled.
 */
static bool bytes_take(struct server_call *call, const struct virtio_lane *lane, unsigned room,
                       struct taking *taking) {
    uint64_t size = server_loan_bytes(call, 0), offset;
    while (taking->count < room && (offset = call->note + taking->done) < size) {
        uint64_t left = size - offset;
        uint32_t part = left < lane->buffer_bytes ? (uint32_t)left : lane->buffer_bytes;
        if (!server_loan_read(call, offset, virtio_lane_buffer(lane, taking->count), part))
            return false;
        virtio_lane_fill(lane, taking->count, part);
        taking->count++;
        taking->done += part;
    }
    return true;
}

static void write_serve(struct console *console, struct server_call *call,
                        struct console_stream *stream) {
    const struct virtio_lane *lane = lane_of(console, stream, CONSOLE_OUT);
    struct taking taking = {0};
    int room = virtio_lane_ready(lane);
    if (room < 0) {
        ports_fail(console, VIRTIO_BROKEN);
        call_fail(call);
        return;
    }
    if (has_ended(console, stream)) {
        server_refuse(call, AX_STREAM_BROKEN); /* or what was taken */
        return;
    }
    if (is_behind(call, &stream->writes) || call->is_interrupted)
        room = 0;
    if (!bytes_take(call, lane, (unsigned)room, &taking))
        return;
    if (taking.count > 0) {
        struct virtio_lane_kept kept = *lane->kept;
        virtio_lane_advance(&kept, false, taking.count, 0);
        stash_write(&console->server->stash, (void *)lane->kept, &kept, sizeof(kept));
    }
    uint64_t done = call->note + taking.done;
    bool is_nowait = (call->message.words[0] & AX_STREAM_NOWAIT) != 0;
    if (done == server_loan_bytes(call, 0) || (is_nowait && done > 0)) {
        server_answer(call, (int64_t)done);
        return;
    }
    if (taking.count > 0)
        server_note(call, done);
    call_wait(call, &stream->writes);
}

/* ---- Draining -------------------------------------------------------------------------------- */

static void drain_serve(struct console *console, struct server_call *call,
                        struct console_stream *stream) {
    int room = virtio_lane_ready(lane_of(console, stream, CONSOLE_OUT));
    if (room < 0) {
        ports_fail(console, VIRTIO_BROKEN);
        call_fail(call);
    } else if (has_ended(console, stream)) {
        server_answer(call, AX_STREAM_BROKEN);
    } else if (room == (int)VIRTIO_LANE_BUFFERS) {
        server_answer(call, 0);
    } else {
        server_park(call, &stream->drains);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void describe(const struct console *console, struct server_call *call,
                     const struct console_stream *stream) {
    static const struct console_port none;
    const struct console_port *port =
        stream->port >= 0 ? &console->kept->ports[stream->port] : &none;
    server_answer(call, 0);
    server_answer_word(call, port->is_terminal != 0 ? AX_STREAM_TERMINAL : AX_STREAM_PIPE);
    server_answer_word(call, port->columns);
    server_answer_word(call, port->rows);
}

typedef void stream_function(struct console *console, struct server_call *call,
                             struct console_stream *stream);

/* A port that is not known yet may come; one of a device that failed does not. */
static void transfer(struct console *console, struct server_call *call,
                     struct console_stream *stream, struct list *line, stream_function *serve) {
    if (console->has_failed)
        call_fail(call);
    else if (stream->port < 0)
        call_wait(call, line);
    else
        serve(console, call, stream);
}

void stream_serve(struct server_call *call, uint32_t number) {
    struct console *console = call->server->context;
    struct console_stream *stream = &console->streams[number];
    bool is_right_way = true;
    switch (call->message.operation) {
    case AX_STREAM_DESCRIBE: describe(console, call, stream); break;
    case AX_STREAM_READ:
        is_right_way = goes_in(number);
        if (is_right_way)
            transfer(console, call, stream, &stream->reads, read_serve);
        break;
    case AX_STREAM_WRITE:
        is_right_way = goes_out(number);
        if (is_right_way)
            transfer(console, call, stream, &stream->writes, write_serve);
        break;
    case AX_STREAM_DRAIN:
        is_right_way = goes_out(number);
        if (is_right_way)
            transfer(console, call, stream, &stream->drains, drain_serve);
        break;
    default: server_refuse(call, AX_ERR_ARGUMENT); break;
    }
    if (!is_right_way)
        server_refuse(call, AX_STREAM_WAY);
}

/* ---- After a commit -------------------------------------------------------------------------- */

static uint32_t signals_of(const struct console *console, uint32_t number, uint32_t *seen) {
    const struct console_stream *stream = &console->streams[number];
    uint32_t signals = 0;
    *seen = 0;
    if (console->has_failed)
        return AX_SIGNAL_READABLE | AX_SIGNAL_WRITABLE | AX_SIGNAL_ERROR;
    if (stream->port < 0)
        return 0;
    bool is_over = has_ended(console, stream);
    if (goes_in(number)) {
        int ready = virtio_lane_ready(lane_of(console, stream, CONSOLE_IN));
        *seen = ready > 0 ? (uint32_t)ready : 0;
        signals |= ready > 0 || is_over ? AX_SIGNAL_READABLE : 0;
    }
    if (goes_out(number)) {
        int room = virtio_lane_ready(lane_of(console, stream, CONSOLE_OUT));
        signals |= room > 0 || is_over ? AX_SIGNAL_WRITABLE : 0;
        signals |= is_over ? AX_SIGNAL_ERROR : 0;
    }
    return signals | (is_over ? AX_SIGNAL_HANGUP : 0);
}

/* Bytes that came while some were there are a new edge. */
static void signals_update(struct console *console, uint32_t number) {
    struct console_stream *stream = &console->streams[number];
    uint32_t seen, signals = signals_of(console, number, &seen);
    uint32_t set = signals & ~stream->signals, clear = stream->signals & ~signals;
    if (seen > stream->seen)
        set |= AX_SIGNAL_READABLE;
    stream->seen = seen;
    stream->signals = signals;
    if ((set | clear) != 0)
        server_signal_role(console->server, number, clear, set);
}

static void stream_wake_all(struct console *console, struct console_stream *stream) {
    server_wake_all(console->server, &stream->reads);
    server_wake_all(console->server, &stream->writes);
    server_wake_all(console->server, &stream->drains);
}

/* Writers or drains that can go on; whether that leaves any, or nobody could write now. */
static bool out_wake(struct console *console, struct console_stream *stream) {
    int room = virtio_lane_ready(lane_of(console, stream, CONSOLE_OUT));
    if (room != 0)
        server_wake(console->server, &stream->writes);
    if (room < 0 || room == (int)VIRTIO_LANE_BUFFERS)
        server_wake_all(console->server, &stream->drains);
    return !list_is_empty(&stream->writes) || !list_is_empty(&stream->drains) || room == 0;
}

static void stream_wake(struct console *console, uint32_t number) {
    struct console_stream *stream = &console->streams[number];
    if (console->has_failed || (stream->port >= 0 && has_ended(console, stream))) {
        stream_wake_all(console, stream);
        return;
    }
    if (stream->port < 0)
        return;
    if (goes_in(number) && virtio_lane_ready(lane_of(console, stream, CONSOLE_IN)) != 0)
        server_wake(console->server, &stream->reads);
    if (!goes_out(number))
        return;
    /* Interrupts for buffers that have gone out, only if somebody waits for it. */
    const struct virtio_ring *ring = &lane_of(console, stream, CONSOLE_OUT)->ring;
    if (virtio_ring_interrupts(ring, out_wake(console, stream)))
        (void)out_wake(console, stream); /* one may have gone just before */
}

void streams_update(struct console *console) {
    for (uint32_t port = 0; port < CONSOLE_PORTS; port++) {
        if (console->kept->ports[port].stream != 0)
            console->streams[console->kept->ports[port].stream].port = (int)port;
    }
    for (uint32_t number = 1; number <= CONSOLE_STREAMS; number++) {
        stream_wake(console, number);
        signals_update(console, number);
    }
}
