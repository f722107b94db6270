/* SPDX-License-Identifier: MIT */
/* What the tests of objects share: a machine with two processes, and short ways to ask of it. */
#pragma once

#include <check.h>

#include <tests/support/driver.h>

#include "account.h"
#include "device.h"
#include "handle.h"
#include "heap.h"
#include "object.h"
#include "queue.h"
#include "watch.h"

/* `one` and `two` are threads of `process`, `stranger` of `other`; each process has an account. */
struct world {
    struct account *account, *other_account;
    struct process *process, *other;
    struct thread *one, *two, *stranger;
    ax_handle other_handle; /* of process: to `other`, all rights */
    uint64_t used_bytes, used_objects, table_pages;
};

extern struct world world;

/* Fixtures: the machine starts; its invariants hold, and it stops. */
void world_start(void);
void world_stop(void);

TCase *world_case(const char *name);

/* A new object of the calling thread's, with all rights; and a copy of a handle with fewer. */
ax_handle make(struct thread *thread, enum ax_type type);
ax_handle weaken(struct thread *thread, ax_handle handle, uint32_t rights);
void must_close(struct thread *thread, ax_handle handle);
void signal_event(struct thread *thread, ax_handle event, uint32_t clear, uint32_t set);

/* A handle whose object is gone and whose slot is empty; and one of a process, for wrong types. */
ax_handle stale(struct thread *thread);

struct ax_object_info info_of(struct thread *thread, ax_handle handle);
void copy_buffer(const struct thread *thread, void *to, size_t size_bytes);
void fill_buffer(struct thread *thread, const void *from, size_t size_bytes);

/* What the account of `process` is charged: noted, and compared. */
void usage_note(void);
void usage_check(void);

void interrupt(struct thread *thread);
uint64_t now_ns(void);
/* Boot's device of a kind, in the process's table with these rights. */
ax_handle device(enum ax_device_kind kind, uint32_t rights);

#define NOW UINT64_C(0) /* as a deadline: do not wait */

#define expect(call, wanted) ck_assert_int_eq((call), (wanted))

/*
 * Makes the call again and again, the Nth allocation failing, for N = 1, 2, 3 ... until it succeeds
 * without a failure. Each one that fails says so and leaves the process's charges as they were;
 * what one made is closed.
 */
void with_failing_allocations(struct thread *thread, uint64_t number, const uint64_t arguments[5]);

/* object_main.c runs them all. */
TCase *object_create_tests(void);
TCase *object_signal_tests(void);
TCase *handle_close_tests(void);
TCase *handle_transfer_tests(void);
TCase *handle_list_tests(void);
TCase *handle_reply_tests(void);
TCase *handle_table_tests(void);
TCase *wait_object_tests(void);
TCase *wait_many_tests(void);
TCase *timer_set_tests(void);
TCase *queue_control_tests(void);
TCase *queue_wait_tests(void);
TCase *queue_nested_tests(void);
TCase *object_binding_tests(void);
TCase *irq_create_tests(void);
TCase *device_calls_tests(void);
TCase *device_memory_tests(void);
TCase *system_control_tests(void);
TCase *system_halt_tests(void);
TCase *info_object_tests(void);
