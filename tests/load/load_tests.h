/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>

TCase *load_stack_tests(void);
