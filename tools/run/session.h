/* SPDX-License-Identifier: MIT */
/* A run from the machine's first moment to its last: what comes in goes where it belongs. */
#pragma once

#include "get.h"
#include "machine.h"
#include "options.h"
#include "status.h"

/* TERM, 2 s, KILL happen inside; whoever does not even say anything in this time is killed. */
#define SESSION_PATIENCE_NS UINT64_C(5000000000)

/* Before the machine starts: signals come to session_run from now on. */
bool session_prepare(struct failure *failure);
/* Until the machine has ended. */
void session_run(const struct options *options, struct machine *machine, struct get *get,
                 struct ending *ending);
