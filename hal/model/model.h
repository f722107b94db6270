/* SPDX-License-Identifier: MIT */
/*
 * The scripted machine: every CPU is played by one host thread, user mode is a function of the
 * test, time passes when the test says so. All of its state and its RAM lie in one area at a fixed
 * address, so that a copy of the area, put back, is the same machine at the same moment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hal/hal.h>

#define MODEL_RAM_BASE UINT64_C(0x100000) /* physical address of the first page of RAM */

struct model_hooks {
    void *context;
    /* Plays user mode: fills in the event that ends it. False: nothing happened (a KICK event). */
    bool (*user)(void *context, uint32_t cpu, struct hal_user *user, struct hal_event *event);
    /* Called at each hal_space_sync, before it takes effect: the place to let other CPUs run on. */
    void (*sync)(void *context, struct hal_space *space);
    /* Called by hal_cpu_start; NULL: it answers true and the test steps the CPU. */
    bool (*start)(void *context, uint32_t cpu);
    /* A CPU spins (hal_cpu_pause) or has nothing to wait for: lets the others run. NULL: spinning
     * is an error, as nobody else could ever end it. */
    void (*others)(void *context, uint32_t cpu);
    /* Called first by hal_halt and assert_failed; may longjmp away. */
    void (*halt)(void *context, int code);
    void (*assertion)(void *context, const char *expression, const char *file, int line);
    /* Gets the console's text; NULL: it is dropped. */
    void (*console)(void *context, const char *text, size_t size_bytes);
    /* Gets each record of the trace; NULL: they are dropped. */
    void (*trace)(void *context, const struct ax_trace_entry *entry);
};

struct model_config {
    uint32_t cpu_count;    /* 0: 1 */
    uint64_t memory_bytes; /* RAM, modules included; 0: 4 MiB */
    uint64_t hole_pages;   /* so many pages of RAM are not usable */
    uint64_t hole_start;   /* from this page on; 0: in the middle */
    uint64_t vector_bytes; /* of each thread's vector area */
    uint32_t irq_count;
    uint32_t irq_messages;  /* so many of them, the last, are raised by messages */
    uint32_t physical_bits; /* 0: 46 */
    uint64_t acpi_root;
    struct ax_framebuffer framebuffer;
    uint32_t translations; /* most that the machine holds; 0: 4096. Full: hal_space_map fails */
    uint32_t tlb_entries;  /* a CPU; a power of two; 0: 16 */
    bool tagged_tlb;       /* translations survive a change of space, as with PCID */
    bool table_frames;     /* spaces take a frame, and one more for each 2 MiB in use, of core */
    bool jump_time;        /* hal_cpu_wait jumps to the CPU's deadline; else it answers KICK */
    uint64_t entry_ns;     /* each kernel entry takes a seeded time up to this; 0: none */
    uint64_t trace_mask;   /* what core records from the start */
    uint64_t seed;
    const void *modules[HAL_MODULES];
    uint64_t module_bytes[HAL_MODULES];
    uint32_t module_count;
    const char *command_line; /* NULL: "" */
    struct model_hooks hooks;
};

/* Makes the machine, powered off: nothing of core has run. One at a time. */
void model_create(const struct model_config *wanted);
void model_destroy(void);

/* The whole state: size, copy, and putting such a copy back. Hooks are part of it. */
size_t model_state_bytes(void);
void model_save(void *copy);
void model_restore(const void *copy);

/* Which CPU the code that runs now is. */
void model_cpu_set(uint32_t cpu);

void model_time_advance(uint64_t ns);
/* A CPU's deadline (UINT64_MAX: disarmed), and whether an event waits for it. */
uint64_t model_deadline(uint32_t cpu);
bool model_cpu_is_pending(uint32_t cpu);

/* Raises an interrupt line at a CPU: pending until it is unmasked and taken. */
void model_irq_raise(uint32_t irq, uint32_t cpu);
bool model_irq_is_masked(uint32_t irq);
enum ax_irq_mode model_irq_mode(uint32_t irq);
/* A device writes that message: raises the line that it belongs to. */
void model_irq_message(uint64_t address, uint64_t data, uint32_t cpu);

/* The Nth call from now on of the functions of the machine that can fail fails once; 0: none. */
void model_fail_after(uint64_t count);
/* It has not come to that yet. */
bool model_will_fail(void);

/* The next so many calls of hal_space_destroy, for spaces that had threads, answer "not yet". */
void model_destroy_wait(uint64_t count);

/*
 * What an access of user mode on that CPU does, with the CPU's TLB: true and core's address of the
 * byte, or false and the event that core gets.
 */
bool model_user_access(uint32_t cpu, const struct hal_user *user, uint64_t address, uint32_t access,
                       void **pointer, struct hal_event *event);

/* ---- For checks ------------------------------------------------------------------------------ */

struct model_translation {
    uint64_t page; /* address / page size; tables: see model_space.c */
    uint64_t physical;
    uint32_t space; /* 0: none */
    uint32_t prot;
};

/* Translations, in order of space and page; what a CPU's TLB holds (unused ones have space 0). */
const struct model_translation *model_translations(size_t *count);
const struct model_translation *model_tlb(uint32_t cpu, size_t *count);
uint32_t model_space_id(const struct hal_space *space);
uint64_t model_memory_bytes(void);
/* Spaces and users created and not destroyed. */
uint64_t model_spaces(void);
uint64_t model_users(void);
