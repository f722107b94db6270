/* SPDX-License-Identifier: MIT */
#include "stash_world.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>

struct world world;

void world_step(void) {
    if (++world.steps == world.last_step)
        longjmp(world.death, 1);
}

/* The pages are really made read-only: a store outside of a commit ends the test. */
static void protect(void *context, void *address, size_t size_bytes, bool writable) {
    ck_assert_ptr_eq(context, &world);
    ck_assert_ptr_eq(address, world.memory);
    ck_assert_int_eq(mprotect(address, size_bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ),
                     0);
}

static ax_result slot_put(void *context, uint32_t slot, ax_handle handle) {
    (void)context;
    world_step();
    if (world.put_answer < 0)
        return world.put_answer;
    ck_assert_uint_ge(slot, WORLD_SLOT_FIRST);
    ck_assert_uint_lt(slot, WORLD_SLOT_FIRST + WORLD_SLOTS);
    if (world.handles[slot] != 0)
        return AX_ERR_EXISTS;
    world.handles[slot] = handle;
    world_step();
    return (ax_result)slot;
}

static void slot_close(void *context, uint32_t slot) {
    (void)context;
    world_step();
    ck_assert_uint_ge(slot, WORLD_SLOT_FIRST);
    ck_assert_uint_lt(slot, WORLD_SLOT_FIRST + WORLD_SLOTS);
    world.handles[slot] = 0;
    world_step();
}

static uint32_t slot_next(void *context, uint32_t from) {
    (void)context;
    for (uint32_t slot = from; slot < WORLD_TABLE; slot++) {
        if (world.handles[slot] != 0)
            return slot;
    }
    return 0;
}

void world_new(void) {
    if (world.memory != NULL)
        munmap(world.memory, WORLD_SIZE);
    memset(&world, 0, sizeof(world));
    world.memory =
        mmap(NULL, WORLD_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(world.memory, MAP_FAILED);
    world.handles[1] = 1; /* somebody else's */
    world.handles[WORLD_SLOT_FIRST + WORLD_SLOTS] = 2;
    world.config = (struct stash_config){
        .memory = world.memory,
        .size_bytes = WORLD_SIZE,
        .schema = WORLD_SCHEMA,
        .hooks = {protect, slot_put, slot_close, slot_next, &world},
        .log_bytes = 4 * 4096,
        .reply_count = 4,
        .slot_first = WORLD_SLOT_FIRST,
        .slot_count = WORLD_SLOTS,
    };
}

void world_format(void) {
    world_new();
    ck_assert_int_eq(stash_format(&world.stash, &world.config), STASH_ADOPTED);
}

bool world_play(void (*play)(void *context), void *context, uint64_t last_step) {
    world.steps = 0;
    world.last_step = last_step;
    bool lives = setjmp(world.death) == 0;
    if (lives)
        play(context);
    world.last_step = 0;
    return lives;
}

enum stash_verdict world_adopt(bool failed) {
    memset(&world.stash, 0xa5, sizeof(world.stash)); /* the old instance's memory is gone */
    world.config.predecessor_failed = failed;
    return stash_adopt(&world.stash, &world.config);
}

void world_take_over(void) {
    ck_assert_int_eq(world_adopt(false), STASH_ADOPTED);
}

void world_open(void) {
    ck_assert_int_eq(mprotect(world.memory, WORLD_SIZE, PROT_READ | PROT_WRITE), 0);
}

unsigned world_handle_count(void) {
    unsigned count = 0;
    for (uint32_t slot = WORLD_SLOT_FIRST; slot < WORLD_SLOT_FIRST + WORLD_SLOTS; slot++)
        count += world.handles[slot] != 0;
    return count;
}

void world_save(struct world_copy *copy) {
    memcpy(copy->memory, world.memory, WORLD_SIZE);
    memcpy(copy->handles, world.handles, sizeof(copy->handles));
}

void world_restore(const struct world_copy *copy) {
    world_open();
    memcpy(world.memory, copy->memory, WORLD_SIZE);
    memcpy(world.handles, copy->handles, sizeof(copy->handles));
}
