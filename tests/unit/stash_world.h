/* SPDX-License-Identifier: MIT */
/*
 * A server with a stash, as the tests of lib/stash play it: the memory and the handle table of the
 * stash process, which stay when an instance dies, and the instance, which may die at any store to
 * that memory and at any kernel call on that table.
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include <stash/stash.h>

#define WORLD_SIZE       (32 * 4096)
#define WORLD_SLOT_FIRST 8
#define WORLD_SLOTS      24
#define WORLD_TABLE      64 /* slots of the process; those outside the range are not ours */
#define WORLD_SCHEMA     5

struct world {
    uint8_t *memory;
    uint32_t handles[WORLD_TABLE];
    struct stash stash;
    struct stash_config config;
    /* Steps so far, and the one after which the instance dies; 0: never. */
    uint64_t steps, last_step;
    jmp_buf death;
    ax_result put_answer; /* what moving a handle answers, if it is an error */
};

extern struct world world;

/* Memory that was never used, and a configuration that suits it. */
void world_new(void);
/* The same with a stash in it. */
void world_format(void);

/* A step was made: the instance may die now. */
void world_step(void);

/* Plays the function until its end, or to its death after so many steps: then false. */
bool world_play(void (*play)(void *context), void *context, uint64_t last_step);

/* The next instance; `failed`: the one before it died of itself. */
enum stash_verdict world_adopt(bool failed);
/* The same, which must find everything well. */
void world_take_over(void);

/* Lets the test itself write to the stash. */
void world_open(void);

/* How many handles are in the library's slots. */
unsigned world_handle_count(void);

/* What outlives an instance, kept and put back. */
struct world_copy {
    uint8_t memory[WORLD_SIZE];
    uint32_t handles[WORLD_TABLE];
};
void world_save(struct world_copy *copy);
void world_restore(const struct world_copy *copy);
