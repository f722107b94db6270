/* SPDX-License-Identifier: MIT */
/* The command line, checked. help.txt describes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <common/failure.h>

/* A file inside the machine and its counterpart outside. */
struct pair {
    const char *inside, *outside;
};

struct options {
    bool wants_help, is_native, is_quiet, is_verbose, has_seed;
    uint32_t cpu_count;
    uint64_t memory_bytes, seed;
    uint64_t timeout_ns; /* 0: none */
    const char *directory, *status, *trace;
    struct pair *files, *gets;
    uint32_t file_count, get_count;
    const char **environment; /* K=V */
    uint32_t environment_count;
    const char *const *arguments; /* PROGRAM first */
    uint32_t argument_count;
    const char *kernel, *root, *image;
    const char *crashes; /* the folder for reports; NULL: they are not kept */
    int lock;            /* -1: none */
};

/* What it returns lives as long as the program. On false `status` is set if it was come across. */
bool options_read(struct options *options, int argc, char **argv, struct failure *failure);
