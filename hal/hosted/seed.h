/* SPDX-License-Identifier: MIT */
/*
 * Seeded runs: one CPU, a clock that moves with the kernel's entries, chance from the seed. The
 * same seed gives the same run, whatever the host does meanwhile. Where the machine would act on
 * the host's time it asks here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Before anything else of the machine is used. */
void seed_begin(uint64_t value);
bool seed_is_on(void);

/* The clock, and its steps: a kernel entry, and the jump to when something happens. */
uint64_t seed_time_ns(void);
void seed_entry(void);
void seed_jump(uint64_t time_ns);

/* What a device takes for its work from when it is asked on. */
uint64_t seed_device_ns(void);

void seed_entropy(void *buffer, size_t size_bytes);
/* Whether a yield point shall let others run. */
bool seed_yields(void);
