/* SPDX-License-Identifier: MIT */
/* Units: what a guest thread's host thread shares with the kernel, two pages below guest RAM. */
#include "machine.h"

#include <base/memory.h>

#define UNIT_MAX ((MEMORY_RAM - UNITS_OFFSET) / STUB_UNIT_BYTES)

static struct unit units[UNIT_MAX]; /* a free one's tid: the next free one */
static struct spin lock;
static uint32_t free_unit, used_count;

struct unit *unit_find(uint32_t unit) {
    return &units[unit - 1];
}

uint64_t unit_offset(uint32_t unit) {
    return UNITS_OFFSET + (uint64_t)(unit - 1) * STUB_UNIT_BYTES;
}

struct stub_area *unit_area(uint32_t unit) {
    return machine_shared(unit_offset(unit));
}

struct stub_fixed *unit_fixed(uint32_t unit) {
    return machine_shared(unit_offset(unit) + STUB_FIXED);
}

uint32_t unit_take(void) {
    spin_lock(&lock);
    uint32_t unit = free_unit;
    if (unit != 0)
        free_unit = (uint32_t)units[unit - 1].tid;
    else if (used_count < UNIT_MAX)
        unit = ++used_count;
    spin_unlock(&lock);
    if (unit != 0)
        memset(unit_area(unit), 0, STUB_FIXED); /* it was another process's */
    return unit;
}

void unit_give(uint32_t unit) {
    spin_lock(&lock);
    units[unit - 1].tid = (int)free_unit;
    free_unit = unit;
    spin_unlock(&lock);
}
