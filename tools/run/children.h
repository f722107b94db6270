/* SPDX-License-Identifier: MIT */
/* The children of a process, as /proc tells them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILDREN_MAX 4096

struct children {
    size_t count;
    pid_t pids[CHILDREN_MAX];
};

/* Those of all its threads, as many as there is room for. None if the host does not tell. */
void children_list(pid_t parent, struct children *children);
/* Takes those out that are also in the other list. */
void children_drop(struct children *children, const struct children *others);
void children_signal(const struct children *children, int signal);
/* Waits for them, children of this process, to end. False: there were none. */
bool children_await(const struct children *children);
