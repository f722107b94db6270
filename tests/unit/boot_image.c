/* SPDX-License-Identifier: MIT */
/* The root task's image: what is loaded where, and what is refused. */
#include "cpu_world.h"

#define TEXT UINT64_C(0x400000)
#define DATA UINT64_C(0x600000)

/* Bytes of an image: a header, a page of text, two of data. */
static union {
    struct ax_root_image header;
    char bytes[4 * AX_PAGE_SIZE];
} image;
static uint64_t image_bytes;

static void image_make(void) {
    for (size_t i = 0; i < sizeof(image.bytes); i++)
        image.bytes[i] = (char)(i % 251 + 1);
    image_bytes = sizeof(image.bytes);
    image.header = (struct ax_root_image){
        .magic = AX_ROOT_MAGIC,
        .entry = TEXT + 8,
        .segment_count = 2,
        .segments = {{.address = TEXT,
                      .offset = AX_PAGE_SIZE,
                      .file_bytes = 100,
                      .size_bytes = 100,
                      .prot = AX_PROT_READ | AX_PROT_EXECUTE},
                     {.address = DATA,
                      .offset = 2 * AX_PAGE_SIZE,
                      .file_bytes = AX_PAGE_SIZE + 50,
                      .size_bytes = 5 * AX_PAGE_SIZE,
                      .prot = AX_PROT_READ | AX_PROT_WRITE}},
    };
}

static void start(void *context) {
    (void)context;
    struct driver_config config = {.model = {.table_frames = true}};
    config.model.modules[0] = &image;
    config.model.module_bytes[0] = image_bytes;
    config.model.module_count = 1;
    driver_start(&config);
}

static void read_root(uint64_t address, void *to, size_t size) {
    driver_read(driver_root(), address, to, size);
}

START_TEST(segments_are_loaded) {
    static char bytes[5 * AX_PAGE_SIZE];
    image_make();
    start(NULL);
    read_root(TEXT, bytes, AX_PAGE_SIZE);
    ck_assert_int_eq(memcmp(bytes, image.bytes + AX_PAGE_SIZE, 100), 0);
    for (size_t i = 100; i < AX_PAGE_SIZE; i++)
        ck_assert_int_eq(bytes[i], 0); /* not what comes next in the image */
    read_root(DATA, bytes, sizeof(bytes));
    ck_assert_int_eq(memcmp(bytes, image.bytes + 2 * AX_PAGE_SIZE, AX_PAGE_SIZE + 50), 0);
    for (size_t i = AX_PAGE_SIZE + 50; i < sizeof(bytes); i++)
        ck_assert_int_eq(bytes[i], 0);
    machine_stop();
}
END_TEST

START_TEST(segments_have_their_protection) {
    image_make();
    start(NULL);
    struct thread *root = driver_root_thread();
    ck_assert_ptr_nonnull(driver_touch(root, TEXT, AX_PROT_EXECUTE));
    ck_assert_ptr_nonnull(driver_touch(root, DATA + 4 * AX_PAGE_SIZE, AX_PROT_WRITE));
    expect(kcall(root, AX_CALL_MEMORY_PROTECT, 0, TEXT, AX_PAGE_SIZE, AX_PROT_WRITE),
           AX_ERR_RIGHTS);
    expect(kcall(root, AX_CALL_MEMORY_PROTECT, 0, DATA, AX_PAGE_SIZE, AX_PROT_EXECUTE),
           AX_ERR_RIGHTS);
    machine_stop();
}
END_TEST

START_TEST(thread_begins_at_the_entry) {
    image_make();
    start(NULL);
    const struct ax_regs *regs = &driver_root_thread()->user.regs;
    ck_assert_uint_eq(regs->rip, TEXT + 8);
    ck_assert_uint_eq(regs->rsp, AX_PROGRAM_END);
    ck_assert_uint_eq(regs->rdi, AX_PROGRAM_END);
    ck_assert_uint_eq(regs->rflags, AX_RFLAGS_FIXED);
    ck_assert_uint_eq(regs->rbx | regs->fs_base, 0);
    uint64_t stack = AX_PROGRAM_END - AX_ROOT_STACK_PAGES * AX_PAGE_SIZE;
    ck_assert_ptr_nonnull(driver_touch(driver_root_thread(), AX_PROGRAM_END - 8, AX_PROT_WRITE));
    ck_assert_ptr_nonnull(driver_touch(driver_root_thread(), stack, AX_PROT_WRITE));
    ck_assert_ptr_null(space_find(driver_root(), stack - 1));
    machine_stop();
}
END_TEST

START_TEST(as_many_segments_as_there_can_be) {
    image_make();
    image.header.segment_count = AX_ROOT_SEGMENTS;
    for (uint64_t i = 2; i < AX_ROOT_SEGMENTS; i++)
        image.header.segments[i] = (struct ax_root_segment){
            .address = DATA + i * 0x100000, .size_bytes = 1, .prot = AX_PROT_READ};
    start(NULL);
    for (uint64_t i = 2; i < AX_ROOT_SEGMENTS; i++)
        ck_assert_ptr_nonnull(space_find(driver_root(), DATA + i * 0x100000));
    machine_stop();
}
END_TEST

/* ---- Damage ---------------------------------------------------------------------------------- */

static struct ax_root_segment *first = &image.header.segments[0];
static struct ax_root_segment *second = &image.header.segments[1];

static void bad_magic(void) {
    image.header.magic++;
}
static void short_image(void) {
    image_bytes = sizeof(struct ax_root_image) - 1;
}
static void empty_image(void) {
    image_bytes = 1;
}
static void no_segments(void) {
    image.header.segment_count = 0;
}
static void nine_segments(void) {
    image.header.segment_count = AX_ROOT_SEGMENTS + 1;
}
static void very_many_segments(void) {
    image.header.segment_count = UINT64_MAX;
}
static void entry_outside(void) {
    image.header.entry = TEXT + 100;
}
static void entry_before(void) {
    image.header.entry = TEXT - 1;
}
static void entry_in_data(void) {
    image.header.entry = DATA;
}
static void odd_address(void) {
    second->address += 8;
}
static void low_address(void) {
    second->address = AX_USER_START - AX_PAGE_SIZE;
}
static void high_address(void) {
    second->address = AX_PROGRAM_END;
}
static void kernel_address(void) {
    second->address = UINT64_C(0xffff800000000000);
}
static void too_long(void) {
    second->size_bytes = AX_PROGRAM_END - DATA + 1;
}
static void endless(void) {
    second->size_bytes = UINT64_MAX;
}
static void no_size(void) {
    second->size_bytes = second->file_bytes = 0;
}
static void odd_offset(void) {
    second->offset += 16;
}
static void offset_beyond(void) {
    second->offset = 5 * AX_PAGE_SIZE;
}
static void offset_far(void) {
    second->offset = UINT64_MAX & ~(AX_PAGE_SIZE - 1);
}
static void bytes_beyond(void) {
    second->file_bytes = 2 * AX_PAGE_SIZE + 1;
}
static void bytes_far(void) {
    second->file_bytes = UINT64_MAX;
}
static void more_bytes_than_size(void) {
    second->size_bytes = second->file_bytes - 1;
}
static void unknown_prot(void) {
    second->prot = AX_PROT_ALL + 1;
}
static void write_and_execute(void) {
    first->prot = AX_PROT_WRITE | AX_PROT_EXECUTE;
}
static void overlap(void) {
    second->address = TEXT;
}
static void on_the_stack(void) {
    second->address = AX_PROGRAM_END - 6 * AX_PAGE_SIZE;
}
static void cut_off(void) {
    image_bytes = 3 * AX_PAGE_SIZE;
}

static void (*const damages[])(void) = {
    bad_magic,      short_image,
    empty_image,    no_segments,
    nine_segments,  very_many_segments,
    entry_outside,  entry_before,
    entry_in_data,  odd_address,
    low_address,    high_address,
    kernel_address, too_long,
    endless,        no_size,
    odd_offset,     offset_beyond,
    offset_far,     bytes_beyond,
    bytes_far,      more_bytes_than_size,
    unknown_prot,   write_and_execute,
    overlap,        on_the_stack,
    cut_off,
};

START_TEST(damaged_image_halts) {
    int code = 0;
    image_make();
    damages[_i]();
    ck_assert(driver_halts(start, NULL, &code));
    ck_assert_int_eq(code, 1);
    ck_assert_msg(strstr(driver_console(), "root task: damaged image") != NULL, "%s",
                  driver_console());
    driver_stop();
}
END_TEST

static void start_without(void *context) {
    (void)context;
    static const char nothing[1];
    struct driver_config config = {.model = {.modules = {nothing}, .module_bytes = {0}}};
    config.model.module_count = 1;
    driver_start(&config);
}

START_TEST(no_image_halts) {
    int code = 0;
    ck_assert(driver_halts(start_without, NULL, &code));
    ck_assert_int_eq(code, 1);
    ck_assert_ptr_nonnull(strstr(driver_console(), "root task: "));
    driver_stop();
}
END_TEST

START_TEST(image_larger_than_memory_halts) {
    int code = 0;
    image_make();
    second->size_bytes = UINT64_C(1) << 40; /* of which nothing is ever touched */
    ck_assert(!driver_halts(start, NULL, &code));
    machine_stop();
}
END_TEST

TCase *boot_image_tests(void) {
    TCase *tcase = tcase_create("boot_image");
    tcase_add_test(tcase, segments_are_loaded);
    tcase_add_test(tcase, segments_have_their_protection);
    tcase_add_test(tcase, thread_begins_at_the_entry);
    tcase_add_test(tcase, as_many_segments_as_there_can_be);
    tcase_add_loop_test(tcase, damaged_image_halts, 0, sizeof(damages) / sizeof(damages[0]));
    tcase_add_test(tcase, no_image_halts);
    tcase_add_test(tcase, image_larger_than_memory_halts);
    return tcase;
}
