/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>

/* One case a header of lib/base; base_main.c runs them all. */
TCase *base_align_tests(void);
TCase *base_assert_tests(void);
TCase *base_bitmap_tests(void);
TCase *base_format_tests(void);
TCase *base_hash_tests(void);
TCase *base_list_tests(void);
TCase *base_random_tests(void);
TCase *base_tree_tests(void);
