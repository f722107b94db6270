/* SPDX-License-Identifier: MIT */
/* Standard streams before anything is done with them. */
#pragma once

#include <stdbool.h>

#include <common/failure.h>

/* Makes 0, 1 and 2 exist, so that nothing else gets their numbers. */
void input_prepare(void);
/* For a seeded run: reads stdin to its end and puts what came in its place. */
bool input_collect(struct failure *failure);
