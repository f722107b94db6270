/* SPDX-License-Identifier: MIT */
/* What the program was started with. */
#pragma once

#include <stdbool.h>

#include <proto/start.h>

/* The start block. NOLINTBEGIN(performance-no-int-to-ptr): its address is fixed. */
static inline const struct ax_start *ax_start(void) {
    return (const struct ax_start *)AX_START_ADDRESS;
}
/* NOLINTEND(performance-no-int-to-ptr) */

static inline bool ax_start_name_is(const char name[AX_START_NAME], const char *wanted) {
    const char *end = name + AX_START_NAME;
    while (name < end && *name != '\0' && *name == *wanted) {
        name++;
        wanted++;
    }
    return name < end && *name == *wanted;
}

/* The handle of that name in a start block; AX_HANDLE_NONE: there is none. */
static inline ax_handle ax_start_find(const struct ax_start *start, const char *name) {
    for (unsigned i = 0; i < start->handle_count && i < AX_START_HANDLES; i++) {
        if (ax_start_name_is(start->handles[i].name, name))
            return start->handles[i].handle;
    }
    return AX_HANDLE_NONE;
}

/* The handle that the program was given under that name; AX_HANDLE_NONE: it was not. */
static inline ax_handle ax_start_handle(const char *name) {
    return ax_start_find(ax_start(), name);
}
