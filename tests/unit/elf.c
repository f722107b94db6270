/* SPDX-License-Identifier: MIT */
#include <elf/elf.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <elf.h>

#include <abi/layout.h>
#include <abi/object.h>

#define PAGE             ((uint64_t)AX_PAGE_SIZE)
#define SAMPLE_BYTES_MAX ((size_t)16 << 20)

#define BASE UINT64_C(0x400000)
#define BIAS UINT64_C(0x7f0000000000)

static const struct elf_place anywhere = {
    .start = AX_USER_START, .end = AX_PROGRAM_END, .bias = BIAS};

/* A program as linkers make them: headers and constants, code, data with zeroes behind it. The rest
 * of its program headers may be used by a test. */
struct sample {
    Elf64_Ehdr header;
    Elf64_Phdr headers[ELF_SEGMENTS_MAX + 4];
    uint8_t bytes[4 * 4096];
};

enum { CONSTANTS, CODE, DATA, STACK, TLS, HEADERS_USED };

static Elf64_Phdr load(uint32_t flags, uint64_t address, uint64_t offset, uint64_t file_bytes,
                       uint64_t memory_bytes) {
    return (Elf64_Phdr){.p_type = PT_LOAD,
                        .p_flags = flags,
                        .p_vaddr = address,
                        .p_paddr = address,
                        .p_offset = offset,
                        .p_filesz = file_bytes,
                        .p_memsz = memory_bytes,
                        .p_align = PAGE};
}

static struct sample *sample_make(uint16_t type) {
    static struct sample sample;
    uint64_t base = type == ET_DYN ? 0 : BASE;
    memset(&sample, 0, sizeof(sample));
    sample.header = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = type,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = base + PAGE + 0x10,
        .e_phoff = offsetof(struct sample, headers),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = HEADERS_USED,
    };
    sample.headers[CONSTANTS] = load(PF_R, base, 0, 0x800, 0x800);
    sample.headers[CODE] = load(PF_R | PF_X, base + PAGE, PAGE, 0x234, 0x234);
    sample.headers[DATA] =
        load(PF_R | PF_W, base + 3 * PAGE + 0x7c8, 2 * PAGE + 0x7c8, 0x900, 0x3000);
    sample.headers[STACK] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
    sample.headers[TLS] = (Elf64_Phdr){.p_type = PT_TLS,
                                       .p_flags = PF_R,
                                       .p_vaddr = base + 3 * PAGE + 0x7c8,
                                       .p_offset = 2 * PAGE + 0x7c8,
                                       .p_filesz = 0x20,
                                       .p_memsz = 0x48,
                                       .p_align = 8};
    return &sample;
}

static enum elf_error plan_of(const struct sample *sample, struct elf_plan *plan) {
    return elf_plan(sample, sizeof(*sample), &anywhere, plan);
}

static void refused(const struct sample *sample, enum elf_error expected) {
    struct elf_plan plan;
    enum elf_error error = plan_of(sample, &plan);
    if (error != expected)
        ck_abort_msg("\"%s\" instead of \"%s\"", elf_error_text(error), elf_error_text(expected));
}

static void accepted(const struct sample *sample) {
    refused(sample, ELF_OK);
}

static void segment_is(const struct elf_segment *segment, struct elf_segment wanted) {
    ck_assert_uint_eq(segment->address, wanted.address);
    ck_assert_uint_eq(segment->size_bytes, wanted.size_bytes);
    ck_assert_uint_eq(segment->offset, wanted.offset);
    ck_assert_uint_eq(segment->file_bytes, wanted.file_bytes);
    ck_assert_uint_eq(segment->prot, wanted.prot);
}

/* ---- What is accepted ------------------------------------------------------------------------ */

static void plan_is_whole(uint16_t type, uint64_t base) {
    struct elf_plan plan;
    ck_assert_int_eq(plan_of(sample_make(type), &plan), ELF_OK);
    ck_assert(plan.is_dyn == (type == ET_DYN));
    ck_assert_uint_eq(plan.bias, type == ET_DYN ? BIAS : 0);
    ck_assert_uint_eq(plan.entry, base + PAGE + 0x10);
    ck_assert_uint_eq(plan.alignment, PAGE);
    ck_assert_uint_eq(plan.segment_count, 3);
    segment_is(&plan.segments[0], (struct elf_segment){base, PAGE, 0, 0x800, AX_PROT_READ});
    segment_is(&plan.segments[1], (struct elf_segment){base + PAGE, PAGE, PAGE, 0x234,
                                                       AX_PROT_READ | AX_PROT_EXECUTE});
    segment_is(&plan.segments[2], (struct elf_segment){base + 3 * PAGE, 4 * PAGE, 2 * PAGE, 0x10c8,
                                                       AX_PROT_READ | AX_PROT_WRITE});
    ck_assert_uint_eq(plan.end, base + 7 * PAGE);
    ck_assert_uint_eq(plan.headers, base + offsetof(struct sample, headers));
    ck_assert_uint_eq(plan.header_size, sizeof(Elf64_Phdr));
    ck_assert_uint_eq(plan.header_count, HEADERS_USED);
    ck_assert_uint_eq(plan.tls.address, base + 3 * PAGE + 0x7c8);
    ck_assert_uint_eq(plan.tls.file_bytes, 0x20);
    ck_assert_uint_eq(plan.tls.memory_bytes, 0x48);
    ck_assert_uint_eq(plan.tls.alignment, 8);
}

START_TEST(executable_is_planned_where_it_was_linked) {
    plan_is_whole(ET_EXEC, BASE);
}
END_TEST

START_TEST(position_independent_one_is_moved_by_the_bias) {
    plan_is_whole(ET_DYN, BIAS);
}
END_TEST

START_TEST(file_may_lie_at_any_alignment) {
    struct sample *sample = sample_make(ET_EXEC);
    char *moved = malloc(sizeof(*sample) + 1);
    struct elf_plan plan;
    ck_assert_ptr_nonnull(moved);
    memcpy(moved + 1, sample, sizeof(*sample));
    ck_assert_int_eq(elf_plan(moved + 1, sizeof(*sample), &anywhere, &plan), ELF_OK);
    free(moved);
}
END_TEST

START_TEST(headers_that_are_not_loaded_have_no_address) {
    struct sample *sample = sample_make(ET_EXEC);
    struct elf_plan plan;
    sample->headers[CONSTANTS].p_filesz = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    ck_assert_int_eq(plan_of(sample, &plan), ELF_OK);
    ck_assert_uint_eq(plan.headers, 0);
}
END_TEST

START_TEST(zeroes_alone_need_no_place_in_the_file) {
    struct sample *sample = sample_make(ET_EXEC);
    struct elf_plan plan;
    sample->headers[DATA].p_filesz = 0;
    sample->headers[DATA].p_offset = UINT64_MAX - 5;
    sample->header.e_phnum = TLS;
    refused(sample, ELF_FILE_RANGE);
    sample->headers[DATA].p_offset = 5; /* not aligned like the address: of no consequence */
    ck_assert_int_eq(plan_of(sample, &plan), ELF_OK);
    segment_is(&plan.segments[2],
               (struct elf_segment){BASE + 3 * PAGE, 4 * PAGE, 0, 0, AX_PROT_READ | AX_PROT_WRITE});
}
END_TEST

START_TEST(segment_without_memory_is_passed_over) {
    struct sample *sample = sample_make(ET_EXEC);
    struct elf_plan plan;
    sample->headers[CONSTANTS].p_filesz = sample->headers[CONSTANTS].p_memsz = 0;
    ck_assert_int_eq(plan_of(sample, &plan), ELF_OK);
    ck_assert_uint_eq(plan.segment_count, 2);
}
END_TEST

START_TEST(write_and_execute_each_bring_read) {
    struct sample *sample = sample_make(ET_EXEC);
    struct elf_plan plan;
    sample->headers[CODE].p_flags = PF_X;
    sample->headers[DATA].p_flags = PF_W;
    sample->headers[CONSTANTS].p_flags = 0;
    ck_assert_int_eq(plan_of(sample, &plan), ELF_OK);
    ck_assert_uint_eq(plan.segments[0].prot, AX_PROT_NONE);
    ck_assert_uint_eq(plan.segments[1].prot, AX_PROT_READ | AX_PROT_EXECUTE);
    ck_assert_uint_eq(plan.segments[2].prot, AX_PROT_READ | AX_PROT_WRITE);
    ck_assert_uint_eq(plan.headers, 0); /* loaded, but nobody may read them */
}
END_TEST

START_TEST(segments_up_to_the_limit) {
    struct sample *sample = sample_make(ET_EXEC);
    struct elf_plan plan;
    for (unsigned i = 0; i < ELF_SEGMENTS_MAX + 1; i++)
        sample->headers[i] = load(PF_R | PF_X, BASE + i * PAGE, PAGE, 0x100, 0x100);
    sample->header.e_phnum = ELF_SEGMENTS_MAX;
    ck_assert_int_eq(plan_of(sample, &plan), ELF_OK);
    ck_assert_uint_eq(plan.segment_count, ELF_SEGMENTS_MAX);
    ck_assert_uint_eq(plan.end, BASE + ELF_SEGMENTS_MAX * PAGE);
    sample->header.e_phnum = ELF_SEGMENTS_MAX + 1;
    refused(sample, ELF_TOO_MANY);
}
END_TEST

START_TEST(first_and_last_page_of_the_range_can_be_used) {
    struct sample *sample = sample_make(ET_EXEC);
    sample->header.e_phnum = 2;
    sample->headers[0] = load(PF_R, AX_USER_START, 0, 0x800, 0x800);
    sample->headers[1] = load(PF_X, AX_PROGRAM_END - PAGE, PAGE, 0x800, PAGE);
    sample->header.e_entry = AX_PROGRAM_END - 1;
    accepted(sample);
    sample->headers[1].p_memsz = PAGE + 1;
    refused(sample, ELF_ADDRESS);
    sample->headers[1].p_memsz = PAGE;
    sample->headers[0].p_vaddr = AX_USER_START - PAGE;
    refused(sample, ELF_ADDRESS);
}
END_TEST

/* What the compiler of this build makes, read from beside the test program. */
static enum elf_error sample_read(const char *name, struct elf_plan *plan) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
    ck_assert_int_gt(length, 0);
    path[length] = '\0';
    char *folder_end = strrchr(path, '/');
    snprintf(folder_end + 1, 60, "%s", name);

    FILE *file = fopen(path, "rb");
    if (file == NULL)
        ck_abort_msg("%s is missing", path);
    char *bytes = malloc(SAMPLE_BYTES_MAX);
    ck_assert_ptr_nonnull(bytes);
    size_t size = fread(bytes, 1, SAMPLE_BYTES_MAX, file);
    ck_assert_uint_lt(size, SAMPLE_BYTES_MAX);
    fclose(file);
    enum elf_error error = elf_plan(bytes, size, &anywhere, plan);
    free(bytes);
    return error;
}

START_TEST(real_programs_are_accepted_unless_dynamic) {
    struct elf_plan plan;
    ck_assert_int_eq(sample_read("elf_sample_dynamic", &plan), ELF_INTERPRETER);
    ck_assert_int_eq(sample_read("elf_sample_static", &plan), ELF_OK);
    ck_assert(!plan.is_dyn && plan.headers != 0 && plan.tls.file_bytes >= sizeof(int));
    ck_assert_int_eq(sample_read("elf_sample_static_pie", &plan), ELF_OK);
    ck_assert(plan.is_dyn && plan.headers > BIAS && plan.tls.file_bytes >= sizeof(int));
}
END_TEST

/* ---- What is refused ------------------------------------------------------------------------- */

START_TEST(every_truncation_is_refused_or_harmless) {
    struct sample *sample = sample_make(ET_EXEC);
    struct elf_plan plan;
    size_t needed = 2 * PAGE + 0x7c8 + 0x900; /* where the data ends */
    for (size_t size = 0; size <= sizeof(*sample); size++) {
        /* Just as much memory, for a sanitizer to see a read beyond it. */
        char *copy = malloc(size + (size == 0));
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, sample, size);
        enum elf_error error = elf_plan(copy, size, &anywhere, &plan);
        free(copy);
        enum elf_error expected = ELF_OK;
        if (size < sizeof(Elf64_Ehdr))
            expected = ELF_TOO_SHORT;
        else if (size < sizeof(Elf64_Ehdr) + HEADERS_USED * sizeof(Elf64_Phdr))
            expected = ELF_HEADERS_OUTSIDE;
        else if (size < needed)
            expected = ELF_FILE_RANGE;
        ck_assert_int_eq(error, expected);
    }
}
END_TEST

START_TEST(first_header_is_checked) {
    struct sample *sample = sample_make(ET_EXEC);
#define DAMAGED(field, value, error)    \
    do {                                \
        sample = sample_make(ET_EXEC);  \
        sample->header.field = (value); \
        refused(sample, error);         \
    } while (0)
    DAMAGED(e_ident[0], '#', ELF_NOT_ELF);
    DAMAGED(e_ident[3], 'f', ELF_NOT_ELF);
    DAMAGED(e_ident[EI_CLASS], ELFCLASS32, ELF_CLASS);
    DAMAGED(e_ident[EI_DATA], ELFDATA2MSB, ELF_CLASS);
    DAMAGED(e_ident[EI_VERSION], 2, ELF_VERSION);
    DAMAGED(e_version, 0, ELF_VERSION);
    DAMAGED(e_machine, EM_AARCH64, ELF_MACHINE);
    DAMAGED(e_machine, EM_386, ELF_MACHINE);
    DAMAGED(e_type, ET_REL, ELF_TYPE);
    DAMAGED(e_type, ET_CORE, ELF_TYPE);
    DAMAGED(e_type, ET_NONE, ELF_TYPE);
    DAMAGED(e_phentsize, sizeof(Elf64_Phdr) - 1, ELF_HEADER_SIZE);
    DAMAGED(e_phentsize, 0, ELF_HEADER_SIZE);
    DAMAGED(e_phnum, 0, ELF_NO_SEGMENT);
    DAMAGED(e_phnum, 0xffff, ELF_HEADERS_OUTSIDE);
    DAMAGED(e_phoff, UINT64_MAX, ELF_HEADERS_OUTSIDE);
    DAMAGED(e_phoff, UINT64_MAX - sizeof(Elf64_Phdr), ELF_HEADERS_OUTSIDE);
    DAMAGED(e_phoff, sizeof(*sample), ELF_HEADERS_OUTSIDE);
    DAMAGED(e_entry, 0, ELF_ENTRY);
    DAMAGED(e_entry, BASE, ELF_ENTRY);
    DAMAGED(e_entry, BASE + 2 * PAGE, ELF_ENTRY);
    DAMAGED(e_entry, BASE + 3 * PAGE, ELF_ENTRY);
    DAMAGED(e_entry, UINT64_MAX, ELF_ENTRY);
#undef DAMAGED
}
END_TEST

START_TEST(segments_are_checked) {
    struct sample *sample;
#define DAMAGED(which, field, value, error)     \
    do {                                        \
        sample = sample_make(ET_EXEC);          \
        sample->headers[which].field = (value); \
        refused(sample, error);                 \
    } while (0)
    DAMAGED(DATA, p_memsz, 0x8ff, ELF_SIZES);
    DAMAGED(DATA, p_memsz, 0, ELF_SIZES);
    DAMAGED(DATA, p_memsz, UINT64_MAX, ELF_ADDRESS);
    DAMAGED(DATA, p_memsz, UINT64_MAX - (BASE + 3 * PAGE + 0x7c8), ELF_ADDRESS);
    DAMAGED(DATA, p_memsz, AX_PROGRAM_END, ELF_ADDRESS);
    DAMAGED(DATA, p_filesz, 0x3001, ELF_SIZES);
    DAMAGED(DATA, p_offset, UINT64_MAX - 0x7c8, ELF_FILE_RANGE);
    DAMAGED(DATA, p_offset, 2 * PAGE + 0x7c7, ELF_ALIGNMENT);
    DAMAGED(DATA, p_vaddr, BASE + 3 * PAGE, ELF_ALIGNMENT);
    DAMAGED(DATA, p_vaddr, UINT64_MAX - 0x837, ELF_ADDRESS);
    DAMAGED(DATA, p_vaddr, AX_PROGRAM_END + 0x7c8, ELF_ADDRESS);
    DAMAGED(DATA, p_vaddr, 0x7c8, ELF_ADDRESS);
    DAMAGED(DATA, p_vaddr, BASE + PAGE + 0x7c8, ELF_ORDER);
    DAMAGED(DATA, p_vaddr, BASE - 8 * PAGE + 0x7c8, ELF_ORDER);
    DAMAGED(CONSTANTS, p_memsz, PAGE + 1, ELF_ORDER); /* both in one page */
    DAMAGED(CODE, p_flags, PF_W | PF_X, ELF_WRITE_EXECUTE);
    DAMAGED(CODE, p_flags, PF_R | PF_W | PF_X, ELF_WRITE_EXECUTE);
    DAMAGED(CODE, p_flags, PF_R, ELF_ENTRY);
    DAMAGED(CODE, p_align, PAGE + 1, ELF_ALIGNMENT);
    DAMAGED(CODE, p_align, UINT64_C(1) << 63, ELF_ALIGNMENT);
    DAMAGED(CONSTANTS, p_type, PT_INTERP, ELF_INTERPRETER);
    DAMAGED(STACK, p_flags, PF_R | PF_W | PF_X, ELF_EXECUTABLE_STACK);
    DAMAGED(CONSTANTS, p_type, PT_TLS, ELF_TLS);
    DAMAGED(TLS, p_vaddr, BASE + 2 * PAGE, ELF_TLS);
    DAMAGED(TLS, p_vaddr, UINT64_MAX, ELF_TLS);
    DAMAGED(TLS, p_memsz, 0x1f, ELF_SIZES);
    DAMAGED(TLS, p_filesz, 0x4000, ELF_SIZES);
    DAMAGED(TLS, p_align, 24, ELF_ALIGNMENT);
#undef DAMAGED
}
END_TEST

START_TEST(program_without_a_segment_is_refused) {
    struct sample *sample = sample_make(ET_EXEC);
    for (unsigned i = 0; i < HEADERS_USED; i++)
        sample->headers[i].p_type = PT_NOTE;
    refused(sample, ELF_NO_SEGMENT);
}
END_TEST

START_TEST(bias_must_suit_the_largest_alignment) {
    struct sample *sample = sample_make(ET_DYN);
    struct elf_place place = anywhere;
    struct elf_plan plan;
    sample->headers[CODE].p_align = UINT64_C(0x200000);
    ck_assert_int_eq(plan_of(sample, &plan), ELF_OK);
    ck_assert_uint_eq(plan.alignment, UINT64_C(0x200000));
    place.bias = BIAS + 0x1000;
    ck_assert_int_eq(elf_plan(sample, sizeof(*sample), &place, &plan), ELF_BIAS);
    sample = sample_make(ET_DYN);
    ck_assert_int_eq(elf_plan(sample, sizeof(*sample), &place, &plan), ELF_OK);
    place.bias = BIAS + 0x800;
    ck_assert_int_eq(elf_plan(sample, sizeof(*sample), &place, &plan), ELF_BIAS);
    place.bias = 0;
    ck_assert_int_eq(elf_plan(sample, sizeof(*sample), &place, &plan), ELF_ADDRESS);
    place.bias = UINT64_MAX - 4095;
    ck_assert_int_eq(elf_plan(sample, sizeof(*sample), &place, &plan), ELF_ADDRESS);
}
END_TEST

START_TEST(bias_does_not_move_an_executable) {
    struct sample *sample = sample_make(ET_EXEC);
    struct elf_place place = anywhere;
    struct elf_plan plan;
    place.bias = 5;
    ck_assert_int_eq(elf_plan(sample, sizeof(*sample), &place, &plan), ELF_OK);
    ck_assert_uint_eq(plan.segments[0].address, BASE);
}
END_TEST

START_TEST(every_error_has_a_text_of_its_own) {
    for (unsigned error = 0; error < ELF_ERROR_COUNT; error++) {
        ck_assert_ptr_nonnull(elf_error_text((enum elf_error)error));
        for (unsigned other = 0; other < error; other++)
            ck_assert_str_ne(elf_error_text((enum elf_error)error),
                             elf_error_text((enum elf_error)other));
    }
    ck_assert_ptr_nonnull(strstr(elf_error_text(ELF_INTERPRETER), "needs an interpreter"));
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("elf");
    tcase_add_test(tests, executable_is_planned_where_it_was_linked);
    tcase_add_test(tests, position_independent_one_is_moved_by_the_bias);
    tcase_add_test(tests, file_may_lie_at_any_alignment);
    tcase_add_test(tests, headers_that_are_not_loaded_have_no_address);
    tcase_add_test(tests, zeroes_alone_need_no_place_in_the_file);
    tcase_add_test(tests, segment_without_memory_is_passed_over);
    tcase_add_test(tests, write_and_execute_each_bring_read);
    tcase_add_test(tests, segments_up_to_the_limit);
    tcase_add_test(tests, first_and_last_page_of_the_range_can_be_used);
    tcase_add_test(tests, real_programs_are_accepted_unless_dynamic);
    tcase_add_test(tests, every_truncation_is_refused_or_harmless);
    tcase_add_test(tests, first_header_is_checked);
    tcase_add_test(tests, segments_are_checked);
    tcase_add_test(tests, program_without_a_segment_is_refused);
    tcase_add_test(tests, bias_must_suit_the_largest_alignment);
    tcase_add_test(tests, bias_does_not_move_an_executable);
    tcase_add_test(tests, every_error_has_a_text_of_its_own);

    Suite *suite = suite_create("elf");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
