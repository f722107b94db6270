/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#include <string.h>

static ax_handle machine;

static void start(void) {
    world_start();
    machine = device(AX_DEVICE_SYSTEM, AX_RIGHT_ALL);
}

static ax_result control(ax_handle device, uint64_t op, uint64_t a) {
    return kcall(world.one, AX_CALL_SYSTEM_CONTROL, device, op, a);
}

static uint64_t read_on(void) {
    return world.one->page->ipc.message.badge;
}

static void write_log(const char *text) {
    fill_buffer(world.one, text, strlen(text));
    expect(control(machine, AX_SYSTEM_LOG_WRITE, strlen(text)), AX_OK);
}

START_TEST(what_is_written_is_read_and_shown) {
    uint64_t position = kernel->log.written;
    write_log("a line\n");
    ck_assert_ptr_nonnull(strstr(driver_console(), "a line\n"));
    memset(world.one->page->buffer, 0, AX_BUFFER_BYTES);
    expect(control(machine, AX_SYSTEM_LOG_READ, position), 7);
    ck_assert_str_eq((char *)world.one->page->buffer, "a line\n");
    ck_assert_uint_eq(read_on(), position + 7);
    expect(control(machine, AX_SYSTEM_LOG_READ, read_on()), 0);
    ck_assert_uint_eq(read_on(), position + 7);
}
END_TEST

START_TEST(cores_own_lines_are_there_as_well) {
    uint64_t position = kernel->log.written;
    log_line("%s is %d", "six", 6);
    expect(control(machine, AX_SYSTEM_LOG_READ, position), 9);
    ck_assert_int_eq(memcmp(world.one->page->buffer, "six is 6\n", 9), 0);
    position = kernel->log.written;
    log_line("%600d", 7);
    expect(control(machine, AX_SYSTEM_LOG_READ, position), 256); /* cut off */
    ck_assert_int_eq(world.one->page->buffer[255], '\n');
}
END_TEST

START_TEST(a_long_log_is_read_in_pieces) {
    static char text[AX_BUFFER_BYTES];
    memset(text, 'x', sizeof(text));
    uint64_t position = kernel->log.written;
    for (unsigned i = 0; i < 3; i++) {
        text[0] = (char)('a' + i);
        fill_buffer(world.one, text, sizeof(text));
        expect(control(machine, AX_SYSTEM_LOG_WRITE, sizeof(text)), AX_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        expect(control(machine, AX_SYSTEM_LOG_READ, position), AX_BUFFER_BYTES);
        ck_assert_int_eq(world.one->page->buffer[0], 'a' + (int)i);
        position = read_on();
    }
    expect(control(machine, AX_SYSTEM_LOG_READ, position), 0);
}
END_TEST

START_TEST(a_reader_that_fell_behind_gets_the_oldest_there_is) {
    uint64_t position = kernel->log.written;
    static char text[AX_BUFFER_BYTES];
    memset(text, 'y', sizeof(text));
    fill_buffer(world.one, text, sizeof(text));
    while (kernel->log.written - position <= kernel->log.size)
        expect(control(machine, AX_SYSTEM_LOG_WRITE, sizeof(text)), AX_OK);
    uint64_t oldest = kernel->log.written - kernel->log.size;
    ck_assert_uint_gt(oldest, position);
    expect(control(machine, AX_SYSTEM_LOG_READ, position), AX_BUFFER_BYTES);
    ck_assert_uint_eq(read_on(), oldest + AX_BUFFER_BYTES);
    expect(control(machine, AX_SYSTEM_LOG_READ, oldest), AX_BUFFER_BYTES);
    ck_assert_uint_eq(read_on(), oldest + AX_BUFFER_BYTES);
}
END_TEST

START_TEST(a_position_that_has_not_come_yet_is_refused) {
    expect(control(machine, AX_SYSTEM_LOG_READ, kernel->log.written + 1), AX_ERR_ARGUMENT);
    expect(control(machine, AX_SYSTEM_LOG_READ, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(control(machine, AX_SYSTEM_TRACE_READ, 1), AX_ERR_ARGUMENT);
}
END_TEST

START_TEST(no_more_than_the_buffer_is_written_or_filled) {
    expect(control(machine, AX_SYSTEM_LOG_WRITE, AX_BUFFER_BYTES + 1), AX_ERR_ARGUMENT);
    expect(control(machine, AX_SYSTEM_LOG_WRITE, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(control(machine, AX_SYSTEM_ENTROPY, AX_BUFFER_BYTES + 1), AX_ERR_ARGUMENT);
    expect(control(machine, AX_SYSTEM_LOG_WRITE, 0), AX_OK);
    expect(control(machine, AX_SYSTEM_ENTROPY, 0), AX_OK);
}
END_TEST

START_TEST(entropy_fills_as_much_as_asked_for) {
    memset(world.one->page->buffer, 0, AX_BUFFER_BYTES);
    expect(control(machine, AX_SYSTEM_ENTROPY, 64), AX_OK);
    static const uint8_t zero[64];
    ck_assert_int_ne(memcmp(world.one->page->buffer, zero, 64), 0);
    ck_assert_int_eq(memcmp(world.one->page->buffer + 64, zero, 64), 0);
    uint8_t first[64];
    copy_buffer(world.one, first, sizeof(first));
    expect(control(machine, AX_SYSTEM_ENTROPY, 64), AX_OK);
    ck_assert_int_ne(memcmp(world.one->page->buffer, first, 64), 0);
}
END_TEST

START_TEST(counters_count) {
    struct ax_counters before, after;
    expect(control(machine, AX_SYSTEM_COUNTERS, 0), AX_OK);
    copy_buffer(world.one, &before, sizeof(before));
    make(world.one, AX_TYPE_EVENT);
    expect(control(machine, AX_SYSTEM_COUNTERS, 0), AX_OK);
    copy_buffer(world.one, &after, sizeof(after));
    ck_assert_uint_eq(after.kernel_calls, before.kernel_calls + 2);
    ck_assert_uint_gt(after.heap_bytes, before.heap_bytes);
    ck_assert_uint_eq(after.frames_total, kernel->frames.total_count);
    ck_assert_uint_eq(after.frames_free, kernel->frames.free_count);
    ck_assert_uint_eq(after.processes, 3);
    ck_assert_uint_eq(after.threads, 4);
}
END_TEST

START_TEST(nothing_is_traced_until_asked_for) {
    make(world.one, AX_TYPE_EVENT);
    expect(control(machine, AX_SYSTEM_TRACE_READ, 0), 0);
    ck_assert_uint_eq(kernel->trace.written, 0);
}
END_TEST

START_TEST(what_is_asked_for_is_traced) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    uint64_t id = info_of(world.one, event).object_id;
    expect(control(machine, AX_SYSTEM_TRACE, 1U << AX_TRACE_SIGNAL), AX_OK);
    signal_event(world.one, event, 0, 0x21);
    expect(control(machine, AX_SYSTEM_TRACE, 0), AX_OK);
    signal_event(world.one, event, 0, 0x42);
    ax_result count = control(machine, AX_SYSTEM_TRACE_READ, 0);
    ck_assert_int_eq(count, 1);
    struct ax_trace_entry entry;
    copy_buffer(world.one, &entry, sizeof(entry));
    ck_assert_uint_eq(entry.kind, AX_TRACE_SIGNAL);
    ck_assert_uint_eq(entry.a, id);
    ck_assert_uint_eq(entry.b, 0x21);
    ck_assert_uint_eq(entry.thread, (uint32_t)world.one->object.id);
    ck_assert_uint_lt(entry.cpu, kernel->cpu_count);
    ck_assert_uint_eq(read_on(), 1);
}
END_TEST

START_TEST(a_long_trace_is_read_in_pieces_and_loses_its_beginning) {
    uint64_t size = kernel->trace.size;
    kernel->trace.mask = 1U << AX_TRACE_SIGNAL;
    for (uint64_t i = 0; i < size + 10; i++)
        TRACE(AX_TRACE_SIGNAL, i, 0);
    kernel->trace.mask = 0;
    const unsigned max = AX_BUFFER_BYTES / sizeof(struct ax_trace_entry);
    uint64_t position = 0;
    uint64_t next = 10;
    for (;;) {
        ax_result count = control(machine, AX_SYSTEM_TRACE_READ, position);
        ck_assert_int_le(count, max);
        if (count == 0)
            break;
        struct ax_trace_entry entries[AX_BUFFER_BYTES / sizeof(struct ax_trace_entry)];
        copy_buffer(world.one, entries, sizeof(entries));
        for (ax_result i = 0; i < count; i++)
            ck_assert_uint_eq(entries[i].a, next++);
        position = read_on();
    }
    ck_assert_uint_eq(next, size + 10);
}
END_TEST

START_TEST(an_idle_cpu_traces_no_thread) {
    struct cpu *cpu = &kernel->cpus[hal_cpu_id()];
    struct thread *current = cpu->current;
    cpu->current = NULL;
    trace_record(AX_TRACE_SIGNAL, 1, 2);
    cpu->current = current;
    expect(control(machine, AX_SYSTEM_TRACE_READ, 0), 1);
    struct ax_trace_entry entry;
    copy_buffer(world.one, &entry, sizeof(entry));
    ck_assert_uint_eq(entry.thread, 0);
    ck_assert_uint_eq(entry.cpu, hal_cpu_id());
}
END_TEST

START_TEST(only_known_kinds_are_traced) {
    expect(control(machine, AX_SYSTEM_TRACE, 1U << AX_TRACE_COUNT), AX_ERR_ARGUMENT);
    expect(control(machine, AX_SYSTEM_TRACE, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(control(machine, AX_SYSTEM_TRACE, (1U << AX_TRACE_COUNT) - 1), AX_OK);
    expect(control(machine, AX_SYSTEM_TRACE, 0), AX_OK);
    uint64_t size = kernel->trace.size;
    kernel->trace.size = 0;
    expect(control(machine, AX_SYSTEM_TRACE, 1), AX_ERR_STATE);
    expect(control(machine, AX_SYSTEM_TRACE_READ, 0), AX_ERR_STATE);
    kernel->trace.size = size;
}
END_TEST

START_TEST(messages_have_hashes_of_what_they_say) {
    struct call first = {.operation = 1, .word_count = 2, .words = {3, 4}};
    struct call second = first;
    ck_assert_uint_eq(trace_hash(&first), trace_hash(&second));
    second.words[1] = 5;
    ck_assert_uint_ne(trace_hash(&first), trace_hash(&second));
    second = first;
    second.operation = 2;
    ck_assert_uint_ne(trace_hash(&first), trace_hash(&second));
    second = first;
    second.words[2] = 9; /* beyond its words */
    ck_assert_uint_eq(trace_hash(&first), trace_hash(&second));
    second.loan_count = 1;
    ck_assert_uint_ne(trace_hash(&first), trace_hash(&second));
}
END_TEST

static void halt(void *context) {
    control(machine, AX_SYSTEM_HALT, *(uint64_t *)context);
}

START_TEST(halt_ends_the_machine_with_the_code) {
    int code = 0;
    uint64_t wanted = 42;
    driver_set_manual(true);
    write_log("the last line, which has not been shown when the machine halts\n");
    ck_assert(driver_halts(halt, &wanted, &code));
    ck_assert_ptr_nonnull(strstr(driver_console(), "has not been shown when the machine halts\n"));
    ck_assert_int_eq(code, 42);
}
END_TEST

START_TEST(each_operation_needs_its_right) {
    static const struct {
        uint64_t op;
        uint32_t right;
    } rules[] = {
        {AX_SYSTEM_LOG_WRITE, AX_RIGHT_WRITE}, {AX_SYSTEM_LOG_READ, AX_RIGHT_READ},
        {AX_SYSTEM_COUNTERS, AX_RIGHT_READ},   {AX_SYSTEM_TRACE, AX_RIGHT_CONTROL},
        {AX_SYSTEM_TRACE_READ, AX_RIGHT_READ}, {AX_SYSTEM_HALT, AX_RIGHT_CONTROL},
        {AX_SYSTEM_ENTROPY, AX_RIGHT_READ},
    };
    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        ax_handle weak = weaken(world.one, machine, AX_RIGHT_ALL & ~rules[i].right);
        expect(control(weak, rules[i].op, 0), AX_ERR_RIGHTS);
        ax_handle enough = weaken(world.one, machine, rules[i].right);
        if (rules[i].op != AX_SYSTEM_HALT)
            ck_assert_int_ge(control(enough, rules[i].op, 0), 0);
    }
}
END_TEST

START_TEST(bad_devices_and_operations_are_refused) {
    expect(control(machine, AX_SYSTEM_ENTROPY + 1, 0), AX_ERR_ARGUMENT);
    expect(control(machine, UINT64_MAX, 0), AX_ERR_ARGUMENT);
    expect(control(device(AX_DEVICE_PORTS, AX_RIGHT_ALL), AX_SYSTEM_COUNTERS, 0), AX_ERR_TYPE);
    expect(control(make(world.one, AX_TYPE_EVENT), AX_SYSTEM_COUNTERS, 0), AX_ERR_TYPE);
    expect(control(0, AX_SYSTEM_COUNTERS, 0), AX_ERR_HANDLE);
    expect(control(stale(world.one), AX_SYSTEM_COUNTERS, 0), AX_ERR_HANDLE);
}
END_TEST

/* Nothing holds any more where a machine was halted in the middle of a call. */
TCase *system_halt_tests(void) {
    TCase *tcase = tcase_create("system_halt");
    tcase_add_checked_fixture(tcase, start, driver_stop);
    tcase_add_test(tcase, halt_ends_the_machine_with_the_code);
    return tcase;
}

TCase *system_control_tests(void) {
    TCase *tcase = tcase_create("system_control");
    tcase_add_checked_fixture(tcase, start, world_stop);
    tcase_add_test(tcase, what_is_written_is_read_and_shown);
    tcase_add_test(tcase, cores_own_lines_are_there_as_well);
    tcase_add_test(tcase, a_long_log_is_read_in_pieces);
    tcase_add_test(tcase, a_reader_that_fell_behind_gets_the_oldest_there_is);
    tcase_add_test(tcase, a_position_that_has_not_come_yet_is_refused);
    tcase_add_test(tcase, no_more_than_the_buffer_is_written_or_filled);
    tcase_add_test(tcase, entropy_fills_as_much_as_asked_for);
    tcase_add_test(tcase, counters_count);
    tcase_add_test(tcase, nothing_is_traced_until_asked_for);
    tcase_add_test(tcase, what_is_asked_for_is_traced);
    tcase_add_test(tcase, a_long_trace_is_read_in_pieces_and_loses_its_beginning);
    tcase_add_test(tcase, an_idle_cpu_traces_no_thread);
    tcase_add_test(tcase, only_known_kinds_are_traced);
    tcase_add_test(tcase, messages_have_hashes_of_what_they_say);
    tcase_add_test(tcase, each_operation_needs_its_right);
    tcase_add_test(tcase, bad_devices_and_operations_are_refused);
    return tcase;
}
