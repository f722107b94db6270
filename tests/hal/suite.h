/* SPDX-License-Identifier: MIT */
/*
 * Conformance of a machine to include/hal: one source for every machine. The suite takes core's
 * place (core_start), runs its cases on CPU 0 and ends with hal_halt: 0 if all passed. A machine is
 * tested by linking the suite with it and with a file that offers the machine_ functions below.
 * There is no libc: it may run where nothing else does.
 */
#pragma once

#include <abi/abi.h>
#include <hal/core.h>
#include <hal/hal.h>

/* What no test can do by the contract alone. False: not on this machine; the case is reported as
 * not run. */
bool machine_irq_raise(uint32_t irq);

struct suite_case {
    const char *name;
    void (*run)(void);
};

/* Each file's cases, ended by a NULL name. */
extern const struct suite_case machine_cases[]; /* boot data, memory, time, interrupts, CPUs */
extern const struct suite_case space_cases[];
extern const struct suite_case user_cases[];

/* ---- Reporting (suite.c) --------------------------------------------------------------------- */

#define CHECK(expr) suite_check(!!(expr), #expr, __FILE__, __LINE__)
void suite_check(bool passed, const char *expression, const char *file, int line);
/* Says that the case cannot be tried on this machine. */
void suite_not_run(const char *why);

/* ---- Memory ---------------------------------------------------------------------------------- */

/* A zeroed frame; never given back. */
uint64_t frame_take(void);
/* Translation tables that the machine holds; after how many more core_table_alloc answers 0. */
extern uint64_t suite_tables;
extern uint64_t suite_tables_left;

/* ---- A user thread, its space, and what it runs (suite_user.c) ------------------------------- */

#define PROGRAM_ADDRESS UINT64_C(0x400000)
#define STACK_ADDRESS   UINT64_C(0x600000)
#define DATA_ADDRESS    UINT64_C(0x800000)

struct thread_under_test {
    struct hal_user user;
    struct hal_space *space;
    struct hal_event event;
    struct ax_thread_page *page;
};

/* A space with the kernel page, the programs, and one page of stack. */
void space_start(struct hal_space *space);
void space_stop(struct hal_space *space);
/* Until it is gone, each time with that budget. */
void space_destroy(struct hal_space *space, unsigned budget);
/* A thread of it, at the first instruction of a program, with a thread page of its own. */
void thread_start(struct thread_under_test *thread, struct hal_space *space, unsigned slot,
                  const char *program);
void thread_stop(struct thread_under_test *thread);
/* Runs until something other than a kick happens. */
enum hal_event_kind thread_run(struct thread_under_test *thread);
/* Where a program lies in the space. */
uint64_t program_address(const char *program);

/* The programs (suite_user.c), machine code. */
extern const char program_load[];   /* kernel call of number *rdi */
extern const char program_store[];  /* *rdi = rsi, kernel call */
extern const char program_call[];   /* kernel call, kernel call of its result's number */
extern const char program_bounce[]; /* syscall, kernel call */
extern const char program_undefined[];
extern const char program_breakpoint[];
extern const char program_divide[]; /* by rcx */
extern const char program_spin[];   /* rbx++ for ever */
extern const char program_fs[];     /* kernel call of number fs:0 */
extern const char program_gs[];     /* the same with gs:0 */
extern const char program_vector[]; /* xmm0 = rsi, kernel call, kernel call of number xmm0 */
extern const char program_yield[];  /* yield_point(), kernel call of number rbx */
extern const char program_clock[];  /* kernel call of number clock_ns() */
