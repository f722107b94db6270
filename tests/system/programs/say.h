/* SPDX-License-Identifier: MIT */
/* What the programs here share: lines that are the same wherever they run, and checks. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with the place where something was not as it should be. */
#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stdout, "FAILED %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, \
                    errno);                                                                  \
            fflush(stdout);                                                                  \
            _Exit(99);                                                                       \
        }                                                                                    \
    } while (0)

/* The call fails with that error. */
#define CHECK_ERROR(call, error)   \
    do {                           \
        errno = 0;                 \
        CHECK((long)(call) == -1); \
        CHECK(errno == (error));   \
    } while (0)

/* A pointer to nothing, about which the compiler knows nothing. */
static inline void *bad_pointer(void) {
    void *volatile pointer = (void *)16;
    return pointer;
}
