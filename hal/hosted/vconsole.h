/* SPDX-License-Identifier: MIT */
/*
 * The virtio console (section 5.3, with several ports) whose ports are the host's named
 * descriptors.
 *
 * Nothing is lost, doubled or reordered: a byte read from outside is in a used buffer before the
 * next thing happens, and a chain is used when all of it is outside. A reset keeps both promises:
 * the rest of a chain that was begun is kept and goes out first; a chain that was not begun is not
 * used, for a new driver to see. The outside's end is told by PORT_OPEN 0 behind all bytes that
 * came. To keep the rest, a chain that goes out has at most VCONSOLE_CHAIN bytes.
 */
#pragma once

#include "vdev.h"

#define VCONSOLE_CHAIN 65536U

struct vconsole_port {
    uint32_t ways;      /* enum host_way */
    bool is_open;       /* the outside is there */
    bool is_known;      /* the driver has heard of the port */
    bool is_guest_open; /* and wants what comes from there */
    bool is_told;       /* and knows that the outside is gone */
    uint32_t messages;  /* bits of what the driver has to be told */
    uint32_t begun;     /* so much of the first chain is outside */
    uint32_t rest_at, rest_end;
    uint8_t *rest; /* of a chain that a reset took away: VCONSOLE_CHAIN bytes */
};

struct vconsole {
    struct vdev vdev;
    struct virtio_console_config config;
    uint32_t port_count;
    uint32_t next_port; /* whose turn it is to be told of */
    struct vconsole_port ports[HOST_PORTS];
};

/* Prepares the device for the ports there are; memory, interrupt and wake of vdev are set. */
void vconsole_begin(struct vconsole *console);
/* What it waits for. */
void vconsole_wishes(struct vconsole *console, uint32_t wanted[HOST_PORTS]);
/* A round of work: what the driver asks, and what the ports can do. */
void vconsole_work(struct vconsole *console, const uint32_t ready[HOST_PORTS]);
