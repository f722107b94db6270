/* SPDX-License-Identifier: MIT */
/* Files that are wanted back. There is no file system that could have changed them yet: they are
 * those of the image. */
#include "init.h"

#include <errno.h>
#include <string.h>

#define PART_BYTES 32768

static void entry_send(uint64_t which, const struct cpio_entry *entry, const char *below,
                       size_t below_length) {
    uint64_t words[RUN_WORDS] = {which, entry->mode, entry->size_bytes};
    control_send(AX_RUN_GET_ENTRY, words, below, below_length);
    const char *content = cpio_content(&init.image, entry);
    for (size_t at = 0; at < entry->size_bytes; at += PART_BYTES) {
        size_t left = entry->size_bytes - at;
        control_send(AX_RUN_GET_DATA, words, content + at, left < PART_BYTES ? left : PART_BYTES);
    }
}

/* All that lies below a folder. The archive is sorted: folders come before what is in them. */
static void folder_send(uint64_t which, const struct cpio_entry *folder) {
    struct cpio_cursor cursor = {0};
    struct cpio_entry entry, last;
    while (cpio_next(&init.image, &cursor, &entry) == CPIO_OK) {
        bool is_below = entry.name_length > folder->name_length &&
                        memcmp(entry.name, folder->name, folder->name_length) == 0 &&
                        (folder->name_length == 0 || entry.name[folder->name_length] == '/');
        if (!is_below || cpio_find(&init.image, entry.name, entry.name_length, &last) != CPIO_OK ||
            last.header != entry.header)
            continue; /* elsewhere, or a later archive has another */
        size_t skip = folder->name_length + (folder->name_length != 0);
        cpio_resolve(&init.image, &entry);
        entry_send(which, &entry, entry.name + skip, entry.name_length - skip);
    }
}

static void get_send(uint64_t which, const char *path) {
    struct cpio_entry entry;
    int error = path_find(path, &entry);
    if (error == 0) {
        entry_send(which, &entry, "", 0);
        if ((entry.mode & CPIO_TYPE_MASK) == CPIO_DIRECTORY)
            folder_send(which, &entry);
    }
    uint64_t words[RUN_WORDS] = {which, (uint64_t)error};
    control_send(AX_RUN_GET_END, words, "", 0);
}

void gets_send(void) {
    const char *path = init.request.gets.first;
    for (uint32_t i = 0; i < init.request.gets.count; i++, path = run_string_next(path))
        get_send(i, path);
}
