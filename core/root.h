/* SPDX-License-Identifier: MIT */
/* The root task: made at boot, and made anew in the same process when it faults. */
#pragma once

#include <abi/root.h>

#include "types.h"

/* How far a restart of the root task has come, in this order. */
enum root_step {
    ROOT_RUNS = 0,
    ROOT_ENDS,   /* its threads end, on all CPUs */
    ROOT_CLEARS, /* its memory goes */
    ROOT_LOADS,  /* its image comes, then its thread */
};

struct root {
    struct process *process;   /* holds a ref */
    struct ax_boot_page *page; /* core's window on it */
    struct memory *memory;     /* the page's; holds a ref, for root may close its handle */
    const struct ax_root_image *image;
    uint64_t image_bytes;
    uint64_t mapped; /* segments that are mapped; more than there can be: the stack, too */
    uint64_t loaded; /* pages of the image that are in place */
    uint64_t died_ns;
    uint8_t step; /* enum root_step */
};

/* Boot: the root task's process and its first thread, from the first module; ready to run. A
 * damaged image halts the machine. */
void root_start(void);

/*
 * The root task died (process->cause): its threads and its memory go, the calls it had received go
 * back to their endpoints, its image is loaded again. Its handle table is kept. All of this through
 * the work list, where it waits for memory that is on its way. A second death within a second, or
 * before that is done, halts the machine, and so does want of memory.
 */
void root_restart(struct process *process, uint32_t fault, uint64_t address);

/* A restart is under way: the end of its threads does not end the process. */
bool root_is_restarting(const struct process *process);

/* The part of process_work for an OPEN root task. */
bool root_work(struct process *process, unsigned *portion);
