/* SPDX-License-Identifier: MIT */
/* The table of file descriptors: small numbers for open files, which several may share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/object.h>

#define DESCRIPTOR_MAX 1024
#define OPEN_FILE_MAX  16

enum file_kind {
    FILE_CLOSED = 0,
    FILE_STREAM, /* a session of <proto/stream.h> */
    FILE_LOG,    /* the machine's log: written, and at its end when read */
};

/* What dup shares. */
struct open_file {
    enum file_kind kind;
    ax_handle handle;
    uint32_t flags; /* L_O_*: the way, and what fcntl changes */
    uint32_t users; /* descriptors that are this file */
};

struct descriptor {
    uint8_t file; /* index + 1 of an open file; 0: not open */
    uint8_t close_on_exec;
};

/* All zero is empty. Nothing here locks. */
struct descriptors {
    struct descriptor table[DESCRIPTOR_MAX];
    struct open_file files[OPEN_FILE_MAX];
};

/* Opens a file as that descriptor, which is not open. False: too many files. */
bool descriptor_open(struct descriptors *all, int fd, const struct open_file *file);

/* NULL: not open, or no descriptor at all. */
struct open_file *descriptor_file(struct descriptors *all, int64_t fd);

/* The lowest from `first` on that is not open, below the limit; -1: there is none. */
int descriptor_free(const struct descriptors *all, int64_t first, uint64_t limit);

/* Makes `to`, not open, the same file as `from`, which is. */
void descriptor_share(struct descriptors *all, int from, int to, bool close_on_exec);

/* Closes it; true: nobody has its file any more, which is in *file. */
bool descriptor_close(struct descriptors *all, int fd, struct open_file *file);
