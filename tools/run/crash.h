/* SPDX-License-Identifier: MIT */
/*
 * Reports of servers and programs that crashed: from what the machine's log tells of them
 * (lib/crash/crash.h), with the names of functions out of the program's file. They are told, unless
 * this is a quiet run, and kept in a folder.
 */
#pragma once

#include <stdbool.h>

#include "options.h"

/* What the machine is about to boot: `archive` is the descriptor of what the run adds. Without
 * this there are reports without names. */
void crash_begin(const struct options *options, int archive);

/* A line of the log. False: it is none of a report. */
bool crash_take(const char *line);
