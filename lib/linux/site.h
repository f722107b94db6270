/* SPDX-License-Identifier: MIT */
/* Call sites in the program's text that can be patched: told by their bytes alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The instruction before `syscall`, of five bytes, that a jump takes the place of. It is done in
 * the trampoline instead.
 */
enum site_kind {
    SITE_NONE = 0,
    SITE_NUMBER, /* mov $number,%eax */
    SITE_LOAD,   /* mov 8(%rsp),%r9: the end of glibc's syscall() */
    SITE_KINDS,
};

#define SITE_SYSCALL_BYTES 2 /* the instruction itself, which stays */
#define SITE_JUMP_BYTES    5 /* what is replaced, right before it */
#define SITE_BYTES         (SITE_JUMP_BYTES + SITE_SYSCALL_BYTES)

/* So much of the text is looked at: the site, and what is before. */
#define SITE_WINDOW 25

/* What the site is that ends with the window. `number` is that of the call it has just made. */
enum site_kind site_decode(const uint8_t window[SITE_WINDOW], uint64_t number);

/* A jump from the site to the target. False: it is too far. */
[[gnu::warn_unused_result]] bool site_jump(uint64_t site, uint64_t target,
                                           uint8_t jump[SITE_JUMP_BYTES]);
