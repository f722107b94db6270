/* SPDX-License-Identifier: MIT */
#include "object_world.h"

START_TEST(sets_and_clears_bits) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0, 0x5);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0x5);
    signal_event(world.one, event, 0x4, 0x2);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0x3);
    signal_event(world.one, event, 0xff, 0);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0);
}
END_TEST

START_TEST(a_bit_cleared_and_set_at_once_is_set) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    signal_event(world.one, event, 0x1, 0x1);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0x1);
}
END_TEST

START_TEST(needs_the_right_to_signal) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle weak = weaken(world.one, event, AX_RIGHT_ALL & ~AX_RIGHT_SIGNAL);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, weak, 0, 1), AX_ERR_RIGHTS);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0);
    ax_handle enough = weaken(world.one, event, AX_RIGHT_SIGNAL);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, enough, 0, 1), AX_OK);
}
END_TEST

START_TEST(the_kernels_bits_are_not_the_programs) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, event, 0, AX_SIGNAL_ENDED), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, event, AX_SIGNAL_ENDED, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, event, 1ULL << 32, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, event, 0, UINT64_MAX), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, event, 0, AX_SIGNAL_SERVED), AX_OK);
}
END_TEST

START_TEST(bad_handles_are_refused) {
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, 0, 0, 1), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, stale(world.one), 0, 1), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, make(world.one, AX_TYPE_QUEUE), 0, 1),
           AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, make(world.one, AX_TYPE_ENDPOINT), 0, 1),
           AX_ERR_TYPE);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, world.other_handle, 0, 1), AX_ERR_TYPE);
}
END_TEST

START_TEST(of_a_timer_only_fired_is_cleared) {
    ax_handle timer = make(world.one, AX_TYPE_TIMER);
    expect(kcall(world.one, AX_CALL_TIMER_SET, timer, now_ns()), AX_OK);
    ck_assert_uint_eq(info_of(world.one, timer).signals, AX_SIGNAL_FIRED);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, timer, 1, 0), AX_ERR_ARGUMENT);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, timer, 0, AX_SIGNAL_FIRED), AX_ERR_ARGUMENT);
    ax_handle weak = weaken(world.one, timer, AX_RIGHT_ALL & ~AX_RIGHT_WRITE);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, weak, AX_SIGNAL_FIRED, 0), AX_ERR_RIGHTS);
    ck_assert_uint_eq(info_of(world.one, timer).signals, AX_SIGNAL_FIRED);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, timer, 0, 0), AX_OK);
    ck_assert_uint_eq(info_of(world.one, timer).signals, AX_SIGNAL_FIRED);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, timer, AX_SIGNAL_FIRED, 0), AX_OK);
    ck_assert_uint_eq(info_of(world.one, timer).signals, 0);
}
END_TEST

START_TEST(a_copy_in_another_process_signals_the_same_event) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle copy = driver_copy(world.process, event, world.other, AX_RIGHT_SIGNAL);
    signal_event(world.stranger, copy, 0, 0x10);
    ck_assert_uint_eq(info_of(world.one, event).signals, 0x10);
}
END_TEST

TCase *object_signal_tests(void) {
    TCase *tcase = world_case("object_signal");
    tcase_add_test(tcase, sets_and_clears_bits);
    tcase_add_test(tcase, a_bit_cleared_and_set_at_once_is_set);
    tcase_add_test(tcase, needs_the_right_to_signal);
    tcase_add_test(tcase, the_kernels_bits_are_not_the_programs);
    tcase_add_test(tcase, bad_handles_are_refused);
    tcase_add_test(tcase, of_a_timer_only_fired_is_cleared);
    tcase_add_test(tcase, a_copy_in_another_process_signals_the_same_event);
    return tcase;
}
