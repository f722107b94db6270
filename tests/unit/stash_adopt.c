/* SPDX-License-Identifier: MIT */
/* What adopting makes of damaged, foreign and poisonous stashes. */
#include "stash_tests.h"

#include <stdlib.h>
#include <string.h>

#include <stash/private.h>

#include "stash_shelf.h"

static struct stash_header *header(void) {
    return (struct stash_header *)(void *)world.memory;
}

/* A number kept at the root, by as many commits. */
static void commit_number(uint64_t number) {
    stash_begin(&world.stash);
    uint64_t *root = stash_root(&world.stash);
    if (root == NULL) {
        root = stash_alloc(&world.stash, sizeof(*root));
        ck_assert_ptr_nonnull(root);
        stash_root_set(&world.stash, root);
    }
    STASH_SET(&world.stash, *root, number);
    ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
}

static uint64_t number(void) {
    const uint64_t *root = stash_root(&world.stash);
    return root == NULL ? 0 : *root;
}

static void format_with(uint64_t count) {
    world_format();
    for (uint64_t i = 1; i <= count; i++)
        commit_number(i);
    stash_answered(&world.stash);
}

/* Nothing may be stored into a stash that is not taken over. */
static void assert_refused(enum stash_verdict verdict) {
    static uint8_t before[WORLD_SIZE];
    memcpy(before, world.memory, WORLD_SIZE);
    ck_assert_int_eq(world_adopt(true), verdict);
    ck_assert_mem_eq(before, world.memory, WORLD_SIZE);
    world.config.predecessor_failed = false;
    ck_assert_int_eq(stash_format(&world.stash, &world.config), STASH_ADOPTED);
    ck_assert_uint_eq(number(), 0);
    commit_number(7);
    world_take_over();
    ck_assert_uint_eq(number(), 7);
}

START_TEST(new_memory_is_new) {
    world_new();
    assert_refused(STASH_NEW);
}
END_TEST

START_TEST(memory_of_something_else) {
    world_new();
    memset(world.memory, 0x5a, WORLD_SIZE - 8);
    assert_refused(STASH_NEW);
    world_open();
    header()->magic++;
    assert_refused(STASH_BAD_MAGIC);
}
END_TEST

START_TEST(other_versions) {
    format_with(3);
    world_open();
    header()->version++;
    assert_refused(STASH_BAD_LAYOUT);
    world.config.schema++;
    assert_refused(STASH_BAD_SCHEMA);
}
END_TEST

START_TEST(damaged_header) {
    format_with(3);
    for (size_t at = offsetof(struct stash_header, schema);
         at < offsetof(struct stash_header, state); at++) {
        world_open();
        world.memory[at] ^= 4;
        assert_refused(STASH_BAD_CHECK);
    }
}
END_TEST

START_TEST(another_address_or_size) {
    format_with(3);
    uint8_t *memory = world.memory;
    uint8_t *copy = aligned_alloc(4096, WORLD_SIZE);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, memory, WORLD_SIZE);
    world.config.memory = copy;
    ck_assert_int_eq(world_adopt(false), STASH_BAD_ADDRESS);
    free(copy);

    world.config.memory = memory;
    world.config.size_bytes = WORLD_SIZE / 2;
    ck_assert_int_eq(world_adopt(false), STASH_BAD_SIZE);
    world.config.size_bytes = WORLD_SIZE;
    world_take_over();
    ck_assert_uint_eq(number(), 3);
}
END_TEST

/* Sizes that overflow what they are added to, with a checksum that is right. */
START_TEST(sizes_that_cannot_be) {
    for (unsigned field = 0; field < 4; field++) {
        format_with(1);
        world_open();
        uint32_t *fields[] = {&header()->log_bytes, &header()->reply_count, &header()->slot_first,
                              &header()->slot_count};
        *fields[field] = UINT32_MAX - 63;
        header()->check = hash_bytes(header(), offsetof(struct stash_header, check), STASH_VERSION);
        assert_refused(STASH_BAD_SIZE);
    }
}
END_TEST

START_TEST(configurations_that_cannot_be) {
    world_new();
    struct stash_config good = world.config;
    struct stash_config bad[] = {good, good, good, good, good, good, good, good};
    bad[0].memory = world.memory + 8;
    bad[1].memory = NULL;
    bad[2].size_bytes = 4096;
    bad[3].size_bytes = SIZE_MAX & ~(size_t)4095;
    bad[4].size_bytes = WORLD_SIZE - 8;
    bad[5].log_bytes = SIZE_MAX - 63;
    bad[6].reply_count = STASH_REPLIES_MAX + 1;
    bad[7].slot_first = 0;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(stash_format(&world.stash, &bad[i]), STASH_BAD_CONFIG);
    ck_assert_int_eq(stash_adopt(&world.stash, &bad[0]), STASH_BAD_CONFIG);
    ck_assert_int_eq(stash_format(&world.stash, &good), STASH_ADOPTED);
}
END_TEST

START_TEST(damaged_state) {
    for (unsigned bit = 0; bit < 64; bit++) {
        format_with(3);
        world_open();
        header()->state ^= UINT64_C(1) << bit;
        assert_refused(STASH_BAD_STATE);
    }
}
END_TEST

START_TEST(state_of_another_commit) {
    format_with(3);
    world_open();
    header()->state = state_make(5, 0);
    assert_refused(STASH_BAD_LOG);
}
END_TEST

START_TEST(damaged_log) {
    format_with(3);
    size_t used = (size_t)stash_log_at(&world.stash, 3)->used;
    for (size_t at = 0; at < used; at++) {
        format_with(3);
        uint8_t *log = (uint8_t *)stash_log_at(&world.stash, 3);
        log[at] ^= 16;
        assert_refused(STASH_BAD_LOG);
    }
}
END_TEST

/* Damage is found only where it is looked for; but then nothing is taken over. */
START_TEST(damaged_heap) {
    for (unsigned at = 0; at < 6; at++) {
        format_with(3);
        world_open();
        world.memory[world.stash.heap_at + at] ^= 1;
        ck_assert_int_eq(world_adopt(false), STASH_BAD_HEAP);
    }
    for (unsigned order = 0; order <= STASH_ORDER_MAX; order++) {
        format_with(1);
        format_with(3);
        commit_number(9); /* whose log does not have the lists in it */
        world_open();
        header()->free[order] ^= 32;
        ck_assert_int_eq(world_adopt(false), STASH_BAD_HEAP);
    }
}
END_TEST

static struct reply_entry *reply_entry(unsigned index) {
    return (struct reply_entry *)(void *)(world.memory + world.stash.replies_at) + index;
}

/* Two replies that name one slot, or a slot that none names: somebody's handle would be lost. */
START_TEST(damaged_handles_of_replies) {
    for (unsigned kind = 0; kind < 4; kind++) {
        format_with(3);
        for (unsigned i = 0; i < 2; i++) {
            struct stash_reply reply = {.handle_count = 1};
            stash_begin(&world.stash);
            reply.handles[0].slot = stash_slot_put(&world.stash, 50 + i);
            ck_assert_int_ge(stash_reply(&world.stash, (struct ax_call_id){1, i}, &reply), 0);
            ck_assert_int_eq(stash_commit(&world.stash), STASH_OK);
        }
        commit_number(1);
        world_take_over();
        world_open();
        uint32_t *slot = &reply_entry(0)->reply.handles[0].slot;
        switch (kind) {
        case 0: *slot = reply_entry(1)->reply.handles[0].slot; break;
        case 1: *slot = WORLD_SLOT_FIRST + WORLD_SLOTS; break;
        case 2: reply_entry(0)->reply.handle_count = 0; break;
        default: reply_entry(0)->id.caller = 0; break;
        }
        ck_assert_int_eq(world_adopt(false), STASH_BAD_TABLE);
    }
}
END_TEST

START_TEST(damaged_tables) {
    format_with(3);
    world_open();
    world.memory[world.stash.slots_at + 3] = 9;
    ck_assert_int_eq(world_adopt(false), STASH_BAD_TABLE);

    for (unsigned field = 0; field < 2; field++) {
        format_with(3);
        world_open();
        struct reply_entry *entry = reply_entry(0);
        *(field == 0 ? &entry->reply.word_count : &entry->reply.handle_count) = 100;
        ck_assert_int_eq(world_adopt(false), STASH_BAD_TABLE);
    }
    format_with(1);
    commit_number(2);
    world_open();
    header()->root = (uintptr_t)world.memory + WORLD_SIZE;
    ck_assert_int_eq(world_adopt(false), STASH_BAD_TABLE);
}
END_TEST

/* ---- Deaths -----------------------------------------------------------------------------------*/

START_TEST(four_deaths_make_it_empty) {
    format_with(5);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED); /* that one had answered */
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    ck_assert_uint_eq(number(), 5);
    ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    ck_assert_uint_eq(number(), 4);
    ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    ck_assert_uint_eq(number(), 4);
    assert_refused(STASH_BAD_DEATHS);
}
END_TEST

START_TEST(an_answer_forgives) {
    format_with(5);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
        ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
        stash_answered(&world.stash);
    }
    ck_assert_uint_eq(number(), 5);
}
END_TEST

START_TEST(being_killed_does_not_count) {
    format_with(5);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(world_adopt(false), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(world_adopt(false), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(world_adopt(false), STASH_WENT_BACK);
    ck_assert_uint_eq(number(), 4);
    commit_number(6);
    ck_assert_int_eq(world_adopt(false), STASH_ADOPTED);
    ck_assert_uint_eq(number(), 6);
}
END_TEST

START_TEST(a_commit_does_not_forgive) {
    format_with(5);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    commit_number(6);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    commit_number(7);
    ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    ck_assert_uint_eq(number(), 6);
    commit_number(8); /* of which nobody was told */
    ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    ck_assert_uint_eq(number(), 6);
    assert_refused(STASH_BAD_DEATHS);
}
END_TEST

static void serve(uint64_t sequence) {
    const struct ax_call_id id = {.caller = 7, .sequence = sequence};
    stash_serving(&world.stash, &id);
}

START_TEST(a_call_is_blamed) {
    format_with(5);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    for (unsigned i = 0; i < 10; i++) {
        serve(1);
        ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    }
    for (unsigned i = 0; i < 5; i++) {
        serve(1 + i % 2);
        ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    }
    serve(3);
    stash_serving(&world.stash, NULL);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    ck_assert_uint_eq(number(), 4);
}
END_TEST

START_TEST(too_many_calls_are_not) {
    format_with(5);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    for (uint64_t call = 1; call < 8; call++) {
        serve(call);
        ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    }
    serve(8);
    ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    ck_assert_uint_eq(number(), 4);
    for (uint64_t call = 9; call < 16; call++) {
        serve(call);
        ck_assert_int_eq(world_adopt(true), STASH_WENT_BACK);
    }
    serve(16);
    assert_refused(STASH_BAD_DEATHS);
}
END_TEST

START_TEST(an_answer_forgives_calls) {
    format_with(5);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    for (uint64_t call = 1; call < 100; call++) {
        serve(call);
        ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
        if (call % 7 == 0)
            stash_answered(&world.stash);
    }
    ck_assert_uint_eq(number(), 5);
}
END_TEST

START_TEST(nothing_to_go_back_to) {
    format_with(0);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_BAD_DEATHS);
    format_with(1);
    for (unsigned i = 0; i < 3; i++)
        (void)world_adopt(true);
    ck_assert_ptr_null(stash_root(&world.stash));
}
END_TEST

START_TEST(each_verdict_and_error_has_a_text) {
    for (unsigned i = 0; i <= STASH_VERDICT_COUNT; i++)
        ck_assert_uint_gt(strlen(stash_verdict_text((enum stash_verdict)i)), 2);
    for (int i = STASH_ERR_BADGES - 1; i <= 0; i++)
        ck_assert_uint_gt(strlen(stash_error_text((enum stash_error)i)), 2);
}
END_TEST

TCase *stash_adopt_tests(void) {
    TCase *tests = tcase_create("adopt");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, new_memory_is_new);
    tcase_add_test(tests, memory_of_something_else);
    tcase_add_test(tests, other_versions);
    tcase_add_test(tests, damaged_header);
    tcase_add_test(tests, another_address_or_size);
    tcase_add_test(tests, sizes_that_cannot_be);
    tcase_add_test(tests, configurations_that_cannot_be);
    tcase_add_test(tests, damaged_state);
    tcase_add_test(tests, state_of_another_commit);
    tcase_add_test(tests, damaged_log);
    tcase_add_test(tests, damaged_heap);
    tcase_add_test(tests, damaged_handles_of_replies);
    tcase_add_test(tests, damaged_tables);
    tcase_add_test(tests, four_deaths_make_it_empty);
    tcase_add_test(tests, a_call_is_blamed);
    tcase_add_test(tests, too_many_calls_are_not);
    tcase_add_test(tests, an_answer_forgives_calls);
    tcase_add_test(tests, an_answer_forgives);
    tcase_add_test(tests, being_killed_does_not_count);
    tcase_add_test(tests, a_commit_does_not_forgive);
    tcase_add_test(tests, nothing_to_go_back_to);
    tcase_add_test(tests, each_verdict_and_error_has_a_text);
    return tests;
}
