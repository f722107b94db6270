/* SPDX-License-Identifier: MIT */
/* Parts of devices, ports and registers. */
#include "object_world.h"

#define PAGE AX_PAGE_SIZE

static ax_result create(ax_handle parent, uint64_t kind, uint64_t base, uint64_t size) {
    return kcall(world.one, AX_CALL_DEVICE_CREATE, parent, kind, base, size, AX_PLACE_ANY);
}

static ax_handle part(ax_handle parent, uint64_t kind, uint64_t base, uint64_t size) {
    ax_result device = create(parent, kind, base, size);
    ck_assert_int_gt(device, 0);
    return (ax_handle)device;
}

START_TEST(a_part_has_its_own_range) {
    ax_handle memory = device(AX_DEVICE_MEMORY, AX_RIGHT_ALL);
    ax_handle first = part(memory, AX_DEVICE_MEMORY, 0x10000, 0x4000);
    struct ax_object_info info = info_of(world.one, first);
    ck_assert_uint_eq(info.device.kind, AX_DEVICE_MEMORY);
    ck_assert_uint_eq(info.device.base, 0x10000);
    ck_assert_uint_eq(info.device.size, 0x4000);
    ck_assert_uint_eq(info.device.quarantined_pages, 0);
    ax_handle second = part(first, AX_DEVICE_MEMORY, 0x13000, 0x1000);
    must_close(world.one, first); /* the part of the part stays */
    ck_assert_uint_eq(info_of(world.one, second).device.base, 0x13000);
}
END_TEST

START_TEST(a_part_lies_in_the_range) {
    ax_handle ports = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    ax_handle some = part(ports, AX_DEVICE_PORTS, 0x100, 0x10);
    part(some, AX_DEVICE_PORTS, 0x100, 0x10);
    part(some, AX_DEVICE_PORTS, 0x10f, 1);
    expect(create(some, AX_DEVICE_PORTS, 0xff, 2), AX_ERR_ARGUMENT);
    expect(create(some, AX_DEVICE_PORTS, 0x10f, 2), AX_ERR_ARGUMENT);
    expect(create(some, AX_DEVICE_PORTS, 0x110, 1), AX_ERR_ARGUMENT);
    expect(create(some, AX_DEVICE_PORTS, 0x100, 0x11), AX_ERR_ARGUMENT);
    expect(create(some, AX_DEVICE_PORTS, 0x100, 0), AX_ERR_ARGUMENT);
    expect(create(some, AX_DEVICE_PORTS, 0x105, UINT64_MAX - 2), AX_ERR_ARGUMENT);
    expect(create(some, AX_DEVICE_PORTS, UINT64_MAX, 2), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(a_part_is_of_the_same_kind) {
    ax_handle ports = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    expect(create(ports, AX_DEVICE_IRQS, 0, 1), AX_ERR_ARGUMENT);
    expect(create(ports, AX_DEVICE_MEMORY, 0, PAGE), AX_ERR_ARGUMENT);
    expect(create(ports, AX_DEVICE_SYSTEM, 0, 1), AX_ERR_ARGUMENT);
    expect(create(ports, AX_DEVICE_KIND_COUNT, 0, 1), AX_ERR_ARGUMENT);
    expect(create(device(AX_DEVICE_SYSTEM, AX_RIGHT_ALL), AX_DEVICE_SYSTEM, 0, 0), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(memory_is_parted_by_pages) {
    ax_handle memory = device(AX_DEVICE_MEMORY, AX_RIGHT_ALL);
    expect(create(memory, AX_DEVICE_MEMORY, PAGE + 1, PAGE), AX_ERR_ARGUMENT);
    expect(create(memory, AX_DEVICE_MEMORY, PAGE, PAGE / 2), AX_ERR_ARGUMENT);
    part(memory, AX_DEVICE_MEMORY, PAGE, PAGE);
}
END_TEST

START_TEST(parting_needs_the_right_to_write) {
    ax_handle weak = device(AX_DEVICE_PORTS, AX_RIGHT_ALL & ~AX_RIGHT_WRITE);
    expect(create(weak, AX_DEVICE_PORTS, 0, 1), AX_ERR_RIGHTS);
    expect(create(make(world.one, AX_TYPE_EVENT), AX_DEVICE_PORTS, 0, 1), AX_ERR_TYPE);
    expect(create(0, AX_DEVICE_PORTS, 0, 1), AX_ERR_HANDLE);
    expect(create(stale(world.one), AX_DEVICE_PORTS, 0, 1), AX_ERR_HANDLE);
}
END_TEST

START_TEST(parting_fails_cleanly_when_an_allocation_fails) {
    ax_handle ports = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    with_failing_allocations(world.one, AX_CALL_DEVICE_CREATE,
                             (uint64_t[5]){ports, AX_DEVICE_PORTS, 0x100, 8, AX_PLACE_ANY});
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_DEVICE_CREATE, ports, AX_DEVICE_PORTS, 0x100, 8,
                 AX_PLACE(0, event & AX_HANDLE_INDEX_MASK)),
           AX_ERR_EXISTS);
}
END_TEST

/* ---- Ports ----------------------------------------------------------------------------------- */

static ax_result port(ax_handle ports, uint64_t number, uint64_t width, uint64_t value) {
    return kcall(world.one, AX_CALL_DEVICE_PORT, ports, number, width, value);
}

START_TEST(ports_are_read_and_written_in_all_widths) {
    ax_handle ports = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    expect(port(ports, 0x80, 1, 0), 0xff); /* the machine has none: all ones */
    expect(port(ports, 0x80, 2, 0), 0xffff);
    expect(port(ports, 0x80, 4, 0), 0xffffffff);
    expect(port(ports, 0x80, 1 | AX_PORT_WRITE, 0xff), AX_OK);
    expect(port(ports, 0x80, 2 | AX_PORT_WRITE, 0xffff), AX_OK);
    expect(port(ports, 0x80, 4 | AX_PORT_WRITE, 0xffffffff), AX_OK);
}
END_TEST

START_TEST(a_value_fits_its_width) {
    ax_handle ports = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    expect(port(ports, 0x80, 1 | AX_PORT_WRITE, 0x100), AX_ERR_ARGUMENT);
    expect(port(ports, 0x80, 2 | AX_PORT_WRITE, 0x10000), AX_ERR_ARGUMENT);
    expect(port(ports, 0x80, 4 | AX_PORT_WRITE, 1ULL << 32), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(other_widths_are_refused) {
    ax_handle ports = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    static const uint64_t widths[] = {0, 3, 5, 6, 7, 16, 1ULL << 32, UINT64_MAX};
    for (unsigned i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
        expect(port(ports, 0x80, widths[i], 0), AX_ERR_ARGUMENT);
    expect(port(ports, 0x80, AX_PORT_WRITE, 0), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(all_of_an_access_lies_in_the_range) {
    ax_handle all = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    ax_handle ports = part(all, AX_DEVICE_PORTS, 0x100, 6);
    expect(port(ports, 0x105, 1, 0), 0xff);
    expect(port(ports, 0x102, 4, 0), 0xffffffff);
    expect(port(ports, 0x105, 2, 0), AX_ERR_ARGUMENT);
    expect(port(ports, 0x103, 4, 0), AX_ERR_ARGUMENT);
    expect(port(ports, 0xff, 1, 0), AX_ERR_ARGUMENT);
    expect(port(ports, 0xff, 2, 0), AX_ERR_ARGUMENT);
    expect(port(all, 65535, 1, 0), 0xff);
    expect(port(all, 65535, 2, 0), AX_ERR_ARGUMENT);
    expect(port(all, 65536, 1, 0), AX_ERR_ARGUMENT);
    expect(port(all, UINT64_MAX, 2, 0), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(each_direction_needs_its_right) {
    ax_handle reader = device(AX_DEVICE_PORTS, AX_RIGHT_READ);
    ax_handle writer = device(AX_DEVICE_PORTS, AX_RIGHT_WRITE);
    expect(port(reader, 0x80, 1, 0), 0xff);
    expect(port(reader, 0x80, 1 | AX_PORT_WRITE, 0), AX_ERR_RIGHTS);
    expect(port(writer, 0x80, 1 | AX_PORT_WRITE, 0), AX_OK);
    expect(port(writer, 0x80, 1, 0), AX_ERR_RIGHTS);
    expect(port(device(AX_DEVICE_IRQS, AX_RIGHT_ALL), 1, 1, 0), AX_ERR_TYPE);
    expect(port(make(world.one, AX_TYPE_EVENT), 1, 1, 0), AX_ERR_TYPE);
    expect(port(0, 1, 1, 0), AX_ERR_HANDLE);
    expect(port(stale(world.one), 1, 1, 0), AX_ERR_HANDLE);
}
END_TEST

TCase *device_calls_tests(void) {
    TCase *tcase = world_case("device_calls");
    tcase_add_test(tcase, a_part_has_its_own_range);
    tcase_add_test(tcase, a_part_lies_in_the_range);
    tcase_add_test(tcase, a_part_is_of_the_same_kind);
    tcase_add_test(tcase, memory_is_parted_by_pages);
    tcase_add_test(tcase, parting_needs_the_right_to_write);
    tcase_add_test(tcase, parting_fails_cleanly_when_an_allocation_fails);
    tcase_add_test(tcase, ports_are_read_and_written_in_all_widths);
    tcase_add_test(tcase, a_value_fits_its_width);
    tcase_add_test(tcase, other_widths_are_refused);
    tcase_add_test(tcase, all_of_an_access_lies_in_the_range);
    tcase_add_test(tcase, each_direction_needs_its_right);
    return tcase;
}
