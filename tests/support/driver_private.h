/* SPDX-License-Identifier: MIT */
/* The driver's own state, for its files only. */
#pragma once

#include "driver.h"

struct driver {
    struct driver_config config;
    bool exists;
    uint64_t memory_bytes;        /* of the machine */
    uint64_t limit_bytes;         /* of all accounts together */
    struct account *accounts[64]; /* made by driver_account, which holds a ref on each */
    unsigned account_count;
    uint32_t space_cache; /* invariants_space.c */

    /* What user mode does next on a CPU. */
    bool armed;
    uint32_t cpu;
    struct hal_event event;
    bool is_touch; /* not the event but this access */
    uint64_t address;
    uint32_t access;
    void *pointer; /* what came of it */
};

extern struct driver driver;

/* NULL: the access set up in `driver`. */
void driver_arm(uint32_t cpu, const struct hal_event *event);
void driver_auto_settle(void);
