/* SPDX-License-Identifier: MIT */
#include "loan_world.h"
#include "memory_tests.h"

static uint64_t must_map(uint64_t offset, uint64_t size_bytes) {
    ax_result at = loan_map(0, offset, size_bytes);
    ck_assert_int_gt(at, 0);
    return (uint64_t)at;
}

static struct frame *lent_frame(uint64_t page) {
    return memory_find(space_find(lender->process, loans.lent)->overlay, loans.lent / PAGE + page);
}

START_TEST(a_mapped_loan_shows_the_lenders_pages) {
    lend(loans.lent + 100, 4 * PAGE, AX_LOAN_READ | AX_LOAN_WRITE);
    uint64_t at = must_map(PAGE, 2 * PAGE);
    ck_assert_uint_eq(at % PAGE, 100);
    ck_assert_uint_eq(peek(server, at - 100), 2);
    poke(server, at, 77);
    ck_assert_uint_eq(peek(witness, loans.lent + PAGE + 100), 77);
    poke(witness, loans.lent + 2 * PAGE + 200, 88);
    ck_assert_uint_eq(peek(server, at + PAGE + 100), 88);
    ck_assert_uint_eq(lent_frame(1)->pins, 1);
    ck_assert_uint_eq(lent_frame(3)->pins, 1);
    ck_assert_uint_eq(lent_frame(0)->pins, 0);
}
END_TEST

START_TEST(a_read_loan_is_mapped_for_reading) {
    lend(loans.lent, 4 * PAGE, AX_LOAN_READ);
    uint64_t at = must_map(0, PAGE);
    ck_assert_uint_eq(peek(server, at), 1);
    ck_assert_uint_eq(fault_of(server, at, AX_PROT_WRITE), AX_FAULT_PROTECTION);
    expect(kcall(server, AX_CALL_MEMORY_PROTECT, 0, at, PAGE, RW), AX_ERR_RIGHTS);
    expect(kcall(server, AX_CALL_MEMORY_PROTECT, 0, at, PAGE, AX_PROT_READ), AX_ERR_RIGHTS);
}
END_TEST

START_TEST(the_answer_unmaps) {
    usage_note();
    uint64_t theirs = world.other_account->used_bytes;
    lend(loans.lent, 4 * PAGE, AX_LOAN_WRITE);
    uint64_t first = must_map(0, PAGE), second = must_map(0, 4 * PAGE);
    poke(server, first, 9);
    poke(server, second, 9);
    ck_assert_uint_eq(lent_frame(0)->pins, 2);
    expect(answer(), AX_OK);
    ck_assert_uint_eq(fault_of(server, first, AX_PROT_READ), AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(fault_of(server, second, AX_PROT_READ), AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(lent_frame(0)->pins, 0);
    usage_check();
    ck_assert_uint_eq(world.other_account->used_bytes, theirs);
}
END_TEST

START_TEST(unmapping_a_part_unmaps_all) {
    lend(loans.lent, 4 * PAGE, AX_LOAN_WRITE);
    uint64_t at = must_map(0, 4 * PAGE);
    unmap(server, at + PAGE, 1);
    ck_assert_uint_eq(fault_of(server, at, AX_PROT_READ), AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(lent_frame(3)->pins, 0);
    must_map(0, PAGE);
    expect(answer(), AX_OK);
}
END_TEST

START_TEST(a_dead_server_unmaps) {
    lend(loans.lent, 4 * PAGE, AX_LOAN_WRITE);
    must_map(0, 4 * PAGE);
    kernel_lock();
    process_end(server->process, AX_CAUSE_KILLED, 0, 0, 0);
    kernel_unlock();
    driver_settle();
    ck_assert_uint_eq(lent_frame(0)->pins, 0);
}
END_TEST

/* A call can have so many pages mapped, or so many come with it to the next who receives it, that
 * those of one are enough for a portion of work. */
START_TEST(a_dead_server_gives_back_loans_in_portions) {
    enum { CALLS = 6 };
    struct process *process = server->process;
    ax_handle replies[CALLS];
    for (unsigned i = 0; i < CALLS; i++) {
        lender = driver_thread(lender->process);
        lend(loans.lent, LENT_PAGES * PAGE, AX_LOAN_WRITE);
        replies[i] = loans.reply;
        if (_i == 0)
            must_map(0, AX_LOAN_MAP_PAGES * PAGE);
    }
    ck_assert_uint_ne(replies[0], replies[CALLS - 1]);
    driver_set_manual(true);
    kernel_lock();
    process_end(process, AX_CAUSE_KILLED, 0, 0, 0);
    kernel_unlock();
    unsigned portions = 0;
    while (process->state == PROCESS_ENDING) {
        const struct tree_node *before = tree_first(&process->received);
        driver_step(0);
        driver_step(1);
        portions += before != tree_first(&process->received);
    }
    ck_assert_uint_ge(portions, CALLS / 2); /* of which each CPU may have done one */
    driver_set_manual(false);
    driver_settle();
    ck_assert_uint_eq(lent_frame(0)->pins, 0);
}
END_TEST

START_TEST(frames_stay_whatever_the_lender_does) {
    uint64_t used = frames_used();
    lend(loans.lent, 2 * PAGE, AX_LOAN_WRITE);
    uint64_t at = must_map(0, 2 * PAGE);
    struct frame *frame = lent_frame(0);
    uint64_t theirs = world.other_account->used_bytes;
    unmap(witness, loans.lent, 2);
    driver_settle();
    ck_assert_uint_eq(frame->refs, 1);
    /* They are still the lender's to pay for. */
    ck_assert_uint_ge(world.other_account->used_bytes + PAGE, theirs);
    ck_assert_uint_eq(peek(server, at), 1);
    poke(server, at + PAGE, 5);
    kernel_lock();
    process_end(lender->process, AX_CAUSE_KILLED, 0, 0, 0);
    kernel_unlock();
    driver_settle();
    ck_assert_uint_eq(peek(server, at), 1);
    unmap(server, at, 2);
    driver_settle();
    ck_assert_uint_lt(frames_used(), used);
}
END_TEST

START_TEST(absent_pages_are_made_or_it_fails_at_once) {
    uint64_t fresh = map_pages(lender, 3, RW);
    unmap(lender, fresh + 2 * PAGE, 1);
    lend(fresh, 3 * PAGE, AX_LOAN_WRITE);
    usage_note();
    expect(loan_map(0, 0, 3 * PAGE), AX_ERR_ABSENT);
    usage_check();
    uint64_t at = must_map(0, 2 * PAGE);
    poke(server, at + PAGE, 3);
    ck_assert_uint_eq(peek(witness, fresh + PAGE), 3);
}
END_TEST

START_TEST(limits_hold) {
    lend(loans.lent + 1, LENT_PAGES * PAGE - 1, AX_LOAN_WRITE);
    expect(loan_map(0, 0, 0), AX_ERR_ARGUMENT);
    expect(loan_map(0, 0, LENT_PAGES * PAGE), AX_ERR_ARGUMENT);
    expect(loan_map(0, 5, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(loan_map(0, LENT_PAGES * PAGE - 1, 1), AX_ERR_ARGUMENT);
    expect(loan_map(1, 0, 1), AX_ERR_ARGUMENT);
    expect(loan_map(0, 0, AX_LOAN_MAP_PAGES * PAGE), AX_ERR_LIMIT); /* it covers one page more */
    must_map(0, AX_LOAN_MAP_PAGES * PAGE - 1);
    for (unsigned i = 1; i < REPLY_MAPS_MAX; i++)
        must_map(i * PAGE, 1);
    expect(loan_map(0, 0, 1), AX_ERR_LIMIT);
}
END_TEST

START_TEST(a_frame_has_so_many_pins) {
    lend(loans.lent, PAGE, AX_LOAN_READ);
    struct frame *frame = lent_frame(0);
    frame->pins = UINT16_MAX;
    frame->refs = UINT16_MAX + 1;
    expect(loan_map(0, 0, 1), AX_ERR_LIMIT);
    frame->pins = 0;
    frame->refs = 1;
    must_map(0, 1);
}
END_TEST

START_TEST(lack_of_memory_maps_nothing) {
    lend(loans.lent, 70 * PAGE, AX_LOAN_WRITE);
    ax_result at = AX_ERR_MEMORY;
    unsigned failures = 0;
    for (unsigned n = 1; at < 0; n++) {
        ck_assert_uint_lt(n, 20);
        usage_note();
        driver_fail_after(n);
        at = loan_map(0, 66 * PAGE, 3 * PAGE);
        driver_fail_after(0);
        if (at >= 0)
            break;
        failures++;
        expect(at, AX_ERR_MEMORY);
        usage_check();
        ck_assert_uint_eq(lent_frame(66)->pins, 0);
    }
    ck_assert_uint_ge(failures, 1);
    ck_assert_uint_eq(peek(server, (uint64_t)at), 67);
}
END_TEST

static ax_result clone(struct thread *thread) {
    return kcall(thread, AX_CALL_PROCESS_CLONE, 0x400000, 0x7f0000, 0, 0);
}

static struct process *process_of(struct thread *thread, ax_result handle) {
    ck_assert_int_gt(handle, 0);
    return container_of(driver_object(thread->process, (ax_handle)handle), struct process, object);
}

START_TEST(a_clone_of_the_lender_gets_copies_of_what_is_lent) {
    lend(loans.lent, PAGE, AX_LOAN_WRITE);
    uint64_t at = must_map(0, PAGE);
    struct process *child = process_of(witness, clone(witness));
    poke(server, at, 50);
    ck_assert_uint_eq(peek(witness, loans.lent), 50);
    uint8_t byte;
    driver_read(child, loans.lent, &byte, 1);
    ck_assert_uint_eq(byte, 1);
    poke(witness, loans.lent, 60);
    ck_assert_uint_eq(peek(server, at), 60);
}
END_TEST

START_TEST(a_clone_that_cannot_copy_what_is_lent_fails_whole) {
    lend(loans.lent, PAGE, AX_LOAN_WRITE);
    must_map(0, PAGE);
    uint64_t processes = kernel->counters.processes;
    uint64_t limit = world.other_account->limit_bytes;
    world.other_account->limit_bytes = world.other_account->used_bytes + 6 * PAGE;
    expect(clone(witness), AX_ERR_LIMIT);
    world.other_account->limit_bytes = limit;
    driver_settle();
    ck_assert_uint_eq(kernel->counters.processes, processes);
    ck_assert_uint_eq(peek(witness, loans.lent), 1);
}
END_TEST

START_TEST(a_place_is_found_among_many_regions) {
    uint64_t first = map_pages(server, 1, RW);
    for (uint64_t i = 1; i < 300; i++)
        map_at(server, first + i * 2 * PAGE, 1, RW);
    server->process->space.place = first;
    lend(loans.lent, 2 * PAGE, AX_LOAN_READ);
    uint64_t restarts = kernel->counters.restarts;
    uint64_t at = must_map(0, 2 * PAGE);
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 1);
    ck_assert_uint_eq(peek(server, at + PAGE), 2);
}
END_TEST

START_TEST(a_page_shared_with_a_clone_is_copied_before_it_is_lent) {
    struct process *child = process_of(lender, clone(lender));
    lend(loans.lent, 2 * PAGE, AX_LOAN_READ);
    uint64_t at = must_map(0, PAGE);
    ck_assert(frame_is_exclusive(lent_frame(0)));
    driver_write(child, loans.lent, "x", 1);
    ck_assert_uint_eq(peek(server, at), 1);
    unmap(witness, loans.lent, 1);
    driver_write(child, loans.lent, "y", 1);
    ck_assert_uint_eq(peek(server, at), 1);
}
END_TEST

START_TEST(a_clone_of_the_server_has_no_mapped_loans) {
    lend(loans.lent, PAGE, AX_LOAN_WRITE);
    uint64_t at = must_map(0, PAGE);
    struct process *child = process_of(server, clone(server));
    ck_assert_ptr_null(space_find(child, at));
    ck_assert_uint_eq(lent_frame(0)->pins, 1);
    poke(server, at, 4);
    ck_assert_uint_eq(peek(witness, loans.lent), 4);
}
END_TEST

START_TEST(memory_that_shrinks_leaves_what_is_lent) {
    ax_handle memory = memory_new(lender, 4);
    uint64_t shared = map_memory(lender, memory, 4, RW, 0);
    poke_pages(lender, shared, 4, 1);
    lend(shared, 4 * PAGE, AX_LOAN_READ | AX_LOAN_WRITE);
    uint64_t at = must_map(0, 4 * PAGE);
    expect(kcall(witness, AX_CALL_MEMORY_RESIZE, memory, 1), AX_OK);
    ck_assert_uint_eq(peek(server, at + 3 * PAGE), 4);
    ck_assert_uint_eq(fault_of(witness, shared + 3 * PAGE, AX_PROT_READ), AX_FAULT_BEYOND);
    expect(loan_read(0, 3 * PAGE, loans.own, 1), AX_ERR_ABSENT);
}
END_TEST

START_TEST(what_was_mapped_can_be_lent_on) {
    lend(loans.lent, PAGE, AX_LOAN_WRITE);
    uint64_t at = must_map(0, PAGE);
    struct frame *frame;
    kernel_lock();
    expect(page_resolve(server->process, at, AX_PROT_WRITE, false, &frame), AX_OK);
    kernel_unlock();
    ck_assert_ptr_eq(frame, lent_frame(0));
}
END_TEST

/* A call that is passed on loses its mapped loans; its first bytes come along all the same, also
 * into a page that was among them. */
START_TEST(bytes_come_along_into_a_page_that_was_lent) {
    ax_handle endpoint = make(witness, AX_TYPE_ENDPOINT);
    ax_result session = kcall(witness, AX_CALL_SESSION_CREATE, endpoint, 8, 0, 0);
    ax_handle theirs =
        driver_copy(lender->process, (ax_handle)session, server->process, AX_RIGHT_ALL);
    poke_pages(lender, loans.lent, 1, 7);
    lend(loans.lent, 8, AX_LOAN_READ);
    ck_assert_int_gt(loan_map(0, 0, 8), 0);
    witness->page->ipc = (struct ax_ipc){
        .buffer = loans.lent + 8, .buffer_bytes = 8, .receive_deadline_ns = AX_TIME_NEVER};
    expect(kcall(witness, AX_CALL_REPLY_RECEIVE, 0, endpoint), DRIVER_BLOCKED);
    expect(kcall(server, AX_CALL_FORWARD, loans.reply, theirs), AX_OK);
    expect(driver_answer(witness), AX_OK);
    ck_assert_uint_eq(witness->page->ipc.message.inline_bytes, 8);
    ck_assert_uint_eq(peek(witness, loans.lent + 8), 7);
}
END_TEST

TCase *loan_map_tests(void) {
    TCase *tcase = loan_case("loan_map");
    tcase_add_test(tcase, a_mapped_loan_shows_the_lenders_pages);
    tcase_add_test(tcase, a_read_loan_is_mapped_for_reading);
    tcase_add_test(tcase, the_answer_unmaps);
    tcase_add_test(tcase, unmapping_a_part_unmaps_all);
    tcase_add_test(tcase, a_dead_server_unmaps);
    tcase_add_loop_test(tcase, a_dead_server_gives_back_loans_in_portions, 0, 2);
    tcase_add_test(tcase, frames_stay_whatever_the_lender_does);
    tcase_add_test(tcase, absent_pages_are_made_or_it_fails_at_once);
    tcase_add_test(tcase, limits_hold);
    tcase_add_test(tcase, a_frame_has_so_many_pins);
    tcase_add_test(tcase, lack_of_memory_maps_nothing);
    tcase_add_test(tcase, a_clone_of_the_lender_gets_copies_of_what_is_lent);
    tcase_add_test(tcase, a_clone_that_cannot_copy_what_is_lent_fails_whole);
    tcase_add_test(tcase, a_place_is_found_among_many_regions);
    tcase_add_test(tcase, a_page_shared_with_a_clone_is_copied_before_it_is_lent);
    tcase_add_test(tcase, a_clone_of_the_server_has_no_mapped_loans);
    tcase_add_test(tcase, memory_that_shrinks_leaves_what_is_lent);
    tcase_add_test(tcase, what_was_mapped_can_be_lent_on);
    tcase_add_test(tcase, bytes_come_along_into_a_page_that_was_lent);
    return tcase;
}
