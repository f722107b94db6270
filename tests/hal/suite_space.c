/* SPDX-License-Identifier: MIT */
/* Address spaces, as user mode sees them. */
#include <base/memory.h>

#include "suite.h"

static struct hal_space space;
static struct thread_under_test thread;

/* Where the space's own translation tables are not: an area that nothing else uses. */
#define FAR_ADDRESS UINT64_C(0x123456789000)

static uint64_t frame_with(uint64_t value) {
    uint64_t physical = frame_take();
    *(uint64_t *)hal_window(physical) = value;
    return physical;
}

static uint64_t frame_value(uint64_t physical) {
    return *(uint64_t *)hal_window(physical);
}

static bool map(uint64_t address, uint64_t physical, uint32_t prot) {
    return hal_space_map(&space, address, physical, 1, prot);
}

/* Has a thread run a program; its event. */
static enum hal_event_kind run(const char *program, uint64_t rdi, uint64_t rsi) {
    thread_start(&thread, &space, 0, program);
    thread.user.regs.rdi = rdi;
    thread.user.regs.rsi = rsi;
    enum hal_event_kind kind = thread_run(&thread);
    thread_stop(&thread);
    return kind;
}

static bool loads(uint64_t address, uint64_t value) {
    return run(program_load, address, 0) == HAL_EVENT_CALL && thread.event.call.number == value;
}

static bool faults(enum hal_event_kind kind, uint64_t address, uint32_t access) {
    return kind == HAL_EVENT_FAULT && thread.event.fault.fault == AX_FAULT_UNMAPPED &&
           thread.event.fault.address == address && thread.event.fault.access == access;
}

static bool load_faults(uint64_t address) {
    return faults(run(program_load, address, 0), address, AX_PROT_READ);
}

static bool stores(uint64_t address, uint64_t value) {
    return run(program_store, address, value) == HAL_EVENT_CALL;
}

static bool store_faults(uint64_t address) {
    return faults(run(program_store, address, 0), address, AX_PROT_WRITE);
}

static void read_and_write(void) {
    space_start(&space);
    uint64_t physical = frame_with(11);
    CHECK(load_faults(DATA_ADDRESS));
    CHECK(store_faults(DATA_ADDRESS + 8));
    CHECK(map(DATA_ADDRESS, physical, HAL_READ | HAL_WRITE));
    CHECK(loads(DATA_ADDRESS, 11));
    CHECK(stores(DATA_ADDRESS, 12));
    CHECK(frame_value(physical) == 12);
    space_stop(&space);
}

static void fault_keeps_registers(void) {
    space_start(&space);
    thread_start(&thread, &space, 0, program_load);
    thread.user.regs.rdi = DATA_ADDRESS + 16;
    thread.user.regs.rbx = 1;
    thread.user.regs.rcx = 2;
    thread.user.regs.r11 = 3;
    struct ax_regs before = thread.user.regs;
    CHECK(faults(thread_run(&thread), DATA_ADDRESS + 16, AX_PROT_READ));
    CHECK(thread.user.regs.rip == before.rip && thread.user.regs.rsp == before.rsp);
    CHECK(thread.user.regs.rbx == 1 && thread.user.regs.rcx == 2 && thread.user.regs.r11 == 3);
    CHECK(thread.user.regs.rdi == before.rdi);
    uint64_t physical = frame_take();
    ((uint64_t *)hal_window(physical))[2] = 33;
    CHECK(map(DATA_ADDRESS, physical, HAL_READ)); /* resolved: the same instruction again */
    CHECK(thread_run(&thread) == HAL_EVENT_CALL && thread.event.call.number == 33);
    thread_stop(&thread);
    space_stop(&space);
}

static void read_only(void) {
    space_start(&space);
    uint64_t physical = frame_with(21);
    CHECK(map(DATA_ADDRESS, physical, HAL_READ));
    CHECK(store_faults(DATA_ADDRESS));
    CHECK(loads(DATA_ADDRESS, 21));
    space_stop(&space);
}

static void execute(void) {
    space_start(&space);
    uint64_t physical = frame_take();
    memcpy(hal_window(physical), program_call, 16);
    CHECK(map(DATA_ADDRESS, physical, HAL_READ | HAL_WRITE));
    thread_start(&thread, &space, 0, program_call);
    thread.user.regs.rip = DATA_ADDRESS;
    CHECK(faults(thread_run(&thread), DATA_ADDRESS, AX_PROT_EXECUTE));
    hal_space_protect(&space, DATA_ADDRESS, 1, HAL_READ | HAL_EXECUTE);
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    thread_stop(&thread);
    CHECK(store_faults(DATA_ADDRESS));
    space_stop(&space);
}

static void protect(void) {
    space_start(&space);
    uint64_t physical = frame_with(31);
    CHECK(map(DATA_ADDRESS, physical, HAL_READ | HAL_WRITE));
    CHECK(stores(DATA_ADDRESS, 32));
    hal_space_protect(&space, DATA_ADDRESS, 1, HAL_READ);
    CHECK(store_faults(DATA_ADDRESS));
    CHECK(loads(DATA_ADDRESS, 32));
    hal_space_protect(&space, DATA_ADDRESS, 1, HAL_READ | HAL_WRITE);
    CHECK(stores(DATA_ADDRESS, 33));
    hal_space_protect(&space, DATA_ADDRESS, 1, 0);
    CHECK(load_faults(DATA_ADDRESS));
    /* Pages that have no translation are passed over. */
    hal_space_protect(&space, DATA_ADDRESS - 4 * AX_PAGE_SIZE, 8, HAL_READ);
    CHECK(load_faults(DATA_ADDRESS + AX_PAGE_SIZE));
    space_stop(&space);
}

static void replace(void) {
    space_start(&space);
    uint64_t first = frame_with(41), second = frame_with(42);
    CHECK(map(DATA_ADDRESS, first, HAL_READ | HAL_WRITE));
    CHECK(loads(DATA_ADDRESS, 41));
    CHECK(map(DATA_ADDRESS, second, HAL_READ));
    CHECK(loads(DATA_ADDRESS, 42));
    CHECK(store_faults(DATA_ADDRESS));
    CHECK(frame_value(first) == 41);
    space_stop(&space);
}

static void unmap(void) {
    space_start(&space);
    CHECK(map(DATA_ADDRESS, frame_with(51), HAL_READ));
    CHECK(map(DATA_ADDRESS + 2 * AX_PAGE_SIZE, frame_with(52), HAL_READ));
    CHECK(map(DATA_ADDRESS + 3 * AX_PAGE_SIZE, frame_with(53), HAL_READ));
    CHECK(loads(DATA_ADDRESS, 51));
    CHECK(loads(DATA_ADDRESS + 2 * AX_PAGE_SIZE, 52));
    uint64_t tables = suite_tables;
    hal_space_unmap(&space, DATA_ADDRESS, 3);
    CHECK(suite_tables == tables);
    CHECK(load_faults(DATA_ADDRESS));
    CHECK(load_faults(DATA_ADDRESS + 2 * AX_PAGE_SIZE));
    CHECK(loads(DATA_ADDRESS + 3 * AX_PAGE_SIZE, 53));
    hal_space_unmap(&space, DATA_ADDRESS, 3); /* of nothing */
    CHECK(map(DATA_ADDRESS, frame_with(54), HAL_READ));
    CHECK(loads(DATA_ADDRESS, 54));
    space_stop(&space);
}

/* Almost all of user space in one call. */
static void unmap_very_much(void) {
    space_start(&space);
    CHECK(map(FAR_ADDRESS, frame_with(61), HAL_READ));
    CHECK(map(FAR_ADDRESS + (UINT64_C(1) << 40), frame_with(62), HAL_READ));
    CHECK(loads(FAR_ADDRESS, 61));
    uint64_t start = FAR_ADDRESS - AX_PAGE_SIZE;
    hal_space_unmap(&space, start, (AX_PROGRAM_END - start) / AX_PAGE_SIZE);
    CHECK(load_faults(FAR_ADDRESS));
    CHECK(load_faults(FAR_ADDRESS + (UINT64_C(1) << 40)));
    space_stop(&space);
}

/* As long as a run of physical memory may be, over the end of a table of 2 MiB. */
static void long_run(void) {
    const struct hal_range *range = &hal_boot()->memory[hal_boot()->memory_count - 1];
    uint64_t run_bytes = HAL_RUN_PAGES * AX_PAGE_SIZE;
    if (range->size_bytes < 2 * run_bytes) {
        suite_not_run("not enough memory");
        return;
    }
    uint64_t physical = range->base + range->size_bytes - run_bytes; /* far from frame_take */
    for (uint64_t page = 0; page < HAL_RUN_PAGES; page++)
        *(uint64_t *)hal_window(physical + page * AX_PAGE_SIZE) = 1000 + page;
    space_start(&space);
    uint64_t address = FAR_ADDRESS + 5 * AX_PAGE_SIZE;
    CHECK(hal_space_map(&space, address, physical, HAL_RUN_PAGES, HAL_READ));
    for (uint64_t page = 0; page < HAL_RUN_PAGES; page += 73)
        CHECK(loads(address + page * AX_PAGE_SIZE, 1000 + page));
    CHECK(loads(address + (HAL_RUN_PAGES - 1) * AX_PAGE_SIZE, 1000 + HAL_RUN_PAGES - 1));
    CHECK(load_faults(address - AX_PAGE_SIZE));
    CHECK(load_faults(address + HAL_RUN_PAGES * AX_PAGE_SIZE));
    hal_space_unmap(&space, address, HAL_RUN_PAGES);
    CHECK(load_faults(address));
    space_stop(&space);
}

static void two_spaces(void) {
    static struct hal_space other;
    static struct thread_under_test other_thread;
    space_start(&space);
    space_start(&other);
    CHECK(map(DATA_ADDRESS, frame_with(71), HAL_READ));
    CHECK(hal_space_map(&other, DATA_ADDRESS, frame_with(72), 1, HAL_READ));
    thread_start(&other_thread, &other, 0, program_load);
    other_thread.user.regs.rdi = DATA_ADDRESS;
    CHECK(loads(DATA_ADDRESS, 71));
    CHECK(thread_run(&other_thread) == HAL_EVENT_CALL);
    CHECK(other_thread.event.call.number == 72);
    CHECK(loads(DATA_ADDRESS, 71));
    hal_space_unmap(&other, DATA_ADDRESS, 1);
    CHECK(loads(DATA_ADDRESS, 71));
    thread_stop(&other_thread);
    space_stop(&other);
    CHECK(loads(DATA_ADDRESS, 71));
    space_stop(&space);
}

static void shared_memory(void) {
    space_start(&space);
    uint64_t physical = frame_with(81);
    CHECK(map(DATA_ADDRESS, physical, HAL_READ | HAL_WRITE));
    CHECK(map(DATA_ADDRESS + AX_PAGE_SIZE, physical, HAL_READ));
    CHECK(stores(DATA_ADDRESS, 82));
    CHECK(loads(DATA_ADDRESS + AX_PAGE_SIZE, 82));
    *(uint64_t *)hal_window(physical) = 83;
    CHECK(loads(DATA_ADDRESS, 83));
    space_stop(&space);
}

/* The highest and the lowest page that programs can have. */
static void ends_of_user_space(void) {
    space_start(&space);
    CHECK(map(AX_USER_START, frame_with(91), HAL_READ));
    CHECK(map(AX_PROGRAM_END - AX_PAGE_SIZE, frame_with(92), HAL_READ));
    CHECK(loads(AX_USER_START, 91));
    CHECK(loads(AX_PROGRAM_END - AX_PAGE_SIZE, 92));
    CHECK(load_faults(AX_PERSONALITY_END - AX_PAGE_SIZE));
    CHECK(load_faults(0));
    space_stop(&space);
}

/* All tables come back, and where there is none to have, nothing happens. */
static void tables(void) {
    uint64_t before = suite_tables;
    for (uint64_t allowed = 0; allowed < 100; allowed++) {
        suite_tables_left = UINT64_MAX;
        space_start(&space);
        suite_tables_left = allowed;
        bool mapped = map(FAR_ADDRESS, frame_with(101), HAL_READ);
        bool needed = suite_tables_left != allowed || !mapped;
        suite_tables_left = UINT64_MAX;
        CHECK(mapped ? loads(FAR_ADDRESS, 101) : load_faults(FAR_ADDRESS));
        space_stop(&space);
        CHECK(suite_tables == before);
        if (mapped && (!needed || allowed > 8))
            return;
    }
    CHECK(false); /* a hundred tables for one page */
}

/* One at a time, as core does when it has other things to do as well. */
static void tables_in_portions(void) {
    uint64_t before = suite_tables;
    space_start(&space);
    for (uint64_t i = 0; i < 5; i++)
        CHECK(map(FAR_ADDRESS + (i << 32), frame_with(111), HAL_READ));
    CHECK(loads(FAR_ADDRESS, 111));
    hal_space_unmap(&space, FAR_ADDRESS, UINT64_C(1) << 20);
    hal_space_sync(&space);
    space_destroy(&space, 1);
    CHECK(suite_tables == before);
}

static void no_space(void) {
    uint64_t before = suite_tables;
    suite_tables_left = 0;
    static struct hal_space none;
    memset(&none, 0, sizeof(none));
    if (hal_space_create(&none)) {
        suite_tables_left = UINT64_MAX;
        space_destroy(&none, UINT32_MAX);
    }
    suite_tables_left = UINT64_MAX;
    CHECK(suite_tables == before);
}

const struct suite_case space_cases[] = {
    {"pages are read and written", read_and_write},
    {"a fault can be resolved", fault_keeps_registers},
    {"read-only pages", read_only},
    {"execution", execute},
    {"protection changes", protect},
    {"a mapping replaces another", replace},
    {"pages are unmapped", unmap},
    {"very much is unmapped", unmap_very_much},
    {"a long run", long_run},
    {"two spaces", two_spaces},
    {"shared memory", shared_memory},
    {"the ends of user space", ends_of_user_space},
    {"translation tables come back", tables},
    {"translation tables come back in portions", tables_in_portions},
    {"no memory for a space", no_space},
    {NULL, NULL},
};
