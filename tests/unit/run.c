/* SPDX-License-Identifier: MIT */
#include <run/run.h>

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[AX_RUN_REQUEST_MAX];
static struct run_message message;
static struct run_request request;
static size_t taken;

/* Read from memory of just its size, for the sanitizer to see what lies behind. */
static enum run_error read_of(size_t size, enum run_way way) {
    uint8_t *copy = malloc(size + (size == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    enum run_error error = run_message_read(copy, size, way, &message, &taken);
    free(copy);
    return error;
}

static size_t write_of(uint32_t kind, uint64_t a, uint64_t b, uint64_t c, const char *text) {
    return run_message_write(
        &(struct run_message){
            .kind = kind, .words = {a, b, c}, .text = text, .text_length = strlen(text)},
        bytes);
}

/* ---- Messages -------------------------------------------------------------------------------- */

static const struct {
    uint32_t kind;
    enum run_way way;
    uint64_t words[RUN_WORDS];
    const char *text;
} samples[] = {
    {AX_RUN_READY, RUN_FROM_INSIDE, {AX_RUN_VERSION}, ""},
    {AX_RUN_NOTE, RUN_FROM_INSIDE, {0}, "unknown call 999: 3 times"},
    {AX_RUN_TERMINAL, RUN_FROM_INSIDE, {AX_RUN_TERMINAL_LINES}, ""},
    {AX_RUN_REPORT, RUN_FROM_INSIDE, {1}, "thread 7 waits for a call\n"},
    {AX_RUN_ENDED, RUN_FROM_INSIDE, {AX_RUN_END_EXIT, 255}, ""},
    {AX_RUN_ENDED, RUN_FROM_INSIDE, {AX_RUN_END_SIGNAL, 64}, "at 0x10"},
    {AX_RUN_ENDED, RUN_FROM_INSIDE, {AX_RUN_END_NOT_FOUND, 0}, "frob"},
    {AX_RUN_ENDED, RUN_FROM_INSIDE, {AX_RUN_END_NOT_EXECUTABLE, ENOEXEC}, "frob"},
    {AX_RUN_ENDED, RUN_FROM_INSIDE, {AX_RUN_END_UNSTARTED, ENOMEM}, "no memory"},
    {AX_RUN_GET_ENTRY, RUN_FROM_INSIDE, {3, 0100644, UINT64_C(1) << 40}, "a/b"},
    {AX_RUN_GET_DATA, RUN_FROM_INSIDE, {3}, "content"},
    {AX_RUN_GET_END, RUN_FROM_INSIDE, {3, EACCES}, "a"},
    {AX_RUN_DONE, RUN_FROM_INSIDE, {0}, ""},
    {AX_RUN_RESIZE, RUN_FROM_OUTSIDE, {80, 65535}, ""},
    {AX_RUN_STOP, RUN_FROM_OUTSIDE, {AX_RUN_STOP_TIMEOUT}, ""},
    {AX_RUN_TERMINAL_READY, RUN_FROM_OUTSIDE, {0}, ""},
};

START_TEST(each_message_is_read_as_written) {
    size_t size = write_of(samples[_i].kind, samples[_i].words[0], samples[_i].words[1],
                           samples[_i].words[2], samples[_i].text);
    enum run_way other = samples[_i].way == RUN_FROM_INSIDE ? RUN_FROM_OUTSIDE : RUN_FROM_INSIDE;
    for (size_t part = 0; part < size; part++)
        ck_assert_int_eq(read_of(part, samples[_i].way), RUN_MORE);
    ck_assert_int_eq(read_of(size, other), RUN_KIND);
    bytes[size] = 99; /* the next one's */
    ck_assert_int_eq(run_message_read(bytes, size + 1, samples[_i].way, &message, &taken), RUN_OK);
    ck_assert_uint_eq(taken, size);
    ck_assert_uint_eq(message.kind, samples[_i].kind);
    ck_assert_mem_eq(message.words, samples[_i].words, sizeof(message.words));
    ck_assert_uint_eq(message.text_length, strlen(samples[_i].text));
    ck_assert_mem_eq(message.text, samples[_i].text, message.text_length);
}
END_TEST

static void word_set(unsigned word, uint64_t value) {
    memcpy(bytes + sizeof(struct ax_run_frame) + word * sizeof(value), &value, sizeof(value));
}

static void size_set(uint32_t size) {
    memcpy(bytes + offsetof(struct ax_run_frame, size), &size, sizeof(size));
}

static void kind_set(uint32_t kind) {
    memcpy(bytes, &kind, sizeof(kind));
}

START_TEST(messages_of_no_kind_are_refused) {
    write_of(AX_RUN_DONE, 0, 0, 0, "");
    static const uint32_t kinds[] = {0, AX_RUN_DONE + 1, AX_RUN_RESIZE - 1,
                                     AX_RUN_TERMINAL_READY + 1, UINT32_MAX};
    kind_set(kinds[_i]);
    ck_assert_int_eq(read_of(8, RUN_FROM_INSIDE), RUN_KIND);
    ck_assert_int_eq(read_of(8, RUN_FROM_OUTSIDE), RUN_KIND);
}
END_TEST

START_TEST(sizes_that_cannot_be_are_refused_before_all_has_come) {
    write_of(AX_RUN_ENDED, AX_RUN_END_EXIT, 0, 0, "");
    size_set(15);
    ck_assert_int_eq(read_of(8, RUN_FROM_INSIDE), RUN_SIZE);
    size_set(AX_RUN_PAYLOAD_MAX + 1);
    ck_assert_int_eq(read_of(8, RUN_FROM_INSIDE), RUN_SIZE);
    size_set(UINT32_MAX);
    ck_assert_int_eq(read_of(8, RUN_FROM_INSIDE), RUN_SIZE);
    size_set(AX_RUN_PAYLOAD_MAX);
    ck_assert_int_eq(read_of(8, RUN_FROM_INSIDE), RUN_MORE);
    memset(bytes + 24, 'x', AX_RUN_PAYLOAD_MAX);
    ck_assert_int_eq(read_of(RUN_MESSAGE_MAX, RUN_FROM_INSIDE), RUN_OK);
}
END_TEST

START_TEST(texts_where_none_may_be_are_refused) {
    write_of(AX_RUN_NOTE, 0, 0, 0, "text");
    kind_set(AX_RUN_DONE);
    ck_assert_int_eq(read_of(12, RUN_FROM_INSIDE), RUN_SIZE);
}
END_TEST

static void value_is(uint32_t kind, uint64_t a, uint64_t b, enum run_error expected) {
    size_t size = write_of(AX_RUN_GET_ENTRY, 0, 0, 0, "");
    size_t words = kind == AX_RUN_GET_ENTRY ? 3
                   : kind == AX_RUN_READY || kind == AX_RUN_TERMINAL || kind == AX_RUN_REPORT ||
                           kind == AX_RUN_STOP
                       ? 1
                       : 2;
    kind_set(kind);
    size_set((uint32_t)(words * 8));
    word_set(0, a);
    if (words > 1)
        word_set(1, b);
    ck_assert_int_eq(read_of(size, kind < AX_RUN_RESIZE ? RUN_FROM_INSIDE : RUN_FROM_OUTSIDE),
                     expected);
}

START_TEST(numbers_that_cannot_be_are_refused) {
    value_is(AX_RUN_READY, AX_RUN_VERSION + 1, 0, RUN_VERSION);
    value_is(AX_RUN_TERMINAL, 2, 0, RUN_VALUE);
    value_is(AX_RUN_REPORT, 2, 0, RUN_VALUE);
    value_is(AX_RUN_ENDED, 0, 0, RUN_VALUE);
    value_is(AX_RUN_ENDED, AX_RUN_END_UNSTARTED + 1, 0, RUN_VALUE);
    value_is(AX_RUN_ENDED, AX_RUN_END_EXIT, 256, RUN_VALUE);
    value_is(AX_RUN_ENDED, AX_RUN_END_SIGNAL, 0, RUN_VALUE);
    value_is(AX_RUN_ENDED, AX_RUN_END_SIGNAL, 65, RUN_VALUE);
    value_is(AX_RUN_ENDED, AX_RUN_END_NOT_FOUND, 1, RUN_VALUE);
    value_is(AX_RUN_ENDED, AX_RUN_END_NOT_EXECUTABLE, 4096, RUN_VALUE);
    value_is(AX_RUN_ENDED, AX_RUN_END_UNSTARTED, UINT64_MAX, RUN_VALUE);
    value_is(AX_RUN_GET_ENTRY, UINT64_C(1) << 32, 0, RUN_VALUE);
    value_is(AX_RUN_GET_ENTRY, 0, 0200000, RUN_VALUE);
    value_is(AX_RUN_GET_END, 0, 4096, RUN_VALUE);
    value_is(AX_RUN_RESIZE, 65536, 0, RUN_VALUE);
    value_is(AX_RUN_RESIZE, 0, 65536, RUN_VALUE);
    value_is(AX_RUN_STOP, 0, 0, RUN_VALUE);
    value_is(AX_RUN_STOP, 3, 0, RUN_VALUE);
}
END_TEST

START_TEST(paths_stay_below) {
    static const char *const good[] = {"", "a", "a/b", "...", "..a/b..", ".a", "a b\n"};
    static const char *const bad[] = {"/",    "/a",   "a/",  "a//b",  ".",        "..",
                                      "a/..", "../a", "./a", "a/./b", "a/../../b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(run_path_is_below(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!run_path_is_below(bad[i], strlen(bad[i])), "%s", bad[i]);
        write_of(AX_RUN_GET_DATA, 0, 0, 0, "________0123456789");
        kind_set(AX_RUN_GET_END);
        word_set(1, 0);
        memcpy(bytes + 24, bad[i], strlen(bad[i]));
        size_set((uint32_t)(16 + strlen(bad[i])));
        ck_assert_int_eq(read_of(24 + strlen(bad[i]), RUN_FROM_INSIDE), RUN_TEXT);
    }
    ck_assert(!run_path_is_below("a\0b", 3));
}
END_TEST

START_TEST(every_error_has_a_text) {
    for (int error = 0; error < RUN_ERROR_COUNT; error++)
        ck_assert_uint_gt(strlen(run_error_text((enum run_error)error)), 3);
    ck_assert_ptr_nonnull(run_error_text((enum run_error)999));
}
END_TEST

/* ---- The request ----------------------------------------------------------------------------- */

static const char *const arguments[] = {"hello", "", "a b"};
static const char *const environment[] = {"K=V", "EMPTY=", "A=B=C"};
static const char *const gets[] = {"/out"};
static const struct run_request full = {
    .flags = AX_RUN_TERMINAL_IN | AX_RUN_TERMINAL_OUT | AX_RUN_VERBOSE,
    .columns = 132,
    .rows = 43,
    .directory = "/tmp",
    .arguments = {.count = 3},
    .environment = {.count = 3},
    .gets = {.count = 1},
};

static size_t request_make(const struct run_request *wanted) {
    return run_request_write(wanted, arguments, environment, gets, bytes, sizeof(bytes));
}

static enum run_error request_of(size_t size) {
    static uint8_t *copy; /* what was read points into it */
    free(copy);
    copy = malloc(size + (size == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    return run_request_read(copy, size, &request);
}

static void strings_are(struct run_strings strings, const char *const *expected, uint32_t count) {
    ck_assert_uint_eq(strings.count, count);
    for (uint32_t i = 0; i < count; i++, strings.first = run_string_next(strings.first))
        ck_assert_str_eq(strings.first, expected[i]);
}

START_TEST(request_is_read_as_written) {
    size_t size = request_make(&full);
    ck_assert_int_eq(request_of(size), RUN_OK);
    ck_assert_uint_eq(request.flags, full.flags);
    ck_assert_uint_eq(request.columns, 132);
    ck_assert_uint_eq(request.rows, 43);
    ck_assert_str_eq(request.directory, "/tmp");
    strings_are(request.arguments, arguments, 3);
    strings_are(request.environment, environment, 3);
    strings_are(request.gets, gets, 1);
}
END_TEST

START_TEST(request_can_be_for_the_interactive_program) {
    size_t size = request_make(&(struct run_request){.directory = ""});
    ck_assert_int_eq(request_of(size), RUN_OK);
    ck_assert_uint_eq(request.arguments.count, 0);
    ck_assert_str_eq(request.directory, "");
}
END_TEST

START_TEST(request_tells_the_room_it_needs) {
    size_t size = request_make(&full);
    for (size_t room = 0; room < size; room++) {
        uint8_t *small = malloc(room + (room == 0));
        ck_assert_ptr_nonnull(small);
        ck_assert_uint_eq(run_request_write(&full, arguments, environment, gets, small, room),
                          size);
        free(small);
    }
}
END_TEST

START_TEST(truncated_requests_are_refused) {
    size_t size = request_make(&full);
    for (size_t part = 0; part < size; part++)
        ck_assert_int_eq(request_of(part), RUN_TRUNCATED);
    bytes[size] = 0;
    ck_assert_int_eq(request_of(size + 1), RUN_TRUNCATED);
}
END_TEST

static enum run_error request_with(size_t field, uint32_t value) {
    size_t size = request_make(&full);
    memcpy(bytes + field, &value, sizeof(value));
    return request_of(size);
}

START_TEST(damaged_requests_are_refused) {
#define FIELD(name) offsetof(struct ax_run_request, name)
    ck_assert_int_eq(request_with(FIELD(magic), 0), RUN_MAGIC);
    ck_assert_int_eq(request_with(FIELD(version), AX_RUN_VERSION + 1), RUN_VERSION);
    ck_assert_int_eq(request_with(FIELD(flags), AX_RUN_FLAGS + 1), RUN_VALUE);
    ck_assert_int_eq(request_with(FIELD(columns), 65536), RUN_VALUE);
    ck_assert_int_eq(request_with(FIELD(rows), UINT32_MAX), RUN_VALUE);
    ck_assert_int_eq(request_with(FIELD(argument_count), 4), RUN_TRUNCATED);
    ck_assert_int_eq(request_with(FIELD(environment_count), UINT32_MAX), RUN_TRUNCATED);
    ck_assert_int_eq(request_with(FIELD(get_count), 0), RUN_TRUNCATED);
    ck_assert_int_eq(request_with(FIELD(string_bytes), UINT32_MAX), RUN_TRUNCATED);
#undef FIELD
    size_t size = request_make(&full);
    bytes[size - 1] = 'x';
    ck_assert_int_eq(request_of(size), RUN_TRUNCATED);
    memset(bytes + size, 0, sizeof(bytes) - size);
    uint8_t *large = calloc(1, AX_RUN_REQUEST_MAX + (size_t)1);
    ck_assert_ptr_nonnull(large);
    memcpy(large, bytes, size);
    ck_assert_int_eq(run_request_read(large, AX_RUN_REQUEST_MAX + (size_t)1, &request), RUN_SIZE);
    free(large);
}
END_TEST

static enum run_error request_of_texts(const char *directory, const char *program,
                                       const char *variable, const char *get) {
    struct run_request wanted = full;
    wanted.directory = directory;
    wanted.arguments.count = wanted.environment.count = wanted.gets.count = 1;
    return request_of(run_request_write(&wanted, &program, &variable, &get, bytes, sizeof(bytes)));
}

START_TEST(texts_that_cannot_be_are_refused) {
    ck_assert_int_eq(request_of_texts("/", "a", "K=V", "/a"), RUN_OK);
    ck_assert_int_eq(request_of_texts("tmp", "a", "K=V", "/a"), RUN_TEXT);
    ck_assert_int_eq(request_of_texts("/", "", "K=V", "/a"), RUN_TEXT);
    ck_assert_int_eq(request_of_texts("/", "a", "=V", "/a"), RUN_TEXT);
    ck_assert_int_eq(request_of_texts("/", "a", "K", "/a"), RUN_TEXT);
    ck_assert_int_eq(request_of_texts("/", "a", "", "/a"), RUN_TEXT);
    ck_assert_int_eq(request_of_texts("/", "a", "K=V", "a"), RUN_TEXT);
    ck_assert_int_eq(request_of_texts("/", "a", "K=V", ""), RUN_TEXT);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("run");
    TCase *messages = tcase_create("messages"), *requests = tcase_create("request");
    tcase_add_loop_test(messages, each_message_is_read_as_written, 0,
                        sizeof(samples) / sizeof(samples[0]));
    tcase_add_loop_test(messages, messages_of_no_kind_are_refused, 0, 5);
    tcase_add_test(messages, sizes_that_cannot_be_are_refused_before_all_has_come);
    tcase_add_test(messages, texts_where_none_may_be_are_refused);
    tcase_add_test(messages, numbers_that_cannot_be_are_refused);
    tcase_add_test(messages, paths_stay_below);
    tcase_add_test(messages, every_error_has_a_text);
    tcase_add_test(requests, request_is_read_as_written);
    tcase_add_test(requests, request_can_be_for_the_interactive_program);
    tcase_add_test(requests, request_tells_the_room_it_needs);
    tcase_add_test(requests, truncated_requests_are_refused);
    tcase_add_test(requests, damaged_requests_are_refused);
    tcase_add_test(requests, texts_that_cannot_be_are_refused);
    suite_add_tcase(suite, messages);
    suite_add_tcase(suite, requests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
