/* SPDX-License-Identifier: MIT */
/* Linux's error numbers, and how the kernel's become these. */
#pragma once

#include <stdint.h>

#include <abi/error.h>

enum linux_error {
    L_EPERM = 1,
    L_ENOENT = 2,
    L_ESRCH = 3,
    L_EINTR = 4,
    L_EIO = 5,
    L_E2BIG = 7,
    L_EBADF = 9,
    L_EAGAIN = 11,
    L_ENOMEM = 12,
    L_EACCES = 13,
    L_EFAULT = 14,
    L_EEXIST = 17,
    L_ENODEV = 19,
    L_EINVAL = 22,
    L_EMFILE = 24,
    L_ENOTTY = 25,
    L_ESPIPE = 29,
    L_EPIPE = 32,
    L_ERANGE = 34,
    L_EDEADLK = 35,
    L_ENAMETOOLONG = 36,
    L_ENOSYS = 38,
    L_EOVERFLOW = 75,
    L_EOPNOTSUPP = 95,
    L_ETIMEDOUT = 110,

    /* Of calls that a signal ended, never seen by a program: what happens then? */
    L_RESTARTSYS = 512,    /* EINTR, or again if the handler has SA_RESTART */
    L_RESTARTNOHAND = 514, /* EINTR if there was a handler */
    L_RESTARTNOW = 516,    /* the same; what is left of a time-out goes on */
};

/* The negative error number for a failed kernel call, as far as one fits all calls. */
int64_t error_of(ax_result result);

/* A result that is an error, or else 0. */
static inline int64_t error_or_zero(ax_result result) {
    return result < 0 ? error_of(result) : 0;
}
