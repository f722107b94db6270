/* SPDX-License-Identifier: MIT */
/* What process_main.c runs. */
#pragma once

#include "ipc_world.h"

#include "heap.h"

#define RW (AX_PROT_READ | AX_PROT_WRITE)

void process_create_tests(Suite *suite);
void process_control_tests(Suite *suite);
void process_clone_tests(Suite *suite);
void thread_create_tests(Suite *suite);
void thread_control_tests(Suite *suite);
void process_large_tests(Suite *suite);
void place_errors_tests(Suite *suite);
void call_failures_tests(Suite *suite);
