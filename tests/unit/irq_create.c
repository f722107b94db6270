/* SPDX-License-Identifier: MIT */
#include "object_world.h"

#define LINE 5

static ax_handle irqs;

static void start(void) {
    world_start();
    irqs = device(AX_DEVICE_IRQS, AX_RIGHT_ALL);
}

static ax_handle create(uint64_t line) {
    ax_result irq = kcall(world.one, AX_CALL_IRQ_CREATE, irqs, line, 0);
    ck_assert_int_gt(irq, 0);
    return (ax_handle)irq;
}

static void raise_line(uint32_t line) {
    model_irq_raise(line, 0);
    driver_settle();
}

static uint32_t signals(ax_handle irq) {
    return info_of(world.one, irq).signals;
}

START_TEST(an_interrupt_is_a_signal) {
    ax_handle irq = create(LINE);
    ck_assert(!model_irq_is_masked(LINE));
    ck_assert_uint_eq(signals(irq), 0);
    expect(kcall(world.one, AX_CALL_OBJECT_WAIT, irq, AX_SIGNAL_FIRED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    raise_line(LINE);
    expect(driver_answer(world.one), AX_SIGNAL_FIRED);
    ck_assert_uint_eq(signals(irq), AX_SIGNAL_FIRED);
}
END_TEST

START_TEST(a_line_is_masked_until_it_is_acknowledged) {
    ax_handle irq = create(LINE);
    uint64_t interrupts = kernel->counters.interrupts;
    raise_line(LINE);
    ck_assert(model_irq_is_masked(LINE));
    raise_line(LINE); /* waits in the machine */
    ck_assert_uint_eq(kernel->counters.interrupts, interrupts + 1);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, irq, AX_SIGNAL_FIRED, 0), AX_OK);
    ck_assert_uint_eq(kernel->counters.interrupts, interrupts + 2);
    ck_assert_uint_eq(signals(irq), AX_SIGNAL_FIRED); /* the second one */
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, irq, AX_SIGNAL_FIRED, 0), AX_OK);
    ck_assert_uint_eq(signals(irq), 0);
    ck_assert(!model_irq_is_masked(LINE));
}
END_TEST

START_TEST(acknowledging_needs_its_right) {
    ax_handle irq = create(LINE);
    raise_line(LINE);
    ax_handle weak = weaken(world.one, irq, AX_RIGHT_ALL & ~AX_RIGHT_ACK);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, weak, AX_SIGNAL_FIRED, 0), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, irq, 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, irq, 0, AX_SIGNAL_FIRED), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, irq, 0, 0), AX_OK); /* nothing is */
    ck_assert(model_irq_is_masked(LINE));
    ck_assert_uint_eq(signals(irq), AX_SIGNAL_FIRED);
}
END_TEST

START_TEST(a_line_in_use_is_refused) {
    ax_handle irq = create(LINE);
    usage_note();
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, LINE, 0), AX_ERR_EXISTS);
    usage_check();
    create(LINE + 1);
    must_close(world.one, irq);
    create(LINE);
}
END_TEST

START_TEST(a_line_nobody_owns_stays_masked) {
    kernel_lock();
    irq_raise(IRQ_MAX); /* more than core knows of */
    irq_raise(UINT32_MAX);
    kernel_unlock();
    raise_line(LINE);
    ck_assert(model_irq_is_masked(LINE));
    usage_note();
    must_close(world.one, create(LINE));
    ck_assert(model_irq_is_masked(LINE));
    usage_check();
}
END_TEST

START_TEST(a_successor_need_not_wait_for_memory_to_be_freed) {
    ax_handle irq = create(LINE);
    raise_line(LINE);
    kernel_lock();
    expect(handle_close(world.process, irq), AX_OK); /* and no work is done yet */
    struct object *old = &kernel->irqs[LINE]->object;
    ck_assert_uint_eq(old->refs, 0);
    kernel_unlock();
    irq = create(LINE);
    ck_assert_ptr_eq(&kernel->irqs[LINE]->object, driver_object(world.process, irq));
    ck_assert(!model_irq_is_masked(LINE));
    raise_line(LINE);
    ck_assert_uint_eq(signals(irq), AX_SIGNAL_FIRED);
}
END_TEST

START_TEST(only_lines_of_the_device_are_given) {
    uint32_t count = hal_boot()->irq_count;
    create(count - 1);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, count, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, UINT64_MAX, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, (1ULL << 32) + 1, 0), AX_ERR_ARGUMENT);
    ax_result part =
        kcall(world.one, AX_CALL_DEVICE_CREATE, irqs, AX_DEVICE_IRQS, LINE, 2, AX_PLACE_ANY);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, part, LINE - 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, part, LINE + 2, 0), AX_ERR_ARGUMENT);
    ck_assert_int_gt(kcall(world.one, AX_CALL_IRQ_CREATE, part, LINE + 1, 0), 0);
}
END_TEST

START_TEST(wires_are_triggered_as_told) {
    for (uint64_t mode = AX_IRQ_DEFAULT; mode < AX_IRQ_MODE_COUNT; mode++) {
        ax_result irq = kcall(world.one, AX_CALL_IRQ_CREATE, irqs, LINE, mode, AX_PLACE_ANY);
        ck_assert_int_gt(irq, 0);
        ck_assert_int_eq(model_irq_mode(LINE), (int)mode);
        ck_assert(!model_irq_is_masked(LINE));
        struct ax_object_info info = info_of(world.one, (ax_handle)irq);
        ck_assert_uint_eq(info.irq.line, LINE);
        ck_assert_uint_eq(info.irq.message_address | info.irq.message_data, 0);
        must_close(world.one, (ax_handle)irq);
    }
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, LINE, AX_IRQ_MODE_COUNT), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, LINE, 1ULL << 32), AX_ERR_ARGUMENT);
    create(LINE); /* nothing is left of what the last one wanted */
    ck_assert_int_eq(model_irq_mode(LINE), AX_IRQ_DEFAULT);
}
END_TEST

START_TEST(a_message_raises_its_line) {
    uint32_t first = hal_boot()->irq_wired;
    ck_assert_uint_lt(first + 1, hal_boot()->irq_count);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, first, AX_IRQ_LEVEL_LOW), AX_ERR_ARGUMENT);
    ax_handle irq = create(first), next = create(first + 1);
    struct ax_object_info info = info_of(world.one, irq);
    ck_assert_uint_eq(info.irq.line, first);
    model_irq_message(info.irq.message_address, info.irq.message_data, 0);
    driver_settle();
    ck_assert_uint_eq(signals(irq), AX_SIGNAL_FIRED);
    ck_assert_uint_eq(signals(next), 0);
    ax_handle weak = weaken(world.one, irq, AX_RIGHT_ALL & ~AX_RIGHT_ACK);
    info = info_of(world.one, weak);
    ck_assert_uint_eq(info.irq.line, first);
    ck_assert_uint_eq(info.irq.message_address | info.irq.message_data, 0);
}
END_TEST

START_TEST(lines_the_machine_does_not_have_are_refused) {
    struct device *wide;
    kernel_lock();
    expect(device_make(world.account, NULL, AX_DEVICE_IRQS, 0, 100000, &wide), AX_OK);
    kernel_unlock();
    ax_handle handle = driver_handle(world.process, &wide->object, AX_RIGHT_ALL);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, handle, IRQ_MAX - 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, handle, IRQ_MAX, 0), AX_ERR_ARGUMENT);
    kernel_lock();
    object_unref(&wide->object);
    kernel_unlock();
}
END_TEST

START_TEST(bad_devices_are_refused) {
    ax_handle weak = weaken(world.one, irqs, AX_RIGHT_ALL & ~AX_RIGHT_WRITE);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, weak, LINE, 0), AX_ERR_RIGHTS);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, device(AX_DEVICE_PORTS, AX_RIGHT_ALL), LINE, 0),
           AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, make(world.one, AX_TYPE_EVENT), LINE, 0),
           AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, 0, LINE, 0), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, stale(world.one), LINE, 0), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_taken_place_gives_no_line) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_IRQ_CREATE, irqs, LINE, 0,
                 AX_PLACE(0, event & AX_HANDLE_INDEX_MASK)),
           AX_ERR_EXISTS);
    create(LINE);
}
END_TEST

START_TEST(fails_cleanly_when_an_allocation_fails) {
    with_failing_allocations(world.one, AX_CALL_IRQ_CREATE, (uint64_t[5]){irqs, LINE});
    create(LINE);
}
END_TEST

START_TEST(an_interrupt_comes_to_the_endpoint_it_is_bound_to) {
    ax_handle irq = create(LINE);
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT);
    expect(kcall(world.one, AX_CALL_ENDPOINT_BIND, endpoint, irq, AX_SIGNAL_FIRED, 3), AX_OK);
    world.one->page->ipc.receive_deadline_ns = NOW;
    expect(kcall(world.one, AX_CALL_REPLY_RECEIVE, 0, endpoint), AX_OK); /* once from the start */
    world.one->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    expect(kcall(world.one, AX_CALL_REPLY_RECEIVE, 0, endpoint), DRIVER_BLOCKED);
    raise_line(LINE);
    expect(driver_answer(world.one), AX_OK);
    ck_assert_uint_eq(world.one->page->ipc.message.kind, AX_MESSAGE_EVENT);
    ck_assert_uint_eq(world.one->page->ipc.message.badge, 3);
    ck_assert_uint_eq(world.one->page->ipc.message.words[0], AX_SIGNAL_FIRED);
    ck_assert(model_irq_is_masked(LINE));
    ck_assert_uint_eq(signals(irq), AX_SIGNAL_FIRED);
}
END_TEST

TCase *irq_create_tests(void) {
    TCase *tcase = tcase_create("irq_create");
    tcase_add_checked_fixture(tcase, start, world_stop);
    tcase_add_test(tcase, an_interrupt_is_a_signal);
    tcase_add_test(tcase, a_line_is_masked_until_it_is_acknowledged);
    tcase_add_test(tcase, acknowledging_needs_its_right);
    tcase_add_test(tcase, a_line_in_use_is_refused);
    tcase_add_test(tcase, a_line_nobody_owns_stays_masked);
    tcase_add_test(tcase, a_successor_need_not_wait_for_memory_to_be_freed);
    tcase_add_test(tcase, only_lines_of_the_device_are_given);
    tcase_add_test(tcase, wires_are_triggered_as_told);
    tcase_add_test(tcase, a_message_raises_its_line);
    tcase_add_test(tcase, lines_the_machine_does_not_have_are_refused);
    tcase_add_test(tcase, bad_devices_are_refused);
    tcase_add_test(tcase, a_taken_place_gives_no_line);
    tcase_add_test(tcase, fails_cleanly_when_an_allocation_fails);
    tcase_add_test(tcase, an_interrupt_comes_to_the_endpoint_it_is_bound_to);
    return tcase;
}
