/* SPDX-License-Identifier: MIT */
/*
 * Random numbers fit for secrets: ChaCha20 (RFC 8439) with the key replaced by its own output
 * before anything is given out, so that what was given cannot be found again from the state. The
 * first key is the kernel's entropy.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CIPHER_KEY_BYTES   32
#define CIPHER_BLOCK_BYTES 64

struct cipher {
    uint32_t key[CIPHER_KEY_BYTES / 4];
};

/* One block of the key stream. */
void cipher_block(const struct cipher *cipher, uint32_t counter, const uint32_t nonce[3],
                  uint8_t block[CIPHER_BLOCK_BYTES]);

void cipher_seed(struct cipher *cipher, const uint8_t key[CIPHER_KEY_BYTES]);

/* At most CIPHER_BLOCK_BYTES - CIPHER_KEY_BYTES bytes; the key is a new one afterwards. */
#define CIPHER_DRAW_BYTES (CIPHER_BLOCK_BYTES - CIPHER_KEY_BYTES)
void cipher_draw(struct cipher *cipher, uint8_t *to, size_t size_bytes);
