/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <stdbool.h>

#include "errors.h"

static bool range_is_valid(uint64_t address, size_t size_bytes) {
    return address <= AX_USER_END && size_bytes <= AX_USER_END - address;
}

/* A program's number is its address: NOLINTBEGIN(performance-no-int-to-ptr) */

int64_t user_read(void *to, uint64_t address, size_t size_bytes) {
    if (!range_is_valid(address, size_bytes))
        return -L_EFAULT;
    return access_copy(to, (const void *)address, size_bytes);
}

int64_t user_write(uint64_t address, const void *from, size_t size_bytes) {
    if (!range_is_valid(address, size_bytes))
        return -L_EFAULT;
    return access_copy((void *)address, from, size_bytes);
}

int64_t user_zero(uint64_t address, size_t size_bytes) {
    if (!range_is_valid(address, size_bytes))
        return -L_EFAULT;
    return access_zero((void *)address, size_bytes);
}

int64_t user_exchange(uint64_t address, uint32_t old, uint32_t wanted, uint32_t *seen) {
    if (!range_is_valid(address, sizeof(*seen)))
        return -L_EFAULT;
    return access_exchange((uint32_t *)address, old, wanted, seen);
}

/* NOLINTEND(performance-no-int-to-ptr) */
