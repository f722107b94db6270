/* SPDX-License-Identifier: MIT */
/*
 * Processes: an address space and a handle table charged to an account, with threads or without.
 *
 *   OPEN --process_end--> ENDING (work list: threads stopped, calls given back, handles closed)
 *        --> CORPSE (AX_SIGNAL_ENDED; memory and registers readable) --last handle or release-->
 *        memory given back; freed with the last ref.
 */
#pragma once

#include <abi/info.h>

#include "handle.h"
#include "object.h"
#include "space.h"

enum process_state { PROCESS_OPEN = 0, PROCESS_ENDING, PROCESS_CORPSE };

struct process {
    struct object object;
    struct account *account; /* holds a ref: pays for its memory and what it makes */
    struct handle_table handles;
    struct space space;

    struct list threads;                /* struct thread.in_process, all that have not been freed */
    uint32_t live_threads;              /* that have not ended */
    uint32_t running;                   /* on a CPU in user mode right now */
    uint32_t suspended;                 /* count of suspends */
    uint64_t slots[AX_THREAD_MAX / 64]; /* thread-page slots in use */

    /* struct reply.in_holder: unanswered calls, by endpoint, in the order first received */
    struct tree received;
    struct list
        interrupts; /* struct reply.in_interrupts: what callers want or died, not yet told */
    struct ax_personality personality; /* entry 0: none */
    uint64_t instance;                 /* unique; the root task starts anew in the same process */
    uint64_t next_sequence;            /* of call ids that core chooses */

    uint8_t state; /* enum process_state */
    bool released; /* the corpse's memory was given back, or is to be */
    bool is_root;
    struct list in_corpses; /* kernel->corpses */
    struct list in_account; /* account->corpses, while it is in kernel->corpses */
    uint32_t cause;         /* enum ax_cause */
    uint32_t fault;         /* enum ax_fault */
    int64_t code;
    uint64_t fault_address;
    uint64_t cpu_ns;
    uint64_t page_faults;
};

/* An open, empty process. One ref. */
MUST_USE ax_result process_make(struct account *account, struct process **made);

/*
 * Begins the end; a process that is ending already is left as it is. Threads that run on other CPUs
 * are kicked; all else goes on through the work list. For FAULT, HUNG and BOUNCE, the calls that
 * its threads are serving count an instance that died of them.
 */
void process_end(struct process *process, enum ax_cause cause, uint32_t fault, int64_t code,
                 uint64_t address);

/* Ends threads that have not, up to *portion; true: all have.
 * Calls that a thread serves count a death where the cause is the instance's own doing. */
bool process_end_threads(struct process *process, enum ax_cause cause, unsigned *portion);

/* Its unanswered calls go back to their endpoints, up to *portion; true: all have. */
bool process_give_back_calls(struct process *process, unsigned *portion);

/* Its last thread that was on a CPU left it: an ENDING or suspended process may have waited for
 * that. */
void process_thread_left(struct process *process);

/* Makes a corpse that this account pays for (NULL: any) give back its memory; false: there is none.
 * For when the account or the machine has nothing left. */
bool process_reclaim(const struct account *account);

/* AX_HANDLE_NONE: the thread's own process; else a handle with the rights. */
MUST_USE ax_result process_lookup(struct thread *thread, ax_handle handle, uint32_t rights,
                                  struct process **process);
