/* SPDX-License-Identifier: MIT */
/*
 * Reads cpio archives of the format "newc" that lie in memory. Several may follow each other, with
 * zeroes between them and at the end; what comes later takes the place of what came before under
 * the same name. Every byte is taken for hostile; nothing is copied, entries point into the
 * archive.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPIO_NAME_MAX    4095 /* characters of a name, or of a link's text */
#define CPIO_TRAILER     "TRAILER!!!"
#define CPIO_HEADER_SIZE 110

/* What an entry is, in its mode; the numbers are Unix's. */
enum cpio_type {
    CPIO_TYPE_MASK = 0170000,
    CPIO_FIFO = 0010000,
    CPIO_CHARACTER_DEVICE = 0020000,
    CPIO_DIRECTORY = 0040000,
    CPIO_BLOCK_DEVICE = 0060000,
    CPIO_FILE = 0100000,
    CPIO_LINK = 0120000,
    CPIO_SOCKET = 0140000,
};

enum cpio_error {
    CPIO_OK = 0,
    CPIO_END,       /* no entry any more; not an error */
    CPIO_ABSENT,    /* nothing has that name; not the archive's error */
    CPIO_TRUNCATED, /* ends within an entry, or without a trailer */
    CPIO_MAGIC,     /* something else than an entry */
    CPIO_NUMBER,    /* a header's field is no hexadecimal number */
    CPIO_NAME,      /* a name that is empty, too long, not terminated, or climbs with ".." */
    CPIO_TYPE,      /* a mode of no known type */
    CPIO_CONTENT,   /* a folder or device with content, or a link without a text */
    CPIO_ERROR_COUNT,
};

struct cpio_archive {
    const uint8_t *bytes;
    size_t size_bytes;
};

struct cpio_entry {
    const char *name; /* as it stands there, but without "./" and "/" before and "/" behind it;
                         not terminated; empty: the root */
    size_t name_length;
    uint32_t mode, uid, gid, mtime;
    uint32_t link_count, inode, device_major, device_minor; /* tell which files are one */
    uint32_t special_major, special_minor;                  /* of a device */
    size_t header;                                          /* where the entry begins */
    size_t offset; /* of the content, from the archive's beginning */
    size_t size_bytes;
    unsigned part; /* in the how manieth archive it is */
};

/* Where the reading is; starts as zeroes. After an error `offset` is the damaged entry's. */
struct cpio_cursor {
    size_t offset;
    unsigned part;
    bool is_inside; /* an archive whose trailer is still to come */
};

/* The next entry. OK, END, or what is wrong: after that nothing more can be read. */
__attribute__((warn_unused_result)) enum cpio_error cpio_next(const struct cpio_archive *archive,
                                                              struct cpio_cursor *cursor,
                                                              struct cpio_entry *entry);

/* Reads all of it. OK, or what is wrong and where. */
__attribute__((warn_unused_result)) enum cpio_error cpio_check(const struct cpio_archive *archive,
                                                               size_t *offset);

/*
 * The last entry of that name: one of several links of a file has the file's content. Slashes
 * before, behind and beside each other, and components ".", mean nothing; ".." is found nowhere.
 */
__attribute__((warn_unused_result)) enum cpio_error cpio_find(const struct cpio_archive *archive,
                                                              const char *path, size_t path_length,
                                                              struct cpio_entry *entry);

/*
 * Of several links of a file only one has its content. Gives such an entry that of the others; each
 * other one stays as it is. It reads the archive from the beginning.
 */
void cpio_resolve(const struct cpio_archive *archive, struct cpio_entry *entry);

/* Do the two name the same? */
bool cpio_same_path(const char *a, size_t a_length, const char *b, size_t b_length);

static inline const void *cpio_content(const struct cpio_archive *archive,
                                       const struct cpio_entry *entry) {
    return archive->bytes + entry->offset;
}

/* What is wrong, to be put behind the archive's name and a colon. */
const char *cpio_error_text(enum cpio_error error);
