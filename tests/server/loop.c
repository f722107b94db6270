/* SPDX-License-Identifier: MIT */
/* What happens to calls that do not go the usual way, with pipes as the example. */
#include <stdlib.h>
#include <string.h>

#include <proto/pipe.h>
#include <proto/stream.h>
#include <servers/pipe/pipe.h>

#include "process.h"
#include "tests.h"
#include "world.h"

/* A test is a list of moves, each made when the server has nothing to do. */
typedef void move(void);
static move *const *moves;
static struct thread *ann, *bob, *cid;
static ax_handle ann_root, reading, writing; /* ann's; bob and cid have copies of the ends */
static ax_handle bob_end, cid_end;

static bool turn(void) {
    if (*moves == NULL)
        return false;
    (*moves++)();
    return true;
}

static void play(move *const *list) {
    moves = list;
    ck_assert(world_serve(0));
    ck_assert_ptr_null(*moves);
}

static void setup(void) {
    world.protect = true;
    world_start(&pipe_program, turn);
    ann = world_client(1);
    bob = world_client(2);
    cid = world_client(3);
    ann_root = world_session(ann, 1);
}

/* ---- Moves that many tests make -------------------------------------------------------------- */

static void answered(struct thread *client, int64_t operation) {
    ax_result result;
    ck_assert(client_is_answered(client, &result));
    ck_assert_int_eq(result, AX_OK);
    ck_assert_int_eq((int64_t)client->page->ipc.message.operation, operation);
}

static void waits(struct thread *client) {
    ax_result result;
    ck_assert(!client_is_answered(client, &result));
}

static void pipe_make(void) {
    client_message(ann, AX_PIPE_MAKE)->accept = 2;
    client_call(ann, ann_root);
}

/* Bob reads, cid writes. */
static void pipe_deal(void) {
    const struct ax_message *message = &ann->page->ipc.message;
    answered(ann, 0);
    reading = message->handles[0].handle;
    writing = message->handles[1].handle;
    bob_end = driver_copy(ann->process, reading, bob->process, AX_RIGHT_ALL);
    cid_end = driver_copy(ann->process, writing, cid->process, AX_RIGHT_ALL);
}

static void writes(struct thread *client, ax_handle end, uint64_t address, uint64_t size,
                   uint64_t flags) {
    struct ax_ipc *ipc = client_message(client, AX_STREAM_WRITE);
    ipc->message.words[0] = flags;
    ipc->message.word_count = 1;
    ipc->message.loans[0] = (struct ax_loan){address, size};
    ipc->message.loan_access[0] = AX_LOAN_READ;
    ipc->message.loan_count = 1;
    client_call(client, end);
}

static void reads(struct thread *client, ax_handle end, uint64_t address, uint64_t size,
                  uint64_t flags) {
    struct ax_ipc *ipc = client_message(client, AX_STREAM_READ);
    ipc->message.words[0] = flags;
    ipc->message.word_count = 1;
    ipc->message.loan_access[0] = AX_LOAN_READ;
    ipc->message.loans[1] = (struct ax_loan){address, size};
    ipc->message.loan_access[1] = AX_LOAN_WRITE;
    ipc->message.loan_count = 2;
    client_call(client, end);
}

static void interrupts(struct thread *client) {
    ax_handle root = driver_handle(driver_root(), &client->object, AX_RIGHT_ALL);
    ck_assert_int_eq(
        kcall(driver_root_thread(), AX_CALL_THREAD_CONTROL, root, AX_THREAD_INTERRUPT, 0), AX_OK);
}

static void ends(struct thread *client) {
    ck_assert_int_eq(kcall(driver_root_thread(), AX_CALL_PROCESS_END,
                           driver_process_handle(client->process), AX_CAUSE_KILLED, 0),
                     AX_OK);
}

static void bob_reads(void) {
    reads(bob, bob_end, CLIENT_MEMORY, 5000, 0);
}
static void bob_waits(void) {
    waits(bob);
}
static void bob_interrupted(void) {
    interrupts(bob);
}
static void bob_had_nothing(void) {
    answered(bob, AX_ERR_INTERRUPTED);
}
static void bob_takes_interrupt(void) {
    ck_assert_int_eq(kcall(bob, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE, 0), 1);
}
static void bob_got_100(void) {
    answered(bob, 100);
}
static void bob_got_the_end(void) {
    answered(bob, 0);
}
static void cid_writes_100(void) {
    writes(cid, cid_end, CLIENT_MEMORY, 100, 0);
}
static void cid_wrote_100(void) {
    answered(cid, 100);
}
static void cid_writes_much(void) {
    writes(cid, cid_end, CLIENT_MEMORY, 100000, 0);
}
static void cid_waits(void) {
    waits(cid);
}
static void cid_is_broken(void) {
    answered(cid, AX_STREAM_BROKEN);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

START_TEST(a_reader_waits_for_bytes) {
    static move *const list[] = {pipe_make,      pipe_deal,     bob_reads,   bob_waits,
                                 cid_writes_100, cid_wrote_100, bob_got_100, NULL};
    play(list);
}
END_TEST

START_TEST(an_interrupted_reader_has_nothing) {
    static move *const list[] = {pipe_make,
                                 pipe_deal,
                                 bob_reads,
                                 bob_interrupted,
                                 bob_had_nothing,
                                 bob_takes_interrupt,
                                 cid_writes_100,
                                 cid_wrote_100,
                                 bob_reads,
                                 bob_got_100,
                                 NULL};
    play(list);
}
END_TEST

static void cid_interrupted(void) {
    interrupts(cid);
}
static void cid_wrote_a_part(void) {
    answered(cid, AX_PIPE_BYTES);
}

START_TEST(an_interrupted_writer_is_told_how_much) {
    static move *const list[] = {
        pipe_make, pipe_deal, cid_writes_much, cid_waits, cid_interrupted, cid_wrote_a_part, NULL};
    play(list);
}
END_TEST

static void all_close_reading(void) {
    kcall(ann, AX_CALL_HANDLE_CLOSE, reading);
    kcall(bob, AX_CALL_HANDLE_CLOSE, bob_end);
}
static void all_close_writing(void) {
    kcall(ann, AX_CALL_HANDLE_CLOSE, writing);
    kcall(cid, AX_CALL_HANDLE_CLOSE, cid_end);
}
static uint32_t signals_of(struct thread *client, ax_handle end) {
    return driver_object(client->process, end)->signals & AX_SIGNAL_SERVED;
}
static void cid_sees_error(void) {
    ck_assert_uint_eq(signals_of(cid, cid_end), AX_SIGNAL_ERROR | AX_SIGNAL_WRITABLE);
}
static void bob_sees_hangup(void) {
    ck_assert_uint_eq(signals_of(bob, bob_end), AX_SIGNAL_HANGUP | AX_SIGNAL_READABLE);
}

START_TEST(without_readers_writing_fails) {
    static move *const list[] = {
        pipe_make,        pipe_deal,      cid_writes_much, cid_waits,     all_close_reading,
        cid_wrote_a_part, cid_sees_error, cid_writes_100,  cid_is_broken, NULL};
    play(list);
}
END_TEST

START_TEST(without_writers_reading_comes_to_the_end) {
    static move *const list[] = {pipe_make,
                                 pipe_deal,
                                 cid_writes_100,
                                 cid_wrote_100,
                                 all_close_writing,
                                 bob_sees_hangup,
                                 bob_reads,
                                 bob_got_100,
                                 bob_reads,
                                 bob_got_the_end,
                                 NULL};
    play(list);
}
END_TEST

START_TEST(a_waiting_reader_comes_to_the_end) {
    static move *const list[] = {pipe_make,         pipe_deal,       bob_reads, bob_waits,
                                 all_close_writing, bob_got_the_end, NULL};
    play(list);
}
END_TEST

/* Cid fills the pipe and waits; ann waits behind with few bytes; cid dies. */
static void cid_fills(void) {
    writes(cid, cid_end, CLIENT_MEMORY, AX_PIPE_BYTES - 1000, 0);
}
static void cid_filled(void) {
    answered(cid, AX_PIPE_BYTES - 1000);
}
static void cid_writes_4096(void) {
    writes(cid, cid_end, CLIENT_MEMORY, 4096, 0);
}
static void ann_writes_500(void) {
    writes(ann, writing, CLIENT_MEMORY, 500, 0);
}
static void ann_waits(void) {
    waits(ann);
}
static void cid_ends(void) {
    ends(cid);
}
static void ann_wrote_500(void) {
    answered(ann, 500);
}

START_TEST(who_waits_behind_the_dead_goes_on) {
    static move *const list[] = {
        pipe_make,      pipe_deal, cid_fills, cid_filled,    cid_writes_4096,
        ann_writes_500, ann_waits, cid_ends,  ann_wrote_500, NULL};
    play(list);
}
END_TEST

static void ann_writes_now(void) {
    writes(ann, writing, CLIENT_MEMORY, 4096, AX_STREAM_NOWAIT);
}
static void ann_is_told_again(void) {
    answered(ann, AX_ERR_AGAIN);
}
static void bob_reads_now(void) {
    reads(bob, bob_end, CLIENT_MEMORY, 10, AX_STREAM_NOWAIT);
}
static void bob_is_told_again(void) {
    answered(bob, AX_ERR_AGAIN);
}

START_TEST(who_does_not_want_to_wait_is_told_again) {
    static move *const list[] = {pipe_make,         pipe_deal,         bob_reads_now,
                                 bob_is_told_again, cid_fills,         cid_filled,
                                 ann_writes_now,    ann_is_told_again, NULL};
    play(list);
}
END_TEST

/* ---- Addresses that are not there ------------------------------------------------------------ */

#define NOWHERE UINT64_C(0x7000000)

static void ended_with(struct thread *client, ax_result wanted) {
    ax_result result;
    ck_assert(client_is_answered(client, &result));
    ck_assert_int_eq(result, wanted);
}
static void bob_reads_nowhere(void) {
    reads(bob, bob_end, NOWHERE, 50, 0);
}
static void bob_has_no_address(void) {
    ended_with(bob, AX_ERR_ADDRESS);
}
static void cid_writes_from_nowhere(void) {
    writes(cid, cid_end, NOWHERE, 50, 0);
}
static void cid_has_no_address(void) {
    ended_with(cid, AX_ERR_ADDRESS);
}

START_TEST(bytes_for_a_bad_address_stay) {
    static move *const list[] = {pipe_make,     pipe_deal,         cid_writes_100,
                                 cid_wrote_100, bob_reads_nowhere, bob_has_no_address,
                                 bob_reads,     bob_got_100,       NULL};
    play(list);
}
END_TEST

START_TEST(a_bad_address_writes_nothing) {
    static move *const list[] = {
        pipe_make,         pipe_deal, cid_writes_from_nowhere, cid_has_no_address, bob_reads_now,
        bob_is_told_again, NULL};
    play(list);
}
END_TEST

/* ---- Refusals -------------------------------------------------------------------------------- */

static void bob_writes(void) {
    writes(bob, bob_end, CLIENT_MEMORY, 1, 0);
}
static void bob_is_wrong(void) {
    answered(bob, AX_STREAM_WAY);
}
static void cid_reads(void) {
    reads(cid, cid_end, CLIENT_MEMORY, 1, 0);
}
static void cid_is_wrong(void) {
    answered(cid, AX_STREAM_WAY);
}
static void bob_asks_nonsense(void) {
    (void)client_message(bob, 77);
    client_call(bob, bob_end);
}
static void bob_is_refused(void) {
    answered(bob, AX_ERR_ARGUMENT);
}
static void bob_describes(void) {
    (void)client_message(bob, AX_STREAM_DESCRIBE);
    client_call(bob, bob_end);
}
static void bob_has_a_pipe(void) {
    answered(bob, 0);
    ck_assert_uint_eq(bob->page->ipc.message.words[0], AX_STREAM_PIPE);
}

START_TEST(ends_go_one_way) {
    static move *const list[] = {
        pipe_make,         pipe_deal,      bob_writes,    bob_is_wrong,   cid_reads, cid_is_wrong,
        bob_asks_nonsense, bob_is_refused, bob_describes, bob_has_a_pipe, NULL};
    play(list);
}
END_TEST

static unsigned made;
static bool is_full;

static bool make_turn(void) {
    ax_result result;
    if (made > 0) {
        ck_assert(client_is_answered(ann, &result));
        if ((int64_t)ann->page->ipc.message.operation == AX_ERR_LIMIT) {
            is_full = true;
            return false;
        }
        answered(ann, 0);
    }
    ck_assert_uint_lt(made, 2000);
    made++;
    pipe_make();
    return true;
}

/* A label has its limit, and the room there is for all sessions. */
START_TEST(pipes_are_limited) {
    made = 0;
    is_full = false;
    world.turn = make_turn;
    ck_assert(world_serve(0));
    ck_assert(is_full);
    ck_assert_uint_eq(made - 1, pipe_program.label_limit);
}
END_TEST

/* ---- The caller who takes no handles, and one who goes while it waits -------------------------
 */

static void ann_makes_and_accepts_none(void) {
    (void)client_message(ann, AX_PIPE_MAKE);
    client_call(ann, ann_root);
}
static void ann_cannot(void) {
    answered(ann, AX_ERR_ACCEPT);
}
static void nothing_is_left(void) {
    ck_assert_uint_eq(stash_badge_next(&world.server.stash, world.server.badges, 0), 0);
}
static void bob_ends(void) {
    ends(bob);
}

START_TEST(a_pipe_that_nobody_takes_goes) {
    static move *const list[] = {ann_makes_and_accepts_none, ann_cannot, nothing_is_left, NULL};
    play(list);
}
END_TEST

START_TEST(a_reader_that_dies_is_forgotten) {
    static move *const list[] = {pipe_make, pipe_deal,      bob_reads,     bob_waits,
                                 bob_ends,  cid_writes_100, cid_wrote_100, NULL};
    play(list);
}
END_TEST

TCase *server_loop_tests(void) {
    TCase *tests = tcase_create("loop");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, world_stop);
    tcase_add_test(tests, a_reader_waits_for_bytes);
    tcase_add_test(tests, an_interrupted_reader_has_nothing);
    tcase_add_test(tests, an_interrupted_writer_is_told_how_much);
    tcase_add_test(tests, without_readers_writing_fails);
    tcase_add_test(tests, without_writers_reading_comes_to_the_end);
    tcase_add_test(tests, a_waiting_reader_comes_to_the_end);
    tcase_add_test(tests, who_waits_behind_the_dead_goes_on);
    tcase_add_test(tests, who_does_not_want_to_wait_is_told_again);
    tcase_add_test(tests, bytes_for_a_bad_address_stay);
    tcase_add_test(tests, a_bad_address_writes_nothing);
    tcase_add_test(tests, ends_go_one_way);
    tcase_add_test(tests, pipes_are_limited);
    tcase_add_test(tests, a_pipe_that_nobody_takes_goes);
    tcase_add_test(tests, a_reader_that_dies_is_forgotten);
    return tests;
}
