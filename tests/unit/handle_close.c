/* SPDX-License-Identifier: MIT */
#include "object_world.h"

START_TEST(a_closed_handle_names_nothing) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    must_close(world.one, event);
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, event), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_OBJECT_SIGNAL, event, 0, 1), AX_ERR_HANDLE);
}
END_TEST

START_TEST(what_never_was_a_handle_is_refused) {
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, AX_HANDLE_NONE), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, 200), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, 5000), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, UINT32_MAX), AX_ERR_HANDLE);
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, (1U << AX_HANDLE_INDEX_BITS)), AX_ERR_HANDLE);
}
END_TEST

START_TEST(a_slot_used_again_has_another_generation) {
    ax_handle first = make(world.one, AX_TYPE_EVENT);
    must_close(world.one, first);
    ax_handle second = make(world.one, AX_TYPE_EVENT);
    ck_assert_uint_eq(second & AX_HANDLE_INDEX_MASK, first & AX_HANDLE_INDEX_MASK);
    ck_assert_uint_eq(second >> AX_HANDLE_INDEX_BITS, (first >> AX_HANDLE_INDEX_BITS) + 1);
    expect(kcall(world.one, AX_CALL_HANDLE_CLOSE, first), AX_ERR_HANDLE);
    must_close(world.one, second);
}
END_TEST

START_TEST(generations_wrap_within_their_bits) {
    struct object *object = driver_object(world.process, make(world.one, AX_TYPE_EVENT));
    ax_handle first = driver_handle(world.process, object, 0);
    ax_handle handle = first;
    for (uint32_t i = 1; i <= AX_HANDLE_GENERATION_MASK + 1; i++) {
        kernel_lock();
        expect(handle_close(world.process, handle), AX_OK);
        kernel_unlock();
        handle = driver_handle(world.process, object, 0);
        ck_assert_uint_eq(handle & AX_HANDLE_INDEX_MASK, first & AX_HANDLE_INDEX_MASK);
        if (i <= AX_HANDLE_GENERATION_MASK)
            ck_assert_uint_ne(handle, first);
    }
    ck_assert_uint_eq(handle, first);
}
END_TEST

START_TEST(the_lowest_empty_slot_is_taken) {
    ax_handle a = make(world.one, AX_TYPE_EVENT);
    ax_handle b = make(world.one, AX_TYPE_EVENT);
    make(world.one, AX_TYPE_EVENT);
    must_close(world.one, b);
    must_close(world.one, a);
    ax_handle again = make(world.one, AX_TYPE_EVENT);
    ck_assert_uint_eq(again & AX_HANDLE_INDEX_MASK, a & AX_HANDLE_INDEX_MASK);
    again = make(world.one, AX_TYPE_EVENT);
    ck_assert_uint_eq(again & AX_HANDLE_INDEX_MASK, b & AX_HANDLE_INDEX_MASK);
}
END_TEST

START_TEST(an_object_lives_as_long_as_one_handle) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ax_handle copy = driver_copy(world.process, event, world.other, AX_RIGHT_ALL);
    ck_assert_uint_eq(info_of(world.one, event).handle_count, 2);
    signal_event(world.one, event, 0, 0x40);
    must_close(world.one, event);
    ck_assert_uint_eq(info_of(world.stranger, copy).signals, 0x40);
    ck_assert_uint_eq(info_of(world.stranger, copy).handle_count, 1);
}
END_TEST

TCase *handle_close_tests(void) {
    TCase *tcase = world_case("handle_close");
    tcase_add_test(tcase, a_closed_handle_names_nothing);
    tcase_add_test(tcase, what_never_was_a_handle_is_refused);
    tcase_add_test(tcase, a_slot_used_again_has_another_generation);
    tcase_add_test(tcase, generations_wrap_within_their_bits);
    tcase_add_test(tcase, the_lowest_empty_slot_is_taken);
    tcase_add_test(tcase, an_object_lives_as_long_as_one_handle);
    return tcase;
}
