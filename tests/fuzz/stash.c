/* SPDX-License-Identifier: MIT */
/*
 * A stash that was damaged in any way: the input says what is stored over a good one, and whether
 * the checksums are made to fit again. Adopting answers something and ends. What it takes over is
 * consistent: the heap can be walked, used, freed, and adopted again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stash/private.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE       (16 * 4096)
#define SLOT_FIRST 4
#define SLOTS      16

static _Alignas(4096) uint8_t memory[SIZE];
static uint8_t good[SIZE];
static uint32_t handles[SLOT_FIRST + SLOTS];
static struct stash stash;

void assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

static ax_result slot_put(void *context, uint32_t slot, ax_handle handle) {
    (void)context;
    if (slot >= SLOT_FIRST + SLOTS) /* a header that was mended says so */
        return AX_ERR_ARGUMENT;
    handles[slot] = handle;
    return 0;
}

static void slot_close(void *context, uint32_t slot) {
    (void)context;
    if (slot < SLOT_FIRST + SLOTS)
        handles[slot] = 0;
}

static uint32_t slot_next(void *context, uint32_t from) {
    (void)context;
    for (uint32_t slot = from; slot < SLOT_FIRST + SLOTS; slot++) {
        if (handles[slot] != 0)
            return slot;
    }
    return 0;
}

static struct stash_config config = {
    .memory = memory,
    .size_bytes = SIZE,
    .hooks = {.slot_put = slot_put, .slot_close = slot_close, .slot_next = slot_next},
    .log_bytes = 2 * 4096,
    .reply_count = 8,
    .slot_first = SLOT_FIRST,
    .slot_count = SLOTS,
};

/* Some blocks used and some free, two logs with records of each kind, handles, replies. */
static void make_good(void) {
    void *blocks[8];
    ASSERT(stash_format(&stash, &config) == STASH_ADOPTED);
    stash_begin(&stash);
    for (unsigned i = 0; i < 8; i++)
        blocks[i] = stash_alloc(&stash, 20 + i * 40);
    stash_root_set(&stash, blocks[1]);
    ASSERT(stash_commit(&stash) == STASH_OK);
    for (unsigned i = 0; i < 3; i++) {
        struct stash_reply reply = {.word_count = i, .handle_count = 1};
        stash_begin(&stash);
        stash_free(&stash, blocks[2 * i]);
        stash_write(&stash, blocks[7], "some bytes that are written", 27);
        (void)stash_slot_put(&stash, 50 + i);
        reply.handles[0].slot = stash_slot_put(&stash, 60 + i);
        (void)stash_reply(&stash, (struct ax_call_id){1, i}, &reply);
        (void)stash_alloc(&stash, 100);
        ASSERT(stash_commit(&stash) == STASH_OK);
    }
    memcpy(good, memory, SIZE);
}

struct input {
    const uint8_t *data;
    size_t left;
};

static uint32_t take(struct input *input, unsigned bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes && input->left > 0; i++, input->left--)
        value |= (uint32_t)*input->data++ << (8 * i);
    return value;
}

static void poke(uint32_t at, const void *bytes, uint32_t count) {
    at %= SIZE;
    memcpy(memory + at, bytes, count > SIZE - at ? SIZE - at : count);
}

/* A header with a check that fits, of a block that may be impossible. */
static void poke_block(struct input *input) {
    uint32_t at = stash.heap_at + take(input, 2) % 1024 * 32;
    struct stash_block block = {.order = (uint8_t)(4 + take(input, 1) % 10),
                                .state = (uint8_t)(take(input, 1) % 4)};
    block.next = take(input, 2) * 32 + stash.heap_at;
    block.previous = take(input, 2) * 32 + stash.heap_at;
    if (block.next % 3 == 0)
        block.next = 0;
    if (block.previous % 3 == 0)
        block.previous = 0;
    block.check = (uint16_t)hash_mix((uint64_t)at << 16 | (uint64_t)block.order << 8 | block.state);
    poke(at, &block, sizeof(block));
}

static void damage(struct input *input) {
    uint8_t bytes[16];
    uint32_t value;
    switch (take(input, 1) % 6) {
    case 0:
        value = take(input, 2);
        bytes[0] = (uint8_t)take(input, 1);
        poke(value, bytes, 1);
        break;
    case 1: /* most of what is looked at lies in front */
        value = take(input, 1) * 4;
        memcpy(bytes, &(uint32_t){take(input, 4)}, 4);
        poke(value, bytes, 4);
        break;
    case 2:
        memcpy(bytes, memory + take(input, 2) % (SIZE - sizeof(bytes)), sizeof(bytes));
        poke(take(input, 2) / 8 * 8, bytes, sizeof(bytes));
        break;
    case 3: poke_block(input); break;
    case 4: /* the logs */
        value = stash.logs_at + (take(input, 1) % 2 * stash.log_bytes) + take(input, 1) * 4;
        memcpy(bytes, &(uint32_t){take(input, 4)}, 4);
        poke(value, bytes, 4);
        break;
    default:
        value = take(input, 1);
        memset(memory + value * 128, (int)take(input, 1), 100);
        break;
    }
}

/* As somebody would do it who knows how they are made. */
static void mend(uint32_t what) {
    struct stash_header *header = (struct stash_header *)(void *)memory;
    if ((what & 1) != 0)
        header->check = hash_bytes(header, offsetof(struct stash_header, check), STASH_VERSION);
    if ((what & 2) != 0)
        header->state = state_make(state_number(header->state), header->state & 31);
    for (unsigned i = 0; (what & 4) != 0 && i < 2; i++) {
        struct stash_log *log =
            (struct stash_log *)(void *)(memory + stash.logs_at + i * stash.log_bytes);
        if (log->used >= sizeof(*log) && log->used <= stash.log_bytes)
            log->check = stash_log_check(log);
    }
}

static bool is_usable(enum stash_verdict verdict) {
    ASSERT(strlen(stash_verdict_text(verdict)) > 2);
    return verdict == STASH_ADOPTED || verdict == STASH_WENT_BACK;
}

static unsigned walk(void **first_used) {
    struct stash_block_info block = {0};
    unsigned count = 0;
    *first_used = NULL;
    for (; stash_block_next(&stash, block.memory, &block); count++) {
        ASSERT((uint8_t *)block.memory > memory && (uint8_t *)block.memory < memory + SIZE);
        ASSERT(block.requested_bytes <= block.block_bytes - sizeof(struct stash_block));
        if (block.used && *first_used == NULL)
            *first_used = block.memory;
    }
    ASSERT(count <= SIZE / 32);
    return count;
}

/* Uses what was taken over until nothing is left of it. */
static void use(void) {
    void *used;
    struct stash_reply reply = {0};
    (void)walk(&used);
    (void)stash_reply_find(&stash, (struct ax_call_id){1, 2}, &reply);
    stash_replies_settled(&stash);
    stash_begin(&stash);
    void *fresh = stash_alloc(&stash, 60);
    if (fresh != NULL)
        stash_write(&stash, fresh, "abc", 3);
    (void)stash_slot_put(&stash, 70);
    (void)stash_reply(&stash, (struct ax_call_id){1, 77}, &(struct stash_reply){0});
    enum stash_error error = stash_commit(&stash);
    ASSERT(strlen(stash_error_text(error)) > 2);
    ASSERT(is_usable(stash_adopt(&stash, &config)));
    for (;;) {
        (void)walk(&used);
        if (used == NULL)
            break;
        stash_begin(&stash);
        stash_free(&stash, used);
        ASSERT(stash_commit(&stash) == STASH_OK);
    }
    ASSERT(is_usable(stash_adopt(&stash, &config)));
    (void)walk(&used);
    ASSERT(used == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    if (good[0] == 0)
        make_good();
    memset(handles, 0, sizeof(handles));
    memcpy(memory, good, SIZE);
    ASSERT(is_usable(stash_adopt(&stash, &config))); /* places of the parts */

    uint32_t how = take(&input, 1);
    config.predecessor_failed = (how & 8) != 0;
    while (input.left > 0)
        damage(&input);
    mend(how);
    enum stash_verdict verdict = stash_adopt(&stash, &config);
    config.predecessor_failed = false;
    if (is_usable(verdict))
        use();
    return 0;
}
