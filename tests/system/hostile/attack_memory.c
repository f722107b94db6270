/* SPDX-License-Identifier: MIT */
/* Memory: races against the mapper, what must not be written, what can be exhausted. */
#include "hostile.h"

#define RACE_PAGES 64

/* ---- Pages that only the kernel writes ------------------------------------------------------- */

static int read_only(uint64_t argument) {
    const uint64_t pages[] = {STUB_TEXT, STUB_CONSTANTS, STUB_ORDERS,
                              (uint64_t)area_of(thread_slot()) + STUB_FIXED, AX_KERNEL_PAGE};
    uint64_t value, page = pages[argument];
    for (uint64_t offset = 0; offset < AX_PAGE_SIZE; offset += 64) {
        if (!try_read(page + offset, &value) || try_write(page + offset, value))
            return 1;
    }
    return 0;
}

/* What lies there is gone, and stays gone. */
static int nothing_there(uint64_t argument) {
    const uint64_t places[] = {
        0,
        0x400000 - 2 * AX_PAGE_SIZE, /* the one below the program may have trampolines */
        STUB_TEXT - AX_PAGE_SIZE,
        STUB_TEXT + STUB_TEXT_BYTES,
        STUB_CONSTANTS - AX_PAGE_SIZE,
        STUB_CONSTANTS + STUB_CONSTANTS_BYTES,
        STUB_ORDERS - AX_PAGE_SIZE,
        STUB_ORDERS + STUB_ORDERS_BYTES,
        ZYGOTE_STACK,
        ZYGOTE_STACK + ZYGOTE_STACK_BYTES - 8,
        STUB_AREAS - 8,
        (uint64_t)area_of(thread_slot()) + 0x2000,
        (uint64_t)area_of(thread_slot() + 1),
        (uint64_t)area_of(AX_THREAD_MAX - 1) + STUB_AREA_BYTES,
        AX_USER_END,
        UINT64_C(0x7fffffffe000),
        UINT64_C(0x7ffff7fc0000), /* where the host puts its own page of calls */
        UINT64_C(0x7ffffffde000),
        UINT64_C(0xffff888000000000),
    };
    uint64_t value;
    return argument < COUNT(places) && try_read(places[argument], &value) ? 1 : 0;
}

/* The kernel refuses to map where the machine lives. */
static int map_over(uint64_t argument) {
    const uint64_t places[] = {STUB_TEXT,
                               STUB_CONSTANTS,
                               STUB_ORDERS,
                               (uint64_t)area_of(0),
                               AX_KERNEL_PAGE,
                               AX_THREAD_PAGES,
                               STUB_AREAS - AX_PAGE_SIZE,
                               AX_USER_END};
    struct ax_map_request request = {.address = places[argument],
                                     .size_bytes = AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_FIXED | AX_MAP_REPLACE};
    return ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request) >= 0 ||
           ax_memory_unmap(AX_HANDLE_NONE, request.address, AX_PAGE_SIZE) > 0 ||
           ax_memory_protect(AX_HANDLE_NONE, request.address, AX_PAGE_SIZE, AX_PROT_ALL) >= 0;
}

/* ---- Races ----------------------------------------------------------------------------------- */

static uint64_t race_address, race_end_ns;

static void race_touch(uint64_t seed) {
    struct random random;
    random_seed(&random, seed);
    while (ax_clock_ns() < race_end_ns) {
        uint64_t value,
            at = race_address + random_below(&random, RACE_PAGES * AX_PAGE_SIZE / 8) * 8;
        struct jump jump;
        switch (random_below(&random, 3)) {
        case 0: (void)try_read(at, &value); break;
        case 1: (void)try_write(at, 0x0b0f0b0f0b0f0b0f); break; /* ud2, over and over */
        default: jump_prepare(&jump, at); jump_run(&jump);
        }
    }
    __atomic_fetch_add(&shared->progress[own_slot], 1, __ATOMIC_SEQ_CST);
}

static void race_change(struct random *random) {
    static const uint32_t prots[] = {0, AX_PROT_READ, AX_PROT_READ | AX_PROT_WRITE,
                                     AX_PROT_READ | AX_PROT_EXECUTE};
    uint64_t first = random_below(random, RACE_PAGES);
    uint64_t count = 1 + random_below(random, RACE_PAGES - first);
    struct ax_map_request request = {.address = race_address + first * AX_PAGE_SIZE,
                                     .size_bytes = count * AX_PAGE_SIZE,
                                     .prot = prots[random_below(random, 4)],
                                     .flags = AX_MAP_FIXED | AX_MAP_REPLACE};
    switch (random_below(random, 3)) {
    case 0: (void)ax_memory_unmap(AX_HANDLE_NONE, request.address, request.size_bytes); break;
    case 1:
        (void)!ax_memory_protect(AX_HANDLE_NONE, request.address, request.size_bytes, request.prot);
        break;
    default: (void)!ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
    }
}

static int race(uint64_t argument) {
    struct ax_map_request request = {.size_bytes = RACE_PAGES * AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE};
    struct random random;
    random_seed(&random, argument);
    race_address = (uint64_t)ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
    race_end_ns = ax_clock_ns() + 500 * MS;
    for (unsigned i = 0; i < 3; i++)
        (void)thread_start(race_touch, argument * 4 + i);
    while (ax_clock_ns() < race_end_ns)
        race_change(&random);
    while (__atomic_load_n(&shared->progress[own_slot], __ATOMIC_SEQ_CST) < 3)
        (void)ax_sleep_until(ax_clock_ns() + MS);
    return 0;
}

/* ---- Exhaustion ------------------------------------------------------------------------------ */

static void wait_for_ever(uint64_t argument) {
    (void)argument;
    (void)ax_sleep_until(AX_TIME_NEVER);
}

/* All on one stack: they only wait. */
static int many_threads(uint64_t argument) {
    static uint8_t stack[STACK_BYTES] __attribute__((aligned(64)));
    unsigned count = 0;
    (void)argument;
    while (count < AX_THREAD_MAX + 1 &&
           ax_thread_create(AX_HANDLE_NONE, (uint64_t)wait_for_ever,
                            (uint64_t)(stack + STACK_BYTES - 8), 0, AX_PLACE_ANY) >= 0)
        count++;
    (void)ax_sleep_until(ax_clock_ns() + 100 * MS);
    return count > AX_THREAD_MAX;
}

/* Every second page of a large mapping in other protection: a mapping of the host's each. */
static int many_mappings(uint64_t argument) {
    struct ax_map_request request = {.size_bytes = (UINT64_C(70000) << AX_PAGE_SHIFT),
                                     .prot = AX_PROT_READ};
    (void)argument;
    ax_handle memory = (ax_handle)ax_memory_create(2, 0, AX_PLACE_ANY);
    uint64_t address = (uint64_t)ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
    request.address = address;
    request.size_bytes = AX_PAGE_SIZE;
    request.flags = AX_MAP_FIXED | AX_MAP_REPLACE | AX_MAP_POPULATE;
    for (unsigned i = 0; i < 70000; i++, request.address += AX_PAGE_SIZE) {
        request.offset = i % 2 * AX_PAGE_SIZE;
        if (ax_memory_map(AX_HANDLE_NONE, memory, &request) < 0)
            break;
        if (i % 1024 == 0)
            *(volatile uint32_t *)request.address; /* NOLINT(performance-no-int-to-ptr) */
    }
    return 0;
}

static int many_handles(uint64_t argument) {
    (void)argument;
    while (ax_object_create(AX_TYPE_EVENT, 0, AX_PLACE_ANY) >= 0)
        shared->progress[own_slot]++;
    return 0;
}

static int deep_stack(uint64_t argument) {
    volatile uint8_t room[256];
    room[0] = (uint8_t)argument;
    return argument == UINT64_MAX ? 0 : deep_stack(argument + 1) + room[0];
}

static int everything(uint64_t argument) {
    struct ax_map_request request = {.size_bytes = UINT64_C(1) << 20,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_POPULATE};
    (void)argument;
    for (unsigned i = 0; i < 4096; i++) {
        ax_result address = ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
        if (address < 0)
            return 0;
        for (uint64_t at = 0; at < request.size_bytes; at += AX_PAGE_SIZE) {
            if (!try_write((uint64_t)address + at, 1))
                return 0;
        }
    }
    return 1;
}

/* Processes that make processes, none of which is waited for. */
static int many_processes(uint64_t argument) {
    static uint8_t stack[STACK_BYTES] __attribute__((aligned(64)));
    (void)argument;
    for (unsigned i = 0; i < 64; i++) {
        ax_result process = ax_process_clone((uint64_t)wait_for_ever,
                                             (uint64_t)(stack + STACK_BYTES - 8), 0, AX_PLACE_ANY);
        if (process < 0)
            break;
        (void)ax_sleep_until(0);
        if (i % 2 == 0)
            (void)ax_process_end((ax_handle)process, AX_CAUSE_KILLED, 0);
    }
    return 0;
}

/* Short lives, which somebody outside may make shorter. */
static int births(uint64_t argument) {
    (void)ax_sleep_until(ax_clock_ns() + argument % 4 * MS);
    return 0;
}

const struct attack attacks_memory[] = {
    {"read-only", read_only, 5, END_DONE, 0, 0},
    {"nothing-there", nothing_there, 19, END_DONE, 0, 0},
    {"map-over", map_over, 8, END_DONE, 0, 0},
    {"race", race, 4, END_DONE, 20000, 0},
    {"many-threads", many_threads, 1, END_DONE, 20000, 0},
    {"many-mappings", many_mappings, 1, END_DONE | END_LOST, 20000, 0},
    {"many-handles", many_handles, 1, END_DONE, 20000, 0},
    {"deep-stack", deep_stack, 1, END_FAULT, 0, 0},
    {"everything", everything, 1, END_DONE | END_FAULT, 20000, 0},
    {"births", births, 200, END_ANY, 0, 0},
    {"many-processes", many_processes, 2, END_DONE, 20000, 0},
    {NULL, NULL, 0, 0, 0, 0},
};
