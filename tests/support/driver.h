/* SPDX-License-Identifier: MIT */
/*
 * Lets a test play the programs of a machine: boots core on the scripted machine with a root task
 * that does nothing by itself, makes processes and threads, and has a thread make a kernel call.
 * What cannot be done as asked (a thread that cannot get a CPU ...) ends the test with a message.
 *
 *     driver_start(NULL);
 *     struct thread *t = driver_thread(driver_process());
 *     ax_result event = kcall(t, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
 *     ck_assert(kcall(t, AX_CALL_OBJECT_WAIT, event, 1, AX_TIME_NEVER) == DRIVER_BLOCKED);
 *     ...
 *     driver_stop();
 */
#pragma once

#include <abi/abi.h>
#include <hal/model/model.h>

/* Core's own headers: tests look inside. */
#include "cpu.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

struct driver_config {
    struct model_config model; /* modules: NULL: a root image of the driver's own */
    bool slow_ipc;             /* the short path is off */
    /*
     * Nothing happens by itself: queued work and other CPUs run on only by driver_step and
     * driver_settle. Otherwise every step is followed by driver_settle.
     */
    bool manual;
};

/* Boots. NULL: 2 CPUs, 4 MiB, table frames. */
void driver_start(const struct driver_config *wanted);
void driver_stop(void);
/* From now on nothing happens by itself, as with `manual`; or all does again. */
void driver_set_manual(bool manual);

struct process *driver_root(void);
struct thread *driver_root_thread(void);

/* A process of the root account with one handle, of all rights, in root's table. */
struct process *driver_process(void);
/* The same, paid for by another account. */
struct process *driver_process_of(struct account *account);
/* An account with these limits below the root account; its one ref is kept by the driver. */
struct account *driver_account(uint64_t bytes, uint64_t objects);
/* The handle of a process in root's table. */
ax_handle driver_process_handle(const struct process *process);

/* A thread of the process, of priority 16 and label 0, ready to run. */
struct thread *driver_thread(struct process *process);
struct thread *driver_thread_with(struct process *process, uint8_t priority, uint64_t label);

/* ---- What threads do --------------------------------------------------------------------------
 */

/* Beside results of kernel calls. */
#define DRIVER_BLOCKED (INT64_MIN + 16) /* the thread is blocked in the call */
#define DRIVER_ENDED   (INT64_MIN + 17) /* the thread has ended */
#define DRIVER_RESTART (INT64_MIN + 18) /* manual only: the call is to be made again */

/* The thread makes a kernel call, with up to five arguments, the rest zero. */
#define kcall(thread, number, ...) kcall_array(thread, number, (const uint64_t[5]){__VA_ARGS__})
ax_result kcall_array(struct thread *thread, uint64_t number, const uint64_t arguments[5]);

/* How the thread's last call stands: true and its result, or false: BLOCKED or to be restarted. */
bool driver_result(const struct thread *thread, ax_result *result);
/* The same for tests that expect it to be finished: the result, or DRIVER_BLOCKED ... */
ax_result driver_answer(const struct thread *thread);

/* The thread meets an event of user mode: a bounce, a fault ... as for kcall. */
void driver_event(struct thread *thread, const struct hal_event *event);
void driver_bounce(struct thread *thread, uint64_t number);

/*
 * The thread accesses memory as user mode does, through the TLB of its CPU; page faults are handled
 * by core. The byte's address, or NULL: the thread got an upcall instead, or ended. Valid to the
 * end of its page.
 */
void *driver_touch(struct thread *thread, uint64_t address, uint32_t access);

/* Makes a READY thread run on some CPU; ends the test if it cannot. */
void driver_run(struct thread *thread);

/* ---- Memory -----------------------------------------------------------------------------------
 */

/* Maps fresh private pages at an address (0: anywhere); answers the address. */
uint64_t driver_map(struct process *process, uint64_t address, uint64_t page_count, uint32_t prot);
/* Copies to and from a process's memory, through its mappings. */
void driver_write(struct process *process, uint64_t address, const void *from, size_t size);
void driver_read(struct process *process, uint64_t address, void *to, size_t size);

/* ---- Objects ----------------------------------------------------------------------------------
 */

/* Puts a handle to an object into a process's table. */
ax_handle driver_handle(struct process *process, struct object *object, uint32_t rights);
/* The object a handle names; ends the test if it names none. */
struct object *driver_object(struct process *process, ax_handle handle);
/* Copies a handle to another process's table, with these of its rights. */
ax_handle driver_copy(struct process *from, ax_handle handle, struct process *to, uint32_t rights);

/* ---- Time and CPUs ----------------------------------------------------------------------------
 */

/* Time passes, and whatever is due then happens (not by itself when manual). */
void driver_advance(uint64_t ns);
/* One step of a CPU's loop: enters user mode or waits, handles the event, prepares. */
void driver_step(uint32_t cpu);
/* The same for a CPU in user mode, whose thread enters the kernel before a kick or timer that is
 * pending there: that comes when it enters the next time. */
void driver_step_late(uint32_t cpu);
/* The thread on a CPU gives way to its equals (object_wait_many(0, 0)), in such a step. The
 * register with its result stays as it was: to the program nothing has happened. */
void driver_yield_late(struct thread *thread);
/* Steps CPUs and runs queued work until nothing is pending. */
void driver_settle(void);
/* The current thread's slice ends now, though no time has passed. */
void driver_slice_end(uint32_t cpu);

/* ---- Memory that runs out ---------------------------------------------------------------------
 */

/* The Nth allocation of core from now on fails once; 0: none. */
void driver_fail_after(uint64_t count);
/* The same for the functions of the machine that can fail. */
void driver_fail_machine_after(uint64_t count);
/* Whether the failure that was ordered has come about; if not, N was larger than the number of
 * allocations. */
bool driver_has_failed(void);

/* ---- The end of the machine -------------------------------------------------------------------
 */

/*
 * Runs a function; true if the machine was halted in it (*code: why), by hal_halt. It is of no more
 * use then but for driver_stop.
 */
bool driver_halts(void (*function)(void *context), void *context, int *code);
/* What was written to the console, terminated; the last 16 KiB. */
const char *driver_console(void);

/* ---- State ------------------------------------------------------------------------------------
 */

struct driver_snapshot;
struct driver_snapshot *driver_snapshot(void);
void driver_restore(const struct driver_snapshot *snapshot);
void driver_snapshot_free(struct driver_snapshot *snapshot);

/* Everything that must hold between two kernel entries (invariants.c); ends the test if not. */
void driver_check_invariants(void);

_Noreturn void driver_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
