/* SPDX-License-Identifier: MIT */
/* Programs that are made to keep whoever follows their calls busy. */
#include <tools/run/unwind.h>

#include <check.h>
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

int main(void) {
    Suite *suite = suite_create("report");
    TCase *frames = tcase_create("frames");
    tcase_add_test(frames, number_without_an_end);
    tcase_add_test(frames, text_without_an_end);
    tcase_add_test(frames, number_that_is_too_large);
    suite_add_tcase(suite, frames);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
