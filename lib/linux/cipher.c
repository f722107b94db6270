/* SPDX-License-Identifier: MIT */
#include "cipher.h"

#include <base/assert.h>
#include <base/memory.h>

static uint32_t rotate(uint32_t value, unsigned bits) {
    return value << bits | value >> (32 - bits);
}

static void quarter(uint32_t state[16], unsigned a, unsigned b, unsigned c, unsigned d) {
    state[a] += state[b];
    state[d] = rotate(state[d] ^ state[a], 16);
    state[c] += state[d];
    state[b] = rotate(state[b] ^ state[c], 12);
    state[a] += state[b];
    state[d] = rotate(state[d] ^ state[a], 8);
    state[c] += state[d];
    state[b] = rotate(state[b] ^ state[c], 7);
}

void cipher_block(const struct cipher *cipher, uint32_t counter, const uint32_t nonce[3],
                  uint8_t block[CIPHER_BLOCK_BYTES]) {
    uint32_t first[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t state[16];
    memcpy(first + 4, cipher->key, sizeof(cipher->key));
    first[12] = counter;
    memcpy(first + 13, nonce, 3 * sizeof(nonce[0]));
    memcpy(state, first, sizeof(state));
    for (int i = 0; i < 10; i++) {
        for (unsigned column = 0; column < 4; column++)
            quarter(state, column, column + 4, column + 8, column + 12);
        for (unsigned column = 0; column < 4; column++)
            quarter(state, column, (column + 1) % 4 + 4, (column + 2) % 4 + 8,
                    (column + 3) % 4 + 12);
    }
    for (int i = 0; i < 16; i++)
        state[i] += first[i];
    memcpy(block, state, sizeof(state)); /* the processor is little endian, as the cipher is */
}

void cipher_seed(struct cipher *cipher, const uint8_t key[CIPHER_KEY_BYTES]) {
    memcpy(cipher->key, key, CIPHER_KEY_BYTES);
}

void cipher_draw(struct cipher *cipher, uint8_t *to, size_t size_bytes) {
    static const uint32_t nonce[3];
    uint8_t block[CIPHER_BLOCK_BYTES];
    ASSERT(size_bytes <= CIPHER_DRAW_BYTES);
    cipher_block(cipher, 0, nonce, block);
    memcpy(cipher->key, block, CIPHER_KEY_BYTES);
    memcpy(to, block + CIPHER_KEY_BYTES, size_bytes);
    memset(block, 0, sizeof(block));
    __asm__ volatile("" : : "r"(block) : "memory"); /* the copy is wiped, used or not */
}
