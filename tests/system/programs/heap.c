/* SPDX-License-Identifier: MIT */
/* Threads allocate, grow, and free blocks of all sizes, and find in each what they put there. */
#include <pthread.h>
#include <string.h>

#include "say.h"

#define THREADS 4
#define BLOCKS  200
#define ROUNDS  6000

struct block {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
};

static unsigned next_random(unsigned *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void block_check(const struct block *block) {
    for (size_t i = 0; i < block->size; i += 61)
        CHECK(block->bytes[i] == block->mark);
    if (block->size > 0)
        CHECK(block->bytes[block->size - 1] == block->mark);
}

/* Mostly small, now and then larger than what a heap keeps. */
static size_t size_choose(unsigned *state) {
    unsigned kind = next_random(state) % 100;
    unsigned limit = kind < 90 ? 2000 : kind < 99 ? 60000 : 700000;
    return next_random(state) % limit;
}

static void *run(void *argument) {
    struct block blocks[BLOCKS];
    unsigned state = (unsigned)(long)argument;
    memset(blocks, 0, sizeof(blocks));
    for (int round = 0; round < ROUNDS; round++) {
        struct block *block = &blocks[next_random(&state) % BLOCKS];
        block_check(block);
        size_t size = size_choose(&state);
        if (block->bytes != NULL && next_random(&state) % 3 == 0) {
            block->bytes = realloc(block->bytes, size + 1);
            CHECK(block->bytes != NULL);
            size_t kept = size < block->size ? size : block->size;
            for (size_t i = 0; i < kept; i += 61)
                CHECK(block->bytes[i] == block->mark);
        } else {
            free(block->bytes);
            block->bytes = malloc(size + 1);
            CHECK(block->bytes != NULL);
        }
        block->size = size;
        block->mark = (unsigned char)next_random(&state);
        memset(block->bytes, block->mark, size);
    }
    for (int i = 0; i < BLOCKS; i++) {
        block_check(&blocks[i]);
        free(blocks[i].bytes);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    unsigned char *zeroes = calloc(1, 3000000);
    CHECK(zeroes != NULL);
    for (int i = 0; i < 3000000; i += 997)
        CHECK(zeroes[i] == 0);
    free(zeroes);
    puts("every block had what was put there");
    return 0;
}
