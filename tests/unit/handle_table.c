/* SPDX-License-Identifier: MIT */
/* The table itself: promises, growth, and what is done in portions. */
#include "object_world.h"

static struct object *event_object(void) {
    return driver_object(world.process, make(world.one, AX_TYPE_EVENT));
}

static void fill(struct process *process, struct object *object, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        driver_handle(process, object, AX_RIGHT_WAIT);
}

START_TEST(a_promise_is_kept_whatever_comes_between) {
    struct object *object = event_object();
    struct handle_table *table = &world.other->handles;
    expect(handle_promise(world.other, 5), AX_OK);
    fill(world.other, object, 600);
    uint64_t limit = world.other_account->limit_bytes;
    world.other_account->limit_bytes = world.other_account->used_bytes;
    while (table->used + table->promised < table->slot_count)
        fill(world.other, object, 1);
    expect(handle_promise(world.other, 1), AX_ERR_LIMIT);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_ne(handle_put_promised(world.other, object, 0), AX_HANDLE_NONE);
    ck_assert_uint_eq(table->used, table->slot_count);
    world.other_account->limit_bytes = limit;
}
END_TEST

START_TEST(a_promise_can_be_given_back) {
    expect(handle_promise(world.other, 4), AX_OK);
    handle_unpromise(world.other, 3);
    ck_assert_uint_eq(world.other->handles.promised, 1);
    handle_unpromise(world.other, 1);
    ck_assert_uint_eq(world.other->handles.promised, 0);
}
END_TEST

START_TEST(a_named_slot_does_not_break_a_promise) {
    struct object *object = event_object();
    struct handle_table *table = &world.other->handles;
    fill(world.other, object, SLOTS_PER_LEAF - 2); /* one is left in the first leaf */
    expect(handle_promise(world.other, 1), AX_OK);
    struct place place;
    uint32_t slot = SLOTS_PER_LEAF - 1;
    expect(place_decode(world.stranger, AX_PLACE(0, slot), &place), AX_OK);
    ck_assert_uint_gt(table->slot_count, SLOTS_PER_LEAF - 1); /* it made room elsewhere */
    ck_assert_uint_eq(place_put(&place, object, 0), slot);
    ck_assert_uint_eq(handle_put_promised(world.other, object, 0), SLOTS_PER_LEAF);
}
END_TEST

START_TEST(a_cancelled_place_leaves_nothing) {
    struct object *object = event_object();
    struct place place;
    expect(place_decode(world.stranger, AX_PLACE(0, 9), &place), AX_OK);
    place_cancel(&place);
    ck_assert_uint_eq(world.other->handles.promised, 0);
    ck_assert_uint_eq(driver_handle(world.other, object, 0), 1);
}
END_TEST

START_TEST(leaves_come_where_slots_are_named_and_holes_are_filled) {
    struct object *object = event_object();
    struct place place;
    expect(place_decode(world.stranger, AX_PLACE(0, 100 * SLOTS_PER_LEAF), &place), AX_OK);
    place_put(&place, object, 0);
    struct handle_table *table = &world.other->handles;
    ck_assert_uint_eq(table->slot_count, SLOTS_PER_LEAF);
    ck_assert_ptr_null(table->leaves[0].slots);
    /* The rest of the leaf that is there, then new ones from the first on. */
    ck_assert_uint_eq(driver_handle(world.other, object, 0), 100 * SLOTS_PER_LEAF + 1);
    fill(world.other, object, SLOTS_PER_LEAF - 2);
    ck_assert_uint_eq(driver_handle(world.other, object, 0), 1);
    ck_assert_uint_eq(table->slot_count, 2 * SLOTS_PER_LEAF - 1);
}
END_TEST

START_TEST(a_table_has_an_end) {
    struct object *object = event_object();
    struct process *process = driver_process(); /* of the root account */
    uint32_t all = (1U << AX_HANDLE_INDEX_BITS) - 1;
    fill(process, object, 20000);
    struct handle_table *table = &process->handles;
    ck_assert_uint_ge(table->slot_count, 20000);
    ck_assert_uint_le(table->slot_count, all);
    /* Pretend that all leaves are there: nothing can grow any more. */
    uint32_t promised = table->slot_count - table->used;
    table->promised += promised;
    struct leaf *leaves = table->leaves;
    uint32_t capacity = table->leaf_capacity;
    static struct leaf full[HANDLE_LEAVES];
    for (unsigned i = 0; i < HANDLE_LEAVES; i++)
        full[i].slots = leaves[0].slots;
    table->leaves = full;
    table->leaf_capacity = HANDLE_LEAVES;
    expect(handle_promise(process, 1), AX_ERR_LIMIT);
    table->leaves = leaves;
    table->leaf_capacity = capacity;
    table->promised -= promised;
}
END_TEST

START_TEST(the_tables_owner_pays_for_it) {
    usage_note();
    uint64_t other_bytes = world.other_account->used_bytes;
    struct object *object = event_object();
    uint64_t own_bytes = world.account->used_bytes;
    fill(world.other, object, 300);
    ck_assert_uint_eq(world.account->used_bytes, own_bytes);
    ck_assert_uint_ge(world.other_account->used_bytes, other_bytes + 2 * AX_PAGE_SIZE);
}
END_TEST

START_TEST(a_table_is_cleared_in_portions) {
    struct object *object = event_object();
    uint64_t bytes = world.other_account->used_bytes;
    uint64_t objects = world.other_account->used_objects;
    fill(world.other, object, 600);
    struct place place;
    expect(place_decode(world.stranger, AX_PLACE(0, 77 * SLOTS_PER_LEAF + 3), &place), AX_OK);
    place_put(&place, object, 0);
    unsigned portion = 100;
    ck_assert(!handle_table_clear(world.other, &portion));
    ck_assert_uint_eq(portion, 0);
    ck_assert_uint_gt(object->handles, 400);
    unsigned rounds = 1;
    do {
        portion = 100;
        rounds++;
    } while (!handle_table_clear(world.other, &portion));
    ck_assert_uint_ge(rounds, 6);
    ck_assert_uint_eq(object->handles, 1);
    ck_assert_uint_eq(world.other_account->used_bytes, bytes);
    ck_assert_uint_eq(world.other_account->used_objects, objects);
    portion = 0;
    ck_assert(handle_table_clear(world.other, &portion)); /* an empty one costs nothing */
}
END_TEST

/* ---- Clones ---------------------------------------------------------------------------------- */

/* An empty process that nobody else knows, as process_clone makes it. */
static struct process *child_make(void) {
    return driver_process_of(world.other_account);
}

static unsigned clone_all(struct process *child, unsigned portion_size) {
    uint64_t cursor = 0;
    unsigned rounds = 0;
    ax_result result;
    do {
        unsigned portion = portion_size;
        result = handle_table_clone(world.process, child, &cursor, &portion);
        rounds++;
    } while (result == RESULT_RESTART);
    expect(result, AX_OK);
    return rounds;
}

START_TEST(clones_have_the_same_handles_with_the_same_generations) {
    stale(world.one);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, event, AX_RIGHT_WAIT);
    ax_handle gone = make(world.one, AX_TYPE_EVENT);
    must_close(world.one, gone);
    struct process *child = child_make();
    ck_assert_uint_gt(clone_all(child, 50), 4);
    struct object *object;
    uint32_t rights;
    expect(handle_lookup_rights(child, event, AX_TYPE_EVENT, 0, &object, &rights), AX_OK);
    ck_assert_uint_eq(rights, AX_RIGHT_ALL);
    expect(handle_lookup_rights(child, weak, AX_TYPE_EVENT, 0, &object, &rights), AX_OK);
    ck_assert_uint_eq(rights, AX_RIGHT_WAIT);
    ck_assert_uint_eq(object->handles, 4);
    expect(handle_lookup(child, gone, AX_TYPE_NONE, 0, &object), AX_ERR_HANDLE);
    ck_assert_uint_eq(
        handle_slot(&child->handles, gone & AX_HANDLE_INDEX_MASK)->generation,
        handle_slot(&world.process->handles, gone & AX_HANDLE_INDEX_MASK)->generation);
    ck_assert_uint_eq(child->handles.used, world.process->handles.used);
}
END_TEST

START_TEST(devices_and_not_cloned_handles_stay_behind) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_result marked = kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, event, 0, AX_RIGHT_ALL,
                             AX_TRANSFER_NOT_CLONED);
    ax_handle ports = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    struct process *child = child_make();
    clone_all(child, 10000);
    struct object *object;
    expect(handle_lookup(child, event, AX_TYPE_NONE, 0, &object), AX_OK);
    expect(handle_lookup(child, (ax_handle)marked, AX_TYPE_NONE, 0, &object), AX_ERR_HANDLE);
    expect(handle_lookup(child, ports, AX_TYPE_NONE, 0, &object), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_slot_emptied_meanwhile_is_not_cloned) {
    ax_handle first = make(world.one, AX_TYPE_EVENT);
    ax_handle last = first;
    for (unsigned i = 0; i < 100; i++)
        last = make(world.one, AX_TYPE_EVENT);
    struct process *child = child_make();
    uint64_t cursor = 0;
    unsigned portion = 60;
    expect(handle_table_clone(world.process, child, &cursor, &portion), RESULT_RESTART);
    must_close(world.one, first);
    must_close(world.one, last);
    portion = 1000;
    expect(handle_table_clone(world.process, child, &cursor, &portion), AX_OK);
    struct object *object;
    expect(handle_lookup(child, first, AX_TYPE_NONE, 0, &object), AX_OK);
    ck_assert_uint_eq(object->handles, 1);
    expect(handle_lookup(child, last, AX_TYPE_NONE, 0, &object), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_sparse_table_is_cloned_without_its_holes) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, event, AX_PLACE(0, 90000), AX_RIGHT_ALL, 0),
           90000);
    struct process *child = child_make();
    clone_all(child, 64);
    struct object *object;
    expect(handle_lookup(child, 90000, AX_TYPE_EVENT, 0, &object), AX_OK);
    ck_assert_uint_eq(child->handles.slot_count, 2 * SLOTS_PER_LEAF - 1);
}
END_TEST

START_TEST(cloning_stops_where_memory_ends) {
    make(world.one, AX_TYPE_EVENT);
    struct process *child = child_make();
    uint64_t limit = world.other_account->limit_bytes;
    world.other_account->limit_bytes = world.other_account->used_bytes;
    uint64_t cursor = 0;
    unsigned portion = 1000;
    expect(handle_table_clone(world.process, child, &cursor, &portion), AX_ERR_LIMIT);
    world.other_account->limit_bytes = limit;
    driver_fail_after(2);
    expect(handle_table_clone(world.process, child, &cursor, &portion), AX_ERR_MEMORY);
    portion = 1000;
    expect(handle_table_clone(world.process, child, &cursor, &portion), AX_OK);
    ck_assert_uint_eq(child->handles.used, world.process->handles.used);
}
END_TEST

TCase *handle_table_tests(void) {
    TCase *tcase = world_case("handle_table");
    tcase_add_test(tcase, a_promise_is_kept_whatever_comes_between);
    tcase_add_test(tcase, a_promise_can_be_given_back);
    tcase_add_test(tcase, a_named_slot_does_not_break_a_promise);
    tcase_add_test(tcase, a_cancelled_place_leaves_nothing);
    tcase_add_test(tcase, leaves_come_where_slots_are_named_and_holes_are_filled);
    tcase_add_test(tcase, a_table_has_an_end);
    tcase_add_test(tcase, the_tables_owner_pays_for_it);
    tcase_add_test(tcase, a_table_is_cleared_in_portions);
    tcase_add_test(tcase, clones_have_the_same_handles_with_the_same_generations);
    tcase_add_test(tcase, devices_and_not_cloned_handles_stay_behind);
    tcase_add_test(tcase, a_slot_emptied_meanwhile_is_not_cloned);
    tcase_add_test(tcase, a_sparse_table_is_cloned_without_its_holes);
    tcase_add_test(tcase, cloning_stops_where_memory_ends);
    return tcase;
}
