/* SPDX-License-Identifier: MIT */
/* The first stack of a program, read as a C library reads it. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "lib/load/stack.h"

#include "load_tests.h"

#define TOP UINT64_C(0x7ffd00000000)

static const char *const arguments[] = {"one", "", "three", NULL};
static const char *const environment[] = {"A=b", NULL};
static const struct elf_plan plan = {
    .entry = 0x1234, .headers = 0x400040, .header_size = 56, .header_count = 4};

static struct load_request request;
static struct stack_image image;
static uint64_t *words;

static void build(void) {
    ck_assert_int_eq(stack_measure(&request, &image), AX_OK);
    words = calloc(1, image.size_bytes);
    const struct ax_start start = {.signal_bytes = 4321, .cpu = {.features = 0x12345}};
    stack_build(&request, &plan, &image, &start, TOP, words);
}

static void setup(void) {
    request =
        (struct load_request){.path = "/bin/p", .arguments = arguments, .environment = environment};
    for (int i = 0; i < 16; i++)
        request.entropy[i] = (uint8_t)(i + 1);
    build();
}

static void teardown(void) {
    free(words);
}

/* What the program sees at one of its addresses. */
static const char *at(uint64_t address) {
    uint64_t start = TOP - image.size_bytes;
    ck_assert(address >= start && address < TOP);
    return (const char *)words + (address - start);
}

START_TEST(arguments_and_environment_are_in_order) {
    ck_assert_uint_eq(image.size_bytes % 16, 0);
    ck_assert_uint_eq(words[0], 3);
    ck_assert_str_eq(at(words[1]), "one");
    ck_assert_str_eq(at(words[2]), "");
    ck_assert_str_eq(at(words[3]), "three");
    ck_assert_uint_eq(words[4], 0);
    ck_assert_str_eq(at(words[5]), "A=b");
    ck_assert_uint_eq(words[6], 0);
    ck_assert_uint_eq(words[image.size_bytes / 8 - 1], 0);
}
END_TEST

static uint64_t aux(uint64_t key) {
    for (const uint64_t *pair = words + 7; pair[0] != AT_NULL; pair += 2) {
        if (pair[0] == key)
            return pair[1];
    }
    ck_abort_msg("no entry %llu", (unsigned long long)key);
    return 0;
}

START_TEST(the_auxiliary_vector_has_what_libraries_want) {
    ck_assert_uint_eq(aux(AT_PHDR), 0x400040);
    ck_assert_uint_eq(aux(AT_PHENT), 56);
    ck_assert_uint_eq(aux(AT_PHNUM), 4);
    ck_assert_uint_eq(aux(AT_PAGESZ), 4096);
    ck_assert_uint_eq(aux(AT_BASE), 0);
    ck_assert_uint_eq(aux(AT_ENTRY), 0x1234);
    ck_assert_uint_eq(aux(AT_UID) + aux(AT_EUID) + aux(AT_GID) + aux(AT_EGID), 0);
    ck_assert_uint_eq(aux(AT_SECURE), 0);
    ck_assert_uint_eq(aux(AT_CLKTCK), 100);
    ck_assert_uint_ne(aux(AT_HWCAP), 0);
    ck_assert_uint_eq(aux(AT_HWCAP2), 0);
    ck_assert_uint_eq(aux(51), 4321); /* AT_MINSIGSTKSZ */
    ck_assert_mem_eq(at(aux(AT_RANDOM)), request.entropy, 16);
    ck_assert_str_eq(at(aux(AT_PLATFORM)), "x86_64");
    ck_assert_str_eq(at(aux(AT_EXECFN)), "/bin/p");
}
END_TEST

START_TEST(there_may_be_no_arguments_at_all) {
    free(words);
    request.arguments = request.environment = NULL;
    build();
    ck_assert_uint_eq(words[0], 0);
    ck_assert_uint_eq(words[1], 0);
    ck_assert_uint_eq(words[2], 0);
    ck_assert_uint_eq(words[3], AT_PHDR);
}
END_TEST

/* Strings neither overlap the vector nor each other, whatever their lengths. */
START_TEST(every_length_fits) {
    static char path[64];
    for (size_t length = 0; length < sizeof(path) - 1; length++) {
        free(words);
        memset(path, 'p', length);
        path[length] = '\0';
        request.path = path;
        build();
        ck_assert_uint_eq(image.size_bytes % 16, 0);
        ck_assert_str_eq(at(aux(AT_EXECFN)), path);
        ck_assert_str_eq(at(words[1]), "one");
        ck_assert_uint_eq(aux(AT_NULL + 3), 0x400040);
    }
}
END_TEST

START_TEST(too_long_a_list_is_refused) {
    char *longest = malloc(LOAD_STRINGS_MAX / 2 + 2);
    memset(longest, 'x', LOAD_STRINGS_MAX / 2 + 1);
    longest[LOAD_STRINGS_MAX / 2 + 1] = '\0';
    const char *const two[] = {longest, longest, NULL};
    request.environment = two;
    ck_assert_int_eq(stack_measure(&request, &image), AX_ERR_LIMIT);
    free(longest);
}
END_TEST

TCase *load_stack_tests(void) {
    TCase *tcase = tcase_create("stack");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, arguments_and_environment_are_in_order);
    tcase_add_test(tcase, the_auxiliary_vector_has_what_libraries_want);
    tcase_add_test(tcase, there_may_be_no_arguments_at_all);
    tcase_add_test(tcase, every_length_fits);
    tcase_add_test(tcase, too_long_a_list_is_refused);
    return tcase;
}
