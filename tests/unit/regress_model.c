/* SPDX-License-Identifier: MIT */
/* What random sequences against the reference have found. */
#include "regress_tests.h"

START_TEST(a_wait_goes_on_when_a_binding_took_the_bits) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    world.one->page->ipc.receive_deadline_ns = NOW;
    expect(kcall(world.one, AX_CALL_REPLY_RECEIVE, 0, endpoint), AX_ERR_TIMEOUT);
    expect(kcall(world.one, AX_CALL_ENDPOINT_BIND, endpoint, event, 1, 7), AX_OK);
    world.one->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    expect(kcall(world.one, AX_CALL_REPLY_RECEIVE, 0, endpoint), DRIVER_BLOCKED);
    expect(kcall(world.two, AX_CALL_OBJECT_WAIT, event, 3, AX_TIME_NEVER), DRIVER_BLOCKED);
    struct thread *third = driver_thread(world.process);
    signal_event(third, event, 0, 1);
    expect(driver_answer(world.one), AX_OK);
    ck_assert_uint_eq(world.one->page->ipc.message.words[0], 1);
    expect(driver_answer(world.two), DRIVER_BLOCKED);
    signal_event(third, event, 0, 2);
    expect(driver_answer(world.two), 2);
}
END_TEST

START_TEST(a_debugger_cannot_read_what_it_has_no_access_to_itself) {
    uint64_t here = map_pages(world.one, 1, AX_PROT_NONE);
    uint64_t there = map_pages(world.stranger, 1, RW);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, world.other_handle, there, here, 1, 1),
           AX_ERR_ADDRESS);
}
END_TEST

static void must_call(struct thread *thread, ax_handle session, ax_handle handle) {
    struct ax_ipc *ipc = &thread->page->ipc;
    ipc->deadline_ns = AX_TIME_NEVER;
    ipc->message.handle_count = handle != 0;
    ipc->message.handles[0] = (struct ax_message_handle){handle, AX_RIGHT_ALL};
    expect(kcall(thread, AX_CALL_CALL, session), DRIVER_BLOCKED);
}

START_TEST(a_receiver_of_many_calls_that_it_does_not_accept_gets_the_one_it_does) {
    struct thread *callers[70];
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_result session = kcall(world.one, AX_CALL_SESSION_CREATE, endpoint, 1, 0, AX_PLACE_ANY);
    for (unsigned i = 0; i < 70; i++) {
        callers[i] = driver_thread(world.process);
        must_call(callers[i], (ax_handle)session, i < 69 ? event : 0);
    }
    world.one->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    (void)kcall(world.one, AX_CALL_REPLY_RECEIVE, 0, endpoint);
    expect(driver_answer(world.one), AX_OK);
    for (unsigned i = 0; i < 69; i++)
        expect(driver_answer(callers[i]), AX_ERR_ACCEPT);
    expect(driver_answer(callers[69]), DRIVER_BLOCKED);
}
END_TEST

TCase *regress_model_tests(void) {
    TCase *tcase = world_case("regress_model");
    tcase_add_test(tcase, a_wait_goes_on_when_a_binding_took_the_bits);
    tcase_add_test(tcase, a_receiver_of_many_calls_that_it_does_not_accept_gets_the_one_it_does);
    tcase_add_test(tcase, a_debugger_cannot_read_what_it_has_no_access_to_itself);
    return tcase;
}

START_TEST(a_mapped_loan_of_a_private_mapping_stays_the_lenders) {
    ax_handle memory = memory_new(lender, 1);
    uint64_t shared = map_memory(lender, memory, 1, RW, 0);
    uint64_t private = map_memory(lender, memory, 1, RW, AX_MAP_PRIVATE);
    poke(lender, shared, 1);
    lend(private, PAGE, AX_LOAN_READ);
    ax_result at = loan_map(0, 0, PAGE);
    ck_assert_int_gt(at, 0);
    ck_assert_uint_eq(peek(server, (uint64_t)at), 1);
    poke(witness, shared, 2);
    ck_assert_uint_eq(peek(server, (uint64_t)at), 1);
    poke(witness, private, 3);
    ck_assert_uint_eq(peek(server, (uint64_t)at), 3);
}
END_TEST

TCase *regress_loan_tests(void) {
    TCase *tcase = loan_case("regress_loan");
    tcase_add_test(tcase, a_mapped_loan_of_a_private_mapping_stays_the_lenders);
    return tcase;
}
