/* SPDX-License-Identifier: MIT */
/* Replies, handle slots, badges. */
#include "stash_tests.h"

#include <string.h>

#include "stash_world.h"

static struct ax_call_id id_of(uint64_t sequence) {
    return (struct ax_call_id){.caller = 9, .sequence = sequence};
}

static int commit_reply(uint64_t sequence, const struct stash_reply *reply) {
    stash_begin(&world.stash);
    int index = stash_reply(&world.stash, id_of(sequence), reply);
    ck_assert_int_eq(stash_commit(&world.stash), index >= 0 ? STASH_OK : STASH_ERR_REPLIES);
    return index;
}

static bool has_reply(uint64_t sequence) {
    struct stash_reply reply;
    return stash_reply_find(&world.stash, id_of(sequence), &reply) >= 0;
}

START_TEST(a_reply_comes_back_as_it_was) {
    world_format();
    struct stash_reply reply = {.operation = UINT64_MAX - 2, .word_count = AX_MESSAGE_WORDS};
    for (unsigned i = 0; i < AX_MESSAGE_WORDS; i++)
        reply.words[i] = i * 1001;
    int index = commit_reply(5, &reply);
    world_take_over();
    struct stash_reply found;
    ck_assert_int_eq(stash_reply_find(&world.stash, id_of(5), &found), index);
    ck_assert_mem_eq(&found, &reply, sizeof(reply));
    ck_assert_int_eq(
        stash_reply_find(&world.stash, (struct ax_call_id){.caller = 8, .sequence = 5}, &found),
        -1);
    ck_assert(!has_reply(6));
}
END_TEST

START_TEST(replies_that_were_not_given_are_not_forgotten) {
    world_format();
    struct stash_reply reply = {0};
    int index[4];
    for (unsigned i = 0; i < 4; i++)
        index[i] = commit_reply(i, &reply);
    ck_assert_int_eq(commit_reply(4, &reply), -1);
    stash_reply_given(&world.stash, index[2]);
    ck_assert_int_eq(commit_reply(5, &reply), index[2]);
    ck_assert_int_eq(commit_reply(6, &reply), -1);
    for (unsigned i = 0; i < 6; i++)
        ck_assert_int_eq(has_reply(i), i != 2 && i != 4);
}
END_TEST

/* An aborted transaction must not keep the entries that it took. */
START_TEST(an_abort_gives_entries_back) {
    world_format();
    struct stash_reply reply = {0};
    for (unsigned round = 0; round < 10; round++) {
        stash_begin(&world.stash);
        for (unsigned i = 0; i < 4; i++)
            ck_assert_int_ge(stash_reply(&world.stash, id_of(i), &reply), 0);
        stash_abort(&world.stash);
        ck_assert(!has_reply(0));
    }
}
END_TEST

START_TEST(a_successor_keeps_all_until_it_is_settled) {
    world_format();
    struct stash_reply reply = {0};
    stash_reply_given(&world.stash, commit_reply(1, &reply));
    commit_reply(2, &reply);
    commit_reply(3, &reply);
    world_take_over();
    ck_assert(has_reply(1) && has_reply(2) && has_reply(3)); /* who knows */
    int own = commit_reply(4, &reply);
    ck_assert_int_ge(own, 0);
    stash_replies_settled(&world.stash);
    ck_assert(!has_reply(1) && !has_reply(2) && !has_reply(3) && has_reply(4));
    for (unsigned i = 5; i < 8; i++)
        ck_assert_int_ge(commit_reply(i, &reply), 0);
    ck_assert_int_eq(commit_reply(8, &reply), -1);
}
END_TEST

START_TEST(several_calls_in_one_commit) {
    world_format();
    struct stash_reply reply = {.word_count = 1};
    stash_begin(&world.stash);
    for (unsigned i = 0; i < 3; i++) {
        reply.words[0] = i;
        ck_assert_int_ge(stash_reply(&world.stash, id_of(i), &reply), 0);
    }
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    world_take_over();
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_ge(stash_reply_find(&world.stash, id_of(i), &reply), 0);
        ck_assert_uint_eq(reply.words[0], i);
    }
}
END_TEST

/* ---- Handles ----------------------------------------------------------------------------------*/

static uint32_t commit_put(ax_handle handle) {
    stash_begin(&world.stash);
    uint32_t slot = stash_slot_put(&world.stash, handle);
    ck_assert_int_eq(stash_commit(&world.stash), slot != 0 ? STASH_OK : world.stash.error);
    return slot;
}

START_TEST(a_handle_stays_until_it_is_freed) {
    world_format();
    uint32_t slot = commit_put(500);
    ck_assert_uint_eq(world.handles[slot], 500);
    world_take_over();
    ck_assert_uint_eq(world.handles[slot], 500);
    ck_assert_uint_eq(world.stash.slots_missing, 0);
    stash_begin(&world.stash);
    stash_slot_free(&world.stash, slot);
    ck_assert_uint_eq(world.handles[slot], 500);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_eq(world_handle_count(), 0);
}
END_TEST

START_TEST(an_aborted_handle_is_closed) {
    world_format();
    stash_begin(&world.stash);
    ck_assert_uint_ne(stash_slot_put(&world.stash, 500), 0);
    uint32_t slot = stash_slot_reserve(&world.stash);
    world.handles[slot] = 501; /* a kernel call with a place made it */
    stash_abort(&world.stash);
    ck_assert_uint_eq(world_handle_count(), 0);
}
END_TEST

START_TEST(put_and_freed_in_one_transaction) {
    world_format();
    stash_begin(&world.stash);
    stash_slot_free(&world.stash, stash_slot_put(&world.stash, 500));
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_eq(world_handle_count(), 0);
}
END_TEST

START_TEST(what_nobody_owns_is_closed) {
    world_format();
    uint32_t slot = commit_put(500);
    world.handles[WORLD_SLOT_FIRST + 9] = 600;
    world.handles[WORLD_SLOT_FIRST + WORLD_SLOTS - 1] = 601;
    world_take_over();
    ck_assert_uint_eq(world_handle_count(), 1);
    ck_assert_uint_eq(world.stash.slots_closed, 2);
    ck_assert_uint_eq(world.handles[WORLD_SLOT_FIRST + WORLD_SLOTS], 2); /* not ours */
    world.handles[slot] = 0;
    world_take_over();
    ck_assert_uint_eq(world.stash.slots_missing, 1);
}
END_TEST

START_TEST(a_leftover_in_a_free_slot_makes_way) {
    world_format();
    world.handles[WORLD_SLOT_FIRST] = 600;
    uint32_t slot = commit_put(500);
    ck_assert_uint_eq(world.handles[slot], 500);
}
END_TEST

START_TEST(a_handle_that_cannot_be_moved) {
    world_format();
    world.put_answer = AX_ERR_RIGHTS;
    ck_assert_uint_eq(commit_put(500), 0);
    ck_assert_int_eq(world.stash.error, STASH_ERR_HANDLE);
    ck_assert_int_eq(world.stash.handle_error, AX_ERR_RIGHTS);
    world.put_answer = 0;
    ck_assert_uint_ne(commit_put(500), 0);
}
END_TEST

START_TEST(all_slots_in_one_transaction) {
    world_format();
    stash_begin(&world.stash);
    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        uint32_t slot = stash_slot_put(&world.stash, 500 + i);
        ck_assert_uint_ne(slot, 0);
        ck_assert_uint_eq(world.handles[slot], 500 + i);
    }
    ck_assert_uint_eq(world_handle_count(), WORLD_SLOTS);
    ck_assert_uint_eq(stash_slot_reserve(&world.stash), 0);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_ERR_SLOTS);
    ck_assert_uint_eq(world_handle_count(), 0);
}
END_TEST

START_TEST(all_slots_are_used) {
    world_format();
    uint32_t slots[WORLD_SLOTS];
    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        slots[i] = commit_put(500 + i);
        ck_assert_uint_ne(slots[i], 0);
    }
    ck_assert_uint_eq(commit_put(600), 0);
    ck_assert_int_eq(world.stash.error, STASH_ERR_SLOTS);
    stash_begin(&world.stash);
    stash_slot_free(&world.stash, slots[3]);
    stash_slot_free(&world.stash, slots[4]);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_eq(commit_put(600), 0); /* going back would find it there */
    stash_begin(&world.stash);
    stash_root_set(&world.stash, NULL);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    ck_assert_uint_ne(commit_put(600), 0);
    ck_assert_uint_eq(world_handle_count(), WORLD_SLOTS - 1);
}
END_TEST

/* The stash's copy goes as soon as the caller has its own; the slot when the entry is used again.
 */
START_TEST(a_reply_owns_its_handles) {
    world_format();
    struct stash_reply reply = {.handle_count = 1};
    for (unsigned i = 0; i < 100; i++) {
        stash_begin(&world.stash);
        reply.handles[0].slot = stash_slot_put(&world.stash, 500 + i);
        int index = stash_reply(&world.stash, id_of(i), &reply);
        ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
        ck_assert_uint_eq(world_handle_count(), 1);
        if (i % 3 == 0) {
            world_take_over();
            index = stash_reply_find(&world.stash, id_of(i), &reply);
            ck_assert_uint_eq(world.handles[reply.handles[0].slot], 500 + i);
        }
        if (i % 2 == 0)
            stash_reply_given(&world.stash, index);
        world_take_over();
        stash_replies_settled(&world.stash);
        ck_assert_uint_eq(world_handle_count(), 0);
        ck_assert_uint_eq(world.stash.slots_missing, 0);
    }
}
END_TEST

/* ---- Badges -----------------------------------------------------------------------------------*/

static struct stash_badges *create_badges(uint32_t capacity, void **object) {
    stash_begin(&world.stash);
    struct stash_badges *badges = stash_badges_create(&world.stash, capacity);
    *object = stash_alloc(&world.stash, 8);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    return badges;
}

START_TEST(a_badge_names_one_use_of_an_entry) {
    void *object;
    world_format();
    struct stash_badges *badges = create_badges(2, &object);
    uint64_t old[50];
    for (unsigned i = 0; i < 50; i++) {
        stash_begin(&world.stash);
        old[i] = stash_badge_new(&world.stash, badges, object);
        ck_assert_uint_ne(old[i], 0);
        ck_assert_ptr_eq(stash_badge_object(&world.stash, badges, old[i]), object);
        ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
        for (unsigned earlier = 0; earlier < i; earlier++)
            ck_assert_ptr_null(stash_badge_object(&world.stash, badges, old[earlier]));
        world_take_over();
        ck_assert_uint_eq(stash_badge_next(&world.stash, badges, 0), old[i]);
        ck_assert_uint_eq(stash_badge_next(&world.stash, badges, old[i]), 0);
        stash_begin(&world.stash);
        stash_badge_free(&world.stash, badges, old[i]);
        ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    }
    ck_assert_ptr_null(stash_badge_object(&world.stash, badges, 0));
    ck_assert_ptr_null(stash_badge_object(&world.stash, badges, 1));
    ck_assert_ptr_null(stash_badge_object(&world.stash, badges, UINT64_MAX));
}
END_TEST

START_TEST(a_full_table_of_badges) {
    void *object;
    world_format();
    struct stash_badges *badges = create_badges(2, &object);
    stash_begin(&world.stash);
    uint64_t first = stash_badge_new(&world.stash, badges, object);
    uint64_t second = stash_badge_new(&world.stash, badges, object);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
    stash_begin(&world.stash);
    ck_assert_uint_eq(stash_badge_new(&world.stash, badges, object), 0);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_ERR_BADGES);
    ck_assert_uint_eq(stash_badge_next(&world.stash, badges, 0), first);
    ck_assert_uint_eq(stash_badge_next(&world.stash, badges, first), second);
    ck_assert_uint_eq(stash_badge_next(&world.stash, badges, second), 0);
}
END_TEST

TCase *stash_tables_tests(void) {
    TCase *tests = tcase_create("tables");
    tcase_add_test(tests, a_reply_comes_back_as_it_was);
    tcase_add_test(tests, replies_that_were_not_given_are_not_forgotten);
    tcase_add_test(tests, an_abort_gives_entries_back);
    tcase_add_test(tests, a_successor_keeps_all_until_it_is_settled);
    tcase_add_test(tests, several_calls_in_one_commit);
    tcase_add_test(tests, a_handle_stays_until_it_is_freed);
    tcase_add_test(tests, an_aborted_handle_is_closed);
    tcase_add_test(tests, put_and_freed_in_one_transaction);
    tcase_add_test(tests, what_nobody_owns_is_closed);
    tcase_add_test(tests, a_leftover_in_a_free_slot_makes_way);
    tcase_add_test(tests, a_handle_that_cannot_be_moved);
    tcase_add_test(tests, all_slots_in_one_transaction);
    tcase_add_test(tests, all_slots_are_used);
    tcase_add_test(tests, a_reply_owns_its_handles);
    tcase_add_test(tests, a_badge_names_one_use_of_an_entry);
    tcase_add_test(tests, a_full_table_of_badges);
    return tests;
}
