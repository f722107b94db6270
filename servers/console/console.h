/* SPDX-License-Identifier: MIT */
/*
 * The console driver: streams of bytes to the ports of a virtio console.
 *
 * Its death loses, doubles or reorders no byte. Rings and buffers lie in DMA memory that the stash
 * process holds; what was made of them (struct console_kept) lies in the stash. One transaction
 * holds the bytes' new state and the answer; only then does the device learn of the buffers, and
 * the caller of the answer. docs/virtio.md tells more.
 */
#pragma once

#include <proto/console.h>
#include <proto/stream.h>
#include <server/server.h>
#include <virtio/lane.h>

#define CONSOLE_PORTS        4U /* of the device, that are used */
#define CONSOLE_STREAMS      4U
#define CONSOLE_BUFFER       16384U
#define CONSOLE_MESSAGE      256U /* a buffer of messages about ports */
#define CONSOLE_LANE_BYTES   (VIRTIO_LANE_RING_BYTES + VIRTIO_LANE_BUFFERS * CONSOLE_BUFFER)
#define CONSOLE_SHORT_BYTES  (VIRTIO_LANE_RING_BYTES + VIRTIO_LANE_BUFFERS * CONSOLE_MESSAGE)
#define CONSOLE_MEMORY_BYTES (2 * CONSOLE_SHORT_BYTES + 2 * CONSOLE_PORTS * CONSOLE_LANE_BYTES)

enum { CONSOLE_IN = 0, CONSOLE_OUT = 1 };

/* ---- What is kept ---------------------------------------------------------------------------- */

enum console_phase {
    CONSOLE_NEW = 0,
    CONSOLE_STARTING, /* lanes are as their kept state says; the rings may be anything */
    CONSOLE_RUNNING,  /* the rings are true */
};

struct console_port {
    uint32_t stream;  /* enum ax_console_stream; 0: none that is known */
    uint32_t is_open; /* as the device said last */
    uint32_t was_told;
    uint32_t is_terminal;
    uint32_t columns, rows;
};

struct console_kept {
    uint32_t phase;                                  /* enum console_phase */
    uint32_t is_ready;                               /* the device was told that the driver is */
    struct virtio_lane_kept messages[2];             /* in, out */
    struct virtio_lane_kept bytes[CONSOLE_PORTS][2]; /* in, out */
    struct console_port ports[CONSOLE_PORTS];
};

/* ---- An instance ----------------------------------------------------------------------------- */

/* What is known of a stream beside what is kept. */
struct console_stream {
    int port;                          /* -1: none is known */
    struct list reads, writes, drains; /* calls that wait */
    uint32_t signals;                  /* that its sessions have */
    uint32_t seen;                     /* buffers that were ready when they were set */
};

struct console {
    struct server *server;
    struct virtio_transport transport;
    struct console_kept *kept;
    bool has_failed; /* the device is of no use */
    bool is_reset;   /* the device has to be begun with anew, after the commit */
    struct virtio_lane messages[2], bytes[CONSOLE_PORTS][2];
    struct console_stream streams[CONSOLE_STREAMS + 1]; /* by role */
};

/* A server: its sessions are the supervisor's, of the roles of enum ax_console_stream. */
extern const struct server_program console_program;

/* ---- Between its files ----------------------------------------------------------------------- */

/* device.c */
/* How the registers are reached, and the interrupt, bound to the endpoint. The DMA memory of
 * CONSOLE_MEMORY_BYTES, mapped; NULL: they cannot be had; logged. */
void *device_open(struct console *console, uint64_t *physical);
/* The interrupt was seen: others may come. */
void device_acknowledge(const struct console *console);

/* ports.c */
/* Where the lanes are. */
void ports_place(struct console *console, uint8_t *memory, uint64_t physical);
/* Goes on with the device where the predecessor stopped, or begins with it; in transactions of its
 * own. VIRTIO_*: it cannot be, and callers are told that the device failed. */
enum virtio_result ports_start(struct console *console);
/* In a transaction: takes in what the device says of ports. */
void ports_update(struct console *console);
/* Tells the device of what the lanes' kept state has given it. */
void ports_publish(struct console *console);
/* The device is of no use any more. */
void ports_fail(struct console *console, enum virtio_result why);

/* streams.c */
void streams_begin(struct console *console);
void stream_serve(struct server_call *call, uint32_t stream);
/* By the state as it is now: wakes calls that can go on, and sets signals. */
void streams_update(struct console *console);

static inline bool goes_in(uint32_t stream) {
    return stream == AX_CONSOLE_STDIN || stream == AX_CONSOLE_CONTROL;
}

static inline bool goes_out(uint32_t stream) {
    return stream != AX_CONSOLE_STDIN;
}
