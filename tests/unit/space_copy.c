/* SPDX-License-Identifier: MIT */
/* Copies of user memory: core's own, and process_copy. */
#include <string.h>

#include "memory_tests.h"
#include "memory_world.h"

#define READ  0
#define WRITE 1

static ax_result copy(ax_handle process, uint64_t address, uint64_t own, uint64_t size_bytes,
                      uint64_t direction) {
    return kcall(world.one, AX_CALL_PROCESS_COPY, process, address, own, size_bytes, direction);
}

START_TEST(memory_is_copied_across_pages) {
    uint64_t here = map_pages(world.one, 3, RW), there = map_pages(world.stranger, 3, RW);
    char text[3000], back[3000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7);
    driver_write(world.process, here + 2000, text, sizeof(text));
    expect(copy(world.other_handle, there + 3500, here + 2000, sizeof(text), WRITE), sizeof(text));
    driver_read(world.other, there + 3500, back, sizeof(back));
    ck_assert_mem_eq(back, text, sizeof(text));
    expect(copy(world.other_handle, there + 3501, here + 5000, 2999, READ), 2999);
    driver_read(world.process, here + 5000, back, 2999);
    ck_assert_mem_eq(back, text + 1, 2999);
}
END_TEST

START_TEST(a_copy_is_short_where_memory_ends) {
    uint64_t here = map_pages(world.one, 2, RW), there = map_pages(world.stranger, 1, RW);
    expect(copy(world.other_handle, there + 100, here, 2 * PAGE, READ), PAGE - 100);
    expect(copy(world.other_handle, there, here + PAGE, 2 * PAGE, READ), PAGE);
    expect(copy(world.other_handle, there + PAGE, here, 1, READ), AX_ERR_ADDRESS);
    expect(copy(world.other_handle, there, here + 2 * PAGE, 1, READ), AX_ERR_ADDRESS);
    expect(copy(world.other_handle, 0, here, 1, READ), AX_ERR_ADDRESS);
    expect(copy(world.other_handle, UINT64_MAX, here, 2, READ), AX_ERR_ADDRESS);
    expect(copy(world.other_handle, there, UINT64_MAX, 2, READ), AX_ERR_ADDRESS);
}
END_TEST

START_TEST(much_is_copied_in_portions) {
    uint64_t here = map_pages(world.one, 100, RW), there = map_pages(world.stranger, 100, RW);
    poke_pages(world.stranger, there, 100, 1);
    uint64_t restarts = kernel->counters.restarts;
    expect(copy(world.other_handle, there, here, 100 * PAGE, READ), 100 * PAGE);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 1);
    for (uint64_t page = 0; page < 100; page++)
        ck_assert_uint_eq(peek(world.one, here + page * PAGE), page + 1);
}
END_TEST

START_TEST(a_debugger_writes_to_read_only_private_pages) {
    uint64_t here = map_pages(world.one, 1, RW);
    uint64_t text = map_pages(world.stranger, 1, AX_PROT_READ | AX_PROT_EXECUTE);
    poke(world.one, here, 0xcc);
    ck_assert_uint_eq(peek(world.stranger, text), 0);
    expect(copy(world.other_handle, text, here, 1, WRITE), 1);
    ck_assert_uint_eq(peek(world.stranger, text), 0xcc);
    ax_handle memory = memory_new(world.stranger, 1);
    uint64_t shared = map_memory(world.stranger, memory, 1, AX_PROT_READ, 0);
    expect(copy(world.other_handle, shared, here, 1, WRITE), AX_ERR_ADDRESS);
}
END_TEST

START_TEST(a_copy_within_one_page_may_overlap) {
    uint64_t at = map_pages(world.one, 1, RW);
    driver_write(world.process, at, "abcdef", 6);
    kernel_lock();
    unsigned portion = 2;
    int side;
    expect(user_copy(world.process, at + 2, world.process, at, 6, false, &portion, &side), 6);
    kernel_unlock();
    char text[8];
    driver_read(world.process, at, text, 8);
    ck_assert_mem_eq(text, "ababcdef", 8);
}
END_TEST

START_TEST(a_copy_tells_which_side_failed) {
    uint64_t here = map_pages(world.one, 1, RW), readable = map_pages(world.one, 1, AX_PROT_READ);
    kernel_lock();
    unsigned portion = 5;
    int side = 7;
    struct process *process = world.process;
    expect(user_copy(process, readable, process, here, 1, false, &portion, &side), AX_ERR_ADDRESS);
    ck_assert_int_eq(side, 1);
    expect(user_copy(process, here, process, 0, 1, false, &portion, &side), AX_ERR_ADDRESS);
    ck_assert_int_eq(side, 0);
    portion = 5;
    expect(user_copy(process, here, process, readable, 0, false, &portion, &side), 0);
    ck_assert_uint_eq(portion, 5);
    kernel_unlock();
}
END_TEST

START_TEST(copying_needs_its_rights) {
    uint64_t here = map_pages(world.one, 1, RW), there = map_pages(world.stranger, 1, RW);
    ax_handle reader = weaken(world.one, world.other_handle, AX_RIGHT_INSPECT);
    ax_handle writer = weaken(world.one, world.other_handle, AX_RIGHT_CHANGE);
    expect(copy(reader, there, here, 1, READ), 1);
    expect(copy(reader, there, here, 1, WRITE), AX_ERR_RIGHTS);
    expect(copy(writer, there, here, 1, WRITE), 1);
    expect(copy(writer, there, here, 1, READ), AX_ERR_RIGHTS);
}
END_TEST

TCase *space_copy_tests(void) {
    TCase *tcase = world_case("space_copy");
    tcase_add_test(tcase, memory_is_copied_across_pages);
    tcase_add_test(tcase, a_copy_is_short_where_memory_ends);
    tcase_add_test(tcase, much_is_copied_in_portions);
    tcase_add_test(tcase, a_debugger_writes_to_read_only_private_pages);
    tcase_add_test(tcase, a_copy_within_one_page_may_overlap);
    tcase_add_test(tcase, a_copy_tells_which_side_failed);
    tcase_add_test(tcase, copying_needs_its_rights);
    return tcase;
}
