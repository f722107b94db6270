/* SPDX-License-Identifier: MIT */
/* What the kernel sees of each call that a program makes through lib/sys. */
#include "sys_tests.h"

#include <string.h>

#include <fake_kernel.h>
#include <sys/message.h>

static uint64_t seen_number, seen[5];
static struct ax_ipc seen_ipc;
static uint8_t seen_buffer[AX_BUFFER_BYTES];
static unsigned call_count;
static ax_result result;

/* Notes the call and answers `result`; what a call gives in the buffer counts up from 1. */
static ax_result note(struct ax_thread_page *page, uint64_t number, const uint64_t arguments[5]) {
    seen_number = number;
    memcpy(seen, arguments, sizeof(seen));
    seen_ipc = page->ipc;
    memcpy(seen_buffer, page->buffer, sizeof(seen_buffer));
    call_count++;
    for (size_t i = 0; i < sizeof(page->buffer); i++)
        page->buffer[i] = (uint8_t)(i + 1);
    page->ipc.message.badge = 77;
    return result;
}

static void setup(void) {
    fake_kernel_start(note);
    result = 0;
    call_count = 0;
}

/* The call that was just made had this number and these arguments. */
static void check_call(ax_result got, uint64_t number, const uint64_t arguments[5]) {
    ck_assert_int_eq(got, result);
    ck_assert_uint_eq(seen_number, number);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(seen[i], arguments[i]);
}
#define CHECK(call, upper, ...)                                              \
    do {                                                                     \
        result = 5;                                                          \
        check_call(call, AX_CALL_##upper, (const uint64_t[5]){__VA_ARGS__}); \
        result = AX_ERR_STATE;                                               \
        check_call(call, AX_CALL_##upper, (const uint64_t[5]){__VA_ARGS__}); \
    } while (0)

START_TEST(arguments_are_passed_in_order) {
    int here;
    uint64_t at = (uintptr_t)&here;
    CHECK(ax_handle_close(9), HANDLE_CLOSE, 9);
    CHECK(ax_handle_transfer(1, 2, 3, 4, 5), HANDLE_TRANSFER, 1, 2, 3, 4, 5);
    CHECK(ax_object_create(AX_TYPE_EVENT, 3, 4), OBJECT_CREATE, AX_TYPE_EVENT, 3, 4);
    CHECK(ax_object_wait(1, 2, 3), OBJECT_WAIT, 1, 2, 3);
    CHECK(ax_sleep_until(8), OBJECT_WAIT_MANY, 0, 8);
    CHECK(ax_object_signal(1, 2, 3), OBJECT_SIGNAL, 1, 2, 3);
    CHECK(ax_reply_control(1, AX_REPLY_SERVE, 2, 3), REPLY_CONTROL, 1, AX_REPLY_SERVE, 2, 3);
    CHECK(ax_loan_read(1, 2, 3, &here, 4), LOAN_READ, 1, 2, 3, at, 4);
    CHECK(ax_loan_write(1, 2, 3, &here, 4), LOAN_WRITE, 1, 2, 3, at, 4);
    CHECK(ax_loan_map(1, 2, 3, 4), LOAN_MAP, 1, 2, 3, 4);
    CHECK(ax_endpoint_bind(1, 2, 3, 4), ENDPOINT_BIND, 1, 2, 3, 4);
    CHECK(ax_session_create(1, 2, 3, 4), SESSION_CREATE, 1, 2, 3, 4);
    CHECK(ax_session_retire(1, 2, 1), SESSION_RETIRE, 1, 2, 1);
    CHECK(ax_session_signal(1, 2, 3, 4), SESSION_SIGNAL, 1, 2, 3, 4);
    CHECK(ax_memory_create(1, 2, 3), MEMORY_CREATE, 1, 2, 3);
    CHECK(ax_memory_resize(1, 2), MEMORY_RESIZE, 1, 2);
    CHECK(ax_memory_unmap(1, 2, 3), MEMORY_UNMAP, 1, 2, 3);
    CHECK(ax_memory_protect(1, 2, 3, 4), MEMORY_PROTECT, 1, 2, 3, 4);
    CHECK(ax_futex_wait(1, 2, 3, 4), FUTEX_WAIT, 1, 2, 3, 4);
    CHECK(ax_futex_wake(1, 2, 3), FUTEX_WAKE, 1, 2, 3);
    CHECK(ax_futex_requeue(1, 2, 3, 4, 5), FUTEX_REQUEUE, 1, 2, 3, 4, 5);
    CHECK(ax_account_create(1, 2, 3, 4), ACCOUNT_CREATE, 1, 2, 3, 4);
    CHECK(ax_account_transfer(1, 2, 3, 4), ACCOUNT_TRANSFER, 1, 2, 3, 4);
    CHECK(ax_process_create(1, 2), PROCESS_CREATE, 1, 2);
    CHECK(ax_process_clone(1, 2, 3, 4), PROCESS_CLONE, 1, 2, 3, 4);
    CHECK(ax_process_end(1, AX_CAUSE_HUNG, -1), PROCESS_END, 1, AX_CAUSE_HUNG, UINT64_MAX);
    CHECK(ax_process_suspend(1), PROCESS_CONTROL, 1, AX_PROCESS_SUSPEND);
    CHECK(ax_process_resume(1), PROCESS_CONTROL, 1, AX_PROCESS_RESUME);
    CHECK(ax_process_label(1, 2, 3, 4), PROCESS_CONTROL, 1, AX_PROCESS_LABEL, 2, 3, 4);
    CHECK(ax_process_thread(1, 2, 3), PROCESS_CONTROL, 1, AX_PROCESS_THREAD, 2, 3);
    CHECK(ax_process_release(1), PROCESS_CONTROL, 1, AX_PROCESS_RELEASE);
    CHECK(ax_process_read(1, 2, &here, 4), PROCESS_COPY, 1, 2, at, 4, 0);
    CHECK(ax_process_write(1, 2, &here, 4), PROCESS_COPY, 1, 2, at, 4, 1);
    CHECK(ax_thread_create(1, 2, 3, 4, 5), THREAD_CREATE, 1, 2, 3, 4, 5);
    CHECK(ax_thread_exit(4, 2, 9), THREAD_EXIT, 4, 2, 9);
    CHECK(ax_thread_interrupt(1), THREAD_CONTROL, 1, AX_THREAD_INTERRUPT);
    CHECK(ax_thread_take(), THREAD_CONTROL, 0, AX_THREAD_TAKE);
    CHECK(ax_thread_priority(1, 2), THREAD_CONTROL, 1, AX_THREAD_PRIORITY, 2);
    CHECK(ax_thread_affinity(1, 2), THREAD_CONTROL, 1, AX_THREAD_AFFINITY, 2);
    CHECK(ax_resume(1), RESUME, 1);
    CHECK(ax_timer_set(1, 2), TIMER_SET, 1, 2);
    CHECK(ax_device_create(1, AX_DEVICE_PORTS, 3, 4, 5), DEVICE_CREATE, 1, AX_DEVICE_PORTS, 3, 4,
          5);
    CHECK(ax_device_port_read(1, 2, 4), DEVICE_PORT, 1, 2, 4);
    CHECK(ax_device_port_write(1, 2, 4, 9), DEVICE_PORT, 1, 2, 4 | AX_PORT_WRITE, 9);
    CHECK(ax_device_memory(1, 2, 1, 4), DEVICE_MEMORY, 1, 2, 1, 4);
    CHECK(ax_device_reset(1), DEVICE_RESET, 1);
    CHECK(ax_irq_create(1, 2, AX_IRQ_LEVEL_LOW, 4), IRQ_CREATE, 1, 2, AX_IRQ_LEVEL_LOW, 4);
    CHECK(ax_trace_set(1, 2), SYSTEM_CONTROL, 1, AX_SYSTEM_TRACE, 2);
    CHECK(ax_system_halt(1, 2), SYSTEM_CONTROL, 1, AX_SYSTEM_HALT, 2);
}
END_TEST

START_TEST(structures_go_through_the_buffer) {
    struct ax_map_request request = {1, 2, 3, 4, 5};
    CHECK(ax_memory_map(7, 8, &request), MEMORY_MAP, 7, 8);
    ck_assert_mem_eq(seen_buffer, &request, sizeof(request));

    struct ax_personality personality = {1, 2, 3, 4, 5};
    CHECK(ax_process_personality(7, &personality), PROCESS_CONTROL, 7, AX_PROCESS_PERSONALITY);
    ck_assert_mem_eq(seen_buffer, &personality, sizeof(personality));

    struct ax_queue_request member = {1, 2, 3, 4};
    CHECK(ax_queue_control(7, AX_QUEUE_CHANGE, 8, &member), QUEUE_CONTROL, 7, AX_QUEUE_CHANGE, 8);
    ck_assert_mem_eq(seen_buffer, &member, sizeof(member));

    struct ax_regs regs = {.rax = 1, .reserved = 2};
    CHECK(ax_thread_set_regs(7, &regs), THREAD_CONTROL, 7, AX_THREAD_SET_REGS);
    ck_assert_mem_eq(seen_buffer, &regs, sizeof(regs));
}
END_TEST

/* The first byte of what came is 1, unless the call failed and nothing came. */
#define CHECK_FILLED(call, what)                             \
    do {                                                     \
        memset(&(what), 0, sizeof(what));                    \
        result = AX_ERR_STATE;                               \
        ck_assert_int_eq(call, AX_ERR_STATE);                \
        ck_assert_uint_eq(((const uint8_t *)&(what))[0], 0); \
        result = 0;                                          \
        ck_assert_int_eq(call, 0);                           \
        ck_assert_uint_eq(((const uint8_t *)&(what))[0], 1); \
        ck_assert_uint_eq(((const uint8_t *)&(what))[8], 9); \
    } while (0)

START_TEST(what_calls_give_is_copied_out_unless_they_fail) {
    struct ax_object_info info;
    CHECK_FILLED(ax_object_info(1, &info), info);
    struct ax_regs regs;
    CHECK_FILLED(ax_thread_get_regs(1, &regs), regs);
    struct ax_counters counters;
    CHECK_FILLED(ax_system_counters(1, &counters), counters);
    uint8_t bytes[32];
    CHECK_FILLED(ax_system_entropy(1, bytes, sizeof(bytes)), bytes);
    uint64_t badge = 0;
    result = AX_ERR_NOT_FOUND;
    ck_assert_int_eq(ax_session_identify(1, 2, &badge), AX_ERR_NOT_FOUND);
    ck_assert_uint_eq(badge, 0);
    result = 0;
    ck_assert_int_eq(ax_session_identify(1, 2, &badge), 0);
    ck_assert_uint_eq(badge, 77);
}
END_TEST

START_TEST(lists_are_cut_to_the_room_there_is) {
    struct ax_handle_info infos[2] = {0};
    result = 5;
    ck_assert_int_eq(ax_handle_list(1, 2, infos, 1), 1);
    ck_assert_uint_eq(infos[1].handle, 0);
    result = 2;
    ck_assert_int_eq(ax_handle_list(1, 2, infos, 2), 2);
    ck_assert_uint_ne(infos[1].handle, 0);
    result = AX_ERR_HANDLE;
    ck_assert_int_eq(ax_handle_list(1, 2, infos, 2), AX_ERR_HANDLE);
    struct ax_region_info regions[3] = {0};
    result = 1;
    ck_assert_int_eq(ax_memory_list(0, 2, regions, 3), 1);
    ck_assert_uint_eq(regions[1].address, 0);
    struct ax_queue_event events[3] = {0};
    ck_assert_int_eq(ax_queue_wait(1, events, 3, 9), 1);
    ck_assert_uint_eq(events[1].key, 0);
    struct ax_session_info sessions[1];
    ck_assert_int_eq(ax_endpoint_list(1, AX_LIST_CLOSED, 4, sessions, 1), 1);
}
END_TEST

START_TEST(waiting_for_many_tells_what_was_seen) {
    struct ax_wait_item items[AX_WAIT_MAX + 1] = {{1, 2, 0, 0}, {3, 4, 0, 0}};
    result = 1;
    ck_assert_int_eq(ax_object_wait_many(items, 2, 50), 1);
    ck_assert_uint_eq(seen[0], 2);
    ck_assert_uint_eq(seen[1], 50);
    ck_assert_uint_eq(((struct ax_wait_item *)(void *)seen_buffer)[1].handle, 3);
    ck_assert_uint_ne(items[1].seen, 0);
    call_count = 0;
    ck_assert_int_eq(ax_object_wait_many(items, AX_WAIT_MAX + 1, 50), AX_ERR_ARGUMENT);
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(a_long_log_text_goes_in_pieces) {
    static char text[2 * AX_BUFFER_BYTES + 3];
    memset(text, 'x', sizeof(text));
    result = 0;
    ck_assert_int_eq(ax_log_write(4, text, sizeof(text)), 0);
    ck_assert_uint_eq(call_count, 3);
    ck_assert_uint_eq(seen[2], 3);
    ck_assert_int_eq(seen_buffer[2], 'x');
    result = AX_ERR_RIGHTS;
    ck_assert_int_eq(ax_log_write(4, text, sizeof(text)), AX_ERR_RIGHTS);
    ck_assert_uint_eq(call_count, 4);
    uint64_t position = 3;
    result = 2;
    char got[AX_BUFFER_BYTES] = {0};
    ck_assert_int_eq(ax_log_read(4, &position, got), 2);
    ck_assert_uint_eq(position, 77);
    ck_assert_int_eq(got[1], 2);
    ck_assert_int_eq(got[2], 0);
}
END_TEST

TCase *sys_calls_tests(void) {
    TCase *tcase = tcase_create("calls");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, arguments_are_passed_in_order);
    tcase_add_test(tcase, structures_go_through_the_buffer);
    tcase_add_test(tcase, what_calls_give_is_copied_out_unless_they_fail);
    tcase_add_test(tcase, lists_are_cut_to_the_room_there_is);
    tcase_add_test(tcase, waiting_for_many_tells_what_was_seen);
    tcase_add_test(tcase, a_long_log_text_goes_in_pieces);
    return tcase;
}
