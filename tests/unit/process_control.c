/* SPDX-License-Identifier: MIT */
/* process_control and process_copy. */
#include "process_tests.h"

static ax_handle server_handle; /* of the client's, all rights */
static ax_handle authority;     /* to set labels */
static uint64_t there, here;    /* three pages of the server's, and of the client's */

static void control_start(void) {
    ipc_start();
    server_handle = grant(world.server, world.client, AX_RIGHT_ALL);
    authority = driver_copy(driver_root(), AX_ROOT_SYSTEM, world.client, AX_RIGHT_SET_LABEL);
    there = driver_map(world.server, 0x1000000, 3, RW);
    here = driver_map(world.client, 0x2000000, 3, RW);
}

static ax_result control(uint64_t op, uint64_t a, uint64_t b) {
    return kcall(world.one, AX_CALL_PROCESS_CONTROL, server_handle, op, a, b, authority);
}

static ax_result control_with(uint32_t rights, uint64_t op) {
    ax_handle weak = grant(world.server, world.client, rights);
    ax_result result = kcall(world.one, AX_CALL_PROCESS_CONTROL, weak, op, AX_ALL_THREADS,
                             AX_PLACE_ANY, authority);
    must_close(world.one, weak);
    return result;
}

static bool is_suspended(void) {
    return (signals_of(world.one, server_handle) & AX_SIGNAL_SUSPENDED) != 0;
}

/* ---- Suspend and resume ---------------------------------------------------------------------- */

START_TEST(nothing_of_a_suspended_process_runs) {
    expect(control(AX_PROCESS_SUSPEND, 0, 0), AX_OK);
    ck_assert(is_suspended());
    ck_assert_uint_ne(world.sam->state, THREAD_RUNNING);
    ck_assert(world.sam->held && world.sue->held);
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_OK);
    ck_assert(!is_suspended());
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(suspends_are_counted) {
    expect(control(AX_PROCESS_SUSPEND, 0, 0), AX_OK);
    expect(control(AX_PROCESS_SUSPEND, 0, 0), AX_OK);
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_OK);
    ck_assert(is_suspended());
    ck_assert(world.sam->held);
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_OK);
    ck_assert(!is_suspended());
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_ERR_STATE);
}
END_TEST

START_TEST(blocked_calls_of_a_suspended_process_go_on) {
    ax_handle client = grant(world.client, world.server, AX_RIGHT_ALL);
    ax_handle session = session_for(world.sam, world.endpoint, 8, world.server);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    expect(kcall(world.sue, AX_CALL_PROCESS_CONTROL, client, AX_PROCESS_SUSPEND), AX_OK);
    expect(answer(world.sam, reply, 2), AX_OK);
    ck_assert_uint_eq(world.one->state, THREAD_READY);
    ck_assert(world.one->held);
    expect(kcall(world.sue, AX_CALL_PROCESS_CONTROL, client, AX_PROCESS_RESUME), AX_OK);
    has_answer(world.one, 2);
    must_close(world.sam, session);
}
END_TEST

START_TEST(a_suspended_server_receives_but_does_not_run) {
    waits(world.sam, world.endpoint);
    expect(control(AX_PROCESS_SUSPEND, 0, 0), AX_OK);
    calls(world.two, world.session, 1);
    ck_assert(world.sam->held);
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_OK);
    ax_handle reply = has_call(world.sam, 1);
    expect(answer(world.sam, reply, 2), AX_OK);
    has_answer(world.two, 2);
}
END_TEST

START_TEST(a_thread_made_in_a_suspended_process_waits) {
    expect(control(AX_PROCESS_SUSPEND, 0, 0), AX_OK);
    ax_result made =
        kcall(world.one, AX_CALL_THREAD_CREATE, server_handle, 0x400000, 0x7f0000, 0, 0);
    ck_assert_int_gt(made, 0);
    struct thread *thread =
        container_of(driver_object(world.client, (ax_handle)made), struct thread, object);
    ck_assert(thread->held);
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_OK);
    ck_assert(!thread->held);
}
END_TEST

START_TEST(a_process_suspends_itself) {
    ax_handle own = grant(world.server, world.server, AX_RIGHT_CONTROL);
    expect(kcall(world.sam, AX_CALL_PROCESS_CONTROL, own, AX_PROCESS_SUSPEND), AX_OK);
    ck_assert(is_suspended());
    ck_assert(world.sam->held);
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_OK);
    has_nothing(world.sam, world.endpoint);
}
END_TEST

START_TEST(a_suspended_process_ends) {
    expect(control(AX_PROCESS_SUSPEND, 0, 0), AX_OK);
    end(world.server, AX_CAUSE_KILLED);
    ck_assert_uint_eq(signals_of(world.one, server_handle), AX_SIGNAL_ENDED);
    expect(control(AX_PROCESS_SUSPEND, 0, 0), AX_ERR_ENDED);
    expect(control(AX_PROCESS_RESUME, 0, 0), AX_ERR_ENDED);
    expect(control(AX_PROCESS_LABEL, AX_ALL_THREADS, 0), AX_ERR_ENDED);
    expect(control(AX_PROCESS_PERSONALITY, 0, 0), AX_ERR_ENDED);
}
END_TEST

/* ---- Labels, personality, threads ------------------------------------------------------------ */

START_TEST(labels_are_set_on_one_thread_or_all) {
    expect(control(AX_PROCESS_LABEL, AX_ALL_THREADS, 100), AX_OK);
    ck_assert_uint_eq(world.sam->label, 100);
    ck_assert_uint_eq(world.sue->label, 100);
    expect(control(AX_PROCESS_LABEL, world.sue->slot, 200), AX_OK);
    ck_assert_uint_eq(world.sam->label, 100);
    ck_assert_uint_eq(world.sue->label, 200);
    expect(control(AX_PROCESS_LABEL, 17, 300), AX_ERR_NOT_FOUND);
    expect(control(AX_PROCESS_LABEL, UINT64_C(1) << 32, 300), AX_ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_new_label_goes_with_the_next_call) {
    ax_handle session = session_for(world.sam, world.endpoint, 8, world.server);
    expect(control(AX_PROCESS_LABEL, world.sue->slot, 55), AX_OK);
    calls(world.sue, session, 1);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->label, 55);
}
END_TEST

START_TEST(a_call_goes_on_under_the_label_it_was_made_with) {
    ax_handle session = session_for(world.sam, world.endpoint, 8, world.server);
    keep();
    calls(world.sue, session, 1);
    expect(control(AX_PROCESS_LABEL, world.sue->slot, 55), AX_OK);
    takes(world.sam, world.endpoint, 1);
    ck_assert_uint_eq(message(world.sam)->label, 0);
    struct thread *other = driver_thread(driver_process());
    ax_handle theirs = driver_copy(driver_root(), world.kept, other->process, AX_RIGHT_ALL);
    ax_handle next = session_for(other, theirs, 9, world.server);
    must_close(world.sam, message(world.sam)->reply);
    expect(driver_answer(world.sue), AX_ERR_DROPPED);
    waits(other, theirs); /* the short path, too */
    calls(world.sue, next, 2);
    expect(control(AX_PROCESS_LABEL, world.sue->slot, 66), AX_OK);
    ax_handle reply = has_call(other, 2);
    ck_assert_uint_eq(message(other)->label, 55);
    expect(kcall(other, AX_CALL_FORWARD, reply, session_for(other, theirs, 10, other->process)),
           AX_OK);
    takes(world.sam, world.endpoint, 2);
    ck_assert_uint_eq(message(world.sam)->label, 55);
}
END_TEST

static ax_result label_with(ax_handle process, ax_handle with) {
    return kcall(world.one, AX_CALL_PROCESS_CONTROL, process, AX_PROCESS_LABEL, AX_ALL_THREADS, 7,
                 with);
}

/* Its own child, with all rights that it gets to it, included. */
START_TEST(nobody_sets_labels_without_the_authority) {
    ax_result child = kcall(world.one, AX_CALL_PROCESS_CLONE, 0x400000, 0x7f0000, 0, 0);
    ax_result empty = kcall(world.one, AX_CALL_PROCESS_CREATE, 0, 0);
    ck_assert(child > 0 && empty > 0);
    ax_handle processes[] = {(ax_handle)child, (ax_handle)empty, server_handle};
    ax_handle weak = driver_copy(driver_root(), AX_ROOT_SYSTEM, world.client,
                                 AX_RIGHT_ALL & ~AX_RIGHT_SET_LABEL);
    ax_handle ports = driver_copy(driver_root(), AX_ROOT_DEVICE_PORTS, world.client, AX_RIGHT_ALL);
    for (unsigned i = 0; i < 3; i++) {
        expect(label_with(processes[i], AX_HANDLE_NONE), AX_ERR_HANDLE);
        expect(label_with(processes[i], stale(world.one)), AX_ERR_HANDLE);
        expect(label_with(processes[i], processes[i]), AX_ERR_TYPE);
        expect(label_with(processes[i], ports), AX_ERR_TYPE);
        expect(label_with(processes[i], weak), AX_ERR_RIGHTS);
        expect(label_with(processes[i], authority), AX_OK);
    }
}
END_TEST

START_TEST(a_personality_is_checked) {
    static const struct ax_personality bad[] = {
        {.entry = AX_USER_END},
        {.entry = 0x1000, .recovery = AX_USER_END},
        {.entry = 0x1000, .range_restart = UINT64_MAX},
        {.entry = 0x1000, .range_start = 0x2000, .range_end = 0x1fff},
        {.entry = 0x1000, .range_start = 0x2000, .range_end = AX_USER_END + 1},
    };
    struct ax_personality good = {.entry = 0x500000, .recovery = 0x500100};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(world.one->page->buffer, &bad[i], sizeof(bad[i]));
        expect(control(AX_PROCESS_PERSONALITY, 0, 0), AX_ERR_ARGUMENT);
    }
    memcpy(world.one->page->buffer, &good, sizeof(good));
    expect(control(AX_PROCESS_PERSONALITY, 0, 0), AX_OK);
    ck_assert_mem_eq(&world.server->personality, &good, sizeof(good));
    ck_assert_mem_eq(&world.sam->page->personality, &good, sizeof(good)); /* for the machine */
    ck_assert_mem_eq(&world.sue->page->personality, &good, sizeof(good));
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, 0, AX_PROCESS_PERSONALITY), AX_OK);
    ck_assert_uint_eq(world.client->personality.entry, 0x500000);
}
END_TEST

START_TEST(a_thread_is_found_by_its_slot) {
    ax_handle weak = grant(world.server, world.client, AX_RIGHT_INSPECT);
    ax_result handle = kcall(world.one, AX_CALL_PROCESS_CONTROL, weak, AX_PROCESS_THREAD,
                             world.sue->slot, AX_PLACE(0, 600));
    expect(handle, 600);
    ck_assert_ptr_eq(driver_object(world.client, 600), &world.sue->object);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 600, AX_THREAD_GET_REGS), AX_OK);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 600, AX_THREAD_INTERRUPT), AX_ERR_RIGHTS);
    expect(control(AX_PROCESS_THREAD, 17, 0), AX_ERR_NOT_FOUND);
    expect(control(AX_PROCESS_THREAD, 0, AX_PLACE(0, 600)), AX_ERR_EXISTS);
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, 0, AX_PROCESS_THREAD, 1, AX_PLACE(0, 601)),
           601);
    ck_assert_ptr_eq(driver_object(world.client, 601), &world.two->object);
}
END_TEST

START_TEST(each_operation_needs_its_right) {
    static const uint32_t rights[] = {
        [AX_PROCESS_SUSPEND] = AX_RIGHT_CONTROL, [AX_PROCESS_RESUME] = AX_RIGHT_CONTROL,
        [AX_PROCESS_LABEL] = AX_RIGHT_CONTROL,   [AX_PROCESS_PERSONALITY] = AX_RIGHT_THREADS,
        [AX_PROCESS_THREAD] = AX_RIGHT_INSPECT,  [AX_PROCESS_RELEASE] = AX_RIGHT_CONTROL,
    };
    for (unsigned op = 0; op <= AX_PROCESS_RELEASE; op++) {
        expect(control_with(AX_RIGHT_ALL & ~rights[op], op), AX_ERR_RIGHTS);
        ck_assert_int_ne(control_with(rights[op], op), AX_ERR_RIGHTS);
    }
}
END_TEST

START_TEST(a_process_does_not_label_or_suspend_itself_without_a_handle) {
    static const uint64_t ops[] = {AX_PROCESS_SUSPEND, AX_PROCESS_RESUME, AX_PROCESS_LABEL,
                                   AX_PROCESS_RELEASE};
    for (unsigned i = 0; i < 4; i++)
        expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, 0, ops[i], AX_ALL_THREADS, 1, authority),
               AX_ERR_HANDLE);
    ck_assert_uint_eq(world.one->label, LABEL);
}
END_TEST

START_TEST(controlling_needs_a_process_and_a_known_operation) {
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, world.session, 0), AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, stale(world.one), 0), AX_ERR_HANDLE);
    expect(control(AX_PROCESS_RELEASE + 1, 0, 0), AX_ERR_ARGUMENT);
    expect(control(UINT64_MAX, 0, 0), AX_ERR_ARGUMENT);
}
END_TEST

/* ---- process_copy ---------------------------------------------------------------------------- */

static ax_result copy(uint64_t from, uint64_t own, uint64_t size, uint64_t direction) {
    return kcall(world.one, AX_CALL_PROCESS_COPY, server_handle, from, own, size, direction);
}

START_TEST(copies_from_and_to_another_process) {
    char text[6] = "";
    driver_write(world.server, there + 4090, "hello", 6);
    expect(copy(there + 4090, here + 10, 6, 0), 6);
    driver_read(world.client, here + 10, text, 6);
    ck_assert_str_eq(text, "hello");
    driver_write(world.client, here, "HOLLA", 6);
    expect(copy(there + 4094, here, 6, 1), 6);
    driver_read(world.server, there + 4094, text, 6);
    ck_assert_str_eq(text, "HOLLA");
}
END_TEST

START_TEST(a_debugger_writes_what_the_process_may_not) {
    uint64_t text = driver_map(world.server, 0, 1, AX_PROT_READ | AX_PROT_EXECUTE);
    driver_write(world.client, here, "\xcc", 1);
    expect(copy(text + 5, here, 1, 1), 1);
    char byte = 0;
    driver_read(world.server, text + 5, &byte, 1);
    ck_assert_int_eq((uint8_t)byte, 0xcc);
}
END_TEST

START_TEST(a_debugger_reads_into_what_it_may_write) {
    uint64_t text = driver_map(world.client, 0, 1, AX_PROT_READ);
    expect(copy(there, text, 1, 0), AX_ERR_ADDRESS);
}
END_TEST

START_TEST(a_copy_stops_where_nothing_is_mapped) {
    expect(copy(there + 2 * AX_PAGE_SIZE + 4000, here, 200, 0), 96);
    expect(copy(there + 3 * AX_PAGE_SIZE, here, 1, 0), AX_ERR_ADDRESS);
    expect(copy(there, here + 3 * AX_PAGE_SIZE - 4, 100, 0), 4);
    expect(copy(there, 0, 1, 0), AX_ERR_ADDRESS);
    expect(copy(0, here, 1, 1), AX_ERR_ADDRESS);
    expect(copy(UINT64_MAX, here, 10, 0), AX_ERR_ADDRESS);
    expect(copy(AX_THREAD_PAGES, here, 10, 0), AX_ERR_ADDRESS);
    expect(copy(there, here, 0, 0), 0);
    expect(copy(there, here, UINT64_MAX, 0), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(a_long_copy_takes_portions) {
    enum { PAGES = 80 };
    struct process *big = driver_process_of(world.server_account);
    uint64_t from = driver_map(big, 0x5000000, PAGES, RW);
    uint64_t to = driver_map(world.client, 0x6000000, PAGES, RW);
    for (unsigned i = 0; i < PAGES; i += 7)
        driver_write(big, from + i * AX_PAGE_SIZE + i, "x", 1);
    ax_handle handle = grant(big, world.client, AX_RIGHT_INSPECT);
    uint64_t restarts = kernel->counters.restarts;
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, handle, from, to, PAGES * AX_PAGE_SIZE, 0),
           PAGES * (ax_result)AX_PAGE_SIZE);
    ck_assert_uint_gt(kernel->counters.restarts, restarts);
    for (unsigned i = 0; i < PAGES; i += 7) {
        char byte = 0;
        driver_read(world.client, to + i * AX_PAGE_SIZE + i, &byte, 1);
        ck_assert_int_eq(byte, 'x');
    }
}
END_TEST

START_TEST(copying_needs_rights_and_a_direction) {
    ax_handle reader = grant(world.server, world.client, AX_RIGHT_INSPECT);
    ax_handle writer = grant(world.server, world.client, AX_RIGHT_CHANGE);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, reader, there, here, 1, 1), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, writer, there, here, 1, 0), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, reader, there, here, 1, 0), 1);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, writer, there, here, 1, 1), 1);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, writer, there, here, 1, 2), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, world.session, there, here, 1, 0), AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, stale(world.one), there, here, 1, 0),
           AX_ERR_HANDLE);
}
END_TEST

void process_control_tests(Suite *suite) {
    TCase *tcase = tcase_create("process_control");
    tcase_add_checked_fixture(tcase, control_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, nothing_of_a_suspended_process_runs);
    tcase_add_test(tcase, suspends_are_counted);
    tcase_add_test(tcase, blocked_calls_of_a_suspended_process_go_on);
    tcase_add_test(tcase, a_suspended_server_receives_but_does_not_run);
    tcase_add_test(tcase, a_thread_made_in_a_suspended_process_waits);
    tcase_add_test(tcase, a_process_suspends_itself);
    tcase_add_test(tcase, a_suspended_process_ends);
    tcase_add_test(tcase, labels_are_set_on_one_thread_or_all);
    tcase_add_test(tcase, a_new_label_goes_with_the_next_call);
    tcase_add_test(tcase, a_call_goes_on_under_the_label_it_was_made_with);
    tcase_add_test(tcase, nobody_sets_labels_without_the_authority);
    tcase_add_test(tcase, a_personality_is_checked);
    tcase_add_test(tcase, a_thread_is_found_by_its_slot);
    tcase_add_test(tcase, each_operation_needs_its_right);
    tcase_add_test(tcase, a_process_does_not_label_or_suspend_itself_without_a_handle);
    tcase_add_test(tcase, controlling_needs_a_process_and_a_known_operation);
    tcase_add_test(tcase, copies_from_and_to_another_process);
    tcase_add_test(tcase, a_debugger_writes_what_the_process_may_not);
    tcase_add_test(tcase, a_debugger_reads_into_what_it_may_write);
    tcase_add_test(tcase, a_copy_stops_where_nothing_is_mapped);
    tcase_add_test(tcase, a_long_copy_takes_portions);
    tcase_add_test(tcase, copying_needs_rights_and_a_direction);
}
