/* SPDX-License-Identifier: MIT */
/*
 * What the kernel process says: its log, and on its stderr complaints, which are for people
 * outside. Both are shown, line by line, if that is wanted. Otherwise the last of the log is kept,
 * for the case that the machine fails, and complaints are told line by line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void log_begin(bool shows);
void log_put(const char *text, size_t size);
void log_complain(const char *text, size_t size);
/* Tells the last complaint, if it was not told or taken as a reason yet. */
void log_warn(void);
/* What the host refused the machine, as it complained of that; NULL: nothing. Whoever asks tells it
 * as a reason. */
const char *log_refusal(void);
/* Nothing more comes: what was not whole counts as it is. */
void log_end(void);
/* Why the machine gave up, as it says: its last complaint, or else the log's last line. NULL: it
 * said nothing. */
const char *log_reason(void);
/* The last lines, unless all was shown. */
void log_tell_last(void);
