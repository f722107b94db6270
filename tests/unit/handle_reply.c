/* SPDX-License-Identifier: MIT */
/* Reply handles are like no others: they cannot be copied, moved or cloned. */
#include "object_world.h"

static ax_handle reply;
static uint32_t slot;

/* `one` has received a call of `stranger`. */
static void start(void) {
    world_start();
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle session = (ax_handle)kcall(world.one, AX_CALL_SESSION_CREATE, endpoint, 1, 0, 0);
    ax_handle copy = driver_copy(world.process, session, world.other, AX_RIGHT_ALL);
    world.stranger->page->ipc.deadline_ns = AX_TIME_NEVER;
    expect(kcall(world.stranger, AX_CALL_CALL, copy), DRIVER_BLOCKED);
    world.one->page->ipc.receive_deadline_ns = NOW;
    expect(kcall(world.one, AX_CALL_REPLY_RECEIVE, 0, endpoint), AX_OK);
    reply = world.one->page->ipc.message.reply;
    slot = reply & AX_HANDLE_INDEX_MASK;
    ck_assert_uint_ne(reply, AX_HANDLE_NONE);
}

START_TEST(closing_it_answers_the_call_as_dropped) {
    must_close(world.one, reply);
    expect(driver_answer(world.stranger), AX_ERR_DROPPED);
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, reply), AX_ERR_HANDLE);
}
END_TEST

START_TEST(it_is_not_transferred) {
    expect(kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, reply, 0, AX_RIGHT_ALL, 0), AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, reply, 0, AX_RIGHT_ALL, AX_TRANSFER_MOVE),
           AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, slot, 0, AX_RIGHT_ALL,
                 AX_TRANSFER_MOVE | AX_TRANSFER_SLOT),
           AX_ERR_TYPE);
    expect(driver_answer(world.stranger), DRIVER_BLOCKED);
}
END_TEST

START_TEST(it_is_not_cloned) {
    struct process *child = driver_process();
    uint64_t cursor = 0;
    unsigned portion = 10000;
    expect(handle_table_clone(world.process, child, &cursor, &portion), AX_OK);
    struct object *object;
    expect(handle_lookup(child, reply, AX_TYPE_NONE, 0, &object), AX_ERR_HANDLE);
    ck_assert_uint_eq(child->handles.used, world.process->handles.used - 1);
}
END_TEST

START_TEST(its_place_is_known_by_its_slot) {
    expect(kcall(world.one, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(0, slot)),
           AX_ERR_EXISTS);
    struct ax_object_info info = info_of(world.one, reply);
    ck_assert_uint_eq(info.type, AX_TYPE_REPLY);
    ck_assert_uint_eq(info.handle_count, 1);
}
END_TEST

TCase *handle_reply_tests(void) {
    TCase *tcase = tcase_create("handle_reply");
    tcase_add_checked_fixture(tcase, start, world_stop);
    tcase_add_test(tcase, closing_it_answers_the_call_as_dropped);
    tcase_add_test(tcase, it_is_not_transferred);
    tcase_add_test(tcase, it_is_not_cloned);
    tcase_add_test(tcase, its_place_is_known_by_its_slot);
    return tcase;
}
