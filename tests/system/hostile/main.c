/* SPDX-License-Identifier: MIT */
/*
 * The parent of all attackers, as the machine's init. It prints a line an attack and ends the
 * machine: with 0 if every attacker ended as it may, and the bystanders did not suffer.
 */
#include "hostile.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/start.h>

#define PRIORITY          11
#define PRIORITY_ATTACKER 10
#define LIMIT_MS          (10000 * PATIENCE)
#define STALL_MS          (3000 * PATIENCE)

struct shared *shared;
unsigned own_slot;

extern const char upcall_entry[];

static uint8_t stacks[2][STACK_BYTES] __attribute__((aligned(64)));
static unsigned failures;
static ax_handle machine; /* the system device */

/* ---- Ending ---------------------------------------------------------------------------------- */

static _Noreturn void machine_end(int code) {
    fflush(stdout);
    (void)ax_system_halt(machine, (uint64_t)code);
    _exit(1);
}

_Noreturn void die(const char *what, int64_t value) {
    printf("FAILED: %s: %lld\n", what, (long long)value);
    machine_end(1);
}

int64_t must(const char *what, int64_t result) {
    if (result < 0)
        die(what, result);
    return result;
}

/* The same handle, which no clone gets. */
static ax_handle handle_hide(ax_handle handle) {
    return (ax_handle)must("a handle of the parent's own",
                           ax_handle_transfer(AX_HANDLE_NONE, handle, AX_PLACE_ANY, AX_RIGHT_ALL,
                                              AX_TRANSFER_MOVE | AX_TRANSFER_NOT_CLONED));
}

/* ---- An attacker ----------------------------------------------------------------------------- */

struct attacker {
    ax_handle process; /* AX_HANDLE_NONE: none */
    uint64_t argument, deadline_ns;
    bool is_killed;
};

static struct attacker attackers[SLOTS];
static const struct attack *current;

/* The clone's first function. */
static _Noreturn void attacker_main(uint64_t argument) {
    must("priority", ax_thread_priority(AX_HANDLE_NONE, PRIORITY_ATTACKER));
    (void)ax_handle_close(machine);
    (void)ax_handle_close(ax_start()->log);
    while (shared->go[own_slot] == 0)
        (void)ax_sleep_until(0);
    thread_begin(stacks[1] + STACK_BYTES);
    int code = current->run(argument);
    for (;;)
        (void)ax_process_end(AX_HANDLE_NONE, AX_CAUSE_EXIT, code);
}

static void attacker_start(unsigned slot, uint64_t argument) {
    struct ax_personality personality = {.entry = (uint64_t)upcall_entry};
    uint32_t limit_ms = current->limit_ms != 0 ? current->limit_ms : LIMIT_MS;
    own_slot = slot;
    shared->go[slot] = 0;
    shared->progress[slot] = 0;
    ax_handle process = (ax_handle)must(
        "clone", ax_process_clone((uint64_t)attacker_main, (uint64_t)(stacks[0] + STACK_BYTES - 8),
                                  argument, AX_PLACE_ANY));
    process = handle_hide(process);
    ax_result result = ax_process_personality(process, &personality);
    if (result != AX_ERR_ENDED)
        must("personality", result);
    shared->go[slot] = 1;
    attackers[slot] = (struct attacker){
        .process = process, .argument = argument, .deadline_ns = ax_clock_ns() + limit_ms * MS};
}

static uint32_t end_of(const struct ax_object_info *info, bool is_killed) {
    switch (info->process.cause) {
    case AX_CAUSE_EXIT: return info->process.code == 0 ? END_DONE : END_ODD;
    case AX_CAUSE_MACHINE: return END_LOST;
    case AX_CAUSE_FAULT:
    case AX_CAUSE_BOUNCE: return END_FAULT;
    default: return is_killed ? END_KILLED : END_ODD;
    }
}

/* It has ended: was that right? Its end. */
static uint32_t attacker_judge(unsigned slot) {
    struct attacker *attacker = &attackers[slot];
    struct ax_object_info info;
    must("info", ax_object_info(attacker->process, &info));
    uint32_t end = end_of(&info, attacker->is_killed);
    bool is_too_far = current->most != 0 && shared->progress[slot] > current->most;
    if ((current->ends & end) == 0 || is_too_far) {
        printf(
            "FAILED: %s(%llu) ended with cause %u, fault %u at %#llx, code %lld, progress %llu\n",
            current->name, (unsigned long long)attacker->argument, info.process.cause,
            info.process.fault, (unsigned long long)info.process.address,
            (long long)info.process.code, (unsigned long long)shared->progress[slot]);
        failures++;
    }
    (void)ax_handle_close(attacker->process);
    attacker->process = AX_HANDLE_NONE;
    return end;
}

/* Waits for the first of them; which, or -1: some had to be killed. */
static int attackers_await(void) {
    struct ax_wait_item items[SLOTS];
    unsigned slots[SLOTS], count = 0;
    uint64_t deadline_ns = AX_TIME_NEVER;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (attackers[slot].process == AX_HANDLE_NONE)
            continue;
        items[count] = (struct ax_wait_item){attackers[slot].process, AX_SIGNAL_ENDED, 0, 0};
        slots[count++] = slot;
        if (attackers[slot].deadline_ns < deadline_ns)
            deadline_ns = attackers[slot].deadline_ns;
    }
    ax_result result = ax_object_wait_many(items, count, deadline_ns);
    if (result >= 0)
        return (int)slots[result];
    for (unsigned i = 0; i < count; i++) {
        struct attacker *attacker = &attackers[slots[i]];
        if (attacker->deadline_ns > ax_clock_ns())
            continue;
        attacker->is_killed = true;
        attacker->deadline_ns = AX_TIME_NEVER;
        (void)ax_process_end(attacker->process, AX_CAUSE_KILLED, 0);
    }
    return -1;
}

/* ---- An attack ------------------------------------------------------------------------------- */

static void attack_report(const uint32_t *ends, uint64_t start_ns) {
    uint64_t gap_ns = ax_clock_ns() - shared->last_ns;
    if (gap_ns < shared->longest_ns)
        gap_ns = shared->longest_ns;
    printf("%-18s %4u done %4u lost %4u fault %3u killed %4u odd  %5u ms, longest gap %u ms\n",
           current->name, ends[0], ends[1], ends[2], ends[3], ends[4],
           (unsigned)((ax_clock_ns() - start_ns) / MS), (unsigned)(gap_ns / MS));
    if (gap_ns > STALL_MS * MS) {
        printf("FAILED: %s: the bystanders stood still\n", current->name);
        failures++;
    }
    if (shared->mistakes != 0)
        die("the bystanders' memory or messages changed", (int64_t)shared->mistakes);
}

static void attack_run(const struct attack *attack, unsigned together) {
    uint32_t ends[5] = {0}, running = 0, started = 0;
    uint64_t start_ns = ax_clock_ns();
    current = attack;
    shared->longest_ns = 0;
    while (started < attack->tries || running > 0) {
        for (unsigned slot = 0; slot < together && started < attack->tries; slot++) {
            if (attackers[slot].process != AX_HANDLE_NONE)
                continue;
            attacker_start(slot, started++);
            running++;
        }
        int slot = attackers_await();
        if (slot < 0)
            continue;
        ends[__builtin_ctz(attacker_judge((unsigned)slot))]++;
        running--;
    }
    attack_report(ends, start_ns);
}

static void attacks_run(const struct attack *attacks, const char *wanted) {
    for (; attacks->name != NULL; attacks++) {
        if (wanted == NULL || strcmp(wanted, attacks->name) == 0)
            attack_run(attacks, attacks->tries > 8 ? 8 : attacks->tries);
        fflush(stdout);
    }
}

/* ---- To be looked at ------------------------------------------------------------------------- */

static void wait_for_ever(uint64_t argument) {
    (void)argument;
    for (;;)
        (void)ax_sleep_until(AX_TIME_NEVER);
}

/* Below all others: it is interrupted whenever somebody else has something to do. */
static void spin_for_ever(uint64_t argument) {
    (void)argument;
    must("priority", ax_thread_priority(AX_HANDLE_NONE, 0));
    for (volatile bool is_endless = true; is_endless;)
        ;
}

static int stand_still(uint64_t argument) {
    (void)thread_start(spin_for_ever, 0);
    for (unsigned i = 0; i < 2; i++)
        (void)thread_start(wait_for_ever, 0);
    (void)ax_sleep_until(0);
    shared->progress[own_slot] = 1;
    wait_for_ever(argument);
    return 0;
}

static int end_at_once(uint64_t argument) {
    (void)argument;
    (void)thread_start(wait_for_ever, 0);
    (void)ax_sleep_until(0);
    return 0;
}

/* A process with four threads, beside the bystanders and what others before it have left, until
 * somebody ends the machine. */
static _Noreturn void stand(void) {
    static const struct attack ends = {"end", end_at_once, 4, END_DONE, 0, 0};
    static const struct attack attack = {"stand", stand_still, 1, END_KILLED, 0, 0};
    attack_run(&attack_linger, 4);
    attack_run(&ends, 4);
    current = &attack;
    attacker_start(0, 0);
    while (shared->progress[0] == 0)
        (void)ax_sleep_until(ax_clock_ns() + MS);
    for (uint64_t seen = 0;;) {
        (void)ax_sleep_until(ax_clock_ns() + 100 * MS);
        if (shared->mistakes != 0)
            die("the bystanders made mistakes", (int64_t)shared->mistakes);
        if (shared->round_trips != seen)
            printf("standing\n");
        fflush(stdout);
        seen = shared->round_trips;
    }
}

static void shared_make(void) {
    struct ax_map_request request = {.size_bytes = sizeof(struct shared),
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_POPULATE};
    ax_handle memory = (ax_handle)must("memory", ax_memory_create(1, 0, AX_PLACE_ANY));
    shared = (struct shared *)must("map", ax_memory_map(AX_HANDLE_NONE, memory, &request));
}

int main(int argc, char **argv) {
    const char *wanted = argc > 1 ? argv[1] : NULL;
    ax_handle bystanders[2];
    machine = ax_start_handle("system");
    (void)ax_handle_close(ax_start_handle("supervisor"));
    shared_make();
    must("priority", ax_thread_priority(AX_HANDLE_NONE, PRIORITY));
    bystanders_start(bystanders);
    for (unsigned i = 0; i < 2; i++)
        bystanders[i] = handle_hide(bystanders[i]);
    while (shared->round_trips == 0) /* both are there before any attacker */
        (void)ax_sleep_until(ax_clock_ns() + MS);
    if (wanted != NULL && strcmp(wanted, "stand") == 0)
        stand();
    attacks_run(attacks_calls, wanted);
    attacks_run(attacks_words, wanted);
    attacks_run(attacks_registers, wanted);
    attacks_run(attacks_memory, wanted);
    attacks_run(attacks_text, wanted);
    for (unsigned i = 0; i < 2; i++) {
        struct ax_object_info info;
        must("bystander", ax_object_info(bystanders[i], &info));
        if (info.process.cause != AX_CAUSE_NONE)
            die("a bystander ended", info.process.cause);
    }
    printf("%llu round trips of the bystanders, %u failures\n",
           (unsigned long long)shared->round_trips, failures);
    machine_end(failures != 0);
}
