/* SPDX-License-Identifier: MIT */
/* The generator of random numbers: the cipher is ChaCha20, and its key does not stay. */
#include <string.h>

#include "lib/linux/cipher.h"

#include "world.h"

/* RFC 8439, section 2.3.2. */
START_TEST(a_block_is_that_of_the_standard) {
    static const uint8_t wanted[CIPHER_BLOCK_BYTES] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
    static const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
    uint8_t key[CIPHER_KEY_BYTES], block[CIPHER_BLOCK_BYTES];
    struct cipher cipher;
    for (unsigned i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    cipher_seed(&cipher, key);
    cipher_block(&cipher, 1, nonce, block);
    ck_assert_mem_eq(block, wanted, sizeof(wanted));
}
END_TEST

START_TEST(what_is_drawn_is_not_in_the_state_and_not_drawn_again) {
    uint8_t key[CIPHER_KEY_BYTES] = {1}, a[CIPHER_DRAW_BYTES], b[CIPHER_DRAW_BYTES];
    struct cipher cipher, same;
    cipher_seed(&cipher, key);
    cipher_seed(&same, key);
    cipher_draw(&cipher, a, sizeof(a));
    ck_assert_mem_ne(cipher.key, key, sizeof(key));
    ck_assert_mem_ne(cipher.key, a, sizeof(a));
    cipher_draw(&cipher, b, sizeof(b));
    ck_assert_mem_ne(a, b, sizeof(a));
    cipher_draw(&same, b, sizeof(b)); /* the same seed: the same numbers */
    ck_assert_mem_eq(a, b, sizeof(a));
}
END_TEST

START_TEST(getrandom_fills_every_length) {
    static uint8_t bytes[200];
    for (uint64_t size = 0; size < 150; size++) {
        memset(bytes, 0, sizeof(bytes));
        ck_assert_int_eq(CALL(getrandom, AT(bytes), size, 0), (int64_t)size);
        ck_assert_uint_eq(bytes[size], 0);
        unsigned zeroes = 0;
        for (uint64_t i = 0; i < size; i++)
            zeroes += bytes[i] == 0;
        ck_assert_uint_lt(zeroes, 8);
    }
    ck_assert_int_eq(CALL(getrandom, AT(bytes), 5, 8), -L_EINVAL);
    ck_assert_int_eq(CALL(getrandom, 16, 5, 0), -L_EFAULT);
}
END_TEST

TCase *linux_cipher_tests(void) {
    TCase *tcase = tcase_create("cipher");
    tcase_add_checked_fixture(tcase, world_start, NULL);
    tcase_add_test(tcase, a_block_is_that_of_the_standard);
    tcase_add_test(tcase, what_is_drawn_is_not_in_the_state_and_not_drawn_again);
    tcase_add_test(tcase, getrandom_fills_every_length);
    return tcase;
}
