/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>

TCase *stash_adopt_tests(void);
TCase *stash_crash_tests(void);
TCase *stash_heap_tests(void);
TCase *stash_tables_tests(void);
TCase *stash_transaction_tests(void);
