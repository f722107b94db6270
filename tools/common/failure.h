/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* What went wrong, in one line that names the thing; for functions that answer false. */
struct failure {
    char text[1024];
};

/* Always false, so that one can return it. */
__attribute__((format(printf, 2, 3))) bool fail(struct failure *failure, const char *pattern, ...);
