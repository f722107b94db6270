/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#include <string.h>

struct world world;

void world_start(void) {
    driver_start(NULL);
    world.account = driver_account(1 << 20, 4000);
    world.other_account = driver_account(1 << 19, 2000);
    world.process = driver_process_of(world.account);
    world.other = driver_process_of(world.other_account);
    world.one = driver_thread(world.process);
    world.two = driver_thread(world.process);
    world.stranger = driver_thread(world.other);
    world.other_handle = driver_handle(world.process, &world.other->object, AX_RIGHT_ALL);
}

void world_stop(void) {
    driver_check_invariants();
    driver_stop();
}

TCase *world_case(const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, world_start, world_stop);
    return tcase;
}

ax_handle make(struct thread *thread, enum ax_type type) {
    ax_result result = kcall(thread, AX_CALL_OBJECT_CREATE, type);
    ck_assert_int_gt(result, 0);
    return (ax_handle)result;
}

ax_handle weaken(struct thread *thread, ax_handle handle, uint32_t rights) {
    return driver_copy(thread->process, handle, thread->process, rights);
}

void must_close(struct thread *thread, ax_handle handle) {
    expect(kcall(thread, AX_CALL_HANDLE_CLOSE, handle), AX_OK);
}

void signal_event(struct thread *thread, ax_handle event, uint32_t clear, uint32_t set) {
    expect(kcall(thread, AX_CALL_OBJECT_SIGNAL, event, clear, set), AX_OK);
}

ax_handle stale(struct thread *thread) {
    ax_handle handle = make(thread, AX_TYPE_EVENT);
    must_close(thread, handle);
    return handle;
}

void copy_buffer(const struct thread *thread, void *to, size_t size_bytes) {
    memcpy(to, thread->page->buffer, size_bytes);
}

void fill_buffer(struct thread *thread, const void *from, size_t size_bytes) {
    memcpy(thread->page->buffer, from, size_bytes);
}

struct ax_object_info info_of(struct thread *thread, ax_handle handle) {
    struct ax_object_info info;
    expect(kcall(thread, AX_CALL_OBJECT_INFO, handle), AX_OK);
    copy_buffer(thread, &info, sizeof(info));
    return info;
}

void usage_note(void) {
    world.used_bytes = world.account->used_bytes;
    world.table_pages = world.process->space.table_pages;
    world.used_objects = world.account->used_objects;
}

void usage_check(void) {
    driver_settle();
    /* Tables stay until the process ends. */
    uint64_t tables = world.process->space.table_pages - world.table_pages;
    ck_assert_uint_eq(world.account->used_bytes, world.used_bytes + tables * AX_PAGE_SIZE);
    ck_assert_uint_eq(world.account->used_objects, world.used_objects);
}

void interrupt(struct thread *thread) {
    kernel_lock();
    thread_interrupt(thread);
    kernel_unlock();
    driver_settle();
}

uint64_t now_ns(void) {
    return hal_time_ns();
}

ax_handle device(enum ax_device_kind kind, uint32_t rights) {
    static const ax_handle roots[] = {
        [AX_DEVICE_SYSTEM] = AX_ROOT_SYSTEM,
        [AX_DEVICE_MEMORY] = AX_ROOT_DEVICE_MEMORY,
        [AX_DEVICE_PORTS] = AX_ROOT_DEVICE_PORTS,
        [AX_DEVICE_IRQS] = AX_ROOT_DEVICE_IRQS,
    };
    return driver_copy(driver_root(), roots[kind], world.process, rights);
}

void with_failing_allocations(struct thread *thread, uint64_t number, const uint64_t arguments[5]) {
    usage_note();
    for (uint64_t n = 1;; n++) {
        ck_assert_uint_lt(n, 100);
        driver_fail_after(n);
        ax_result result = kcall_array(thread, number, arguments);
        bool failed = driver_has_failed();
        driver_fail_after(0);
        if (result > 0)
            must_close(thread, (ax_handle)result);
        else
            ck_assert(result == AX_ERR_MEMORY || result == AX_ERR_LIMIT);
        usage_check();
        if (!failed) {
            ck_assert_int_gt(result, 0);
            return;
        }
    }
}
