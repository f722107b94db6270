/* SPDX-License-Identifier: MIT */
/* Lines in the machine's log about a process: why it ended, and what is wrong with it. */
#pragma once

#include "task.h"

/* A line that begins with the program's name and id, as format() makes it; nothing if the process
 * has no log. */
[[gnu::format(printf, 2, 3)]] void report(const struct thread *thread, const char *pattern, ...);
