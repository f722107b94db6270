/* SPDX-License-Identifier: MIT */
/* What memory.c and remap.c share. */
#pragma once

#include "task.h"

/* Whole pages of the program's part of the address space. False: it is none, or too much. */
[[gnu::warn_unused_result]] bool range_decode(uint64_t address, uint64_t size_bytes,
                                              uint64_t *whole_bytes);
