/* SPDX-License-Identifier: MIT */
/*
 * Parked stubs: a process whose space is gone is emptied, and kept for a space to come, which is
 * cheaper than to end it and to make another.
 *
 * A guest can change nothing of its process but memory that the kernel mapped, and its own threads.
 * So what is parked has neither: first every guest thread is told to exit; when none is left to
 * answer for, the mapper takes out all mappings but the stub's own three; then Linux has to say
 * that the mapper is the only thread. A stub of which anything of this does not come true soon is
 * ended.
 */
#include "machine.h"

#include "seed.h"

#define HOST_MUNMAP 11

/* Above it Linux maps nothing for a process. */
#define HOST_END UINT64_C(0x7ffffffff000)

#define PARKED_MAX 8
/* More threads than this have their process ended: that is less work. */
#define THREADS_MAX 16
/* How long emptying may take; meanwhile other things run. */
#define EMPTY_NS UINT64_C(10000000)

/* stub.parking */
enum { PARKING_NOT, PARKING_EXITS, PARKING_ORDERS, PARKING_COUNT, PARKING_FAILED };

static struct spin lock; /* of what follows */
static struct stub *parked[PARKED_MAX];
static uint32_t parked_count;

/* ---- The parked ------------------------------------------------------------------------------ */

/* False: there are enough, or it has been killed. */
static bool parked_add(struct stub *stub) {
    enum stub_state state = STUB_ALIVE;
    spin_lock(&lock);
    bool is_parked = parked_count < PARKED_MAX &&
                     atomic_compare_exchange_strong(&stub->state, &state, STUB_PARKED);
    if (is_parked)
        parked[parked_count++] = stub;
    spin_unlock(&lock);
    return is_parked;
}

struct stub *stub_unpark(void) {
    struct stub *stub = NULL;
    spin_lock(&lock);
    while (parked_count > 0 && stub == NULL) {
        enum stub_state state = STUB_PARKED;
        stub = parked[--parked_count];
        if (!atomic_compare_exchange_strong(&stub->state, &state, STUB_ALIVE))
            stub = NULL; /* its process has ended: the watch has it */
    }
    spin_unlock(&lock);
    if (stub != NULL)
        stub->serial = stub_serial(); /* nobody has the old one: its space had no thread left */
    return stub;
}

void stub_forget(const struct stub *stub) {
    spin_lock(&lock);
    for (uint32_t i = 0; i < parked_count; i++) {
        if (parked[i] == stub)
            parked[i--] = parked[--parked_count];
    }
    spin_unlock(&lock);
}

/* ---- Emptying -------------------------------------------------------------------------------- */

static bool is_parkable(struct stub *stub) {
    uint32_t threads = 0;
    for (uint32_t slot = 0; slot < stub->slot_end; slot++)
        threads += stub->units[slot] != 0;
    spin_lock(&stub->lock);
    bool is_idle = stub_is_alive(stub) && stub->active == 0;
    spin_unlock(&stub->lock);
    return is_idle && !seed_is_on() && threads <= THREADS_MAX && !host_stub_is_held(&stub->host);
}

/* Tells each thread to exit. False: one of them is not where a thread waits for its turn. */
static bool threads_end(struct stub *stub) {
    for (uint32_t slot = 0; slot < stub->slot_end; slot++) {
        if (stub->units[slot] != 0 && !word_end(&unit_area(stub->units[slot])->word))
            return false;
    }
    return true;
}

/* Whether each says that it has exited, or somebody in its name: that is looked at in the end. */
static bool threads_are_ended(const struct stub *stub) {
    for (uint32_t slot = 0; slot < stub->slot_end; slot++) {
        if (stub->units[slot] != 0 &&
            __atomic_load_n(&unit_area(stub->units[slot])->word, __ATOMIC_SEQ_CST) != STUB_DEAD)
            return false;
    }
    return true;
}

static void mappings_remove(struct stub *stub) {
    uint64_t behind = STUB_ORDERS + STUB_ORDERS_BYTES;
    stub->orders->order[0] =
        (struct stub_order){.number = HOST_MUNMAP, .arguments = {0, STUB_TEXT}};
    stub->orders->order[1] =
        (struct stub_order){.number = HOST_MUNMAP, .arguments = {behind, HOST_END - behind}};
    stub_order(stub, 2, false);
}

static uint32_t parking_begin(struct stub *stub) {
    if (!is_parkable(stub) || !threads_end(stub))
        return PARKING_FAILED;
    stub->parking_end_ns = host_time_ns() + EMPTY_NS;
    return PARKING_EXITS;
}

/* What the orders take is granted, as that of all others. */
static uint32_t parking_orders(struct stub *stub) {
    if (!threads_are_ended(stub))
        return PARKING_EXITS;
    if (!stub_grant_begin(stub, stub->serial))
        return PARKING_FAILED;
    mappings_remove(stub);
    return PARKING_ORDERS;
}

static uint32_t parking_report(struct stub *stub) {
    enum host_report report = host_report_look(&stub->host);
    if (report == HOST_REPORT_NONE)
        return PARKING_ORDERS;
    stub_grant_end(stub);
    return report == HOST_REPORT_DONE ? PARKING_COUNT : PARKING_FAILED;
}

/* One step on; where it leads. */
static uint32_t parking_step(struct stub *stub) {
    switch (stub->parking) {
    case PARKING_NOT: return parking_begin(stub);
    case PARKING_EXITS: return parking_orders(stub);
    case PARKING_ORDERS: return parking_report(stub);
    default: return stub->parking;
    }
}

/* As many steps as can be made without waiting. */
static void parking_go_on(struct stub *stub) {
    uint32_t before;
    do {
        before = stub->parking;
        stub->parking = parking_step(stub);
    } while (stub->parking != before);
    if (stub->parking == PARKING_FAILED ||
        (stub_is_alive(stub) && host_time_ns() <= stub->parking_end_ns))
        return;
    if (stub->parking == PARKING_ORDERS)
        stub_grant_end(stub);
    stub->parking = PARKING_FAILED;
}

bool stub_leave(struct stub *stub) {
    parking_go_on(stub);
    if (stub->parking == PARKING_FAILED)
        return stub_release(stub);
    if (stub->parking != PARKING_COUNT || host_stub_threads(&stub->host) != 1)
        return false;
    stub_give_units(stub);
    stub->parking = PARKING_NOT;
    if (parked_add(stub))
        return true;
    stub->parking = PARKING_FAILED;
    return stub_release(stub);
}
