/* SPDX-License-Identifier: MIT */
/*
 * A piece of hardware: a range of one kind. DMA memory of a device is pinned; freed, it waits in
 * quarantine, still charged, until the driver says that the device was reset.
 */
#pragma once

#include <abi/info.h>

#include "object.h"

struct device {
    struct object object;
    struct device *parent; /* holds a ref; NULL: made at boot */
    uint32_t kind;         /* enum ax_device_kind */
    uint64_t base, size;
    struct list quarantine; /* struct memory.quarantine */
    uint64_t quarantined_pages;
};

/* One ref. The parent may be NULL. */
MUST_USE ax_result device_make(struct account *account, struct device *parent,
                               enum ax_device_kind kind, uint64_t base, uint64_t size,
                               struct device **device);

/* A device of that kind by a handle with the rights. Errors: HANDLE, TYPE (another kind), RIGHTS.
 */
MUST_USE ax_result device_lookup(struct thread *thread, uint64_t handle, enum ax_device_kind kind,
                                 uint32_t rights, struct device **device);

/* Is [base, base + size), not empty, part of its range? */
bool device_has(const struct device *device, uint64_t base, uint64_t size);

/*
 * A DMA memory object's last ref is gone: into quarantine, instead of being freed; its ref on the
 * device is dropped. device_reset puts it on the work list with memory->device NULL. When the
 * device itself ends without a reset, its quarantine passes to its parent; a device made at boot
 * that ends with a quarantine stays, for nobody can ever tell that it was reset.
 */
void device_quarantine(struct device *device, struct memory *memory);
