/* SPDX-License-Identifier: MIT */
/*
 * A system image, or what one run adds behind it: a cpio archive of the format "newc", the same
 * bytes for the same files whoever makes it. Names are sorted; users, groups and (unless asked for)
 * times are 0; inodes are counted. The content of files of a page or more begins a page of the
 * archive, so that it can be mapped: the name before it is followed by as many zeroes as it takes,
 * which readers of the format skip. No other content lies in its last page. Archives are whole
 * pages, so that several can follow each other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <common/failure.h>
#include <common/file.h>

#define ARCHIVE_MODE_KEEP UINT32_MAX /* the host file's own */

struct archive_entry {
    char *path;      /* "etc/manifest": neither begins nor ends with a slash */
    uint32_t mode;   /* type and permissions */
    uint32_t mtime;  /* seconds */
    uint64_t order;  /* of its adding */
    bool is_implied; /* a folder that nobody added, but that others lie in */
    size_t size_bytes;
    char *host;  /* the file that has the content; NULL: `bytes` has it */
    char *bytes; /* or a link's text */
};

struct archive {
    bool keeps_times; /* those of host files; otherwise all are 0 */
    struct archive_entry *entries;
    size_t entry_count, entry_room;
    uint64_t next_order;
};

/* An archive begins as zeroes; this gives back what it has come to hold. */
void archive_free(struct archive *archive);

/*
 * Adds something at a path that begins with a slash. What is added later takes the place of what
 * was there, but no file that of a folder or a folder that of a file, which archive_finish tells.
 * On false the archive can only be freed.
 */

/* A host file, or a folder with all that is in it. A link given here is followed, links found in a
 * folder are kept. At "/" only what is in the folder is added. The content is read when the archive
 * is written. */
bool archive_add_host(struct archive *archive, const char *host, const char *path, uint32_t mode,
                      struct failure *failure);
bool archive_add_bytes(struct archive *archive, const char *path, uint32_t mode, const void *bytes,
                       size_t size, struct failure *failure);
bool archive_add_folder(struct archive *archive, const char *path, uint32_t mode,
                        struct failure *failure);
bool archive_add_link(struct archive *archive, const char *path, const char *text,
                      struct failure *failure);

/* Sorts, adds folders that are missing (0755), and drops what was replaced. Needed before the
 * functions below. */
bool archive_finish(struct archive *archive, struct failure *failure);
/* NULL: it is not there. */
const struct archive_entry *archive_find(const struct archive *archive, const char *path);
/* The content of a file, to be freed by the caller. */
bool archive_read(const struct archive_entry *entry, size_t size_max, char **bytes, size_t *size,
                  struct failure *failure);
/* An `output` may also be made by hand, of a name and a descriptor. */
bool archive_write(const struct archive *archive, struct output *output, struct failure *failure);
