/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <common/failure.h>

/* The whole of a file, with room for one byte more; to be freed by the caller. False if it cannot
 * be read or is larger. */
bool file_read(const char *path, size_t size_max, char **bytes, size_t *size,
               struct failure *failure);

/*
 * A file that appears under its name when it is complete, or not at all. Until then it lies beside,
 * under another name, which goes away even if the program is ended by a signal. What is no regular
 * file (/dev/stdout, a pipe) is written as it is.
 */
struct output {
    const char *path;
    char temporary[4096]; /* empty: there is none */
    int fd;
};

bool output_open(struct output *output, const char *path, struct failure *failure);
/* Names `output->path` if it fails. */
bool output_write(struct output *output, const void *bytes, size_t size, struct failure *failure);
bool output_finish(struct output *output, struct failure *failure);
/* Gives it up, after whatever failure, output_finish's included. */
void output_drop(struct output *output);
