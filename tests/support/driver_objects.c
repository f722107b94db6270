/* SPDX-License-Identifier: MIT */
/* Making things for tests, by core's own functions. */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "driver_private.h"
#include "handle.h"

#define ENTRY UINT64_C(0x400000)
#define STACK UINT64_C(0x7f0000)

/* These run as kernel code of the CPU that the model is at. */
static void expect(ax_result result, const char *what) {
    if (result < 0)
        driver_fail("%s: %lld", what, (long long)result);
}

struct process *driver_root(void) {
    return kernel->root.process;
}

struct thread *driver_root_thread(void) {
    struct list *first = list_first(&driver_root()->threads);
    return first != NULL ? list_entry(first, struct thread, in_process) : NULL;
}

struct account *driver_account(uint64_t bytes, uint64_t objects) {
    struct account *account = NULL;
    kernel_lock();
    expect(account_make(kernel->root_account, bytes, objects, &account), "account_make");
    kernel_unlock();
    if (driver.account_count == sizeof(driver.accounts) / sizeof(driver.accounts[0]))
        driver_fail("too many accounts");
    driver.accounts[driver.account_count++] = account;
    return account;
}

struct process *driver_process_of(struct account *account) {
    struct process *process = NULL;
    kernel_lock();
    expect(process_make(account, &process), "process_make");
    kernel_unlock();
    driver_handle(driver_root(), &process->object, AX_RIGHT_ALL);
    kernel_lock();
    object_unref(&process->object);
    kernel_unlock();
    return process;
}

struct process *driver_process(void) {
    return driver_process_of(kernel->root_account);
}

ax_handle driver_process_handle(const struct process *process) {
    const struct handle_table *table = &driver_root()->handles;
    for (uint32_t leaf = 0; leaf < table->leaf_capacity; leaf++) {
        const struct slot *slots = table->leaves[leaf].slots;
        for (uint32_t i = 0; slots != NULL && i < SLOTS_PER_LEAF; i++) {
            if (slots[i].object == &process->object)
                return (leaf * SLOTS_PER_LEAF + i) |
                       ((uint32_t)slots[i].generation << AX_HANDLE_INDEX_BITS);
        }
    }
    driver_fail("root has no handle to process %llu", (unsigned long long)process->object.id);
}

struct thread *driver_thread_with(struct process *process, uint8_t priority, uint64_t label) {
    struct thread *thread = NULL;
    kernel_lock();
    expect(thread_make(process, UINT32_MAX, label, priority, &thread), "thread_make");
    ax_regs_start(&thread->user.regs, ENTRY, STACK, 0);
    sched_ready(thread);
    kernel_unlock();
    driver_auto_settle();
    return thread;
}

struct thread *driver_thread(struct process *process) {
    return driver_thread_with(process, 16, 0);
}

ax_handle driver_handle(struct process *process, struct object *object, uint32_t rights) {
    kernel_lock();
    expect(handle_promise(process, 1), "handle_promise");
    ax_handle handle = handle_put_promised(process, object, rights);
    kernel_unlock();
    return handle;
}

struct object *driver_object(struct process *process, ax_handle handle) {
    struct object *object = NULL;
    kernel_lock();
    expect(handle_lookup(process, handle, AX_TYPE_NONE, 0, &object), "handle_lookup");
    kernel_unlock();
    return object;
}

ax_handle driver_copy(struct process *from, ax_handle handle, struct process *to, uint32_t rights) {
    struct object *object = NULL;
    uint32_t held = 0;
    kernel_lock();
    expect(handle_lookup_rights(from, handle, AX_TYPE_NONE, 0, &object, &held), "handle_lookup");
    kernel_unlock();
    return driver_handle(to, object, held & rights);
}

uint64_t driver_map(struct process *process, uint64_t address, uint64_t page_count, uint32_t prot) {
    uint64_t looked = 0;
    kernel_lock();
    if (address == 0)
        expect(space_place(process, page_count, &looked, &address), "space_place");
    struct region wanted = {.process = process,
                            .start = address,
                            .page_count = page_count,
                            .prot = prot,
                            .allowed = AX_PROT_ALL,
                            .is_private = true};
    expect(space_map(&wanted), "space_map");
    kernel_unlock();
    return address;
}

/* Copies between the test's memory and a process's, page by page. */
static void move(struct process *process, uint64_t address, char *own, size_t size,
                 uint32_t access) {
    kernel_lock();
    for (size_t done = 0, part; done < size; done += part) {
        struct frame *frame = NULL;
        uint64_t in_page = (address + done) % AX_PAGE_SIZE;
        part = size - done < AX_PAGE_SIZE - in_page ? size - done : AX_PAGE_SIZE - in_page;
        expect(page_resolve(process, address + done, access, false, &frame), "page_resolve");
        char *theirs = (char *)frame_window(frame) + in_page;
        bool write = access == AX_PROT_WRITE;
        memcpy(write ? theirs : own + done, write ? own + done : theirs, part);
    }
    kernel_unlock();
}

void driver_write(struct process *process, uint64_t address, const void *from, size_t size) {
    move(process, address, (char *)from, size, AX_PROT_WRITE);
}

void driver_read(struct process *process, uint64_t address, void *to, size_t size) {
    move(process, address, to, size, AX_PROT_READ);
}
