/* SPDX-License-Identifier: MIT */
/*
 * A piece of hardware: a range of one kind. DMA memory of a device is pinned; freed, it waits in
 * quarantine, still charged, until the driver says that the device was reset.
 */
#pragma once

#include "object.h"

struct device {
    struct object object;
    struct device *parent; /* holds a ref; NULL: made at boot */
    uint32_t kind;         /* enum ax_device_kind */
    uint64_t base, size;
    struct list quarantine; /* struct memory.quarantine */
    uint64_t quarantined_pages;
};

/* A DMA memory object's last ref is gone: into quarantine. When the device itself ends without a
 * reset, its quarantine passes to its parent. */
void device_quarantine(struct device *device, struct memory *memory);
