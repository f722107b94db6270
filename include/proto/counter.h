/* SPDX-License-Identifier: MIT */
/*
 * The counter: numbers that are added to, exactly once a call, whatever becomes of the server. The
 * supervisor's sessions only open; a session opened so is one counter's.
 */
#pragma once

#include <stdint.h>

#define AX_COUNTER_NAME 16

enum ax_counter_op {
    /* words[0], words[1]: a name of up to 16 characters, the rest zero; all zero: a counter of this
     * session alone, which goes with it. Named ones stay. Answers 0 and a session. AX_ERR_LIMIT:
     * the caller's label has too many counters, or there are too many in all. */
    AX_COUNTER_OPEN = 1,

    /* words[0]: what to add, signed; it wraps. Answers 0; words[0]: the new value. */
    AX_COUNTER_ADD = 2,

    /* Answers 0; words[0]: the value. */
    AX_COUNTER_GET = 3,
};
