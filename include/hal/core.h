/* SPDX-License-Identifier: MIT */
/* What core offers to the machine below it. */
#pragma once

#include <stdint.h>

#include <hal/hal.h>

/* Called once, on CPU 0, when the machine is ready. Never returns. */
_Noreturn void core_start(void);

/*
 * Gives the console, by hal_console_write, what it has not got yet of the log. Core calls it before
 * hal_halt; a machine's assert_failed calls it before it tells of itself, whoever has the lock.
 */
void core_log_show(void);

/* Called on each other CPU that hal_cpu_start started. Never returns. */
_Noreturn void core_cpu_main(void);

/*
 * A zeroed frame for a translation table of the space, charged to the space's process; 0: none.
 * Only from inside hal_space_create and hal_space_map.
 */
uint64_t core_table_alloc(struct hal_space *space);

/* Gives such a frame back. Only from inside hal_space_destroy, and hal_space_map for those that it
 * has just taken in vain. */
void core_table_free(struct hal_space *space, uint64_t physical);
