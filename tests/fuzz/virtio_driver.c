/* SPDX-License-Identifier: MIT */
/*
 * The console driver, and a queue of lib/virtio, with a device that writes anything to the memory
 * they share and answers anything from its registers: neither leaves its memory, each call is
 * answered at most once, and none with more than there is room for.
 */
#include <stdlib.h>
#include <string.h>

#include <base/assert.h>
#include <tests/virtio/keeper.h>
#include <virtio/queue.h>

#define PHYSICAL UINT64_C(0x10000000)
#define CALLS    4U
#define LOAN     40000U
#define SIZE     8U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *ram, *loan;
static uint32_t status;
static bool is_honest;
static const uint8_t *input;
static size_t input_left;

static uint32_t draw(unsigned width_bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < width_bytes && input_left > 0; i++, input_left--)
        value |= (uint32_t)*input++ << 8 * i;
    return value;
}

/* ---- The device ------------------------------------------------------------------------------ */

static uint32_t register_read(void *context, uint32_t offset, uint32_t width_bytes) {
    (void)context;
    (void)width_bytes;
    if (!is_honest)
        return draw(4);
    switch (offset) {
    case VIRTIO_MAGIC: return VIRTIO_MAGIC_VALUE;
    case VIRTIO_VERSION: return VIRTIO_VERSION_VALUE;
    case VIRTIO_DEVICE_ID: return VIRTIO_ID_CONSOLE;
    case VIRTIO_DEVICE_FEATURES: return 3;
    case VIRTIO_QUEUE_SIZE_MAX: return VIRTIO_QUEUE_SIZE_LIMIT;
    case VIRTIO_QUEUE_READY: return status >> 8 & 1;
    case VIRTIO_INTERRUPT_STATUS: return draw(1) % 4;
    case VIRTIO_STATUS: return status & 0xff;
    default: return 0;
    }
}

static void register_write(void *context, uint32_t offset, uint32_t width_bytes, uint32_t value) {
    (void)context;
    (void)width_bytes;
    if (offset == VIRTIO_STATUS)
        status = value;
    if (offset == VIRTIO_QUEUE_READY || offset == VIRTIO_QUEUE_SELECT)
        status = (status & 0xff) | (offset == VIRTIO_QUEUE_READY ? 0x100 : 0);
}

static void notify(void *context, uint32_t queue) {
    (void)context;
    ASSERT(queue < VIRTIO_CONSOLE_IN(CONSOLE_PORTS));
}

static void nothing(void *context) {
    (void)context;
}

/* ---- Clients --------------------------------------------------------------------------------- */

ax_result keeper_loan_part(const struct keeper_call *call, uint64_t offset, size_t size_bytes) {
    (void)call;
    ASSERT(offset + size_bytes <= LOAN);
    switch (draw(1)) {
    case 1: return AX_ERR_ABSENT;
    case 2: return AX_ERR_CALLER_DEAD;
    case 3: return size_bytes > 1 ? (ax_result)size_bytes / 2 : (ax_result)AX_ERR_ABSENT;
    default: return (ax_result)size_bytes;
    }
}

void keeper_step(void) {
}

/* Those that are answered are over. */
static void calls_look(void) {
    for (unsigned i = 0; i < KEEPER_CALLS; i++) {
        struct keeper_call *call = &keeper.calls[i];
        if (!call->is_used || !call->is_answered)
            continue;
        uint64_t size = call->message.loans[call->message.operation == AX_STREAM_READ].size_bytes;
        ASSERT(call->status <= 0 || (uint64_t)call->status <= size);
        ASSERT(call->words[0] <= AX_STREAM_TERMINAL);
        call->is_used = false;
    }
}

static void call_begin(void) {
    unsigned used = 0;
    for (unsigned i = 0; i < KEEPER_CALLS; i++)
        used += keeper.calls[i].is_used;
    if (used == CALLS)
        return;
    uint32_t operation = draw(1) % 6, flags = draw(1) % 2;
    uint32_t stream = draw(1) % (CONSOLE_STREAMS + 2);
    (void)keeper_call_new(stream, operation, flags, loan, draw(2) % LOAN, UINT64_MAX);
}

/* ---- The driver ------------------------------------------------------------------------------ */

void *device_open(struct console *console, uint64_t *physical) {
    console->transport = (struct virtio_transport){
        .read = register_read, .write = register_write, .notify = notify, .pause = nothing};
    *physical = PHYSICAL;
    return ram;
}

void device_acknowledge(const struct console *console) {
    (void)console;
}

/* The device uses a buffer, right or wrong. */
static void use(void) {
    static const char names[2][8] = {"control", "stdin"};
    unsigned n = draw(1) % (2 * CONSOLE_PORTS + 2);
    const struct console *driver = keeper_console();
    const struct virtio_lane *lane =
        n < 2 ? &driver->messages[n] : &driver->bytes[n / 2 - 1][n % 2];
    struct virtio_used *used = (struct virtio_used *)lane->ring.used;
    uint32_t entry = used->index % VIRTIO_LANE_BUFFERS, size = draw(2);
    if (n == CONSOLE_IN) {
        struct virtio_console_message message = {draw(1), (uint16_t)draw(1), (uint16_t)draw(1)};
        uint8_t *buffer = lane->buffers + (size_t)entry * lane->buffer_bytes;
        memcpy(buffer, &message, sizeof(message));
        memcpy(buffer + sizeof(message), names[message.value % 2], sizeof(names[0]));
        size = size % 2 == 0 ? sizeof(message) + (message.value % 2 == 0 ? 7 : 5) : size;
    }
    used->entries[entry] = (struct virtio_used_entry){entry, size};
    used->index++;
}

static void step(void) {
    switch (draw(1) % 8) {
    case 0: ram[draw(3) % CONSOLE_MEMORY_BYTES] = (uint8_t)draw(1); break;
    case 1: ram[draw(1) % 18 * (size_t)2048 + draw(1)] = (uint8_t)draw(1); break;
    case 2: call_begin(); break;
    case 3: use(); break;
    case 4: keeper_interrupt(draw(1) % CALLS, draw(1) % 2 != 0); break;
    case 5: keeper_retry(); break;
    case 6: keeper_start(); break;
    default: keeper.has_interrupt = true; break;
    }
    keeper_serve();
    calls_look();
}

/* A queue in memory that the input fills, between the driver's own calls. */
static void queue_play(void) {
    static struct virtio_queue queue;
    uint8_t *memory = aligned_alloc(16, VIRTIO_RING_BYTES(SIZE));
    struct virtio_ring ring = virtio_ring_at(memory, SIZE);
    struct virtio_part parts[3] = {{1, 1, false}, {2, 2, false}, {3, 3, true}};
    unsigned with_device = 0;
    uint16_t head;
    uint32_t size;
    virtio_queue_begin(&queue, &ring);
    for (int taken = 0; input_left > 0 && taken >= 0;) {
        if (virtio_queue_add(&queue, parts, 1 + draw(1) % 3, &head) == VIRTIO_OK)
            with_device++;
        virtio_queue_publish(&queue);
        memory[draw(1) % VIRTIO_RING_BYTES(SIZE)] = (uint8_t)draw(1);
        taken = virtio_queue_take(&queue, &head, &size);
        ASSERT(taken <= 0 || (head < SIZE && with_device-- > 0));
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input = data;
    input_left = size;
    status = 0;
    uint32_t kind = draw(1);
    if (kind % 4 == 0) {
        queue_play();
        return 0;
    }
    is_honest = kind % 4 != 1;
    ram = malloc(CONSOLE_MEMORY_BYTES);
    ASSERT(ram != NULL);
    loan = malloc(LOAN);
    memset(loan, 0, LOAN);
    keeper_renew();
    keeper_start();
    while (input_left > 0)
        step();
    free(loan);
    free(ram);
    return 0;
}
