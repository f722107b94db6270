/* SPDX-License-Identifier: MIT */
/* Programs that are made to keep whoever follows their calls busy. */
#include <tools/run/report.h>
#include <tools/run/unwind.h>

#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES  ((size_t)4 << 20)
#define COMMON_AT   ((size_t)4096)
#define ENTRIES_AT  ((size_t)2 << 20)
#define ENTRY_BYTES ((size_t)16) /* with its length */

static uint8_t *file;
static struct program program;

static void number_put(size_t at, uint32_t number) {
    memcpy(file + at, &number, sizeof(number));
}

/* Many entries, none of which is about the address, that share one whose bytes before the
 * instructions are these, so often that it goes on to where the entries begin. */
static void program_make(const char *text, size_t text_bytes, uint8_t filling) {
    file = malloc(FILE_BYTES);
    ck_assert_ptr_nonnull(file);
    memset(file, 0, FILE_BYTES);
    number_put(COMMON_AT, (uint32_t)(ENTRIES_AT - COMMON_AT - 4));
    file[COMMON_AT + 8] = 1;
    memset(file + COMMON_AT + 9, filling, ENTRIES_AT - COMMON_AT - 9);
    memcpy(file + COMMON_AT + 9, text, text_bytes);
    for (size_t at = ENTRIES_AT; at + ENTRY_BYTES <= FILE_BYTES; at += ENTRY_BYTES) {
        number_put(at, ENTRY_BYTES - 4);
        number_put(at + 4, (uint32_t)(at + 4 - COMMON_AT));
    }
    program = (struct program){.bytes = file, .size = FILE_BYTES};
    program.frames = (struct program_part){COMMON_AT, FILE_BYTES - COMMON_AT, 0x400000};
}

static void rules_are_none(void) {
    struct frame_rules rules;
    ck_assert(!frame_rules_find(&program, 0x401000, &rules));
    free(file);
}

/* A number that does not end is none: each of the entries would read all of it. */
START_TEST(number_without_an_end) {
    program_make("", 1, 0x80);
    rules_are_none();
    program_make("\0\001", 2, 0x80);
    rules_are_none();
}
END_TEST

START_TEST(text_without_an_end) {
    program_make("zR", 2, 'R');
    rules_are_none();
}
END_TEST

/* What cannot be multiplied gives some number; sanitizers see how. */
START_TEST(number_that_is_too_large) {
    static const uint8_t frames[] = {28,   0,    0,    0,    0,    0,    0,    0,
                                     1,    0,    1, /* an entry for others: length, 0, version,
                                                       text, unit */
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0x00, /* and unit of data */
                                     16,   0x0c, 7,    8,    0x05, 3,    0x7f, 0x11,
                                     6,    0x7e, 0, /* rip; rsp + 8, rbx at, rbp at */
                                     20,   0,    0,    0,    36,   0,    0,    0,
                                     0,    0x10, 0x40, 0,    0,    0,    0,    0,
                                     0,    1,    0,    0,    0,    0,    0,    0};
    struct frame_rules rules;
    _Static_assert(sizeof(frames) == 4 + 28 + 4 + 20, "as their lengths say");
    program = (struct program){.bytes = frames, .size = sizeof(frames)};
    program.frames = (struct program_part){0, sizeof(frames), 0x400000};
    ck_assert(frame_rules_find(&program, 0x401010, &rules));
    ck_assert_int_eq(rules.of[UNWIND_RBX].kind, RULE_AT);
    ck_assert_int_eq(rules.of[UNWIND_RBP].kind, RULE_AT);
}
END_TEST

/* ---- Effort ---------------------------------------------------------------------------------- */

#define SYMBOLS 1000

/* Functions of one byte behind each other, and a name that does not end. */
static void symbols_make(void) {
    static const uint64_t start = 0x400000;
    Elf64_Sym *symbol = malloc(SYMBOLS * sizeof(*symbol) + FILE_BYTES);
    ck_assert_ptr_nonnull(symbol);
    file = (uint8_t *)symbol;
    memset(file + SYMBOLS * sizeof(*symbol), 'n', FILE_BYTES);
    for (size_t i = 0; i < SYMBOLS; i++)
        symbol[i] = (Elf64_Sym){.st_name = 1,
                                .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                .st_shndx = 1,
                                .st_value = start + i,
                                .st_size = 1};
    program = (struct program){.bytes = file, .size = SYMBOLS * sizeof(*symbol) + FILE_BYTES};
    program.text[program.text_count++] = (struct program_part){0, SYMBOLS, start};
    program.symbols = (struct program_part){0, SYMBOLS * sizeof(*symbol), 0};
    program.names = (struct program_part){SYMBOLS * sizeof(*symbol), FILE_BYTES, 0};
}

/* A name is found while there is effort left, and none is guessed when it is used up. */
START_TEST(symbols_cost_effort) {
    uint64_t effort = 2 * SYMBOLS + SYMBOLS / 2, offset;
    size_t length;
    symbols_make();
    program.effort = &effort;
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_ptr_nonnull(program_function(&program, 0x400123, &length, &offset));
        ck_assert_uint_eq(length, PROGRAM_NAME_MAX);
        ck_assert(!program_is_given_up(&program));
    }
    ck_assert_ptr_null(program_function(&program, 0x400123, &length, &offset));
    ck_assert(program_is_given_up(&program));
    free(file);
}
END_TEST

/* So do tables of frames: entries, the zeros between them, and those that they share. */
START_TEST(frames_cost_effort) {
    struct frame_rules rules;
    uint64_t effort = UINT64_MAX, needed;
    program_make("", 1, 0x80);
    program.effort = &effort;
    ck_assert(!frame_rules_find(&program, 0x401000, &rules));
    needed = UINT64_MAX - effort;
    ck_assert_uint_ge(needed, (FILE_BYTES - ENTRIES_AT) / ENTRY_BYTES);
    effort = needed / 2;
    ck_assert(!frame_rules_find(&program, 0x401000, &rules));
    ck_assert_uint_eq(effort, 0);
    memset(file, 0, FILE_BYTES);
    effort = FILE_BYTES / 8;
    ck_assert(!frame_rules_find(&program, 0x401000, &rules));
    ck_assert_uint_eq(effort, 0);
    free(file);
}
END_TEST

/* The report says that it gave up, and makes no guesses then. */
START_TEST(report_says_that_it_gave_up) {
    static const char lines[] = "what cause 2 pid 5\nthread tid 5\nregs rip 400100 rsp 1000\n"
                                "stack 0 400200 8 400201\n";
    uint64_t effort = SYMBOLS / 2;
    char *text = NULL;
    size_t size;
    symbols_make();
    program.effort = &effort;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    report_details(stream, "/bin/large", lines, &program);
    fclose(stream);
    ck_assert_ptr_nonnull(strstr(text, "  #0  0x000000400100\n  the program's tables are too large "
                                       "to look for more\n"));
    free(text);
    free(file);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("report");
    TCase *frames = tcase_create("frames");
    tcase_add_test(frames, number_without_an_end);
    tcase_add_test(frames, text_without_an_end);
    tcase_add_test(frames, number_that_is_too_large);
    suite_add_tcase(suite, frames);
    TCase *effort = tcase_create("effort");
    tcase_add_test(effort, symbols_cost_effort);
    tcase_add_test(effort, frames_cost_effort);
    tcase_add_test(effort, report_says_that_it_gave_up);
    suite_add_tcase(suite, effort);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
