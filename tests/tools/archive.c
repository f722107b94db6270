/* SPDX-License-Identifier: MIT */
/* The library beneath axolotl-image, as whatever starts a machine uses it: without files. */
#include <image/archive.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cpio/cpio.h>

static struct archive archive;
static struct failure failure;
static char *written;
static size_t written_size;

static void reset(void) {
    archive_free(&archive);
    free(written);
    written = NULL;
    failure.text[0] = '\0';
}

/* Finishes it, writes it into memory and reads that. */
static struct cpio_archive archive_written(void) {
    struct output output = {.path = "memory", .fd = memfd_create("archive", 0)};
    ck_assert_int_ge(output.fd, 0);
    ck_assert_msg(archive_finish(&archive, &failure), "%s", failure.text);
    ck_assert_msg(archive_write(&archive, &output, &failure), "%s", failure.text);
    written_size = (size_t)lseek(output.fd, 0, SEEK_CUR);
    written = malloc(written_size);
    ck_assert_ptr_nonnull(written);
    ck_assert_int_eq(pread(output.fd, written, written_size, 0), (ssize_t)written_size);
    close(output.fd);
    size_t offset;
    struct cpio_archive read = {(const uint8_t *)written, written_size};
    ck_assert_int_eq(cpio_check(&read, &offset), CPIO_OK);
    return read;
}

static void add_text(const char *path, const char *text) {
    ck_assert(archive_add_bytes(&archive, path, 0600, text, strlen(text), &failure));
}

static void is_there(const struct cpio_archive *read, const char *path, uint32_t mode,
                     const char *text) {
    struct cpio_entry entry;
    ck_assert_int_eq(cpio_find(read, path, strlen(path), &entry), CPIO_OK);
    ck_assert_uint_eq(entry.mode, mode);
    ck_assert_uint_eq(entry.size_bytes, strlen(text));
    ck_assert_mem_eq(cpio_content(read, &entry), text, entry.size_bytes);
}

static void is_refused(bool result, const char *says) {
    ck_assert(!result);
    if (strstr(failure.text, says) == NULL)
        ck_abort_msg("\"%s\" instead of \"%s\"", failure.text, says);
    archive_free(&archive);
}

START_TEST(bytes_folders_and_links_are_written) {
    add_text("/run/request", "hello");
    add_text("/run/empty", "");
    ck_assert(archive_add_folder(&archive, "/", 0711, &failure));
    ck_assert(archive_add_folder(&archive, "/tmp/", 01777, &failure));
    ck_assert(archive_add_link(&archive, "/run/link", "request", &failure));
    struct cpio_archive read = archive_written();
    is_there(&read, "/", CPIO_DIRECTORY | 0711, "");
    is_there(&read, "/run", CPIO_DIRECTORY | 0755, "");
    is_there(&read, "/run/request", CPIO_FILE | 0600, "hello");
    is_there(&read, "/run/empty", CPIO_FILE | 0600, "");
    is_there(&read, "/run/link", CPIO_LINK | 0777, "request");
    is_there(&read, "/tmp", CPIO_DIRECTORY | 01777, "");
}
END_TEST

START_TEST(bytes_are_copied_when_added) {
    char text[] = "before";
    ck_assert(archive_add_bytes(&archive, "/a", 0644, text, 6, &failure));
    memset(text, 'x', 6);
    struct cpio_archive read = archive_written();
    is_there(&read, "/a", CPIO_FILE | 0644, "before");
}
END_TEST

START_TEST(empty_archive_is_a_page) {
    archive_written();
    ck_assert_uint_eq(written_size, 4096);
}
END_TEST

START_TEST(what_is_finished_can_be_found_and_read) {
    char *bytes;
    size_t size;
    add_text("/etc/a", "old");
    add_text("/etc/a", "new");
    ck_assert(archive_finish(&archive, &failure));
    ck_assert_ptr_null(archive_find(&archive, "/etc/b"));
    const struct archive_entry *entry = archive_find(&archive, "//etc/./a");
    ck_assert_ptr_nonnull(entry);
    ck_assert(archive_read(entry, 3, &bytes, &size, &failure));
    ck_assert_uint_eq(size, 3);
    ck_assert_mem_eq(bytes, "new", 3);
    free(bytes);
    is_refused(archive_read(entry, 2, &bytes, &size, &failure), "/etc/a is larger than 2 bytes");
}
END_TEST

START_TEST(what_cannot_be_is_refused) {
    char byte = 0;
    is_refused(archive_add_bytes(&archive, "a", 0644, &byte, 1, &failure), "begin with a slash");
    is_refused(archive_add_bytes(&archive, "/..", 0644, &byte, 1, &failure), "climbs");
    is_refused(archive_add_bytes(&archive, "/a", 0644, &byte, (size_t)1 << 32, &failure),
               "/a is too large for the format (4 GiB)");
    is_refused(archive_add_link(&archive, "/a", "", &failure), "empty or too long");
    is_refused(archive_add_link(&archive, "/", "x", &failure), "is the root");
    add_text("/a", "file");
    add_text("/a/b", "file");
    is_refused(archive_finish(&archive, &failure), "/a would be a folder and something else");
}
END_TEST

START_TEST(full_disk_is_told) {
    struct output output;
    add_text("/a", "file");
    ck_assert(archive_finish(&archive, &failure));
    ck_assert(output_open(&output, "/dev/full", &failure));
    is_refused(archive_write(&archive, &output, &failure),
               "/dev/full cannot be written: No space left on device");
    output_drop(&output);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("archive");
    tcase_add_checked_fixture(tests, reset, reset);
    tcase_add_test(tests, bytes_folders_and_links_are_written);
    tcase_add_test(tests, bytes_are_copied_when_added);
    tcase_add_test(tests, empty_archive_is_a_page);
    tcase_add_test(tests, what_is_finished_can_be_found_and_read);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, full_disk_is_told);

    Suite *suite = suite_create("archive");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
