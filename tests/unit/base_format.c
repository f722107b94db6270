/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <base/format.h>

/* Most patterns here are composed at run time, or wrong on purpose. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Our text and the host's, in buffers of many sizes, with every byte behind them untouched. */
static void same_as_host(const char *pattern, ...) {
    static const size_t sizes[] = {0, 1, 2, 7, 20, 100};
    char untouched[100];
    memset(untouched, '?', sizeof(untouched));
    for (size_t which = 0; which < COUNT(sizes); which++) {
        char ours[100], theirs[100];
        va_list arguments;
        memset(ours, '?', sizeof(ours));
        memset(theirs, '?', sizeof(theirs));
        va_start(arguments, pattern);
        int expected = vsnprintf(theirs, sizes[which], pattern, arguments);
        va_end(arguments);
        va_start(arguments, pattern);
        size_t length = format_list(ours, sizes[which], pattern, arguments);
        va_end(arguments);
        /* Nothing is said of what lies between the end of the text and that of the buffer. */
        size_t compared = sizes[which] == 0 ? 0 : strlen(theirs) + 1;
        if (length != (size_t)expected || memcmp(ours, theirs, compared) != 0)
            ck_abort_msg("\"%s\" of size %zu: \"%.100s\" (%zu) for \"%s\" (%d)", pattern,
                         sizes[which], ours, length, theirs, expected);
        if (memcmp(ours + sizes[which], untouched, sizeof(ours) - sizes[which]) != 0)
            ck_abort_msg("\"%s\" of size %zu: written beyond the end", pattern, sizes[which]);
    }
}

static void integer_same_as_host(const char *prefix, const char *length, char conversion) {
    static const uint64_t values[] = {
        0,
        1,
        9,
        10,
        255,
        256,
        0x7fff,
        0x8000,
        0x12345678,
        INT_MAX,
        (uint64_t)INT_MAX + 1,
        UINT_MAX,
        INT64_MAX,
        (uint64_t)INT64_MAX + 1,
        UINT64_MAX,
        (uint64_t)-2,
        (uint64_t)INT_MIN,
    };
    char pattern[40];
    snprintf(pattern, sizeof(pattern), "<%s%s%c>", prefix, length, conversion);
    for (size_t which = 0; which < COUNT(values); which++) {
        if (length[0] == 'l' || length[0] == 'z' || length[0] == 'j')
            same_as_host(pattern, values[which]);
        else
            same_as_host(pattern, (unsigned)values[which]);
    }
}

static const char *const widths[] = {"", "1", "2", "5", "12", "30"};
static const char *const precisions[] = {"", ".", ".0", ".1", ".3", ".12", ".25"};

START_TEST(integers_in_every_form) {
    static const char *const flags[] = {"", "-", "0", "-0", "0-", "00"};
    static const char *const lengths[] = {"", "hh", "h", "l", "ll", "z", "j"};
    static const char conversions[] = {'d', 'i', 'u', 'x', 'X'};
    for (size_t flag = 0; flag < COUNT(flags); flag++) {
        for (size_t width = 0; width < COUNT(widths); width++) {
            for (size_t precision = 0; precision < COUNT(precisions); precision++) {
                char prefix[20];
                snprintf(prefix, sizeof(prefix), "%%%s%s%s", flags[flag], widths[width],
                         precisions[precision]);
                for (size_t length = 0; length < COUNT(lengths); length++)
                    integer_same_as_host(prefix, lengths[length], conversions[_i]);
            }
        }
    }
}
END_TEST

START_TEST(strings_in_every_form) {
    static const char *const flags[] = {"", "-"};
    static const char *const strings[] = {"", "a", "axolotl", "a string longer than most widths"};
    for (size_t flag = 0; flag < COUNT(flags); flag++) {
        for (size_t width = 0; width < COUNT(widths); width++) {
            for (size_t precision = 0; precision < COUNT(precisions); precision++) {
                char pattern[20];
                snprintf(pattern, sizeof(pattern), "<%%%s%s%ss>", flags[flag], widths[width],
                         precisions[precision]);
                for (size_t string = 0; string < COUNT(strings); string++)
                    same_as_host(pattern, strings[string]);
            }
        }
    }
}
END_TEST

START_TEST(widths_and_precisions_as_arguments) {
    for (int width = -12; width <= 12; width++) {
        same_as_host("<%*d>", width, -42);
        same_as_host("<%0*lx>", width, 0xbeefUL);
        same_as_host("<%*c>", width, 'x');
        same_as_host("<%*p>", width, (void *)0x1000);
        for (int precision = -2; precision <= 12; precision++) {
            same_as_host("<%*.*s>", width, precision, "axolotl");
            same_as_host("<%*.*d>", width, precision, -42);
            same_as_host("<%0*.*d>", width, precision, -42);
            same_as_host("<%5.*s>", precision, "axolotl");
        }
    }
}
END_TEST

START_TEST(characters_pointers_and_percent) {
    int object;
    same_as_host("");
    same_as_host("no directive");
    same_as_host("%%");
    same_as_host("100%% %s", "sure");
    same_as_host("%c%c%c", 'a', 'b', 'c');
    same_as_host("<%3c|%-3c>", 'a', 'b');
    same_as_host("%p", (void *)&object);
    same_as_host("<%20p|%-20p>", (void *)&object, (void *)&object);
    same_as_host("%s: %d of %zu (%x)", "several", -1, (size_t)7, 0xabcU);
}
END_TEST

START_TEST(null_has_a_form) {
    char text[40];
    const char *volatile none = NULL; /* volatile: compilers warn of a null string */
    ck_assert_uint_eq(format(text, sizeof(text), "<%p|%6p>", (void *)0, (void *)0), 12);
    ck_assert_str_eq(text, "<0x0|   0x0>");
    format(text, sizeof(text), "<%s|%9s|%.3s>", none, none, none);
    ck_assert_str_eq(text, "<(null)|   (null)|(nu>");
}
END_TEST

START_TEST(a_string_with_precision_needs_no_end) {
    char text[10];
    const char bytes[3] = {'a', 'b', 'c'};
    ck_assert_uint_eq(format(text, sizeof(text), "%.3s", bytes), 3);
    ck_assert_str_eq(text, "abc");
}
END_TEST

START_TEST(unknown_directives_are_copied_and_end_the_formatting) {
    static const char *const patterns[] = {
        "%f", "%n", "%o %d", "%+d", "%#x", "% d", "%.", "%-", "%", "%5", "%ll", "%q%s",
    };
    for (size_t which = 0; which < COUNT(patterns); which++) {
        char pattern[20], expected[20], text[20];
        snprintf(pattern, sizeof(pattern), "%%d %s", patterns[which]);
        snprintf(expected, sizeof(expected), "1 %s", patterns[which]);
        ck_assert_uint_eq(format(text, sizeof(text), pattern, 1, 2, 3), strlen(expected));
        ck_assert_str_eq(text, expected);
    }
}
END_TEST

START_TEST(no_buffer_gives_the_length) {
    ck_assert_uint_eq(format(NULL, 0, "%s %d", "axolotl", 12345), 13);
}
END_TEST

TCase *base_format_tests(void) {
    TCase *tests = tcase_create("format");
    tcase_set_timeout(tests, 60); /* the sanitizers slow the many cases down */
    tcase_add_loop_test(tests, integers_in_every_form, 0, 5);
    tcase_add_test(tests, strings_in_every_form);
    tcase_add_test(tests, widths_and_precisions_as_arguments);
    tcase_add_test(tests, characters_pointers_and_percent);
    tcase_add_test(tests, null_has_a_form);
    tcase_add_test(tests, a_string_with_precision_needs_no_end);
    tcase_add_test(tests, unknown_directives_are_copied_and_end_the_formatting);
    tcase_add_test(tests, no_buffer_gives_the_length);
    return tests;
}
