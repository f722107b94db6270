/* SPDX-License-Identifier: MIT */
#include "vconsole.h"

#include <base/align.h>
#include <base/memory.h>

#define MOST_CHAINS 64
#define ROUND       (2 * VIRTIO_QUEUE_SIZE_LIMIT)
#define MESSAGE_MAX (sizeof(struct virtio_console_message) + HOST_PORT_NAME)

/* What a driver is told of a port, in this order. */
enum message_bit { TELL_ADD = 1, TELL_TERMINAL = 2, TELL_SIZE = 4, TELL_NAME = 8, TELL_OPEN = 16 };

static struct vconsole *console_of(struct vdev *vdev) {
    return (struct vconsole *)vdev; /* its first member */
}

/* The rest of a chain that was begun belongs to the device. */
static void rest_keep(struct vconsole *console, unsigned index) {
    struct vconsole_port *port = &console->ports[index];
    uint32_t queue = VIRTIO_CONSOLE_OUT(index), begun = port->begun;
    struct vdev_chain chain;
    port->begun = 0;
    if (begun == 0 || !vdev_peek(&console->vdev, queue, 0, &chain) ||
        chain.out_bytes > VCONSOLE_CHAIN || chain.out_bytes < begun)
        return;
    port->rest_end = (uint32_t)vdev_copy_out(&chain, port->rest, VCONSOLE_CHAIN);
    port->rest_at = begun;
    vdev_done(&console->vdev, queue, chain.head, 0);
}

static void console_reset(struct vdev *vdev) {
    struct vconsole *console = console_of(vdev);
    for (unsigned i = 0; i < console->port_count; i++) {
        struct vconsole_port *port = &console->ports[i];
        rest_keep(console, i);
        port->is_known = port->is_guest_open = port->is_told = false;
        port->messages = 0;
    }
}

void vconsole_begin(struct vconsole *console) {
    console->port_count = host_port_count();
    console->config.port_count = console->port_count;
    console->vdev.id = VIRTIO_ID_CONSOLE;
    console->vdev.features = VIRTIO_FEATURE_VERSION_1 | VIRTIO_CONSOLE_FEATURE_MULTIPORT;
    console->vdev.queue_count = VIRTIO_CONSOLE_OUT(HOST_PORTS - 1) + 1;
    console->vdev.config = &console->config;
    console->vdev.config_bytes = sizeof(console->config);
    console->vdev.reset = console_reset;
    for (unsigned i = 0; i < console->port_count; i++) {
        console->ports[i] = (struct vconsole_port){
            .ways = host_port_ways(i), .is_open = true, .rest = host_allocate(VCONSOLE_CHAIN)};
        if (console->ports[i].rest == NULL)
            host_fail("port %s: no memory", host_port_name(i));
    }
}

/* ---- Messages about ports -------------------------------------------------------------------- */

static void message_take(struct vconsole *console, const struct virtio_console_message *message) {
    if (message->event == VIRTIO_CONSOLE_DEVICE_READY && message->value == 1) {
        for (unsigned i = 0; i < console->port_count; i++)
            console->ports[i].messages = TELL_ADD;
        return;
    }
    if (message->port >= console->port_count)
        return;
    struct vconsole_port *port = &console->ports[message->port];
    if (message->event == VIRTIO_CONSOLE_PORT_READY && message->value == 1) {
        port->is_known = true;
        port->messages = TELL_NAME | TELL_OPEN;
        uint16_t columns, rows;
        if (host_port_is_terminal(message->port, &columns, &rows))
            port->messages |= TELL_TERMINAL | (columns != 0 ? TELL_SIZE : 0U);
    }
    if (message->event == VIRTIO_CONSOLE_PORT_OPEN)
        port->is_guest_open = message->value != 0;
}

/* A driver that never stops does not keep the thread from other work: later, it goes on. */
static bool round_goes_on(struct vconsole *console, unsigned *left) {
    if (--*left == 0)
        console->vdev.wake(&console->vdev);
    return *left != 0;
}

static void messages_take(struct vconsole *console) {
    struct vdev_chain chain;
    struct virtio_console_message message;
    unsigned left = ROUND;
    while (round_goes_on(console, &left) &&
           vdev_peek(&console->vdev, VIRTIO_CONSOLE_MESSAGES_OUT, 0, &chain)) {
        if (vdev_copy_out(&chain, &message, sizeof(message)) == sizeof(message))
            message_take(console, &message);
        vdev_done(&console->vdev, VIRTIO_CONSOLE_MESSAGES_OUT, chain.head, 0);
    }
    vdev_tell(&console->vdev, VIRTIO_CONSOLE_MESSAGES_OUT);
}

/* The message for one bit; its size. */
static size_t message_make(const struct vconsole *console, unsigned index, uint32_t bit,
                           uint8_t bytes[MESSAGE_MAX]) {
    struct virtio_console_message message = {.port = index, .value = 1};
    struct virtio_console_size size;
    const void *more = NULL;
    size_t more_bytes = 0;
    switch (bit) {
    case TELL_ADD: message.event = VIRTIO_CONSOLE_PORT_ADD; break;
    case TELL_TERMINAL: message.event = VIRTIO_CONSOLE_CONSOLE_PORT; break;
    case TELL_SIZE:
        message.event = VIRTIO_CONSOLE_RESIZE;
        host_port_is_terminal(index, &size.columns, &size.rows);
        more = &size;
        more_bytes = sizeof(size);
        break;
    case TELL_NAME:
        message.event = VIRTIO_CONSOLE_PORT_NAME;
        more = host_port_name(index);
        while (((const char *)more)[more_bytes] != 0)
            more_bytes++;
        break;
    default:
        message.event = VIRTIO_CONSOLE_PORT_OPEN;
        message.value = console->ports[index].is_open;
        break;
    }
    memcpy(bytes, &message, sizeof(message));
    if (more_bytes != 0)
        memcpy(bytes + sizeof(message), more, more_bytes);
    return sizeof(message) + more_bytes;
}

static bool message_send(struct vconsole *console, unsigned index) {
    struct vconsole_port *port = &console->ports[index];
    uint32_t bit = port->messages & -port->messages;
    uint8_t bytes[MESSAGE_MAX];
    struct vdev_chain chain;
    if (!vdev_peek(&console->vdev, VIRTIO_CONSOLE_MESSAGES_IN, 0, &chain))
        return false;
    size_t size = message_make(console, index, bit, bytes);
    if (chain.in_bytes < size) {
        vdev_break(&console->vdev);
        return false;
    }
    vdev_copy_in(&chain, bytes, size);
    vdev_done(&console->vdev, VIRTIO_CONSOLE_MESSAGES_IN, chain.head, (uint32_t)size);
    port->messages &= ~bit;
    if (bit == TELL_OPEN)
        port->is_told = !port->is_open;
    return true;
}

static void messages_send(struct vconsole *console) {
    for (unsigned i = 0; i < console->port_count; i++) {
        while (console->ports[i].messages != 0) {
            if (!message_send(console, i))
                goto out;
        }
    }
out:
    vdev_tell(&console->vdev, VIRTIO_CONSOLE_MESSAGES_IN);
}

/* The outside is gone. A driver that does not know the port yet is told when it does. */
static void port_end(struct vconsole_port *port) {
    port->is_open = false;
    if (port->is_known)
        port->messages |= TELL_OPEN;
}

/* ---- In -------------------------------------------------------------------------------------- */

/* Room that the driver has given, of several chains; how many parts. */
static unsigned room_gather(struct vconsole *console, uint32_t queue,
                            struct host_vector parts[HOST_VECTORS]) {
    struct vdev_chain chain;
    unsigned count = 0;
    for (unsigned skip = 0; skip < MOST_CHAINS; skip++) {
        if (!vdev_peek(&console->vdev, queue, skip, &chain) ||
            chain.in_count > HOST_VECTORS - count)
            break;
        if (chain.in_count == 0) {
            vdev_break(&console->vdev);
            return 0;
        }
        memcpy(parts + count, chain.parts + chain.out_count, chain.in_count * sizeof(*parts));
        count += chain.in_count;
    }
    return count;
}

/* Tells the driver of bytes that lie in its buffers. */
static void room_used(struct vconsole *console, uint32_t queue, uint64_t size_bytes) {
    struct vdev_chain chain;
    while (size_bytes > 0 && vdev_peek(&console->vdev, queue, 0, &chain)) {
        uint64_t part = chain.in_bytes < size_bytes ? chain.in_bytes : size_bytes;
        vdev_done(&console->vdev, queue, chain.head, (uint32_t)part);
        size_bytes -= part;
    }
    vdev_tell(&console->vdev, queue);
}

static void port_read(struct vconsole *console, unsigned index) {
    uint32_t queue = VIRTIO_CONSOLE_IN(index);
    struct host_vector parts[HOST_VECTORS];
    unsigned count = room_gather(console, queue, parts);
    if (count == 0)
        return;
    int64_t got = host_port_read(index, parts, count);
    if (got > 0)
        room_used(console, queue, (uint64_t)got);
    else if (got != HOST_AGAIN)
        port_end(&console->ports[index]);
}

/* ---- Out ------------------------------------------------------------------------------------- */

static bool port_has_rest(const struct vconsole_port *port) {
    return port->rest_at < port->rest_end;
}

static void rest_write(struct vconsole *console, unsigned index) {
    struct vconsole_port *port = &console->ports[index];
    struct host_vector part = {port->rest + port->rest_at, port->rest_end - port->rest_at};
    int64_t gone = host_port_write(index, &part, 1);
    if (gone > 0)
        port->rest_at += (uint32_t)gone;
    else if (gone == HOST_BROKEN)
        port_end(port);
}

/* What the driver has given, of several chains, without what has gone already; how many parts. */
static unsigned bytes_gather(struct vconsole *console, unsigned index,
                             struct host_vector parts[HOST_VECTORS]) {
    struct vdev_chain chain;
    uint64_t over = console->ports[index].begun;
    unsigned count = 0;
    for (unsigned skip = 0; skip < MOST_CHAINS; skip++) {
        if (!vdev_peek(&console->vdev, VIRTIO_CONSOLE_OUT(index), skip, &chain) ||
            chain.out_count > HOST_VECTORS - count)
            break;
        if (chain.out_count == 0 || chain.out_bytes > VCONSOLE_CHAIN || chain.out_bytes < over) {
            vdev_break(&console->vdev);
            return 0;
        }
        for (unsigned i = 0; i < chain.out_count; i++) {
            size_t part = chain.parts[i].size_bytes, begin = over < part ? (size_t)over : part;
            over -= begin;
            if (begin < part)
                parts[count++] =
                    (struct host_vector){(uint8_t *)chain.parts[i].base + begin, part - begin};
        }
    }
    return count;
}

/* Gives back the chains of which all has gone. */
static void bytes_gone(struct vconsole *console, unsigned index, uint64_t size_bytes) {
    struct vconsole_port *port = &console->ports[index];
    uint32_t queue = VIRTIO_CONSOLE_OUT(index);
    struct vdev_chain chain;
    size_bytes += port->begun;
    port->begun = 0;
    while (vdev_peek(&console->vdev, queue, 0, &chain) && chain.out_bytes <= size_bytes) {
        vdev_done(&console->vdev, queue, chain.head, 0);
        size_bytes -= chain.out_bytes;
    }
    port->begun = (uint32_t)size_bytes;
    vdev_tell(&console->vdev, queue);
}

static void port_write(struct vconsole *console, unsigned index) {
    struct host_vector parts[HOST_VECTORS];
    if (port_has_rest(&console->ports[index])) {
        rest_write(console, index);
        return;
    }
    unsigned count = bytes_gather(console, index, parts);
    if (count == 0)
        return;
    int64_t gone = host_port_write(index, parts, count);
    if (gone > 0)
        bytes_gone(console, index, (uint64_t)gone);
    else if (gone == HOST_BROKEN)
        port_end(&console->ports[index]);
}

/* Nobody will read it. The driver knows before it gets its chains back. */
static void port_drop(struct vconsole *console, unsigned index) {
    struct vconsole_port *port = &console->ports[index];
    uint32_t queue = VIRTIO_CONSOLE_OUT(index);
    struct vdev_chain chain;
    port->rest_at = port->rest_end = port->begun = 0;
    unsigned left = ROUND;
    while (port->is_told && round_goes_on(console, &left) &&
           vdev_peek(&console->vdev, queue, 0, &chain))
        vdev_done(&console->vdev, queue, chain.head, 0);
    vdev_tell(&console->vdev, queue);
}

/* ---- The device's thread --------------------------------------------------------------------- */

void vconsole_wishes(struct vconsole *console, uint32_t wanted[HOST_PORTS]) {
    bool runs = vdev_begin(&console->vdev);
    for (unsigned i = 0; i < console->port_count; i++) {
        const struct vconsole_port *port = &console->ports[i];
        wanted[i] = 0;
        if (!port->is_open)
            continue;
        if (runs && port->is_guest_open && (port->ways & HOST_IN) != 0 &&
            vdev_has(&console->vdev, VIRTIO_CONSOLE_IN(i), 0))
            wanted[i] |= HOST_IN;
        if (port_has_rest(port) || (runs && vdev_has(&console->vdev, VIRTIO_CONSOLE_OUT(i), 0)))
            wanted[i] |= HOST_OUT;
        if (port->ways == HOST_OUT)
            wanted[i] |= HOST_GONE;
    }
}

/* A port that has ended no more waits for anything, so its messages and chains are seen to here. */
static void port_work(struct vconsole *console, unsigned index, uint32_t ready, bool runs) {
    struct vconsole_port *port = &console->ports[index];
    if (port->is_open && (ready & HOST_GONE) != 0 && (port->ways & HOST_IN) == 0)
        port_end(port);
    if (port->is_open && (ready & HOST_IN) != 0 && runs)
        port_read(console, index);
    if (port->is_open && (ready & HOST_OUT) != 0)
        port_write(console, index);
}

void vconsole_work(struct vconsole *console, const uint32_t ready[HOST_PORTS]) {
    bool runs = vdev_begin(&console->vdev);
    if (runs)
        messages_take(console);
    for (unsigned i = 0; i < console->port_count; i++)
        port_work(console, i, ready[i], runs);
    if (!runs)
        return;
    messages_send(console);
    for (unsigned i = 0; i < console->port_count; i++) {
        if (!console->ports[i].is_open)
            port_drop(console, i);
    }
}
