/* SPDX-License-Identifier: MIT */
/* What ipc_main.c runs. */
#pragma once

#include "ipc_world.h"

void ipc_call_tests(Suite *suite);
void ipc_handles_tests(Suite *suite);
void ipc_reply_tests(Suite *suite);
void ipc_interrupt_tests(Suite *suite);
void ipc_death_tests(Suite *suite);
void ipc_forward_tests(Suite *suite);
void ipc_deadlock_tests(Suite *suite);
void ipc_order_tests(Suite *suite);
void session_create_tests(Suite *suite);
void session_close_tests(Suite *suite);
void endpoint_list_tests(Suite *suite);
void priority_inherit_tests(Suite *suite);
void ipc_charge_tests(Suite *suite);
void ipc_race_tests(Suite *suite);
void ipc_fault_tests(Suite *suite);
void ipc_same_tests(Suite *suite);
void ipc_memory_tests(Suite *suite);
