/* SPDX-License-Identifier: MIT */
/* The machine's devices: where a CPU finds them, and the thread that works for them. */
#include "machine.h"

#include <proto/virtio.h>

#include "seed.h"
#include "vconsole.h"

static struct vconsole console;

/* By number; NULL: there is none. */
static struct vdev *devices[VIRTIO_HOSTED_DEVICES];

/* ---- Ports ----------------------------------------------------------------------------------- */

static struct vdev *device_at(uint32_t port, uint32_t *offset) {
    uint32_t first = VIRTIO_HOSTED_PORT(0);
    if (port < first || port >= VIRTIO_HOSTED_PORT(VIRTIO_HOSTED_DEVICES))
        return NULL;
    *offset = (port - first) % VIRTIO_HOSTED_PORTS;
    return devices[(port - first) / VIRTIO_HOSTED_PORTS];
}

uint32_t hal_port_read(uint32_t port, uint32_t width_bytes) {
    uint32_t offset;
    const struct vdev *device = device_at(port, &offset);
    return device != NULL ? vdev_read(device, offset, width_bytes)
                          : UINT32_MAX >> (32 - 8 * width_bytes);
}

void hal_port_write(uint32_t port, uint32_t width_bytes, uint32_t value) {
    uint32_t offset;
    struct vdev *device = device_at(port, &offset);
    if (device != NULL)
        vdev_write(device, offset, width_bytes, value);
}

/* ---- What devices ask of the machine --------------------------------------------------------- */

/* Guest memory, whatever pages the part touches. */
static void *device_memory(uint64_t address, uint64_t size_bytes) {
    uint64_t first = address / AX_PAGE_SIZE;
    if (size_bytes == 0 || size_bytes > UINT64_MAX - address)
        return NULL;
    uint64_t page_count = (address + size_bytes - 1) / AX_PAGE_SIZE - first + 1;
    return machine_is_ram(first * AX_PAGE_SIZE, page_count) ? hal_window(address) : NULL;
}

static void device_interrupt(struct vdev *device) {
    for (uint32_t n = 0; n < VIRTIO_HOSTED_DEVICES; n++) {
        if (devices[n] == device)
            machine_irq(VIRTIO_HOSTED_IRQ(n));
    }
}

static uint64_t due_ns = UINT64_MAX; /* seeded runs: when there is work */

static void device_wake(struct vdev *device) {
    (void)device; /* one thread works for all */
    if (!seed_is_on())
        host_ports_wake();
    else if (due_ns == UINT64_MAX)
        due_ns = seed_time_ns() + seed_device_ns();
}

void devices_make(void) {
    if (host_port_count() == 0)
        return;
    if (seed_is_on())
        host_ports_complete();
    console.vdev.memory = device_memory;
    console.vdev.interrupt = device_interrupt;
    console.vdev.wake = device_wake;
    vconsole_begin(&console);
    devices[VIRTIO_HOSTED_CONSOLE] = &console.vdev;
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void devices_run(void *nothing) {
    uint32_t ports[HOST_PORTS];
    (void)nothing;
    for (;;) {
        vconsole_wishes(&console, ports);
        host_ports_wait(ports);
        vconsole_work(&console, ports);
    }
}

void devices_start(void) {
    if (host_port_count() != 0 && !seed_is_on() &&
        !host_thread_start(devices_run, NULL, host_cpu_choose(VIRTIO_HOSTED_CONSOLE + 1)))
        host_fail("no thread for the devices can be had: %s", host_error_text());
}

/* ---- Seeded runs ----------------------------------------------------------------------------- */

uint64_t devices_due_ns(void) {
    return due_ns;
}

/* Whether the ports can do something that the device waits for. */
static bool ports_look(uint32_t ports[HOST_PORTS]) {
    uint32_t any = 0;
    vconsole_wishes(&console, ports);
    host_ports_look(ports);
    for (unsigned i = 0; i < host_port_count(); i++)
        any |= ports[i];
    return any != 0;
}

void devices_work(void) {
    uint32_t ports[HOST_PORTS];
    if (host_port_count() == 0 || seed_time_ns() < due_ns)
        return;
    due_ns = UINT64_MAX;
    ports_look(ports);
    vconsole_work(&console, ports);
    if (ports_look(ports))
        device_wake(&console.vdev);
}

void devices_look(void) {
    uint32_t ports[HOST_PORTS];
    if (host_port_count() != 0 && due_ns == UINT64_MAX && ports_look(ports))
        device_wake(&console.vdev);
}
