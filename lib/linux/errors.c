/* SPDX-License-Identifier: MIT */
#include "errors.h"

static const uint8_t errors[] = {
    [-AX_ERR_NO_CALL] = L_ENOSYS,    [-AX_ERR_ARGUMENT] = L_EINVAL, [-AX_ERR_HANDLE] = L_EBADF,
    [-AX_ERR_TYPE] = L_EBADF,        [-AX_ERR_RIGHTS] = L_EACCES,   [-AX_ERR_ADDRESS] = L_EFAULT,
    [-AX_ERR_MEMORY] = L_ENOMEM,     [-AX_ERR_LIMIT] = L_ENOMEM,    [-AX_ERR_EXISTS] = L_EEXIST,
    [-AX_ERR_NOT_FOUND] = L_ENOENT,  [-AX_ERR_STATE] = L_EINVAL,    [-AX_ERR_TIMEOUT] = L_ETIMEDOUT,
    [-AX_ERR_INTERRUPTED] = L_EINTR, [-AX_ERR_AGAIN] = L_EAGAIN,    [-AX_ERR_PEER_CLOSED] = L_EIO,
    [-AX_ERR_DROPPED] = L_EIO,       [-AX_ERR_FAULTED] = L_EIO,     [-AX_ERR_DEADLOCK] = L_EDEADLK,
    [-AX_ERR_CALLER_DEAD] = L_EIO,   [-AX_ERR_ABSENT] = L_EFAULT,   [-AX_ERR_ENDED] = L_ESRCH,
    [-AX_ERR_ACCEPT] = L_EIO,
};

_Static_assert(sizeof(errors) == -AX_ERR_LAST + 1, "an entry for each");

int64_t error_of(ax_result result) {
    return result < AX_ERR_LAST || result >= 0 ? -L_EIO : -(int64_t)errors[-result];
}
