/* SPDX-License-Identifier: MIT */
/* How a run ended, for --status and for the exit status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "get.h"
#include "options.h"
#include "place.h"

enum outcome {
    OUTCOME_PROGRAM, /* PROGRAM ended, and the machine in good order */
    OUTCOME_TIMEOUT,
    OUTCOME_INTERRUPTED,
    OUTCOME_FAILED,
};

struct ending {
    enum outcome outcome;
    int interrupt; /* the signal that interrupted it */
    uint32_t how;  /* enum ax_run_end; 0: it is not known how PROGRAM ended */
    uint32_t value;
    char reason[1024]; /* why it failed, or more about how PROGRAM ended; empty: nothing */
    uint64_t duration_ns;
    bool was_writing; /* the machine did not end when it had nothing more to say: it was killed */
};

int ending_status(const struct ending *ending);
/* What a person is told of it; nothing where the exit status says it all. */
void ending_tell(const struct ending *ending, const struct options *options);
/* `get` is NULL if it did not come to that. */
bool ending_write(const struct ending *ending, const struct options *options, const struct get *get,
                  struct place *place, struct failure *failure);
