/* SPDX-License-Identifier: MIT */
/*
 * Pipes. A session that the supervisor made makes them; the ends are streams of <proto/stream.h>.
 *
 * Of AX_STREAM_WRITE up to AX_STREAM_ATOMIC bytes lie together in the pipe. Signals: the reading
 * end is READABLE when there are bytes, and READABLE and HANGUP when the writing end is closed; the
 * writing end is WRITABLE when AX_STREAM_ATOMIC bytes have room, and WRITABLE and ERROR when the
 * reading end is closed.
 */
#pragma once

#include <stdint.h>

#define AX_PIPE_BYTES 65536 /* that a pipe holds */

enum ax_pipe_op {
    /* Answers 0 and two sessions: the end to read from, the end to write to. AX_ERR_LIMIT: the
     * caller's label has too many pipes, or there are too many in all. */
    AX_PIPE_MAKE = 16,
};
