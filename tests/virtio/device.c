/* SPDX-License-Identifier: MIT */
/* The hosted machine's device as a driver sees it that keeps the rules, or breaks them. */
#include <stdlib.h>
#include <string.h>
#include <virtio/queue.h>

#include "tests.h"
#include "world.h"

#define SIZE 8U

static struct vdev *vdev;
static struct virtio_ring rings[4];

static uint32_t get(uint32_t offset) {
    return vdev_read(vdev, offset, 4);
}

static void put(uint32_t offset, uint32_t value) {
    vdev_write(vdev, offset, 4, value);
}

static uint64_t ring_physical(uint32_t queue) {
    return WORLD_PHYSICAL + 4096 * queue;
}

/* A place for data, behind the rings. */
static uint64_t data_physical(unsigned n) {
    return WORLD_PHYSICAL + 65536 + 4096 * (uint64_t)n;
}

static uint8_t *data(unsigned n) {
    return world.ram + 65536 + 4096 * (size_t)n;
}

static void negotiate(void) {
    put(VIRTIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
    put(VIRTIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    put(VIRTIO_DRIVER_FEATURES_SELECT, 0);
    put(VIRTIO_DRIVER_FEATURES, (uint32_t)VIRTIO_CONSOLE_FEATURE_MULTIPORT);
    put(VIRTIO_DRIVER_FEATURES_SELECT, 1);
    put(VIRTIO_DRIVER_FEATURES, 1);
    put(VIRTIO_STATUS, 11);
}

static void queue_put(uint32_t queue, uint32_t size, uint64_t physical) {
    struct virtio_queue_place place = virtio_ring_place(physical, size);
    put(VIRTIO_QUEUE_SELECT, queue);
    put(VIRTIO_QUEUE_SIZE, size);
    put(VIRTIO_QUEUE_TABLE, (uint32_t)place.table);
    put(VIRTIO_QUEUE_TABLE + 4, (uint32_t)(place.table >> 32));
    put(VIRTIO_QUEUE_AVAILABLE, (uint32_t)place.available);
    put(VIRTIO_QUEUE_AVAILABLE + 4, (uint32_t)(place.available >> 32));
    put(VIRTIO_QUEUE_USED, (uint32_t)place.used);
    put(VIRTIO_QUEUE_USED + 4, (uint32_t)(place.used >> 32));
    put(VIRTIO_QUEUE_READY, 1);
}

/* A device that runs, with the queues of port 0 and those of messages. */
static void setup(void) {
    world_new();
    vdev = &world.device.vdev;
    memset(world.ram, 0, WORLD_RAM);
    negotiate();
    for (uint32_t i = 0; i < 4; i++) {
        rings[i] = virtio_ring_at(world.ram + 4096 * (size_t)i, SIZE);
        queue_put(i, SIZE, ring_physical(i));
        ck_assert_uint_eq(get(VIRTIO_QUEUE_READY), 1);
    }
    put(VIRTIO_STATUS, 15);
    world_round();
}

static void give(uint32_t queue, uint16_t head) {
    volatile struct virtio_available *available = rings[queue].available;
    available->entries[available->index % SIZE] = head;
    available->index = (uint16_t)(available->index + 1);
}

static void describe(uint32_t queue, unsigned n, uint64_t physical, uint32_t size_bytes,
                     uint16_t flags, uint16_t next) {
    rings[queue].table[n] = (struct virtio_descriptor){physical, size_bytes, flags, next};
}

static void say(uint32_t port, enum virtio_console_event event, uint16_t value) {
    struct virtio_console_message message = {port, (uint16_t)event, value};
    memcpy(data(3), &message, sizeof(message));
    describe(3, 0, data_physical(3), sizeof(message), 0, 0);
    give(3, 0);
    world_round();
}

static bool is_broken(void) {
    return (get(VIRTIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

START_TEST(it_is_a_console) {
    ck_assert_uint_eq(get(VIRTIO_MAGIC), 0x74726976);
    ck_assert_uint_eq(get(VIRTIO_VERSION), 2);
    ck_assert_uint_eq(get(VIRTIO_DEVICE_ID), VIRTIO_ID_CONSOLE);
    put(VIRTIO_DEVICE_FEATURES_SELECT, 0);
    ck_assert_uint_eq(get(VIRTIO_DEVICE_FEATURES), VIRTIO_CONSOLE_FEATURE_MULTIPORT);
    put(VIRTIO_DEVICE_FEATURES_SELECT, 1);
    ck_assert_uint_eq(get(VIRTIO_DEVICE_FEATURES), 1);
    put(VIRTIO_DEVICE_FEATURES_SELECT, 2);
    ck_assert_uint_eq(get(VIRTIO_DEVICE_FEATURES), 0);
    ck_assert_uint_eq(get(VIRTIO_CONFIG + 4), 4); /* ports */
    ck_assert_uint_eq(vdev_read(vdev, VIRTIO_CONFIG + 4, 1), 4);
    ck_assert_uint_eq(vdev_read(vdev, VIRTIO_CONFIG + 11, 1), 0);
    ck_assert_uint_eq(vdev_read(vdev, VIRTIO_CONFIG + 12, 1), 0xff);
    ck_assert_uint_eq(vdev_read(vdev, VIRTIO_CONFIG + 10, 4), UINT32_MAX);
    ck_assert_uint_eq(vdev_read(vdev, VIRTIO_MAGIC, 2), 0xffff);
    ck_assert_uint_eq(get(0x200 - 4), UINT32_MAX);
}
END_TEST

START_TEST(features_are_agreed_on) {
    put(VIRTIO_STATUS, 0);
    world_round();
    ck_assert_uint_eq(get(VIRTIO_STATUS), 0);
    /* What it does not have. */
    negotiate();
    ck_assert_uint_eq(get(VIRTIO_STATUS), 11);
    put(VIRTIO_STATUS, 0);
    world_round();
    put(VIRTIO_STATUS, 3);
    put(VIRTIO_DRIVER_FEATURES_SELECT, 1);
    put(VIRTIO_DRIVER_FEATURES, 3);
    put(VIRTIO_STATUS, 11);
    ck_assert_uint_eq(get(VIRTIO_STATUS), 3);
    /* Nor the old interface. */
    put(VIRTIO_DRIVER_FEATURES, 0);
    put(VIRTIO_STATUS, 11);
    ck_assert_uint_eq(get(VIRTIO_STATUS), 3);
    /* It does not run without. */
    put(VIRTIO_STATUS, 7);
    ck_assert_uint_eq(get(VIRTIO_STATUS), 3);
}
END_TEST

START_TEST(queues_lie_in_memory) {
    static const uint64_t bad[] = {WORLD_PHYSICAL + WORLD_RAM,
                                   WORLD_PHYSICAL + WORLD_RAM - 100,
                                   WORLD_PHYSICAL - 16,
                                   0,
                                   WORLD_PHYSICAL + 8,
                                   UINT64_MAX - 63,
                                   WORLD_PHYSICAL | UINT64_C(1) << 40};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(VIRTIO_STATUS, 0);
        world_round();
        negotiate();
        queue_put(0, SIZE, bad[i]);
        ck_assert_uint_eq(get(VIRTIO_QUEUE_READY), 0);
        ck_assert(is_broken());
    }
}
END_TEST

START_TEST(queue_sizes) {
    static const uint32_t bad[] = {0, 3, 7, 512, UINT32_MAX};
    ck_assert_uint_eq(get(VIRTIO_QUEUE_SIZE_MAX), VIRTIO_QUEUE_SIZE_LIMIT);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(VIRTIO_STATUS, 0);
        world_round();
        negotiate();
        queue_put(0, bad[i], WORLD_PHYSICAL);
        ck_assert_uint_eq(get(VIRTIO_QUEUE_READY), 0);
    }
    put(VIRTIO_QUEUE_SELECT, 1000);
    ck_assert_uint_eq(get(VIRTIO_QUEUE_SIZE_MAX), 0);
    ck_assert_uint_eq(get(VIRTIO_QUEUE_READY), 0);
    put(VIRTIO_QUEUE_READY, 1);
    ck_assert_uint_eq(get(VIRTIO_QUEUE_READY), 0);
}
END_TEST

START_TEST(queues_stay_while_it_runs) {
    queue_put(0, SIZE, WORLD_PHYSICAL + WORLD_RAM);
    ck_assert(!is_broken());
    put(VIRTIO_QUEUE_READY, 0);
    ck_assert_uint_eq(get(VIRTIO_QUEUE_READY), 1);
}
END_TEST

START_TEST(reset_forgets_all) {
    put(VIRTIO_STATUS, 0);
    ck_assert_uint_ne(get(VIRTIO_STATUS), 0); /* until its thread has seen it */
    put(VIRTIO_STATUS, 1);
    world_round();
    ck_assert_uint_eq(get(VIRTIO_STATUS), 0);
    put(VIRTIO_QUEUE_SELECT, 0);
    ck_assert_uint_eq(get(VIRTIO_QUEUE_READY), 0);
    ck_assert_uint_eq(get(VIRTIO_INTERRUPT_STATUS), 0);
    put(VIRTIO_STATUS, 0);
    ck_assert_uint_ne(get(VIRTIO_STATUS), 0); /* also if there was nothing */
    world_round();
    ck_assert_uint_eq(get(VIRTIO_STATUS), 0);
}
END_TEST

START_TEST(ports_are_told_of) {
    for (unsigned i = 0; i < 8; i++) {
        describe(2, i, data_physical(8 + i), 64, VIRTIO_DESCRIPTOR_WRITE, 0);
        give(2, (uint16_t)i);
    }
    say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    ck_assert_uint_eq(rings[2].used->index, 4);
    for (unsigned i = 0; i < 4; i++) {
        struct virtio_console_message message;
        memcpy(&message, data(8 + i), sizeof(message));
        ck_assert_uint_eq(rings[2].used->entries[i].head, i);
        ck_assert_uint_eq(rings[2].used->entries[i].size_bytes, sizeof(message));
        ck_assert_uint_eq(message.port, i);
        ck_assert_uint_eq(message.event, VIRTIO_CONSOLE_PORT_ADD);
    }
    ck_assert(keeper.has_interrupt);
    ck_assert_uint_eq(get(VIRTIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_QUEUE);
    put(VIRTIO_INTERRUPT_ACK, VIRTIO_INTERRUPT_QUEUE);
    ck_assert_uint_eq(get(VIRTIO_INTERRUPT_STATUS), 0);
    say(3, VIRTIO_CONSOLE_PORT_READY, 1);
    ck_assert_uint_eq(rings[2].used->index, 6);
    ck_assert_mem_eq(data(12) + 8, "control", 7);
    ck_assert_uint_eq(rings[2].used->entries[4].size_bytes, 15);
    /* Of ports that there are not it knows nothing. */
    say(4, VIRTIO_CONSOLE_PORT_READY, 1);
    say(UINT32_MAX, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(rings[2].used->index, 6);
    ck_assert(!is_broken());
}
END_TEST

START_TEST(no_interrupt_if_none_is_wanted) {
    keeper.has_interrupt = false;
    virtio_ring_interrupts(&rings[3], false);
    say(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert_uint_eq(rings[3].used->index, 1);
    ck_assert(!keeper.has_interrupt);
}
END_TEST

static void port_open(void) {
    say(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert(!is_broken());
}

START_TEST(chains_of_several_parts) {
    port_open();
    describe(0, 5, data_physical(20), 3, VIRTIO_DESCRIPTOR_WRITE | VIRTIO_DESCRIPTOR_NEXT, 2);
    describe(0, 2, data_physical(21), 4, VIRTIO_DESCRIPTOR_WRITE, 0);
    give(0, 5);
    describe(0, 7, data_physical(22), 100, VIRTIO_DESCRIPTOR_WRITE, 0);
    give(0, 7);
    outside_write(world.in, "abcdefghij", 10);
    world_round();
    world_round();
    ck_assert_uint_eq(rings[0].used->index, 2);
    ck_assert_uint_eq(rings[0].used->entries[0].head, 5);
    ck_assert_uint_eq(rings[0].used->entries[0].size_bytes, 7);
    ck_assert_uint_eq(rings[0].used->entries[1].head, 7);
    ck_assert_uint_eq(rings[0].used->entries[1].size_bytes, 3);
    ck_assert_mem_eq(data(20), "abc", 3);
    ck_assert_mem_eq(data(21), "defg", 4);
    ck_assert_mem_eq(data(22), "hij", 3);
}
END_TEST

/* Gives a bad chain to port 0 and looks at what comes of it. */
static void breaks(uint16_t head) {
    port_open();
    give(0, head);
    outside_write(world.in, "x", 1);
    keeper.has_interrupt = false;
    world_round();
    world_round();
    ck_assert(is_broken());
    ck_assert(keeper.has_interrupt);
    ck_assert_uint_eq(get(VIRTIO_INTERRUPT_STATUS) & VIRTIO_INTERRUPT_CONFIG,
                      VIRTIO_INTERRUPT_CONFIG);
    ck_assert_uint_eq(rings[0].used->index, 0);
    /* It does no more. */
    say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    ck_assert_uint_eq(rings[3].used->index, 1);
    put(VIRTIO_STATUS, 0);
    world_round();
    ck_assert_uint_eq(get(VIRTIO_STATUS), 0);
}

START_TEST(bad_head) {
    breaks(SIZE);
}
END_TEST

START_TEST(chain_without_an_end) {
    describe(0, 0, data_physical(20), 1, VIRTIO_DESCRIPTOR_WRITE | VIRTIO_DESCRIPTOR_NEXT, 1);
    describe(0, 1, data_physical(20), 1, VIRTIO_DESCRIPTOR_WRITE | VIRTIO_DESCRIPTOR_NEXT, 0);
    breaks(0);
}
END_TEST

START_TEST(chain_that_leaves_the_table) {
    describe(0, 0, data_physical(20), 1, VIRTIO_DESCRIPTOR_WRITE | VIRTIO_DESCRIPTOR_NEXT, SIZE);
    breaks(0);
}
END_TEST

START_TEST(bad_address) {
    static const uint64_t bad[] = {0, WORLD_PHYSICAL + WORLD_RAM - 9, WORLD_PHYSICAL - 1,
                                   UINT64_MAX - 4, WORLD_PHYSICAL + WORLD_RAM};
    describe(0, 0, bad[_i], 10, VIRTIO_DESCRIPTOR_WRITE, 0);
    breaks(0);
}
END_TEST

START_TEST(bad_size) {
    static const uint32_t bad[] = {0, UINT32_MAX};
    describe(0, 0, data_physical(20), bad[_i], VIRTIO_DESCRIPTOR_WRITE, 0);
    breaks(0);
}
END_TEST

START_TEST(bad_flags) {
    static const uint16_t bad[] = {0, VIRTIO_DESCRIPTOR_INDIRECT | VIRTIO_DESCRIPTOR_WRITE};
    describe(0, 0, data_physical(20), 10, bad[_i], 0);
    breaks(0);
}
END_TEST

START_TEST(read_after_write) {
    describe(0, 0, data_physical(20), 1, VIRTIO_DESCRIPTOR_WRITE | VIRTIO_DESCRIPTOR_NEXT, 1);
    describe(0, 1, data_physical(20), 1, 0, 0);
    breaks(0);
}
END_TEST

START_TEST(more_than_the_queue_holds) {
    port_open();
    rings[0].available->index = SIZE + 1;
    world_round();
    ck_assert(is_broken());
}
END_TEST

START_TEST(message_that_does_not_fit) {
    describe(2, 0, data_physical(20), 7, VIRTIO_DESCRIPTOR_WRITE, 0);
    give(2, 0);
    say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    ck_assert(is_broken());
}
END_TEST

START_TEST(chain_that_is_too_long) {
    describe(1, 0, data_physical(20), VCONSOLE_CHAIN + 1, 0, 0);
    give(1, 0);
    port_open();
    vdev = &world.device.vdev;
    world_round(); /* port 0 goes in only: its chain is never looked at */
    ck_assert(!is_broken());
}
END_TEST

TCase *tcase_device(void) {
    TCase *tcase = tcase_create("device");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, it_is_a_console);
    tcase_add_test(tcase, features_are_agreed_on);
    tcase_add_test(tcase, queues_lie_in_memory);
    tcase_add_test(tcase, queue_sizes);
    tcase_add_test(tcase, queues_stay_while_it_runs);
    tcase_add_test(tcase, reset_forgets_all);
    tcase_add_test(tcase, ports_are_told_of);
    tcase_add_test(tcase, no_interrupt_if_none_is_wanted);
    tcase_add_test(tcase, chains_of_several_parts);
    tcase_add_test(tcase, bad_head);
    tcase_add_test(tcase, chain_without_an_end);
    tcase_add_test(tcase, chain_that_leaves_the_table);
    tcase_add_loop_test(tcase, bad_address, 0, 5);
    tcase_add_loop_test(tcase, bad_size, 0, 2);
    tcase_add_loop_test(tcase, bad_flags, 0, 2);
    tcase_add_test(tcase, read_after_write);
    tcase_add_test(tcase, more_than_the_queue_holds);
    tcase_add_test(tcase, message_that_does_not_fit);
    tcase_add_test(tcase, chain_that_is_too_long);
    return tcase;
}
