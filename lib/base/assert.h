/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Assertions state invariants of the program itself, never facts about its input. They stay on in
 * every build.
 *
 * assert_failed is only declared here: the machine, or the test, that the code is linked with
 * supplies it, reports the place and stops.
 */
_Noreturn void assert_failed(const char *expression, const char *file, int line);

#define ASSERT(expr)                                  \
    do {                                              \
        if (__builtin_expect(!(expr), 0))             \
            assert_failed(#expr, __FILE__, __LINE__); \
    } while (0)
