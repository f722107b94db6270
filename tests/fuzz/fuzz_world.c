/* SPDX-License-Identifier: MIT */
#include "fuzz_world.h"

#include <string.h>

static ax_handle make(enum ax_type type, uint64_t argument) {
    ax_result result =
        kcall(driver_root_thread(), AX_CALL_OBJECT_CREATE, type, argument, AX_PLACE_ANY);
    if (result < 0)
        driver_fail("object_create %d: %lld", type, (long long)result);
    return (ax_handle)result;
}

static void map_pages(struct process *process, struct memory *shared) {
    uint32_t prot = AX_PROT_READ | AX_PROT_WRITE;
    driver_map(process, WORLD_MEMORY, WORLD_PAGES, prot);
    struct region wanted = {.process = process,
                            .start = WORLD_MEMORY + WORLD_PAGES * AX_PAGE_SIZE,
                            .page_count = WORLD_PAGES,
                            .memory = shared,
                            .prot = prot,
                            .allowed = AX_PROT_ALL};
    kernel_lock();
    ax_result result = space_map(&wanted);
    kernel_unlock();
    if (result != AX_OK)
        driver_fail("space_map: %lld", (long long)result);
}

/* A process with a copy of all that root has, and itself. */
static struct process *populate(unsigned thread_count, struct memory *shared) {
    struct process *root = driver_root();
    struct process *process = driver_process();
    map_pages(process, shared);
    for (unsigned index = 1; index < 32; index++) {
        struct slot *slot = handle_slot(&root->handles, index);
        if (slot != NULL && slot->object != NULL)
            driver_handle(process, slot->object, slot->rights);
    }
    for (unsigned i = 0; i < thread_count; i++) {
        struct thread *thread = driver_thread(process);
        thread->page->personality_stack = WORLD_MEMORY + AX_PAGE_SIZE;
        thread->page->ipc.deadline_ns = AX_TIME_NEVER;
        thread->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    }
    process->personality = (struct ax_personality){.entry = 0x400000,
                                                   .recovery = 0x400100,
                                                   .range_start = 0x400200,
                                                   .range_end = 0x400210,
                                                   .range_restart = 0x400180};
    return process;
}

static void world_make(void) {
    static const struct driver_config config = {.model = {.cpu_count = WORLD_CPUS,
                                                          .memory_bytes = 1 << 20,
                                                          .irq_count = 8,
                                                          .vector_bytes = 64,
                                                          .table_frames = true,
                                                          .entry_ns = 1000,
                                                          .seed = 1}};
    driver_start(&config);
    struct thread *root = driver_root_thread();
    root->page->ipc.deadline_ns = AX_TIME_NEVER;
    root->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    ax_handle endpoint = make(AX_TYPE_ENDPOINT, 0);
    for (uint64_t badge = 1; badge < 4; badge++)
        (void)kcall(root, AX_CALL_SESSION_CREATE, endpoint, badge, 0, AX_PLACE_ANY);
    make(AX_TYPE_EVENT, 0);
    make(AX_TYPE_TIMER, 0);
    make(AX_TYPE_QUEUE, 0);
    make(AX_TYPE_QUEUE, 0);
    ax_result memory = kcall(root, AX_CALL_MEMORY_CREATE, WORLD_PAGES, 0, AX_PLACE_ANY);
    (void)kcall(root, AX_CALL_IRQ_CREATE, AX_ROOT_DEVICE_IRQS, 1, AX_PLACE_ANY);
    struct memory *shared = (struct memory *)driver_object(driver_root(), (ax_handle)memory);
    (void)driver_process(); /* the stash */
    populate(2, shared);
    populate(1, shared);
    populate(1, shared);
}

void world_restore(void) {
    static struct driver_snapshot *first;
    if (first == NULL) {
        world_make();
        first = driver_snapshot();
        return;
    }
    driver_restore(first);
}
