/* SPDX-License-Identifier: MIT */
/*
 * The terminal on stdin. Its keys go to the machine as they are pressed; Ctrl-A is looked at first.
 * Its settings are put back whenever this program pauses or ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <common/failure.h>

/* Whether stdin is one. */
bool terminal_exists(void);
/* How large the terminal is that one of 0, 1, 2 is; zeroes: there is none, or it does not know. */
void terminal_size(uint32_t *columns, uint32_t *rows);

/* Keys come one by one, and are no signals any more. Nothing happens without a terminal, or in the
 * background. */
bool terminal_enter(struct failure *failure);
/* The same after a pause, in which others may have left the terminal as they liked. */
bool terminal_resume(struct failure *failure);
/* As it was before. */
void terminal_leave(void);
/* Line ends are the machine's business from now on. */
bool terminal_take_lines(struct failure *failure);

enum terminal_key { TERMINAL_NOTHING, TERMINAL_QUIT };

/* Looks at the keys that were read, and keeps those that are the program's. What there is no room
 * for is lost, as it is in any terminal. */
enum terminal_key terminal_feed(const char *keys, size_t count);
/* The keys that wait to be passed on, and that some were. */
const char *terminal_pending(size_t *count);
void terminal_passed(size_t count);
