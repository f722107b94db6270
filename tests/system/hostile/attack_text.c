/* SPDX-License-Identifier: MIT */
/* Every byte of the stub's code as a place to jump to, with registers that are partly odd. */
#include "hostile.h"

#define OFFSETS 4096
#define TRIES   1024

static uint64_t odd_value(struct random *random) {
    const uint64_t values[] = {(uint64_t)area_of(0),
                               (uint64_t)area_of(1),
                               AX_THREAD_PAGES,
                               STUB_ORDERS,
                               STUB_CONSTANTS,
                               (uint64_t)random,
                               AX_KERNEL_PAGE,
                               UINT64_MAX,
                               0,
                               1,
                               9,
                               56,
                               60,
                               202};
    uint64_t choice = random_below(random, COUNT(values) + 4);
    return choice < COUNT(values) ? values[choice]
                                  : random_next(random) >> random_below(random, 64);
}

static int text(uint64_t argument) {
    struct random random;
    struct jump jump;
    random_seed(&random, argument);
    jump_prepare(&jump,
                 STUB_TEXT + argument * (OFFSETS / TRIES) + random_below(&random, OFFSETS / TRIES));
    uint64_t *registers = (uint64_t *)&jump.regs;
    for (unsigned i = 0; i < 16; i++)
        registers[i] = odd_value(&random);
    if (random_below(&random, 2) != 0)
        jump.regs.r12 = (uint64_t)area_of(0);
    jump_run(&jump);
    return 0;
}

const struct attack attacks_text[] = {
    {"text", text, TRIES, END_ANY, 200, 0},
    {NULL, NULL, 0, 0, 0, 0},
};
