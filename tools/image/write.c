/* SPDX-License-Identifier: MIT */
/* An archive in order, as bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/align.h>
#include <cpio/cpio.h>
#include <image/archive.h>

#define PAGE_BYTES 4096

struct writer {
    struct output *output;
    struct failure *failure;
    uint64_t offset;
    uint64_t mapped_end; /* of the last page that a file before may be mapped with */
    uint32_t next_inode;
};

static const char zeroes[2 * PAGE_BYTES];

static bool put(struct writer *writer, const void *bytes, size_t size) {
    writer->offset += size;
    return output_write(writer->output, bytes, size, writer->failure);
}

static bool put_up_to(struct writer *writer, uint64_t alignment) {
    return put(writer, zeroes, align_up(writer->offset, alignment) - writer->offset);
}

/*
 * How long the field of the name is, with its zeroes. A page that is mapped as the end of one file
 * shows what lies behind it: names, but no other file's content.
 */
static size_t name_size_of(struct writer *writer, const struct archive_entry *entry) {
    uint64_t start = writer->offset + CPIO_HEADER_SIZE;
    uint64_t content = start + strlen(entry->path) + 1;
    bool is_mapped = (entry->mode & CPIO_TYPE_MASK) == CPIO_FILE && entry->size_bytes >= PAGE_BYTES;
    bool would_show = entry->size_bytes != 0 && align_up(content, 4) < writer->mapped_end;
    if (is_mapped || would_show)
        content = align_up(content, PAGE_BYTES);
    if (is_mapped)
        writer->mapped_end = align_up(content + entry->size_bytes, PAGE_BYTES);
    return content - start;
}

static bool put_header(struct writer *writer, const struct archive_entry *entry) {
    char header[CPIO_HEADER_SIZE + 1];
    size_t name_length = strlen(entry->path);
    size_t name_size = name_size_of(writer, entry);
    bool is_trailer = entry->mode == 0;
    uint32_t inode = is_trailer ? 0 : writer->next_inode++;
    uint32_t link_count = (entry->mode & CPIO_TYPE_MASK) == CPIO_DIRECTORY ? 2 : 1;
    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             inode, entry->mode, 0U, 0U, link_count, entry->mtime, (uint32_t)entry->size_bytes, 0U,
             0U, 0U, 0U, (uint32_t)name_size, 0U);
    return put(writer, header, CPIO_HEADER_SIZE) && put(writer, entry->path, name_length) &&
           put(writer, zeroes, name_size - name_length) && put_up_to(writer, 4);
}

static bool host_open(const struct archive_entry *entry, int *fd, struct failure *failure) {
    struct stat status;
    *fd = open(entry->host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return fail(failure, "%s cannot be opened: %s", entry->host, strerror(errno));
    if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (uint64_t)status.st_size == entry->size_bytes)
        return true;
    close(*fd);
    return fail(failure, "%s changed while the image was made", entry->host);
}

static bool put_host(struct writer *writer, const struct archive_entry *entry) {
    static char buffer[1 << 18];
    int fd;
    if (!host_open(entry, &fd, writer->failure))
        return false;
    bool is_put = true;
    for (size_t left = entry->size_bytes; is_put && left != 0;) {
        ssize_t count = read(fd, buffer, left < sizeof(buffer) ? left : sizeof(buffer));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            is_put = fail(writer->failure, "%s cannot be read: %s", entry->host, strerror(errno));
        else if (count == 0)
            is_put = fail(writer->failure, "%s changed while the image was made", entry->host);
        else
            is_put = put(writer, buffer, (size_t)count);
        left -= is_put ? (size_t)count : 0;
    }
    close(fd);
    return is_put;
}

static bool put_entry(struct writer *writer, const struct archive_entry *entry) {
    if (!put_header(writer, entry))
        return false;
    bool is_put = entry->host != NULL ? put_host(writer, entry)
                                      : put(writer, entry->bytes, entry->size_bytes);
    return is_put && put_up_to(writer, 4);
}

bool archive_write(const struct archive *archive, struct output *output, struct failure *failure) {
    struct writer writer = {.output = output, .failure = failure, .next_inode = 1};
    char root[] = ".", trailer[] = CPIO_TRAILER;
    for (size_t i = 0; i < archive->entry_count; i++) {
        struct archive_entry entry = archive->entries[i];
        if (entry.path[0] == '\0')
            entry.path = root;
        if (!put_entry(&writer, &entry))
            return false;
    }
    return put_entry(&writer, &(struct archive_entry){.path = trailer}) &&
           put_up_to(&writer, PAGE_BYTES);
}

bool archive_read(const struct archive_entry *entry, size_t size_max, char **bytes, size_t *size,
                  struct failure *failure) {
    if (entry->host != NULL)
        return file_read(entry->host, size_max, bytes, size, failure);
    if (entry->size_bytes > size_max)
        return fail(failure, "/%s is larger than %zu bytes", entry->path, size_max);
    *bytes = malloc(entry->size_bytes + 1);
    if (*bytes == NULL)
        return fail(failure, "there is no memory for /%s", entry->path);
    if (entry->size_bytes != 0)
        memcpy(*bytes, entry->bytes, entry->size_bytes);
    *size = entry->size_bytes;
    return true;
}
