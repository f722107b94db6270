/* SPDX-License-Identifier: MIT */
/* The device: beginning with it, or going on; and what it says of its ports. */
#include "console.h"

#include <base/assert.h>
#include <base/memory.h>

/* What the streams' ports are called, by badge. */
static const char *const names[CONSOLE_STREAMS + 1] = {
    [AX_CONSOLE_STDIN] = "stdin",
    [AX_CONSOLE_STDOUT] = "stdout",
    [AX_CONSOLE_STDERR] = "stderr",
    [AX_CONSOLE_CONTROL] = "control",
};

/* ---- Lanes ----------------------------------------------------------------------------------- */

void ports_place(struct console *console, uint8_t *memory, uint64_t physical) {
    const struct console_kept *kept = console->kept;
    size_t at = 0;
    for (unsigned way = 0; way < 2; way++) {
        console->messages[way] = virtio_lane_at(memory + at, physical + at, CONSOLE_MESSAGE,
                                                way == CONSOLE_IN, &kept->messages[way]);
        at += CONSOLE_SHORT_BYTES;
    }
    for (unsigned i = 0; i < 2 * CONSOLE_PORTS; i++) {
        unsigned port = i / 2, way = i % 2;
        console->bytes[port][way] = virtio_lane_at(memory + at, physical + at, CONSOLE_BUFFER,
                                                   way == CONSOLE_IN, &kept->bytes[port][way]);
        at += CONSOLE_LANE_BYTES;
    }
    ASSERT(at == CONSOLE_MEMORY_BYTES);
}

/* Each lane and its queue, one after the other; NULL after the last. */
static struct virtio_lane *lane_next(struct console *console, unsigned n, uint32_t *queue) {
    if (n < 2) {
        *queue = VIRTIO_CONSOLE_MESSAGES_IN + n;
        return &console->messages[n];
    }
    unsigned port = n / 2 - 1, way = n % 2;
    if (port >= CONSOLE_PORTS)
        return NULL;
    *queue = VIRTIO_CONSOLE_IN(port) + way;
    return &console->bytes[port][way];
}

void ports_publish(struct console *console) {
    struct virtio_lane *lane;
    uint32_t queue;
    for (unsigned n = 0; !console->has_failed && (lane = lane_next(console, n, &queue)) != NULL;
         n++) {
        if (virtio_lane_publish(lane))
            console->transport.notify(console->transport.context, queue);
    }
}

/* ---- Beginning ------------------------------------------------------------------------------- */

void ports_fail(struct console *console, enum virtio_result why) {
    console->has_failed = true;
    virtio_fail(&console->transport);
    server_log(console->server, "the device cannot be used: %s", virtio_result_text(why));
}

static enum virtio_result commit(struct console *console) {
    enum stash_error error = stash_commit(&console->server->stash);
    if (error == STASH_OK)
        return VIRTIO_OK;
    server_log(console->server, "its state cannot be kept: %s", stash_error_text(error));
    return VIRTIO_BROKEN;
}

/* Keeps how the lanes are to begin: with what the device had done when it was reset. */
static enum virtio_result lanes_harvest(struct console *console) {
    struct stash *stash = &console->server->stash;
    bool is_first = console->kept->phase == CONSOLE_NEW;
    struct virtio_lane *lane;
    uint32_t queue;
    stash_begin(stash);
    for (unsigned n = 0; !is_first && (lane = lane_next(console, n, &queue)) != NULL; n++) {
        struct virtio_lane_kept kept;
        /* What was said of ports is said again. */
        if (n < 2)
            memset(&kept, 0, sizeof(kept));
        else if (virtio_lane_harvest(lane, &kept) != VIRTIO_OK)
            server_log(console->server, "bytes in a queue are lost: %s",
                       virtio_result_text(VIRTIO_BROKEN));
        stash_write(stash, (void *)lane->kept, &kept, sizeof(kept));
    }
    STASH_SET(stash, console->kept->phase, CONSOLE_STARTING);
    STASH_SET(stash, console->kept->is_ready, 0);
    return commit(console);
}

static enum virtio_result device_set_up(struct console *console) {
    const struct virtio_transport *transport = &console->transport;
    uint64_t features;
    struct virtio_lane *lane;
    uint32_t queue;
    enum virtio_result result = virtio_start(transport, VIRTIO_CONSOLE_FEATURE_MULTIPORT,
                                             VIRTIO_CONSOLE_FEATURE_MULTIPORT, &features);
    for (unsigned n = 0; result == VIRTIO_OK && (lane = lane_next(console, n, &queue)) != NULL;
         n++) {
        struct virtio_queue_place place =
            virtio_ring_place(lane->physical - VIRTIO_LANE_RING_BYTES, VIRTIO_LANE_BUFFERS);
        virtio_lane_begin(lane);
        result = virtio_queue_set(transport, queue, VIRTIO_LANE_BUFFERS, &place);
    }
    return result;
}

/* From a reset on: the rings begin anew, with what was in the old ones. */
static enum virtio_result device_begin(struct console *console) {
    enum virtio_result result = virtio_reset(&console->transport);
    if (result == VIRTIO_OK && console->kept->phase != CONSOLE_STARTING)
        result = lanes_harvest(console);
    if (result == VIRTIO_OK)
        result = device_set_up(console);
    if (result != VIRTIO_OK)
        return result;
    stash_begin(&console->server->stash);
    STASH_SET(&console->server->stash, console->kept->phase, CONSOLE_RUNNING);
    result = commit(console);
    if (result == VIRTIO_OK)
        virtio_run(&console->transport);
    return result;
}

/* A message to the device, in the first free buffer of a lane whose new state that is. */
static void message_put(const struct virtio_lane *lane, struct virtio_lane_kept *kept,
                        uint32_t port, enum virtio_console_event event, uint16_t value) {
    struct virtio_console_message message = {port, (uint16_t)event, value};
    memcpy(virtio_lane_buffer(lane, 0), &message, sizeof(message));
    virtio_lane_fill(lane, 0, sizeof(message));
    virtio_lane_advance(kept, false, 1, 0);
}

/* The first message to the device, once. */
static enum virtio_result device_greet(struct console *console) {
    const struct virtio_lane *lane = &console->messages[CONSOLE_OUT];
    struct stash *stash = &console->server->stash;
    struct virtio_lane_kept kept = *lane->kept;
    if (console->kept->is_ready != 0)
        return VIRTIO_OK;
    stash_begin(stash);
    message_put(lane, &kept, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    stash_write(stash, (void *)lane->kept, &kept, sizeof(kept));
    STASH_SET(stash, console->kept->is_ready, 1);
    return commit(console);
}

enum virtio_result ports_start(struct console *console) {
    struct virtio_lane *lane;
    uint32_t queue;
    enum virtio_result result = virtio_find(&console->transport, VIRTIO_ID_CONSOLE);
    if (result == VIRTIO_OK &&
        (console->kept->phase != CONSOLE_RUNNING || !virtio_is_running(&console->transport)))
        result = device_begin(console);
    if (result == VIRTIO_OK)
        result = device_greet(console);
    if (result != VIRTIO_OK) {
        ports_fail(console, result);
        return result;
    }
    /* What the predecessor kept, and perhaps did not tell the device. */
    for (unsigned n = 0; (lane = lane_next(console, n, &queue)) != NULL; n++) {
        (void)virtio_lane_publish(lane);
        console->transport.notify(console->transport.context, queue);
    }
    stash_begin(&console->server->stash);
    ports_update(console);
    result = commit(console);
    if (result != VIRTIO_OK)
        ports_fail(console, result);
    ports_publish(console);
    return result;
}

/* ---- What the device says of ports ----------------------------------------------------------- */

static uint32_t name_find(const uint8_t *name, size_t size_bytes) {
    for (uint32_t badge = 1; badge <= CONSOLE_STREAMS; badge++) {
        size_t length = 0;
        while (names[badge][length] != 0)
            length++;
        if (length == size_bytes && memcmp(name, names[badge], length) == 0)
            return badge;
    }
    return 0;
}

/* A stream is the first port's that has its name. */
static bool is_taken(const struct console_port *ports, uint32_t stream) {
    for (uint32_t port = 0; port < CONSOLE_PORTS; port++) {
        if (ports[port].stream == stream)
            return true;
    }
    return false;
}

/* A port's new state. */
static void port_change(struct console_port *ports, const struct virtio_console_message *message,
                        const uint8_t *more, size_t more_bytes) {
    struct console_port *port = &ports[message->port];
    struct virtio_console_size size;
    uint32_t stream;
    switch (message->event) {
    case VIRTIO_CONSOLE_CONSOLE_PORT: port->is_terminal = 1; break;
    case VIRTIO_CONSOLE_RESIZE:
        if (more_bytes >= sizeof(size)) {
            memcpy(&size, more, sizeof(size));
            port->columns = size.columns;
            port->rows = size.rows;
        }
        break;
    case VIRTIO_CONSOLE_PORT_NAME:
        stream = name_find(more, more_bytes);
        if (stream != 0 && port->stream == 0 && !is_taken(ports, stream))
            port->stream = stream;
        break;
    case VIRTIO_CONSOLE_PORT_OPEN:
        port->was_told = 1;
        port->is_open = message->value != 0;
        break;
    case VIRTIO_CONSOLE_PORT_REMOVE:
        port->was_told = 1;
        port->is_open = 0;
        break;
    default: break;
    }
}

/* What a message is answered, if it is. */
static void message_answer(const struct virtio_lane *out, struct virtio_lane_kept *kept,
                           const struct virtio_console_message *message) {
    if (message->event == VIRTIO_CONSOLE_PORT_ADD)
        message_put(out, kept, message->port, VIRTIO_CONSOLE_PORT_READY,
                    message->port < CONSOLE_PORTS);
    else if (message->event == VIRTIO_CONSOLE_PORT_NAME)
        message_put(out, kept, message->port, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

/* What the messages that are there make of the state. */
struct update {
    struct virtio_lane in, out; /* whose state is the new one */
    struct virtio_lane_kept in_kept, out_kept;
    struct console_port ports[CONSOLE_PORTS];
};

/* False: the device lies. */
static bool message_handle(struct update *update) {
    struct virtio_console_message message;
    const uint8_t *bytes;
    uint32_t size_bytes;
    if (!virtio_lane_bytes(&update->in, 0, &bytes, &size_bytes))
        return false;
    if (size_bytes >= sizeof(message)) {
        memcpy(&message, bytes, sizeof(message));
        message_answer(&update->out, &update->out_kept, &message);
        if (message.port < CONSOLE_PORTS)
            port_change(update->ports, &message, bytes + sizeof(message),
                        size_bytes - sizeof(message));
    }
    virtio_lane_advance(&update->in_kept, true, 1, 0);
    return true;
}

void ports_update(struct console *console) {
    struct stash *stash = &console->server->stash;
    struct console_kept *kept = console->kept;
    struct update update = {.in = console->messages[CONSOLE_IN],
                            .out = console->messages[CONSOLE_OUT],
                            .in_kept = kept->messages[CONSOLE_IN],
                            .out_kept = kept->messages[CONSOLE_OUT]};
    unsigned count = 0;
    if (console->has_failed)
        return;
    update.in.kept = &update.in_kept;
    update.out.kept = &update.out_kept;
    memcpy(update.ports, kept->ports, sizeof(update.ports));
    for (;;) {
        int ready = virtio_lane_ready(&update.in), room = virtio_lane_ready(&update.out);
        if (ready == 0 || room == 0)
            break;
        if (ready < 0 || room < 0 || !message_handle(&update)) {
            ports_fail(console, VIRTIO_BROKEN);
            return;
        }
        count++;
    }
    if (count == 0)
        return;
    stash_write(stash, &kept->messages[CONSOLE_IN], &update.in_kept, sizeof(update.in_kept));
    stash_write(stash, &kept->messages[CONSOLE_OUT], &update.out_kept, sizeof(update.out_kept));
    stash_write(stash, kept->ports, update.ports, sizeof(update.ports));
}
