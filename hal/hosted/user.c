/* SPDX-License-Identifier: MIT */
/*
 * Guest threads. Each is a host thread of its space's stub, made when it first runs, and kept for
 * the next guest thread of the same slot when it ends: between turns it sleeps on a word that it
 * shares with the kernel.
 */
#include "machine.h"

#include <abi/call.h>
#include <base/memory.h>

#include "seed.h"

/* How long a CPU sleeps at most before it looks whether the stub is still there. */
#define LOOK_NS UINT64_C(100000000)
/* How often a thread is asked again to give way, and how much CPU time its stub may use until it
 * does: far more than any path through a stub takes. */
#define ASK_NS      UINT64_C(2000000)
#define OBEY_CPU_NS UINT64_C(500000000)
/* The same in how often it was asked: its host CPU is the asking one's own, so it could have run as
 * often. ASKS_MAX is for one that takes no time and does not answer either. */
#define ASKS     250
#define ASKS_MAX 1000
/* How often, for LOOK_NS each, a new host thread is waited for. */
#define START_LOOKS 10
/* How much CPU time a thread of a seeded run may use without entering the kernel. */
#define SEEDED_TURN_NS UINT64_C(2000000000)

#define HOST_MMAP_CALL               9
#define HOST_SHARED_FIXED            0x8011 /* MAP_SHARED | MAP_FIXED | MAP_POPULATE */
#define HOST_PRIVATE_ANONYMOUS_FIXED 0x32
/* VM FS SIGHAND THREAD SYSVSEM CHILD_CLEARTID */
#define CLONE_FLAGS 0x250b00

/* The number by which a seeded run's yield point hands over (clock.c). */
#define SEEDED_YIELD UINT64_MAX

/* hal_user.machine */
enum { USER_SPACE, USER_UNIT, USER_SERIAL, USER_IS_FRESH };

static uint32_t user_slot(const struct hal_user *user) {
    return (uint32_t)((user->page_address - AX_THREAD_PAGES) >> AX_PAGE_SHIFT);
}

bool hal_user_create(struct hal_user *user, struct hal_space *space) {
    memset(user->machine, 0, sizeof(user->machine));
    user->machine[USER_SPACE] = space->machine[0];
    user->machine[USER_IS_FRESH] = 1;
    return true;
}

/* Its host thread waits for the next of its slot: that may be long, so it sleeps at once. */
void hal_user_destroy(struct hal_user *user) {
    struct stub *stub = space_at(user->machine[USER_SPACE])->stub;
    if (user->machine[USER_UNIT] == 0 || stub == NULL)
        return;
    spin_lock(&stub->lock);
    if (stub_is_alive(stub) && stub->serial == user->machine[USER_SERIAL])
        __atomic_store_n(&unit_fixed((uint32_t)user->machine[USER_UNIT])->yields, 0,
                         __ATOMIC_RELAXED);
    spin_unlock(&stub->lock);
}

/* ---- The host thread ------------------------------------------------------------------------- */

/* Behind the `count` that are in the list. */
#define THREAD_ORDERS 4
static void orders_for_thread(struct stub *stub, uint32_t count, uint32_t slot, uint32_t unit) {
    uint64_t area = STUB_AREAS + ((uint64_t)slot << STUB_AREA_SHIFT);
    uint64_t stack = area + STUB_SIGNAL_STACK, offset = unit_offset(unit);
    struct stub_order *order = &stub->orders->order[count];
    order[0] = (struct stub_order){
        HOST_MMAP_CALL, {area, STUB_FIXED, 3, HOST_SHARED_FIXED, STUB_FD_MEMORY, offset}, 0};
    order[1] = (struct stub_order){HOST_MMAP_CALL,
                                   {area + STUB_FIXED, AX_PAGE_SIZE, 1, HOST_SHARED_FIXED,
                                    STUB_FD_MEMORY, offset + STUB_FIXED},
                                   0};
    order[2] = (struct stub_order){HOST_MMAP_CALL,
                                   {stack, STUB_AREA_BYTES - STUB_SIGNAL_STACK, 3,
                                    HOST_PRIVATE_ANONYMOUS_FIXED, UINT64_MAX, 0},
                                   0};
    order[3] =
        (struct stub_order){HOST_CLONE, {CLONE_FLAGS, area + STUB_AREA_BYTES, 0, area, 0, 0}, 0};
}

/* Waits until a new host thread has confined itself and waits for its first turn; not for ever,
 * since threads of the same stub can write the word. */
static bool start_await(struct stub *stub, struct stub_area *area) {
    for (unsigned looks = 0; looks < START_LOOKS && stub_is_alive(stub);) {
        uint32_t word = __atomic_load_n(&area->word, __ATOMIC_SEQ_CST);
        if (word != STUB_START)
            return word_is_kernels(word);
        host_wait(&area->word, STUB_START, host_time_ns() + LOOK_NS);
        if (__atomic_load_n(&area->word, __ATOMIC_SEQ_CST) == STUB_START)
            looks += !seed_is_on() && !host_stub_is_held(&stub->host); /* a slow host is not seen */
    }
    return false;
}

/* The unit is the stub's from here on, whatever comes of it, until the stub is released. */
static void unit_prepare(struct stub *stub, const struct hal_user *user, uint32_t unit) {
    uint32_t slot = user_slot(user);
    uint64_t stack = STUB_AREAS + ((uint64_t)slot << STUB_AREA_SHIFT) + STUB_SIGNAL_STACK;
    *unit_fixed(unit) = (struct stub_fixed){
        .page = user->page_address,
        .signal_stack = {stack, 0, STUB_AREA_BYTES - STUB_SIGNAL_STACK},
        .yields = yields_most(),
    };
    unit_area(unit)->word = STUB_START;
    __atomic_store_n(&stub->units[slot], unit, __ATOMIC_RELEASE);
    if (slot >= stub->slot_end)
        __atomic_store_n(&stub->slot_end, slot + 1, __ATOMIC_RELEASE);
}

/* Makes it, in one list with the changes that are due. */
static bool thread_make(struct space *space, struct stub *stub, const struct hal_user *user,
                        uint32_t unit) {
    uint32_t count;
    int64_t tid;
    if (!changes_gather(space, STUB_ORDER_MAX - THREAD_ORDERS, &count))
        return false;
    orders_for_thread(stub, count, user_slot(user), unit);
    if (!stub_execute(stub, count + THREAD_ORDERS, true, &tid))
        return false;
    /* It begins where the mapper is. */
    *unit_find(unit) = (struct unit){.tid = (int)tid, .host_cpu = stub->host_cpu};
    return start_await(stub, unit_area(unit));
}

/* The host thread of an earlier thread of the slot takes it, and needs its page. */
static bool thread_inherit(struct space *space, const struct hal_user *user, uint32_t unit) {
    __atomic_store_n(&unit_fixed(unit)->yields, yields_most(), __ATOMIC_RELAXED);
    bool is_behind = space->is_behind || !space_is_current(space, user->page_address);
    return !is_behind || changes_apply(space);
}

/* The thread's unit; its host thread is made if the slot has none. With `orders` held. 0: none. */
static uint32_t thread_of(struct space *space, struct stub *stub, const struct hal_user *user) {
    uint32_t unit = stub->units[user_slot(user)];
    if (unit != 0)
        return thread_inherit(space, user, unit) ? unit : 0;
    unit = unit_take();
    if (unit == 0)
        return 0;
    unit_prepare(stub, user, unit);
    if (thread_make(space, stub, user, unit))
        return unit;
    stub_kill(stub);
    return 0;
}

/*
 * The stub in which everything is there that the thread needs to run; NULL: it is lost. A thread
 * that has had a host thread is lost with the process that this was in, and never gets another.
 */
static struct stub *user_prepare(struct hal_user *user, struct space *space) {
    uint64_t *unit = &user->machine[USER_UNIT], *serial = &user->machine[USER_SERIAL];
    struct stub *stub = space->stub;
    if (*unit != 0 && stub != NULL && !space->is_behind)
        return stub;
    mutex_lock(&space->orders);
    stub = *unit == 0 ? stub_of(space) : space->stub;
    if (stub != NULL && *unit != 0 && !changes_apply(space))
        stub = NULL;
    else if (stub != NULL && *unit == 0 && (*unit = thread_of(space, stub, user)) != 0)
        *serial = stub->serial;
    mutex_unlock(&space->orders);
    return *unit != 0 ? stub : NULL;
}

/* ---- A turn ---------------------------------------------------------------------------------- */

static void context_load(struct stub_area *area, const struct ax_regs *regs) {
    area->context = (struct stub_context){.regs = *regs,
                                          .rip = regs->rip,
                                          .cs = 0x33,
                                          .rflags = regs->rflags,
                                          .rsp = regs->rsp,
                                          .ss = 0x2b};
}

/* What a CPU knows while it waits for the thread that it runs. */
struct turn {
    struct machine_cpu *cpu;
    struct stub *stub;
    uint32_t unit;
    bool is_wanted;        /* it was asked to come back */
    unsigned asks;         /* how often, while it could answer */
    uint64_t cpu_start_ns; /* what the stub had used when it was first asked */
};

static void turn_ask(struct turn *turn) {
    __atomic_store_n(&unit_fixed(turn->unit)->preempt, 1, __ATOMIC_SEQ_CST);
    spin_lock(&turn->stub->lock);
    if (stub_is_alive(turn->stub)) {
        if (turn->asks == 0)
            turn->cpu_start_ns = host_stub_cpu_ns(&turn->stub->host);
        host_stub_preempt(&turn->stub->host, unit_find(turn->unit)->tid);
    }
    spin_unlock(&turn->stub->lock);
    turn->is_wanted = true;
    turn->asks++;
}

/* A stub that goes on and on without giving way is no stub of ours any more. One that is held from
 * outside has all its time before it when it is let go. */
static void turn_judge(struct turn *turn) {
    if (turn->asks < ASKS)
        return;
    spin_lock(&turn->stub->lock);
    bool is_alive = stub_is_alive(turn->stub);
    bool is_late =
        is_alive && (turn->asks >= ASKS_MAX ||
                     host_stub_cpu_ns(&turn->stub->host) - turn->cpu_start_ns > OBEY_CPU_NS);
    if (is_alive && host_stub_is_held(&turn->stub->host)) {
        turn->asks = 0;
        is_late = false;
    }
    spin_unlock(&turn->stub->lock);
    if (is_late)
        stub_kill(turn->stub);
}

/* Nothing interrupts a thread of a seeded run: one that does not come back by itself ends it. */
static void turn_watch(struct turn *turn, uint64_t used_ns) {
    if (turn->cpu_start_ns == 0)
        turn->cpu_start_ns = used_ns;
    if (used_ns - turn->cpu_start_ns > SEEDED_TURN_NS)
        host_fail("a thread has not entered the kernel for %u s of CPU time: this seeded "
                  "run cannot go on (process of host pid %d, at 0x%llx)",
                  (unsigned)(SEEDED_TURN_NS / 1000000000), turn->stub->host.pid,
                  (unsigned long long)unit_area(turn->unit)->context.regs.rip);
}

/* Waits until the turn is no longer the guest's; the word. */
static uint32_t turn_await(struct turn *turn) {
    struct stub_area *area = unit_area(turn->unit);
    unsigned yields = 0;
    for (;;) {
        uint32_t word = __atomic_load_n(&area->word, __ATOMIC_SEQ_CST);
        if (!word_is_guests(word) || !stub_is_alive(turn->stub))
            return word;
        if (yields++ < yields_most() && cpu_yield(turn->cpu))
            continue;
        uint64_t until_ns = host_time_ns() + LOOK_NS;
        if (seed_is_on()) {
            turn_watch(turn, host_stub_cpu_ns(&turn->stub->host));
        } else if (turn->is_wanted || word_is_kicked(word) || cpu_has_event(turn->cpu)) {
            turn_judge(turn);
            turn_ask(turn);
            until_ns = host_time_ns() + ASK_NS;
        } else {
            uint64_t deadline_ns = cpu_host_deadline(turn->cpu->deadline_ns);
            until_ns = deadline_ns < until_ns ? deadline_ns : until_ns;
        }
        word_sleep(&area->word, word, until_ns);
    }
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* Exceptions, by the processor's numbers (Intel SDM vol. 3, 6.15). */
static uint32_t fault_of(uint64_t trap) {
    static const uint8_t faults[] = {
        [0] = AX_FAULT_DIVIDE,      [1] = AX_FAULT_DEBUG,     [3] = AX_FAULT_BREAKPOINT,
        [6] = AX_FAULT_INSTRUCTION, [14] = AX_FAULT_UNMAPPED, [16] = AX_FAULT_FLOAT,
        [17] = AX_FAULT_ALIGNMENT,  [19] = AX_FAULT_FLOAT,
    };
    return trap < sizeof(faults) && faults[trap] != 0 ? faults[trap] : AX_FAULT_GENERAL;
}

/* The guest may write at any moment: what is looked at is a copy, and each word of it read once. */
static uint64_t shared_read(const uint64_t *word) {
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void regs_read(struct ax_regs *regs, const struct ax_regs *shared) {
    *regs = *shared;
    atomic_signal_fence(memory_order_seq_cst); /* it is in *regs, and not read again */
    ax_regs_sanitize(regs);
}

static void event_of_fault(const struct stub_area *area, struct hal_event *event) {
    uint64_t error = shared_read(&area->error);
    event->kind = HAL_EVENT_FAULT;
    event->fault.fault = fault_of(shared_read(&area->trap));
    event->fault.address = 0;
    event->fault.access = 0;
    if (event->fault.fault != AX_FAULT_UNMAPPED)
        return;
    /* Bits of a page fault's error code: 1 write, 4 instruction fetch. */
    event->fault.address = shared_read(&area->address);
    event->fault.access = (error & 16) != 0  ? AX_PROT_EXECUTE
                          : (error & 2) != 0 ? AX_PROT_WRITE
                                             : AX_PROT_READ;
}

/* What the thread says of itself may be anything: it harms nobody else. False: it is nonsense. */
static bool event_of_turn(struct machine_cpu *cpu, const struct stub_area *area, uint64_t kind,
                          struct hal_event *event) {
    switch (kind) {
    case STUB_KIND_CALL:
        event->kind = HAL_EVENT_CALL;
        event->call.number = shared_read(&area->number);
        for (unsigned i = 0; i < 5; i++)
            event->call.arguments[i] = shared_read(&area->arguments[i]);
        return true;
    case STUB_KIND_BOUNCE: event->kind = HAL_EVENT_BOUNCE; return true;
    case STUB_KIND_FAULT: event_of_fault(area, event); return true;
    case STUB_KIND_PREEMPT:
    case STUB_KIND_NOT_YET:
        if (!cpu_take_event(cpu, event))
            event->kind = HAL_EVENT_KICK;
        return true;
    default: return false;
    }
}

/* ---- Seeded runs ----------------------------------------------------------------------------- */

/* A byte of the thread's memory; 0 if nothing can be read there. */
static uint8_t user_byte(struct space *space, uint64_t address) {
    uint64_t entry = space_entry(space, address);
    bool is_readable = (entry & ENTRY_PRESENT) != 0 && (entry & ENTRY_PROT(AX_PROT_ALL)) != 0;
    uint64_t physical = ENTRY_FRAME(entry) + address % AX_PAGE_SIZE;
    return is_readable && machine_is_ram(ENTRY_FRAME(entry), 1) ? *(uint8_t *)hal_window(physical)
                                                                : 0;
}

/* rdtsc is 0f 31, rdtscp 0f 01 f9 (Intel SDM vol. 2B); both show the seeded clock. */
static bool counter_is_read(struct space *space, struct ax_regs *regs) {
    uint8_t first = user_byte(space, regs->rip), second = user_byte(space, regs->rip + 1);
    bool is_rdtsc = first == 0x0f && second == 0x31;
    bool is_rdtscp = first == 0x0f && second == 0x01 && user_byte(space, regs->rip + 2) == 0xf9;
    if (!is_rdtsc && !is_rdtscp)
        return false;
    regs->rax = seed_time_ns() & UINT32_MAX;
    regs->rdx = seed_time_ns() >> 32;
    if (is_rdtscp)
        regs->rcx = 0;
    regs->rip += is_rdtsc ? 2 : 3;
    return true;
}

/* What the machine answers by itself in a seeded run. False: core has to know of it. */
static bool seeded_serve(struct hal_user *user, struct space *space, struct hal_event *event) {
    seed_entry();
    devices_work();
    clock_show();
    if (event->kind == HAL_EVENT_FAULT && event->fault.fault == AX_FAULT_GENERAL)
        /* Whoever does nothing but look at the clock waits for something that others do. */
        return counter_is_read(space, &user->regs) && !cpu_take_event(cpu_here, event);
    if (event->kind != HAL_EVENT_CALL || event->call.number != SEEDED_YIELD)
        return false;
    if (!seed_yields())
        return true;
    event->call.number = AX_CALL_OBJECT_WAIT_MANY;
    memset(event->call.arguments, 0, sizeof(event->call.arguments));
    return false;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void unit_move(struct unit *unit, uint32_t host_cpu) {
    if (unit->host_cpu == host_cpu)
        return;
    unit->host_cpu = host_cpu;
    host_cpu_move(unit->tid, host_cpu);
}

/* The thread looked at what its stub has yet to be told of: it shall look again. */
static bool fault_is_late(struct space *space, const struct hal_event *event) {
    return event->kind == HAL_EVENT_FAULT && event->fault.fault == AX_FAULT_UNMAPPED &&
           space_catch_up(space, event->fault.address, event->fault.access);
}

/* One turn: the thread runs and comes back. False: it is lost. */
static bool turn_take(struct turn *turn, struct hal_user *user, struct hal_event *event) {
    struct machine_cpu *cpu = turn->cpu;
    struct stub_area *area = unit_area(turn->unit);
    struct stub_fixed *fixed = unit_fixed(turn->unit);
    unit_move(unit_find(turn->unit), cpu->host_cpu);
    context_load(area, &user->regs);
    fixed->preempt = 0;
    fixed->fresh = (uint32_t)user->machine[USER_IS_FRESH];
    atomic_store(&cpu->running, (_Atomic uint32_t *)&area->word);
    uint32_t word = word_give(&area->word) ? turn_await(turn) : STUB_DEAD;
    atomic_store(&cpu->running, NULL);
    uint64_t kind = shared_read(&area->kind);
    if (!word_is_kernels(word) || !event_of_turn(cpu, area, kind, event))
        return false;
    regs_read(&user->regs, &area->context.regs);
    if (kind != STUB_KIND_NOT_YET)
        user->machine[USER_IS_FRESH] = 0;
    return true;
}

/* The same while the stub and its units cannot become another process's. */
static bool turn_make(struct turn *turn, struct hal_user *user, struct hal_event *event) {
    if (!stub_grant_begin(turn->stub, user->machine[USER_SERIAL]))
        return false;
    bool is_back = turn_take(turn, user, event);
    if (!is_back)
        stub_kill(turn->stub);
    stub_grant_end(turn->stub);
    return is_back;
}

void hal_user_run(struct hal_user *user, struct hal_space *space, struct hal_event *event) {
    struct machine_cpu *cpu = cpu_here;
    struct space *own = space_of(space);
    if (cpu_take_event(cpu, event))
        return;
    struct stub *stub = user_prepare(user, own);
    bool is_back = stub != NULL;
    do {
        struct turn turn = {.cpu = cpu, .stub = stub, .unit = (uint32_t)user->machine[USER_UNIT]};
        is_back = is_back && turn_make(&turn, user, event);
    } while (is_back && seed_is_on() && seeded_serve(user, own, event));
    if (!is_back)
        event->kind = HAL_EVENT_LOST;
    else if (fault_is_late(own, event))
        event->kind = HAL_EVENT_KICK;
}
