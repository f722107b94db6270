/* SPDX-License-Identifier: MIT */
/* Reports in a folder, of which only the newest stay. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define KEPT_MAX 32

/* Makes the folder if it has to; the file is the two texts. `kept` becomes its path, or why there
 * is none. */
bool keep_report(const char *folder, const char *name, const char *first, const char *rest,
                 char *kept, size_t kept_size);
