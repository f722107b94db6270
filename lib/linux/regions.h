/* SPDX-License-Identifier: MIT */
/* What memory.c and remap.c share. */
#pragma once

#include "task.h"

/* Whole pages of the program's part of the address space. False: it is none, or too much, or among
 * them is a page that the personality has there (task NULL: the size alone counts). */
[[gnu::warn_unused_result]] bool range_decode(const struct task *task, uint64_t address,
                                              uint64_t size_bytes, uint64_t *whole_bytes);
