/* SPDX-License-Identifier: MIT */
/*
 * The kernel process and its children, as Linux processes. It ends with this program, whatever ends
 * that; what it leaves is adopted and ended too.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

struct machine {
    pid_t pid; /* 0: it is not there, or has been waited for */
    int wait_status;
    int control;         /* messages (proto/run.h) */
    int log, complaints; /* its log and its stderr, to read; -1: it has come to its end */
    int keys;            /* what becomes its stdin, to write; -1: it has stdin itself */
};

/* Before anything else: notes whose children are none of the machine's, and raises limits. */
bool machine_prepare(struct failure *failure);
/* Starts it; `run` is the archive with the request, `trace` -1 or where the trace goes. Takes stdin
 * and stdout away from this program, so that the ends of streams are seen on the other side. */
bool machine_start(struct machine *machine, const struct options *options, int run, int trace,
                   struct failure *failure);
void machine_kill(const struct machine *machine);
/* All of its processes pause, and go on. */
void machine_freeze(const struct machine *machine);
void machine_thaw(const struct machine *machine);
/* Whether the kernel process has ended. Does not wait. */
bool machine_has_ended(struct machine *machine);
/* Ends what the kernel process has left. */
void machine_clean(void);
