/* SPDX-License-Identifier: MIT */
/* What tests of core rely on: the scripted machine does keep what core must tell it to forget. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/abi.h>
#include <hal/core.h>
#include <hal/model/model.h>

#define PAGE UINT64_C(0x500000)

static struct hal_space space;
static struct hal_user user;

static void start(bool tagged) {
    struct model_config config = {.cpu_count = 2,
                                  .tagged_tlb = tagged,
                                  .irq_count = 4,
                                  .translations = 16,
                                  .memory_bytes = UINT64_C(1) << 20};
    memset(&space, 0, sizeof(space));
    memset(&user, 0, sizeof(user));
    model_create(&config);
    ck_assert(hal_space_create(&space));
    ck_assert(hal_user_create(&user, &space));
    ck_assert(hal_space_map(&space, PAGE, MODEL_RAM_BASE, 1, HAL_READ | HAL_WRITE));
}

static bool can(uint32_t cpu, uint32_t access) {
    void *pointer;
    struct hal_event event;
    return model_user_access(cpu, &user, PAGE + 8, access, &pointer, &event);
}

START_TEST(removed_translation_stays_until_the_sync) {
    start(false);
    ck_assert(can(0, HAL_WRITE) && can(1, HAL_WRITE));
    hal_space_unmap(&space, PAGE, 1);
    ck_assert(!can(0, HAL_READ)); /* at once where it was done */
    ck_assert(can(1, HAL_WRITE));
    hal_space_sync(&space);
    ck_assert(!can(1, HAL_READ));
    model_destroy();
}
END_TEST

START_TEST(reduced_translation_stays_until_the_sync) {
    start(false);
    ck_assert(can(1, HAL_WRITE));
    hal_space_protect(&space, PAGE, 1, HAL_READ);
    ck_assert(!can(0, HAL_WRITE));
    ck_assert(can(1, HAL_WRITE));
    hal_space_sync(&space);
    ck_assert(!can(1, HAL_WRITE) && can(1, HAL_READ));
    model_destroy();
}
END_TEST

START_TEST(replaced_translation_stays_until_the_sync) {
    void *before, *after;
    struct hal_event event;
    start(false);
    ck_assert(model_user_access(1, &user, PAGE, HAL_READ, &before, &event));
    ck_assert(hal_space_map(&space, PAGE, MODEL_RAM_BASE + AX_PAGE_SIZE, 1, HAL_READ));
    ck_assert(model_user_access(1, &user, PAGE, HAL_READ, &after, &event));
    ck_assert_ptr_eq(before, after);
    hal_space_sync(&space);
    ck_assert(model_user_access(1, &user, PAGE, HAL_READ, &after, &event));
    ck_assert_ptr_eq(after, (char *)before + AX_PAGE_SIZE);
    model_destroy();
}
END_TEST

/* An untagged TLB forgets when another space is loaded; a tagged one does not. */
START_TEST(change_of_space) {
    struct hal_space other = {0};
    struct hal_user other_user = {0};
    void *pointer;
    struct hal_event event;
    start(_i != 0);
    ck_assert(can(1, HAL_READ));
    ck_assert(hal_space_create(&other) && hal_user_create(&other_user, &other));
    ck_assert(!model_user_access(1, &other_user, PAGE, HAL_READ, &pointer, &event));
    hal_space_unmap(&space, PAGE, 1);
    ck_assert_int_eq(can(1, HAL_READ), _i != 0);
    ck_assert_int_eq(event.kind, HAL_EVENT_FAULT);
    ck_assert_uint_eq(event.fault.address, PAGE);
    model_destroy();
}
END_TEST

START_TEST(translations_run_out) {
    start(false);
    uint64_t page = 1;
    while (hal_space_map(&space, PAGE + page * AX_PAGE_SIZE, MODEL_RAM_BASE, 1, HAL_READ))
        page++;
    ck_assert_uint_le(page, 16);
    hal_space_unmap(&space, PAGE, 3);
    ck_assert(hal_space_map(&space, PAGE, MODEL_RAM_BASE, 1, HAL_READ));
    model_destroy();
}
END_TEST

START_TEST(failures_are_ordered) {
    struct hal_space other = {0};
    start(false);
    model_fail_after(2);
    ck_assert(model_will_fail());
    ck_assert(hal_space_create(&other));
    struct hal_user other_user = {0};
    ck_assert(!hal_user_create(&other_user, &other));
    ck_assert(!model_will_fail());
    ck_assert(hal_user_create(&other_user, &other));
    ck_assert_uint_eq(model_users(), 2);
    ck_assert_uint_eq(model_spaces(), 2);
    model_destroy();
}
END_TEST

START_TEST(copy_put_back_is_the_same_machine) {
    start(false);
    char *ram = hal_window(MODEL_RAM_BASE);
    ram[5] = 'a';
    ck_assert(can(1, HAL_READ));
    hal_deadline_set(700);
    void *copy = malloc(model_state_bytes());
    model_save(copy);
    ram[5] = 'b';
    model_time_advance(1000);
    hal_irq_unmask(1);
    model_irq_raise(1, 0);
    hal_space_unmap(&space, PAGE, 1);
    hal_space_sync(&space);
    ck_assert(model_cpu_is_pending(0));
    model_restore(copy);
    ck_assert_int_eq(ram[5], 'a');
    ck_assert(can(0, HAL_READ) && can(1, HAL_READ));
    ck_assert_uint_eq(hal_time_ns(), 0);
    ck_assert_uint_eq(model_deadline(0), 700);
    ck_assert(!model_cpu_is_pending(0));
    ck_assert(model_irq_is_masked(1));
    free(copy);
    model_destroy();
}
END_TEST

static int halted = -1;
static void halt(void *context, int code) {
    (void)context;
    halted = code;
    exit(0);
}

START_TEST(halt_tells_its_code) {
    struct model_config config = {.hooks = {.halt = halt}};
    model_create(&config);
    hal_halt(3);
}
END_TEST

START_TEST(wrong_use_is_noticed) {
    start(false);
    switch (_i) {
    case 0: hal_window(MODEL_RAM_BASE - 1); break;
    case 1: hal_window(MODEL_RAM_BASE + (UINT64_C(1) << 20)); break;
    case 2: (void)hal_space_map(&space, PAGE + 1, MODEL_RAM_BASE, 1, HAL_READ); break;
    case 3: (void)hal_space_map(&space, PAGE, MODEL_RAM_BASE, 0, HAL_READ); break;
    case 4: (void)hal_space_map(&space, PAGE, MODEL_RAM_BASE, 1, HAL_WRITE | HAL_EXECUTE); break;
    case 5: hal_irq_unmask(4); break;
    case 6: hal_cpu_kick(2); break;
    case 7: hal_cpu_pause(); break;
    case 8: (void)hal_user_create(&user, &space); break;
    default: hal_port_read(1 << 16, 1); break;
    }
}
END_TEST

/* The suite links with the machine alone; here core's side is not wanted. */
uint64_t core_table_alloc(struct hal_space *of) {
    (void)of;
    return 0;
}

void core_table_free(struct hal_space *of, uint64_t physical) {
    (void)of;
    (void)physical;
}

void core_log_show(void) {
}

int main(void) {
    Suite *suite = suite_create("model");
    TCase *tcase = tcase_create("model");
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, removed_translation_stays_until_the_sync);
    tcase_add_test(tcase, reduced_translation_stays_until_the_sync);
    tcase_add_test(tcase, replaced_translation_stays_until_the_sync);
    tcase_add_loop_test(tcase, change_of_space, 0, 2);
    tcase_add_test(tcase, translations_run_out);
    tcase_add_test(tcase, failures_are_ordered);
    tcase_add_test(tcase, copy_put_back_is_the_same_machine);
    tcase_add_exit_test(tcase, halt_tells_its_code, 0);
    tcase_add_loop_test_raise_signal(tcase, wrong_use_is_noticed, 6, 0, 10);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
