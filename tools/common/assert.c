/* SPDX-License-Identifier: MIT */
/* What host programs do when an assertion of a library fails. */
#include <stdio.h>
#include <stdlib.h>

#include <base/assert.h>

void assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
    abort();
}
