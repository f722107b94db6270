/* SPDX-License-Identifier: MIT */
/*
 * Pairs of threads, each with pipes of their own, one after another: what goes in comes out, and
 * then the end. In some pairs the reader, or the writer, sleeps until the signals say that it need
 * not wait; in some it is the reader that goes first.
 */
#include "kills.h"

#include <base/hash.h>
#include <proto/pipe.h>
#include <proto/stream.h>

#define PAIRS     3
#define SIZE_MAX_ 20000

struct pair {
    pthread_t writer, reader;
    ax_handle read_end, write_end;
    uint64_t seed;
    bool polls, is_cut; /* the reader goes before the end */
    uint64_t length;    /* of the pipe at hand */
    uint64_t written, bytes, pipes;
};

static struct pair pairs[PAIRS];
static pthread_t drivers[PAIRS];
static ax_handle pipe_server;

static uint8_t byte_at(const struct pair *pair, uint64_t at) {
    return (uint8_t)hash_mix(pair->seed + pair->pipes * 1000003 + at);
}

static int64_t stream_call(ax_handle end, uint64_t operation, uint64_t flags, void *bytes,
                           size_t size) {
    struct ax_message message;
    ax_message_init(&message, operation);
    ax_message_word(&message, flags);
    if (operation == AX_STREAM_READ)
        ax_message_lend(&message, bytes, 0, AX_LOAN_READ);
    ax_message_lend(&message, bytes, size,
                    operation == AX_STREAM_READ ? AX_LOAN_WRITE : AX_LOAN_READ);
    must_call(SERVER_PIPE, end, &message, 0);
    return (int64_t)message.operation;
}

/* As a program with poll does it: sleeps until the signal, then must not need to wait. */
static int64_t transfer(const struct pair *pair, ax_handle end, uint64_t operation, void *bytes,
                        size_t size) {
    uint32_t wanted = operation == AX_STREAM_READ ? AX_SIGNAL_READABLE : AX_SIGNAL_WRITABLE;
    if (!pair->polls)
        return stream_call(end, operation, 0, bytes, size);
    for (;;) {
        ax_result seen = ax_object_wait(end, wanted, AX_TIME_NEVER);
        CHECK(seen > 0, "error %lld", (long long)seen);
        int64_t count = stream_call(end, operation, AX_STREAM_NOWAIT, bytes, size);
        if (count != AX_ERR_AGAIN)
            return count;
    }
}

static size_t size_next(struct random *random) {
    switch (random_below(random, 4)) {
    case 0: return 1 + random_below(random, 16);
    case 1: return AX_STREAM_ATOMIC;
    default: return 1 + random_below(random, SIZE_MAX_);
    }
}

static void *writer(void *argument) {
    struct pair *pair = argument;
    static _Thread_local uint8_t bytes[SIZE_MAX_];
    struct random random;
    random_seed(&random, pair->seed + pair->pipes);
    for (pair->written = 0; pair->written < pair->length;) {
        size_t size = size_next(&random);
        if (size > pair->length - pair->written)
            size = pair->length - pair->written;
        for (size_t i = 0; i < size; i++)
            bytes[i] = byte_at(pair, pair->written + i);
        int64_t count = transfer(pair, pair->write_end, AX_STREAM_WRITE, bytes, size);
        if (count == AX_STREAM_BROKEN && pair->is_cut)
            break;
        bool is_part = pair->polls || pair->is_cut;
        CHECK(count == (int64_t)size || (is_part && count > 0 && count < (int64_t)size),
              "%lld of %zu", (long long)count, size);
        pair->written += (uint64_t)count;
    }
    CHECK(ax_handle_close(pair->write_end) == AX_OK, "close");
    return NULL;
}

static void *reader(void *argument) {
    struct pair *pair = argument;
    static _Thread_local uint8_t bytes[SIZE_MAX_];
    struct random random;
    random_seed(&random, pair->seed ^ pair->pipes);
    uint64_t at = 0, end = pair->is_cut ? pair->length / 2 : UINT64_MAX;
    while (at < end) {
        size_t size = size_next(&random);
        int64_t count = transfer(pair, pair->read_end, AX_STREAM_READ, bytes, size);
        CHECK(count >= 0 && count <= (int64_t)size, "%lld of %zu", (long long)count, size);
        for (int64_t i = 0; i < count; i++)
            CHECK(bytes[i] == byte_at(pair, at + (uint64_t)i), "byte %llu",
                  (unsigned long long)at + (uint64_t)i);
        at += (uint64_t)count;
        if (count == 0)
            break;
    }
    if (!pair->is_cut)
        CHECK(at == pair->length, "%llu of %llu bytes", (unsigned long long)at,
              (unsigned long long)pair->length);
    CHECK(ax_handle_close(pair->read_end) == AX_OK, "close");
    pair->bytes += at;
    return NULL;
}

static void pipe_make(struct pair *pair) {
    struct ax_message message;
    ax_message_init(&message, AX_PIPE_MAKE);
    must_call(SERVER_PIPE, pipe_server, &message, 2);
    CHECK(message.operation == 0 && message.handle_count == 2, "status %lld, %u handles",
          (long long)message.operation, message.handle_count);
    pair->read_end = message.handles[0].handle;
    pair->write_end = message.handles[1].handle;
}

static void *drive(void *argument) {
    struct pair *pair = argument;
    struct random random;
    client_begin();
    random_seed(&random, pair->seed);
    while (!atomic_load(&is_enough)) {
        pair->length = random_below(&random, 300000);
        pair->polls = random_below(&random, 2) == 0;
        pair->is_cut = random_below(&random, 4) == 0;
        pipe_make(pair);
        CHECK(pthread_create(&pair->reader, NULL, reader, pair) == 0, "no thread");
        CHECK(pthread_create(&pair->writer, NULL, writer, pair) == 0, "no thread");
        pthread_join(pair->writer, NULL);
        pthread_join(pair->reader, NULL);
        pair->pipes++;
    }
    return NULL;
}

void pipe_start(ax_handle server, uint64_t seed) {
    pipe_server = server;
    for (unsigned i = 0; i < PAIRS; i++) {
        pairs[i].seed = seed * PAIRS + i;
        CHECK(pthread_create(&drivers[i], NULL, drive, &pairs[i]) == 0, "no thread");
    }
}

void pipe_finish(char *text, size_t size) {
    uint64_t bytes = 0, pipes = 0;
    for (unsigned i = 0; i < PAIRS; i++) {
        pthread_join(drivers[i], NULL);
        bytes += pairs[i].bytes;
        pipes += pairs[i].pipes;
    }
    snprintf(text, size, "%llu bytes through %llu pipes, each in its place",
             (unsigned long long)bytes, (unsigned long long)pipes);
}
