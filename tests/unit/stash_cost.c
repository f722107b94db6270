/* SPDX-License-Identifier: MIT */
/* What transactions cost, with the stores that programs use. Nothing is asserted of the times. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <base/assert.h>
#include <stash/stash.h>

#define SIZE  (256 * 4096)
#define TURNS 20000

static struct stash stash;
static _Alignas(4096) uint8_t memory[SIZE];
static uint8_t block[4096];

void assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct object {
    uint64_t count, last;
    uint8_t *bytes;
};

static void two_words(struct object *object, uint64_t turn) {
    STASH_SET(&stash, object->count, turn);
    STASH_SET(&stash, object->last, turn * 3);
}

static void page(struct object *object, uint64_t turn) {
    two_words(object, turn);
    stash_write(&stash, object->bytes, block, sizeof(block));
}

static void allocate(struct object *object, uint64_t turn) {
    two_words(object, turn);
    stash_free(&stash, object->bytes);
    STASH_SET(&stash, object->bytes, stash_alloc(&stash, 100));
}

static void measure(const char *what, void (*change)(struct object *object, uint64_t turn)) {
    uint64_t best = UINT64_MAX;
    struct object *object = stash_root(&stash);
    for (unsigned round = 0; round < 5; round++) {
        uint64_t start = now_ns();
        for (uint64_t turn = 1; turn <= TURNS; turn++) {
            struct stash_reply reply = {.word_count = 2, .words = {turn, turn}};
            stash_begin(&stash);
            change(object, turn);
            int index = stash_reply(&stash, (struct ax_call_id){5, turn}, &reply);
            ASSERT(stash_commit(&stash) == STASH_OK);
            stash_reply_given(&stash, index);
        }
        uint64_t taken = (now_ns() - start) / TURNS;
        best = taken < best ? taken : best;
    }
    printf("figure: stash: %s and an answer of two words: %llu ns\n", what,
           (unsigned long long)best);
}

int main(void) {
    struct stash_config config = {
        .memory = memory, .size_bytes = SIZE, .log_bytes = 16 * 4096, .reply_count = 64};
    ASSERT(stash_format(&stash, &config) == STASH_ADOPTED);
    stash_begin(&stash);
    struct object *object = stash_alloc(&stash, sizeof(*object));
    ASSERT(object != NULL);
    stash_root_set(&stash, object);
    STASH_SET(&stash, object->bytes, stash_alloc(&stash, sizeof(block)));
    ASSERT(stash_commit(&stash) == STASH_OK);
    measure("a commit of two words", two_words);
    measure("a commit of two words, a page", page);
    measure("a commit of two words, alloc, free", allocate);
    return 0;
}
