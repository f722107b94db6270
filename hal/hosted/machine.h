/* SPDX-License-Identifier: MIT */
/* What the files of the hosted machine share. Locks: see each field. */
#pragma once

#include <stdatomic.h>

#include <base/list.h>
#include <hal/core.h>
#include <hal/hal.h>

#include "host/host.h"
#include "stub/layout.h"

/* ---- Locks ----------------------------------------------------------------------------------- */

/* Held for moments: a spin lock that gives way when the host has other things to run. */
struct spin {
    _Atomic uint32_t taken;
};
void spin_lock(struct spin *spin);
void spin_unlock(struct spin *spin);

/* Held while a stub works: who waits sleeps. 0 free, 1 taken, 2 taken and somebody sleeps. */
struct mutex {
    _Atomic uint32_t state;
};
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* ---- CPUs (cpu.c) ---------------------------------------------------------------------------- */

struct machine_cpu {
    uint32_t id;
    uint32_t host_cpu;
    _Atomic uint32_t kicked;             /* what an idle CPU sleeps on (cpu.c) */
    bool is_polling;                     /* it kicked itself; its CPU only */
    _Atomic(_Atomic uint32_t *) running; /* the word of the guest thread it waits for */
    uint64_t deadline_ns;                /* of the machine's clock; its CPU only */
    uint64_t yield_again_ns;             /* when yielding may pay again; its CPU only */
    uint64_t spin_again_ns;              /* and looking for a kick; its CPU only */
};

extern struct machine_cpu machine_cpus[AX_CPU_MAX];
extern uint32_t machine_cpu_count;
extern _Thread_local struct machine_cpu *cpu_here;

/* The clock: first begin, then calibrate, as late as may be. */
void clock_begin(void);
void clock_calibrate(void);
/* The date when it read 0: the host's, or that of all seeded runs. */
uint64_t clock_date_ns(void);
/* So many nanoseconds in counts. */
uint64_t clock_counts(uint64_t time_ns);
/* Seeded runs: programs see the time from here on. */
void clock_show(void);
/* A pending interrupt, kick or timer, which is then no longer pending. */
bool cpu_take_event(struct machine_cpu *cpu, struct hal_event *event);
/* Whether there is one. */
bool cpu_has_event(const struct machine_cpu *cpu);
/* A time of the machine's clock as one of the host's. */
uint64_t cpu_host_deadline(uint64_t deadline_ns);
/* Raises an interrupt line; any thread. */
void machine_irq(uint32_t irq);

/* ---- Hand-offs (word.c) ---------------------------------------------------------------------- */

/* The turn becomes the guest's. False: the word was not what it must be. */
bool word_give(uint32_t *word);
/* The host thread, whose guest thread is gone, shall exit. False as above. */
bool word_end(uint32_t *word);
bool word_is_guests(uint32_t value);
bool word_is_kernels(uint32_t value);
bool word_is_kicked(uint32_t value);
/* Sleeps while the word, which is the guest's, has the value; may return at any time. */
void word_sleep(uint32_t *word, uint32_t value, uint64_t until_ns);
/* Gets the kernel's attention, if it sleeps there or is about to; any thread. */
void word_kick(uint32_t *word);
/* How often who waits for the other yields before it sleeps, and how long one may take. */
uint32_t yields_most(void);
uint64_t yield_most_ns(void);
/* Lets others run that want this host CPU. False: that did not pay of late. */
bool cpu_yield(struct machine_cpu *cpu);

/* ---- Boot (boot.c) --------------------------------------------------------------------------- */

/* The kernel's address of a part of the memory below guest RAM. */
void *machine_shared(uint64_t offset);
bool machine_is_ram(uint64_t physical, uint64_t page_count);

/* ---- Devices (devices.c) --------------------------------------------------------------------- */

/* Makes those that the command line asks for, and later starts their thread. */
void devices_make(void);
void devices_start(void);
/* Seeded runs, which have no such thread: when there is work, UINT64_MAX if there is none; and does
 * it if the time has come. CPU 0 only. */
uint64_t devices_due_ns(void);
void devices_work(void);
/* Looks whether somebody outside wants something, which no run can repeat. */
void devices_look(void);

/* ---- Spaces and their stubs (space.c, changes.c, stub.c) ------------------------------------- */

#define SPACE_MAX   4096
#define CHANGES_MAX 32

/* Pages of which translations changed and the stub does not know yet. */
struct change {
    uint64_t first, end;
};

struct space {
    uint64_t root;             /* physical address of the top table */
    struct stub *_Atomic stub; /* changed with `orders`; NULL: none yet, or lost */
    struct mutex orders;       /* held by whoever has orders executed, before `lock` */
    struct spin lock;          /* of the tables and of the changes */
    _Atomic bool is_behind;    /* a change is due. Seen without `lock` as a hint: a page that the
                                  stub is about to have faults once more */
    bool used;                 /* kernel lock */
    unsigned change_count;     /* due, and what may wait for the next list of orders */
    struct change changes[CHANGES_MAX];
};

struct space *space_of(const struct hal_space *hal);
struct space *space_at(uint64_t index);
uint32_t space_index(const struct space *space);

/* Entries of translation tables: a frame, its protection, and whether the stub is behind. */
#define ENTRY_PRESENT      UINT64_C(1)
#define ENTRY_PROT(prot)   ((uint64_t)(prot) << 1)
#define ENTRY_STALE        (UINT64_C(1) << 5)
#define ENTRY_FRAME(entry) ((entry)&UINT64_C(0x000ffffffffff000))

/* Calls visit for each entry of [first, end) that is not 0, until it answers false; how far it
 * came. */
uint64_t space_walk(struct space *space, uint64_t first, uint64_t end,
                    bool (*visit)(void *context, uint64_t address, uint64_t *entry), void *context);
/* A page's entry; 0: it has none. */
uint64_t space_entry(struct space *space, uint64_t address);
/* Whether the stub knows what is there. */
bool space_is_current(struct space *space, uint64_t address);
/* After a fault: what may be mapped late there, or is mapped now, shall be known to the stub before
 * a thread of the space runs again. True: something is mapped there already. */
bool space_catch_up(struct space *space, uint64_t address, uint32_t access);

/* Makes all changes so far known to the stub; false: the stub is lost. */
bool changes_apply(struct space *space);
/* The same, but for up to `most` orders, which are in the stub's list for others to follow them. */
bool changes_gather(struct space *space, uint32_t most, uint32_t *count);

/* ---- Stubs (stub.c) -------------------------------------------------------------------------- */

#define STUB_MAX     4096
#define UNITS_OFFSET UINT64_C(0x8000000) /* where units begin in the memory below guest RAM */

enum stub_state { STUB_FREE, STUB_BORN, STUB_ALIVE, STUB_KILLED, STUB_GONE, STUB_PARKED };

struct stub {
    struct spin lock; /* of state, and for whatever needs the pid to be valid */
    _Atomic enum stub_state state;
    struct host_stub host;
    struct stub_orders *orders;
    uint64_t orders_offset;
    uint64_t serial;   /* of the process: no two have the same */
    uint32_t *units;   /* by slot: its host thread's unit; 0: none */
    uint32_t slot_end; /* behind the last slot that has a unit */
    /* How far it is emptied, and how long that may take (park.c); kernel lock. */
    uint32_t parking;
    uint64_t parking_end_ns;
    /* Time in which the stub had reason to run, turns of its threads and orders: of each that is
     * over its end is added, of each that has begun its start is taken off. */
    uint64_t granted_ns;
    uint32_t active;   /* of these, how many are not over: it is not released before */
    uint32_t host_cpu; /* on which its mapper is; UINT32_MAX: on any. Its space's `orders` */
    /* When it was last looked at: what it had used and been granted, and how much too much it has
     * used of late. */
    uint64_t seen_used_ns, seen_granted_ns, excess_ns;
};

/* The stub of the space, made if there is none. With `orders` held. NULL: none can be had. */
struct stub *stub_of(struct space *space);
/* Gives the mapper the orders in stub->orders. Only where nothing else of the space is going on. */
void stub_order(struct stub *stub, uint32_t count, bool numbered);
/* Has them executed. With `orders` held. */
bool stub_execute(struct stub *stub, uint32_t count, bool numbered, int64_t *number);
/* From here, to there, it has reason to run, and remains this process or its remains. False: it is
 * none of that serial any more, or not alive. */
bool stub_grant_begin(struct stub *stub, uint64_t serial);
void stub_grant_end(struct stub *stub);
void stub_kill(struct stub *stub);
bool stub_is_alive(const struct stub *stub);
/* A new one, given before anybody can take the stub for alive. */
uint64_t stub_serial(void);
/* Ends the stub's use; true: nothing of it is left. */
bool stub_release(struct stub *stub);
/* Its host threads are gone: their units can be had anew. */
void stub_give_units(struct stub *stub);
/* Its space is gone: parks it, or ends it. False: not yet. Kernel lock; does not wait. */
bool stub_leave(struct stub *stub);
/* One that was parked, and is alive again; NULL: there is none. */
struct stub *stub_unpark(void);
/* It has died while it was parked. */
void stub_forget(const struct stub *stub);
/* Waits for stubs that end, for ever. */
_Noreturn void stubs_watch(void);

/* ---- Guest threads (user.c, unit.c) ---------------------------------------------------------- */

/* What a slot's host thread has in shared memory, and what the kernel knows of it. */
struct unit {
    int tid;
    uint32_t host_cpu;
};

/* 0: none is free. */
uint32_t unit_take(void);
void unit_give(uint32_t unit);
struct unit *unit_find(uint32_t unit);
struct stub_area *unit_area(uint32_t unit);
struct stub_fixed *unit_fixed(uint32_t unit);
uint64_t unit_offset(uint32_t unit);
