/* SPDX-License-Identifier: MIT */
/*
 * Makes a process that runs a program: an ELF file that lies in memory, usually inside the archive
 * of the system image. Pages of the file that are whole and aligned are mapped from there, private
 * and copied on write; the rest is copied. Freestanding: for the first program of a machine, for
 * what starts others, and for exec.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/abi.h>
#include <proto/start.h>

#define LOAD_STACK_BYTES   (UINT64_C(8) << 20)
#define LOAD_STRINGS_MAX   (UINT64_C(2) << 20) /* all arguments and environment together */
#define LOAD_ENTROPY_BYTES 64

/* A file in memory that the caller has mapped. */
struct load_image {
    ax_handle memory; /* which holds it, AX_RIGHT_READ; AX_HANDLE_NONE: all of it is copied */
    uint64_t offset;  /* of its first byte in there */
    const void *bytes;
    size_t size_bytes;
};

struct load_handle {
    const char *name; /* not empty, shorter than AX_START_NAME */
    ax_handle handle; /* the caller's, with AX_RIGHT_COPY */
    uint32_t rights;  /* at most these */
    bool leaves;      /* the caller's is closed when the program has started */
};

struct load_request {
    struct load_image program;
    struct load_image personality; /* of no bytes: the program runs without */
    const char *path;              /* of the program (AT_EXECFN) */
    const char *const *arguments;  /* each ends with NULL; NULL: none */
    const char *const *environment;

    ax_handle account;       /* that pays; AX_HANDLE_NONE: the caller's own */
    uint32_t account_rights; /* of the handle to it that the program gets; 0: none */
    ax_handle log;           /* the system device: the program gets it to write to the log */
    const struct load_handle *handles;
    size_t handle_count;

    ax_place place; /* of the process's handle; AX_PLACE_ANY */
    uint32_t flags; /* enum ax_start_flag */

    int priority;        /* -1: the caller's */
    uint64_t label;      /* of its first thread, if there is an authority to set it */
    ax_handle authority; /* the system device with AX_RIGHT_SET_LABEL */

    /* Passed on in the start block. */
    uint32_t pid, parent, cpu_count;
    uint64_t memory_bytes;
    int64_t realtime_ns;
    struct ax_start_cpu cpu; /* as the caller's start block has it, if it has one */

    bool is_fixed; /* the layout does not depend on entropy; AX_START_FIXED */
    uint8_t entropy[LOAD_ENTROPY_BYTES];
};

struct load_result {
    ax_handle process; /* all rights that a new process's handle has */
    ax_handle thread;
    /* Of a failure: what could not be done, to be put behind the program's name and a colon. */
    const char *failed;
    /* Of a failure: the enum ax_cause of which the process ended while it was being made, because
     * somebody ended it; AX_CAUSE_NONE: nobody did. */
    uint32_t cause;
};

/*
 * Starts the program. Errors: those of the kernel calls; ARGUMENT for a file that is no program of
 * ours, or a personality that is none; LIMIT for too many handles or too long arguments. A failure
 * leaves nothing behind and everything as it was; `failed` tells what it was.
 */
[[gnu::warn_unused_result]] ax_result load_process(const struct load_request *request,
                                                   struct load_result *result);
