/* SPDX-License-Identifier: MIT */
#include <common/failure.h>

#include <stdarg.h>
#include <stdio.h>

bool fail(struct failure *failure, const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    vsnprintf(failure->text, sizeof(failure->text), pattern, arguments);
    va_end(arguments);
    return false;
}
