/* SPDX-License-Identifier: MIT */
/* Call sites in the program's text that can be patched: told by their bytes alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <abi/regs.h>

/* The instruction before `syscall`, of five bytes or more, that a jump takes the place of. It is
 * done in the trampoline instead, or by the personality. */
enum site_kind {
    SITE_NONE = 0,
    SITE_NUMBER,  /* mov $value,%eax */
    SITE_ADDRESS, /* lea value(from),to */
    SITE_LOAD,    /* mov 8(%rsp),%r9: the end of glibc's syscall() */
};

struct site {
    uint64_t behind; /* its address: that behind the `syscall` */
    uint32_t value;
    uint8_t kind;     /* enum site_kind */
    uint8_t length;   /* of the instruction */
    uint8_t to, from; /* registers, by their place in struct ax_regs */
};

#define SITE_SYSCALL_BYTES 2 /* the instruction itself, which stays */
#define SITE_JUMP_BYTES    5

/* So much of the text is looked at: the site, and what is before. */
#define SITE_WINDOW 25

/* What the site is that ends with the window, and has just trapped with these registers. False: it
 * is none that can be patched. */
[[gnu::warn_unused_result]] bool site_decode(const uint8_t window[SITE_WINDOW],
                                             const struct ax_regs *regs, struct site *site);

/* What the instruction before the syscall does, and that SITE_LOAD's has been done. */
void site_apply(const struct site *site, struct ax_regs *regs);

static inline uint64_t site_start(const struct site *site) {
    return site->behind - SITE_SYSCALL_BYTES - site->length;
}

/* A jump from the site to the target. False: it is too far. */
[[gnu::warn_unused_result]] bool site_jump(uint64_t address, uint64_t target,
                                           uint8_t jump[SITE_JUMP_BYTES]);
