/* SPDX-License-Identifier: MIT */
/*
 * A kernel process that is none: it takes the same options, has init's part in <proto/run.h>, and
 * runs PROGRAM as a process of the host. It lets the front end be tested by itself, and does wrong
 * what a machine can do wrong: the environment variable AX_FAKE says what.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <cpio/cpio.h>
#include <run/run.h>

#define FAKE_IMAGES 8

enum fake_port { PORT_STDIN, PORT_STDOUT, PORT_STDERR, PORT_CONTROL, PORT_COUNT };

struct fake {
    struct cpio_archive images[FAKE_IMAGES];
    unsigned image_count;
    int ports[PORT_COUNT];
    unsigned cpus;
    uint64_t memory_bytes;
    const char *seed, *command;
    int trace, log;
    const char *fault; /* AX_FAKE; "": none */
    struct run_request request;

    pid_t program;
    bool is_terminal_ready;
    int terminal; /* the master's side of what is PROGRAM's terminal; -1: it has none */
};

/* fake_machine.c */
_Noreturn void fake_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether AX_FAKE is this, with or without ":" and more. */
bool fake_has(const struct fake *fake, const char *fault, const char **more);
void fake_send(const struct fake *fake, uint32_t kind, const uint64_t words[RUN_WORDS],
               const char *text, size_t length);
bool fake_find(const struct fake *fake, const char *path, struct cpio_entry *entry,
               const void **content);

/* Reads messages from outside, and does what they say. */
void control_read(struct fake *fake);

/* fake_program.c: starts PROGRAM. False: it told why not. */
bool program_start(struct fake *fake);
/* fake_files.c: sends what --get asks for. */
void files_send(const struct fake *fake);
