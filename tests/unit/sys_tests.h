/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>

TCase *sys_calls_tests(void);
TCase *sys_memory_tests(void);
TCase *sys_message_tests(void);
