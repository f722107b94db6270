/* SPDX-License-Identifier: MIT */
/*
 * A file that appears under its name when it is complete, or not at all, and of which nothing is
 * left however this program ends: until then it has no name (where the file system can do that).
 * What is no regular file (a pipe, /dev/stdout) is written as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <common/failure.h>

struct place {
    const char *path;
    int fd; /* -1: none is open */
    bool is_direct;
    char *temporary; /* NULL: it has no name */
    char *resolved;  /* what `path` is, if that was a link */
};

bool place_open(struct place *place, const char *path, struct failure *failure);
bool place_write(struct place *place, const void *bytes, size_t size, struct failure *failure);
/* It appears, with the mode; (mode_t)-1: with that of any new file. */
bool place_finish(struct place *place, mode_t mode, struct failure *failure);
/* Gives back what it has; needed after place_finish too. */
void place_drop(struct place *place);
