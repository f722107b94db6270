/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks: an ordinary static program that is the machine's init and measures what it is like to
 * live there. Its argument is a group, or `ready`: says so, and sleeps until it is ended.
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sys/start.h>

#define CLOCKS  2000000
#define CALLS   10000
#define TRAPS   20000
#define PATCHED 200000
#define WARMUP  500 /* among these sites are patched */

/* A number that no kernel call has: the kernel looks at it and answers. */
#define NULL_CALL 999

void die(const char *what, long long result) {
    printf("%s failed: %lld\n", what, result);
    exit(1);
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void counters_get(struct ax_counters *counters) {
    ax_result result = ax_system_counters(ax_start_handle("system"), counters);
    if (result < 0)
        die("reading the kernel's counters", result);
}

void count_begin(struct count *count) {
    counters_get(&count->start);
}

static void count_print(const char *name, const char *what, uint64_t value, unsigned operations) {
    char line[64];
    snprintf(line, sizeof(line), "%s.%s", name, what);
    figure(line, (double)value / operations, what);
}

void count_end(const struct count *count, const char *name, unsigned operations) {
    struct ax_counters end;
    counters_get(&end);
    /* The call that read the counters the second time is counted. */
    count_print(name, "calls", end.kernel_calls - count->start.kernel_calls - 1, operations);
    count_print(name, "faults", end.page_faults - count->start.page_faults, operations);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void measure_clock(void) {
    uint64_t sum = 0, start_ns = ax_clock_ns();
    for (unsigned i = 0; i < CLOCKS; i++)
        sum += ax_clock_ns();
    figure_time("clock", ax_clock_ns() - start_ns, CLOCKS);
    __asm__ volatile("" ::"r"(sum));
}

static void null_calls(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        (void)ax_kernel(NULL_CALL, 0, 0, 0, 0, 0);
}

static void measure_null(void) {
    struct count count;
    null_calls(WARMUP);
    count_begin(&count);
    uint64_t start_ns = ax_clock_ns();
    null_calls(CALLS);
    uint64_t end_ns = ax_clock_ns();
    count_end(&count, "null", CALLS);
    figure_time("null", end_ns - start_ns, CALLS);
}

/* Nothing that could be patched is before its syscall instruction. */
static void trapped_calls(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        long result = SYS_getpid;
        __asm__ volatile("nop; syscall" : "+a"(result) : : "rcx", "r11", "memory");
    }
}

/* As the yardstick's. */
static void patched_calls(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        syscall(SYS_getpid);
}

static void measure_linux(const char *name, void (*calls)(unsigned count), unsigned calls_count) {
    struct count count;
    calls(WARMUP);
    count_begin(&count);
    uint64_t start_ns = ax_clock_ns();
    calls(calls_count);
    uint64_t end_ns = ax_clock_ns();
    count_end(&count, name, calls_count);
    figure_time(name, end_ns - start_ns, calls_count);
}

void bench_calls(void) {
    measure_clock();
    measure_null();
    measure_linux("linux", trapped_calls, TRAPS);
    measure_linux("patched", patched_calls, PATCHED);
}

/* ---- The program ----------------------------------------------------------------------------- */

static void bench_ready(void) {
    figure("ready", 1, "count");
    for (;;)
        (void)ax_sleep_until(AX_TIME_NEVER);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } groups[] = {
        {"calls", bench_calls},     {"ipc", bench_ipc},         {"apart", bench_apart},
        {"loan", bench_loan},       {"memory", bench_memory},   {"threads", bench_threads},
        {"program", bench_program}, {"restart", bench_restart}, {"ready", bench_ready}};
    for (size_t i = 0; argc == 2 && i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strcmp(argv[1], groups[i].name) == 0) {
            groups[i].run();
            return 0;
        }
    }
    die("finding the group", argc);
}
