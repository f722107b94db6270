/* SPDX-License-Identifier: MIT */
/* Random changes of an address space, compared with what a plain table says after each. */
#include <string.h>

#include <base/random.h>

#include "memory_tests.h"
#include "memory_world.h"

#define WINDOW UINT64_C(0x10000000)
#define PAGES  40
#define OBJECT 30 /* pages at most */
#define STEPS  2500

enum kind { NOTHING, ANONYMOUS, PRIVATE, SHARED };

/* One page of the window: what is mapped, and the byte it has of its own (NOT_A_BYTE: none). */
struct cell {
    enum kind kind;
    uint32_t prot;
    uint64_t index; /* in the object */
    int own;
};

static struct random random_state;
static struct cell cells[PAGES];
static int object[OBJECT]; /* its bytes; NOT_A_BYTE: a page that nobody touched */
static uint64_t object_pages;
static ax_handle memory;

static uint64_t below(uint64_t bound) {
    return random_below(&random_state, bound);
}

static uint32_t some_prot(void) {
    static const uint32_t prots[] = {RW, RW, AX_PROT_READ, AX_PROT_READ | AX_PROT_EXECUTE,
                                     AX_PROT_NONE};
    return prots[below(5)];
}

/* A range of the window that is not empty. */
static void some_range(uint64_t *first, uint64_t *count) {
    *first = below(PAGES);
    *count = 1 + below(PAGES - *first < 12 ? PAGES - *first : 12);
}

static void do_map(void) {
    uint64_t first, count;
    some_range(&first, &count);
    struct cell cell = {(enum kind)(ANONYMOUS + below(3)), some_prot(), 0, NOT_A_BYTE};
    if (cell.kind != ANONYMOUS)
        cell.index = below(OBJECT - count);
    struct ax_map_request request = {.address = WINDOW + first * PAGE,
                                     .size_bytes = count * PAGE,
                                     .offset = cell.index * PAGE,
                                     .prot = cell.prot,
                                     .flags = AX_MAP_FIXED | AX_MAP_REPLACE |
                                              (cell.kind == PRIVATE ? AX_MAP_PRIVATE : 0)};
    expect(map_with(world.one, 0, cell.kind == ANONYMOUS ? 0 : memory, request),
           (ax_result)request.address);
    for (uint64_t i = 0; i < count; i++, cell.index++)
        cells[first + i] = cell;
}

static void do_unmap(void) {
    uint64_t first, count;
    some_range(&first, &count);
    unmap(world.one, WINDOW + first * PAGE, count);
    for (uint64_t i = 0; i < count; i++)
        cells[first + i] = (struct cell){.own = NOT_A_BYTE};
}

static void do_protect(void) {
    uint64_t first, count;
    some_range(&first, &count);
    uint32_t prot = some_prot();
    ax_result wanted = AX_OK;
    for (uint64_t i = 0; i < count && wanted == AX_OK; i++) {
        if (cells[first + i].kind == NOTHING)
            wanted = AX_ERR_NOT_FOUND;
        else
            cells[first + i].prot = prot;
    }
    expect(kcall(world.one, AX_CALL_MEMORY_PROTECT, 0, WINDOW + first * PAGE, count * PAGE, prot),
           wanted);
}

static void do_resize(void) {
    object_pages = below(OBJECT + 1);
    expect(kcall(world.one, AX_CALL_MEMORY_RESIZE, memory, object_pages), AX_OK);
    for (uint64_t page = object_pages; page < OBJECT; page++)
        object[page] = NOT_A_BYTE;
    for (unsigned i = 0; i < PAGES; i++) {
        if (cells[i].kind == PRIVATE && cells[i].index >= object_pages)
            cells[i].own = NOT_A_BYTE;
    }
}

/* What an access meets, and, if that is nothing bad, the byte's place in the tables. */
static uint32_t look(struct cell *cell, uint32_t access, int **byte) {
    if (cell->kind == NOTHING)
        return AX_FAULT_UNMAPPED;
    if ((cell->prot & access) == 0)
        return AX_FAULT_PROTECTION;
    bool has_object = cell->kind != ANONYMOUS;
    if (has_object && cell->index >= object_pages)
        return AX_FAULT_BEYOND;
    *byte = cell->kind == SHARED ? &object[cell->index] : &cell->own;
    if (cell->kind == PRIVATE && cell->own == NOT_A_BYTE && object[cell->index] != NOT_A_BYTE) {
        if (access == AX_PROT_READ)
            *byte = &object[cell->index];
        else
            cell->own = object[cell->index];
    }
    if (**byte == NOT_A_BYTE)
        **byte = 0;
    return AX_FAULT_NONE;
}

static void do_touch(uint32_t access) {
    struct thread *thread = below(2) == 0 ? world.one : world.two;
    uint64_t page = below(PAGES), address = WINDOW + page * PAGE;
    int *byte;
    uint32_t fault = look(&cells[page], access, &byte);
    if (fault != AX_FAULT_NONE) {
        ck_assert_uint_eq(fault_of(thread, address, access), fault);
    } else if (access == AX_PROT_READ) {
        ck_assert_int_eq(peek(thread, address), *byte);
    } else {
        *byte = (int)below(256);
        poke(thread, address, (uint8_t)*byte);
    }
}

/* A clone has the same bytes, and neither sees what the other writes to private pages. */
static void do_clone(void) {
    ax_result handle = kcall(world.one, AX_CALL_PROCESS_CLONE, 0x400000, 0x7f0000, 0, 0);
    ck_assert_int_gt(handle, 0);
    struct process *child =
        container_of(driver_object(world.process, (ax_handle)handle), struct process, object);
    struct thread *thread = list_entry(list_first(&child->threads), struct thread, in_process);
    struct cell before[PAGES];
    memcpy(before, cells, sizeof(cells));
    for (unsigned i = 0; i < 10; i++)
        do_touch(AX_PROT_WRITE);
    for (uint64_t page = 0; page < PAGES; page++) {
        int *byte;
        uint32_t fault = look(&before[page], AX_PROT_READ, &byte);
        uint64_t address = WINDOW + page * PAGE;
        if (fault != AX_FAULT_NONE)
            ck_assert_uint_eq(fault_of(thread, address, AX_PROT_READ), fault);
        else
            ck_assert_int_eq(peek(thread, address), *byte);
        if (fault == AX_FAULT_NONE && before[page].kind != SHARED &&
            look(&before[page], AX_PROT_WRITE, &byte) == AX_FAULT_NONE)
            poke(thread, address, 0xaa);
    }
    expect(kcall(world.one, AX_CALL_PROCESS_END, handle, AX_CAUSE_KILLED), AX_OK);
    must_close(world.one, (ax_handle)handle);
}

static void step(void) {
    switch (below(40)) {
    case 0:
    case 1:
    case 2: do_map(); break;
    case 3: do_unmap(); break;
    case 4:
    case 5: do_protect(); break;
    case 6: do_resize(); break;
    case 7: do_clone(); break;
    default: do_touch(below(2) == 0 ? AX_PROT_READ : AX_PROT_WRITE); break;
    }
}

START_TEST(a_space_is_what_the_table_says) {
    spread();
    random_seed(&random_state, (uint64_t)_i);
    memset(cells, 0, sizeof(cells));
    for (unsigned i = 0; i < PAGES; i++)
        cells[i].own = NOT_A_BYTE;
    for (unsigned i = 0; i < OBJECT; i++)
        object[i] = NOT_A_BYTE;
    object_pages = OBJECT;
    memory = memory_new(world.one, OBJECT);
    usage_note();
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (i % 50 == 0)
            driver_check_invariants();
    }
    unmap(world.one, WINDOW, PAGES);
    expect(kcall(world.one, AX_CALL_MEMORY_RESIZE, memory, 0), AX_OK);
    usage_check();
}
END_TEST

TCase *space_random_tests(void) {
    TCase *tcase = world_case("space_random");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_space_is_what_the_table_says, 0, 8);
    return tcase;
}
