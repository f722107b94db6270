/* SPDX-License-Identifier: MIT */
/* The scripted machine's state, for its own files: it lies before RAM in the one area. */
#pragma once

#include <base/random.h>
#include <hal/hal.h>

#include "model.h"

struct model_cpu {
    uint64_t deadline_ns;
    uint32_t loaded_space; /* whose translations an untagged TLB holds; 0: none */
    bool kicked;
};

struct model {
    struct model_config config; /* with defaults filled in; modules are not looked at again */
    size_t state_bytes;         /* of the whole area */
    struct hal_boot boot;
    char command_line[256];
    struct random random;
    uint64_t now_ns;
    uint32_t this_cpu;
    bool halted;
    uint64_t fail_countdown;
    uint64_t destroy_waits;
    uint64_t spaces, users; /* created and not destroyed */
    uint32_t next_space;
    uint32_t translation_count;
    struct model_cpu *cpus;
    struct model_translation *translations; /* sorted by space and page */
    struct model_translation *tlbs;         /* config.tlb_entries a CPU */
    uint8_t *irq_masked;                    /* by line */
    uint8_t *irq_modes;                     /* by line: enum ax_irq_mode */
    uint64_t *irq_pending;                  /* by line: CPUs at which it was raised */
    char *ram;
};

/* Where it lies, for as long as a machine exists. */
extern struct model *const model;

/* Does this call of a function that can fail fail? */
bool model_fails(void);

/* Why one may not go on: prints and aborts. Wrong use of the contract by core, or of model.h. */
#define MODEL_CHECK(expr) ASSERT(expr)

/* What hal_space.machine and hal_user.machine hold. */
enum {
    SPACE_ID = 0,
    SPACE_ROOT_FRAME, /* with table_frames */
    SPACE_HAD_USERS,
    SPACE_GOES,     /* hal_space_destroy has begun */
    USER_SPACE = 0, /* id of its space */
    USER_EXISTS,
};

/* Whose `assertion` is asked when an assertion fails; NULL: none (assert.c). */
void model_assert_hooks(const struct model_hooks *hooks);

/* A change of space on a CPU: what an untagged TLB holds is dropped. */
void model_space_load(uint32_t cpu, uint32_t space);
