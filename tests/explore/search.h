/* SPDX-License-Identifier: MIT */
#pragma once

#include "world.h"

struct figures {
    uint64_t states, transitions, ends;
    unsigned depth;
    bool complete; /* every state was seen: the limit was not reached */
};

/* Explores a scenario until there is nothing new, or so many states were seen. */
void search(const struct scenario *scenario, uint64_t limit, struct figures *figures);

/* The steps that lead to where the exploration is, to the standard error stream. */
void path_print(void);

void step_print(const struct step *step);
