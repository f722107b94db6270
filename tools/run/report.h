/* SPDX-License-Identifier: MIT */
/* The text of a report, from lines as lib/crash/crash.h describes them. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "program.h"

/* The first line, which says what it was and of what it died; then the rest of it. The lines are
 * those between the first and the last, with what comes before their kind taken off. `program`
 * NULL: its file is not known. */
void report_headline(FILE *text, const char *name, const char *lines);
void report_details(FILE *text, const char *path, const char *lines, const struct program *program);
