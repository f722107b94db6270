/* SPDX-License-Identifier: MIT */
#include <cpio/cpio.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An archive under construction, in memory of just its size each time it is read. */
static uint8_t bytes[1 << 16];
static size_t length;
static uint8_t *copy;

struct wanted {
    const char *name;
    uint32_t mode;
    const char *content;
    uint32_t inode, link_count;
    size_t name_size; /* 0: as long as needed */
};

static void put_bytes(const void *source, size_t size) {
    ck_assert_uint_le(size, sizeof(bytes) - length);
    memcpy(bytes + length, source, size);
    length += size;
}

static void put_zeroes(size_t count) {
    ck_assert_uint_le(count, sizeof(bytes) - length);
    memset(bytes + length, 0, count);
    length += count;
}

static void put(struct wanted wanted) {
    size_t name_length = strlen(wanted.name);
    uint32_t name_size = (uint32_t)(wanted.name_size != 0 ? wanted.name_size : name_length + 1);
    uint32_t size = wanted.content == NULL ? 0 : (uint32_t)strlen(wanted.content);
    char header[CPIO_HEADER_SIZE + 1];
    snprintf(header, sizeof(header), "070701%08x%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             wanted.inode, wanted.mode, 1000U, 100U, wanted.link_count, 0x5f000000U, size, 8U, 1U,
             0U, 0U, name_size, 0U);
    put_bytes(header, CPIO_HEADER_SIZE);
    put_bytes(wanted.name, name_length);
    put_zeroes(name_size - name_length);
    put_zeroes(-length % 4);
    if (size != 0)
        put_bytes(wanted.content, size);
    put_zeroes(-length % 4);
}

static void put_file(const char *name, const char *content) {
    put((struct wanted){.name = name, .mode = CPIO_FILE | 0644, .content = content});
}

static void put_trailer(void) {
    put((struct wanted){.name = CPIO_TRAILER});
}

static struct cpio_archive archive_of(size_t size) {
    free(copy);
    copy = malloc(size + (size == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    return (struct cpio_archive){copy, size};
}

static struct cpio_archive archive(void) {
    return archive_of(length);
}

static void archive_reset(void) {
    length = 0;
}

static void archive_drop(void) {
    free(copy);
    copy = NULL;
}

static void check_is(enum cpio_error expected, size_t expected_offset) {
    struct cpio_archive read = archive();
    size_t offset;
    enum cpio_error error = cpio_check(&read, &offset);
    if (error != expected)
        ck_abort_msg("\"%s\" instead of \"%s\"", cpio_error_text(error), cpio_error_text(expected));
    if (expected != CPIO_OK)
        ck_assert_uint_eq(offset, expected_offset);
}

static void find_is(const char *path, const char *content) {
    struct cpio_archive read = archive();
    struct cpio_entry entry;
    enum cpio_error error = cpio_find(&read, path, strlen(path), &entry);
    if (content == NULL) {
        ck_assert_int_eq(error, CPIO_ABSENT);
        return;
    }
    ck_assert_int_eq(error, CPIO_OK);
    ck_assert_uint_eq(entry.size_bytes, strlen(content));
    ck_assert_mem_eq(cpio_content(&read, &entry), content, entry.size_bytes);
}

/* ---- What is there --------------------------------------------------------------------------- */

START_TEST(entries_come_one_after_the_other) {
    struct cpio_cursor cursor = {0};
    struct cpio_entry entry;
    put((struct wanted){.name = "bin", .mode = CPIO_DIRECTORY | 0755, .inode = 1, .link_count = 2});
    put_file("bin/hello", "hello, world");
    put((struct wanted){.name = "bin/hi", .mode = CPIO_LINK | 0777, .content = "hello"});
    put((struct wanted){.name = "empty", .mode = CPIO_FILE | 04711});
    put_trailer();
    struct cpio_archive read = archive();

    ck_assert_int_eq(cpio_next(&read, &cursor, &entry), CPIO_OK);
    ck_assert_uint_eq(entry.name_length, 3);
    ck_assert_mem_eq(entry.name, "bin", 3);
    ck_assert_uint_eq(entry.mode, CPIO_DIRECTORY | 0755);
    ck_assert_uint_eq(entry.uid, 1000);
    ck_assert_uint_eq(entry.gid, 100);
    ck_assert_uint_eq(entry.mtime, 0x5f000000);
    ck_assert_uint_eq(entry.link_count, 2);
    ck_assert_uint_eq(entry.inode, 1);
    ck_assert_uint_eq(entry.device_major, 8);
    ck_assert_uint_eq(entry.header, 0);
    ck_assert_uint_eq(entry.part, 1);

    ck_assert_int_eq(cpio_next(&read, &cursor, &entry), CPIO_OK);
    ck_assert_mem_eq(entry.name, "bin/hello", entry.name_length);
    ck_assert_uint_eq(entry.size_bytes, 12);
    ck_assert_mem_eq(cpio_content(&read, &entry), "hello, world", 12);

    ck_assert_int_eq(cpio_next(&read, &cursor, &entry), CPIO_OK);
    ck_assert_uint_eq(entry.mode & CPIO_TYPE_MASK, CPIO_LINK);
    ck_assert_mem_eq(cpio_content(&read, &entry), "hello", 5);

    ck_assert_int_eq(cpio_next(&read, &cursor, &entry), CPIO_OK);
    ck_assert_uint_eq(entry.mode, CPIO_FILE | 04711);
    ck_assert_uint_eq(entry.size_bytes, 0);
    ck_assert_int_eq(cpio_next(&read, &cursor, &entry), CPIO_END);
    ck_assert_int_eq(cpio_next(&read, &cursor, &entry), CPIO_END);
}
END_TEST

START_TEST(empty_archive_has_nothing) {
    put_trailer();
    check_is(CPIO_OK, 0);
    find_is("bin", NULL);
}
END_TEST

START_TEST(names_are_found_however_they_are_written) {
    put_file("./etc/manifest", "one");
    put_file("/usr//bin/./true", "two");
    put_file("dir/", "three");
    put_trailer();
    find_is("/etc/manifest", "one");
    find_is("etc/manifest", "one");
    find_is("//etc/.//manifest/", "one");
    find_is("/usr/bin/true", "two");
    find_is("dir", "three");
    find_is("/etc/manifes", NULL);
    find_is("/etc/manifest2", NULL);
    find_is("/etc/manifest/x", NULL);
    find_is("/etc", NULL);
    find_is("/usr/bin/../bin/true", NULL);
    find_is("/", NULL);
    find_is("", NULL);
}
END_TEST

START_TEST(root_can_be_an_entry) {
    struct cpio_archive read;
    struct cpio_entry entry;
    put((struct wanted){.name = ".", .mode = CPIO_DIRECTORY | 0700});
    put_trailer();
    read = archive();
    ck_assert_int_eq(cpio_find(&read, "/", 1, &entry), CPIO_OK);
    ck_assert_uint_eq(entry.name_length, 0);
    ck_assert_uint_eq(entry.mode, CPIO_DIRECTORY | 0700);
}
END_TEST

START_TEST(later_entries_take_the_place_of_earlier_ones) {
    put_file("a", "old");
    put_file("b", "b");
    put_file("./a", "new");
    put_trailer();
    find_is("a", "new");
    find_is("b", "b");
}
END_TEST

START_TEST(archives_follow_each_other) {
    put_file("a", "old");
    put_file("b", "b");
    put_trailer();
    put_zeroes(-length % 4096);
    put_file("a", "new");
    put_trailer();
    put_file("c", "c"); /* right behind */
    put_trailer();
    put_zeroes(511); /* what is last may be padded by any number */
    check_is(CPIO_OK, 0);
    find_is("a", "new");
    find_is("b", "b");
    find_is("c", "c");
    find_is(CPIO_TRAILER, NULL);
}
END_TEST

START_TEST(zeroes_after_a_name_align_the_content) {
    struct cpio_archive read;
    struct cpio_entry entry;
    put((struct wanted){.name = "program",
                        .mode = CPIO_FILE | 0755,
                        .content = "code",
                        .name_size = 4096 - CPIO_HEADER_SIZE});
    put_trailer();
    read = archive();
    ck_assert_int_eq(cpio_find(&read, "program", 7, &entry), CPIO_OK);
    ck_assert_uint_eq(entry.offset, 4096);
    find_is("program", "code");
}
END_TEST

START_TEST(links_of_a_file_share_its_content) {
    put((struct wanted){.name = "a", .mode = CPIO_FILE | 0644, .inode = 5, .link_count = 3});
    put((struct wanted){.name = "b", .mode = CPIO_FILE | 0644, .inode = 5, .link_count = 3});
    put((struct wanted){.name = "other", .mode = CPIO_FILE | 0644, .inode = 6, .link_count = 2});
    put((struct wanted){.name = "alone", .mode = CPIO_FILE | 0644, .inode = 5, .link_count = 1});
    put((struct wanted){
        .name = "c", .mode = CPIO_FILE | 0644, .content = "shared", .inode = 5, .link_count = 3});
    put_trailer();
    put((struct wanted){.name = "d", .mode = CPIO_FILE | 0644, .inode = 5, .link_count = 2});
    put_trailer();
    find_is("a", "shared");
    find_is("b", "shared");
    find_is("c", "shared");
    find_is("other", "");
    find_is("alone", "");
    find_is("d", ""); /* numbers of another archive say nothing */
}
END_TEST

/* ---- What is damaged ------------------------------------------------------------------------- */

START_TEST(every_truncation_is_noticed) {
    put((struct wanted){.name = "dir", .mode = CPIO_DIRECTORY | 0755});
    put_file("dir/file", "content");
    put_trailer();
    size_t shortest = length - 1; /* the padding behind the trailer's name is nothing to miss */
    while (bytes[shortest - 2] == 0)
        shortest--;
    for (size_t size = 0; size < length; size++) {
        struct cpio_archive read = archive_of(size);
        size_t offset;
        enum cpio_error error = cpio_check(&read, &offset);
        ck_assert_int_eq(error, size < shortest ? CPIO_TRUNCATED : CPIO_OK);
        ck_assert_uint_le(offset, size);
    }
}
END_TEST

START_TEST(every_number_must_be_hexadecimal) {
    put_file("first", "1");
    size_t second = length;
    put_file("second", "2");
    put_trailer();
    for (size_t at = 0; at < CPIO_HEADER_SIZE; at++) {
        uint8_t before = bytes[second + at];
        bytes[second + at] = 'g';
        check_is(at < 6 ? CPIO_MAGIC : CPIO_NUMBER, second);
        bytes[second + at] = ' ';
        check_is(at < 6 ? CPIO_MAGIC : CPIO_NUMBER, second);
        bytes[second + at] = before;
    }
    check_is(CPIO_OK, 0);
}
END_TEST

static void damaged(struct wanted wanted, enum cpio_error expected) {
    archive_reset();
    put_file("good", "1");
    size_t at = length;
    put(wanted);
    put_trailer();
    check_is(expected, at);
}

static void bad_name(const char *name) {
    damaged((struct wanted){.name = name, .mode = CPIO_FILE}, CPIO_NAME);
}

START_TEST(names_are_checked) {
    char name[CPIO_NAME_MAX + 2];
    bad_name("");
    bad_name("..");
    bad_name("../etc/passwd");
    bad_name("a/../../b");
    bad_name("a/..");
    damaged((struct wanted){.name = "..a/b../...", .mode = CPIO_FILE}, CPIO_OK);
    memset(name, 'n', sizeof(name));
    name[CPIO_NAME_MAX] = '\0';
    damaged((struct wanted){.name = name, .mode = CPIO_FILE}, CPIO_OK);
    name[CPIO_NAME_MAX] = 'n';
    name[CPIO_NAME_MAX + 1] = '\0';
    bad_name(name);
    damaged((struct wanted){.name = "not terminated", .mode = CPIO_FILE, .name_size = 14},
            CPIO_NAME);
    damaged((struct wanted){.name = "far too long", .mode = CPIO_FILE, .name_size = 9000},
            CPIO_NAME);
}
END_TEST

START_TEST(text_behind_a_name_is_refused) {
    put((struct wanted){.name = "name", .mode = CPIO_FILE, .name_size = 10});
    bytes[CPIO_HEADER_SIZE + 7] = 'x';
    put_trailer();
    check_is(CPIO_NAME, 0);
}
END_TEST

START_TEST(types_and_content_must_agree) {
    damaged((struct wanted){.name = "x", .mode = 0644}, CPIO_TYPE);
    damaged((struct wanted){.name = "x", .mode = 0170000}, CPIO_TYPE);
    damaged((struct wanted){.name = "x", .mode = 0200000 | CPIO_FILE}, CPIO_TYPE);
    damaged((struct wanted){.name = "x", .mode = CPIO_LINK}, CPIO_CONTENT);
    damaged((struct wanted){.name = "x", .mode = CPIO_DIRECTORY, .content = "y"}, CPIO_CONTENT);
    damaged((struct wanted){.name = "x", .mode = CPIO_FIFO, .content = "y"}, CPIO_CONTENT);
    damaged((struct wanted){.name = "x", .mode = CPIO_SOCKET, .content = "y"}, CPIO_CONTENT);
    damaged((struct wanted){.name = "x", .mode = CPIO_CHARACTER_DEVICE}, CPIO_OK);
    damaged((struct wanted){.name = "x", .mode = CPIO_BLOCK_DEVICE}, CPIO_OK);
    damaged((struct wanted){.name = CPIO_TRAILER, .content = "y"}, CPIO_CONTENT);
}
END_TEST

START_TEST(link_text_has_no_zero_in_it) {
    put((struct wanted){.name = "l", .mode = CPIO_LINK, .content = "abc"});
    bytes[length - 3] = 0;
    put_trailer();
    check_is(CPIO_CONTENT, 0);
}
END_TEST

START_TEST(something_else_behind_an_archive_is_refused) {
    put_trailer();
    size_t end = length;
    put_zeroes(1);
    put_file("moved", "by one");
    put_trailer();
    check_is(CPIO_MAGIC, end);
    archive_reset();
    put_trailer();
    put_zeroes(8);
    put_bytes("garbage", 7);
    check_is(CPIO_MAGIC, end + 8);
}
END_TEST

START_TEST(damage_is_told_by_find_too) {
    struct cpio_archive read;
    struct cpio_entry entry;
    put_file("a", "1");
    put_bytes("garbage", 7);
    read = archive();
    ck_assert_int_eq(cpio_find(&read, "a", 1, &entry), CPIO_MAGIC);
}
END_TEST

START_TEST(every_result_has_a_text_of_its_own) {
    for (unsigned error = 0; error < CPIO_ERROR_COUNT; error++) {
        for (unsigned other = 0; other < error; other++)
            ck_assert_str_ne(cpio_error_text((enum cpio_error)error),
                             cpio_error_text((enum cpio_error)other));
    }
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("cpio");
    tcase_add_checked_fixture(tests, archive_reset, archive_drop);
    tcase_add_test(tests, entries_come_one_after_the_other);
    tcase_add_test(tests, empty_archive_has_nothing);
    tcase_add_test(tests, names_are_found_however_they_are_written);
    tcase_add_test(tests, root_can_be_an_entry);
    tcase_add_test(tests, later_entries_take_the_place_of_earlier_ones);
    tcase_add_test(tests, archives_follow_each_other);
    tcase_add_test(tests, zeroes_after_a_name_align_the_content);
    tcase_add_test(tests, links_of_a_file_share_its_content);
    tcase_add_test(tests, every_truncation_is_noticed);
    tcase_add_test(tests, every_number_must_be_hexadecimal);
    tcase_add_test(tests, names_are_checked);
    tcase_add_test(tests, text_behind_a_name_is_refused);
    tcase_add_test(tests, types_and_content_must_agree);
    tcase_add_test(tests, link_text_has_no_zero_in_it);
    tcase_add_test(tests, something_else_behind_an_archive_is_refused);
    tcase_add_test(tests, damage_is_told_by_find_too);
    tcase_add_test(tests, every_result_has_a_text_of_its_own);

    Suite *suite = suite_create("cpio");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
