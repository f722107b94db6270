/* SPDX-License-Identifier: MIT */
/* What a process is like that the loader made, and what is left when it could not. */
#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <load/load.h>

#include "book.h"
#include "load_tests.h"

#define TEXT UINT64_C(0x400000)
#define DATA UINT64_C(0x402000)

/* In the image: the program from its second page on, the personality from its ninth. */
#define PROGRAM_AT     UINT64_C(0x1000)
#define PROGRAM_BYTES  UINT64_C(0x3010)
#define PERSONALITY_AT UINT64_C(0x8000)

static struct load_request request;
static struct load_result result;

/* A page of text, then a page and 16 bytes of data, with two pages of zeroes behind. */
static void program_write(uint8_t *to) {
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = TEXT + 0x800,
        .e_phoff = sizeof(header),
        .e_ehsize = sizeof(header),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 2,
    };
    Elf64_Phdr segments[2] = {
        {.p_type = PT_LOAD,
         .p_flags = PF_R | PF_X,
         .p_vaddr = TEXT,
         .p_filesz = 0x1800,
         .p_memsz = 0x1800,
         .p_align = 0x1000},
        {.p_type = PT_LOAD,
         .p_flags = PF_R | PF_W,
         .p_offset = 0x2000,
         .p_vaddr = DATA,
         .p_filesz = 0x1010,
         .p_memsz = 0x3000,
         .p_align = 0x1000},
    };
    memset(to, 0x90, PROGRAM_BYTES);
    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), segments, sizeof(segments));
    memset(to + 0x2000, 0xda, 0x1010);
}

static void setup(void) {
    book_start();
    memset(book_image, 0xee, sizeof(book_image));
    program_write(book_image + PROGRAM_AT);
    struct ax_personality_image header = {
        .magic = AX_PERSONALITY_MAGIC,
        .size_bytes = 0x1234,
        .start = AX_PERSONALITY_START + 0x100,
        .personality = {.entry = AX_PERSONALITY_START + 0x200},
    };
    memcpy(book_image + PERSONALITY_AT, &header, sizeof(header));
    static const char *const arguments[] = {"hello", "world", NULL};
    request = (struct load_request){
        .program = {BOOK_IMAGE, PROGRAM_AT, book_image + PROGRAM_AT, PROGRAM_BYTES},
        .personality = {BOOK_IMAGE, PERSONALITY_AT, book_image + PERSONALITY_AT, 0x1300},
        .path = "/bin/hello",
        .arguments = arguments,
        .priority = -1,
    };
    memset(request.entropy, 0xff, sizeof(request.entropy));
}

static struct ax_start start_block(void) {
    struct ax_start start;
    book_read(AX_START_ADDRESS, &start, sizeof(start));
    return start;
}

START_TEST(whole_pages_are_mapped_and_rests_are_copied) {
    uint32_t prot;
    bool is_image;
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    ck_assert(book_mapping(TEXT, &prot, &is_image));
    ck_assert(is_image);
    ck_assert_uint_eq(prot, AX_PROT_READ | AX_PROT_EXECUTE);
    ck_assert(book_mapping(TEXT + 0x1000, &prot, &is_image));
    ck_assert(is_image); /* a rest that is only read */
    ck_assert(book_mapping(DATA, &prot, &is_image));
    ck_assert(is_image);
    ck_assert_uint_eq(prot, AX_PROT_READ | AX_PROT_WRITE);
    ck_assert(book_mapping(DATA + 0x1000, &prot, &is_image));
    ck_assert(!is_image);
    ck_assert_uint_eq(book_byte(DATA + 0x100f), 0xda);
    ck_assert_uint_eq(book_byte(DATA + 0x1010), 0);
    ck_assert_uint_eq(book_byte(DATA + 0x2fff), 0);
    ck_assert(!book_mapping(DATA + 0x3000, &prot, &is_image));
}
END_TEST

START_TEST(what_is_small_is_there_before_it_is_touched) {
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    struct ax_start start = start_block();
    ck_assert(book_is_ahead(TEXT));
    ck_assert(book_is_ahead(DATA));
    ck_assert(book_is_ahead(DATA + 0x1000));
    ck_assert(book_is_ahead(AX_PERSONALITY_START));
    ck_assert(book_is_ahead(AX_START_ADDRESS));
    ck_assert(book_is_ahead(start.stack - 0x1000));
    ck_assert(book_is_ahead(start.stack_start + start.stack_bytes - 1));
    ck_assert(!book_is_ahead(start.stack_start));
}
END_TEST

START_TEST(what_the_processor_says_is_passed_on) {
    request.cpu = (struct ax_start_cpu){.vector_mask = 7, .vector_bytes = 832, .features = 99};
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    struct ax_start start = start_block();
    ck_assert_uint_eq(start.cpu.vector_mask, 7);
    ck_assert_uint_eq(start.cpu.vector_bytes, 832);
    ck_assert_uint_eq(start.cpu.features, 99);
    ck_assert_uint_gt(start.signal_bytes, 832);
    ck_assert_uint_lt(start.signal_bytes, 832 + 1024);
}
END_TEST

START_TEST(a_program_that_is_not_aligned_is_copied) {
    uint32_t prot;
    bool is_image;
    program_write(book_image + PROGRAM_AT + 4);
    request.program.offset += 4;
    request.program.bytes = book_image + PROGRAM_AT + 4;
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    ck_assert(book_mapping(TEXT, &prot, &is_image));
    ck_assert(!is_image);
    ck_assert_uint_eq(book_byte(TEXT + 0x17ff), 0x90);
    ck_assert_uint_eq(book_byte(DATA + 0x100f), 0xda);
    ck_assert_uint_eq(book_byte(DATA + 0x1010), 0);
}
END_TEST

START_TEST(the_thread_starts_in_the_personality) {
    request.priority = 7;
    request.label = 99;
    request.authority = BOOK_OWN;
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    ck_assert_uint_eq(result.process, BOOK_PROCESS);
    ck_assert_uint_eq(result.thread, BOOK_THREAD);
    ck_assert_uint_eq(book.thread_entry, AX_PERSONALITY_START + 0x100);
    ck_assert_uint_eq(book.thread_stack, AX_START_STACK);
    ck_assert_uint_eq(book.thread_argument, AX_START_ADDRESS);
    ck_assert_uint_eq(book.personality.entry, AX_PERSONALITY_START + 0x200);
    ck_assert_uint_eq(book.priority, 7);
    ck_assert_uint_eq(book.label, 99);
    ck_assert(book.resumed);
    ck_assert_uint_eq(book.suspended, 0);
    struct ax_start start = start_block();
    ck_assert_uint_eq(start.entry, TEXT + 0x800);
    ck_assert_str_eq(start.name, "hello");
    ck_assert_uint_eq(start.process, 1);
    ck_assert_uint_ge(start.break_start, DATA + 0x3000);
}
END_TEST

START_TEST(without_a_personality_it_starts_at_its_entry) {
    request.personality.size_bytes = 0;
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    struct ax_start start = start_block();
    ck_assert_uint_eq(book.thread_entry, TEXT + 0x800);
    ck_assert_uint_eq(book.thread_stack, start.stack);
    ck_assert_uint_eq(book.thread_stack % 16, 0);
    uint64_t argc;
    book_read(start.stack, &argc, sizeof(argc));
    ck_assert_uint_eq(argc, 2);
}
END_TEST

START_TEST(handles_are_given_by_name) {
    struct load_handle handles[2] = {{"stdin", BOOK_OWN, AX_RIGHT_CALL, false},
                                     {"stdout", BOOK_OWN, AX_RIGHT_WAIT, true}};
    request.handles = handles;
    request.handle_count = 2;
    request.log = BOOK_OWN;
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    struct ax_start start = start_block();
    ck_assert_uint_eq(start.handle_count, 2);
    ck_assert_str_eq(start.handles[0].name, "stdin");
    ck_assert_uint_eq(start.log, 2);
    ck_assert_uint_eq(start.handles[0].handle, 3);
    ck_assert_uint_eq(start.handles[1].handle, 4);
    ck_assert_uint_eq(book.last_rights, AX_RIGHT_WAIT);
    ck_assert_uint_eq(book.closed_own, 1);
}
END_TEST

START_TEST(a_fixed_layout_does_not_depend_on_entropy) {
    request.is_fixed = true;
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    uint64_t stack = start_block().stack;
    book_start();
    memset(request.entropy, 0x31, sizeof(request.entropy));
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    ck_assert_uint_eq(start_block().stack, stack);
    ck_assert_uint_eq(start_block().flags, AX_START_FIXED);
    book_start();
    request.is_fixed = false;
    ck_assert_int_eq(load_process(&request, &result), AX_OK);
    ck_assert_uint_ne(start_block().stack, stack);
}
END_TEST

/* Nothing is left, and the caller has what it had. */
static void check_nothing_left(void) {
    ck_assert(!book.process_open && !book.thread_open);
    ck_assert_uint_eq(book.own_mappings, 0);
    ck_assert_uint_eq(book.closed_own, 0);
    ck_assert_uint_eq(result.process, AX_HANDLE_NONE);
    ck_assert_uint_eq(result.thread, AX_HANDLE_NONE);
    ck_assert_ptr_nonnull(result.failed);
}

START_TEST(whichever_call_fails_nothing_is_left) {
    struct load_handle handle = {"stdin", BOOK_OWN, AX_RIGHT_CALL, true};
    request.handles = &handle;
    request.handle_count = 1;
    request.priority = 3;
    request.log = request.authority = request.account = BOOK_OWN;
    request.account_rights = AX_RIGHT_READ;
    unsigned fail_at = 1;
    for (;; fail_at++) {
        book_start();
        book.fail_at = fail_at;
        if (load_process(&request, &result) == AX_OK)
            break;
        check_nothing_left();
        ck_assert(book.process_ended || fail_at == 1);
        ck_assert_uint_eq(result.cause, AX_CAUSE_NONE);
    }
    ck_assert_uint_gt(fail_at, 20);
}
END_TEST

START_TEST(a_process_that_is_killed_meanwhile_is_told_apart) {
    book.fail_at = 5;
    book.cause = AX_CAUSE_KILLED;
    ck_assert_int_lt(load_process(&request, &result), 0);
    ck_assert_uint_eq(result.cause, AX_CAUSE_KILLED);
    check_nothing_left();
}
END_TEST

/* The request is refused before anything was made. */
static void check_refused(ax_result error, const char *words) {
    ck_assert_int_eq(load_process(&request, &result), error);
    ck_assert_msg(strstr(result.failed, words) != NULL, "%s", result.failed);
    ck_assert_uint_eq(book.call_count, 0);
}

START_TEST(what_cannot_be_run_is_refused_by_name) {
    request.program.size_bytes = 10;
    check_refused(AX_ERR_ARGUMENT, "");
    setup();
    request.personality.size_bytes = 8;
    check_refused(AX_ERR_ARGUMENT, "personality");
    setup();
    book_image[PERSONALITY_AT] ^= 1;
    check_refused(AX_ERR_ARGUMENT, "magic");
    setup();
    request.personality.size_bytes = 0x1233;
    check_refused(AX_ERR_ARGUMENT, "as long as it says");
    setup();
    struct load_handle handles[AX_START_HANDLES + 1];
    request.handles = handles;
    request.handle_count = AX_START_HANDLES + 1;
    check_refused(AX_ERR_LIMIT, "handles");
    setup();
    char *longest = malloc(LOAD_STRINGS_MAX + 1);
    memset(longest, 'x', LOAD_STRINGS_MAX);
    longest[LOAD_STRINGS_MAX] = '\0';
    request.path = longest;
    check_refused(AX_ERR_LIMIT, "arguments");
    free(longest);
}
END_TEST

START_TEST(a_bad_name_of_a_handle_is_refused) {
    static const char *const names[] = {"", "abcdefghijklmnopqrstuvwx"};
    for (int i = 0; i < 2; i++) {
        setup();
        struct load_handle handle = {names[i], BOOK_OWN, AX_RIGHT_CALL, true};
        request.handles = &handle;
        request.handle_count = 1;
        ck_assert_int_eq(load_process(&request, &result), AX_ERR_ARGUMENT);
        check_nothing_left();
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("load");
    TCase *tcase = tcase_create("load");
    tcase_add_checked_fixture(tcase, setup, book_end);
    tcase_add_test(tcase, whole_pages_are_mapped_and_rests_are_copied);
    tcase_add_test(tcase, a_program_that_is_not_aligned_is_copied);
    tcase_add_test(tcase, what_is_small_is_there_before_it_is_touched);
    tcase_add_test(tcase, what_the_processor_says_is_passed_on);
    tcase_add_test(tcase, the_thread_starts_in_the_personality);
    tcase_add_test(tcase, without_a_personality_it_starts_at_its_entry);
    tcase_add_test(tcase, handles_are_given_by_name);
    tcase_add_test(tcase, a_fixed_layout_does_not_depend_on_entropy);
    tcase_add_test(tcase, whichever_call_fails_nothing_is_left);
    tcase_add_test(tcase, a_process_that_is_killed_meanwhile_is_told_apart);
    tcase_add_test(tcase, what_cannot_be_run_is_refused_by_name);
    tcase_add_test(tcase, a_bad_name_of_a_handle_is_refused);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, load_stack_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
