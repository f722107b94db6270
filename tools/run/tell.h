/* SPDX-License-Identifier: MIT */
/* What the front end says itself, all of it on stderr. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TELL_NAME "scripts/run"

/* One line, with the name before it, cleaned as below. */
__attribute__((format(printf, 1, 2))) void tell(const char *pattern, ...);
/* Whatever a terminal would obey but ends of lines and tabs becomes a question mark: it may come
 * from a program that wants to be misread. */
void tell_clean(char *text, size_t size);
/* Text as it stands. */
void tell_text(const char *text, size_t size);
/* Whether a line's end needs a carriage return, since the terminal makes none. */
void tell_raw(bool is_raw);
