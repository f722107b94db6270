/* SPDX-License-Identifier: MIT */
/* Every call that puts a new handle somewhere, and every place that is no good. */
#include "process_tests.h"

#define REGISTERS UINT64_C(0xfe000000)
#define SLOT      700 /* an empty one */

enum { MAKERS = 12, ARGUMENTS = 5 };

/* A call that makes a handle, and which of its arguments is the place. */
struct maker {
    enum ax_call number;
    unsigned place;
    uint64_t arguments[ARGUMENTS];
};

static struct maker makers[MAKERS];
static struct process *other; /* one without threads, in which there is a handle in slot 1 */
static ax_handle other_handle, ended_handle;

static ax_handle new_process(void) {
    ax_result made = kcall(world.one, AX_CALL_PROCESS_CREATE, 0, AX_PLACE_ANY);
    ck_assert_int_gt(made, 0);
    return (ax_handle)made;
}

static ax_handle device(ax_handle of_root) {
    return driver_copy(driver_root(), of_root, world.client, AX_RIGHT_ALL);
}

static void place_start(void) {
    ipc_start();
    ax_handle event = make(world.one, AX_TYPE_EVENT), endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle memory = device(AX_ROOT_DEVICE_MEMORY), irqs = device(AX_ROOT_DEVICE_IRQS);
    ax_result registers = kcall(world.one, AX_CALL_DEVICE_CREATE, memory, AX_DEVICE_MEMORY,
                                REGISTERS, AX_PAGE_SIZE, AX_PLACE_ANY);
    ck_assert_int_gt(registers, 0);
    other_handle = new_process();
    other = (struct process *)driver_object(world.client, other_handle);
    driver_handle(other, driver_object(world.client, event), AX_RIGHT_ALL);
    ended_handle = new_process();
    expect(kcall(world.one, AX_CALL_PROCESS_END, ended_handle, AX_CAUSE_KILLED, 0), AX_OK);
    const struct maker all[MAKERS] = {
        {AX_CALL_HANDLE_TRANSFER, 2, {0, event, 0, AX_RIGHT_ALL, 0}},
        {AX_CALL_OBJECT_CREATE, 2, {AX_TYPE_TIMER}},
        {AX_CALL_SESSION_CREATE, 3, {endpoint, 99}},
        {AX_CALL_MEMORY_CREATE, 2, {10}},
        {AX_CALL_ACCOUNT_CREATE, 3, {0, 1000, 10}},
        {AX_CALL_PROCESS_CREATE, 1, {0}},
        {AX_CALL_PROCESS_CLONE, 3, {0x400000, 0x7f0000}},
        {AX_CALL_PROCESS_CONTROL, 3, {0, AX_PROCESS_THREAD, world.two->slot}},
        {AX_CALL_THREAD_CREATE, 4, {0, 0x400000, 0x7f0000}},
        {AX_CALL_DEVICE_CREATE, 4, {memory, AX_DEVICE_MEMORY, REGISTERS, AX_PAGE_SIZE}},
        {AX_CALL_DEVICE_MEMORY, 3, {(uint64_t)registers, 0, AX_DEVICE_REGISTERS}},
        {AX_CALL_IRQ_CREATE, 3, {irqs, 3}},
    };
    memcpy(makers, all, sizeof(makers));
}

static ax_result make_at(const struct maker *maker, ax_place place) {
    uint64_t arguments[ARGUMENTS];
    memcpy(arguments, maker->arguments, sizeof(arguments));
    arguments[maker->place] = place;
    return kcall_array(world.one, maker->number, arguments);
}

/* Every one of them is refused so, and has made nothing. */
static void none_is_made_at(ax_place place, enum ax_error error) {
    const struct account *account = world.client_account;
    uint64_t bytes = account->used_bytes, objects = account->used_objects;
    uint32_t used = other->handles.used, own_used = world.client->handles.used;
    for (unsigned i = 0; i < MAKERS; i++) {
        expect(make_at(&makers[i], place), error);
        ck_assert_uint_eq(account->used_bytes, bytes);
        ck_assert_uint_eq(account->used_objects, objects);
        ck_assert_uint_eq(world.client->live_threads, 2);
        ck_assert_uint_eq(other->handles.used, used);
        ck_assert_uint_eq(other->handles.promised, 0);
        ck_assert_uint_eq(world.client->handles.used, own_used);
        ck_assert_uint_eq(world.client->handles.promised, 0);
    }
}

START_TEST(a_place_may_be_in_another_process) {
    for (unsigned i = 0; i < MAKERS; i++) {
        expect(make_at(&makers[i], AX_PLACE(other_handle, SLOT + i)), SLOT + i);
        ck_assert(is_handle(other, SLOT + i));
    }
}
END_TEST

START_TEST(nothing_is_made_in_an_ended_process) {
    none_is_made_at(AX_PLACE(ended_handle, 0), AX_ERR_ENDED);
    none_is_made_at(AX_PLACE(ended_handle, SLOT), AX_ERR_ENDED);
}
END_TEST

START_TEST(a_place_needs_the_right_to_the_handles) {
    ax_handle weak = weaken(world.one, other_handle, AX_RIGHT_ALL & ~AX_RIGHT_HANDLES);
    none_is_made_at(AX_PLACE(weak, 0), AX_ERR_RIGHTS);
    none_is_made_at(AX_PLACE(weak, SLOT), AX_ERR_RIGHTS);
}
END_TEST

START_TEST(a_place_is_in_a_process) {
    none_is_made_at(AX_PLACE(world.session, 0), AX_ERR_TYPE);
    none_is_made_at(AX_PLACE(stale(world.one), 0), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_place_is_an_empty_slot) {
    none_is_made_at(AX_PLACE(other_handle, 1), AX_ERR_EXISTS);
    none_is_made_at(AX_PLACE(0, other_handle & AX_HANDLE_INDEX_MASK), AX_ERR_EXISTS);
    none_is_made_at(AX_PLACE(other_handle, AX_HANDLE_INDEX_MASK + 1), AX_ERR_ARGUMENT);
}
END_TEST

void place_errors_tests(Suite *suite) {
    TCase *tcase = tcase_create("place_errors");
    tcase_add_checked_fixture(tcase, place_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_place_may_be_in_another_process);
    tcase_add_test(tcase, nothing_is_made_in_an_ended_process);
    tcase_add_test(tcase, a_place_needs_the_right_to_the_handles);
    tcase_add_test(tcase, a_place_is_in_a_process);
    tcase_add_test(tcase, a_place_is_an_empty_slot);
}
