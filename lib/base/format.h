/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * Text into a buffer, as snprintf does it: what does not fit is dropped, the result is terminated
 * unless size is 0, and the length returned is that of the whole text.
 *
 * Conversions: d i u x X c s p %. Flags: - 0. Width and precision, either as a number or *.
 * Lengths: hh h l ll z j. %p is 0x and the digits, also for NULL; a null string is (null).
 * Anything else (floating point, %n, %o ...) does not exist: such a directive and all that
 * follows it are copied as they stand, and no further argument is read.
 */
__attribute__((format(printf, 3, 4))) size_t format(char *buffer, size_t size, const char *pattern,
                                                    ...);

__attribute__((format(printf, 3, 0))) size_t format_list(char *buffer, size_t size,
                                                         const char *pattern, va_list arguments);
