/* SPDX-License-Identifier: MIT */
/* When a site is patched, when it is left alone, and what a trampoline does to the registers. */
#include <string.h>
#include <sys/ax.h>

#include "world.h"

#define PAGE          AX_PAGE_SIZE
#define GETPID        39
#define ENOUGH        200 /* traps */
#define POINTER(word) ((void *)(uintptr_t)(word))

/* A free page, a page of text with a site at its beginning, and what is behind. */
static _Alignas(AX_PAGE_SIZE) uint8_t memory[3 * AX_PAGE_SIZE];
#define TEXT   (AT(memory) + PAGE)
#define SITE   (TEXT + 64)
#define BEHIND (SITE + sizeof(site_bytes))
static const uint8_t site_bytes[] = {0xb8, GETPID, 0, 0, 0, 0x0f, 0x05};
#define SLOT_FIRST (PATCH_LOAD_SLOTS + 1) /* of SITE_NUMBER */

/* What the kernel tells of mappings from the address on. */
static struct ax_region_info regions[2];
static unsigned region_count;
static bool has_memory; /* to write to text */

static void tell_regions(void) {
    struct ax_region_info *told = (void *)ax_thread_page()->buffer;
    unsigned count = 0;
    for (unsigned i = 0; i < region_count; i++) {
        if (regions[i].address + regions[i].size_bytes > world_calls[world_call_count - 1].a[1])
            told[count++] = regions[i];
    }
    world_answer(AX_CALL_MEMORY_LIST, count);
}

static void answer(uint64_t number) {
    const struct world_call *call = &world_calls[world_call_count - 1];
    if (number == AX_CALL_MEMORY_LIST)
        tell_regions();
    if (number == AX_CALL_PROCESS_COPY && has_memory) {
        memcpy(POINTER(call->a[1]), POINTER(call->a[2]), call->a[3]);
        world_answer(number, (int64_t)call->a[3]);
    }
}

static void setup(void) {
    world_start();
    world_hook = answer;
    has_memory = true;
    memset(memory, 0x90, sizeof(memory));
    memcpy(memory + PAGE + 64, site_bytes, sizeof(site_bytes));
    regions[0] = (struct ax_region_info){.address = TEXT,
                                         .size_bytes = PAGE,
                                         .memory = 7,
                                         .prot = AX_PROT_READ | AX_PROT_EXECUTE,
                                         .flags = AX_MAP_PRIVATE};
    region_count = 1;
}

/* The site traps so often. */
static void trap(unsigned times) {
    struct ax_regs *regs = &world_thread.page->program.regs;
    for (unsigned i = 0; i < times; i++) {
        *regs = (struct ax_regs){.rax = GETPID, .rip = BEHIND};
        patch_count_trap(&world_thread);
    }
}

static bool is_patched(void) {
    return memcmp(memory + PAGE + 64, site_bytes, sizeof(site_bytes)) != 0;
}

/* How often the kernel was asked for this protection of the text. */
static unsigned protected(uint32_t prot) {
    unsigned count = 0;
    for (unsigned i = 0; i < world_call_count; i++) {
        const struct world_call *call = &world_calls[i];
        count += call->number == AX_CALL_MEMORY_PROTECT && call->a[1] == TEXT && call->a[3] == prot;
    }
    return count;
}

START_TEST(a_site_that_traps_often_becomes_a_jump_to_its_slot) {
    uint8_t jump[SITE_JUMP_BYTES];
    trap(5);
    ck_assert(!is_patched());
    ck_assert_uint_eq(world_call_count, 0);
    trap(ENOUGH);
    ck_assert(is_patched());
    ck_assert_uint_eq(world_task.patches.page, AT(memory));
    ck_assert(site_jump(SITE, AT(memory) + SLOT_FIRST * PATCH_SLOT_BYTES, jump));
    ck_assert_mem_eq(memory + PAGE + 64, jump, sizeof(jump));
    ck_assert_mem_eq(memory + PAGE + 64 + 5, site_bytes + 5, 2); /* its syscall is there */
    ck_assert_uint_eq(protected(AX_PROT_READ | AX_PROT_WRITE), 1);
    ck_assert_uint_eq(protected(AX_PROT_READ | AX_PROT_EXECUTE), 1);
}
END_TEST

START_TEST(a_thread_that_is_alone_changes_no_protection) {
    world_task.thread_count = 1;
    world_task.area_count = 1;
    trap(ENOUGH);
    ck_assert(is_patched());
    ck_assert_uint_eq(protected(AX_PROT_READ | AX_PROT_WRITE), 0);
}
END_TEST

/* A new thread runs before its maker has counted it, and the maker beside it. */
START_TEST(a_thread_that_is_not_counted_yet_is_one) {
    world_task.thread_count = 1;
    world_task.area_count = 2;
    trap(ENOUGH);
    ck_assert(is_patched());
    ck_assert_uint_eq(protected(AX_PROT_READ | AX_PROT_WRITE), 1);
}
END_TEST

/* mov $slot,%ecx; jmp *(the page's first word). */
START_TEST(slots_go_to_the_entry_with_their_index) {
    static const uint8_t load[] = {0x4c, 0x8b, 0x4c, 0x24, 0x08, 0xb9, 1,    0,
                                   0,    0,    0xff, 0x25, 0xe0, 0xff, 0xff, 0xff};
    static const uint8_t last[] = {0x0f, 0x1f, 0x44, 0x00, 0x00, 0xb9, 127,  0,
                                   0,    0,    0xff, 0x25, 0x00, 0xf8, 0xff, 0xff};
    uint64_t entry;
    trap(ENOUGH);
    memcpy(&entry, memory, sizeof(entry));
    ck_assert_uint_eq(entry, AT(patched_entry));
    ck_assert_mem_eq(memory + PATCH_SLOT_BYTES, load, sizeof(load));
    ck_assert_mem_eq(memory + (PATCH_SLOTS - 1) * PATCH_SLOT_BYTES, last, sizeof(last));
}
END_TEST

START_TEST(what_is_not_plain_text_is_left_alone) {
    regions[0].prot = AX_PROT_READ | AX_PROT_WRITE;
    trap(ENOUGH);
    ck_assert(!is_patched());
    setup();
    regions[0].flags = 0; /* shared */
    trap(ENOUGH);
    ck_assert(!is_patched());
    setup();
    regions[0].memory = 0; /* the program made it */
    trap(ENOUGH);
    ck_assert(!is_patched());
    setup();
    regions[1] = (struct ax_region_info){.address = TEXT + PAGE,
                                         .size_bytes = PAGE,
                                         .memory = 7,
                                         .prot = AX_PROT_READ | AX_PROT_WRITE,
                                         .flags = AX_MAP_PRIVATE};
    region_count = 2; /* with which the page would be joined while it is written */
    trap(ENOUGH);
    ck_assert(!is_patched());
    ck_assert_uint_eq(protected(AX_PROT_READ | AX_PROT_WRITE), 0);
}
END_TEST

START_TEST(without_memory_the_text_stays_as_it_is) {
    world_answer(AX_CALL_MEMORY_MAP, AX_ERR_LIMIT);
    trap(ENOUGH);
    ck_assert(!is_patched());
    ck_assert_uint_eq(world_task.patches.page, 0);
    setup();
    world_answer(AX_CALL_MEMORY_PROTECT, AX_ERR_MEMORY);
    trap(ENOUGH);
    ck_assert(!is_patched());
    setup();
    has_memory = false;
    world_answer(AX_CALL_PROCESS_COPY, AX_ERR_MEMORY);
    trap(ENOUGH);
    ck_assert(!is_patched());
    /* The page that could not be filled is gone. */
    ck_assert_uint_eq(world_task.patches.page, 0);
    ck_assert_uint_eq(world_calls[world_call_count - 1].number, AX_CALL_MEMORY_UNMAP);
    ck_assert_uint_eq(world_calls[world_call_count - 1].a[1], AT(memory));
}
END_TEST

START_TEST(a_site_is_looked_at_once) {
    memory[PAGE + 64] = 0xb9;
    trap(ENOUGH);
    memory[PAGE + 64] = 0xb8;
    trap(ENOUGH);
    ck_assert(!is_patched());
    ck_assert_uint_eq(world_call_count, 0);
}
END_TEST

/* At worst all sites that trap are of one set, which can tell four. */
START_TEST(sites_compete_for_counters) {
    struct ax_regs *regs = &world_thread.page->program.regs;
    for (unsigned round = 0; round < ENOUGH; round++) {
        trap(1);
        for (unsigned i = 0; i < PATCH_WAYS - 1; i++) {
            *regs = (struct ax_regs){.rip = TEXT + 1024 + 16 * i};
            patch_count_trap(&world_thread);
        }
    }
    ck_assert(is_patched());
}
END_TEST

START_TEST(sites_beyond_the_last_slot_are_left_alone) {
    for (unsigned slot = 1; slot < PATCH_SLOTS; slot++)
        world_task.patches.sites[slot].behind = 1;
    trap(ENOUGH);
    ck_assert(!is_patched());
}
END_TEST

/* As dlopen and dlclose do: other text at the same place. */
START_TEST(text_that_was_replaced_gets_the_same_slot) {
    trap(ENOUGH);
    memcpy(memory + PAGE + 64, site_bytes, sizeof(site_bytes));
    memset(world_task.patches.counts, 0, sizeof(world_task.patches.counts));
    trap(ENOUGH);
    ck_assert(is_patched());
    ck_assert_uint_eq(world_task.patches.sites[SLOT_FIRST + 1].behind, 0);
}
END_TEST

START_TEST(a_call_has_the_registers_of_a_trapped_one) {
    struct ax_regs regs = {.rax = 1, .rcx = SLOT_FIRST, .rdx = 3};
    trap(ENOUGH);
    patch_decode(&world_task, &regs);
    ck_assert_uint_eq(regs.rax, GETPID);
    ck_assert_uint_eq(regs.rip, BEHIND);
    ck_assert_uint_eq(regs.rdx, 3);
}
END_TEST

/* The thread is found there. */
static struct ax_regs *leave_from(uint64_t pc, uint32_t reason, uint32_t fault) {
    struct ax_frame *frame = &world_thread.page->program;
    frame->regs = (struct ax_regs){.rip = pc, .rcx = SLOT_FIRST};
    frame->reason = reason;
    frame->fault = fault;
    patch_leave(&world_thread);
    return &frame->regs;
}

START_TEST(who_is_found_on_the_way_is_before_the_syscall) {
    uint64_t slot = AT(memory) + SLOT_FIRST * PATCH_SLOT_BYTES;
    const uint64_t places[] = {slot, slot + 5, slot + 10, AT(patched_entry)};
    ck_assert_uint_eq(leave_from(slot, AX_UPCALL_INTERRUPT, 0)->rip, slot); /* nothing is there */
    trap(ENOUGH);
    for (unsigned i = 0; i < 4; i++) {
        struct ax_regs *regs = leave_from(places[i], AX_UPCALL_INTERRUPT, 0);
        ck_assert_uint_eq(regs->rip, BEHIND - SITE_SYSCALL_BYTES);
        ck_assert_uint_eq(regs->rax, GETPID);
    }
    /* A single step over the jump is one over the mov. */
    ck_assert_uint_eq(leave_from(slot, AX_UPCALL_FAULT, AX_FAULT_DEBUG)->rax, GETPID);
    ck_assert_uint_eq(leave_from(TEXT, AX_UPCALL_INTERRUPT, 0)->rip, TEXT);
}
END_TEST

START_TEST(a_load_that_faults_faults_at_the_site) {
    uint64_t words[2] = {1, 99};
    struct ax_frame *frame = &world_thread.page->program;
    trap(ENOUGH);
    world_task.patches.sites[1] =
        (struct site){.behind = BEHIND, .kind = SITE_LOAD, .length = SITE_JUMP_BYTES};
    uint64_t slot = AT(memory) + PATCH_SLOT_BYTES;
    frame->regs = (struct ax_regs){.rip = slot, .rsp = AT(words), .rax = 5};
    frame->reason = AX_UPCALL_INTERRUPT;
    patch_leave(&world_thread);
    ck_assert_uint_eq(frame->regs.r9, 99);
    ck_assert_uint_eq(frame->regs.rax, 5);
    ck_assert_uint_eq(frame->regs.rip, BEHIND - SITE_SYSCALL_BYTES);
    ck_assert_uint_eq(leave_from(slot, AX_UPCALL_FAULT, AX_FAULT_UNMAPPED)->rip, SITE);
}
END_TEST

START_TEST(the_page_of_trampolines_is_not_the_programs) {
    trap(ENOUGH);
    ck_assert_int_eq(CALL(munmap, AT(memory), PAGE), -L_EINVAL);
    ck_assert_int_eq(CALL(mprotect, AT(memory) - PAGE, 2 * PAGE, L_PROT_WRITE), -L_ENOMEM);
    ck_assert_int_eq(CALL(mmap, AT(memory), PAGE, 0, L_MAP_PRIVATE | L_MAP_ANONYMOUS | L_MAP_FIXED),
                     -L_ENOMEM);
    ck_assert_int_eq(CALL(munmap, AT(memory) + PAGE, PAGE), 0);
}
END_TEST

START_TEST(who_runs_into_a_page_that_is_patched_tries_again) {
    ck_assert(!patch_was_in_the_way(&world_thread, TEXT));
    trap(ENOUGH);
    ck_assert(patch_was_in_the_way(&world_thread, TEXT + 5));
    regions[0].prot = AX_PROT_READ;
    ck_assert(!patch_was_in_the_way(&world_thread, TEXT + 5));
    ck_assert(!patch_was_in_the_way(&world_thread, TEXT - 5));
}
END_TEST

TCase *linux_patch_tests(void) {
    TCase *tests = tcase_create("patch");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_site_that_traps_often_becomes_a_jump_to_its_slot);
    tcase_add_test(tests, a_thread_that_is_alone_changes_no_protection);
    tcase_add_test(tests, a_thread_that_is_not_counted_yet_is_one);
    tcase_add_test(tests, slots_go_to_the_entry_with_their_index);
    tcase_add_test(tests, what_is_not_plain_text_is_left_alone);
    tcase_add_test(tests, without_memory_the_text_stays_as_it_is);
    tcase_add_test(tests, a_site_is_looked_at_once);
    tcase_add_test(tests, sites_compete_for_counters);
    tcase_add_test(tests, sites_beyond_the_last_slot_are_left_alone);
    tcase_add_test(tests, text_that_was_replaced_gets_the_same_slot);
    tcase_add_test(tests, a_call_has_the_registers_of_a_trapped_one);
    tcase_add_test(tests, who_is_found_on_the_way_is_before_the_syscall);
    tcase_add_test(tests, a_load_that_faults_faults_at_the_site);
    tcase_add_test(tests, the_page_of_trampolines_is_not_the_programs);
    tcase_add_test(tests, who_runs_into_a_page_that_is_patched_tries_again);
    return tests;
}
