/* SPDX-License-Identifier: MIT */
/* From the machine's boot data to a kernel with a root task. */
#include "cpu.h"

#include <base/align.h>
#include <base/memory.h>

#include "account.h"
#include "device.h"
#include "kernel.h"
#include "memory.h"
#include "process.h"

struct kernel *kernel;

/* The beginning of the largest range of RAM: what core needs from the start, one after the other.
 */
struct arena {
    struct hal_range range;
    uint64_t used_bytes;
};

/* Boot can only fail for want of memory. There may be no log yet. */
static _Noreturn void boot_fail(void) {
    static const char text[] = "boot: there is not enough memory\n";
    hal_console_write(text, sizeof(text) - 1);
    hal_halt(1);
}

static void boot_expect(ax_result result) {
    if (result < 0)
        boot_fail();
}

static struct arena arena_find(const struct hal_boot *boot) {
    struct arena arena = {0};
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        if (boot->memory[i].size_bytes > arena.range.size_bytes)
            arena.range = boot->memory[i];
    }
    return arena;
}

/* Zeroed; aligned for anything. */
static void *arena_take(struct arena *arena, uint64_t size_bytes) {
    uint64_t start = align_up(arena->used_bytes, 64);
    if (size_bytes > arena->range.size_bytes || start > arena->range.size_bytes - size_bytes)
        boot_fail();
    arena->used_bytes = start + size_bytes;
    return memset(hal_window(arena->range.base + start), 0, size_bytes);
}

/* A ring's size: a power of two, the share of RAM that it may take at most, within limits. */
static uint64_t ring_bytes(uint64_t ram_bytes, uint64_t most_bytes) {
    uint64_t size = 1024;
    while (size * 2 <= ram_bytes / 128 && size < most_bytes)
        size *= 2;
    return size;
}

static void rings_make(struct arena *arena) {
    uint64_t log_bytes = ring_bytes(arena->range.size_bytes, UINT64_C(256) << 10);
    uint64_t trace_bytes = ring_bytes(arena->range.size_bytes, UINT64_C(2) << 20);
    kernel->log.bytes = arena_take(arena, log_bytes);
    kernel->log.size = log_bytes;
    kernel->trace.entries = arena_take(arena, trace_bytes);
    kernel->trace.size = trace_bytes / sizeof(struct ax_trace_entry);
    kernel->trace.mask = hal_boot()->trace_mask;
}

static void cpus_make(struct arena *arena, uint32_t cpu_count) {
    kernel->cpu_count = cpu_count < AX_CPU_MAX ? cpu_count : AX_CPU_MAX;
    kernel->cpus = arena_take(arena, kernel->cpu_count * sizeof(struct cpu));
    for (uint32_t id = 0; id < kernel->cpu_count; id++) {
        struct cpu *cpu = &kernel->cpus[id];
        cpu->id = id;
        cpu->deadline_ns = UINT64_MAX;
        for (unsigned priority = 0; priority < AX_PRIORITY_COUNT; priority++)
            list_init(&cpu->queues[priority]);
    }
}

static void range_include(struct hal_range *all, const struct hal_range *range) {
    uint64_t end = all->base + all->size_bytes;
    uint64_t range_end = range->base + range->size_bytes;
    if (range->base < all->base)
        all->base = range->base;
    all->size_bytes = (range_end > end ? range_end : end) - all->base;
}

/* All of RAM, modules too, gets its struct frame; what is left of the ranges becomes free. */
static void frames_make(struct arena *arena, const struct hal_boot *boot) {
    struct hal_range all = arena->range;
    for (uint32_t i = 0; i < boot->memory_count; i++)
        range_include(&all, &boot->memory[i]);
    for (uint32_t i = 0; i < boot->module_count; i++)
        range_include(&all, &boot->modules[i]);
    uint64_t page_count = all.size_bytes / AX_PAGE_SIZE;
    struct frame *frames = arena_take(arena, page_count * sizeof(struct frame));
    frame_init(frames, all.base / AX_PAGE_SIZE, page_count);
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        struct hal_range range = boot->memory[i];
        if (range.base == arena->range.base) {
            uint64_t used_bytes = align_up(arena->used_bytes, AX_PAGE_SIZE);
            range.base += used_bytes;
            range.size_bytes -= used_bytes;
        }
        if (range.size_bytes > 0)
            frame_add_range(range.base, range.size_bytes);
    }
}

static void kernel_page_make(void) {
    struct frame *frame;
    boot_expect(frame_alloc(NULL, 0, &frame));
    kernel->physical_kernel_page = frame_physical(frame);
    hal_kernel_page(kernel->physical_kernel_page);
}

/* ---- What the root task is handed ------------------------------------------------------------ */

/* Puts an object at an index of the root task's table, and drops the maker's ref. */
static void root_give(enum ax_root_handle index, struct object *object, uint32_t rights) {
    struct place place = {.process = kernel->root.process, .slot = (uint32_t)index};
    boot_expect(handle_promise(place.process, 1));
    place_put(&place, object, rights);
    object_unref(object);
}

static void device_give(enum ax_root_handle index, enum ax_device_kind kind, uint64_t size) {
    struct device *device;
    boot_expect(device_make(kernel->root_account, NULL, kind, 0, size, &device));
    root_give(index, &device->object, AX_RIGHT_ALL);
}

/* The second module's frames become those of a memory object. */
static void image_give(const struct hal_boot *boot) {
    struct memory *memory;
    struct hal_range range = boot->module_count > 1 ? boot->modules[1] : (struct hal_range){0};
    uint64_t page_count = range.size_bytes / AX_PAGE_SIZE;
    boot_expect(memory_make(kernel->root_account, page_count, &memory));
    kernel->root_account->limit_bytes += range.size_bytes;
    for (uint64_t page = 0; page < page_count; page++) {
        struct frame *frame;
        boot_expect(frame_adopt(range.base + page * AX_PAGE_SIZE, kernel->root_account, &frame));
        boot_expect(memory_insert(memory, page, frame));
    }
    root_give(AX_ROOT_IMAGE, &memory->object,
              AX_RIGHT_READ | AX_RIGHT_EXECUTE | AX_RIGHT_COPY | AX_RIGHT_MOVE);
}

static void boot_page_give(const struct hal_boot *boot) {
    struct memory *memory;
    unsigned portion = 1;
    boot_expect(memory_make_contiguous(kernel->root_account, 1, &portion, &memory));
    struct ax_boot_page *page = frame_window(memory_find(memory, 0));
    kernel->root.page = page;
    kernel->root.memory = memory;
    object_ref(&memory->object);
    page->cpu_count = kernel->cpu_count;
    page->memory_bytes = kernel->frames.total_count * AX_PAGE_SIZE;
    page->image_bytes = boot->module_count > 1 ? boot->module_bytes[1] : 0;
    page->irq_wired = boot->irq_wired;
    page->acpi_root = boot->acpi_root;
    page->framebuffer = boot->framebuffer;
    for (size_t i = 0; i + 1 < sizeof(page->command_line) && boot->command_line[i] != 0; i++)
        page->command_line[i] = boot->command_line[i];
    hal_entropy(page->entropy, sizeof(page->entropy));
    root_give(AX_ROOT_BOOT, &memory->object, AX_RIGHT_READ | AX_RIGHT_COPY | AX_RIGHT_MOVE);
}

static void root_task_make(const struct hal_boot *boot) {
    boot_expect(process_make(kernel->root_account, &kernel->root.process));
    kernel->root.process->is_root = true;
    object_ref(&kernel->root.process->object); /* core's own, beside the handle's */
    root_give(AX_ROOT_PROCESS, &kernel->root.process->object, AX_RIGHT_PROCESS);
    object_ref(&kernel->root_account->object);
    root_give(AX_ROOT_ACCOUNT, &kernel->root_account->object, AX_RIGHT_ALL);
    device_give(AX_ROOT_SYSTEM, AX_DEVICE_SYSTEM, 0);
    device_give(AX_ROOT_DEVICE_MEMORY, AX_DEVICE_MEMORY, UINT64_C(1) << boot->physical_bits);
    device_give(AX_ROOT_DEVICE_PORTS, AX_DEVICE_PORTS, 65536);
    device_give(AX_ROOT_DEVICE_IRQS, AX_DEVICE_IRQS, boot->irq_count);
    image_give(boot);
    boot_page_give(boot);
    root_start();
}

void core_init(void) {
    const struct hal_boot *boot = hal_boot();
    struct arena arena = arena_find(boot);
    kernel = arena_take(&arena, sizeof(*kernel));
    list_init(&kernel->work);
    list_init(&kernel->corpses);
    list_init(&kernel->objects);
    kernel->fast_ipc = true;
    cpus_make(&arena, boot->cpu_count);
    rings_make(&arena);
    kernel_lock();
    heap_init();
    frames_make(&arena, boot);
    kernel_page_make();
    boot_expect(object_make(AX_TYPE_ACCOUNT, NULL, sizeof(struct account), &kernel->root_account));
    list_init(&kernel->root_account->corpses);
    kernel->root_account->limit_objects = UINT64_MAX;
    kernel->root_account->limit_bytes = kernel->frames.total_count * AX_PAGE_SIZE;
    root_task_make(boot);
    log_line("axolotl: %llu pages, %u CPUs", (unsigned long long)kernel->frames.total_count,
             kernel->cpu_count);
    kernel_unlock();
}
