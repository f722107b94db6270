/* SPDX-License-Identifier: MIT */
/* One thread writes, the other reads and looks whether each byte is in its place. */
#include "seeds.h"

#include <base/hash.h>
#include <proto/pipe.h>
#include <proto/stream.h>

#define BYTES_MOST 60000
#define PART_MOST  9000

struct line {
    ax_handle read_end, write_end;
    uint64_t length, seed;
};

static uint8_t byte_at(const struct line *line, uint64_t at) {
    return (uint8_t)hash_mix(line->seed + at);
}

static void must_call(ax_handle session, struct ax_message *message, uint32_t accept) {
    const struct ax_call_options options = {.deadline_ns = AX_TIME_NEVER, .accept = accept};
    ax_result result = ax_call(session, message, &options);
    CHECK(result == AX_OK, "error %lld", (long long)result);
}

static int64_t transfer(ax_handle end, uint64_t operation, void *bytes, size_t size) {
    struct ax_message message;
    ax_message_init(&message, operation);
    ax_message_word(&message, 0);
    if (operation == AX_STREAM_READ)
        ax_message_lend(&message, bytes, 0, AX_LOAN_READ);
    ax_message_lend(&message, bytes, size,
                    operation == AX_STREAM_READ ? AX_LOAN_WRITE : AX_LOAN_READ);
    must_call(end, &message, 0);
    return (int64_t)message.operation;
}

static void *read_all(void *argument) {
    static uint8_t bytes[PART_MOST];
    const struct line *line = argument;
    struct random random;
    uint64_t at = 0;
    random_seed(&random, ~line->seed);
    for (;;) {
        int64_t count =
            transfer(line->read_end, AX_STREAM_READ, bytes, 1 + random_below(&random, PART_MOST));
        CHECK(count >= 0, "status %lld", (long long)count);
        for (int64_t i = 0; i < count; i++)
            CHECK(bytes[i] == byte_at(line, at + (uint64_t)i), "byte %llu",
                  (unsigned long long)at + (uint64_t)i);
        at += (uint64_t)count;
        if (count == 0)
            break;
    }
    CHECK(at == line->length, "%llu of %llu bytes", (unsigned long long)at,
          (unsigned long long)line->length);
    CHECK(ax_handle_close(line->read_end) == AX_OK, "close");
    return NULL;
}

static void write_all(const struct line *line) {
    static uint8_t bytes[PART_MOST];
    struct random random;
    random_seed(&random, line->seed);
    for (uint64_t at = 0; at < line->length;) {
        size_t size = 1 + (size_t)random_below(&random, PART_MOST);
        if (size > line->length - at)
            size = (size_t)(line->length - at);
        for (size_t i = 0; i < size; i++)
            bytes[i] = byte_at(line, at + i);
        int64_t count = transfer(line->write_end, AX_STREAM_WRITE, bytes, size);
        CHECK(count == (int64_t)size, "%lld of %zu", (long long)count, size);
        at += size;
    }
    CHECK(ax_handle_close(line->write_end) == AX_OK, "close");
}

int work(const char *name, unsigned pipes) {
    ax_handle server = ax_start_handle("pipe");
    uint64_t bytes = 0;
    struct random random;
    CHECK(server != AX_HANDLE_NONE, "there is no pipe");
    random_seed(&random, hash_bytes(name, strlen(name), 0));
    for (unsigned i = 0; i < pipes; i++) {
        struct line line = {.length = random_below(&random, BYTES_MOST),
                            .seed = random_next(&random)};
        struct ax_message message;
        pthread_t reader;
        ax_message_init(&message, AX_PIPE_MAKE);
        must_call(server, &message, 2);
        CHECK(message.operation == 0 && message.handle_count == 2, "status %lld",
              (long long)message.operation);
        line.read_end = message.handles[0].handle;
        line.write_end = message.handles[1].handle;
        CHECK(pthread_create(&reader, NULL, read_all, &line) == 0, "no thread");
        write_all(&line);
        pthread_join(reader, NULL);
        bytes += line.length;
    }
    printf("%s: %llu bytes through %u pipes\n", name, (unsigned long long)bytes, pipes);
    fflush(stdout);
    return 0;
}
