/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* NOLINT: for MAP_FIXED_NOREPLACE */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include <abi/abi.h>
#include <base/align.h>
#include <base/assert.h>
#include <hal/core.h>

#include "machine.h"

#define MODEL_ADDRESS 0x200000000000
/* Messages of interrupts, as a PC has them: the line is the data. */
#define MESSAGE_ADDRESS UINT64_C(0xfee00000)
#define MESSAGE_DATA    UINT64_C(0x30)

struct model *const model = (struct model *)MODEL_ADDRESS; /* NOLINT: the one fixed address */

/* ---- The machine, from outside --------------------------------------------------------------- */

/* The parts of the area, one after the other; each is aligned to a cache line. */
struct layout {
    size_t cpus, translations, tlbs, irq_masked, irq_modes, irq_pending, ram, end;
};

static size_t layout_add(size_t *end, size_t size_bytes, size_t alignment) {
    size_t start = align_up(*end, alignment);
    *end = start + size_bytes;
    return start;
}

static struct layout layout_of(const struct model_config *config) {
    struct layout layout = {.end = sizeof(struct model)};
    size_t *end = &layout.end;
    layout.cpus = layout_add(end, config->cpu_count * sizeof(struct model_cpu), 64);
    layout.translations =
        layout_add(end, config->translations * sizeof(struct model_translation), 64);
    layout.tlbs = layout_add(
        end, sizeof(struct model_translation) * config->cpu_count * config->tlb_entries, 64);
    layout.irq_masked = layout_add(end, config->irq_count, 64);
    layout.irq_modes = layout_add(end, config->irq_count, 64);
    layout.irq_pending = layout_add(end, config->irq_count * sizeof(uint64_t), 64);
    layout.ram = layout_add(end, config->memory_bytes, AX_PAGE_SIZE);
    layout.end = align_up(layout.end, AX_PAGE_SIZE);
    return layout;
}

static void add_range(struct hal_boot *boot, uint64_t first_page, uint64_t end_page) {
    if (first_page >= end_page)
        return;
    boot->memory[boot->memory_count++] =
        (struct hal_range){.base = MODEL_RAM_BASE + first_page * AX_PAGE_SIZE,
                           .size_bytes = (end_page - first_page) * AX_PAGE_SIZE};
}

/* Modules go to the top of RAM. */
static void boot_data_make(const struct model_config *config) {
    struct hal_boot *boot = &model->boot;
    uint64_t end_page = config->memory_bytes / AX_PAGE_SIZE;
    for (uint32_t i = 0; i < config->module_count; i++) {
        uint64_t bytes = config->module_bytes[i];
        uint64_t pages = align_up(bytes, AX_PAGE_SIZE) / AX_PAGE_SIZE;
        MODEL_CHECK(pages < end_page);
        end_page -= pages;
        memcpy(model->ram + end_page * AX_PAGE_SIZE, config->modules[i], bytes);
        boot->modules[i] = (struct hal_range){.base = MODEL_RAM_BASE + end_page * AX_PAGE_SIZE,
                                              .size_bytes = pages * AX_PAGE_SIZE};
        boot->module_bytes[i] = bytes;
    }
    boot->module_count = config->module_count;
    uint64_t hole = config->hole_start != 0 ? config->hole_start : end_page / 2;
    add_range(boot, 0, hole);
    add_range(boot, hole + config->hole_pages, end_page);
    if (config->hole_pages == 0) { /* one range after all */
        boot->memory[0].size_bytes += boot->memory[1].size_bytes;
        boot->memory_count = 1;
    }
    boot->cpu_count = config->cpu_count;
    boot->vector_bytes = config->vector_bytes;
    boot->irq_count = config->irq_count;
    boot->irq_wired = config->irq_count - config->irq_messages;
    boot->physical_bits = config->physical_bits;
    boot->acpi_root = config->acpi_root;
    boot->framebuffer = config->framebuffer;
    boot->command_line = model->command_line;
    boot->trace_mask = config->trace_mask;
    snprintf(model->command_line, sizeof(model->command_line), "%s", config->command_line);
}

/* With defaults where nothing is asked for. */
static struct model_config config_complete(struct model_config config) {
    if (config.cpu_count == 0)
        config.cpu_count = 1;
    if (config.memory_bytes == 0)
        config.memory_bytes = UINT64_C(4) << 20;
    if (config.translations == 0)
        config.translations = 4096;
    if (config.tlb_entries == 0)
        config.tlb_entries = 16;
    if (config.physical_bits == 0)
        config.physical_bits = 46;
    if (config.command_line == NULL)
        config.command_line = "";
    return config;
}

void model_create(const struct model_config *wanted) {
    struct model_config config = config_complete(*wanted);
    MODEL_CHECK(config.cpu_count <= AX_CPU_MAX && is_power_of_two(config.tlb_entries));
    MODEL_CHECK(is_aligned(config.memory_bytes, AX_PAGE_SIZE));
    MODEL_CHECK(config.irq_messages <= config.irq_count && config.physical_bits <= 52);
    struct layout layout = layout_of(&config);
    void *area = mmap((void *)MODEL_ADDRESS, layout.end, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (area != (void *)MODEL_ADDRESS) {
        perror("the scripted machine's memory"); /* another one exists, or something is there */
        abort();
    }
    char *base = area;
    model->config = config;
    model->state_bytes = layout.end;
    model->cpus = (void *)(base + layout.cpus);
    model->translations = (void *)(base + layout.translations);
    model->tlbs = (void *)(base + layout.tlbs);
    model->irq_masked = (void *)(base + layout.irq_masked);
    model->irq_modes = (void *)(base + layout.irq_modes);
    model->irq_pending = (void *)(base + layout.irq_pending);
    model->ram = base + layout.ram;
    random_seed(&model->random, config.seed);
    for (uint32_t i = 0; i < config.cpu_count; i++)
        model->cpus[i].deadline_ns = UINT64_MAX;
    memset(model->irq_masked, 1, config.irq_count);
    model_assert_hooks(&model->config.hooks);
    boot_data_make(&config);
}

void model_destroy(void) {
    model_assert_hooks(NULL);
    if (munmap(model, model->state_bytes) != 0)
        abort();
}

size_t model_state_bytes(void) {
    return model->state_bytes;
}

void model_save(void *copy) {
    memcpy(copy, model, model->state_bytes);
}

void model_restore(const void *copy) {
    memcpy(model, copy, model->state_bytes);
}

void model_cpu_set(uint32_t cpu) {
    MODEL_CHECK(cpu < model->config.cpu_count);
    model->this_cpu = cpu;
}

void model_time_advance(uint64_t ns) {
    model->now_ns += ns;
}

uint64_t model_deadline(uint32_t cpu) {
    return model->cpus[cpu].deadline_ns;
}

void model_irq_raise(uint32_t irq, uint32_t cpu) {
    MODEL_CHECK(irq < model->config.irq_count);
    model->irq_pending[irq] |= UINT64_C(1) << cpu;
}

bool model_irq_is_masked(uint32_t irq) {
    return model->irq_masked[irq] != 0;
}

void model_destroy_wait(uint64_t count) {
    model->destroy_waits = count;
}

enum ax_irq_mode model_irq_mode(uint32_t irq) {
    return (enum ax_irq_mode)model->irq_modes[irq];
}

void model_irq_message(uint64_t address, uint64_t data, uint32_t cpu) {
    uint64_t irq = data - MESSAGE_DATA;
    MODEL_CHECK(address == MESSAGE_ADDRESS && irq >= model->boot.irq_wired);
    MODEL_CHECK(irq < model->config.irq_count);
    model_irq_raise((uint32_t)irq, cpu);
}

void model_fail_after(uint64_t count) {
    model->fail_countdown = count;
}

bool model_will_fail(void) {
    return model->fail_countdown != 0;
}

uint64_t model_memory_bytes(void) {
    return model->config.memory_bytes;
}

bool model_fails(void) {
    return model->fail_countdown != 0 && --model->fail_countdown == 0;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The first line that is raised at this CPU and not masked, or irq_count. */
static uint32_t irq_find(uint32_t cpu) {
    uint32_t irq = 0;
    while (irq < model->config.irq_count &&
           ((model->irq_pending[irq] >> cpu & 1) == 0 || model->irq_masked[irq] != 0))
        irq++;
    return irq;
}

bool model_cpu_is_pending(uint32_t cpu) {
    const struct model_cpu *at = &model->cpus[cpu];
    return at->kicked || at->deadline_ns <= model->now_ns ||
           irq_find(cpu) < model->config.irq_count;
}

/* Kick, then timer, then interrupts: takes the first that is pending. */
static bool event_take(uint32_t cpu, struct hal_event *event) {
    struct model_cpu *at = &model->cpus[cpu];
    if (at->kicked) {
        at->kicked = false;
        event->kind = HAL_EVENT_KICK;
        return true;
    }
    if (at->deadline_ns <= model->now_ns) {
        at->deadline_ns = UINT64_MAX;
        event->kind = HAL_EVENT_TIMER;
        return true;
    }
    uint32_t irq = irq_find(cpu);
    if (irq == model->config.irq_count)
        return false;
    model->irq_pending[irq] &= ~(UINT64_C(1) << cpu);
    model->irq_masked[irq] = 1;
    event->kind = HAL_EVENT_INTERRUPT;
    event->irq = irq;
    return true;
}

static void entry_time_pass(void) {
    if (model->config.entry_ns != 0)
        model->now_ns += random_below(&model->random, model->config.entry_ns) + 1;
}

void hal_user_run(struct hal_user *user, struct hal_space *space, struct hal_event *event) {
    uint32_t cpu = model->this_cpu;
    MODEL_CHECK(user->machine[USER_EXISTS] == 1);
    MODEL_CHECK(user->machine[USER_SPACE] == space->machine[SPACE_ID]);
    MODEL_CHECK((user->regs.rflags & ~AX_RFLAGS_USER) == AX_RFLAGS_FIXED);
    MODEL_CHECK(user->regs.rip < AX_USER_END && user->regs.fs_base < AX_USER_END);
    model_space_load(cpu, (uint32_t)space->machine[SPACE_ID]);
    *event = (struct hal_event){.kind = HAL_EVENT_KICK};
    if (!event_take(cpu, event)) {
        const struct model_hooks *hooks = &model->config.hooks;
        if (hooks->user == NULL || !hooks->user(hooks->context, cpu, user, event))
            event->kind = HAL_EVENT_KICK;
    }
    entry_time_pass();
}

void hal_cpu_wait(struct hal_event *event) {
    uint32_t cpu = model->this_cpu;
    *event = (struct hal_event){.kind = HAL_EVENT_KICK};
    bool taken = event_take(cpu, event);
    const struct model_hooks *hooks = &model->config.hooks;
    if (!taken && hooks->others != NULL) {
        hooks->others(hooks->context, cpu);
        taken = event_take(cpu, event);
    }
    if (!taken && model->config.jump_time && model->cpus[cpu].deadline_ns != UINT64_MAX) {
        model->now_ns = model->cpus[cpu].deadline_ns;
        taken = event_take(cpu, event);
        MODEL_CHECK(taken);
    }
    entry_time_pass();
}

/* ---- Users ----------------------------------------------------------------------------------- */

bool hal_user_create(struct hal_user *user, struct hal_space *space) {
    MODEL_CHECK(user->machine[USER_EXISTS] == 0 && space->machine[SPACE_ID] != 0);
    MODEL_CHECK(space->machine[SPACE_GOES] == 0);
    MODEL_CHECK((user->vector != NULL) == (model->config.vector_bytes != 0));
    MODEL_CHECK(is_aligned((uintptr_t)user->vector, 64));
    if (model_fails())
        return false;
    space->machine[SPACE_HAD_USERS] = 1;
    user->machine[USER_EXISTS] = 1;
    user->machine[USER_SPACE] = space->machine[SPACE_ID];
    if (user->vector != NULL)
        memset(user->vector, 0, model->config.vector_bytes);
    model->users++;
    return true;
}

void hal_user_destroy(struct hal_user *user) {
    MODEL_CHECK(user->machine[USER_EXISTS] == 1);
    user->machine[USER_EXISTS] = 0;
    model->users--;
}

uint64_t model_users(void) {
    return model->users;
}

/* ---- The rest of the contract ---------------------------------------------------------------- */

const struct hal_boot *hal_boot(void) {
    return &model->boot;
}

uint32_t hal_cpu_id(void) {
    return model->this_cpu;
}

bool hal_cpu_start(uint32_t cpu) {
    const struct model_hooks *hooks = &model->config.hooks;
    MODEL_CHECK(cpu != 0 && cpu < model->config.cpu_count);
    return hooks->start == NULL || hooks->start(hooks->context, cpu);
}

void hal_cpu_kick(uint32_t cpu) {
    MODEL_CHECK(cpu < model->config.cpu_count);
    model->cpus[cpu].kicked = true;
}

void hal_cpu_pause(void) {
    const struct model_hooks *hooks = &model->config.hooks;
    MODEL_CHECK(hooks->others != NULL);
    hooks->others(hooks->context, model->this_cpu);
}

void *hal_window(uint64_t physical) {
    MODEL_CHECK(physical >= MODEL_RAM_BASE &&
                physical - MODEL_RAM_BASE < model->config.memory_bytes);
    return model->ram + (physical - MODEL_RAM_BASE);
}

void hal_kernel_page(uint64_t physical) {
    static const unsigned char call[] = {0x0f, 0x05, 0xc3};  /* syscall; ret */
    static const unsigned char clock[] = {0x0f, 0x31, 0xc3}; /* rdtsc, all of it to rax; ret */
    static const unsigned char yield[] = {0xc3};             /* ret: tests switch threads */
    unsigned char *page = hal_window(physical);
    memcpy(page + (AX_KERNEL_CALL - AX_KERNEL_PAGE), call, sizeof(call));
    memcpy(page + (AX_KERNEL_CLOCK - AX_KERNEL_PAGE), clock, sizeof(clock));
    memcpy(page + (AX_KERNEL_YIELD - AX_KERNEL_PAGE), yield, sizeof(yield));
}

void hal_irq_setup(uint32_t irq, uint32_t mode) {
    MODEL_CHECK(irq < model->config.irq_count && mode < AX_IRQ_MODE_COUNT);
    MODEL_CHECK(mode == AX_IRQ_DEFAULT || irq < model->boot.irq_wired);
    model->irq_modes[irq] = (uint8_t)mode;
    model->irq_masked[irq] = 1;
}

void hal_irq_message(uint32_t irq, uint64_t *address, uint64_t *data) {
    MODEL_CHECK(irq >= model->boot.irq_wired && irq < model->config.irq_count);
    *address = MESSAGE_ADDRESS;
    *data = MESSAGE_DATA + irq;
}

void hal_irq_unmask(uint32_t irq) {
    MODEL_CHECK(irq < model->config.irq_count);
    model->irq_masked[irq] = 0;
}

void hal_irq_mask(uint32_t irq) {
    MODEL_CHECK(irq < model->config.irq_count);
    model->irq_masked[irq] = 1;
}

uint64_t hal_time_ns(void) {
    return model->now_ns;
}

void hal_deadline_set(uint64_t deadline_ns) {
    model->cpus[model->this_cpu].deadline_ns = deadline_ns;
}

uint32_t hal_port_read(uint32_t port, uint32_t width_bytes) {
    MODEL_CHECK(port < 65536 && is_power_of_two(width_bytes) && width_bytes <= 4);
    return (uint32_t)(UINT64_MAX >> (64 - 8 * width_bytes));
}

void hal_port_write(uint32_t port, uint32_t width_bytes, uint32_t value) {
    MODEL_CHECK(port < 65536 && is_power_of_two(width_bytes) && width_bytes <= 4);
    (void)value;
}

void hal_console_write(const char *text, size_t size_bytes) {
    const struct model_hooks *hooks = &model->config.hooks;
    if (hooks->console != NULL)
        hooks->console(hooks->context, text, size_bytes);
}

void hal_trace(const struct ax_trace_entry *entry) {
    const struct model_hooks *hooks = &model->config.hooks;
    if (hooks->trace != NULL)
        hooks->trace(hooks->context, entry);
}

void hal_entropy(void *buffer, size_t size_bytes) {
    unsigned char *at = buffer;
    for (size_t i = 0; i < size_bytes; i++)
        at[i] = (unsigned char)random_next(&model->random);
}

void hal_halt(int code) {
    const struct model_hooks *hooks = &model->config.hooks;
    model->halted = true;
    if (hooks->halt != NULL)
        hooks->halt(hooks->context, code);
    fprintf(stderr, "the machine halted: %d\n", code);
    abort();
}
