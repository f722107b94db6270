/* SPDX-License-Identifier: MIT */
/* The functions that compilers emit calls to, under other names beside the C library's. */
#include "sys_tests.h"

#include <stdint.h>
#include <string.h>

#define memcpy  sys_memcpy
#define memmove sys_memmove
#define memset  sys_memset
#define memcmp  sys_memcmp
void *sys_memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *sys_memmove(void *to, const void *from, size_t size_bytes);
void *sys_memset(void *to, int byte, size_t size_bytes);
int sys_memcmp(const void *a, const void *b, size_t size_bytes);
#include "lib/sys/memory.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#define SIZE 40

static void fill(uint8_t bytes[SIZE]) {
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
}

START_TEST(copies_and_moves_agree_with_the_library) {
    for (size_t to = 0; to < 12; to++) {
        for (size_t from = 0; from < 12; from++) {
            for (size_t size = 0; size < SIZE - 12; size++) {
                uint8_t ours[SIZE], theirs[SIZE];
                fill(ours);
                fill(theirs);
                ck_assert_ptr_eq(sys_memmove(ours + to, ours + from, size), ours + to);
                memmove(theirs + to, theirs + from, size);
                ck_assert_mem_eq(ours, theirs, SIZE);
                uint8_t copy[SIZE] = {0};
                ck_assert_ptr_eq(sys_memcpy(copy + to, ours + from, size), copy + to);
                ck_assert_int_eq(memcmp(copy + to, ours + from, size), 0);
                ck_assert_uint_eq(copy[to + size], 0);
            }
        }
    }
}
END_TEST

START_TEST(filling_stays_inside) {
    uint8_t bytes[SIZE];
    fill(bytes);
    ck_assert_ptr_eq(sys_memset(bytes + 3, 0x1ff, 5), bytes + 3);
    ck_assert_uint_eq(bytes[2], 15);
    ck_assert_uint_eq(bytes[3], 0xff);
    ck_assert_uint_eq(bytes[7], 0xff);
    ck_assert_uint_eq(bytes[8], 57);
}
END_TEST

START_TEST(comparing_is_of_unsigned_bytes) {
    ck_assert_int_eq(sys_memcmp("ab", "ab", 2), 0);
    ck_assert_int_lt(sys_memcmp("aa", "ab", 2), 0);
    ck_assert_int_gt(sys_memcmp("\xff", "\x01", 1), 0);
    ck_assert_int_eq(sys_memcmp("a", "b", 0), 0);
}
END_TEST

TCase *sys_memory_tests(void) {
    TCase *tcase = tcase_create("memory");
    tcase_add_test(tcase, copies_and_moves_agree_with_the_library);
    tcase_add_test(tcase, filling_stays_inside);
    tcase_add_test(tcase, comparing_is_of_unsigned_bytes);
    return tcase;
}
