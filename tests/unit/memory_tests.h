/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>

/* One case a file; memory_main.c runs them all. */
TCase *account_calls_tests(void);
TCase *frame_alloc_tests(void);
TCase *frame_wait_tests(void);
TCase *heap_alloc_tests(void);
TCase *memory_create_tests(void);
TCase *memory_tree_tests(void);
TCase *memory_resize_tests(void);
TCase *space_map_tests(void);
TCase *space_unmap_tests(void);
TCase *space_protect_tests(void);
TCase *space_fault_tests(void);
TCase *space_ahead_tests(void);
TCase *space_clone_tests(void);
TCase *space_copy_tests(void);
TCase *space_random_tests(void);
TCase *loan_copy_tests(void);
TCase *loan_map_tests(void);
TCase *futex_wait_tests(void);
TCase *futex_requeue_tests(void);
