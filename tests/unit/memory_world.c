/* SPDX-License-Identifier: MIT */
#include "memory_world.h"

#include <string.h>

#define PERSONALITY UINT64_C(0x500000)

ax_result map_with(struct thread *thread, ax_handle process, ax_handle memory,
                   struct ax_map_request request) {
    fill_buffer(thread, &request, sizeof(request));
    return kcall(thread, AX_CALL_MEMORY_MAP, process, memory);
}

static uint64_t must_map(struct thread *thread, ax_handle memory, struct ax_map_request request) {
    ax_result result = map_with(thread, 0, memory, request);
    ck_assert_int_gt(result, 0);
    ck_assert_uint_eq((uint64_t)result % PAGE, 0);
    return (uint64_t)result;
}

uint64_t map_pages(struct thread *thread, uint64_t page_count, uint32_t prot) {
    return must_map(thread, 0,
                    (struct ax_map_request){.size_bytes = page_count * PAGE, .prot = prot});
}

uint64_t map_at(struct thread *thread, uint64_t address, uint64_t page_count, uint32_t prot) {
    return must_map(thread, 0,
                    (struct ax_map_request){.address = address,
                                            .size_bytes = page_count * PAGE,
                                            .prot = prot,
                                            .flags = AX_MAP_FIXED});
}

uint64_t map_memory(struct thread *thread, ax_handle memory, uint64_t page_count, uint32_t prot,
                    uint32_t flags) {
    return must_map(
        thread, memory,
        (struct ax_map_request){.size_bytes = page_count * PAGE, .prot = prot, .flags = flags});
}

ax_handle memory_new(struct thread *thread, uint64_t page_count) {
    ax_result result = kcall(thread, AX_CALL_MEMORY_CREATE, page_count);
    ck_assert_int_gt(result, 0);
    return (ax_handle)result;
}

struct memory *memory_of(struct thread *thread, ax_handle memory) {
    return container_of(driver_object(thread->process, memory), struct memory, object);
}

void unmap(struct thread *thread, uint64_t address, uint64_t page_count) {
    expect(kcall(thread, AX_CALL_MEMORY_UNMAP, 0, address, page_count * PAGE), AX_OK);
}

void poke(struct thread *thread, uint64_t address, uint8_t byte) {
    uint8_t *pointer = driver_touch(thread, address, AX_PROT_WRITE);
    ck_assert_ptr_nonnull(pointer);
    *pointer = byte;
}

uint8_t peek(struct thread *thread, uint64_t address) {
    const uint8_t *pointer = driver_touch(thread, address, AX_PROT_READ);
    ck_assert_ptr_nonnull(pointer);
    return *pointer;
}

void poke_pages(struct thread *thread, uint64_t address, uint64_t page_count, uint8_t first) {
    for (uint64_t page = 0; page < page_count; page++)
        poke(thread, address + page * PAGE, (uint8_t)(first + page));
}

uint32_t fault_of(struct thread *thread, uint64_t address, uint32_t access) {
    struct ax_regs before = thread->user.regs;
    thread->process->personality.entry = PERSONALITY;
    thread->page->inside = AX_INSIDE_PROGRAM;
    if (driver_touch(thread, address, access) != NULL)
        return AX_FAULT_NONE;
    ck_assert_uint_eq(thread->page->program.address, address);
    ck_assert_uint_eq(thread->page->program.access, access);
    thread->user.regs = before;
    thread->page->inside = AX_INSIDE_PROGRAM;
    return thread->page->program.fault;
}

void spread(void) {
    struct thread *root = driver_root_thread(); /* makes room */
    expect(kcall(root, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 1), AX_OK);
    expect(kcall(world.two, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 2), AX_OK);
}

size_t regions(struct thread *thread, uint64_t address, struct ax_region_info infos[42]) {
    ax_result count = kcall(thread, AX_CALL_MEMORY_LIST, 0, address);
    ck_assert_int_ge(count, 0);
    copy_buffer(thread, infos, (size_t)count * sizeof(*infos));
    return (size_t)count;
}

uint64_t frames_used(void) {
    const struct frames *frames = &kernel->frames;
    return frames->total_count - frames->free_count - frames->waiting_count;
}

ax_handle registers_new(uint64_t page_count) {
    ax_handle all = device(AX_DEVICE_MEMORY, AX_RIGHT_ALL);
    ax_result part = kcall(world.one, AX_CALL_DEVICE_CREATE, all, AX_DEVICE_MEMORY, REGISTERS,
                           page_count * PAGE);
    ck_assert_int_gt(part, 0);
    ax_result memory = kcall(world.one, AX_CALL_DEVICE_MEMORY, part, 0, AX_DEVICE_REGISTERS);
    ck_assert_int_gt(memory, 0);
    return (ax_handle)memory;
}
