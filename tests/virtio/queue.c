/* SPDX-License-Identifier: MIT */
/* The driver's side of a queue, with a device that does as it is told here. */
#include <virtio/queue.h>

#include <base/random.h>
#include <string.h>

#include "tests.h"

#define SIZE 8U

static _Alignas(16) uint8_t memory[VIRTIO_RING_BYTES(SIZE)];
static struct virtio_queue queue;

static void setup(void) {
    struct virtio_ring ring = virtio_ring_at(memory, SIZE);
    memset(memory, 0xff, sizeof(memory));
    virtio_queue_begin(&queue, &ring);
}

static uint16_t add(unsigned count) {
    struct virtio_part parts[SIZE];
    uint16_t head;
    for (unsigned i = 0; i < count; i++)
        parts[i] = (struct virtio_part){1000 + i, 10 + i, i + 1 == count};
    ck_assert_int_eq(virtio_queue_add(&queue, parts, count, &head), VIRTIO_OK);
    return head;
}

/* The device's part. */
static void use(uint32_t head, uint32_t size_bytes) {
    struct virtio_used *used = (struct virtio_used *)queue.ring.used;
    used->entries[used->index % SIZE] = (struct virtio_used_entry){head, size_bytes};
    used->index++;
}

START_TEST(ring_lies_as_the_device_finds_it) {
    struct virtio_queue_place place = virtio_ring_place(0x10000, SIZE);
    ck_assert_uint_eq(place.table, 0x10000);
    ck_assert_ptr_eq((void *)queue.ring.available, memory + (place.available - 0x10000));
    ck_assert_ptr_eq((void *)(uintptr_t)queue.ring.used, memory + (place.used - 0x10000));
    ck_assert_uint_eq(place.used % 4, 0);
    ck_assert_uint_le(place.used - 0x10000 + VIRTIO_USED_BYTES(SIZE), sizeof(memory));
}
END_TEST

START_TEST(chains_are_linked) {
    uint16_t head = add(3);
    ck_assert_uint_eq(queue.ring.available->index, 0);
    virtio_queue_publish(&queue);
    ck_assert_uint_eq(queue.ring.available->index, 1);
    ck_assert_uint_eq(queue.ring.available->entries[0], head);
    for (unsigned i = 0; i < 3; i++) {
        struct virtio_descriptor descriptor = queue.ring.table[head];
        ck_assert_uint_eq(descriptor.address, 1000 + i);
        ck_assert_uint_eq(descriptor.size_bytes, 10 + i);
        ck_assert_uint_eq(descriptor.flags,
                          i < 2 ? VIRTIO_DESCRIPTOR_NEXT : VIRTIO_DESCRIPTOR_WRITE);
        head = descriptor.next;
    }
}
END_TEST

START_TEST(full_and_free_again) {
    struct virtio_part part = {1, 1, false};
    uint16_t heads[SIZE], head, got;
    uint32_t size;
    for (unsigned i = 0; i < SIZE; i++)
        heads[i] = add(1);
    ck_assert_int_eq(virtio_queue_add(&queue, &part, 1, &head), VIRTIO_FULL);
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), 0);
    use(heads[5], 55);
    use(heads[2], 22);
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), 1);
    ck_assert_uint_eq(got, heads[5]);
    ck_assert_uint_eq(size, 55);
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), 1);
    ck_assert_uint_eq(got, heads[2]);
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), 0);
    head = add(2);
    ck_assert(head == heads[2] || head == heads[5]);
    ck_assert_int_eq(virtio_queue_add(&queue, &part, 1, &head), VIRTIO_FULL);
}
END_TEST

START_TEST(lies_are_seen) {
    uint16_t got;
    uint32_t size;
    uint16_t head = add(2);
    use(SIZE, 1); /* beyond the table */
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), VIRTIO_BROKEN);
    setup();
    head = add(2);
    use(queue.slots[head].next, 1); /* in the middle of a chain */
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), VIRTIO_BROKEN);
    setup();
    head = add(2);
    use(head, 1);
    use(head, 1); /* twice */
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), VIRTIO_BROKEN);
    setup();
    head = add(2);
    use(0, 0);
    use(0, 0); /* more than was given */
    ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), VIRTIO_BROKEN);
}
END_TEST

/* For ever, in any order, past the wrap of all counts; the table is the device's to scribble on. */
START_TEST(any_order) {
    struct random dice;
    uint16_t heads[SIZE], got;
    unsigned counts[SIZE], with_device = 0, parts = 0;
    uint32_t size;
    random_seed(&dice, 99);
    for (unsigned i = 0; i < 150000; i++) {
        unsigned count = 1 + (unsigned)random_below(&dice, 3);
        if (random_below(&dice, 2) == 0 && parts + count <= SIZE) {
            counts[with_device] = count;
            heads[with_device++] = add(count);
            parts += count;
            virtio_queue_publish(&queue);
        } else if (with_device > 0) {
            unsigned n = (unsigned)random_below(&dice, with_device);
            use(heads[n], i);
            queue.ring.table[random_below(&dice, SIZE)].next = (uint16_t)i;
            ck_assert_int_eq(virtio_queue_take(&queue, &got, &size), 1);
            ck_assert(got == heads[n] && size == i);
            parts -= counts[n];
            heads[n] = heads[--with_device];
            counts[n] = counts[with_device];
        }
        ck_assert_uint_eq(queue.free_count, SIZE - parts);
    }
}
END_TEST

TCase *tcase_queue(void) {
    TCase *tcase = tcase_create("queue");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, ring_lies_as_the_device_finds_it);
    tcase_add_test(tcase, chains_are_linked);
    tcase_add_test(tcase, full_and_free_again);
    tcase_add_test(tcase, lies_are_seen);
    tcase_add_test(tcase, any_order);
    return tcase;
}
