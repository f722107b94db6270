/* SPDX-License-Identifier: MIT */
#include "memory_tests.h"
#include "memory_world.h"

static ax_result create(ax_handle parent, uint64_t bytes, uint64_t objects, ax_place place) {
    return kcall(world.one, AX_CALL_ACCOUNT_CREATE, parent, bytes, objects, place);
}

static ax_result transfer(ax_handle from, ax_handle to, uint64_t bytes, uint64_t objects) {
    return kcall(world.one, AX_CALL_ACCOUNT_TRANSFER, from, to, bytes, objects);
}

static struct account *account_of(ax_handle handle) {
    return container_of(driver_object(world.process, handle), struct account, object);
}

static ax_handle account_new(uint64_t bytes, uint64_t objects) {
    ax_result result = create(0, bytes, objects, 0);
    ck_assert_int_gt(result, 0);
    return (ax_handle)result;
}

static void expect_limits(const struct account *account, uint64_t bytes, uint64_t objects) {
    ck_assert_uint_eq(account->limit_bytes, bytes);
    ck_assert_uint_eq(account->limit_objects, objects);
}

START_TEST(limits_come_out_of_the_own_account) {
    uint64_t bytes = world.account->limit_bytes, objects = world.account->limit_objects;
    usage_note();
    ax_handle handle = account_new(5000, 7);
    expect_limits(account_of(handle), 5000, 7);
    expect_limits(world.account, bytes - 5000, objects - 7);
    ck_assert_uint_eq(account_of(handle)->used_bytes, 0);
    /* The account itself is paid for by its parent. */
    ck_assert_uint_eq(world.account->used_objects, world.used_objects + 1);
    ck_assert_uint_eq(world.account->used_bytes,
                      world.used_bytes + heap_charge(sizeof(struct account)));
}
END_TEST

START_TEST(limits_go_back_at_the_end) {
    uint64_t bytes = world.account->limit_bytes, objects = world.account->limit_objects;
    usage_note();
    must_close(world.one, account_new(5000, 7));
    usage_check();
    expect_limits(world.account, bytes, objects);
}
END_TEST

START_TEST(an_account_can_have_children) {
    ax_handle parent = account_new(100000, 50);
    ax_result child = create(parent, 60000, 20, 0);
    ck_assert_int_gt(child, 0);
    expect_limits(account_of(parent), 40000, 30);
    expect_limits(account_of((ax_handle)child), 60000, 20);
    /* The parent goes after its child, which it pays for. */
    uint64_t limit = world.account->limit_bytes;
    must_close(world.one, parent);
    ck_assert_uint_eq(world.account->limit_bytes, limit);
    must_close(world.one, (ax_handle)child);
    ck_assert_uint_eq(world.account->limit_bytes, limit + 100000);
}
END_TEST

START_TEST(an_account_lives_as_long_as_its_last_charge) {
    uint64_t limit = world.account->limit_bytes;
    ax_handle handle = account_new(200000, 100);
    ax_result process = kcall(world.one, AX_CALL_PROCESS_CREATE, handle);
    ck_assert_int_gt(process, 0);
    must_close(world.one, handle);
    ck_assert_uint_eq(world.account->limit_bytes, limit - 200000);
    must_close(world.one, (ax_handle)process);
    driver_settle();
    ck_assert_uint_eq(world.account->limit_bytes, limit);
}
END_TEST

START_TEST(all_that_is_left_can_be_given_away_but_no_more) {
    usage_note();
    uint64_t own = heap_charge(sizeof(struct account));
    uint64_t bytes = world.account->limit_bytes - world.account->used_bytes - own;
    uint64_t objects = world.account->limit_objects - world.account->used_objects - 1;
    expect(create(0, bytes + 1, objects, 0), AX_ERR_LIMIT);
    expect(create(0, bytes, objects + 1, 0), AX_ERR_LIMIT);
    expect(create(0, UINT64_MAX, 0, 0), AX_ERR_LIMIT);
    expect(create(0, 0, UINT64_MAX, 0), AX_ERR_LIMIT);
    usage_check();
    ck_assert_int_gt(create(0, bytes, objects, 0), 0);
    expect(create(0, 0, 0, 0), AX_ERR_LIMIT);
    ck_assert_uint_eq(world.account->object.signals & AX_SIGNAL_LIMIT, AX_SIGNAL_LIMIT);
}
END_TEST

START_TEST(creating_checks_its_handles) {
    ax_handle account = account_new(10000, 10);
    expect(create(stale(world.one), 0, 0, 0), AX_ERR_HANDLE);
    expect(create(world.other_handle, 0, 0, 0), AX_ERR_TYPE);
    expect(create(weaken(world.one, account, AX_RIGHT_ALL & ~AX_RIGHT_CHARGE), 0, 0, 0),
           AX_ERR_RIGHTS);
    expect(create(account, 0, 0, AX_PLACE(stale(world.one), 0)), AX_ERR_HANDLE);
}
END_TEST

START_TEST(creating_at_a_taken_place_has_no_effect) {
    ax_handle account = account_new(1000, 1);
    uint64_t limit = world.account->limit_bytes;
    usage_note();
    expect(create(0, 1000, 1, AX_PLACE(0, account & AX_HANDLE_INDEX_MASK)), AX_ERR_EXISTS);
    usage_check();
    ck_assert_uint_eq(world.account->limit_bytes, limit);
}
END_TEST

START_TEST(creates_in_another_table) {
    ax_result handle = create(0, 1000, 1, AX_PLACE(world.other_handle, 77));
    expect(handle, 77);
    struct account *account = container_of(driver_object(world.other, 77), struct account, object);
    expect_limits(account, 1000, 1);
    ck_assert_ptr_eq(account->parent, world.account);
}
END_TEST

START_TEST(creating_survives_a_lack_of_memory) {
    with_failing_allocations(world.one, AX_CALL_ACCOUNT_CREATE, (uint64_t[5]){0, 1000, 10, 0});
}
END_TEST

START_TEST(unused_limit_is_transferred) {
    ax_handle a = account_new(10000, 10), b = account_new(20000, 20);
    expect(transfer(a, b, 4000, 3), AX_OK);
    expect_limits(account_of(a), 6000, 7);
    expect_limits(account_of(b), 24000, 23);
    expect(transfer(b, a, 24000, 23), AX_OK);
    expect_limits(account_of(b), 0, 0);
    uint64_t bytes = world.account->limit_bytes;
    expect(transfer(a, 0, 30000, 30), AX_OK);
    ck_assert_uint_eq(world.account->limit_bytes, bytes + 30000);
}
END_TEST

START_TEST(a_transfer_to_itself_changes_nothing) {
    ax_handle a = account_new(10000, 10);
    expect(transfer(a, a, 10000, 10), AX_OK);
    expect_limits(account_of(a), 10000, 10);
    expect(transfer(0, 0, 1, 1), AX_OK);
}
END_TEST

START_TEST(used_limit_is_not_transferred) {
    ax_handle a = account_new(100000, 100);
    ck_assert_int_gt(kcall(world.one, AX_CALL_PROCESS_CREATE, a), 0);
    const struct account *account = account_of(a);
    uint64_t bytes = account->limit_bytes - account->used_bytes;
    uint64_t objects = account->limit_objects - account->used_objects;
    ck_assert_uint_lt(bytes, 100000);
    expect(transfer(a, 0, bytes + 1, 0), AX_ERR_LIMIT);
    expect(transfer(a, 0, 0, objects + 1), AX_ERR_LIMIT);
    expect(transfer(a, 0, UINT64_MAX, UINT64_MAX), AX_ERR_LIMIT);
    expect_limits(account, 100000, 100);
    expect(transfer(a, 0, bytes, objects), AX_OK);
}
END_TEST

/* Told once it is exceeded; taken back when more was given, also when that is nothing. */
START_TEST(a_transfer_takes_back_that_the_limit_was_met) {
    ax_handle a = account_new(100000, 100), b = account_new(1000, 1);
    expect(create(a, 100000, 0, 0), AX_ERR_LIMIT);
    ck_assert_uint_eq(account_of(a)->object.signals, AX_SIGNAL_LIMIT);
    expect(transfer(a, b, 100, 0), AX_OK);
    ck_assert_uint_eq(account_of(a)->object.signals, AX_SIGNAL_LIMIT);
    expect(transfer(b, a, 100000, 0), AX_ERR_LIMIT);
    ck_assert_uint_eq(account_of(a)->object.signals, AX_SIGNAL_LIMIT);
    expect(transfer(b, a, 100, 0), AX_OK);
    ck_assert_uint_eq(account_of(a)->object.signals, 0);
    expect(create(a, 100000, 0, 0), AX_ERR_LIMIT);
    expect(transfer(b, a, 0, 0), AX_OK);
    ck_assert_uint_eq(account_of(a)->object.signals, 0);
}
END_TEST

START_TEST(transfers_check_their_handles) {
    ax_handle a = account_new(10000, 10);
    ax_handle weak = weaken(world.one, a, AX_RIGHT_ALL & ~AX_RIGHT_CHARGE);
    ax_handle gone = stale(world.one);
    expect(transfer(gone, a, 0, 0), AX_ERR_HANDLE);
    expect(transfer(a, gone, 0, 0), AX_ERR_HANDLE);
    expect(transfer(world.other_handle, a, 0, 0), AX_ERR_TYPE);
    expect(transfer(a, world.other_handle, 0, 0), AX_ERR_TYPE);
    expect(transfer(weak, a, 0, 0), AX_ERR_RIGHTS);
    expect(transfer(a, weak, 0, 0), AX_ERR_RIGHTS);
}
END_TEST

TCase *account_calls_tests(void) {
    TCase *tcase = world_case("account_calls");
    tcase_add_test(tcase, limits_come_out_of_the_own_account);
    tcase_add_test(tcase, limits_go_back_at_the_end);
    tcase_add_test(tcase, an_account_can_have_children);
    tcase_add_test(tcase, an_account_lives_as_long_as_its_last_charge);
    tcase_add_test(tcase, all_that_is_left_can_be_given_away_but_no_more);
    tcase_add_test(tcase, creating_checks_its_handles);
    tcase_add_test(tcase, creating_at_a_taken_place_has_no_effect);
    tcase_add_test(tcase, creates_in_another_table);
    tcase_add_test(tcase, creating_survives_a_lack_of_memory);
    tcase_add_test(tcase, unused_limit_is_transferred);
    tcase_add_test(tcase, a_transfer_to_itself_changes_nothing);
    tcase_add_test(tcase, used_limit_is_not_transferred);
    tcase_add_test(tcase, a_transfer_takes_back_that_the_limit_was_met);
    tcase_add_test(tcase, transfers_check_their_handles);
    return tcase;
}
