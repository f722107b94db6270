/* SPDX-License-Identifier: MIT */
/*
 * A run, between the front end outside (scripts/run) and init inside the machine.
 *
 * What to run stands in the file AX_RUN_REQUEST_PATH, which the front end appends to the system
 * image. How it goes is told over the port "control", a stream of messages both ways; the ports
 * "stdin", "stdout" and "stderr" carry PROGRAM's bytes and nothing else. All numbers are
 * little-endian. <run/run.h> reads and writes both, for either side.
 */
#pragma once

#include <stdint.h>

#define AX_RUN_VERSION 1

/* ---- The request ----------------------------------------------------------------------------- */

#define AX_RUN_REQUEST_PATH  "/run/request"
#define AX_RUN_REQUEST_MAGIC UINT64_C(0x3174736575716572) /* "request1" */
#define AX_RUN_REQUEST_MAX   (UINT32_C(2) << 20)          /* bytes of it all */

enum ax_run_flag {
    AX_RUN_TERMINAL_IN = 1U << 0, /* stdin is a terminal outside, so it is to be one inside */
    AX_RUN_TERMINAL_OUT = 1U << 1,
    AX_RUN_TERMINAL_ERROR = 1U << 2,
    AX_RUN_VERBOSE = 1U << 3, /* NOTEs are wanted: calls that are not implemented, and the like */
    AX_RUN_FIXED = 1U << 4,   /* a seeded run */
    AX_RUN_FLAGS = (1U << 5) - 1,
};

/*
 * Behind it lie string_bytes bytes of strings, each with a zero behind it: the working directory
 * (empty: the root), the arguments, the environment ("K=V"), and the paths of files that are wanted
 * back. No argument: the interactive program. PROGRAM is argument 0 and is looked for on PATH if it
 * has no slash. The environment is what differs from init's own: PATH, HOME and what else there is
 * by default is added unless it is named.
 */
struct ax_run_request {
    uint64_t magic;
    uint32_t version;
    uint32_t flags;         /* enum ax_run_flag */
    uint32_t columns, rows; /* of the terminal; 0: not known, or there is none */
    uint32_t argument_count, environment_count, get_count;
    uint32_t string_bytes;
};

/* ---- Messages -------------------------------------------------------------------------------- */

#define AX_RUN_PAYLOAD_MAX UINT32_C(65536)

/* Behind it lie `size` bytes: the words of the kind, each 8 bytes, then text or bytes. */
struct ax_run_frame {
    uint32_t kind; /* enum ax_run_kind */
    uint32_t size; /* up to AX_RUN_PAYLOAD_MAX */
};

/*
 * In this order: READY; then NOTE, TERMINAL, and when it was asked to stop REPORTs, at any time;
 * ENDED; what is left of PROGRAM's making is ended; the files; DONE when all that was written to
 * the streams is outside. Then init halts the machine.
 */
enum ax_run_kind {
    /* From inside. */
    AX_RUN_READY = 1,     /* words: AX_RUN_VERSION. Init runs */
    AX_RUN_NOTE = 2,      /* text: something for --verbose */
    AX_RUN_TERMINAL = 3,  /* words: enum ax_run_terminal. What is done inside from now on. Answered
                             by  TERMINAL_READY; what is shown before that may be done twice */
    AX_RUN_REPORT = 4,    /* words: 1 if it is the last part. Text: the threads, and what they wait
                             for; shown as it stands */
    AX_RUN_ENDED = 5,     /* words: enum ax_run_end, its value. Text: more about it, or nothing */
    AX_RUN_GET_ENTRY = 6, /* words: which of the request's files, mode (type and permissions, as
                             Unix has them), size. Text: where below the path, empty for the path
                             itself, of which links are followed. A folder comes before what is in
                             it */
    AX_RUN_GET_DATA = 7,  /* words: which file. Bytes: the next of the entry's content, which for a
                             symbolic link is its text */
    AX_RUN_GET_END = 8,   /* words: which file, Linux's error number or 0. Text: where below the
                             path the error came up */
    AX_RUN_DONE = 9,

    /* From outside. */
    AX_RUN_RESIZE = 32, /* words: columns, rows */
    AX_RUN_STOP = 33,   /* words: enum ax_run_reason. TERM to all, 2 s, KILL; then as ever */
    AX_RUN_TERMINAL_READY = 34,
};

/* How PROGRAM ended. The value: */
enum ax_run_end {
    AX_RUN_END_EXIT = 1,           /* its exit code, 0 to 255 */
    AX_RUN_END_SIGNAL = 2,         /* the signal, 1 to 64 */
    AX_RUN_END_NOT_FOUND = 3,      /* 0; text: what was not */
    AX_RUN_END_NOT_EXECUTABLE = 4, /* Linux's error number; text: why */
    AX_RUN_END_UNSTARTED = 5,      /* Linux's error number; text: why. The machine's fault, or that
                                      of a working directory */
};

enum ax_run_terminal {
    AX_RUN_TERMINAL_LINES = 1, /* line ends are made inside: the outside's terminal shows all as it
                                  comes */
};

enum ax_run_reason {
    AX_RUN_STOP_TIMEOUT = 1,   /* a REPORT first */
    AX_RUN_STOP_INTERRUPT = 2, /* somebody outside wants no more of it */
};

_Static_assert(sizeof(struct ax_run_request) == 40, "shared with the outside");
_Static_assert(sizeof(struct ax_run_frame) == 8, "shared with the outside");
