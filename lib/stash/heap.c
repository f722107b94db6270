/* SPDX-License-Identifier: MIT */
/*
 * The heap: a buddy allocator whose every change goes through the log. What a transaction frees
 * leaves at its commit and not before, so memory that it allocates was free when it began: zeroing
 * it needs no copy of what was there, not even to go back.
 */
#include "private.h"

static uint16_t block_check(uint32_t at, unsigned order, unsigned state) {
    return (uint16_t)hash_mix((uint64_t)at << 16 | order << 8 | state);
}

static struct stash_block block_make(uint32_t at, unsigned order, enum block_state state) {
    return (struct stash_block){
        .check = block_check(at, order, state), .order = (uint8_t)order, .state = (uint8_t)state};
}

/* Of a header that may be anything. */
static bool block_is_valid(const struct stash *stash, uint32_t at,
                           const struct stash_block *block) {
    return block->order >= STASH_ORDER_MIN && block->order <= STASH_ORDER_MAX &&
           is_aligned(at - stash->heap_at, 1U << block->order) &&
           1U << block->order <= stash->heap_end - at &&
           block->check == block_check(at, block->order, block->state);
}

static struct stash_block block_read(const struct stash *stash, uint32_t at) {
    struct stash_block block;
    stash_log_read(stash, at, sizeof(block), &block);
    ASSERT(block_is_valid(stash, at, &block));
    return block;
}

static void block_write(struct stash *stash, uint32_t at, const struct stash_block *block) {
    stash_log_append(stash, at, sizeof(*block), block);
}

static uint32_t head_at(unsigned order) {
    return (uint32_t)(offsetof(struct stash_header, free) + order * sizeof(uint32_t));
}

static uint32_t head_read(const struct stash *stash, unsigned order) {
    uint32_t head;
    stash_log_read(stash, head_at(order), sizeof(head), &head);
    return head;
}

/* A free list's link to its first block, or a block's link to the next. */
static void set_next(struct stash *stash, unsigned order, uint32_t previous, uint32_t next) {
    uint32_t at =
        previous == 0 ? head_at(order) : previous + (uint32_t)offsetof(struct stash_block, next);
    stash_log_append(stash, at, sizeof(next), &next);
}

static void set_previous(struct stash *stash, uint32_t at, uint32_t previous) {
    if (at != 0)
        stash_log_append(stash, at + (uint32_t)offsetof(struct stash_block, previous),
                         sizeof(previous), &previous);
}

static void list_take(struct stash *stash, const struct stash_block *block) {
    set_next(stash, block->order, block->previous, block->next);
    set_previous(stash, block->next, block->previous);
}

static void list_put(struct stash *stash, uint32_t at, unsigned order) {
    struct stash_block block = block_make(at, order, BLOCK_FREE);
    block.next = head_read(stash, order);
    set_previous(stash, block.next, at);
    block_write(stash, at, &block);
    set_next(stash, order, 0, at);
}

/* ---- Allocation -------------------------------------------------------------------------------*/

void *stash_alloc(struct stash *stash, size_t size_bytes) {
    ASSERT(stash->log != NULL);
    if (stash->error != STASH_OK)
        return NULL;
    size_t header = sizeof(struct stash_block);
    unsigned order = STASH_ORDER_MIN;
    while (order <= STASH_ORDER_MAX && (UINT32_C(1) << order) - header < size_bytes)
        order++;
    unsigned from = order;
    while (from <= STASH_ORDER_MAX && head_read(stash, from) == 0)
        from++;
    if (from > STASH_ORDER_MAX) {
        stash_fail(stash, STASH_ERR_HEAP);
        return NULL;
    }
    uint32_t at = head_read(stash, from);
    struct stash_block block = block_read(stash, at);
    list_take(stash, &block);
    while (from > order) {
        from--;
        list_put(stash, at + (1U << from), from);
    }
    block = block_make(at, order, BLOCK_USED);
    block.requested = (uint32_t)size_bytes;
    block_write(stash, at, &block);
    if (size_bytes > 0)
        stash_log_append(stash, at + (uint32_t)header, (uint32_t)align_up(size_bytes, 8), NULL);
    return stash->error == STASH_OK ? stash->base + at + header : NULL;
}

void stash_free(struct stash *stash, void *memory) {
    ASSERT(stash->log != NULL);
    if (memory == NULL || stash->error != STASH_OK)
        return;
    uintptr_t at = (uintptr_t)memory - (uintptr_t)stash->base - sizeof(struct stash_block);
    ASSERT(at >= stash->heap_at && at < stash->heap_end);
    struct stash_block block = block_read(stash, (uint32_t)at);
    ASSERT(block.state == BLOCK_USED); /* or it is freed twice */
    uint32_t requested = block.requested;
    block = block_make((uint32_t)at, block.order, BLOCK_LEAVING);
    block.requested = requested;
    block.next = stash->leaving;
    block_write(stash, (uint32_t)at, &block);
    stash->leaving = (uint32_t)at;
}

/*
 * Joins the block with its buddies as far as these are free. A buddy's first bytes are always a
 * block's header: of the buddy as a whole, or of the first of the blocks it is split into.
 */
static void block_free(struct stash *stash, uint32_t at, unsigned order) {
    for (; order < STASH_ORDER_MAX; order++) {
        uint32_t buddy = stash->heap_at + ((at - stash->heap_at) ^ (1U << order));
        if (buddy >= stash->heap_end || 1U << order > stash->heap_end - buddy)
            break;
        struct stash_block block = block_read(stash, buddy);
        if (block.state != BLOCK_FREE || block.order != order)
            break;
        list_take(stash, &block);
        if (buddy < at)
            at = buddy;
    }
    list_put(stash, at, order);
}

void stash_heap_free_leaving(struct stash *stash) {
    while (stash->leaving != 0 && stash->error == STASH_OK) {
        uint32_t at = stash->leaving;
        struct stash_block block = block_read(stash, at);
        stash->leaving = block.next;
        block_free(stash, at, block.order);
    }
}

/* The largest blocks that fit, one after the other: each is free, and the only one of its order. */
void stash_heap_format(const struct stash *stash) {
    uint32_t heads[STASH_ORDER_MAX + 1] = {0};
    uint32_t at = stash->heap_at;
    for (unsigned order = STASH_ORDER_MAX; order >= STASH_ORDER_MIN; order--) {
        if (stash->heap_end - at < 1U << order)
            continue;
        struct stash_block block = block_make(at, order, BLOCK_FREE);
        heads[order] = at;
        stash_store(stash->base + at, &block, sizeof(block));
        at += 1U << order;
    }
    stash_store(stash->header->free, heads, sizeof(heads));
}

/* ---- Checks -----------------------------------------------------------------------------------*/

static const struct stash_block *block_at(const struct stash *stash, uint32_t at) {
    return (const struct stash_block *)(const void *)(stash->base + at);
}

/*
 * Whether a block begins here, in a heap that is whole blocks from its beginning to its end. Goes
 * down from the largest piece that could be a block: where it is not one block, its halves are
 * pieces, and each piece begins with a header.
 */
static bool is_block(const struct stash *stash, uint32_t at) {
    if (at < stash->heap_at || at >= stash->heap_end ||
        !is_aligned(at - stash->heap_at, 1U << STASH_ORDER_MIN))
        return false;
    for (unsigned order = STASH_ORDER_MAX; order >= STASH_ORDER_MIN; order--) {
        uint32_t piece =
            stash->heap_at + (uint32_t)align_down(at - stash->heap_at, UINT64_C(1) << order);
        if (1U << order <= stash->heap_end - piece && block_at(stash, piece)->order == order)
            return piece == at;
    }
    return false;
}

/* A list of so many free blocks, each linked back to the one before it. */
static bool list_is_valid(const struct stash *stash, unsigned order, uint32_t count) {
    uint32_t previous = 0;
    uint32_t at = stash->header->free[order];
    for (; at != 0 && count > 0; count--) {
        if (!is_block(stash, at))
            return false;
        const struct stash_block *block = block_at(stash, at);
        if (block->order != order || block->state != BLOCK_FREE || block->previous != previous)
            return false;
        previous = at;
        at = block->next;
    }
    return at == 0 && count == 0;
}

bool stash_heap_is_valid(const struct stash *stash) {
    uint32_t free_count[STASH_ORDER_MAX + 1] = {0};
    for (uint32_t at = stash->heap_at; at < stash->heap_end;) {
        const struct stash_block *block = block_at(stash, at);
        if (!block_is_valid(stash, at, block))
            return false;
        if ((block->state != BLOCK_FREE && block->state != BLOCK_USED) ||
            block->requested > (1U << block->order) - sizeof(*block))
            return false;
        if (block->state == BLOCK_FREE)
            free_count[block->order]++;
        at += 1U << block->order;
    }
    for (unsigned order = 0; order <= STASH_ORDER_MAX; order++) {
        if (!list_is_valid(stash, order, free_count[order]))
            return false;
    }
    return true;
}

bool stash_block_next(const struct stash *stash, const void *after, struct stash_block_info *info) {
    uint32_t at = stash->heap_at;
    ASSERT(stash->log == NULL);
    if (after != NULL) {
        at = (uint32_t)((const uint8_t *)after - stash->base - sizeof(struct stash_block));
        at += 1U << block_read(stash, at).order;
    }
    if (at >= stash->heap_end)
        return false;
    struct stash_block block = block_read(stash, at);
    info->memory = stash->base + at + sizeof(block);
    info->requested_bytes = block.requested;
    info->block_bytes = 1U << block.order;
    info->used = block.state == BLOCK_USED;
    return true;
}
