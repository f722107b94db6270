/* SPDX-License-Identifier: MIT */
/* Pipes whose server dies anywhere: no byte lost or doubled, nobody asleep for ever. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <proto/pipe.h>
#include <proto/stream.h>
#include <servers/pipe/pipe.h>

#include "tests.h"
#include "world.h"

#define WRITERS 2
#define SIZES   6

/* A process that writes these in turn through one end, or reads; 0 ends the list. */
struct client {
    struct thread *thread;
    ax_handle end;
    const uint32_t *sizes;
    unsigned at;
    uint64_t done; /* bytes */
    bool is_calling, is_over;
};

static const uint32_t writes[WRITERS][SIZES] = {{10, 9000, 4096, 70000, 1, 0},
                                                {100, 4096, 4000, 3, 0, 0}};
static const uint32_t reads[SIZES] = {1, 4096, 64, 65536, 5000, 300};

static struct client maker, reader, writers[WRITERS];
static uint64_t got[WRITERS]; /* bytes of each writer that were read */
static unsigned last_writer;

/* ---- What the bytes are ---------------------------------------------------------------------- */

static uint8_t byte_at(unsigned writer, uint64_t at) {
    return (uint8_t)(writer << 7 | (at * 2654435761U >> 16 & 0x7f));
}

/* Whether a write of a writer that belongs together goes on at this position. */
static bool is_inside(unsigned writer, uint64_t at) {
    uint64_t start = 0;
    for (unsigned i = 0; writes[writer][i] != 0; i++) {
        if (at > start && at < start + writes[writer][i])
            return writes[writer][i] <= AX_STREAM_ATOMIC;
        start += writes[writer][i];
    }
    return false;
}

static void check_bytes(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned writer = bytes[i] >> 7;
        if (writer != last_writer && is_inside(last_writer, got[last_writer]))
            ck_abort_msg("writer %u is cut at %llu", last_writer,
                         (unsigned long long)got[last_writer]);
        last_writer = writer;
        if (bytes[i] != byte_at(writer, got[writer]))
            ck_abort_msg("writer %u: not the byte at %llu", writer,
                         (unsigned long long)got[writer]);
        got[writer]++;
    }
}

/* ---- Moves ----------------------------------------------------------------------------------- */

static const struct ax_message *answer_of(const struct client *client) {
    return &client->thread->page->ipc.message;
}

static void lend(struct ax_ipc *ipc, unsigned loan, uint64_t size, uint32_t access) {
    ipc->message.loans[loan] = (struct ax_loan){CLIENT_MEMORY, size};
    ipc->message.loan_access[loan] = (uint8_t)access;
    ipc->message.loan_count = (uint8_t)(loan + 1);
}

static void ask_write(struct client *client, unsigned writer, uint64_t size) {
    static uint8_t bytes[CLIENT_PAGES * AX_PAGE_SIZE];
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = byte_at(writer, client->done + i);
    driver_write(client->thread->process, CLIENT_MEMORY, bytes, size);
    struct ax_ipc *ipc = client_message(client->thread, AX_STREAM_WRITE);
    lend(ipc, 0, size, AX_LOAN_READ);
    client->is_calling = true;
    client_call(client->thread, client->end);
}

static void ask_read(struct client *client, uint64_t size) {
    struct ax_ipc *ipc = client_message(client->thread, AX_STREAM_READ);
    lend(ipc, 0, 0, AX_LOAN_READ);
    lend(ipc, 1, size, AX_LOAN_WRITE);
    client->is_calling = true;
    client_call(client->thread, client->end);
}

static void finish(struct client *client) {
    ck_assert_int_eq(kcall(client->thread, AX_CALL_HANDLE_CLOSE, client->end), AX_OK);
    client->is_over = true;
}

static bool is_answered(struct client *client) {
    ax_result result;
    if (!client->is_calling || !client_is_answered(client->thread, &result))
        return false;
    ck_assert_int_eq(result, AX_OK);
    client->is_calling = false;
    return true;
}

static bool writer_moves(struct client *client, unsigned writer) {
    if (client->is_over || client->end == AX_HANDLE_NONE)
        return false;
    if (is_answered(client)) {
        ck_assert_int_eq((int64_t)answer_of(client)->operation, client->sizes[client->at]);
        client->done += client->sizes[client->at++];
        return true;
    }
    if (client->is_calling)
        return false;
    if (client->sizes[client->at] != 0)
        ask_write(client, writer, client->sizes[client->at]);
    else
        finish(client);
    return true;
}

static bool reader_moves(struct client *client) {
    static uint8_t bytes[AX_PIPE_BYTES];
    if (client->is_over || client->end == AX_HANDLE_NONE)
        return false;
    if (is_answered(client)) {
        uint64_t count = answer_of(client)->operation;
        ck_assert_uint_le(count, client->sizes[client->at]);
        driver_read(client->thread->process, CLIENT_MEMORY, bytes, count);
        check_bytes(bytes, count);
        client->at = (client->at + 1) % SIZES;
        if (count == 0)
            finish(client);
        return true;
    }
    if (client->is_calling)
        return false;
    ask_read(client, client->sizes[client->at]);
    return true;
}

/* Makes the pipe and deals out its ends. */
static bool maker_moves(void) {
    if (maker.is_over)
        return false;
    if (is_answered(&maker)) {
        const struct ax_message *message = answer_of(&maker);
        struct process *process = maker.thread->process;
        ck_assert_int_eq((int64_t)message->operation, 0);
        ck_assert_uint_eq(message->handle_count, 2);
        reader.end =
            driver_copy(process, message->handles[0].handle, reader.thread->process, AX_RIGHT_ALL);
        for (unsigned i = 0; i < WRITERS; i++)
            writers[i].end = driver_copy(process, message->handles[1].handle,
                                         writers[i].thread->process, AX_RIGHT_ALL);
        ax_handle second = message->handles[1].handle;
        kcall(maker.thread, AX_CALL_HANDLE_CLOSE, message->handles[0].handle);
        kcall(maker.thread, AX_CALL_HANDLE_CLOSE, second);
        maker.is_over = true;
        return true;
    }
    if (maker.is_calling)
        return false;
    struct ax_ipc *ipc = client_message(maker.thread, AX_PIPE_MAKE);
    ipc->accept = 2;
    maker.is_calling = true;
    client_call(maker.thread, maker.end);
    return true;
}

/* The writers come first: the pipe fills up; in the second order it is always empty. */
static bool reader_is_first;

static bool turn(void) {
    if (maker_moves())
        return true;
    if (reader_is_first && reader_moves(&reader))
        return true;
    for (unsigned i = 0; i < WRITERS; i++) {
        if (writer_moves(&writers[i], i))
            return true;
    }
    return reader_moves(&reader);
}

static void start(void) {
    world_start(&pipe_program, turn);
    memset(got, 0, sizeof(got));
    last_writer = 0;
    maker = (struct client){.thread = world_client(1)};
    maker.end = world_session(maker.thread, 1);
    reader = (struct client){.thread = world_client(2), .sizes = reads};
    for (unsigned i = 0; i < WRITERS; i++)
        writers[i] = (struct client){.thread = world_client(3 + i), .sizes = writes[i]};
}

/* All is over, all was read, and nothing of it is left. */
static void check_end(void) {
    ck_assert(maker.is_over && reader.is_over);
    for (unsigned i = 0; i < WRITERS; i++) {
        ck_assert(writers[i].is_over);
        ck_assert_uint_eq(got[i], writers[i].done);
    }
    ck_assert_uint_eq(stash_badge_next(&world.server.stash, world.server.badges, 0), 0);
    ck_assert_str_eq(world.log, "");
}

static void die_everywhere(bool protect) {
    unsigned step = getenv("AX_QUICK") != NULL ? 17 : 1;
    uint64_t last = 1;
    world.protect = protect;
    for (bool lives = false; !lives; last += step) {
        start();
        lives = world_serve(last);
        check_end();
        world_stop();
    }
    printf("figure: pipe: a death after each of %llu steps\n", (unsigned long long)last);
    ck_assert_uint_gt(last, 1000);
}

START_TEST(every_step_can_be_the_last) {
    reader_is_first = false;
    die_everywhere(true);
}
END_TEST

START_TEST(every_step_while_readers_wait) {
    reader_is_first = true;
    die_everywhere(false);
}
END_TEST

START_TEST(successors_die_too) {
    world.protect = false;
    for (uint64_t first = 30; first < 2400; first += 97) {
        for (uint64_t second = 1; second < 250; second += 7) {
            reader_is_first = second % 2 == 0;
            start();
            world_serve_twice(first, second);
            check_end();
            world_stop();
        }
    }
}
END_TEST

TCase *server_pipe_tests(void) {
    TCase *tests = tcase_create("pipe");
    tcase_set_timeout(tests, 200);
    tcase_add_test(tests, every_step_can_be_the_last);
    tcase_add_test(tests, every_step_while_readers_wait);
    tcase_add_test(tests, successors_die_too);
    return tests;
}
