/* SPDX-License-Identifier: MIT */
/* Any bytes as cpio archives: entries must lie within, go forward and be found again. */
#include <stdint.h>
#include <stdlib.h>

#include <base/align.h>
#include <base/assert.h>
#include <cpio/cpio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned bytes_read; /* what was read is not for nothing */

/* Each byte of it is read, for the sanitizer to see. */
static unsigned sum_of(const void *bytes, size_t size) {
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((const uint8_t *)bytes)[i];
    return sum;
}

static unsigned check_entry(const struct cpio_archive *archive, struct cpio_entry *entry) {
    uint32_t type = entry->mode & CPIO_TYPE_MASK;
    ASSERT(entry->header + CPIO_HEADER_SIZE <= archive->size_bytes);
    ASSERT(is_aligned(entry->header, 4) && entry->name_length <= CPIO_NAME_MAX);
    ASSERT(entry->offset <= archive->size_bytes);
    ASSERT(entry->size_bytes <= archive->size_bytes - entry->offset);
    ASSERT(entry->size_bytes == 0 || type == CPIO_FILE || type == CPIO_LINK);
    ASSERT(type != CPIO_LINK || entry->size_bytes != 0);
    ASSERT(entry->name_length == 0 ||
           (entry->name[0] != '/' && entry->name[entry->name_length - 1] != '/'));
    cpio_resolve(archive, entry);
    ASSERT(entry->size_bytes <= archive->size_bytes - entry->offset);
    return sum_of(entry->name, entry->name_length) +
           sum_of(cpio_content(archive, entry), entry->size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cpio_archive archive = {data, size};
    struct cpio_cursor cursor = {0};
    struct cpio_entry entry, last = {0}, found;
    enum cpio_error error;
    size_t offset;
    while ((error = cpio_next(&archive, &cursor, &entry)) == CPIO_OK) {
        ASSERT(last.name == NULL || entry.header > last.header);
        bytes_read += check_entry(&archive, &entry);
        last = entry;
    }
    ASSERT(error < CPIO_ERROR_COUNT && cpio_error_text(error) != NULL && cursor.offset <= size);
    ASSERT(cpio_check(&archive, &offset) == (error == CPIO_END ? CPIO_OK : error));
    if (last.name != NULL) {
        enum cpio_error result = cpio_find(&archive, last.name, last.name_length, &found);
        ASSERT(error == CPIO_END ? result == CPIO_OK && found.header == last.header
                                 : result == error);
    }
    return 0;
}
