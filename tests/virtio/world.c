/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <base/hash.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct world world;

/* ---- The device ------------------------------------------------------------------------------ */

static void *guest_memory(uint64_t address, uint64_t size_bytes) {
    if (size_bytes == 0 || address < WORLD_PHYSICAL || address - WORLD_PHYSICAL >= WORLD_RAM ||
        size_bytes > WORLD_RAM - (address - WORLD_PHYSICAL))
        return NULL;
    return world.ram + (address - WORLD_PHYSICAL);
}

static void guest_interrupt(struct vdev *vdev) {
    (void)vdev;
    __atomic_store_n(&keeper.has_interrupt, true, __ATOMIC_SEQ_CST);
}

static void device_wake(struct vdev *vdev) {
    (void)vdev;
    host_ports_wake();
}

static void device_begin(void) {
    memset(&world.device, 0, sizeof(world.device));
    world.device.vdev.memory = guest_memory;
    world.device.vdev.interrupt = guest_interrupt;
    world.device.vdev.wake = device_wake;
    vconsole_begin(&world.device);
    keeper.has_interrupt = false;
}

void world_round(void) {
    uint32_t ports[HOST_PORTS];
    host_ports_wake(); /* so that it does not wait */
    vconsole_wishes(&world.device, ports);
    host_ports_wait(ports);
    vconsole_work(&world.device, ports);
}

static void port_add(const char *name, const char *way, int inside, int *outside) {
    char text[64];
    snprintf(text, sizeof(text), "%s=%d:%s", name, inside, way);
    host_port_open(text);
    ck_assert_int_eq(fcntl(*outside, F_SETFL, O_NONBLOCK), 0);
}

void world_new(void) {
    int in[2], out[2], error[2], control[2];
    ck_assert_int_eq(pipe(in) | pipe(out) | pipe(error), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
    world.in = in[1];
    world.out = out[0];
    world.error = error[0];
    world.control = control[1];
    port_add("stdin", "in", in[0], &world.in);
    port_add("stdout", "out", out[1], &world.out);
    port_add("stderr", "out", error[1], &world.error);
    port_add("control", "inout", control[0], &world.control);
    world.ram = aligned_alloc(4096, WORLD_RAM);
    ck_assert_ptr_nonnull(world.ram);
    world_renew();
}

void world_renew(void) {
    memset(world.ram, 0xa5, WORLD_RAM);
    keeper_renew();
    world.steps = world.last_step = 0;
    device_begin();
}

/* ---- What the driver asks -------------------------------------------------------------------- */

void world_step(void) {
    if (++world.steps == world.last_step)
        longjmp(world.death, 1);
}

static uint32_t register_read(void *context, uint32_t offset, uint32_t width_bytes) {
    (void)context;
    if (world.is_stuck && offset == VIRTIO_STATUS)
        return VIRTIO_STATUS_DRIVER;
    return vdev_read(&world.device.vdev, offset, width_bytes);
}

static void register_write(void *context, uint32_t offset, uint32_t width_bytes, uint32_t value) {
    (void)context;
    world_step();
    vdev_write(&world.device.vdev, offset, width_bytes, value);
}

static void notify(void *context, uint32_t queue) {
    register_write(context, VIRTIO_QUEUE_NOTIFY, 4, queue);
}

static void device_await(void *context) {
    (void)context;
    if (world.is_threaded)
        sched_yield();
    else
        world_round();
}

void *device_open(struct console *console, uint64_t *physical) {
    console->transport = (struct virtio_transport){
        .read = register_read, .write = register_write, .notify = notify, .pause = device_await};
    *physical = WORLD_PHYSICAL;
    return world.ram;
}

void device_acknowledge(const struct console *console) {
    (void)console;
    world_step();
}

void keeper_step(void) {
    world_step();
}

ax_result keeper_loan_part(const struct keeper_call *call, uint64_t offset, size_t size_bytes) {
    if (offset >= call->absent_from)
        return AX_ERR_ABSENT;
    uint64_t there = call->absent_from - offset;
    return (ax_result)(there < size_bytes ? there : size_bytes);
}

/* ---- The driver ------------------------------------------------------------------------------ */

void world_start(void) {
    keeper_start();
}

bool world_play(void (*play)(void), uint64_t last_step) {
    world.steps = 0;
    world.last_step = last_step;
    bool is_alive = setjmp(world.death) == 0;
    if (is_alive)
        play();
    world.last_step = 0;
    return is_alive;
}

void world_settle(void) {
    for (unsigned i = 0; i < 6; i++) {
        world_round();
        if (__atomic_load_n(&keeper.has_interrupt, __ATOMIC_SEQ_CST)) {
            keeper_serve();
            i = 0;
        }
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static unsigned call_begin(uint64_t stream, uint64_t operation, uint32_t flags, void *loan,
                           size_t size_bytes, uint64_t absent_from) {
    unsigned n = keeper_call_new(stream, operation, flags, loan, size_bytes, absent_from);
    ck_assert_uint_lt(n, KEEPER_CALLS);
    keeper_serve();
    return n;
}

unsigned world_call_flags(uint64_t stream, uint64_t operation, uint32_t flags, void *loan,
                          size_t size_bytes) {
    return call_begin(stream, operation, flags, loan, size_bytes, UINT64_MAX);
}

unsigned world_call(uint64_t stream, uint64_t operation, void *loan, size_t size_bytes) {
    return call_begin(stream, operation, 0, loan, size_bytes, UINT64_MAX);
}

unsigned world_call_absent(uint64_t stream, uint64_t operation, void *loan, size_t size_bytes,
                           uint64_t absent_from) {
    return call_begin(stream, operation, 0, loan, size_bytes, absent_from);
}

void world_retry(void) {
    keeper_retry();
    keeper_serve();
}

void world_interrupt(unsigned call, bool is_dead) {
    keeper_interrupt(call, is_dead);
    keeper_serve();
}

bool world_is_answered(unsigned call) {
    return keeper.calls[call].is_answered;
}

int64_t world_finish(unsigned call) {
    ck_assert(keeper.calls[call].is_used && keeper.calls[call].is_answered);
    keeper.calls[call].is_used = false;
    return keeper.calls[call].status;
}

/* ---- The outside ----------------------------------------------------------------------------- */

size_t outside_write(int fd, const void *bytes, size_t size_bytes) {
    ssize_t gone = write(fd, bytes, size_bytes);
    ck_assert(gone >= 0 || errno == EAGAIN);
    return gone > 0 ? (size_t)gone : 0;
}

size_t outside_read(int fd, void *bytes, size_t size_bytes) {
    size_t done = 0;
    ssize_t got;
    while (done < size_bytes && (got = read(fd, (uint8_t *)bytes + done, size_bytes - done)) > 0)
        done += (size_t)got;
    return done;
}

uint8_t pattern(uint64_t stream, uint64_t n) {
    return (uint8_t)(hash_mix(n / 8 + (stream << 40)) >> (n % 8 * 8));
}

void pattern_fill(uint64_t stream, uint64_t from, void *bytes, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        ((uint8_t *)bytes)[i] = pattern(stream, from + i);
}

void pattern_check(uint64_t stream, uint64_t from, const void *bytes, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++) {
        if (((const uint8_t *)bytes)[i] != pattern(stream, from + i))
            ck_abort_msg("byte %llu of stream %llu is another", (unsigned long long)(from + i),
                         (unsigned long long)stream);
    }
}
