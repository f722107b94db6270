/* SPDX-License-Identifier: MIT */
/* mmap and its kin: what the kernel is asked for, and what is refused before. */
#include <string.h>

#include "world.h"

#define PAGE    AX_PAGE_SIZE
#define PRIVATE (L_MAP_PRIVATE | L_MAP_ANONYMOUS)

static void setup(void) {
    world_start();
    world_answer(AX_CALL_MEMORY_MAP, 0x10000000000);
}

/* The last kernel call was this mapping. */
static void check_map(uint64_t address, uint64_t size, uint32_t prot, uint32_t flags) {
    struct ax_map_request request;
    const struct world_call *call = &world_calls[world_call_count - 1];
    ck_assert_uint_eq(call->number, AX_CALL_MEMORY_MAP);
    memcpy(&request, call->buffer, sizeof(request));
    ck_assert_uint_eq(request.address, address);
    ck_assert_uint_eq(request.size_bytes, size);
    ck_assert_uint_eq(request.prot, prot);
    ck_assert_uint_eq(request.flags, flags);
}

START_TEST(flags_and_protections_are_translated) {
    uint64_t none = (uint64_t)-1;
    ck_assert_int_eq(CALL(mmap, 0, 5, L_PROT_WRITE, PRIVATE, none), 0x10000000000);
    check_map(0, PAGE, AX_PROT_READ | AX_PROT_WRITE, 0);
    CALL(mmap, 0x12345678, PAGE, L_PROT_EXEC, PRIVATE | L_MAP_POPULATE, none);
    check_map(0x12345000, PAGE, AX_PROT_READ | AX_PROT_EXECUTE, AX_MAP_POPULATE);
    CALL(mmap, 0x12345000, PAGE, 0, PRIVATE | L_MAP_FIXED, none);
    check_map(0x12345000, PAGE, 0, AX_MAP_FIXED | AX_MAP_REPLACE);
    CALL(mmap, 0x12345000, PAGE, 0, PRIVATE | L_MAP_FIXED_NOREPLACE, none);
    check_map(0x12345000, PAGE, 0, AX_MAP_FIXED);
    CALL(mmap, 0x12345000, PAGE, 0, PRIVATE | L_MAP_FIXED | L_MAP_FIXED_NOREPLACE, none);
    check_map(0x12345000, PAGE, 0, AX_MAP_FIXED);
}
END_TEST

START_TEST(shared_memory_is_an_object_that_the_mapping_keeps) {
    world_answer(AX_CALL_MEMORY_CREATE, 55);
    ck_assert_int_gt(CALL(mmap, 0, 3 * PAGE, L_PROT_READ, L_MAP_SHARED | L_MAP_ANONYMOUS), 0);
    ck_assert_uint_eq(world_calls[0].number, AX_CALL_MEMORY_CREATE);
    ck_assert_uint_eq(world_calls[0].a[0], 3);
    ck_assert_uint_eq(world_calls[1].number, AX_CALL_MEMORY_MAP);
    ck_assert_uint_eq(world_calls[1].a[1], 55);
    ck_assert_uint_eq(world_calls[2].number, AX_CALL_HANDLE_CLOSE);
    world_answer(AX_CALL_MEMORY_MAP, AX_ERR_LIMIT);
    ck_assert_int_eq(CALL(mmap, 0, PAGE, L_PROT_READ, L_MAP_SHARED | L_MAP_ANONYMOUS), -L_ENOMEM);
    ck_assert_uint_eq(world_calls[world_call_count - 1].number, AX_CALL_HANDLE_CLOSE);
}
END_TEST

START_TEST(the_machines_part_of_the_space_is_not_the_programs) {
    uint64_t last = AX_PROGRAM_END - PAGE;
    ck_assert_int_eq(CALL(mmap, AX_PERSONALITY_START, PAGE, 0, PRIVATE | L_MAP_FIXED), -L_ENOMEM);
    ck_assert_int_eq(CALL(mmap, last, 2 * PAGE, 0, PRIVATE | L_MAP_FIXED), -L_ENOMEM);
    ck_assert_int_eq(CALL(munmap, AX_PERSONALITY_START, PAGE), -L_EINVAL);
    ck_assert_int_eq(CALL(munmap, last, 2 * PAGE), -L_EINVAL);
    ck_assert_int_eq(CALL(mprotect, AX_PERSONALITY_START, PAGE, 0), -L_ENOMEM);
    ck_assert_int_eq(CALL(madvise, AX_PERSONALITY_START, PAGE, L_MADV_DONTNEED), -L_EINVAL);
    ck_assert_int_eq(CALL(mremap, AX_PERSONALITY_START, PAGE, 2 * PAGE, 1), -L_EFAULT);
    ck_assert_int_eq(CALL(brk, AX_PROGRAM_END), 0x500000);
    ck_assert_uint_eq(world_call_count, 0);
}
END_TEST

START_TEST(bad_wishes_have_linux_errors) {
    ck_assert_int_eq(CALL(mmap, 0, 0, 0, PRIVATE), -L_EINVAL);
    ck_assert_int_eq(CALL(mmap, 0, UINT64_MAX, 0, PRIVATE), -L_ENOMEM);
    ck_assert_int_eq(CALL(mmap, 0, PAGE, 0, L_MAP_ANONYMOUS), -L_EINVAL);
    ck_assert_int_eq(CALL(mmap, 0, PAGE, 0, PRIVATE, 0, 5), -L_EINVAL);
    ck_assert_int_eq(CALL(mmap, 0, PAGE, 6, PRIVATE), -L_EACCES);
    ck_assert_int_eq(CALL(mmap, 0x1000, PAGE, 0, PRIVATE | L_MAP_FIXED), -L_EPERM);
    ck_assert_int_eq(CALL(mmap, 0, PAGE, 0, L_MAP_PRIVATE, 9), -L_EBADF);
    ck_assert_int_eq(CALL(mmap, 0, PAGE, 0, 3 | L_MAP_ANONYMOUS), -L_EINVAL);
    world_answer(AX_CALL_MEMORY_MAP, AX_ERR_EXISTS);
    ck_assert_int_eq(CALL(mmap, 0x100000, PAGE, 0, PRIVATE | L_MAP_FIXED_NOREPLACE), -L_EEXIST);
    world_answer(AX_CALL_MEMORY_PROTECT, AX_ERR_NOT_FOUND);
    ck_assert_int_eq(CALL(mprotect, 0x100000, PAGE, 1), -L_ENOMEM);
    ck_assert_int_eq(CALL(mprotect, 0x100000, PAGE, 0x1000), -L_EINVAL);
    ck_assert_int_eq(CALL(mprotect, 0x100000, 0, 1), 0);
}
END_TEST

START_TEST(the_break_moves_by_pages_and_tells_bytes) {
    ck_assert_int_eq(CALL(brk, 0), 0x500000);
    ck_assert_int_eq(CALL(brk, 0x500010), 0x500010);
    check_map(0x500000, PAGE, AX_PROT_READ | AX_PROT_WRITE, AX_MAP_FIXED | AX_MAP_POPULATE);
    ck_assert_int_eq(CALL(brk, 0x500020), 0x500020);
    ck_assert_uint_eq(world_call_count, 1);
    ck_assert_int_eq(CALL(brk, 0x503001), 0x503001);
    check_map(0x501000, 3 * PAGE, AX_PROT_READ | AX_PROT_WRITE, AX_MAP_FIXED | AX_MAP_POPULATE);
    ck_assert_int_eq(CALL(brk, 0x501000), 0x501000);
    ck_assert_uint_eq(world_calls[2].number, AX_CALL_MEMORY_UNMAP);
    ck_assert_uint_eq(world_calls[2].a[1], 0x501000);
    ck_assert_uint_eq(world_calls[2].a[2], 3 * PAGE);
    ck_assert_int_eq(CALL(brk, 0x4fffff), 0x501000);
    world_answer(AX_CALL_MEMORY_MAP, AX_ERR_EXISTS); /* something is in the way */
    ck_assert_int_eq(CALL(brk, 0x600000), 0x501000);
}
END_TEST

START_TEST(of_a_break_that_moves_far_the_first_pages_are_made_at_once) {
    ck_assert_int_eq(CALL(brk, 0x510000), 0x510000);
    ck_assert_uint_eq(world_call_count, 2);
    check_map(0x500000, 4 * PAGE, AX_PROT_READ | AX_PROT_WRITE, AX_MAP_FIXED | AX_MAP_POPULATE);
    world_call_count--;
    check_map(0x504000, 12 * PAGE, AX_PROT_READ | AX_PROT_WRITE, AX_MAP_FIXED);
}
END_TEST

TCase *linux_memory_tests(void) {
    TCase *tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, flags_and_protections_are_translated);
    tcase_add_test(tcase, shared_memory_is_an_object_that_the_mapping_keeps);
    tcase_add_test(tcase, the_machines_part_of_the_space_is_not_the_programs);
    tcase_add_test(tcase, bad_wishes_have_linux_errors);
    tcase_add_test(tcase, the_break_moves_by_pages_and_tells_bytes);
    tcase_add_test(tcase, of_a_break_that_moves_far_the_first_pages_are_made_at_once);
    return tcase;
}
