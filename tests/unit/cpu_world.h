/* SPDX-License-Identifier: MIT */
/* What the tests of CPUs, scheduling, upcalls, dispatch and boot share. */
#pragma once

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <tests/support/driver.h>

#include "account.h"
#include "handle.h"
#include "memory.h"

#define expect(call, wanted) ck_assert_int_eq((call), (wanted))

/* A machine with so many CPUs; `idle_root`: root's thread waits for ever and is in nobody's way. */
void machine_start(uint32_t cpu_count);
/* The same, where nothing happens by itself. */
void machine_start_manual(uint32_t cpu_count);
/* Invariants are checked; stops. */
void machine_stop(void);

/* Blocks for ever. */
void sleep_for_ever(struct thread *thread);
void pin(struct thread *thread, uint64_t cpus);
void set_priority(struct thread *thread, uint8_t priority);
bool runs_on(const struct thread *thread, uint32_t cpu);
bool runs(const struct thread *thread);

/* By root's thread, which must be able to run: process_control, process_end. */
ax_result control(const struct process *process, enum ax_process_op op);
void kill(const struct process *process, enum ax_cause cause);
struct ax_object_info info_of(const struct process *process);

/* Has core call `function` with the kernel lock held, on CPU 0. */
void with_lock(void (*function)(struct thread *thread), struct thread *thread);

TCase *cpu_loop_tests(void);
TCase *cpu_lock_tests(void);
TCase *cpu_log_tests(void);
TCase *cpu_sync_tests(void);
TCase *cpu_snapshot_tests(void);
TCase *sched_priority_tests(void);
TCase *sched_slice_tests(void);
TCase *sched_place_tests(void);
TCase *sched_suspend_tests(void);
TCase *upcall_bounce_tests(void);
TCase *upcall_fault_tests(void);
TCase *upcall_interrupt_tests(void);
TCase *upcall_resume_tests(void);
TCase *dispatch_tests(void);
TCase *dispatch_retry_tests(void);
TCase *boot_init_tests(void);
TCase *boot_image_tests(void);
TCase *boot_restart_tests(void);
