/* SPDX-License-Identifier: MIT */
/*
 * Explores every interleaving and kill point of a few small programs on the real core.
 *
 *     explore [--scenario NAME] [--limit STATES] [--list] [--help]
 *
 * Without arguments all scenarios, to their ends: it fails if there were fewer states than a full
 * run must have. AX_QUICK=1 in the environment: a short look at
 * each.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search.h"

#define QUICK_LIMIT 2000
#define FULL_STATES 1000000 /* fewer, and the scenarios have become too small to show much */

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Core's assertions and the driver's checks abort: tells how it came to that. */
static void on_abort(int number) {
    signal(number, SIG_DFL);
    path_print();
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
void __asan_on_error(void);
void __asan_on_error(void) {
    path_print();
}
#endif
#endif

static void signals_catch(void) {
    signal(SIGABRT, on_abort);
#ifndef SANITIZED /* which tells more itself */
    signal(SIGSEGV, on_abort);
#endif
}

static void explore(const struct scenario *scenario, uint64_t limit, struct figures *all) {
    struct figures figures;
    double start = seconds();
    search(scenario, limit, &figures);
    double took = seconds() - start;
    printf("%-12s %8llu states %9llu transitions %6llu ends, depth %3u, %5.1f s%s\n",
           scenario->name, (unsigned long long)figures.states,
           (unsigned long long)figures.transitions, (unsigned long long)figures.ends, figures.depth,
           took, figures.complete ? "" : ", not all");
    fflush(stdout);
    all->states += figures.states;
    all->transitions += figures.transitions;
}

static int list(void) {
    printf("explore [--scenario NAME] [--limit STATES] [--list] [--help]\n\nThe scenarios:\n");
    for (unsigned i = 0; i < scenario_count; i++)
        printf("  %s\n", scenarios[i].name);
    return 0;
}

int main(int count, char **arguments) {
    const char *name = NULL;
    uint64_t limit = getenv("AX_QUICK") != NULL ? QUICK_LIMIT : UINT64_MAX;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--scenario") == 0 && i + 1 < count)
            name = arguments[++i];
        else if (strcmp(arguments[i], "--limit") == 0 && i + 1 < count)
            limit = strtoull(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--list") == 0 || strcmp(arguments[i], "--help") == 0)
            return list();
        else {
            fprintf(stderr, "explore: what is %s?\n", arguments[i]);
            return 2;
        }
    }
    signals_catch();
    struct figures all = {0};
    unsigned explored = 0;
    double start = seconds();
    for (unsigned i = 0; i < scenario_count; i++) {
        bool wanted = WORK_PORTION == 64 || scenarios[i].cut;
        if (name != NULL ? strcmp(name, scenarios[i].name) != 0 : !wanted)
            continue;
        explore(&scenarios[i], limit, &all);
        explored++;
    }
    if (explored == 0) {
        fprintf(stderr, "explore: there is no such scenario\n");
        return 2;
    }
    double took = seconds() - start;
    printf("figure: %llu distinct states, %llu transitions, %.0f s, %.0f transitions a second\n",
           (unsigned long long)all.states, (unsigned long long)all.transitions, took,
           (double)all.transitions / took);
    bool is_full = WORK_PORTION == 64 && name == NULL && limit == UINT64_MAX;
    bool is_small = is_full && all.states < FULL_STATES;
    if (is_small)
        printf("a full run has at least %u states\n", FULL_STATES);
    printf("%u passed, %u failed\n", explored, is_small);
    return is_small ? 1 : 0;
}
