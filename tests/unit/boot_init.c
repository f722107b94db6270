/* SPDX-License-Identifier: MIT */
/* From boot data to a kernel, on machines of all sizes. */
#include <stdio.h>

#include "cpu_world.h"

static char pattern[3 * AX_PAGE_SIZE + 100]; /* the system image */

static void pattern_make(void) {
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 7 + i / 256);
}

/* The driver's image, with a system image beside it. */
static void start_with_image(struct driver_config *config) {
    static struct ax_root_image root;
    pattern_make();
    root = (struct ax_root_image){
        .magic = AX_ROOT_MAGIC,
        .entry = 0x400000,
        .segment_count = 1,
        .segments = {{.address = 0x400000, .size_bytes = 1, .prot = AX_PROT_EXECUTE}}};
    config->model.modules[0] = &root;
    config->model.module_bytes[0] = sizeof(root);
    config->model.modules[1] = pattern;
    config->model.module_bytes[1] = sizeof(pattern);
    config->model.module_count = 2;
    driver_start(config);
}

static struct slot slot_of_root(enum ax_root_handle index) {
    return driver_root()->handles.leaves[0].slots[index];
}

START_TEST(root_is_handed_everything) {
    static const uint8_t types[AX_ROOT_HANDLE_COUNT] = {
        [AX_ROOT_PROCESS] = AX_TYPE_PROCESS,      [AX_ROOT_THREAD] = AX_TYPE_THREAD,
        [AX_ROOT_ACCOUNT] = AX_TYPE_ACCOUNT,      [AX_ROOT_SYSTEM] = AX_TYPE_DEVICE,
        [AX_ROOT_DEVICE_MEMORY] = AX_TYPE_DEVICE, [AX_ROOT_DEVICE_PORTS] = AX_TYPE_DEVICE,
        [AX_ROOT_DEVICE_IRQS] = AX_TYPE_DEVICE,   [AX_ROOT_IMAGE] = AX_TYPE_MEMORY,
        [AX_ROOT_BOOT] = AX_TYPE_MEMORY};
    struct driver_config config = {.model = {.irq_count = 3}};
    start_with_image(&config);
    for (unsigned i = 1; i < AX_ROOT_HANDLE_COUNT; i++) {
        struct slot slot = slot_of_root((enum ax_root_handle)i);
        ck_assert_uint_eq(slot.object->type, types[i]);
        ck_assert_uint_eq(slot.generation, 0);
        bool is_memory = types[i] == AX_TYPE_MEMORY;
        ck_assert_uint_eq(slot.rights & AX_RIGHT_WRITE, is_memory ? 0 : AX_RIGHT_WRITE);
        if (!is_memory)
            ck_assert_uint_eq(slot.rights, i == AX_ROOT_PROCESS ? AX_RIGHT_PROCESS : AX_RIGHT_ALL);
    }
    ck_assert_ptr_eq(slot_of_root(AX_ROOT_PROCESS).object, &driver_root()->object);
    ck_assert_ptr_eq(slot_of_root(AX_ROOT_THREAD).object, &driver_root_thread()->object);
    ck_assert_uint_eq(driver_root_thread()->base_priority, AX_PRIORITY_COUNT - 1); /* to give any */
    ck_assert_ptr_eq(slot_of_root(AX_ROOT_ACCOUNT).object, &kernel->root_account->object);
    ck_assert_uint_eq(driver_root()->handles.used, AX_ROOT_HANDLE_COUNT - 1);
    machine_stop();
}
END_TEST

START_TEST(device_memory_ends_with_physical_addresses) {
    struct driver_config config = {.model = {.physical_bits = 39}};
    driver_start(&config);
    struct thread *root = driver_root_thread();
    uint64_t end = UINT64_C(1) << 39;
    expect(kcall(root, AX_CALL_DEVICE_CREATE, AX_ROOT_DEVICE_MEMORY, AX_DEVICE_MEMORY, end,
                 AX_PAGE_SIZE),
           AX_ERR_ARGUMENT);
    ck_assert_int_gt(kcall(root, AX_CALL_DEVICE_CREATE, AX_ROOT_DEVICE_MEMORY, AX_DEVICE_MEMORY,
                           end - AX_PAGE_SIZE, AX_PAGE_SIZE),
                     0);
    machine_stop();
}
END_TEST

START_TEST(boot_page_tells_of_the_machine) {
    struct driver_config config = {
        .model = {.cpu_count = 3, .command_line = "console=ttyS0 quiet", .seed = 5}};
    config.model.irq_count = 20;
    config.model.irq_messages = 6;
    config.model.acpi_root = 0xe0010;
    config.model.framebuffer = (struct ax_framebuffer){
        .physical = 0xfd000000, .width = 640, .height = 480, .pitch_bytes = 2560, .pixel_bits = 32};
    start_with_image(&config);
    struct thread *root = driver_root_thread();
    struct ax_map_request request = {.size_bytes = AX_PAGE_SIZE, .prot = AX_PROT_READ};
    memcpy(root->page->buffer, &request, sizeof(request));
    ax_result address = kcall(root, AX_CALL_MEMORY_MAP, 0, AX_ROOT_BOOT);
    ck_assert_int_gt(address, 0);
    const struct ax_boot_page *page = driver_touch(root, (uint64_t)address, AX_PROT_READ);
    ck_assert_uint_eq(page->cpu_count, 3);
    ck_assert_uint_eq(page->image_bytes, sizeof(pattern));
    ck_assert_uint_eq(page->root_restarts, 0);
    ck_assert_uint_eq(page->thread, AX_ROOT_THREAD);
    ck_assert_uint_eq(page->irq_wired, 14);
    ck_assert_uint_eq(page->acpi_root, 0xe0010);
    ck_assert_mem_eq(&page->framebuffer, &config.model.framebuffer, sizeof(page->framebuffer));
    ck_assert_str_eq(page->command_line, "console=ttyS0 quiet");
    ck_assert_uint_eq(page->memory_bytes, kernel->frames.total_count * AX_PAGE_SIZE);
    unsigned zeros = 0;
    for (size_t i = 0; i < sizeof(page->entropy); i++)
        zeros += page->entropy[i] == 0;
    ck_assert_uint_lt(zeros, 8);
    request.prot = AX_PROT_READ | AX_PROT_WRITE;
    memcpy(root->page->buffer, &request, sizeof(request));
    expect(kcall(root, AX_CALL_MEMORY_MAP, 0, AX_ROOT_BOOT), AX_ERR_RIGHTS);
    machine_stop();
}
END_TEST

START_TEST(system_image_is_memory) {
    struct driver_config config = {.model = {.table_frames = true}};
    start_with_image(&config);
    struct thread *root = driver_root_thread();
    struct ax_map_request request = {.size_bytes = 4 * AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_EXECUTE};
    memcpy(root->page->buffer, &request, sizeof(request));
    ax_result address = kcall(root, AX_CALL_MEMORY_MAP, 0, AX_ROOT_IMAGE);
    ck_assert_int_gt(address, 0);
    for (uint64_t at = 0; at < sizeof(pattern); at += AX_PAGE_SIZE) {
        const char *bytes = driver_touch(root, (uint64_t)address + at, AX_PROT_READ);
        size_t size = sizeof(pattern) - at < AX_PAGE_SIZE ? sizeof(pattern) - at : AX_PAGE_SIZE;
        ck_assert_int_eq(memcmp(bytes, pattern + at, size), 0);
    }
    ck_assert_ptr_nonnull(driver_touch(root, (uint64_t)address, AX_PROT_EXECUTE));
    machine_stop();
}
END_TEST

/* Its frames are the account's like any others, and come back with the last handle and mapping. */
START_TEST(system_image_can_be_given_back) {
    struct driver_config config = {.model = {.table_frames = true}};
    start_with_image(&config);
    uint64_t free_count = kernel->frames.free_count;
    expect(kcall(driver_root_thread(), AX_CALL_HANDLE_CLOSE, AX_ROOT_IMAGE), AX_OK);
    ck_assert_uint_ge(kernel->frames.free_count, free_count + 4);
    machine_stop();
}
END_TEST

START_TEST(no_system_image_is_empty_memory) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    expect(kcall(root, AX_CALL_OBJECT_INFO, AX_ROOT_IMAGE), AX_OK);
    struct ax_object_info info;
    memcpy(&info, root->page->buffer, sizeof(info));
    ck_assert_uint_eq(info.type, AX_TYPE_MEMORY);
    ck_assert_uint_eq(info.memory.page_count, 0);
    machine_stop();
}
END_TEST

START_TEST(kernel_page_is_there_for_everybody) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    sleep_for_ever(root);
    struct thread *thread = driver_thread(driver_process());
    const unsigned char *code = driver_touch(thread, AX_KERNEL_PAGE, AX_PROT_EXECUTE);
    ck_assert_uint_eq(code[0], 0x0f); /* the model's */
    ck_assert_ptr_nonnull(driver_touch(thread, AX_KERNEL_PAGE, AX_PROT_READ));
    ck_assert_ptr_null(driver_touch(thread, AX_KERNEL_PAGE, AX_PROT_WRITE));
    machine_stop();
}
END_TEST

START_TEST(all_memory_is_used) {
    struct driver_config config = {.model = {.memory_bytes = UINT64_C(8) << 20}};
    config.model.hole_pages = (uint64_t)_i;
    config.model.hole_start = _i == 2 ? 300 : 0; /* the second range is the larger one */
    driver_start(&config);
    const struct frames *frames = &kernel->frames;
    uint64_t pages = (UINT64_C(8) << 20) / AX_PAGE_SIZE - (uint64_t)_i - 3; /* root's image */
    uint64_t core = sizeof(*kernel) + frames->page_count * sizeof(struct frame) + kernel->log.size +
                    kernel->trace.size * sizeof(struct ax_trace_entry) + sizeof(struct cpu);
    ck_assert_uint_ge(frames->total_count + core / AX_PAGE_SIZE + 2, pages);
    ck_assert_uint_lt(frames->total_count, pages);
    ck_assert_uint_eq(kernel->root_account->limit_bytes, frames->total_count * AX_PAGE_SIZE);
    machine_stop();
}
END_TEST

START_TEST(rings_are_powers_of_two) {
    const uint64_t sizes[] = {256, 1000, 5000, 100000};
    struct driver_config config = {.model = {.memory_bytes = sizes[_i] << 10 & ~UINT64_C(4095)}};
    driver_start(&config);
    ck_assert_uint_ge(kernel->log.size, 1024);
    ck_assert_uint_eq(kernel->log.size & (kernel->log.size - 1), 0);
    ck_assert_uint_eq(kernel->trace.size & (kernel->trace.size - 1), 0);
    ck_assert_uint_le(kernel->log.size, config.model.memory_bytes / 100 + 1024);
    ck_assert_ptr_nonnull(strstr(driver_console(), "axolotl: "));
    driver_stop();
}
END_TEST

static void start_small(void *context) {
    struct driver_config config = {.model = {.memory_bytes = *(uint64_t *)context}};
    driver_start(&config);
}

/* Whatever there is too little of, the machine stops and says so. */
START_TEST(too_small_machines_say_so) {
    unsigned refused = 0;
    for (uint64_t bytes = 4 * AX_PAGE_SIZE; bytes <= 256 << 10; bytes += AX_PAGE_SIZE) {
        int code = 0;
        if (driver_halts(start_small, &bytes, &code)) {
            ck_assert_int_eq(code, 1);
            ck_assert_msg(strstr(driver_console(), "memory") != NULL, "%s", driver_console());
            ck_assert_uint_eq(refused * AX_PAGE_SIZE + 4 * AX_PAGE_SIZE, bytes); /* no gaps */
            refused++;
        } else {
            driver_check_invariants();
        }
        driver_stop();
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_lt(refused, 40);
}
END_TEST

START_TEST(many_cpus) {
    struct driver_config config = {
        .model = {.cpu_count = (uint32_t)_i, .memory_bytes = UINT64_C(4) << 20}};
    driver_start(&config);
    ck_assert_uint_eq(kernel->cpu_count, (uint32_t)_i);
    struct process *process = driver_process();
    sleep_for_ever(driver_root_thread());
    for (int i = 0; i < _i; i++)
        driver_thread(process);
    for (int i = 0; i < _i; i++)
        ck_assert_ptr_nonnull(kernel->cpus[i].current);
    machine_stop();
}
END_TEST

START_TEST(same_seed_same_machine) {
    uint64_t seed = 7;
    char entropy[2][32];
    for (int i = 0; i < 2; i++) {
        struct driver_config config = {.model = {.seed = seed}};
        driver_start(&config);
        memcpy(entropy[i], kernel->root.page->entropy, 32);
        driver_stop();
    }
    ck_assert_int_eq(memcmp(entropy[0], entropy[1], 32), 0);
}
END_TEST

START_TEST(long_command_line_is_cut) {
    static char line[300];
    memset(line, 'x', sizeof(line) - 1);
    struct driver_config config = {.model = {.command_line = line}};
    driver_start(&config);
    ck_assert_uint_eq(strlen(kernel->root.page->command_line), strlen(hal_boot()->command_line));
    driver_stop();
}
END_TEST

TCase *boot_init_tests(void) {
    TCase *tcase = tcase_create("boot_init");
    tcase_add_test(tcase, root_is_handed_everything);
    tcase_add_test(tcase, device_memory_ends_with_physical_addresses);
    tcase_add_test(tcase, boot_page_tells_of_the_machine);
    tcase_add_test(tcase, system_image_is_memory);
    tcase_add_test(tcase, system_image_can_be_given_back);
    tcase_add_test(tcase, no_system_image_is_empty_memory);
    tcase_add_test(tcase, kernel_page_is_there_for_everybody);
    tcase_add_loop_test(tcase, all_memory_is_used, 0, 3);
    tcase_add_loop_test(tcase, rings_are_powers_of_two, 0, 4);
    tcase_add_test(tcase, too_small_machines_say_so);
    tcase_add_loop_test(tcase, many_cpus, 1, 9);
    tcase_add_loop_test(tcase, many_cpus, 63, 65);
    tcase_add_test(tcase, same_seed_same_machine);
    tcase_add_test(tcase, long_command_line_is_cut);
    return tcase;
}
