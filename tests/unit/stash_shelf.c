/* SPDX-License-Identifier: MIT */
#include "stash_shelf.h"

#include <check.h>
#include <string.h>

#include <base/random.h>

struct item {
    uint64_t badge;
    uint32_t size;
    uint32_t slot;
    uint8_t bytes[];
};

struct shelf {
    struct item *items[SHELF_ITEMS];
    struct stash_badges *badges;
    uint64_t sum;
};

static uint32_t handle_of(const struct shelf_call *call) {
    return (uint32_t)(1000 + call->sequence);
}

static void fill(uint8_t *bytes, uint32_t size, uint64_t seed) {
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)hash_mix(seed ^ (uint64_t)i << 32);
}

/* ---- The reference ----------------------------------------------------------------------------*/

struct shelf_call shelf_choose(uint64_t random, const struct reference *reference,
                               uint64_t sequence) {
    struct random numbers;
    random_seed(&numbers, random);
    struct shelf_call call = {
        .kind = (enum shelf_kind)random_below(&numbers, SHELF_KIND_COUNT),
        .aborted = random_below(&numbers, 6) == 0,
        .index = (unsigned)random_below(&numbers, SHELF_ITEMS),
        .seed = random_next(&numbers),
        .sequence = sequence,
    };
    /* Now and then as large as can be, mostly small. */
    uint64_t limit = random_below(&numbers, 8) == 0 ? SHELF_BYTES : 60;
    call.size = (uint32_t)(1 + random_below(&numbers, limit));
    bool present = reference->items[call.index].present;
    if (call.kind == SHELF_ADD && present)
        call.kind = SHELF_REMOVE;
    if (!present &&
        (call.kind == SHELF_REMOVE || call.kind == SHELF_CHANGE || call.kind == SHELF_GROW))
        call.kind = SHELF_ADD;
    return call;
}

/* The ranges that CHANGE writes, one after the other. */
static void change_range(const struct shelf_call *call, uint32_t size, unsigned turn,
                         uint32_t *first, uint32_t *count) {
    uint64_t chosen = hash_mix(call->seed + turn);
    *first = (uint32_t)(chosen % size);
    *count = (uint32_t)(1 + (chosen >> 32) % (size - *first));
}

#define CHANGES 4

void reference_apply(struct reference *reference, const struct shelf_call *call) {
    struct reference_item *item = &reference->items[call->index];
    struct reference_item *next = &reference->items[(call->index + 1) % SHELF_ITEMS];
    struct reference_item kept = *item;
    switch (call->kind) {
    case SHELF_ADD:
        *item = (struct reference_item){.present = true, .size = call->size};
        item->handle = call->seed % 2 != 0 ? handle_of(call) : 0;
        fill(item->bytes, call->size, call->seed);
        break;
    case SHELF_REMOVE: *item = (struct reference_item){0}; break;
    case SHELF_CHANGE:
        for (unsigned turn = 0; turn < CHANGES; turn++) {
            uint32_t first;
            uint32_t count;
            change_range(call, item->size, turn, &first, &count);
            fill(item->bytes + first, count, call->seed + turn);
        }
        break;
    case SHELF_GROW:
        item->size = SHELF_BYTES;
        memset(item->bytes + kept.size, 0, SHELF_BYTES - kept.size);
        break;
    case SHELF_SWAP:
        *item = *next;
        *next = kept;
        break;
    case SHELF_HAND: break;
    }
    reference->sum += call->seed;
}

/* ---- The server -------------------------------------------------------------------------------*/

void shelf_create(void) {
    struct stash *stash = &world.stash;
    stash_begin(stash);
    struct shelf *shelf = stash_alloc(stash, sizeof(*shelf));
    ck_assert_ptr_nonnull(shelf);
    STASH_SET(stash, shelf->badges, stash_badges_create(stash, SHELF_ITEMS));
    stash_root_set(stash, shelf);
    ck_assert_ptr_eq(stash_root(stash), shelf);
    ck_assert_int_eq(stash_commit(stash), STASH_OK);
}

static void add(struct stash *stash, struct shelf *shelf, const struct shelf_call *call) {
    uint8_t bytes[SHELF_BYTES];
    struct item *item = stash_alloc(stash, sizeof(*item) + call->size);
    ck_assert_ptr_nonnull(item);
    fill(bytes, call->size, call->seed);
    stash_write(stash, item->bytes, bytes, call->size);
    STASH_SET(stash, item->size, call->size);
    STASH_SET(stash, item->badge, stash_badge_new(stash, shelf->badges, item));
    if (call->seed % 2 != 0)
        STASH_SET(stash, item->slot, stash_slot_put(stash, handle_of(call)));
    STASH_SET(stash, shelf->items[call->index], item);
}

static void remove_item(struct stash *stash, struct shelf *shelf, unsigned index) {
    struct item *item = shelf->items[index];
    if (item->slot != 0)
        stash_slot_free(stash, item->slot);
    stash_badge_free(stash, shelf->badges, item->badge);
    stash_free(stash, item);
    STASH_SET(stash, shelf->items[index], NULL);
}

/* What is read in between is what was written, on top of what was committed. */
static void change(struct stash *stash, struct shelf *shelf, const struct shelf_call *call) {
    struct item *item = shelf->items[call->index];
    uint8_t expected[SHELF_BYTES];
    uint8_t bytes[SHELF_BYTES];
    memcpy(expected, item->bytes, item->size);
    for (unsigned turn = 0; turn < CHANGES; turn++) {
        uint32_t first;
        uint32_t count;
        change_range(call, item->size, turn, &first, &count);
        fill(bytes, count, call->seed + turn);
        stash_write(stash, item->bytes + first, bytes, count);
        memcpy(expected + first, bytes, count);
        stash_read(stash, bytes, item->bytes, item->size);
        ck_assert_mem_eq(bytes, expected, item->size);
    }
}

static void grow(struct stash *stash, struct shelf *shelf, unsigned index) {
    struct item *old = shelf->items[index];
    struct item *item = stash_alloc(stash, sizeof(*item) + SHELF_BYTES);
    ck_assert_ptr_nonnull(item);
    stash_free(stash, old);
    stash_write(stash, item, old, sizeof(*old) + old->size); /* still there until the commit */
    STASH_SET(stash, item->size, SHELF_BYTES);
    stash_badge_free(stash, shelf->badges, old->badge);
    STASH_SET(stash, item->badge, stash_badge_new(stash, shelf->badges, item));
    STASH_SET(stash, shelf->items[index], item);
}

static void swap(struct stash *stash, struct shelf *shelf, unsigned index) {
    unsigned next = (index + 1) % SHELF_ITEMS;
    struct item *kept = STASH_GET(stash, shelf->items[index]);
    STASH_SET(stash, shelf->items[index], STASH_GET(stash, shelf->items[next]));
    STASH_SET(stash, shelf->items[next], kept);
}

static void perform(struct stash *stash, struct shelf *shelf, const struct shelf_call *call) {
    switch (call->kind) {
    case SHELF_ADD: add(stash, shelf, call); break;
    case SHELF_REMOVE: remove_item(stash, shelf, call->index); break;
    case SHELF_CHANGE: change(stash, shelf, call); break;
    case SHELF_GROW: grow(stash, shelf, call->index); break;
    case SHELF_SWAP: swap(stash, shelf, call->index); break;
    case SHELF_HAND: break;
    }
    /* In two steps, so that the second one changes what the first one has logged. */
    STASH_SET(stash, shelf->sum, 1);
    STASH_SET(stash, shelf->sum, shelf->sum + call->seed);
}

void shelf_serve(const struct shelf_call *call, bool *answered) {
    struct stash *stash = &world.stash;
    stash_begin(stash);
    perform(stash, stash_root(stash), call);
    struct stash_reply reply = {
        .operation = call->seed, .word_count = 2, .words = {call->sequence, call->index}};
    if (call->kind == SHELF_HAND) {
        reply.handle_count = 1;
        reply.handles[0].slot = stash_slot_put(stash, handle_of(call));
        reply.handles[0].rights = AX_RIGHT_CALL;
    }
    int index = stash_reply(stash, (struct ax_call_id){SHELF_CALLER, call->sequence}, &reply);
    ck_assert_int_ge(index, 0);
    if (call->aborted) {
        stash_abort(stash);
        world_step();
        *answered = true;
        return;
    }
    ck_assert_int_eq(stash_commit(stash), STASH_OK);
    world_step(); /* on the way into the kernel, which takes the answer */
    *answered = true;
    world_step();
    stash_reply_given(stash, index);
}

bool shelf_has_answer(const struct shelf_call *call, int *index) {
    struct stash_reply reply;
    *index =
        stash_reply_find(&world.stash, (struct ax_call_id){SHELF_CALLER, call->sequence}, &reply);
    if (*index < 0)
        return false;
    ck_assert(!call->aborted);
    ck_assert_uint_eq(reply.operation, call->seed);
    ck_assert_uint_eq(reply.word_count, 2);
    ck_assert_uint_eq(reply.words[0], call->sequence);
    ck_assert_uint_eq(reply.words[1], call->index);
    ck_assert_uint_eq(reply.handle_count, call->kind == SHELF_HAND ? 1 : 0);
    if (reply.handle_count > 0)
        ck_assert_uint_eq(world.handles[reply.handles[0].slot], handle_of(call));
    return true;
}

/* ---- The comparison ---------------------------------------------------------------------------*/

/* Each byte of the heap is in a block, each used block is one that somebody points to. */
static void compare_blocks(const struct shelf *shelf) {
    struct stash_block_info block = {0};
    unsigned known = 0;
    unsigned used = 0;
    uint64_t bytes = 0;
    while (stash_block_next(&world.stash, block.memory, &block)) {
        bytes += block.block_bytes;
        used += block.used;
        bool found = block.memory == shelf || block.memory == shelf->badges;
        for (unsigned i = 0; i < SHELF_ITEMS; i++)
            found = found || block.memory == shelf->items[i];
        ck_assert_msg(!block.used || found, "a block that nobody knows");
        known += found;
    }
    unsigned expected = 2;
    for (unsigned i = 0; i < SHELF_ITEMS; i++)
        expected += shelf->items[i] != NULL;
    ck_assert_uint_eq(known, expected);
    ck_assert_uint_eq(used, expected);
    ck_assert_uint_eq(bytes, world.stash.heap_end - world.stash.heap_at);
}

void shelf_compare(const struct reference *reference, bool went_back) {
    struct shelf *shelf = stash_root(&world.stash);
    unsigned handles = 0;
    unsigned badges = 0;
    ck_assert_uint_eq(shelf->sum, reference->sum);
    for (unsigned i = 0; i < SHELF_ITEMS; i++) {
        const struct reference_item *expected = &reference->items[i];
        const struct item *item = shelf->items[i];
        ck_assert_int_eq(item != NULL, expected->present);
        if (item == NULL)
            continue;
        ck_assert_uint_eq(item->size, expected->size);
        ck_assert_mem_eq(item->bytes, expected->bytes, item->size);
        ck_assert_ptr_eq(stash_badge_object(&world.stash, shelf->badges, item->badge), item);
        ck_assert_int_eq(item->slot != 0, expected->handle != 0);
        if (item->slot == 0)
            continue;
        bool missing = world.handles[item->slot] == 0;
        ck_assert(!missing || went_back);
        ck_assert(missing || world.handles[item->slot] == expected->handle);
        handles += !missing;
    }
    ck_assert_uint_eq(world_handle_count(), handles);
    for (uint64_t badge = 0; (badge = stash_badge_next(&world.stash, shelf->badges, badge)) != 0;
         badges++)
        ck_assert_ptr_nonnull(stash_badge_object(&world.stash, shelf->badges, badge));
    for (unsigned i = 0; i < SHELF_ITEMS; i++)
        badges -= shelf->items[i] != NULL;
    ck_assert_uint_eq(badges, 0);
    compare_blocks(shelf);
    ck_assert_uint_eq(world.handles[1], 1);
    ck_assert_uint_eq(world.handles[WORLD_SLOT_FIRST + WORLD_SLOTS], 2);
}
