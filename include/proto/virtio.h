/* SPDX-License-Identifier: MIT */
/*
 * What drivers and devices of virtio agree on: the parts that are used here of the specification
 * "Virtual I/O Device (VIRTIO) Version 1.2", whose sections are named. All is little endian.
 *
 * Registers are those of its section 4.2.2 (virtio over MMIO, version 2). The hosted machine has
 * them at I/O ports: device n at VIRTIO_HOSTED_PORT(n), with interrupt line VIRTIO_HOSTED_IRQ(n).
 * Where there is no device, all bits read as ones.
 */
#pragma once

#include <stdint.h>

#define VIRTIO_HOSTED_DEVICES 8
#define VIRTIO_HOSTED_PORTS   0x200U
#define VIRTIO_HOSTED_PORT(n) (0x1000U + VIRTIO_HOSTED_PORTS * (n))
#define VIRTIO_HOSTED_IRQ(n)  (16U + (n))
#define VIRTIO_HOSTED_CONSOLE 0U

enum virtio_register {
    VIRTIO_MAGIC = 0x000,
    VIRTIO_VERSION = 0x004,
    VIRTIO_DEVICE_ID = 0x008,
    VIRTIO_VENDOR_ID = 0x00c,
    VIRTIO_DEVICE_FEATURES = 0x010,
    VIRTIO_DEVICE_FEATURES_SELECT = 0x014,
    VIRTIO_DRIVER_FEATURES = 0x020,
    VIRTIO_DRIVER_FEATURES_SELECT = 0x024,
    VIRTIO_QUEUE_SELECT = 0x030,
    VIRTIO_QUEUE_SIZE_MAX = 0x034,
    VIRTIO_QUEUE_SIZE = 0x038,
    VIRTIO_QUEUE_READY = 0x044,
    VIRTIO_QUEUE_NOTIFY = 0x050,
    VIRTIO_INTERRUPT_STATUS = 0x060,
    VIRTIO_INTERRUPT_ACK = 0x064,
    VIRTIO_STATUS = 0x070,
    VIRTIO_QUEUE_TABLE = 0x080, /* two registers each: low, high */
    VIRTIO_QUEUE_AVAILABLE = 0x090,
    VIRTIO_QUEUE_USED = 0x0a0,
    VIRTIO_CONFIG_GENERATION = 0x0fc,
    VIRTIO_CONFIG = 0x100, /* the device's own, in units of 1, 2 or 4 bytes */
};

#define VIRTIO_MAGIC_VALUE   0x74726976U /* "virt" */
#define VIRTIO_VERSION_VALUE 2U

/* Section 5. */
enum virtio_device_id {
    VIRTIO_ID_CONSOLE = 3,
};

/* Section 2.1. */
enum virtio_status {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

enum virtio_interrupt { VIRTIO_INTERRUPT_QUEUE = 1, VIRTIO_INTERRUPT_CONFIG = 2 };

#define VIRTIO_FEATURE(bit)      (UINT64_C(1) << (bit))
#define VIRTIO_FEATURE_VERSION_1 VIRTIO_FEATURE(32) /* section 6 */

/* ---- Split queues (section 2.7) -------------------------------------------------------------- */

#define VIRTIO_QUEUE_SIZE_LIMIT 256U /* of our devices */

struct virtio_descriptor {
    uint64_t address;
    uint32_t size_bytes;
    uint16_t flags;
    uint16_t next;
};

enum virtio_descriptor_flag {
    VIRTIO_DESCRIPTOR_NEXT = 1,
    VIRTIO_DESCRIPTOR_WRITE = 2, /* the device writes */
    VIRTIO_DESCRIPTOR_INDIRECT = 4,
};

/* Written by the driver. Behind the entries: used_event, which needs a feature that is not used. */
struct virtio_available {
    uint16_t flags;
    uint16_t index; /* where the next entry will be, modulo the queue's size */
    uint16_t entries[];
};
#define VIRTIO_AVAILABLE_NO_INTERRUPT 1U

struct virtio_used_entry {
    uint32_t head;       /* of the chain */
    uint32_t size_bytes; /* that the device wrote */
};

/* Written by the device. */
struct virtio_used {
    uint16_t flags;
    uint16_t index;
    struct virtio_used_entry entries[];
};

#define VIRTIO_TABLE_BYTES(size)     (UINT64_C(16) * (size))
#define VIRTIO_AVAILABLE_BYTES(size) (6 + UINT64_C(2) * (size))
#define VIRTIO_USED_BYTES(size)      (6 + UINT64_C(8) * (size))

/* ---- Console (section 5.3) ------------------------------------------------------------------- */

#define VIRTIO_CONSOLE_FEATURE_SIZE      VIRTIO_FEATURE(0)
#define VIRTIO_CONSOLE_FEATURE_MULTIPORT VIRTIO_FEATURE(1)

struct virtio_console_config {
    uint16_t columns, rows;
    uint32_t port_count;
    uint32_t emergency;
};

/* Port 0's queues, those for messages about ports, then those of ports 1 and on; to the driver,
 * from the driver. */
#define VIRTIO_CONSOLE_MESSAGES_IN  2U
#define VIRTIO_CONSOLE_MESSAGES_OUT 3U
#define VIRTIO_CONSOLE_IN(port)     ((port) == 0 ? 0U : 2U * (port) + 2U)
#define VIRTIO_CONSOLE_OUT(port)    (VIRTIO_CONSOLE_IN(port) + 1U)

struct virtio_console_message {
    uint32_t port;
    uint16_t event;
    uint16_t value;
};

enum virtio_console_event {
    VIRTIO_CONSOLE_DEVICE_READY = 0, /* from the driver */
    VIRTIO_CONSOLE_PORT_ADD = 1,
    VIRTIO_CONSOLE_PORT_REMOVE = 2,
    VIRTIO_CONSOLE_PORT_READY = 3, /* from the driver */
    VIRTIO_CONSOLE_CONSOLE_PORT = 4,
    VIRTIO_CONSOLE_RESIZE = 5,    /* followed by struct virtio_console_size */
    VIRTIO_CONSOLE_PORT_OPEN = 6, /* both ways */
    VIRTIO_CONSOLE_PORT_NAME = 7, /* followed by the name, not terminated */
};

struct virtio_console_size {
    uint16_t columns, rows;
};

_Static_assert(sizeof(struct virtio_descriptor) == 16, "shared with devices");
_Static_assert(sizeof(struct virtio_used_entry) == 8, "shared with devices");
_Static_assert(sizeof(struct virtio_console_config) == 12, "shared with devices");
_Static_assert(sizeof(struct virtio_console_message) == 8, "shared with devices");
