/* SPDX-License-Identifier: MIT */
/* Registers, DMA memory and its quarantine. */
#include "object_world.h"

#include "calls.h"
#include "memory.h"

#define PAGE AX_PAGE_SIZE

static ax_handle ports, registers;

static void start(void) {
    world_start();
    ax_handle all = device(AX_DEVICE_PORTS, AX_RIGHT_ALL);
    ports = (ax_handle)kcall(world.one, AX_CALL_DEVICE_CREATE, all, AX_DEVICE_PORTS, 0x100, 8, 0);
    all = device(AX_DEVICE_MEMORY, AX_RIGHT_ALL);
    registers = (ax_handle)kcall(world.one, AX_CALL_DEVICE_CREATE, all, AX_DEVICE_MEMORY,
                                 0xfe000000, 4 * PAGE, 0);
}

static ax_result device_memory(ax_handle device, uint64_t value, uint64_t flags) {
    return kcall(world.one, AX_CALL_DEVICE_MEMORY, device, value, flags, AX_PLACE_ANY);
}

static ax_handle dma(uint64_t page_count) {
    ax_result memory = device_memory(ports, page_count, AX_DEVICE_DMA);
    ck_assert_int_gt(memory, 0);
    return (ax_handle)memory;
}

static uint64_t quarantined(void) {
    return info_of(world.one, ports).device.quarantined_pages;
}

static uint64_t frames_free(void) {
    driver_settle();
    return kernel->frames.free_count;
}

START_TEST(registers_begin_at_the_offset_and_end_with_the_device) {
    ax_result memory = device_memory(registers, PAGE, AX_DEVICE_REGISTERS);
    ck_assert_int_gt(memory, 0);
    struct ax_object_info info = info_of(world.one, (ax_handle)memory);
    ck_assert_uint_eq(info.type, AX_TYPE_MEMORY);
    ck_assert_uint_eq(info.memory.page_count, 3);
    ck_assert_uint_eq(info.memory.physical, 0xfe000000 + PAGE);
}
END_TEST

START_TEST(registers_beyond_the_device_are_refused) {
    expect(device_memory(registers, 4 * PAGE, AX_DEVICE_REGISTERS), AX_ERR_ARGUMENT);
    expect(device_memory(registers, 100, AX_DEVICE_REGISTERS), AX_ERR_ARGUMENT);
    expect(device_memory(registers, UINT64_MAX & ~(PAGE - 1), AX_DEVICE_REGISTERS),
           AX_ERR_ARGUMENT);
    ck_assert_int_gt(device_memory(registers, 3 * PAGE, AX_DEVICE_REGISTERS), 0);
}
END_TEST

static ax_result registers_at(uint64_t base, uint64_t page_count) {
    ax_handle all = device(AX_DEVICE_MEMORY, AX_RIGHT_ALL);
    ax_result part =
        kcall(world.one, AX_CALL_DEVICE_CREATE, all, AX_DEVICE_MEMORY, base, page_count * PAGE, 0);
    ck_assert_int_gt(part, 0);
    ax_result result = device_memory((ax_handle)part, 0, AX_DEVICE_REGISTERS);
    return result > 0 ? AX_OK : result;
}

static void expect_no_device(const struct hal_range *range) {
    uint64_t end = range->base + range->size_bytes;
    expect(registers_at(range->base, 1), AX_ERR_ARGUMENT);
    expect(registers_at(end - PAGE, 1), AX_ERR_ARGUMENT);
    expect(registers_at(end - PAGE, 2), AX_ERR_ARGUMENT);
    expect(registers_at(range->base - PAGE, 2), AX_ERR_ARGUMENT);
    expect(registers_at(range->base - PAGE, 1 + range->size_bytes / PAGE + 1), AX_ERR_ARGUMENT);
}

START_TEST(memory_is_no_device) {
    struct hal_boot *boot = (struct hal_boot *)hal_boot();
    ck_assert_uint_gt(boot->module_count, 0);
    for (uint32_t i = 0; i < boot->memory_count; i++)
        expect_no_device(&boot->memory[i]);
    for (uint32_t i = 0; i < boot->module_count; i++)
        expect_no_device(&boot->modules[i]);
    expect(registers_at(0, 1), AX_OK);
    expect(registers_at(MODEL_RAM_BASE - PAGE, 1), AX_OK);
    expect(registers_at(MODEL_RAM_BASE + model_memory_bytes(), 1), AX_OK);
    boot->kernel = (struct hal_range){0xfd000000, 2 * PAGE};
    expect_no_device(&boot->kernel);
    expect(registers_at(0xfd000000 - PAGE, 1), AX_OK);
    expect(registers_at(0xfd000000 + 2 * PAGE, 1), AX_OK);
    expect(device_memory(device(AX_DEVICE_MEMORY, AX_RIGHT_ALL), 0, AX_DEVICE_REGISTERS),
           AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(registers_are_mapped_as_what_they_are) {
    ax_handle memory = (ax_handle)device_memory(registers, 0, AX_DEVICE_REGISTERS);
    struct ax_map_request request = {.size_bytes = PAGE, .prot = AX_PROT_READ | AX_PROT_WRITE};
    fill_buffer(world.one, &request, sizeof(request));
    ax_result address = kcall(world.one, AX_CALL_MEMORY_MAP, 0, memory);
    ck_assert_int_gt(address, 0);
    must_close(world.one, memory);
    must_close(world.one, registers); /* the mapping holds the memory, that the device */
    expect(kcall(world.one, AX_CALL_MEMORY_UNMAP, 0, (uint64_t)address, PAGE), AX_OK);
}
END_TEST

START_TEST(registers_are_given_back) {
    usage_note();
    must_close(world.one, (ax_handle)device_memory(registers, 0, AX_DEVICE_REGISTERS));
    usage_check();
    ck_assert_uint_eq(info_of(world.one, registers).device.quarantined_pages, 0);
}
END_TEST

START_TEST(dma_memory_is_one_run_that_is_there) {
    ax_handle memory = dma(3);
    struct ax_object_info info = info_of(world.one, memory);
    ck_assert_uint_eq(info.memory.page_count, 3);
    ck_assert_uint_eq(info.memory.present_pages, 3);
    ck_assert_uint_ne(info.memory.physical, 0);
    const struct memory *object = (struct memory *)driver_object(world.process, memory);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_uint_eq(frame_physical(memory_find(object, i)), info.memory.physical + i * PAGE);
}
END_TEST

START_TEST(only_a_writer_learns_physical_addresses) {
    ax_handle weak = weaken(world.one, dma(1), AX_RIGHT_ALL & ~AX_RIGHT_WRITE);
    ck_assert_uint_eq(info_of(world.one, weak).memory.physical, 0);
    ax_handle plain = (ax_handle)kcall(world.one, AX_CALL_MEMORY_CREATE, 1, 0, 0);
    ck_assert_uint_eq(info_of(world.one, plain).memory.physical, 0);
}
END_TEST

START_TEST(memory_handles_have_no_more_rights_than_devices_need) {
    ax_handle memory = dma(1);
    struct object *object;
    uint32_t rights;
    expect(handle_lookup_rights(world.process, memory, AX_TYPE_MEMORY, 0, &object, &rights), AX_OK);
    ck_assert_uint_eq(rights, AX_RIGHT_COPY | AX_RIGHT_MOVE | AX_RIGHT_WAIT | AX_RIGHT_READ |
                                  AX_RIGHT_WRITE);
}
END_TEST

START_TEST(freed_dma_memory_waits_for_a_reset) {
    uint64_t free = frames_free();
    usage_note();
    ax_handle first = dma(2), second = dma(1);
    must_close(world.one, first);
    ck_assert_uint_eq(quarantined(), 2);
    ck_assert_uint_gt(world.account->used_bytes, world.used_bytes);
    must_close(world.one, second);
    ck_assert_uint_eq(quarantined(), 3);
    ck_assert_uint_le(frames_free(), free - 3);
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, ports), AX_OK);
    ck_assert_uint_eq(quarantined(), 0);
    usage_check();
    ck_assert_uint_eq(frames_free(), free);
}
END_TEST

START_TEST(memory_in_use_is_not_touched_by_a_reset) {
    ax_handle used = dma(1);
    must_close(world.one, dma(1));
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, ports), AX_OK);
    ck_assert_uint_eq(quarantined(), 0);
    ck_assert_uint_eq(info_of(world.one, used).memory.present_pages, 1);
    must_close(world.one, used);
    ck_assert_uint_eq(quarantined(), 1);
}
END_TEST

START_TEST(a_mapping_keeps_dma_memory_out_of_quarantine) {
    ax_handle memory = dma(1);
    struct ax_map_request request = {.size_bytes = PAGE, .prot = AX_PROT_READ | AX_PROT_WRITE};
    fill_buffer(world.one, &request, sizeof(request));
    ax_result address = kcall(world.one, AX_CALL_MEMORY_MAP, 0, memory);
    ck_assert_int_gt(address, 0);
    must_close(world.one, memory);
    ck_assert_uint_eq(quarantined(), 0);
    expect(kcall(world.one, AX_CALL_MEMORY_UNMAP, 0, (uint64_t)address, PAGE), AX_OK);
    ck_assert_uint_eq(quarantined(), 1);
}
END_TEST

START_TEST(a_devices_quarantine_passes_to_its_parent) {
    ax_handle inner =
        (ax_handle)kcall(world.one, AX_CALL_DEVICE_CREATE, ports, AX_DEVICE_PORTS, 0x100, 1, 0);
    usage_note();
    ax_result memory = device_memory(inner, 2, AX_DEVICE_DMA);
    must_close(world.one, inner);
    ck_assert_uint_eq(quarantined(), 0);
    must_close(world.one, (ax_handle)memory); /* now the inner device is of no more use */
    ck_assert_uint_eq(quarantined(), 2);
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, ports), AX_OK);
    ck_assert_uint_eq(quarantined(), 0);
    driver_settle();
    ck_assert_uint_lt(world.account->used_objects, world.used_objects);
}
END_TEST

START_TEST(the_quarantine_of_a_device_without_parent_is_never_used_again) {
    struct device *boot;
    kernel_lock();
    expect(device_make(world.account, NULL, AX_DEVICE_PORTS, 0, 8, &boot), AX_OK);
    kernel_unlock();
    ax_handle handle = driver_handle(world.process, &boot->object, AX_RIGHT_ALL);
    kernel_lock();
    object_unref(&boot->object);
    kernel_unlock();
    ax_result memory = device_memory(handle, 1, AX_DEVICE_DMA);
    must_close(world.one, (ax_handle)memory);
    uint64_t free = frames_free();
    usage_note();
    must_close(world.one, handle);
    usage_check();
    ck_assert_uint_eq(frames_free(), free);
    ck_assert_uint_eq(boot->quarantined_pages, 1);
}
END_TEST

START_TEST(a_device_without_parent_or_quarantine_is_freed) {
    usage_note();
    struct device *boot;
    kernel_lock();
    expect(device_make(world.account, NULL, AX_DEVICE_PORTS, 0, 8, &boot), AX_OK);
    object_unref(&boot->object);
    kernel_unlock();
    usage_check();
}
END_TEST

START_TEST(a_long_run_is_made_in_portions) {
    enum { COUNT = WORK_PORTION + 1 };
    uint64_t restarts = kernel->counters.restarts;
    ax_handle memory = dma(COUNT);
    ck_assert_uint_gt(kernel->counters.restarts, restarts);
    ck_assert_uint_eq(info_of(world.one, memory).memory.present_pages, COUNT);
    expect(kcall(world.one, AX_CALL_DEVICE_MEMORY, ports, 1, AX_DEVICE_DMA,
                 AX_PLACE(0, memory & AX_HANDLE_INDEX_MASK)),
           AX_ERR_EXISTS);
}
END_TEST

START_TEST(a_reset_is_done_in_portions) {
    enum { COUNT = 2 * WORK_PORTION + 10 };
    for (unsigned i = 0; i < COUNT; i++)
        must_close(world.one, dma(1));
    ck_assert_uint_eq(quarantined(), COUNT);
    uint64_t restarts = kernel->counters.restarts;
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, ports), AX_OK);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 2);
    ck_assert_uint_eq(quarantined(), 0);
}
END_TEST

START_TEST(what_is_freed_during_a_reset_waits_for_the_next) {
    ax_handle late = dma(1);
    for (unsigned i = 0; i < WORK_PORTION; i++)
        must_close(world.one, dma(1));
    uint64_t arguments[5] = {ports};
    world.one->progress[0] = world.one->progress[1] = 0;
    kernel_lock();
    expect(sys_device_reset(world.one, arguments), RESULT_RESTART);
    kernel_unlock();
    must_close(world.two, late);
    kernel_lock();
    expect(sys_device_reset(world.one, arguments), AX_OK);
    kernel_unlock();
    ck_assert_uint_eq(quarantined(), 1);
}
END_TEST

START_TEST(each_kind_of_memory_needs_its_kind_of_device) {
    expect(device_memory(ports, 0, AX_DEVICE_REGISTERS), AX_ERR_TYPE);
    expect(device_memory(device(AX_DEVICE_SYSTEM, AX_RIGHT_ALL), 1, AX_DEVICE_DMA), AX_ERR_TYPE);
    ck_assert_int_gt(device_memory(registers, 1, AX_DEVICE_DMA), 0);
    ck_assert_int_gt(device_memory(device(AX_DEVICE_IRQS, AX_RIGHT_ALL), 1, AX_DEVICE_DMA), 0);
    expect(device_memory(ports, 1, 2), AX_ERR_ARGUMENT);
    expect(device_memory(ports, 1, 1ULL << 32), AX_ERR_ARGUMENT);
    expect(device_memory(ports, 0, AX_DEVICE_DMA), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(bad_devices_are_refused) {
    ax_handle weak = weaken(world.one, ports, AX_RIGHT_ALL & ~AX_RIGHT_WRITE);
    expect(device_memory(weak, 1, AX_DEVICE_DMA), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, weak), AX_ERR_RIGHTS);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(device_memory(event, 1, AX_DEVICE_DMA), AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, event), AX_ERR_TYPE);
    expect(device_memory(0, 1, AX_DEVICE_DMA), AX_ERR_HANDLE);
    expect(device_memory(stale(world.one), 1, AX_DEVICE_DMA), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, 0), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_DEVICE_RESET, stale(world.one)), AX_ERR_HANDLE);
}
END_TEST

START_TEST(more_than_a_run_can_have_is_refused) {
    usage_note();
    ax_result result = device_memory(ports, 1ULL << 40, AX_DEVICE_DMA);
    ck_assert(result == AX_ERR_LIMIT || result == AX_ERR_MEMORY || result == AX_ERR_ARGUMENT);
    result = device_memory(ports, UINT64_MAX, AX_DEVICE_DMA);
    ck_assert(result == AX_ERR_LIMIT || result == AX_ERR_MEMORY || result == AX_ERR_ARGUMENT);
    usage_check();
}
END_TEST

START_TEST(dma_memory_is_charged_against_the_limit) {
    uint64_t limit = world.account->limit_bytes;
    world.account->limit_bytes = world.account->used_bytes + 8 * PAGE;
    usage_note();
    expect(device_memory(ports, 9, AX_DEVICE_DMA), AX_ERR_LIMIT);
    usage_check();
    world.account->limit_bytes = limit;
    dma(9);
}
END_TEST

START_TEST(dma_fails_cleanly_when_an_allocation_fails) {
    usage_note();
    bool failed;
    uint64_t n = 0;
    do {
        driver_fail_after(++n);
        ax_result memory = device_memory(ports, 2, AX_DEVICE_DMA);
        failed = driver_has_failed();
        driver_fail_after(0);
        if (memory > 0)
            must_close(world.one, (ax_handle)memory);
        else
            expect(memory, AX_ERR_MEMORY);
        expect(kcall(world.one, AX_CALL_DEVICE_RESET, ports), AX_OK);
        usage_check();
    } while (failed);
    ck_assert_uint_ge(n, 2);
    with_failing_allocations(world.one, AX_CALL_DEVICE_MEMORY,
                             (uint64_t[5]){registers, 0, AX_DEVICE_REGISTERS, 0});
}
END_TEST

TCase *device_memory_tests(void) {
    TCase *tcase = tcase_create("device_memory");
    tcase_add_checked_fixture(tcase, start, world_stop);
    tcase_add_test(tcase, registers_begin_at_the_offset_and_end_with_the_device);
    tcase_add_test(tcase, registers_beyond_the_device_are_refused);
    tcase_add_test(tcase, memory_is_no_device);
    tcase_add_test(tcase, registers_are_mapped_as_what_they_are);
    tcase_add_test(tcase, registers_are_given_back);
    tcase_add_test(tcase, dma_memory_is_one_run_that_is_there);
    tcase_add_test(tcase, only_a_writer_learns_physical_addresses);
    tcase_add_test(tcase, memory_handles_have_no_more_rights_than_devices_need);
    tcase_add_test(tcase, freed_dma_memory_waits_for_a_reset);
    tcase_add_test(tcase, memory_in_use_is_not_touched_by_a_reset);
    tcase_add_test(tcase, a_mapping_keeps_dma_memory_out_of_quarantine);
    tcase_add_test(tcase, a_devices_quarantine_passes_to_its_parent);
    tcase_add_test(tcase, the_quarantine_of_a_device_without_parent_is_never_used_again);
    tcase_add_test(tcase, a_device_without_parent_or_quarantine_is_freed);
    tcase_add_test(tcase, a_long_run_is_made_in_portions);
    tcase_add_test(tcase, a_reset_is_done_in_portions);
    tcase_add_test(tcase, what_is_freed_during_a_reset_waits_for_the_next);
    tcase_add_test(tcase, each_kind_of_memory_needs_its_kind_of_device);
    tcase_add_test(tcase, bad_devices_are_refused);
    tcase_add_test(tcase, more_than_a_run_can_have_is_refused);
    tcase_add_test(tcase, dma_memory_is_charged_against_the_limit);
    tcase_add_test(tcase, dma_fails_cleanly_when_an_allocation_fails);
    return tcase;
}
