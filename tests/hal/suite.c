/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include <base/format.h>
#include <base/memory.h>

static const char *case_name;
static bool case_failed, case_not_run;
static uint64_t next_range, next_page;

uint64_t suite_tables;
uint64_t suite_tables_left = UINT64_MAX;

__attribute__((format(printf, 1, 2))) static void say(const char *pattern, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, pattern);
    size_t size = format_list(line, sizeof(line), pattern, arguments);
    va_end(arguments);
    hal_console_write(line, size < sizeof(line) ? size : sizeof(line) - 1);
}

void suite_check(bool passed, const char *expression, const char *file, int line) {
    if (passed)
        return;
    case_failed = true;
    say("%s:%d: %s: %s\n", file, line, case_name, expression);
}

void suite_not_run(const char *why) {
    case_not_run = true;
    say("not run: %s: %s\n", case_name, why);
}

uint64_t frame_take(void) {
    const struct hal_boot *boot = hal_boot();
    while (next_range < boot->memory_count &&
           (next_page + 1) * AX_PAGE_SIZE > boot->memory[next_range].size_bytes) {
        next_range++;
        next_page = 0;
    }
    if (next_range == boot->memory_count) {
        say("the suite has no memory left\n");
        hal_halt(1);
    }
    uint64_t physical = boot->memory[next_range].base + next_page++ * AX_PAGE_SIZE;
    memset(hal_window(physical), 0, AX_PAGE_SIZE);
    return physical;
}

uint64_t core_table_alloc(struct hal_space *space) {
    (void)space;
    if (suite_tables_left == 0)
        return 0;
    suite_tables_left--;
    suite_tables++;
    return frame_take();
}

void core_table_free(struct hal_space *space, uint64_t physical) {
    (void)space;
    CHECK(physical != 0 && suite_tables > 0);
    suite_tables--;
}

void core_log_show(void) {
}

static void cases_run(const struct suite_case *cases, unsigned counts[3]) {
    for (; cases->name != NULL; cases++) {
        case_name = cases->name;
        case_failed = false;
        case_not_run = false;
        cases->run();
        counts[case_failed ? 1 : case_not_run ? 2 : 0]++;
    }
}

void core_start(void) {
    unsigned counts[3] = {0};
    cases_run(machine_cases, counts);
    cases_run(space_cases, counts);
    cases_run(user_cases, counts);
    say("%u cases passed, %u failed, %u cannot be run on this machine\n", counts[0], counts[1],
        counts[2]);
    hal_halt(counts[1] != 0 || counts[0] == 0);
}
