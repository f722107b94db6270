/* SPDX-License-Identifier: MIT */
#include <base/align.h>

#include "memory_tests.h"
#include "memory_world.h"

#define REQUEST(...) ((struct ax_map_request){__VA_ARGS__})
#define FIXED(at, pages, access) \
    REQUEST(.address = (at), .size_bytes = (pages)*PAGE, .prot = (access), .flags = AX_MAP_FIXED)

static ax_result map(ax_handle memory, struct ax_map_request request) {
    return map_with(world.one, 0, memory, request);
}

START_TEST(fresh_pages_are_zero_and_private) {
    uint64_t at = map_pages(world.one, 3, RW);
    ck_assert_uint_eq(peek(world.one, at + 2 * PAGE), 0);
    poke_pages(world.one, at, 3, 1);
    ck_assert_uint_eq(peek(world.one, at), 1);
    ck_assert_uint_eq(peek(world.two, at + 2 * PAGE), 3);
    struct ax_region_info infos[42];
    ck_assert_uint_ge(regions(world.one, at, infos), 1);
    ck_assert_uint_eq(infos[0].address, at);
    ck_assert_uint_eq(infos[0].size_bytes, 3 * PAGE);
    ck_assert_uint_eq(infos[0].memory, 0);
    ck_assert_uint_eq(infos[0].prot, RW);
    ck_assert_uint_eq(infos[0].flags, AX_MAP_PRIVATE);
    ck_assert_uint_eq(infos[0].present_pages, 3);
}
END_TEST

START_TEST(an_object_shows_the_same_pages_everywhere) {
    ax_handle memory = memory_new(world.one, 4);
    ax_handle theirs = driver_copy(world.process, memory, world.other, AX_RIGHT_ALL);
    uint64_t here = map_memory(world.one, memory, 4, RW, 0);
    uint64_t there = map_memory(world.stranger, theirs, 4, RW, 0);
    poke(world.one, here + PAGE, 42);
    ck_assert_uint_eq(peek(world.stranger, there + PAGE), 42);
    poke(world.stranger, there + PAGE, 43);
    ck_assert_uint_eq(peek(world.one, here + PAGE), 43);
}
END_TEST

START_TEST(a_mapping_begins_at_its_offset) {
    ax_handle memory = memory_new(world.one, 8);
    uint64_t all = map_memory(world.one, memory, 8, RW, 0);
    poke_pages(world.one, all, 8, 100);
    ax_result part =
        map(memory, REQUEST(.size_bytes = 2 * PAGE, .offset = 5 * PAGE, .prot = AX_PROT_READ));
    ck_assert_int_gt(part, 0);
    ck_assert_uint_eq(peek(world.one, (uint64_t)part), 105);
    ck_assert_uint_eq(peek(world.one, (uint64_t)part + PAGE), 106);
    struct ax_region_info infos[42];
    regions(world.one, (uint64_t)part, infos);
    ck_assert_uint_eq(infos[0].offset, 5 * PAGE);
    ck_assert_uint_eq(infos[0].memory, info_of(world.one, memory).object_id);
    ck_assert_uint_eq(infos[0].flags, 0);
}
END_TEST

START_TEST(private_writes_stay_private) {
    ax_handle memory = memory_new(world.one, 2);
    uint64_t shared = map_memory(world.one, memory, 2, RW, 0);
    ax_handle readable = weaken(world.one, memory, AX_RIGHT_READ);
    uint64_t private = map_memory(world.one, readable, 2, RW, AX_MAP_PRIVATE);
    poke(world.one, shared, 7);
    ck_assert_uint_eq(peek(world.one, private), 7);
    poke(world.one, private, 8);
    ck_assert_uint_eq(peek(world.one, shared), 7);
    poke(world.one, shared, 9);
    ck_assert_uint_eq(peek(world.one, private), 8);
}
END_TEST

START_TEST(a_fixed_mapping_is_where_it_was_ordered) {
    expect(map(0, FIXED(AX_USER_START, 1, RW)), AX_USER_START);
    expect(map(0, FIXED(AX_PROGRAM_END - PAGE, 1, RW)), AX_PROGRAM_END - PAGE);
    expect(map(0, FIXED(AX_PERSONALITY_START, 1, AX_PROT_READ)), AX_PERSONALITY_START);
    expect(map(0, FIXED(AX_PERSONALITY_END - PAGE, 1, RW)), AX_PERSONALITY_END - PAGE);
    poke(world.one, AX_USER_START, 1);
    poke(world.one, AX_PROGRAM_END - 1, 1);
}
END_TEST

START_TEST(the_machine_part_of_user_space_cannot_be_mapped) {
    static const uint64_t bad[] = {0,
                                   AX_USER_START - PAGE,
                                   AX_PROGRAM_END,
                                   AX_THREAD_PAGES,
                                   AX_PERSONALITY_START - PAGE,
                                   AX_PERSONALITY_END,
                                   AX_USER_END - PAGE,
                                   AX_USER_END,
                                   AX_USER_END + PAGE,
                                   UINT64_C(0xffffffff80000000),
                                   UINT64_MAX - PAGE + 1};
    usage_note();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(map(0, FIXED(bad[i], 1, RW)), AX_ERR_ARGUMENT);
    expect(map(0, FIXED(AX_PROGRAM_END - PAGE, 2, RW)), AX_ERR_ARGUMENT);
    expect(map(0, FIXED(AX_PERSONALITY_END - PAGE, 2, RW)), AX_ERR_ARGUMENT);
    usage_check();
}
END_TEST

START_TEST(sizes_are_rounded_up_and_checked) {
    ax_result at = map(0, REQUEST(.size_bytes = PAGE + 1, .prot = RW));
    ck_assert_int_gt(at, 0);
    poke(world.one, (uint64_t)at + 2 * PAGE - 1, 1);
    expect(map(0, REQUEST(.size_bytes = 0, .prot = RW)), AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.size_bytes = UINT64_MAX, .prot = RW)), AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.size_bytes = UINT64_MAX - PAGE + 1, .prot = RW)), AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.size_bytes = AX_USER_END + PAGE, .prot = RW)), AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.size_bytes = AX_PROGRAM_END - AX_USER_START + 1, .prot = RW)),
           AX_ERR_LIMIT);
}
END_TEST

START_TEST(a_request_is_checked) {
    ax_handle memory = memory_new(world.one, 1);
    expect(map(0, REQUEST(.size_bytes = PAGE, .prot = 8)), AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.size_bytes = PAGE, .prot = RW, .flags = 16)), AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.size_bytes = PAGE, .prot = RW, .flags = AX_MAP_REPLACE)),
           AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.address = AX_USER_START + 1, .size_bytes = PAGE, .flags = AX_MAP_FIXED)),
           AX_ERR_ARGUMENT);
    expect(map(memory, REQUEST(.size_bytes = PAGE, .offset = 1)), AX_ERR_ARGUMENT);
    uint64_t end = MEMORY_PAGES_MAX * PAGE;
    expect(map(memory, REQUEST(.size_bytes = PAGE, .offset = end)), AX_ERR_ARGUMENT);
    expect(map(memory, REQUEST(.size_bytes = PAGE, .offset = end + PAGE)), AX_ERR_ARGUMENT);
    ck_assert_int_gt(map(memory, REQUEST(.size_bytes = PAGE, .offset = end - PAGE)), 0);
}
END_TEST

START_TEST(nothing_is_writable_and_executable) {
    ax_handle memory = memory_new(world.one, 1);
    uint32_t both = AX_PROT_WRITE | AX_PROT_EXECUTE;
    expect(map(0, REQUEST(.size_bytes = PAGE, .prot = both)), AX_ERR_ARGUMENT);
    expect(map(0, REQUEST(.size_bytes = PAGE, .prot = AX_PROT_ALL)), AX_ERR_ARGUMENT);
    expect(map(memory, REQUEST(.size_bytes = PAGE, .prot = both)), AX_ERR_ARGUMENT);
    ck_assert_int_gt(
        map(memory, REQUEST(.size_bytes = PAGE, .prot = AX_PROT_READ | AX_PROT_EXECUTE)), 0);
}
END_TEST

START_TEST(access_needs_the_rights_to_it) {
    static const struct {
        uint32_t rights, prot, flags;
        ax_result result;
    } cases[] = {
        {AX_RIGHT_READ, AX_PROT_READ, 0, 0},
        {AX_RIGHT_WRITE, AX_PROT_READ, 0, AX_ERR_RIGHTS},
        {AX_RIGHT_READ, AX_PROT_WRITE, 0, AX_ERR_RIGHTS},
        {AX_RIGHT_WRITE, AX_PROT_WRITE, 0, AX_ERR_RIGHTS}, /* writing is reading */
        {AX_RIGHT_READ | AX_RIGHT_WRITE, AX_PROT_WRITE, 0, 0},
        {AX_RIGHT_READ | AX_RIGHT_WRITE, AX_PROT_EXECUTE, 0, AX_ERR_RIGHTS},
        {AX_RIGHT_EXECUTE, AX_PROT_EXECUTE, 0, 0},
        {AX_RIGHT_COPY, AX_PROT_NONE, 0, 0},
        {AX_RIGHT_READ, RW, AX_MAP_PRIVATE, 0},
        {AX_RIGHT_READ, AX_PROT_EXECUTE, AX_MAP_PRIVATE, 0},
        {AX_RIGHT_WRITE | AX_RIGHT_EXECUTE, AX_PROT_READ, AX_MAP_PRIVATE, AX_ERR_RIGHTS},
        {AX_RIGHT_WRITE, AX_PROT_NONE, AX_MAP_PRIVATE, AX_ERR_RIGHTS},
    };
    ax_handle memory = memory_new(world.one, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ax_result result =
            map(weaken(world.one, memory, cases[i].rights),
                REQUEST(.size_bytes = PAGE, .prot = cases[i].prot, .flags = cases[i].flags));
        if (cases[i].result != 0)
            expect(result, cases[i].result);
        else
            ck_assert_int_gt(result, 0);
    }
}
END_TEST

START_TEST(handles_are_checked) {
    struct ax_map_request request = REQUEST(.size_bytes = PAGE, .prot = RW);
    ax_handle gone = stale(world.one);
    expect(map_with(world.one, gone, 0, request), AX_ERR_HANDLE);
    expect(map_with(world.one, 0, gone, request), AX_ERR_HANDLE);
    expect(map_with(world.one, 0, world.other_handle, request), AX_ERR_TYPE);
    expect(map_with(world.one, memory_new(world.one, 1), 0, request), AX_ERR_TYPE);
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_SPACE);
    expect(map_with(world.one, weak, 0, request), AX_ERR_RIGHTS);
}
END_TEST

START_TEST(maps_into_another_process_which_pays) {
    uint64_t theirs = world.other_account->used_objects;
    usage_note();
    ax_result at =
        map_with(world.one, world.other_handle, 0, REQUEST(.size_bytes = PAGE, .prot = RW));
    ck_assert_int_gt(at, 0);
    usage_check();
    ck_assert_uint_eq(world.other_account->used_objects, theirs + 1);
    poke(world.stranger, (uint64_t)at, 5);
}
END_TEST

START_TEST(an_ended_process_is_not_mapped_into) {
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_KILLED), AX_OK);
    struct ax_map_request request = REQUEST(.size_bytes = PAGE, .prot = RW);
    expect(map_with(world.one, world.other_handle, 0, request), AX_ERR_ENDED);
}
END_TEST

START_TEST(a_taken_range_is_refused_and_a_taken_wish_passed_over) {
    uint64_t at = map_pages(world.one, 4, RW);
    usage_note();
    expect(map(0, FIXED(at, 1, RW)), AX_ERR_EXISTS);
    expect(map(0, FIXED(at + 3 * PAGE, 5, RW)), AX_ERR_EXISTS);
    expect(map(0, FIXED(at - PAGE, 2, RW)), AX_ERR_EXISTS);
    usage_check();
    ax_result elsewhere =
        map(0, REQUEST(.address = at + PAGE, .size_bytes = PAGE, .prot = AX_PROT_READ));
    ck_assert_int_gt(elsewhere, 0);
    ck_assert((uint64_t)elsewhere < at || (uint64_t)elsewhere >= at + 4 * PAGE);
}
END_TEST

START_TEST(a_wish_is_granted_if_it_can_be) {
    struct ax_map_request request = REQUEST(.address = 0x12345000, .size_bytes = PAGE, .prot = RW);
    expect(map(0, request), 0x12345000);
    static const uint64_t vain[] = {0x12345678, PAGE, AX_PROGRAM_END, AX_USER_END,
                                    UINT64_MAX - PAGE + 1};
    for (size_t i = 0; i < sizeof(vain) / sizeof(vain[0]); i++) {
        request.address = vain[i];
        ax_result at = map(0, request);
        ck_assert_int_gt(at, 0);
        ck_assert_uint_ne((uint64_t)at, vain[i]);
    }
}
END_TEST

START_TEST(replacing_unmaps_what_is_there) {
    uint64_t at = map_pages(world.one, 4, RW);
    poke_pages(world.one, at, 4, 1);
    struct ax_map_request request = FIXED(at + PAGE, 2, AX_PROT_READ);
    request.flags |= AX_MAP_REPLACE;
    expect(map(0, request), (ax_result)(at + PAGE));
    ck_assert_uint_eq(peek(world.one, at), 1);
    ck_assert_uint_eq(peek(world.one, at + PAGE), 0);
    ck_assert_uint_eq(peek(world.one, at + 2 * PAGE), 0);
    ck_assert_uint_eq(peek(world.one, at + 3 * PAGE), 4);
    ck_assert_uint_eq(fault_of(world.one, at + PAGE, AX_PROT_WRITE), AX_FAULT_PROTECTION);
}
END_TEST

/* 200 mappings of a page that are all different from those beside them. */
static uint64_t map_stripes(void) {
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    for (uint64_t i = 0; i < 200; i++)
        map_at(world.one, at + i * PAGE, 1, i % 2 == 0 ? RW : AX_PROT_READ);
    return at;
}

START_TEST(replacing_much_takes_several_portions) {
    uint64_t at = map_stripes();
    struct ax_map_request request = FIXED(at, 200, RW);
    request.flags |= AX_MAP_REPLACE;
    uint64_t restarts = kernel->counters.restarts;
    expect(map(0, request), (ax_result)at);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 3);
    poke(world.one, at + PAGE, 1);
}
END_TEST

/* Between two portions nobody can map where the new mapping is to be, nor does it need memory that
 * it had. */
START_TEST(a_place_that_is_being_replaced_is_taken) {
    spread();
    uint64_t at = map_stripes();
    struct ax_map_request request = FIXED(at, 200, RW);
    request.flags |= AX_MAP_REPLACE;
    driver_set_manual(true);
    expect(map(0, request), DRIVER_RESTART);
    expect(map_with(world.two, 0, 0, (struct ax_map_request)FIXED(at, 1, RW)), AX_ERR_EXISTS);
    expect(map_with(world.two, 0, 0, (struct ax_map_request)FIXED(at + 199 * PAGE, 1, RW)),
           AX_ERR_EXISTS);
    driver_fail_after(1);
    driver_set_manual(false);
    ck_assert(!driver_has_failed());
    driver_fail_after(0);
    expect(driver_answer(world.one), (ax_result)at);
    struct ax_region_info infos[42];
    ck_assert_uint_ge(regions(world.one, at, infos), 1);
    ck_assert_uint_eq(infos[0].address, at);
    ck_assert_uint_eq(infos[0].size_bytes, 200 * PAGE);
}
END_TEST

START_TEST(what_others_map_meanwhile_is_not_unmapped) {
    spread();
    uint64_t at = map_stripes();
    driver_set_manual(true);
    expect(kcall(world.one, AX_CALL_MEMORY_UNMAP, 0, at, 200 * PAGE), DRIVER_RESTART);
    expect(map_with(world.two, 0, 0, (struct ax_map_request)FIXED(at, 1, RW)), (ax_result)at);
    driver_set_manual(false);
    expect(driver_answer(world.one), AX_OK);
    poke(world.two, at, 1);
    ck_assert_uint_eq(fault_of(world.two, at + PAGE, AX_PROT_READ), AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(fault_of(world.two, at + 199 * PAGE, AX_PROT_READ), AX_FAULT_UNMAPPED);
}
END_TEST

START_TEST(lack_of_memory_unmaps_nothing) {
    uint64_t at = map_pages(world.one, 4, RW);
    poke_pages(world.one, at, 4, 1);
    struct ax_map_request request = FIXED(at + PAGE, 2, AX_PROT_READ);
    request.flags |= AX_MAP_REPLACE;
    usage_note();
    ax_result result = AX_ERR_MEMORY;
    unsigned failures = 0;
    for (unsigned n = 1; result < 0; n++) {
        ck_assert_uint_lt(n, 20);
        driver_fail_after(n);
        result = map(0, request);
        driver_fail_after(0);
        if (result >= 0)
            break;
        failures++;
        expect(result, AX_ERR_MEMORY);
        usage_check();
        ck_assert_uint_eq(peek(world.one, at + PAGE), 2);
    }
    ck_assert_uint_ge(failures, 2);
    ck_assert_uint_eq(peek(world.one, at + PAGE), 0);
}
END_TEST

START_TEST(an_account_without_objects_maps_nothing) {
    uint64_t limit = world.account->limit_objects;
    world.account->limit_objects = world.account->used_objects;
    expect(map(0, REQUEST(.size_bytes = PAGE, .prot = RW)), AX_ERR_LIMIT);
    world.account->limit_objects = limit;
}
END_TEST

START_TEST(populating_makes_pages_at_once) {
    usage_note();
    ax_result at = map(0, REQUEST(.size_bytes = 100 * PAGE, .prot = RW, .flags = AX_MAP_POPULATE));
    ck_assert_int_gt(at, 0);
    uint64_t faults = kernel->counters.page_faults;
    poke_pages(world.one, (uint64_t)at, 100, 1);
    ck_assert_uint_eq(kernel->counters.page_faults, faults);
    ck_assert_uint_ge(world.account->used_bytes, world.used_bytes + 100 * PAGE);
}
END_TEST

START_TEST(populating_goes_as_far_as_it_can) {
    ax_handle memory = memory_new(world.one, 3);
    uint64_t beyond = map_memory(world.one, memory, 5, AX_PROT_READ, AX_MAP_POPULATE);
    ck_assert_uint_eq(info_of(world.one, memory).memory.present_pages, 3);
    ck_assert_uint_eq(fault_of(world.one, beyond + 3 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
    map_memory(world.one, memory, 3, AX_PROT_NONE, AX_MAP_POPULATE);
    uint64_t limit = world.account->limit_bytes;
    world.account->limit_bytes = world.account->used_bytes + 8 * PAGE;
    ax_result at = map(0, REQUEST(.size_bytes = 64 * PAGE, .prot = RW, .flags = AX_MAP_POPULATE));
    ck_assert_int_gt(at, 0);
    world.account->limit_bytes = limit;
    poke_pages(world.one, (uint64_t)at, 64, 1);
}
END_TEST

START_TEST(populating_a_process_without_threads_makes_its_pages) {
    ax_result stash = kcall(world.one, AX_CALL_PROCESS_CREATE, 0);
    ck_assert_int_gt(stash, 0);
    usage_note();
    ax_result at = map_with(world.one, (ax_handle)stash, 0,
                            REQUEST(.size_bytes = 20 * PAGE, .prot = RW, .flags = AX_MAP_POPULATE));
    ck_assert_int_gt(at, 0);
    ck_assert_uint_ge(world.account->used_bytes, world.used_bytes + 20 * PAGE);
}
END_TEST

START_TEST(neighbours_that_are_alike_become_one) {
    uint64_t at = map_pages(world.one, 2, RW) + (1 << 30);
    map_at(world.one, at, 2, RW);
    poke_pages(world.one, at, 2, 1);
    size_t count = world.process->space.region_count;
    map_at(world.one, at + 2 * PAGE, 3, RW);
    ck_assert_uint_eq(world.process->space.region_count, count);
    poke_pages(world.one, at + 2 * PAGE, 3, 3);
    for (uint64_t page = 0; page < 5; page++)
        ck_assert_uint_eq(peek(world.one, at + page * PAGE), page + 1);
    /* The one before it may have no page yet: those of the one after it stay with that. */
    map_at(world.one, at - PAGE, 1, RW);
    ck_assert_uint_eq(peek(world.one, at - PAGE), 0);
    ck_assert_uint_eq(peek(world.one, at), 1);
    map_at(world.one, at + 5 * PAGE, 1, AX_PROT_READ);
    ck_assert_uint_eq(world.process->space.region_count, count + 2);
}
END_TEST

START_TEST(neighbours_of_one_object_become_one_where_offsets_meet) {
    ax_handle memory = memory_new(world.one, 8);
    uint64_t at = map_pages(world.one, 1, RW) + (1 << 30);
    struct ax_map_request request = FIXED(at, 2, RW);
    size_t count = world.process->space.region_count;
    expect(map(memory, request), (ax_result)at);
    request.address += 2 * PAGE;
    request.offset = 2 * PAGE;
    expect(map(memory, request), (ax_result)request.address);
    ck_assert_uint_eq(world.process->space.region_count, count + 1);
    request.address += 2 * PAGE;
    request.offset = 6 * PAGE;
    expect(map(memory, request), (ax_result)request.address);
    request.address += 2 * PAGE;
    request.flags |= AX_MAP_PRIVATE;
    request.offset = 8 * PAGE;
    expect(map(memory, request), (ax_result)request.address);
    ck_assert_uint_eq(world.process->space.region_count, count + 3);
    poke(world.one, at + 3 * PAGE, 33);
    uint64_t all = map_memory(world.one, memory, 8, AX_PROT_READ, 0);
    ck_assert_uint_eq(peek(world.one, all + 3 * PAGE), 33);
}
END_TEST

START_TEST(free_places_are_found_among_many_regions) {
    /* Single pages with single pages between them, at the place where the search begins. */
    uint64_t first = map_pages(world.one, 1, RW);
    for (uint64_t i = 1; i < 600; i++)
        map_at(world.one, first + i * 2 * PAGE, 1, RW);
    world.process->space.place = first;
    uint64_t restarts = kernel->counters.restarts;
    uint64_t at = map_pages(world.one, 2, RW);
    ck_assert_uint_ge(at, first + UINT64_C(2) * 599 * PAGE + PAGE);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 2);
    world.process->space.place = first;
    ck_assert_uint_eq(map_pages(world.one, 1, RW), first + PAGE);
}
END_TEST

START_TEST(the_search_goes_round) {
    uint64_t last = AX_PROGRAM_END - 4 * PAGE;
    map_at(world.one, last, 2, RW);
    world.process->space.place = last;
    ck_assert_uint_eq(map_pages(world.one, 2, AX_PROT_READ), last + 2 * PAGE);
    world.process->space.place = last;
    ck_assert_uint_eq(map_pages(world.one, 3, RW), AX_USER_START);
}
END_TEST

/* Mappings that follow each other for ever come to lie where others were. */
START_TEST(free_places_are_used_again) {
    uint64_t before = map_pages(world.one, 64, RW);
    poke(world.one, before, 1);
    uint64_t tables = world.process->space.table_pages, first = before;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t at = map_pages(world.one, 64, RW);
        poke(world.one, at, 1);
        unmap(world.one, before, 64);
        before = at;
    }
    ck_assert_uint_le(before, first + 64 * PAGE);
    ck_assert_uint_le(world.process->space.table_pages, tables + 1);
}
END_TEST

START_TEST(a_full_space_has_no_place) {
    uint64_t half = align_down((AX_PROGRAM_END - AX_USER_START) / 2, PAGE);
    map_at(world.one, AX_USER_START + PAGE, half / PAGE, RW);
    uint64_t rest = AX_PROGRAM_END - AX_USER_START - half - 3 * PAGE;
    map_at(world.one, AX_PROGRAM_END - PAGE - rest, rest / PAGE, AX_PROT_READ);
    usage_note();
    expect(map(0, REQUEST(.size_bytes = 2 * PAGE, .prot = RW)), AX_ERR_LIMIT);
    usage_check();
    for (unsigned i = 0; i < 3; i++)
        map_pages(world.one, 1, RW);
    expect(map(0, REQUEST(.size_bytes = PAGE, .prot = RW)), AX_ERR_LIMIT);
}
END_TEST

START_TEST(registers_are_mapped_as_they_are) {
    ax_handle registers = registers_new(4);
    expect(map(registers, REQUEST(.size_bytes = PAGE, .flags = AX_MAP_PRIVATE)), AX_ERR_ARGUMENT);
    uint64_t at = map_memory(world.one, registers, 4, RW, AX_MAP_POPULATE);
    size_t count;
    const struct model_translation *all = model_translations(&count);
    unsigned found = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i].space != model_space_id(&world.process->space.hal) || all[i].page < at / PAGE ||
            all[i].page >= at / PAGE + 4)
            continue;
        found++;
        ck_assert_uint_eq(all[i].physical, REGISTERS + all[i].page * PAGE - at);
        ck_assert_uint_eq(all[i].prot, (uint32_t)RW | HAL_DEVICE);
    }
    ck_assert_uint_eq(found, 4);
}
END_TEST

TCase *space_map_tests(void) {
    TCase *tcase = world_case("space_map");
    tcase_add_test(tcase, fresh_pages_are_zero_and_private);
    tcase_add_test(tcase, an_object_shows_the_same_pages_everywhere);
    tcase_add_test(tcase, a_mapping_begins_at_its_offset);
    tcase_add_test(tcase, private_writes_stay_private);
    tcase_add_test(tcase, a_fixed_mapping_is_where_it_was_ordered);
    tcase_add_test(tcase, the_machine_part_of_user_space_cannot_be_mapped);
    tcase_add_test(tcase, sizes_are_rounded_up_and_checked);
    tcase_add_test(tcase, a_request_is_checked);
    tcase_add_test(tcase, nothing_is_writable_and_executable);
    tcase_add_test(tcase, access_needs_the_rights_to_it);
    tcase_add_test(tcase, handles_are_checked);
    tcase_add_test(tcase, maps_into_another_process_which_pays);
    tcase_add_test(tcase, an_ended_process_is_not_mapped_into);
    tcase_add_test(tcase, a_taken_range_is_refused_and_a_taken_wish_passed_over);
    tcase_add_test(tcase, a_wish_is_granted_if_it_can_be);
    tcase_add_test(tcase, replacing_unmaps_what_is_there);
    tcase_add_test(tcase, replacing_much_takes_several_portions);
    tcase_add_test(tcase, a_place_that_is_being_replaced_is_taken);
    tcase_add_test(tcase, what_others_map_meanwhile_is_not_unmapped);
    tcase_add_test(tcase, lack_of_memory_unmaps_nothing);
    tcase_add_test(tcase, an_account_without_objects_maps_nothing);
    tcase_add_test(tcase, populating_makes_pages_at_once);
    tcase_add_test(tcase, populating_goes_as_far_as_it_can);
    tcase_add_test(tcase, populating_a_process_without_threads_makes_its_pages);
    tcase_add_test(tcase, neighbours_that_are_alike_become_one);
    tcase_add_test(tcase, neighbours_of_one_object_become_one_where_offsets_meet);
    tcase_add_test(tcase, free_places_are_found_among_many_regions);
    tcase_add_test(tcase, the_search_goes_round);
    tcase_add_test(tcase, free_places_are_used_again);
    tcase_add_test(tcase, a_full_space_has_no_place);
    tcase_add_test(tcase, registers_are_mapped_as_they_are);
    return tcase;
}
