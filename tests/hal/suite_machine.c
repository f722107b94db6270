/* SPDX-License-Identifier: MIT */
/* Boot data, memory, time, interrupts, CPUs. */
#include <stdatomic.h>

#include <base/align.h>
#include <base/memory.h>

#include "suite.h"

#define MILLISECOND UINT64_C(1000000)

/* ---- Boot data and memory -------------------------------------------------------------------- */

static void boot_data(void) {
    const struct hal_boot *boot = hal_boot();
    CHECK(boot == hal_boot());
    CHECK(boot->cpu_count >= 1 && boot->cpu_count <= AX_CPU_MAX);
    CHECK(boot->memory_count >= 1 && boot->memory_count <= HAL_MEMORY_RANGES);
    CHECK(boot->module_count <= HAL_MODULES);
    CHECK(boot->command_line != NULL);
    CHECK(hal_cpu_id() == 0);
    CHECK(boot->irq_wired <= boot->irq_count);
    CHECK(boot->physical_bits >= 32 && boot->physical_bits <= 52);
    CHECK(boot->acpi_root >> boot->physical_bits == 0);
    for (uint32_t i = 0; i < boot->module_count; i++) {
        CHECK(is_aligned(boot->modules[i].base | boot->modules[i].size_bytes, AX_PAGE_SIZE));
        CHECK(boot->module_bytes[i] <= boot->modules[i].size_bytes);
    }
}

static bool ranges_meet(const struct hal_range *a, const struct hal_range *b) {
    return a->base < b->base + b->size_bytes && b->base < a->base + a->size_bytes;
}

static void memory_ranges(void) {
    const struct hal_boot *boot = hal_boot();
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        const struct hal_range *range = &boot->memory[i];
        CHECK(range->size_bytes > 0);
        CHECK(is_aligned(range->base | range->size_bytes, AX_PAGE_SIZE));
        if (i > 0)
            CHECK(range->base >= range[-1].base + range[-1].size_bytes);
        for (uint32_t module = 0; module < boot->module_count; module++)
            CHECK(!ranges_meet(range, &boot->modules[module]));
        CHECK(boot->kernel.size_bytes == 0 || !ranges_meet(range, &boot->kernel));
    }
}

/* Lines of pixels that fit their pitch, colours that fit a pixel, and none of it RAM for core. */
static void framebuffer(void) {
    const struct hal_boot *boot = hal_boot();
    const struct ax_framebuffer *it = &boot->framebuffer;
    if (it->width == 0) {
        suite_not_run("there is none");
        return;
    }
    struct hal_range range = {it->physical, (uint64_t)it->pitch_bytes * it->height};
    CHECK(it->height > 0 && (uint64_t)it->width * it->pixel_bits <= it->pitch_bytes * UINT64_C(8));
    CHECK(it->pixel_bits == 16 || it->pixel_bits == 24 || it->pixel_bits == 32);
    CHECK(it->red_bits > 0 && it->red_shift + it->red_bits <= it->pixel_bits);
    CHECK(it->green_bits > 0 && it->green_shift + it->green_bits <= it->pixel_bits);
    CHECK(it->blue_bits > 0 && it->blue_shift + it->blue_bits <= it->pixel_bits);
    CHECK((range.base + range.size_bytes) >> boot->physical_bits == 0);
    for (uint32_t i = 0; i < boot->memory_count; i++)
        CHECK(!ranges_meet(&range, &boot->memory[i]));
}

/* Every page is there, none is another one, and distances are the same as in physical memory. */
static void window(void) {
    const struct hal_boot *boot = hal_boot();
    uint64_t base = boot->memory[0].base;
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        for (uint64_t at = 0; at < boot->memory[i].size_bytes; at += AX_PAGE_SIZE) {
            uint64_t *words = hal_window(boot->memory[i].base + at);
            words[0] = boot->memory[i].base + at;
            words[AX_PAGE_SIZE / sizeof(*words) - 1] = ~words[0];
        }
    }
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        for (uint64_t at = 0; at < boot->memory[i].size_bytes; at += AX_PAGE_SIZE) {
            uint64_t physical = boot->memory[i].base + at;
            const uint64_t *words = hal_window(physical);
            CHECK((const char *)words - (const char *)hal_window(base) ==
                  (ptrdiff_t)(physical - base));
            CHECK(words[0] == physical);
            CHECK(words[AX_PAGE_SIZE / sizeof(*words) - 1] == ~physical);
        }
    }
}

static void entropy(void) {
    unsigned char a[32] = {0}, b[32] = {0}, zero[32] = {0};
    hal_entropy(a, sizeof(a));
    hal_entropy(b, sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK(memcmp(a, zero, sizeof(a)) != 0);
    hal_entropy(a, 0);
    memcpy(b, a, sizeof(a));
    hal_entropy(a, 1);
    CHECK(memcmp(a + 1, b + 1, sizeof(a) - 1) == 0);
}

static void ports(void) {
    CHECK(hal_port_read(0x2ff, 1) <= 0xff);
    CHECK(hal_port_read(0x2fe, 2) <= 0xffff);
    hal_port_write(0x80, 1, 0); /* the port that means nothing on a PC */
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void clock_goes_forward(void) {
    uint64_t before_ns = hal_time_ns();
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now_ns = hal_time_ns();
        CHECK(now_ns >= before_ns);
        before_ns = now_ns;
    }
}

/* Waits for an event that is no kick. */
static struct hal_event wait_for_event(void) {
    struct hal_event event;
    do
        hal_cpu_wait(&event);
    while (event.kind == HAL_EVENT_KICK);
    return event;
}

static void deadline_past(void) {
    hal_deadline_set(0);
    CHECK(wait_for_event().kind == HAL_EVENT_TIMER);
    hal_deadline_set(hal_time_ns());
    CHECK(wait_for_event().kind == HAL_EVENT_TIMER);
}

static void deadline_future(void) {
    uint64_t deadline_ns = hal_time_ns() + 2 * MILLISECOND;
    hal_deadline_set(deadline_ns);
    CHECK(wait_for_event().kind == HAL_EVENT_TIMER);
    CHECK(hal_time_ns() >= deadline_ns);
}

/* Kicks itself until a wait has brought `count` kicks; whether anything else came. */
static bool only_kicks_come(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct hal_event event;
        hal_cpu_kick(0);
        hal_cpu_wait(&event);
        if (event.kind != HAL_EVENT_KICK)
            return false;
    }
    return true;
}

static void deadline_fires_once(void) {
    hal_deadline_set(0);
    CHECK(wait_for_event().kind == HAL_EVENT_TIMER);
    CHECK(only_kicks_come(10));
}

static void deadline_replaced(void) {
    hal_deadline_set(0);
    hal_deadline_set(hal_time_ns() + 1000000 * MILLISECOND);
    CHECK(only_kicks_come(10));
    hal_deadline_set(0);
    hal_deadline_set(UINT64_MAX);
    CHECK(only_kicks_come(10));
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

static uint32_t test_line(void) {
    return hal_boot()->irq_count - 1;
}

static bool irq_is_raised(void) {
    if (hal_boot()->irq_count == 0 || !machine_irq_raise(test_line())) {
        suite_not_run("no interrupt can be raised");
        return false;
    }
    return true;
}

static void irq_masked_at_start(void) {
    if (!irq_is_raised())
        return;
    CHECK(only_kicks_come(10));
    hal_irq_unmask(test_line());
    struct hal_event event = wait_for_event();
    CHECK(event.kind == HAL_EVENT_INTERRUPT && event.irq == test_line());
    CHECK(only_kicks_come(10));
}

/* After an event the line is masked, and what it raises then is kept. */
static void irq_masked_by_event(void) {
    hal_irq_unmask(hal_boot()->irq_count > 0 ? test_line() : 0);
    if (!irq_is_raised())
        return;
    CHECK(wait_for_event().kind == HAL_EVENT_INTERRUPT);
    CHECK(machine_irq_raise(test_line()));
    CHECK(only_kicks_come(10));
    hal_irq_unmask(test_line());
    CHECK(wait_for_event().kind == HAL_EVENT_INTERRUPT);
    hal_irq_unmask(test_line());
    CHECK(only_kicks_come(10));
    hal_irq_mask(test_line());
    CHECK(machine_irq_raise(test_line()));
    CHECK(only_kicks_come(10));
    hal_irq_unmask(test_line());
    CHECK(wait_for_event().kind == HAL_EVENT_INTERRUPT);
}

/* Each tells which line it is of. */
static void irq_messages(void) {
    uint32_t wired = hal_boot()->irq_wired;
    if (wired == hal_boot()->irq_count)
        suite_not_run("no line is raised by messages");
    for (uint32_t irq = wired; irq < hal_boot()->irq_count; irq++) {
        uint64_t address = 0, data = 0;
        hal_irq_setup(irq, AX_IRQ_DEFAULT);
        hal_irq_message(irq, &address, &data);
        CHECK(address != 0 && is_aligned(address, 4) && data <= UINT32_MAX);
        for (uint32_t before = wired; before < irq; before++) {
            uint64_t other_address = 0, other_data = 0;
            hal_irq_message(before, &other_address, &other_data);
            CHECK(address != other_address || data != other_data);
        }
    }
}

/* A new owner's line is masked, whoever had it before. */
static void irq_setup(void) {
    static const enum ax_irq_mode modes[] = {AX_IRQ_LEVEL_LOW, AX_IRQ_LEVEL_HIGH, AX_IRQ_EDGE_LOW,
                                             AX_IRQ_EDGE_HIGH, AX_IRQ_DEFAULT};
    uint32_t wired = hal_boot()->irq_wired;
    for (unsigned i = 0; i < 5 && wired > 0; i++)
        hal_irq_setup(wired - 1, modes[i]);
    if (!irq_is_raised())
        return;
    hal_irq_unmask(test_line());
    CHECK(wait_for_event().kind == HAL_EVENT_INTERRUPT);
    hal_irq_unmask(test_line());
    hal_irq_setup(test_line(), AX_IRQ_DEFAULT);
    CHECK(machine_irq_raise(test_line()));
    CHECK(only_kicks_come(10));
    hal_irq_unmask(test_line());
    CHECK(wait_for_event().kind == HAL_EVENT_INTERRUPT);
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

static void kick_self(void) {
    struct hal_event event;
    hal_cpu_kick(0);
    hal_cpu_kick(0);
    hal_cpu_wait(&event);
    CHECK(event.kind == HAL_EVENT_KICK);
}

/* What CPU 1 is asked to do, and what it has done. */
static _Atomic uint32_t asked, answered, other_id;

void core_cpu_main(void) {
    atomic_store(&other_id, hal_cpu_id());
    for (;;) {
        struct hal_event event;
        atomic_store(&answered, atomic_load(&asked));
        hal_cpu_wait(&event);
    }
}

static void other_is_awaited(uint32_t number) {
    while (atomic_load(&answered) != number)
        hal_cpu_pause();
}

static void kick_other(void) {
    if (hal_boot()->cpu_count < 2) {
        suite_not_run("one CPU only");
        return;
    }
    atomic_store(&asked, 1);
    CHECK(hal_cpu_start(1));
    other_is_awaited(1);
    CHECK(atomic_load(&other_id) == 1);
    for (uint32_t number = 2; number < 100; number++) { /* none is lost */
        atomic_store(&asked, number);
        hal_cpu_kick(1);
        other_is_awaited(number);
    }
    CHECK(hal_cpu_id() == 0);
}

const struct suite_case machine_cases[] = {
    {"boot data", boot_data},
    {"memory ranges", memory_ranges},
    {"framebuffer", framebuffer},
    {"window", window},
    {"entropy", entropy},
    {"ports", ports},
    {"clock goes forward", clock_goes_forward},
    {"a past deadline fires at once", deadline_past},
    {"a deadline fires when it is over", deadline_future},
    {"a deadline fires once", deadline_fires_once},
    {"a deadline replaces the last", deadline_replaced},
    {"lines are masked at the start", irq_masked_at_start},
    {"an event masks its line", irq_masked_by_event},
    {"a line is set up for a new owner", irq_setup},
    {"messages of lines", irq_messages},
    {"a CPU can kick itself", kick_self},
    {"a CPU starts and can be kicked", kick_other},
    {NULL, NULL},
};
