/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>

TCase *server_counter_tests(void);
TCase *server_loop_tests(void);
TCase *server_pipe_tests(void);
