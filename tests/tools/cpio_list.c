/* SPDX-License-Identifier: MIT */
/*
 * What lib/cpio finds in an archive: `cpio_list ARCHIVE` prints a line for each entry, `cpio_list
 * ARCHIVE PATH` the content of that path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/file.h>
#include <cpio/cpio.h>

static int failed(const char *path, const char *text) {
    fprintf(stderr, "%s %s\n", path, text);
    return 1;
}

static int list(const struct cpio_archive *archive, const char *path) {
    struct cpio_cursor cursor = {0};
    struct cpio_entry entry;
    enum cpio_error error;
    while ((error = cpio_next(archive, &cursor, &entry)) == CPIO_OK)
        printf("%06o %u:%u %u %u %u %zu %zu %.*s\n", entry.mode, entry.uid, entry.gid, entry.inode,
               entry.link_count, entry.mtime, entry.size_bytes, entry.offset,
               (int)entry.name_length, entry.name);
    return error == CPIO_END ? 0 : failed(path, cpio_error_text(error));
}

int main(int argc, char **argv) {
    struct failure failure;
    char *bytes;
    size_t size;
    if (argc != 2 && argc != 3)
        return 2;
    if (!file_read(argv[1], (size_t)1 << 30, &bytes, &size, &failure))
        return failed("cpio_list:", failure.text);
    struct cpio_archive archive = {(const uint8_t *)bytes, size};
    struct cpio_entry entry;
    int status = 0;
    if (argc == 2) {
        status = list(&archive, argv[1]);
    } else {
        enum cpio_error error = cpio_find(&archive, argv[2], strlen(argv[2]), &entry);
        if (error != CPIO_OK)
            status = failed(argv[1], cpio_error_text(error));
        else
            fwrite(cpio_content(&archive, &entry), 1, entry.size_bytes, stdout);
    }
    free(bytes);
    return status;
}
