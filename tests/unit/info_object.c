/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#include "call.h"

/* A handle of process's table to a thread, with these rights. */
static ax_handle thread_handle(struct thread *thread, uint32_t rights) {
    return driver_handle(world.process, &thread->object, rights);
}

static struct ax_object_info thread_info(struct thread *thread) {
    return info_of(world.one, thread_handle(thread, AX_RIGHT_INSPECT));
}

START_TEST(any_handle_will_do) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0, 3);
    struct ax_object_info info = info_of(world.one, weaken(world.one, event, 0));
    ck_assert_uint_eq(info.type, AX_TYPE_EVENT);
    ck_assert_uint_eq(info.signals, 3);
    ck_assert_uint_eq(info.handle_count, 2);
}
END_TEST

START_TEST(bad_handles_are_refused) {
    expect(kcall(world.one, AX_CALL_OBJECT_INFO, 0), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_OBJECT_INFO, stale(world.one)), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_OBJECT_INFO, UINT32_MAX), AX_ERR_HANDLE);
}
END_TEST

START_TEST(of_memory) {
    ax_handle memory = (ax_handle)kcall(world.one, AX_CALL_MEMORY_CREATE, 5, 0, 0);
    struct ax_object_info info = info_of(world.one, memory);
    ck_assert_uint_eq(info.type, AX_TYPE_MEMORY);
    ck_assert_uint_eq(info.memory.page_count, 5);
    ck_assert_uint_eq(info.memory.present_pages, 0);
    ck_assert_uint_eq(info.memory.physical, 0);
    memory = (ax_handle)kcall(world.one, AX_CALL_MEMORY_CREATE, 2, AX_MEMORY_CONTIGUOUS, 0);
    info = info_of(world.one, memory);
    ck_assert_uint_eq(info.memory.present_pages, 2);
    ck_assert_uint_ne(info.memory.physical, 0);
}
END_TEST

START_TEST(of_a_process) {
    ax_handle event = make(world.stranger, AX_TYPE_EVENT);
    ck_assert_uint_ne(event, 0);
    struct ax_object_info info = info_of(world.one, world.other_handle);
    ck_assert_uint_eq(info.type, AX_TYPE_PROCESS);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_NONE);
    ck_assert_uint_eq(info.process.threads, 1);
    ck_assert_uint_eq(info.process.handles, 1);
    ck_assert_uint_eq(info.process.account, world.other_account->object.id);
}
END_TEST

START_TEST(of_a_process_that_ended) {
    expect(kcall(world.one, AX_CALL_PROCESS_END, world.other_handle, AX_CAUSE_HUNG, 77), AX_OK);
    struct ax_object_info info = info_of(world.one, world.other_handle);
    ck_assert_uint_eq(info.signals, AX_SIGNAL_ENDED);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_HUNG);
    ck_assert_int_eq(info.process.code, 77);
    ck_assert_uint_eq(info.process.threads, 0);
    ck_assert_uint_eq(info.process.handles, 0);
}
END_TEST

START_TEST(of_a_process_that_faulted) {
    struct hal_event fault = {
        .kind = HAL_EVENT_FAULT,
        .fault = {.address = 0x123456000, .access = AX_PROT_READ, .fault = AX_FAULT_UNMAPPED}};
    driver_event(world.stranger, &fault);
    struct ax_object_info info = info_of(world.one, world.other_handle);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_FAULT);
    ck_assert_uint_eq(info.process.fault, AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(info.process.address, 0x123456000);
    ck_assert_uint_eq(info.process.page_faults, 1);
}
END_TEST

START_TEST(the_inside_of_a_process_needs_the_right_to_inspect) {
    make(world.stranger, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, world.other_handle, AX_RIGHT_ALL & ~AX_RIGHT_INSPECT);
    struct ax_object_info info = info_of(world.one, weak);
    ck_assert_uint_eq(info.type, AX_TYPE_PROCESS);
    ck_assert_uint_eq(info.object_id, world.other->object.id);
    ck_assert_uint_eq(info.process.handles, 0);
    ck_assert_uint_eq(info.process.threads, 0);
    ck_assert_uint_eq(info.process.account, 0);
}
END_TEST

START_TEST(the_inside_of_a_thread_needs_the_right_to_inspect) {
    struct ax_object_info info =
        info_of(world.one, thread_handle(world.two, AX_RIGHT_ALL & ~AX_RIGHT_INSPECT));
    ck_assert_uint_eq(info.type, AX_TYPE_THREAD);
    ck_assert_uint_eq(info.thread.process, 0);
    ck_assert_uint_eq(info.thread.priority, 0);
}
END_TEST

START_TEST(of_a_thread) {
    struct thread *third = driver_thread_with(world.process, 10, 0x1234);
    struct ax_object_info info = thread_info(third);
    ck_assert_uint_eq(info.thread.priority, 10);
    ck_assert_uint_eq(info.thread.base_priority, 10);
    ck_assert_uint_eq(info.thread.label, 0x1234);
    ck_assert_uint_eq(info.thread.slot, third->slot);
    ck_assert_uint_eq(info.thread.process, world.process->object.id);
    ck_assert_uint_ne(info.thread.affinity, 0);
}
END_TEST

START_TEST(a_running_and_a_ready_thread) {
    ck_assert_uint_eq(thread_info(world.one).thread.state, AX_THREAD_RUNNING);
    struct thread *low = driver_thread_with(world.process, 1, 0);
    struct thread *lower = driver_thread_with(world.process, 0, 0);
    driver_run(world.two);
    ck_assert_uint_eq(thread_info(low).thread.state == AX_THREAD_READY ||
                          thread_info(lower).thread.state == AX_THREAD_READY,
                      true);
    ck_assert_uint_eq(thread_info(low).thread.waits_for, 0);
}
END_TEST

START_TEST(a_thread_that_waits_for_signals) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(kcall(world.two, AX_CALL_OBJECT_WAIT, event, 1, AX_TIME_NEVER), DRIVER_BLOCKED);
    uint64_t id = info_of(world.one, event).object_id;
    struct ax_object_info info = thread_info(world.two);
    ck_assert_uint_eq(info.thread.state, AX_THREAD_WAITING);
    ck_assert_uint_eq(info.thread.waits_for, id);
}
END_TEST

START_TEST(a_thread_that_waits_for_several_objects) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    struct ax_wait_item items[2] = {{.handle = event, .mask = 1}, {.handle = event, .mask = 2}};
    fill_buffer(world.two, items, sizeof(items));
    expect(kcall(world.two, AX_CALL_OBJECT_WAIT_MANY, 2, AX_TIME_NEVER), DRIVER_BLOCKED);
    uint64_t id = info_of(world.one, event).object_id;
    ck_assert_uint_eq(thread_info(world.two).thread.waits_for, id);
}
END_TEST

START_TEST(a_thread_that_sleeps) {
    expect(kcall(world.two, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), DRIVER_BLOCKED);
    struct ax_object_info info = thread_info(world.two);
    ck_assert_uint_eq(info.thread.state, AX_THREAD_WAITING);
    ck_assert_uint_eq(info.thread.waits_for, 0);
}
END_TEST

START_TEST(a_thread_that_waits_for_a_queue) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE);
    expect(kcall(world.two, AX_CALL_QUEUE_WAIT, queue, 1, AX_TIME_NEVER), DRIVER_BLOCKED);
    uint64_t id = info_of(world.one, queue).object_id;
    struct ax_object_info info = thread_info(world.two);
    ck_assert_uint_eq(info.thread.state, AX_THREAD_WAITING);
    ck_assert_uint_eq(info.thread.waits_for, id);
}
END_TEST

START_TEST(a_thread_that_waits_for_a_futex) {
    uint64_t address = driver_map(world.process, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    expect(kcall(world.two, AX_CALL_FUTEX_WAIT, address, 0, UINT32_MAX, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    struct ax_object_info info = thread_info(world.two);
    ck_assert_uint_eq(info.thread.state, AX_THREAD_WAITING);
    ck_assert_uint_eq(info.thread.waits_for, world.process->object.id);
}
END_TEST

START_TEST(threads_that_call_and_receive) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    uint64_t endpoint_id = info_of(world.one, endpoint).object_id;
    ax_handle session = (ax_handle)kcall(world.one, AX_CALL_SESSION_CREATE, endpoint, 1, 0, 0);
    uint64_t session_id = info_of(world.one, session).object_id;
    ax_handle copy = driver_copy(world.process, session, world.other, AX_RIGHT_ALL);
    world.two->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    expect(kcall(world.two, AX_CALL_REPLY_RECEIVE, 0, endpoint), DRIVER_BLOCKED);
    struct ax_object_info info = thread_info(world.two);
    ck_assert_uint_eq(info.thread.state, AX_THREAD_RECEIVING);
    ck_assert_uint_eq(info.thread.waits_for, endpoint_id);
    world.stranger->page->ipc.deadline_ns = AX_TIME_NEVER;
    expect(kcall(world.stranger, AX_CALL_CALL, copy), DRIVER_BLOCKED);
    info = thread_info(world.stranger);
    ck_assert_uint_eq(info.thread.state, AX_THREAD_CALLING);
    ck_assert_uint_eq(info.thread.waits_for, session_id);
    info = info_of(world.one, endpoint);
    ck_assert_uint_eq(info.endpoint.sessions, 1);
    ck_assert_uint_eq(info.endpoint.queued, 0);
    ck_assert_uint_eq(info.endpoint.received, 1);
}
END_TEST

START_TEST(a_suspended_thread) {
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, world.other_handle, AX_PROCESS_SUSPEND),
           AX_OK);
    ck_assert_uint_eq(thread_info(world.stranger).thread.state, AX_THREAD_SUSPENDED);
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, world.other_handle, AX_PROCESS_RESUME), AX_OK);
}
END_TEST

START_TEST(an_ended_thread) {
    ax_handle handle = thread_handle(world.two, AX_RIGHT_INSPECT);
    expect(kcall(world.two, AX_CALL_THREAD_EXIT, 0, 3), DRIVER_ENDED);
    struct ax_object_info info = info_of(world.one, handle);
    ck_assert_uint_eq(info.signals, AX_SIGNAL_ENDED);
    ck_assert_uint_eq(info.thread.state, AX_THREAD_ENDED);
}
END_TEST

START_TEST(of_an_account) {
    ax_handle account = (ax_handle)kcall(world.one, AX_CALL_ACCOUNT_CREATE, 0, 10000, 20, 0);
    struct ax_object_info info = info_of(world.one, account);
    ck_assert_uint_eq(info.type, AX_TYPE_ACCOUNT);
    ck_assert_uint_eq(info.account.limit_bytes, 10000);
    ck_assert_uint_eq(info.account.limit_objects, 20);
    ck_assert_uint_eq(info.account.used_bytes, 0);
    ck_assert_uint_eq(info.account.used_objects, 0);
}
END_TEST

START_TEST(of_an_endpoint) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    ax_handle session = (ax_handle)kcall(world.one, AX_CALL_SESSION_CREATE, endpoint, 1, 0, 0);
    kcall(world.one, AX_CALL_SESSION_CREATE, endpoint, 2, 0, 0);
    must_close(world.one, session);
    struct ax_object_info info = info_of(world.one, endpoint);
    ck_assert_uint_eq(info.endpoint.sessions, 1);
    ck_assert_uint_eq(info.endpoint.closed, 1);
    ck_assert_uint_eq(info.signals, AX_SIGNAL_PENDING);
}
END_TEST

TCase *info_object_tests(void) {
    TCase *tcase = world_case("info_object");
    tcase_add_test(tcase, any_handle_will_do);
    tcase_add_test(tcase, bad_handles_are_refused);
    tcase_add_test(tcase, of_memory);
    tcase_add_test(tcase, of_a_process);
    tcase_add_test(tcase, of_a_process_that_ended);
    tcase_add_test(tcase, of_a_process_that_faulted);
    tcase_add_test(tcase, the_inside_of_a_process_needs_the_right_to_inspect);
    tcase_add_test(tcase, the_inside_of_a_thread_needs_the_right_to_inspect);
    tcase_add_test(tcase, of_a_thread);
    tcase_add_test(tcase, a_running_and_a_ready_thread);
    tcase_add_test(tcase, a_thread_that_waits_for_signals);
    tcase_add_test(tcase, a_thread_that_waits_for_several_objects);
    tcase_add_test(tcase, a_thread_that_sleeps);
    tcase_add_test(tcase, a_thread_that_waits_for_a_queue);
    tcase_add_test(tcase, a_thread_that_waits_for_a_futex);
    tcase_add_test(tcase, threads_that_call_and_receive);
    tcase_add_test(tcase, a_suspended_thread);
    tcase_add_test(tcase, an_ended_thread);
    tcase_add_test(tcase, of_an_account);
    tcase_add_test(tcase, of_an_endpoint);
    return tcase;
}
