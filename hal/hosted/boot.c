/* SPDX-License-Identifier: MIT */
/* The machine as core finds it, and the rest of the contract that is small. */
#include "machine.h"

#include <abi/root.h>
#include <base/align.h>
#include <base/format.h>
#include <base/memory.h>

#include "seed.h"

#define IRQ_COUNT     32
#define PHYSICAL_BITS 48
/* As much as core takes of it. */
#define COMMAND_LINE_BYTES sizeof(((struct ax_boot_page *)0)->command_line)
/* What core writes first, from the beginning of memory on: so much of each page, and its rings. */
#define EARLY_PART       128
#define EARLY_RINGS_PART 64
#define EARLY_RINGS_MOST (UINT64_C(5) << 19)

/* blob.S */
extern const uint8_t stub_code[], zygote_program[];
extern const uint64_t stub_code_bytes, zygote_program_bytes;

static struct hal_boot boot;
static uint8_t *memory;

const struct hal_boot *hal_boot(void) {
    return &boot;
}

/* The offset in the shared memory is the physical address. */
void *hal_window(uint64_t physical) {
    return memory + physical;
}

void *machine_shared(uint64_t offset) {
    return memory + offset;
}

bool machine_is_ram(uint64_t physical, uint64_t page_count) {
    uint64_t end = boot.memory[0].base + boot.memory[0].size_bytes;
    for (uint32_t i = 0; i < boot.module_count; i++)
        end = boot.modules[i].base + boot.modules[i].size_bytes;
    return physical >= MEMORY_RAM && physical < end &&
           page_count <= (end - physical) / AX_PAGE_SIZE;
}

/* ---- Making it ------------------------------------------------------------------------------- */

/* The date goes first: what the user says may replace it, and nothing may cut it off. */
static const char *command_line_make(const char *from_user) {
    static char line[COMMAND_LINE_BYTES];
    format(line, sizeof(line), "realtime=%llu %s", (unsigned long long)clock_date_ns(), from_user);
    return line;
}

/* RAM, and the modules behind it. */
static void boot_fill(const struct machine_options *options) {
    uint64_t at = MEMORY_RAM + align_down(options->memory_bytes, AX_PAGE_SIZE);
    boot = (struct hal_boot){
        .cpu_count = options->cpu_count,
        .memory_count = 1,
        .memory = {{MEMORY_RAM, at - MEMORY_RAM}},
        .kernel = {0, MEMORY_RAM},
        .command_line = command_line_make(options->command_line),
        .irq_count = IRQ_COUNT,
        .irq_wired = IRQ_COUNT,
        .physical_bits = PHYSICAL_BITS,
        .trace_mask = host_trace_is_open() ? (UINT64_C(1) << AX_TRACE_COUNT) - 1 : 0,
    };
    for (uint32_t i = 0; i < MACHINE_MODULES && options->modules[i] != NULL; i++) {
        uint64_t size_bytes = align_up(options->module_bytes[i], AX_PAGE_SIZE);
        boot.modules[i] = (struct hal_range){at, size_bytes};
        boot.module_bytes[i] = options->module_bytes[i];
        boot.module_count = i + 1;
        at += size_bytes;
    }
}

static void constants_fill(void) {
    struct stub_constants *constants = machine_shared(MEMORY_CONSTANTS);
    static const uint32_t mxcsr = 0x1f80; /* its initial value, at its place in the state */
    unsigned most = (unsigned)(STUB_CONSTANTS_BYTES - offsetof(struct stub_constants, program)) / 8;
    unsigned length =
        host_filter_make(STUB_TEXT, STUB_TEXT + STUB_TEXT_BYTES, constants->program, most);
    if (length == 0)
        host_fail("the filter for guest threads cannot be made");
    constants->done = 1;
    constants->failed = UINT64_C(1) << 32;
    constants->filter_length = (uint16_t)length;
    constants->filter = STUB_CONSTANTS + offsetof(struct stub_constants, program);
    constants->is_seeded = seed_is_on();
    memcpy(constants->vector + 24, &mxcsr, sizeof(mxcsr));
}

/* What core writes to before anything runs. */
static void memory_populate(void) {
    uint64_t ram_bytes = boot.memory[0].size_bytes, rings_bytes = ram_bytes / EARLY_RINGS_PART;
    if (rings_bytes > EARLY_RINGS_MOST)
        rings_bytes = EARLY_RINGS_MOST;
    uint64_t early_bytes = ram_bytes / EARLY_PART + rings_bytes;
    host_memory_populate(hal_window(boot.memory[0].base), align_up(early_bytes, AX_PAGE_SIZE));
}

static void cpus_make(uint32_t count) {
    machine_cpu_count = count;
    for (uint32_t id = 0; id < count; id++)
        machine_cpus[id] = (struct machine_cpu){
            .id = id, .host_cpu = host_cpu_choose(id), .deadline_ns = UINT64_MAX};
}

static void machine_make(const struct machine_options *options) {
    void *window;
    clock_begin();
    boot_fill(options);
    uint64_t end = boot.memory[0].base + boot.memory[0].size_bytes;
    for (uint32_t i = 0; i < boot.module_count; i++)
        end = boot.modules[i].base + boot.modules[i].size_bytes;
    if (host_memory_create(end, &window) < 0)
        host_fail("%llu MiB of memory cannot be had: %s",
                  (unsigned long long)(options->memory_bytes >> 20), host_error_text());
    memory = window;
    memcpy(machine_shared(MEMORY_TEXT), stub_code, stub_code_bytes);
    constants_fill();
    if (!host_zygote_start(zygote_program, zygote_program_bytes))
        host_fail("the process that makes others cannot be started: %s", host_error_text());
    memory_populate();
    for (uint32_t i = 0; i < boot.module_count; i++) {
        host_memory_populate(hal_window(boot.modules[i].base), boot.modules[i].size_bytes);
        memcpy(hal_window(boot.modules[i].base), options->modules[i], boot.module_bytes[i]);
        host_file_drop(options->modules[i], boot.module_bytes[i]);
    }
    cpus_make(options->cpu_count);
    devices_make();
    clock_calibrate();
    struct stub_constants *constants = machine_shared(MEMORY_CONSTANTS);
    constants->yield_most = clock_counts(yield_most_ns());
}

static void first_cpu_begin(void *argument) {
    cpu_here = argument;
    core_start();
}

void machine_run(const struct machine_options *options) {
    host_child_watch();
    if (options->is_seeded)
        seed_begin(options->seed);
    machine_make(options);
    if (options->is_confined)
        host_confine_calls();
    if (!host_thread_start(first_cpu_begin, &machine_cpus[0], machine_cpus[0].host_cpu))
        host_fail("no thread for CPU 0 can be had: %s", host_error_text());
    devices_start();
    stubs_watch();
}

/* ---- The rest -------------------------------------------------------------------------------- */

void hal_console_write(const char *text, size_t size_bytes) {
    host_log_write(text, size_bytes);
}

void hal_entropy(void *buffer, size_t size_bytes) {
    if (seed_is_on())
        seed_entropy(buffer, size_bytes);
    else
        host_entropy(buffer, size_bytes);
}

void hal_halt(int code) {
    host_exit(code);
}

void assert_failed(const char *expression, const char *file, int line) {
    core_log_show();
    host_fail("assertion failed: %s (%s:%d)", expression, file, line);
}
