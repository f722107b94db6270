/* SPDX-License-Identifier: MIT */
/* The kernel and the reference side by side, doing the same things. */
#pragma once

#include "driver.h"
#include "reference.h"

/* One thing that happens; what exactly depends on the state it meets. */
struct op {
    uint8_t kind; /* enum op_kind */
    uint8_t cpu;
    uint8_t fail; /* not 0: the allocation of this number fails, or beyond a function of the machine
                   */
    uint16_t a, b, c, d;
};

#define OP_LIST(X)         \
    /* IPC */              \
    X(CALL, 32)            \
    X(RECEIVE, 40)         \
    X(REPLY, 18)           \
    X(ANSWER, 24)          \
    X(FORWARD, 6)          \
    X(SERVE, 5)            \
    X(FAULT, 4)            \
    X(LOAN_COPY, 12)       \
    X(LOAN_MAP, 10)        \
    X(LIST, 3)             \
    X(BIND, 5)             \
    X(RETIRE, 8)           \
    X(SESSION_SIGNAL, 3)   \
    X(IDENTIFY, 2)         \
    /* objects */          \
    X(CREATE, 4)           \
    X(SESSION, 8)          \
    X(CLOSE, 8)            \
    X(TRANSFER, 10)        \
    X(INFO, 4)             \
    X(HANDLE_LIST, 1)      \
    X(MEMORY_LIST, 1)      \
    X(SIGNAL, 8)           \
    X(TIMER, 5)            \
    X(WAIT, 8)             \
    X(QUEUE, 8)            \
    X(QUEUE_WAIT, 6)       \
    X(INTERRUPT, 6)        \
    X(TAKE, 3)             \
    X(PRIORITY, 2)         \
    X(ACCOUNT, 1)          \
    X(ACCOUNT_TRANSFER, 1) \
    X(PROCESS, 1)          \
    X(CONTROL, 3)          \
    X(END, 2)              \
    X(DIE, 3)              \
    X(EXIT, 1)             \
    X(THREAD, 2)           \
    X(CLONE, 1)            \
    /* memory */           \
    X(TOUCH, 12)           \
    X(TOUCH_LOAN, 4)       \
    X(MAP, 5)              \
    X(UNMAP, 3)            \
    X(PROTECT, 3)          \
    X(RESIZE, 2)           \
    X(COPY, 4)             \
    X(FUTEX_WAIT, 5)       \
    X(FUTEX_WAKE, 4)       \
    X(REQUEUE, 2)          \
    /* the world */        \
    X(TIME, 6)             \
    X(SLICE, 8)

enum op_kind {
#define X(name, weight) OP_##name,
    OP_LIST(X)
#undef X
        OP_KINDS,
};

/* The threads that act: those of programs, and one that looks after them. */
#define AMPLE      UINT64_C(10000) /* objects that an account allows which is not to be exhausted */
#define SUPERVISOR 0               /* the index of its thread, and of its process */

/* Boots and makes the first moment, once for each number of CPUs; then puts it back. */
void world_start(unsigned cpus, bool slow_ipc, uint64_t steps_seed);
/* The op happens in both; then they are compared. False: the world has become too small. */
bool world_step(const struct op *op);
/* Everything ends; what was used for it must come back. */
void world_end(void);

extern uint64_t world_call_count; /* kernel calls made */
extern uint64_t world_fast_count; /* IPC calls by the short path */
extern bool world_is_verbose;

/* ---- Between the files of the world ---------------------------------------------------------- */

typedef void (*op_function)(int thread, const struct op *op);
op_function world_ipc_op(enum op_kind kind); /* NULL: it is none of these */
op_function world_object_op(enum op_kind kind);
op_function world_memory_op(enum op_kind kind);
op_function world_queue_op(enum op_kind kind);
op_function world_info_op(enum op_kind kind);

/* The thread makes a kernel call. */
ax_result world_call(int thread, enum ax_call number, const uint64_t arguments[5]);
#define CALL_OF(thread, number, ...) \
    world_call(thread, AX_CALL_##number, (const uint64_t[5]){__VA_ARGS__})
/* The call had no effect: an allocation failed in it. */
extern bool world_is_refused;
#define PREDICT(result, expression) (world_is_refused ? (result) : (expression))
/* From now on, if the seed is not 0, what a call sets going is done in single steps of CPUs in some
 * order, and the invariants are checked after each. */
void world_go_by_steps(uint64_t seed);
bool world_cpu_is_busy(uint32_t cpu);
/* Until nothing is going on any more; or, now and then, until nothing is but that a CPU should look
 * whom to run. */
void world_settle_all(void);
void world_settle(void);

/* In the next call the allocation of this number fails, or the machine's function of that beyond.
 */
#define FAILURES_OF_CORE 5
void world_fail_after(unsigned count);
/* What came of it, and what should have; then all is compared. */
void world_finish(int thread, ax_result result, ax_result predicted);
/* A call that makes a handle: `predicted` AX_OK means that it should. The new handle's object, for
 * which `core` is to be told; NULL: none was made. */
void world_made(int thread, ax_result result, ax_result predicted, int process, int object,
                uint32_t rights);
void *world_core(int process, ax_result handle);

/* A handle of the process's table: mostly of that type, now and then of another, or none. */
ax_handle world_choose(int process, enum ax_type type, uint16_t number);
ax_handle world_handle(int process, enum ax_type type, unsigned number); /* of that type, or 0 */
ax_handle world_lent(int process, unsigned number); /* a call that lends something, or 0 */
uint64_t world_deadline(uint16_t number);
uint32_t world_rights(uint16_t number);
uint64_t world_place(int process, uint16_t number);
/* An address of the pages, mostly near a beginning or end. */
uint64_t world_address(uint16_t number);

/* The programs are looked after: what ended is cleared away, new ones are started. */
void world_supervise(const struct op *op);
void world_populate(void);

/* Compares (compare.c): ends the program with a message where they differ. */
void world_compare(void);
/* Processes whose deadlines come next. False: there are none. */
bool world_pass_time(void);

void world_print(void);
void world_print_answers(void);                               /* of all calls so far */
void world_count_end(enum ref_state state, ax_result result); /* of what a thread was blocked in */
const char *world_call_name(uint64_t number);
const char *world_error_name(ax_result result);
