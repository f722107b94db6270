/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes what <proto/run.h> describes, for init and for the front end. Neither trusts the
 * other: every byte read is taken for hostile, nothing is copied.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <proto/run.h>

enum run_error {
    RUN_OK = 0,
    RUN_MORE,      /* the message goes on; not an error */
    RUN_TRUNCATED, /* ends too early, or does not end where it should */
    RUN_MAGIC,     /* something else */
    RUN_VERSION,
    RUN_KIND,  /* a message of no kind, or of one that goes the other way */
    RUN_SIZE,  /* a message that is too large, or too small for its kind */
    RUN_VALUE, /* a number that cannot be */
    RUN_TEXT,  /* a text where none may be, or a path or variable that is none */
    RUN_ERROR_COUNT,
};

/* What is wrong, to be put behind a name and a blank. */
const char *run_error_text(enum run_error error);

/* ---- Messages -------------------------------------------------------------------------------- */

#define RUN_WORDS       3
#define RUN_MESSAGE_MAX (sizeof(struct ax_run_frame) + AX_RUN_PAYLOAD_MAX)
#define RUN_TEXT_MAX    (AX_RUN_PAYLOAD_MAX - RUN_WORDS * 8) /* fits a message of any kind */

struct run_message {
    uint32_t kind;
    uint64_t words[RUN_WORDS]; /* as many as the kind has */
    const char *text;          /* not terminated */
    size_t text_length;
};

enum run_way { RUN_FROM_INSIDE, RUN_FROM_OUTSIDE };

/*
 * The message at the beginning of what has come that way, and how many bytes it takes. MORE: it is
 * not all there yet, which cannot be once RUN_MESSAGE_MAX bytes are.
 */
__attribute__((warn_unused_result)) enum run_error run_message_read(const void *bytes, size_t size,
                                                                    enum run_way way,
                                                                    struct run_message *message,
                                                                    size_t *taken);

/* Into a buffer of RUN_MESSAGE_MAX bytes; how many it takes. The message is one that could be read,
 * which is asserted. */
size_t run_message_write(const struct run_message *message, void *buffer);

/* A path below a folder that stays below it; the empty path is the folder itself. */
bool run_path_is_below(const char *path, size_t length);

/* ---- The request ----------------------------------------------------------------------------- */

/* Strings that follow each other, each with its zero. */
struct run_strings {
    const char *first;
    uint32_t count;
};

struct run_request {
    uint32_t flags; /* enum ax_run_flag */
    uint32_t columns, rows;
    const char *directory; /* "" or begins with a slash */
    struct run_strings arguments, environment, gets;
};

__attribute__((warn_unused_result)) enum run_error run_request_read(const void *bytes, size_t size,
                                                                    struct run_request *request);

/* The string behind this one. */
const char *run_string_next(const char *string);

/* Into a buffer with that much room; how much it takes, or would: more than AX_RUN_REQUEST_MAX is
 * too much. Strings are found where the arrays point to, not in `request`. */
size_t run_request_write(const struct run_request *request, const char *const *arguments,
                         const char *const *environment, const char *const *gets, void *buffer,
                         size_t room);
