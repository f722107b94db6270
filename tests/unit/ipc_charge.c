/* SPDX-License-Identifier: MIT */
/* Who pays for what goes through a call. */
#include "ipc_tests.h"

#include "heap.h"

static uint64_t session_bytes(void) {
    return heap_charge(sizeof(struct session));
}

/* A new session of the server's, still in its own table. */
static ax_handle own_session(uint64_t badge) {
    ax_result made = kcall(world.sam, AX_CALL_SESSION_CREATE, world.endpoint, badge, 0, 0);
    ck_assert_int_gt(made, 0);
    return (ax_handle)made;
}

/* The caller accepts so many handles; the reply handle. */
static ax_handle asks(struct thread *caller, ax_handle session, uint32_t count) {
    fresh(caller)->accept = count;
    expect(call_again(caller, session), DRIVER_BLOCKED);
    return takes(world.sam, world.endpoint, 0);
}

static ax_result give(ax_handle reply, unsigned count, const ax_handle *handles) {
    struct ax_ipc *ipc = fresh(world.sam);
    ipc->message.handle_count = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        ipc->message.handles[i] =
            (struct ax_message_handle){handles[i], AX_RIGHT_ALL | AX_HANDLE_MOVE};
    return kcall(world.sam, AX_CALL_REPLY_RECEIVE, reply, 0);
}

START_TEST(a_session_is_charged_to_who_is_first_answered_with_it) {
    ax_handle reply = asks(world.one, world.session, 1);
    ax_handle made = own_session(20);
    uint64_t client = world.client_account->used_bytes;
    uint64_t server = world.server_account->used_bytes;
    uint64_t objects = world.client_account->used_objects;
    expect(give(reply, 1, &made), AX_OK);
    ck_assert_uint_eq(world.client_account->used_bytes, client + session_bytes());
    ck_assert_uint_eq(world.client_account->used_objects, objects + 1);
    ck_assert_uint_eq(world.server_account->used_bytes, server - session_bytes());
    /* Passed on to others, it stays theirs. */
    ax_handle theirs = message(world.one)->handles[0].handle;
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){theirs, AX_RIGHT_ALL};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    fresh(world.sam)->accept = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    ck_assert_uint_eq(world.client_account->used_bytes, client + session_bytes());
    ck_assert_uint_eq(world.server_account->used_bytes, server - session_bytes());
}
END_TEST

/* The client sends a session to an endpoint of its own, for good; the server has it then. */
static ax_handle sends_session(ax_handle endpoint, uint64_t badge, ax_handle *reply) {
    ax_result made = kcall(world.one, AX_CALL_SESSION_CREATE, endpoint, badge, 0, 0);
    ck_assert_int_gt(made, 0);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] =
        (struct ax_message_handle){(ax_handle)made, AX_RIGHT_ALL | AX_HANDLE_MOVE};
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    fresh(world.sam)->accept = 1;
    expect(kcall(world.sam, AX_CALL_REPLY_RECEIVE, 0, world.endpoint), AX_OK);
    *reply = message(world.sam)->reply;
    return message(world.sam)->handles[0].handle;
}

/* Else a client could have a server pay for sessions that stay listed as long as it likes. */
START_TEST(a_session_that_comes_with_a_call_stays_charged_to_who_made_it) {
    ax_handle endpoint = endpoint_for(world.one);
    has_nothing(world.sam, world.endpoint);
    uint64_t client = world.client_account->used_bytes;
    uint64_t server = world.server_account->used_bytes;
    for (uint64_t badge = 1; badge <= 5; badge++) {
        ax_handle reply;
        must_close(world.sam, sends_session(endpoint, badge, &reply));
        expect(answer(world.sam, reply, 0), AX_OK);
        ck_assert_uint_eq(world.server_account->used_bytes, server);
        ck_assert_uint_eq(world.client_account->used_bytes, client + badge * session_bytes());
    }
}
END_TEST

START_TEST(a_session_passed_on_in_an_answer_stays_charged_to_who_made_it) {
    ax_handle first;
    ax_handle got = sends_session(endpoint_for(world.one), 1, &first);
    struct process *process = driver_process_of(world.small_account);
    struct thread *other = driver_thread(process);
    ax_handle session = driver_copy(world.client, world.session, process, AX_RIGHT_ALL);
    ax_handle reply = asks(other, session, 1);
    uint64_t client = world.client_account->used_bytes;
    uint64_t used = world.small_account->used_bytes;
    expect(give(reply, 1, &got), AX_OK);
    has_answer(other, 0);
    ck_assert_uint_eq(world.client_account->used_bytes, client);
    ck_assert_uint_eq(world.small_account->used_bytes, used);
    expect(answer(world.sam, first, 0), AX_OK);
}
END_TEST

START_TEST(a_call_costs_the_caller_nothing) {
    has_nothing(world.sam, world.endpoint);
    uint64_t client = world.client_account->used_bytes;
    uint64_t server = world.server_account->used_bytes;
    for (uint64_t i = 0; i < 5; i++) {
        calls(world.one, world.session, i);
        ax_handle reply = takes(world.sam, world.endpoint, i);
        ck_assert_uint_eq(world.client_account->used_bytes, client);
        ck_assert_uint_eq(world.server_account->used_bytes, server);
        expect(answer(world.sam, reply, i), AX_OK);
    }
    ck_assert_uint_eq(world.client_account->used_bytes, client);
    ck_assert_uint_eq(world.server_account->used_bytes, server);
}
END_TEST

/* A client whose account has room for so many objects more. */
static struct thread *poor_client(uint64_t objects, ax_handle *session) {
    struct process *process = driver_process_of(world.small_account);
    struct thread *thread = driver_thread(process);
    *session = driver_copy(world.client, world.session, process, AX_RIGHT_ALL);
    while (world.small_account->limit_objects - world.small_account->used_objects > objects)
        make(thread, AX_TYPE_EVENT);
    return thread;
}

START_TEST(who_cannot_pay_for_a_session_does_not_get_it) {
    ax_handle session;
    struct thread *poor = poor_client(0, &session);
    ax_handle reply = asks(poor, session, 1);
    ax_handle made = own_session(20);
    uint64_t server = world.server_account->used_bytes;
    expect(give(reply, 1, &made), AX_OK);
    expect(driver_answer(poor), AX_ERR_LIMIT);
    ck_assert_uint_eq(poor->process->handles.promised, 0);
    expect(receive(world.sam, world.endpoint), AX_OK); /* nobody has it */
    has_close(world.sam, 20);
    ck_assert_uint_eq(world.server_account->used_bytes, server);
}
END_TEST

START_TEST(who_can_pay_for_one_of_two_pays_for_none) {
    ax_handle session;
    struct thread *poor = poor_client(1, &session);
    ax_handle reply = asks(poor, session, 2);
    ax_handle made[2] = {own_session(20), own_session(21)};
    ax_handle copy = weaken(world.sam, made[0], AX_RIGHT_ALL);
    uint64_t used = world.small_account->used_objects;
    expect(give(reply, 2, made), AX_OK);
    expect(driver_answer(poor), AX_ERR_LIMIT);
    ck_assert_uint_eq(world.small_account->used_objects, used);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, 21);
    /* The one that is left passes to the next who receives it. */
    ax_handle next = asks(world.one, world.session, 1);
    uint64_t objects = world.client_account->used_objects;
    expect(give(next, 1, &copy), AX_OK);
    ck_assert_uint_eq(world.client_account->used_objects, objects + 1);
}
END_TEST

START_TEST(a_server_that_has_nothing_left_is_given_a_session) {
    struct process *process = driver_process_of(world.small_account);
    struct thread *poor = driver_thread(process);
    ax_handle endpoint = endpoint_for(poor);
    ax_handle session = session_for(poor, endpoint, 1, world.client);
    has_nothing(poor, endpoint);
    while (world.small_account->limit_objects > world.small_account->used_objects)
        make(poor, AX_TYPE_EVENT);
    ax_handle own = endpoint_for(world.one);
    ax_result made = kcall(world.one, AX_CALL_SESSION_CREATE, own, 1, 0, 0);
    struct ax_ipc *ipc = fresh(world.one);
    ipc->message.handle_count = 1;
    ipc->message.handles[0] = (struct ax_message_handle){(ax_handle)made, AX_RIGHT_ALL};
    expect(call_again(world.one, session), DRIVER_BLOCKED);
    struct ax_ipc *theirs = fresh(poor);
    theirs->accept = 1;
    expect(kcall(poor, AX_CALL_REPLY_RECEIVE, 0, endpoint), AX_OK);
    ck_assert(is_handle(process, message(poor)->handles[0].handle));
}
END_TEST

START_TEST(room_for_an_answer_is_charged_to_the_caller) {
    /* A table that is full to the last slot of its leaf needs another for what is accepted. */
    uint64_t before = world.client_account->used_bytes;
    while (world.client->handles.used < world.client->handles.slot_count)
        driver_handle(world.client, &world.client->object, 0);
    ck_assert_uint_eq(world.client_account->used_bytes, before);
    fresh(world.one)->accept = 1;
    expect(call_again(world.one, world.session), DRIVER_BLOCKED);
    ck_assert_uint_ge(world.client_account->used_bytes, before + AX_PAGE_SIZE);
}
END_TEST

START_TEST(a_caller_without_room_for_the_answer_sends_nothing) {
    ax_handle session;
    struct thread *poor = poor_client(0, &session);
    struct process *process = poor->process;
    while (process->handles.used < process->handles.slot_count)
        driver_handle(process, &process->object, 0);
    fresh(poor)->accept = 1;
    expect(call_again(poor, session), AX_ERR_LIMIT);
    has_nothing(world.sam, world.endpoint);
    calls(poor, session, 1); /* without handles it can call */
}
END_TEST

START_TEST(a_receiver_without_room_receives_nothing) {
    calls(world.one, world.session, 1);
    struct process *process = driver_process_of(world.small_account);
    struct thread *poor = driver_thread(process);
    ax_handle endpoint = driver_copy(world.server, world.endpoint, process, AX_RIGHT_ALL);
    while (world.small_account->limit_objects > world.small_account->used_objects)
        make(poor, AX_TYPE_EVENT);
    while (process->handles.used < process->handles.slot_count)
        driver_handle(process, &process->object, 0);
    expect(receive(poor, endpoint), AX_ERR_LIMIT);
    takes(world.sam, world.endpoint, 1);
}
END_TEST

void ipc_charge_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "ipc_charge");
    tcase_add_test(tcase, a_session_is_charged_to_who_is_first_answered_with_it);
    tcase_add_test(tcase, a_session_that_comes_with_a_call_stays_charged_to_who_made_it);
    tcase_add_test(tcase, a_session_passed_on_in_an_answer_stays_charged_to_who_made_it);
    tcase_add_test(tcase, a_call_costs_the_caller_nothing);
    tcase_add_test(tcase, who_cannot_pay_for_a_session_does_not_get_it);
    tcase_add_test(tcase, who_can_pay_for_one_of_two_pays_for_none);
    tcase_add_test(tcase, a_server_that_has_nothing_left_is_given_a_session);
    tcase_add_test(tcase, room_for_an_answer_is_charged_to_the_caller);
    tcase_add_test(tcase, a_caller_without_room_for_the_answer_sends_nothing);
    tcase_add_test(tcase, a_receiver_without_room_receives_nothing);
}
