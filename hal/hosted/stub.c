/* SPDX-License-Identifier: MIT */
/* Stubs: the Linux processes beneath the spaces, from birth to death. */
#include "machine.h"

#include <base/assert.h>

#include "seed.h"

/* Offsets in the memory below guest RAM: orders of stubs, then units. */
#define ORDERS_OFFSET(index) (ORDERS_START + (uint64_t)(index)*STUB_ORDERS_BYTES)
#define ORDERS_START         UINT64_C(0x100000)

/* How often stubs are looked at, and what a turn may take of a stub's time before and after it. */
#define WATCH_NS       UINT64_C(200000000)
#define GRANT_EXTRA_NS UINT64_C(20000)
#define BIRTH_NS       UINT64_C(5000000)
/* What may be used beyond that, and how much of it is forgiven with each look. */
#define EXCESS_NS  UINT64_C(100000000)
#define FORGIVE_NS UINT64_C(10000000)
/* How often, for WATCH_NS each, the end of a killed process is waited for. */
#define END_LOOKS 10

static struct stub stubs[STUB_MAX];
static _Atomic uint32_t stubs_end; /* behind the last that was ever taken */
static struct mutex zygote;        /* it serves one request at a time */
static struct mutex number;        /* there is one channel for numbers */

_Static_assert(ORDERS_OFFSET(STUB_MAX) <= UNITS_OFFSET, "units lie behind");

bool stub_is_alive(const struct stub *stub) {
    return atomic_load(&stub->state) == STUB_ALIVE;
}

/* ---- What it may use --------------------------------------------------------------------------
 */

bool stub_grant_begin(struct stub *stub, uint64_t serial) {
    spin_lock(&stub->lock);
    bool is_it = stub_is_alive(stub) && stub->serial == serial;
    if (is_it) {
        stub->active++;
        stub->granted_ns -= host_time_ns();
    }
    spin_unlock(&stub->lock);
    return is_it;
}

void stub_grant_end(struct stub *stub) {
    spin_lock(&stub->lock);
    stub->active--;
    stub->granted_ns += host_time_ns() + GRANT_EXTRA_NS;
    spin_unlock(&stub->lock);
}

/*
 * A thread may claim to wait and run on. That harms nobody but by the CPU time that it takes, and
 * Linux counts that. What a stub uses beyond what it was granted is little more than nothing while
 * its threads are honest. What it was granted and did not use is not kept for later.
 */
static bool stub_is_cheat(struct stub *stub) {
    uint64_t used_ns = host_stub_cpu_ns(&stub->host);
    uint64_t granted_ns = stub->granted_ns + stub->active * host_time_ns();
    uint64_t used_now_ns = used_ns > stub->seen_used_ns ? used_ns - stub->seen_used_ns : 0;
    uint64_t excess_ns = stub->excess_ns + used_now_ns;
    uint64_t due_ns = granted_ns - stub->seen_granted_ns + FORGIVE_NS;
    stub->excess_ns = excess_ns > due_ns ? excess_ns - due_ns : 0;
    stub->seen_used_ns = used_ns;
    stub->seen_granted_ns = granted_ns;
    if (stub->excess_ns <= EXCESS_NS)
        return false;
    if (host_stub_is_held(&stub->host))
        stub->excess_ns = 0;
    return stub->excess_ns != 0;
}

static void stub_judge(struct stub *stub) {
    if (!stub_is_alive(stub))
        return;
    spin_lock(&stub->lock);
    bool is_cheat = stub_is_alive(stub) && stub_is_cheat(stub);
    spin_unlock(&stub->lock);
    if (is_cheat)
        stub_kill(stub);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

static bool report_await(struct stub *stub) {
    enum host_report report = host_report_wait(&stub->host);
    if (report == HOST_REPORT_DONE)
        return true;
    if (report == HOST_REPORT_FAILED) {
        host_stub_refused();
        stub_kill(stub); /* its mappings are not what they should be */
    } else
        host_report_death(&stub->host); /* for whoever comes next */
    return false;
}

void stub_order(struct stub *stub, uint32_t count, bool numbered) {
    stub->orders->count = count;
    stub->orders->numbered = numbered;
    __atomic_fetch_add(&stub->orders->sequence, 1, __ATOMIC_SEQ_CST);
    host_wake(&stub->orders->sequence);
}

/* Two that wait for each other in turn are best off on one host CPU: to wake a sleeping one takes
 * longer than most lists. */
static void mapper_move(struct stub *stub) {
    if (stub->host_cpu == cpu_here->host_cpu)
        return;
    stub->host_cpu = cpu_here->host_cpu;
    host_cpu_move(stub->host.pid, stub->host_cpu);
}

bool stub_execute(struct stub *stub, uint32_t count, bool numbered, int64_t *result) {
    if (!stub_grant_begin(stub, stub->serial))
        return false;
    mapper_move(stub);
    if (numbered)
        mutex_lock(&number);
    stub_order(stub, count, numbered);
    bool is_done = report_await(stub);
    if (numbered) {
        *result = host_number_read();
        mutex_unlock(&number);
    }
    stub_grant_end(stub);
    return is_done;
}

/* ---- Birth ----------------------------------------------------------------------------------- */

/* The first that is free, so that few are ever looked at and what they have is there already. */
static struct stub *stub_take(void) {
    for (uint32_t i = 0; i < STUB_MAX; i++) {
        enum stub_state state = STUB_FREE;
        if (!atomic_compare_exchange_strong(&stubs[i].state, &state, STUB_BORN))
            continue;
        uint32_t end = atomic_load(&stubs_end);
        while (end <= i && !atomic_compare_exchange_weak(&stubs_end, &end, i + 1))
            ;
        return &stubs[i];
    }
    return NULL;
}

uint64_t stub_serial(void) {
    static _Atomic uint64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}

/* Whoever looks for a process's stub takes `zygote` as well: it has its pid by then. */
static bool stub_make(struct stub *stub) {
    uint32_t index = (uint32_t)(stub - stubs);
    if (stub->units == NULL)
        stub->units = host_allocate(AX_THREAD_MAX * sizeof(*stub->units));
    if (stub->units == NULL)
        return false;
    stub->orders = machine_shared(ORDERS_OFFSET(index));
    stub->orders->sequence = 0;
    stub->granted_ns = BIRTH_NS;
    stub->seen_used_ns = stub->seen_granted_ns = stub->excess_ns = 0;
    stub->serial = stub_serial();
    stub->host_cpu = UINT32_MAX;
    mutex_lock(&zygote);
    bool is_made = host_stub_make(ORDERS_OFFSET(index), &stub->host);
    if (is_made)
        atomic_store(&stub->state, STUB_ALIVE);
    mutex_unlock(&zygote);
    return is_made;
}

/* All of the space has to be mapped anew. */
static bool entry_is_stale(void *context, uint64_t address, uint64_t *entry) {
    (void)context;
    (void)address;
    *entry = (*entry & ENTRY_PRESENT) != 0 ? *entry | ENTRY_STALE : 0;
    return true;
}

/* One that waits for a space, or a new one. */
static struct stub *stub_obtain(void) {
    struct stub *stub = stub_unpark();
    if (stub != NULL)
        return stub;
    stub = stub_take();
    if (stub != NULL && !stub_make(stub)) {
        atomic_store(&stub->state, STUB_FREE);
        stub = NULL;
    }
    return stub;
}

/* Whoever needs a stub after another needs it now, and a killed process soon ends. */
static void stub_end_await(struct stub *stub) {
    stub_kill(stub);
    for (unsigned looks = 0; looks < END_LOOKS && atomic_load(&stub->state) != STUB_GONE; looks++)
        host_wait((const uint32_t *)&stub->state, STUB_KILLED, host_time_ns() + WATCH_NS);
}

struct stub *stub_of(struct space *space) {
    if (space->stub != NULL) {
        if (stub_is_alive(space->stub))
            return space->stub;
        stub_end_await(space->stub);
        if (!stub_release(space->stub))
            return NULL;
        space->stub = NULL;
    }
    struct stub *stub = stub_obtain();
    if (stub == NULL)
        return NULL;
    spin_lock(&space->lock);
    space_walk(space, 0, AX_USER_END, entry_is_stale, NULL);
    space->changes[0] = (struct change){0, AX_USER_END};
    space->change_count = 1;
    space->is_behind = true;
    space->stub = stub;
    spin_unlock(&space->lock);
    return stub;
}

/* ---- Death ----------------------------------------------------------------------------------- */

void stub_kill(struct stub *stub) {
    spin_lock(&stub->lock);
    enum stub_state state = STUB_ALIVE;
    if (atomic_compare_exchange_strong(&stub->state, &state, STUB_KILLED))
        host_stub_kill(&stub->host);
    spin_unlock(&stub->lock);
}

void stub_give_units(struct stub *stub) {
    for (uint32_t slot = 0; slot < stub->slot_end; slot++) {
        if (stub->units[slot] != 0)
            unit_give(stub->units[slot]);
        stub->units[slot] = 0;
    }
    stub->slot_end = 0;
}

/* Its process is gone, and nobody uses it. */
static void stub_free(struct stub *stub) {
    host_stub_close(&stub->host);
    stub_give_units(stub);
    stub->parking = 0;
    atomic_store(&stub->state, STUB_FREE);
}

bool stub_release(struct stub *stub) {
    stub_kill(stub);
    /* How long a process takes to end is the host's affair: a seeded run must not see it. */
    while (seed_is_on() && atomic_load(&stub->state) != STUB_GONE)
        host_yield();
    spin_lock(&stub->lock);
    bool is_over = atomic_load(&stub->state) == STUB_GONE && stub->active == 0;
    spin_unlock(&stub->lock);
    if (!is_over)
        return false;
    stub_free(stub);
    return true;
}

/* Linux writes no notice for a process's last thread, and none to a CPU that waits for a report. */
static void stub_died(struct stub *stub) {
    uint32_t slot_end = __atomic_load_n(&stub->slot_end, __ATOMIC_ACQUIRE);
    for (uint32_t slot = 0; slot < slot_end; slot++) {
        uint32_t unit = __atomic_load_n(&stub->units[slot], __ATOMIC_ACQUIRE);
        if (unit == 0)
            continue;
        struct stub_area *area = unit_area(unit);
        __atomic_store_n(&area->word, STUB_DEAD, __ATOMIC_SEQ_CST);
        host_wake(&area->word);
    }
    host_report_death(&stub->host);
    spin_lock(&stub->lock);
    host_child_reap(stub->host.pid);
    enum stub_state was = atomic_exchange(&stub->state, STUB_GONE);
    spin_unlock(&stub->lock);
    host_wake((const uint32_t *)&stub->state);
    if (was != STUB_PARKED)
        return;
    stub_forget(stub);
    stub_free(stub);
}

/* The stub that the process is; NULL: it came to be none. A pid is one's own until it is reaped. */
static struct stub *stub_find(int pid) {
    struct stub *found = NULL;
    mutex_lock(&zygote);
    for (uint32_t i = 0; i < atomic_load(&stubs_end) && found == NULL; i++) {
        enum stub_state state = atomic_load(&stubs[i].state);
        bool has_process = state == STUB_ALIVE || state == STUB_KILLED || state == STUB_PARKED;
        if (has_process && stubs[i].host.pid == pid)
            found = &stubs[i];
    }
    mutex_unlock(&zygote);
    return found;
}

static void child_ended(int pid) {
    if (host_child_is_zygote(pid)) {
        int status = host_child_status(pid);
        if (status == ZYGOTE_NO_TSC)
            host_fail("this host is too old for seeded runs: rdtsc cannot be stopped (PR_SET_TSC)");
        host_fail("the process that makes others ended, with status %d", status);
    }
    struct stub *stub = stub_find(pid);
    if (stub == NULL)
        host_child_reap(pid);
    else
        stub_died(stub);
}

void stubs_watch(void) {
    uint64_t look_ns = host_time_ns() + WATCH_NS;
    for (;;) {
        int pid = host_child_await(look_ns);
        if (pid != 0)
            child_ended(pid);
        if (host_time_ns() < look_ns)
            continue;
        for (uint32_t i = 0; i < atomic_load(&stubs_end); i++)
            stub_judge(&stubs[i]);
        look_ns = host_time_ns() + WATCH_NS;
    }
}
