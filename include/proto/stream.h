/* SPDX-License-Identifier: MIT */
/*
 * Streams of bytes: pipes, terminals, what a program's descriptors 0, 1 and 2 are. A stream is a
 * session; the server keeps its state. An answer's operation is a count or 0, or negative an error:
 * an enum ax_error or one of the stream's own.
 *
 * Signals of the session: AX_SIGNAL_READABLE: a READ would not wait (there are bytes, or it is the
 * end); AX_SIGNAL_WRITABLE: a WRITE would not wait; AX_SIGNAL_HANGUP: the other side is gone;
 * AX_SIGNAL_ERROR: a WRITE would fail.
 */
#pragma once

#include <stdint.h>

enum ax_stream_op {
    /* words[0]: flags. Loan 0 is empty; loan 1 is where the bytes go. Answers how many came, at
     * least one; 0: the end. Interrupted before any came: AX_ERR_INTERRUPTED. */
    AX_STREAM_READ = 1,

    /* words[0]: flags. Loan 0 is the bytes. Answers how many were taken; waits until all are, or
     * an early answer is asked for, which is what was taken, or AX_ERR_INTERRUPTED if that is
     * nothing. Up to AX_STREAM_ATOMIC bytes are taken together or not at all. */
    AX_STREAM_WRITE = 2,

    /* Answers 0; words[0]: enum ax_stream_kind; words[1], words[2]: columns and rows of a terminal,
     * 0 if not known. */
    AX_STREAM_DESCRIBE = 3,

    /* Answers 0 when all that was taken by then has been handed on to where it goes;
     * AX_STREAM_BROKEN: some of it never will. */
    AX_STREAM_DRAIN = 4,
};

enum ax_stream_flag {
    AX_STREAM_NOWAIT = 1U << 0, /* AX_ERR_AGAIN instead of waiting */
};

enum ax_stream_kind {
    AX_STREAM_PIPE = 0,
    AX_STREAM_TERMINAL = 1,
};

enum ax_stream_error {
    AX_STREAM_BROKEN = -64, /* nobody will ever read it (EPIPE) */
    AX_STREAM_IO = -65,     /* the device failed (EIO) */
    AX_STREAM_WAY = -66,    /* the stream does not go that way (EBADF) */
};

#define AX_STREAM_ATOMIC 4096
