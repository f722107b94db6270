/* SPDX-License-Identifier: MIT */
/* What threads do with memory. */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "memory.h"
#include "space.h"
#include "world.h"

static int process_of(int t) {
    return ref.threads[t].process;
}

/* ---- Touching -------------------------------------------------------------------------------- */

/* Pages that a fault may make ahead, and how many it must, as far as that can be told: the
 * account's use when the fault comes to them is known only about. */
struct ahead {
    const struct region *region;
    unsigned least, most;
};

static bool is_plenty(const struct account *account, uint64_t pages) {
    const struct frames *frames = &kernel->frames;
    return account->used_bytes + pages * AX_PAGE_SIZE < account->limit_bytes / 2 &&
           frames->free_count > frames->total_count / 4 + pages;
}

static struct ahead ahead_of(int process, uint64_t address) {
    struct process *core = ref.processes[process].core;
    const struct region *region = space_find(core, address);
    struct ahead ahead = {.region = region};
    if (region == NULL || address < PAGE_AT(0) || address >= PAGE_AT(PAGES))
        return ahead;
    int first = (int)((region->start - PAGE_AT(0)) / AX_PAGE_SIZE);
    ahead.most = ref_ahead(process, address, first, first + (int)region->page_count);
    /* Beside them go the page itself, its leaf and overlay, and a slab. */
    if (is_plenty(core->account, ahead.most + 4))
        ahead.least = ahead.most;
    else if (!is_plenty(core->account, 0) && !work_is_pending() &&
             kernel->frames.waiting_count == 0)
        ahead.most = 0;
    return ahead;
}

/* How many were made. */
static unsigned ahead_check(const struct ahead *ahead, uint64_t address) {
    const struct region *region = ahead->region;
    unsigned made = 0;
    for (; made < ahead->most; made++) {
        uint64_t at = address + (made + 1) * AX_PAGE_SIZE;
        uint64_t index = region->offset + (at - region->start) / AX_PAGE_SIZE;
        if ((region->is_private ? memory_find(region->overlay, at / AX_PAGE_SIZE)
                                : memory_find(region->memory, index)) == NULL)
            break;
    }
    if (made < ahead->least)
        driver_fail("after the page at %#llx %u were made, not %u", (unsigned long long)address,
                    made, ahead->least);
    return made;
}

static void touch(int t, uint64_t address, bool write, uint32_t value) {
    uint32_t access = write ? AX_PROT_WRITE : AX_PROT_READ;
    struct ahead ahead = ahead_of(process_of(t), address);
    unsigned char *there = driver_touch(ref.threads[t].core, address, access);
    unsigned made = there != NULL ? ahead_check(&ahead, address) : 0;
    world_settle();
    unsigned char *wanted = ref_byte(process_of(t), address, access);
    ref_make_ahead(process_of(t), address, made);
    if (world_is_verbose)
        printf("  thread %d of process %d %s %#llx%s\n", t, process_of(t),
               write ? "writes" : "reads", (unsigned long long)address,
               there == NULL ? ", which faults" : "");
    if ((there == NULL) != (wanted == NULL))
        driver_fail("the page at %#llx can%s be touched", (unsigned long long)address,
                    there == NULL ? "not" : "");
    if (there == NULL) {
        ref_fault(t, AX_CAUSE_FAULT);
        world_finish(t, REF_ENDED, REF_ENDED);
        return;
    }
    if (memcmp(there, wanted, sizeof(value)) != 0)
        driver_fail("the word at %#llx of process %d is wrong", (unsigned long long)address,
                    process_of(t));
    if (write) {
        memcpy(there, &value, sizeof(value));
        memcpy(wanted, &value, sizeof(value));
    }
    world_compare();
}

/* Mostly where it does not fault, for a fault ends the process. */
static void op_touch(int t, const struct op *op) {
    bool write = (op->b & 4) != 0;
    for (unsigned i = 0; i < PAGES; i++) {
        uint64_t address = world_address((uint16_t)(op->a + i));
        address &= ~UINT64_C(3);
        if (op->c % 32 == 0 ||
            ref_peek(process_of(t), address, write ? AX_PROT_WRITE : AX_PROT_READ) != NULL) {
            touch(t, address, write, op->b & 3);
            return;
        }
    }
}

static struct ref_map *choose_map(int t, uint16_t number) {
    for (unsigned i = 0; i < MAPS; i++) {
        struct ref_map *map = &ref.maps[(number + i) % MAPS];
        if (map->used && map->process == process_of(t))
            return map;
    }
    return NULL;
}

static void op_touch_loan(int t, const struct op *op) {
    const struct ref_map *map = choose_map(t, op->a);
    bool write = map != NULL && map->is_writable && (op->b & 4) != 0;
    if (map != NULL)
        touch(t, map->address + (op->c & 1) * (map->count - 1) * AX_PAGE_SIZE + (op->c & 2) * 4,
              write, op->b & 3);
}

/* ---- Mapping --------------------------------------------------------------------------------- */

static ax_handle choose_space(int t, uint16_t number) {
    return (number & 7) == 0 ? world_choose(process_of(t), AX_TYPE_PROCESS, number) : 0;
}

static void op_map(int t, const struct op *op) {
    static const uint32_t prots[] = {AX_PROT_READ | AX_PROT_WRITE, AX_PROT_WRITE, AX_PROT_READ,
                                     AX_PROT_NONE};
    ax_handle process = choose_space(t, op->a);
    ax_handle memory = (op->b & 1) != 0 ? world_choose(process_of(t), AX_TYPE_MEMORY, op->d) : 0;
    unsigned page = op->b / 2U % PAGES, count = op->c % 3U + 1;
    if (page + count > PAGES)
        count = PAGES - page;
    struct ax_map_request request = {.address = PAGE_AT(page),
                                     .size_bytes = count * AX_PAGE_SIZE,
                                     .offset = memory != 0 ? (op->d & 3) * AX_PAGE_SIZE : 0,
                                     .prot = prots[(op->c & 8) != 0 ? op->d >> 2 & 3 : 0],
                                     .flags = AX_MAP_FIXED};
    if ((op->c & 16) != 0 || memory == 0)
        request.flags |= AX_MAP_PRIVATE;
    request.flags |= (op->c & 0x60) != 0 ? (uint32_t)AX_MAP_REPLACE : 0;
    if ((op->c & 0x180) == 0) {
        request.flags |= AX_MAP_POPULATE;
        world_fail_after(0); /* it goes as far as it can, which nobody tells */
    }
    memcpy(((struct thread *)ref.threads[t].core)->page->buffer, &request, sizeof(request));
    ax_result result = CALL_OF(t, MEMORY_MAP, process, memory);
    world_finish(t, result, PREDICT(result, ref_memory_map(t, process, memory, &request)));
}

static void op_unmap(int t, const struct op *op) {
    ax_handle process = choose_space(t, op->a);
    const struct ref_map *map = (op->b & 1) != 0 ? choose_map(t, op->c) : NULL;
    uint64_t address = map != NULL ? map->address : PAGE_AT(op->c % (PAGES - 1U));
    unsigned count = map != NULL ? 1 : op->d % 2U + 1;
    if (map != NULL)
        process = 0;
    ax_result result = CALL_OF(t, MEMORY_UNMAP, process, address, count * AX_PAGE_SIZE);
    world_finish(t, result, PREDICT(result, ref_memory_unmap(t, process, address, count)));
}

static void op_protect(int t, const struct op *op) {
    static const uint32_t prots[] = {AX_PROT_READ | AX_PROT_WRITE, AX_PROT_READ, AX_PROT_WRITE,
                                     AX_PROT_NONE};
    ax_handle process = choose_space(t, op->a);
    int page = op->b % (PAGES - 2);
    unsigned count = op->c % 3U + 1;
    uint32_t prot = prots[op->d & 3];
    ax_result result =
        CALL_OF(t, MEMORY_PROTECT, process, PAGE_AT(page), count * AX_PAGE_SIZE, prot);
    world_finish(t, result, PREDICT(result, ref_memory_protect(t, process, page, count, prot)));
}

static void op_resize(int t, const struct op *op) {
    ax_handle memory = world_choose(process_of(t), AX_TYPE_MEMORY, op->a);
    unsigned count = op->b % (MEMORY_PAGES + 1U);
    ax_result result = CALL_OF(t, MEMORY_RESIZE, memory, count);
    world_finish(t, result, PREDICT(result, ref_memory_resize(t, memory, count)));
}

/* A hungry account may have eaten one. */
static void learn_of_corpses(void) {
    for (int p = 0; p < PROCESSES; p++) {
        struct ref_process *it = &ref.processes[p];
        if (it->exists && !it->open && ref_handle_count(it->object) > 0)
            it->is_released |= ((struct process *)it->core)->released;
    }
}

static void op_copy(int t, const struct op *op) {
    static const uint64_t sizes[] = {4, 8, 12, AX_PAGE_SIZE, 0};
    ax_handle process = world_choose(process_of(t), AX_TYPE_PROCESS, op->a);
    uint64_t address = world_address(op->b), own = world_address(op->c);
    uint64_t size = sizes[op->d % 5];
    bool writes = (op->d & 64) != 0;
    learn_of_corpses();
    ax_result result = CALL_OF(t, PROCESS_COPY, process, address, own, size, writes);
    world_finish(t, result,
                 PREDICT(result, ref_process_copy(t, process, address, own, size, writes)));
}

/* ---- Futexes --------------------------------------------------------------------------------- */

/* A word; some more than others, so that they meet. */
static uint64_t choose_word(uint16_t number) {
    return (number & 3) != 0 ? PAGE_AT(number % 2 * 4)
                             : world_address((uint16_t)(number >> 2)) & ~UINT64_C(1);
}

static uint32_t word_value(int t, uint64_t address, uint16_t number) {
    uint32_t value = number & 3;
    const unsigned char *there = ref_peek(process_of(t), address & ~UINT64_C(3), AX_PROT_READ);
    if (there != NULL && (number & 0x30) != 0)
        memcpy(&value, there, sizeof(value));
    return value;
}

static void op_futex(int t, const struct op *op) {
    uint64_t address = choose_word(op->a);
    uint32_t bits = (op->b & 0xc0) != 0 ? op->b & 3U : UINT32_MAX, count = op->c & 3U;
    ax_result result;
    if (op->kind == OP_FUTEX_WAIT) {
        uint64_t deadline = world_deadline(op->c);
        uint32_t value = word_value(t, address, op->d);
        result = CALL_OF(t, FUTEX_WAIT, address, value, bits, deadline);
        world_finish(t, result, PREDICT(result, ref_futex_wait(t, address, value, bits, deadline)));
    } else if (op->kind == OP_FUTEX_WAKE) {
        result = CALL_OF(t, FUTEX_WAKE, address, count, bits);
        world_finish(t, result, PREDICT(result, ref_futex_wake(t, address, count, bits)));
    } else {
        uint64_t target = choose_word((uint16_t)(op->a + 1U));
        uint32_t value = word_value(t, address, op->d), move = op->c >> 2 & 3;
        result = CALL_OF(t, FUTEX_REQUEUE, address, count, target, move, value);
        world_finish(t, result,
                     PREDICT(result, ref_futex_requeue(t, address, count, target, move, value)));
    }
}

op_function world_memory_op(enum op_kind kind) {
    switch (kind) {
    case OP_TOUCH: return op_touch;
    case OP_TOUCH_LOAN: return op_touch_loan;
    case OP_MAP: return op_map;
    case OP_UNMAP: return op_unmap;
    case OP_PROTECT: return op_protect;
    case OP_RESIZE: return op_resize;
    case OP_COPY: return op_copy;
    case OP_FUTEX_WAIT:
    case OP_FUTEX_WAKE:
    case OP_REQUEUE: return op_futex;
    default: return NULL;
    }
}
