/* SPDX-License-Identifier: MIT */
/*
 * Call sites that jump to the personality instead of trapping. A trap is counted by where it comes
 * from; a site that has trapped often is patched: the instruction before its `syscall` becomes a
 * jump to a slot of the process's page of trampolines, which goes to patched_entry (entry.S) with
 * the slot's index. docs/decisions/0036-linux-calls-at-patched-sites.md has the reasons.
 *
 * The page is filled once, for all slots, and not written again. What differs from site to site is
 * in the table here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "site.h"

#define PATCH_SLOTS      128 /* slot 0 is the page's header */
#define PATCH_SLOT_BYTES UINT64_C(16)
#define PATCH_LOAD_SLOTS 4  /* the first ones after it are for SITE_LOAD */
#define PATCH_SETS       32 /* of counters */
#define PATCH_WAYS       4

/* How often a site has trapped. Sites share sets of counters and compete for them. */
struct patch_count {
    uint64_t behind;
    uint64_t traps;
};

/* All zero is the beginning. Changed under task->memory_lock, but for the counts, in which nothing
 * depends on a lost one. */
struct patches {
    uint64_t page;                  /* of trampolines; 0: there is none yet */
    struct site sites[PATCH_SLOTS]; /* by slot; `behind` 0: it is free */
    struct patch_count counts[PATCH_SETS][PATCH_WAYS];
};

struct thread;
struct task;
struct ax_regs;

/* A `syscall` instruction has trapped; its site may be patched. */
void patch_count_trap(struct thread *thread);

/* A call came through a trampoline, which left its slot in rcx: makes the registers what they are
 * when the site's `syscall` traps. */
void patch_decode(const struct task *task, struct ax_regs *regs);

/*
 * A fault or an interrupt may have found the thread on its way through a trampoline, which is
 * nothing the program knows of: it is put before the site's `syscall`. Where the instruction that
 * the jump stands for is what faulted, to that.
 */
void patch_leave(struct thread *thread);

/* Could the page be executed but for a moment, in which another thread patched it? */
bool patch_was_in_the_way(struct thread *thread, uint64_t address);

/* Does the range touch the page of trampolines, which is not the program's? */
bool patch_owns(const struct task *task, uint64_t address, uint64_t size_bytes);

/* In entry.S: trampolines jump here. */
[[gnu::visibility("hidden")]] extern const char patched_entry[];
