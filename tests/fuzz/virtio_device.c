/* SPDX-License-Identifier: MIT */
/*
 * The hosted machine's console device with a driver that writes anything to its registers and to
 * the memory that its queues lie in, at any time: the device stays within that memory, and comes
 * to an end with each round.
 */
#include <stdlib.h>
#include <string.h>

#include <base/assert.h>
#include <hal/hosted/vconsole.h>
#include <virtio/queue.h>

#define PHYSICAL UINT64_C(0x10000)
#define RAM      32768U
#define PORTS    3U
#define SIZE     8U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vconsole device;
static uint8_t *ram;
static uint8_t rests[PORTS][VCONSOLE_CHAIN];
static unsigned rest_count, wakes;

/* What the input says comes next; zeroes behind its end. */
static const uint8_t *input;
static size_t input_left;

static uint32_t draw(unsigned width_bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < width_bytes && input_left > 0; i++, input_left--)
        value |= (uint32_t)*input++ << 8 * i;
    return value;
}

/* ---- The outside ----------------------------------------------------------------------------- */

unsigned host_port_count(void) {
    return PORTS;
}

const char *host_port_name(unsigned port) {
    return port == 0 ? "stdin" : port == 1 ? "stdout" : "control";
}

uint32_t host_port_ways(unsigned port) {
    return port == 0 ? HOST_IN : port == 1 ? HOST_OUT : HOST_IN | HOST_OUT;
}

bool host_port_is_terminal(unsigned port, uint16_t *columns, uint16_t *rows) {
    *columns = 80;
    *rows = 25;
    return port == 0;
}

/* Touches each byte, so that the sanitizer sees where it lies. */
static int64_t move(const struct host_vector *parts, unsigned count, bool is_read) {
    int64_t most = (int64_t)draw(2) - 2, done = 0;
    ASSERT(count > 0 && count <= HOST_VECTORS);
    for (unsigned i = 0; i < count; i++) {
        volatile uint8_t *bytes = parts[i].base;
        ASSERT(parts[i].size_bytes > 0);
        for (size_t at = 0; at < parts[i].size_bytes && done < most; at++, done++) {
            uint8_t byte = bytes[at];
            if (is_read)
                bytes[at] = (uint8_t)(byte + 1);
        }
    }
    return most < 0 ? most : done;
}

int64_t host_port_read(unsigned port, const struct host_vector *parts, unsigned count) {
    ASSERT((host_port_ways(port) & HOST_IN) != 0);
    return move(parts, count, true);
}

int64_t host_port_write(unsigned port, const struct host_vector *parts, unsigned count) {
    int64_t gone = move(parts, count, false);
    ASSERT(port < PORTS);
    return gone == 0 ? HOST_AGAIN : gone;
}

void *host_allocate(size_t size_bytes) {
    ASSERT(size_bytes == VCONSOLE_CHAIN && rest_count < PORTS);
    return rests[rest_count++];
}

void host_fail(const char *format, ...) {
    (void)format;
    abort();
}

/* ---- The guest ------------------------------------------------------------------------------- */

static void *guest_memory(uint64_t address, uint64_t size_bytes) {
    if (size_bytes == 0 || address < PHYSICAL || address - PHYSICAL >= RAM ||
        size_bytes > RAM - (address - PHYSICAL))
        return NULL;
    return ram + (address - PHYSICAL);
}

static void ignore(struct vdev *vdev) {
    (void)vdev;
}

static void wake(struct vdev *vdev) {
    (void)vdev;
    wakes++;
}

static void put(uint32_t offset, uint32_t value) {
    vdev_write(&device.vdev, offset, 4, value);
}

static void round_make(void) {
    uint32_t ports[HOST_PORTS] = {0};
    vconsole_wishes(&device, ports);
    for (unsigned i = 0; i < PORTS; i++)
        ports[i] &= draw(1);
    vconsole_work(&device, ports);
}

/* A driver that does well so far: most of what is interesting comes after that. */
static void set_up(void) {
    put(VIRTIO_STATUS, 3);
    put(VIRTIO_DRIVER_FEATURES, 2);
    put(VIRTIO_DRIVER_FEATURES_SELECT, 1);
    put(VIRTIO_DRIVER_FEATURES, 1);
    put(VIRTIO_STATUS, 11);
    for (uint32_t queue = 0; queue < VIRTIO_CONSOLE_IN(PORTS); queue++) {
        struct virtio_queue_place place = virtio_ring_place(PHYSICAL + 512 * queue, SIZE);
        put(VIRTIO_QUEUE_SELECT, queue);
        put(VIRTIO_QUEUE_SIZE, SIZE);
        put(VIRTIO_QUEUE_TABLE, (uint32_t)place.table);
        put(VIRTIO_QUEUE_AVAILABLE, (uint32_t)place.available);
        put(VIRTIO_QUEUE_USED, (uint32_t)place.used);
        put(VIRTIO_QUEUE_READY, 1);
    }
    put(VIRTIO_STATUS, 15);
}

/* A descriptor that may well be right, and a chain that begins with it. */
static void give(void) {
    uint32_t queue = draw(1) % VIRTIO_CONSOLE_IN(PORTS), n = draw(1) % (SIZE + 1);
    struct virtio_ring ring = virtio_ring_at(ram + 512 * (size_t)queue, SIZE);
    ring.table[n % SIZE] = (struct virtio_descriptor){PHYSICAL + draw(2) % (RAM + 64), draw(2),
                                                      (uint16_t)draw(1), (uint16_t)draw(1)};
    ring.available->entries[ring.available->index % SIZE] = (uint16_t)n;
    ring.available->index = (uint16_t)(ring.available->index + 1);
}

/* A message to the device. */
static void say(void) {
    struct virtio_ring ring = virtio_ring_at(ram + 512 * (size_t)3, SIZE);
    struct virtio_console_message message = {draw(1), (uint16_t)draw(1), (uint16_t)draw(1)};
    memcpy(ram + 8192, &message, sizeof(message));
    ring.table[0] = (struct virtio_descriptor){PHYSICAL + 8192, sizeof(message), 0, 0};
    ring.available->entries[ring.available->index % SIZE] = 0;
    ring.available->index = (uint16_t)(ring.available->index + 1);
}

static void step(void) {
    uint32_t what = draw(1);
    switch (what % 8) {
    case 0: put(draw(1) * 4U, draw(4)); break;
    case 1: vdev_write(&device.vdev, draw(2) % 0x200, 1U << what / 8 % 3, draw(4)); break;
    case 2: (void)vdev_read(&device.vdev, draw(2) % 0x200, 1U << what / 8 % 3); break;
    case 3: ram[draw(2) % RAM] = (uint8_t)draw(1); break;
    case 4: give(); break;
    case 5: say(); break;
    case 6: put(VIRTIO_STATUS, 0); break;
    default: round_make(); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input = data;
    input_left = size;
    rest_count = wakes = 0;
    ram = calloc(1, RAM); /* anew, so that the sanitizer watches its ends */
    memset(&device, 0, sizeof(device));
    device.vdev.memory = guest_memory;
    device.vdev.interrupt = ignore;
    device.vdev.wake = wake;
    vconsole_begin(&device);
    if (draw(1) % 4 != 0)
        set_up();
    while (input_left > 0)
        step();
    round_make();
    /* Whatever was done, a reset makes it as new. */
    put(VIRTIO_STATUS, 0);
    round_make();
    ASSERT(vdev_read(&device.vdev, VIRTIO_STATUS, 4) == 0);
    free(ram);
    return 0;
}
