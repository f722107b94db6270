/* SPDX-License-Identifier: MIT */
/* CPUs are threads of the kernel process. What else they have: a kick, a timer, interrupts. */
#include "machine.h"

#include "seed.h"

/* After how many pauses in a row a CPU gives way: whoever it waits for may need its host CPU. */
#define PAUSES 64

/* machine_cpu.kicked */
enum { KICKED = 1, ASLEEP = 2 };

/* How long an idle CPU looks for a kick before it sleeps, and how long it does not after it looked
 * in vain. Waking a sleeping CPU of the host takes almost as long, so two CPUs that wait for each
 * other find each other awake. */
#define SPIN_NS       UINT64_C(30000)
#define SPIN_PAUSE_NS (16 * SPIN_NS)

struct machine_cpu machine_cpus[AX_CPU_MAX];
uint32_t machine_cpu_count;
_Thread_local struct machine_cpu *cpu_here;

static _Atomic uint64_t irq_pending, irq_unmasked;

/* ---- Time ------------------------------------------------------------------------------------ */

uint32_t hal_cpu_id(void) {
    return cpu_here->id;
}

void hal_cpu_pause(void) {
    static _Thread_local unsigned pauses;
    if (++pauses % PAUSES == 0)
        host_yield();
    else
        __builtin_ia32_pause();
}

void hal_deadline_set(uint64_t deadline_ns) {
    cpu_here->deadline_ns = deadline_ns;
}

/* Rounded up, so that the time has come when a sleep until then is over. */
uint64_t cpu_host_deadline(uint64_t deadline_ns) {
    if (deadline_ns == UINT64_MAX)
        return HOST_NEVER;
    uint64_t now_ns = hal_time_ns(), host_ns = host_time_ns();
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    return left_ns < HOST_NEVER - host_ns ? host_ns + left_ns : HOST_NEVER;
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

void hal_irq_setup(uint32_t irq, uint32_t mode) {
    (void)mode;
    hal_irq_mask(irq);
    atomic_fetch_and(&irq_pending, ~(UINT64_C(1) << irq));
}

/* All lines are wires. */
void hal_irq_message(uint32_t irq, uint64_t *address, uint64_t *data) {
    (void)irq;
    *address = 0;
    *data = 0;
}

void hal_irq_unmask(uint32_t irq) {
    atomic_fetch_or(&irq_unmasked, UINT64_C(1) << irq);
    if ((atomic_load(&irq_pending) & UINT64_C(1) << irq) != 0)
        hal_cpu_kick(0);
}

void hal_irq_mask(uint32_t irq) {
    atomic_fetch_and(&irq_unmasked, ~(UINT64_C(1) << irq));
}

/* CPU 0 takes them all. */
void machine_irq(uint32_t irq) {
    atomic_fetch_or(&irq_pending, UINT64_C(1) << irq);
    hal_cpu_kick(0);
}

static uint64_t irq_ready(const struct machine_cpu *cpu) {
    return cpu->id == 0 ? atomic_load(&irq_pending) & atomic_load(&irq_unmasked) : 0;
}

/* ---- Events ---------------------------------------------------------------------------------- */

bool cpu_has_event(const struct machine_cpu *cpu) {
    return atomic_load(&cpu->kicked) != 0 || irq_ready(cpu) != 0 ||
           (cpu->deadline_ns != UINT64_MAX && hal_time_ns() >= cpu->deadline_ns);
}

bool cpu_take_event(struct machine_cpu *cpu, struct hal_event *event) {
    uint64_t ready = irq_ready(cpu);
    if (ready != 0) {
        event->kind = HAL_EVENT_INTERRUPT;
        event->irq = (uint32_t)__builtin_ctzll(ready);
        hal_irq_mask(event->irq);
        atomic_fetch_and(&irq_pending, ~(UINT64_C(1) << event->irq));
        return true;
    }
    if (atomic_exchange(&cpu->kicked, 0) != 0) {
        event->kind = HAL_EVENT_KICK;
        return true;
    }
    if (cpu->deadline_ns != UINT64_MAX && hal_time_ns() >= cpu->deadline_ns) {
        cpu->deadline_ns = UINT64_MAX;
        event->kind = HAL_EVENT_TIMER;
        return true;
    }
    return false;
}

/* The next thing that happens is the timer, or a device's work. */
static void seeded_wait(const struct machine_cpu *cpu) {
    devices_look();
    uint64_t due_ns = devices_due_ns();
    uint64_t next_ns = cpu->deadline_ns < due_ns ? cpu->deadline_ns : due_ns;
    if (next_ns == UINT64_MAX)
        host_fail("every thread waits for something that never happens in this seeded run");
    seed_jump(next_ns);
    devices_work();
}

/* Whether somebody may kick it soon: a CPU that runs, on another of the host's. */
static bool cpu_has_peer(const struct machine_cpu *cpu) {
    bool has_peer = false;
    for (uint32_t id = 0; id < machine_cpu_count; id++) {
        const struct machine_cpu *other = &machine_cpus[id];
        if (other != cpu && other->host_cpu == cpu->host_cpu)
            return false; /* it would keep this one from running */
        has_peer = has_peer || (other != cpu && atomic_load(&other->kicked) != ASLEEP);
    }
    return has_peer;
}

static bool cpu_spin(struct machine_cpu *cpu) {
    uint64_t now_ns = hal_time_ns(), end_ns = now_ns + SPIN_NS;
    if (now_ns < cpu->spin_again_ns || !cpu_has_peer(cpu))
        return false;
    for (; now_ns < end_ns; now_ns = hal_time_ns()) {
        if (cpu_has_event(cpu))
            return true;
        __builtin_ia32_pause();
    }
    cpu->spin_again_ns = now_ns + SPIN_PAUSE_NS;
    return false;
}

static void cpu_sleep(struct machine_cpu *cpu) {
    uint32_t kicked = 0;
    if (cpu_spin(cpu) || !atomic_compare_exchange_strong(&cpu->kicked, &kicked, ASLEEP))
        return;
    host_wait((const uint32_t *)&cpu->kicked, ASLEEP, cpu_host_deadline(cpu->deadline_ns));
    kicked = ASLEEP;
    atomic_compare_exchange_strong(&cpu->kicked, &kicked, 0);
}

void hal_cpu_wait(struct hal_event *event) {
    struct machine_cpu *cpu = cpu_here;
    if (seed_is_on()) {
        seed_entry();
        devices_work();
    } else if (cpu->is_polling) {
        (void)cpu_yield(cpu); /* core waits for something that others have to do */
    }
    cpu->is_polling = false;
    while (!cpu_take_event(cpu, event)) {
        if (seed_is_on())
            seeded_wait(cpu);
        else
            cpu_sleep(cpu);
    }
    if (seed_is_on())
        clock_show();
}

/*
 * The CPU may sleep on its own word or on that of the guest thread it runs; the latter is changed,
 * so that a sleep that is just beginning does not begin. The guest may change it as well, which
 * costs no more than a look in vain.
 */
void hal_cpu_kick(uint32_t cpu) {
    struct machine_cpu *own = &machine_cpus[cpu];
    uint32_t was = atomic_exchange(&own->kicked, KICKED);
    if (own == cpu_here) {
        own->is_polling = true;
        return;
    }
    if (was == ASLEEP)
        host_wake((const uint32_t *)&own->kicked);
    uint32_t *word = (uint32_t *)atomic_load(&own->running);
    if (word != NULL)
        word_kick(word);
}

static void cpu_begin(void *argument) {
    cpu_here = argument;
    core_cpu_main();
}

bool hal_cpu_start(uint32_t cpu) {
    struct machine_cpu *own = &machine_cpus[cpu];
    return host_thread_start(cpu_begin, own, own->host_cpu);
}
