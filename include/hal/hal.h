/* SPDX-License-Identifier: MIT */
/*
 * The contract between core and a machine. Core calls these functions; a machine is chosen at link
 * time. docs/hal.md tells how to port.
 *
 * Core is an event loop a CPU: it takes the kernel lock, decides, releases the lock, and enters a
 * thread with hal_user_run (or waits with hal_cpu_wait) until an event brings it back. So
 * - nothing preempts core; interrupts are taken only inside hal_user_run and hal_cpu_wait and
 *   returned as events, one at a time, the rest kept;
 * - every function below is called on the CPU it concerns, with the kernel lock held, unless its
 *   comment says otherwise; none may block or call back into core, except that the hal_space
 *   functions may call core_table_alloc and core_table_free (hal/core.h);
 * - times are nanoseconds of one monotonic clock that all CPUs share; addresses and sizes are
 * bytes; physical and user addresses given to the space functions are multiples of AX_PAGE_SIZE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/info.h>
#include <abi/layout.h>
#include <abi/regs.h>
#include <abi/root.h>

/* ---- What the machine found when it started ------------------------------------------------- */

#define HAL_MEMORY_RANGES 64
#define HAL_MODULES       4

struct hal_range {
    uint64_t base;
    uint64_t size_bytes;
};

struct hal_boot {
    uint32_t cpu_count; /* 1 to AX_CPU_MAX; CPU 0 runs core_start */
    uint32_t memory_count;
    struct hal_range memory[HAL_MEMORY_RANGES]; /* usable RAM, ascending, page aligned, without the
                                                   kernel itself and without the modules */
    struct hal_range kernel; /* where the kernel itself lies, which no device can have; size 0: not
                                in physical memory that one could name */
    uint32_t module_count;
    struct hal_range modules[HAL_MODULES]; /* in RAM, page aligned: root image, system image */
    uint64_t module_bytes[HAL_MODULES];    /* their exact sizes */
    const char *command_line;              /* terminated; never NULL */
    size_t vector_bytes; /* size of the x87/SSE/AVX area core keeps for each thread; may be 0 */
    uint32_t irq_count;  /* lines 0 to irq_count - 1 exist */
    uint32_t irq_wired;  /* of these, lines below it are wires (on a PC inputs of the I/O APICs, by
                            their global numbers), the rest are raised by messages (MSI) */
    uint32_t physical_bits; /* width of a physical address, at most 52 */
    uint64_t acpi_root;     /* physical address of the ACPI root pointer (RSDP); 0: none */
    struct ax_framebuffer framebuffer; /* in no range of memory; width 0: none */
    uint64_t trace_mask; /* bits of enum ax_trace: recorded from the start, also by hal_trace */
};

/* The boot data; valid for ever. Any CPU, any time. */
const struct hal_boot *hal_boot(void);

/* ---- User threads --------------------------------------------------------------------------- */

/* What a machine keeps of a thread. Core owns the memory and never looks at `machine`. */
struct hal_user {
    struct ax_regs
        regs;      /* valid between an event and the next run, all but a kernel call's scratch */
    void *vector;  /* hal_boot()->vector_bytes of memory, 64-byte aligned; NULL if 0 */
    uint64_t page; /* physical address of the thread page */
    /* Where the page is mapped, from before hal_user_create until after hal_user_destroy. */
    uint64_t page_address;
    uint64_t machine[12];
};

/* What a machine keeps of an address space. */
struct hal_space {
    uint64_t machine[12];
};

enum hal_event_kind {
    HAL_EVENT_CALL,      /* a kernel call through the kernel page */
    HAL_EVENT_BOUNCE,    /* a syscall instruction elsewhere, unless the machine itself delivered it
                            (abi/thread_page.h) */
    HAL_EVENT_FAULT,     /* an exception in user mode */
    HAL_EVENT_INTERRUPT, /* a device interrupt; `irq` is masked until hal_irq_unmask */
    HAL_EVENT_TIMER,     /* the deadline passed */
    HAL_EVENT_KICK,      /* another CPU called hal_cpu_kick, or nothing in particular happened */
    HAL_EVENT_LOST,      /* the machine lost the space's threads (a hosted stub died or cheated);
                            once they are destroyed, new ones can be created in the space */
};

struct hal_event {
    enum hal_event_kind kind;
    union {
        struct {
            uint64_t number;
            uint64_t arguments[5];
        } call;
        struct {
            uint64_t address; /* page faults: what was accessed */
            uint32_t access;  /* page faults: enum ax_prot wanted, one bit */
            uint32_t fault;   /* enum ax_fault: UNMAPPED for any page fault, else the exception */
        } fault;
        uint32_t irq;
    };
};

/*
 * Prepares a new thread of the space: machine state and vector state as at a program's entry; core
 * then sets `regs`. False: no resources, nothing happened. A machine that would have to wait for
 * its part of the thread makes it in the first hal_user_run; if that fails, the thread is LOST.
 */
bool hal_user_create(struct hal_user *user, struct hal_space *space);

/*
 * Gives back what hal_user_create took. The thread runs nowhere. The machine's own part of it may
 * take a moment longer to go: it touches nothing of the program's but the thread page, and that no
 * more when a hal_space_sync of the space that begins later has returned, or hal_space_destroy.
 */
void hal_user_destroy(struct hal_user *user);

/*
 * Runs the thread in its space until an event, which it fills in. Loads user->regs as they are
 * (core has sanitized them). Called without the kernel lock. A pending interrupt, timer or kick
 * comes back before the thread's first instruction. While it runs the thread may be told of by
 * hal_cpu_kick. A fault on the way into a kernel call (its entry may use the caller's stack) is a
 * FAULT like any other: going on afterwards makes the call.
 */
void hal_user_run(struct hal_user *user, struct hal_space *space, struct hal_event *event);

/* ---- CPUs ----------------------------------------------------------------------------------- */

/* Waits, with the CPU idle, for an interrupt, timer or kick event. Called without the kernel lock.
 */
void hal_cpu_wait(struct hal_event *event);

/* Which CPU this is: 0 to cpu_count - 1. Any time, without the lock as well. */
uint32_t hal_cpu_id(void);

/* Starts another CPU, which calls core_cpu_main. False: it does not start. CPU 0 only, at boot, and
 * without the kernel lock. */
bool hal_cpu_start(uint32_t cpu);

/*
 * Makes a CPU that is in hal_user_run or hal_cpu_wait, or enters it next, return with an event.
 * Kicks before it does so may merge. Never lost. May be called for the own CPU, and without the
 * lock.
 */
void hal_cpu_kick(uint32_t cpu);

/* Tells the CPU that a spin-wait is going on. Without the lock. */
void hal_cpu_pause(void);

/* ---- Address spaces ---------------------------------------------------------------------------
 *
 * Translations are a cache of what core knows. The machine may drop any, and core maps it again
 * when a thread faults, but for the kernel page and the thread pages: these it maps only once.
 */

enum hal_prot {
    HAL_READ = 1U << 0, /* as enum ax_prot; write implies read */
    HAL_WRITE = 1U << 1,
    HAL_EXECUTE = 1U << 2,
    HAL_DEVICE = 1U << 3, /* uncached device registers */
};

/* An empty user half. False: no memory, nothing happened. */
bool hal_space_create(struct hal_space *space);

/*
 * No thread of the space exists any more, all that was removed is in force, and nothing else is
 * called on the space from now on. Returns its tables through core_table_free, at most *budget
 * frames, which it takes off. True: all are back and nothing of the machine's reaches the space's
 * memory any more. False: not yet; core asks again, after other things. A budget that suffices is
 * not enough only while something of a thread that the space once had is still going (hosted: a
 * process that ends), which begins at the latest when the last thread is destroyed; nothing is
 * waited for here.
 * A CPU that ran the space last may have its tables loaded still: a machine on which that matters
 * unloads them before hal_user_run returns, or here before it returns them.
 */
bool hal_space_destroy(struct hal_space *space, unsigned *budget);

/*
 * Maps page_count pages of one physical run at an address; replaces what was mapped there. Takes
 * effect at once on this CPU's next hal_user_run and elsewhere after hal_space_sync. Where nothing
 * was mapped core asks for no sync: a machine that batches changes makes these in hal_user_run.
 * Core often maps what is mapped already: that should cost nothing. False: no memory for tables;
 * then the space is unchanged. At most HAL_RUN_PAGES pages a call.
 */
bool hal_space_map(struct hal_space *space, uint64_t address, uint64_t physical, size_t page_count,
                   uint32_t prot);

/*
 * Removes translations; pages that have none are passed over. Any number of pages: it takes time
 * for translations that are there, or less, not for the range. No table goes back to core: empty
 * ones stay for what is mapped there next, until hal_space_destroy.
 */
void hal_space_unmap(struct hal_space *space, uint64_t address, size_t page_count);

/* Changes the access of existing translations of the range; pages that have none are passed over.
 */
void hal_space_protect(struct hal_space *space, uint64_t address, size_t page_count, uint32_t prot);

#define HAL_RUN_PAGES 512

/*
 * Returns when no CPU can use a translation that was removed, replaced or reduced before the call,
 * and (hosted) when batched changes are in force. Called WITHOUT the kernel lock; may wait, but
 * only for CPUs that are in user mode on this space. The space stays alive during the call.
 */
void hal_space_sync(struct hal_space *space);

/* ---- Physical memory ------------------------------------------------------------------------ */

/* Core's address of RAM at a physical address, in one linear window: addresses are as far apart
 * there as they are physically. Any time. */
void *hal_window(uint64_t physical);

/*
 * Fills the kernel page (one zeroed frame, mapped read and execute everywhere) with the entries of
 * abi/layout.h; the clock's is that of hal_time_ns. The yield point is a plain return, but in a
 * seeded run, where it may make the kernel call that its comment names (abi/call.h). CPU 0, at
 * boot.
 */
void hal_kernel_page(uint64_t physical);

/* ---- Interrupts, time, and the rest --------------------------------------------------------- */

/*
 * Makes a line ready for a new owner: masked, and triggered as enum ax_irq_mode says (DEFAULT: as
 * the machine's tables say, or is usual there; always DEFAULT for a line raised by messages).
 */
void hal_irq_setup(uint32_t irq, uint32_t mode);

/* What a device has to write, and where to, to raise a line from hal_boot()->irq_wired on. */
void hal_irq_message(uint32_t irq, uint64_t *address, uint64_t *data);

/* Lets a line raise events; before the first call it raises none. */
void hal_irq_unmask(uint32_t irq);
void hal_irq_mask(uint32_t irq);

/* The clock; never goes back, on any CPU. Any time, without the lock as well. Read several times a
 * kernel entry. */
uint64_t hal_time_ns(void);

/*
 * This CPU's one timer: an event at or after the absolute time; a time that has passed fires at
 * once; UINT64_MAX disarms. A new deadline replaces the old one, whose event no longer comes.
 */
void hal_deadline_set(uint64_t deadline_ns);

/* Port input and output of 1, 2 or 4 bytes. A machine without ports reads all ones. */
uint32_t hal_port_read(uint32_t port, uint32_t width_bytes);
void hal_port_write(uint32_t port, uint32_t width_bytes, uint32_t value);

/* Writes to the kernel's log console; may be slow. Without the kernel lock, a few bytes at a time
 * and by one CPU at a time; with it or at any time when the machine is about to end. */
void hal_console_write(const char *text, size_t size_bytes);

/* Fills a buffer with randomness (seeded runs: reproducible). */
void hal_entropy(void *buffer, size_t size_bytes);

/* Ends the machine; other CPUs stop. Any time. Code 0: as asked; else the machine failed. */
_Noreturn void hal_halt(int code);

/*
 * A record of the trace that core has just made, for a machine to keep: the ring is short. Only
 * kinds that are switched on, by trace_mask or AX_SYSTEM_TRACE. Does nothing where nobody wants it.
 */
void hal_trace(const struct ax_trace_entry *entry);
