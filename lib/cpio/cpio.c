/* SPDX-License-Identifier: MIT */
#include <cpio/cpio.h>

#include <base/align.h>
#include <base/memory.h>

/* A header is a magic of 6 characters, then 13 numbers of 8 hexadecimal digits. */
enum field {
    FIELD_INODE,
    FIELD_MODE,
    FIELD_UID,
    FIELD_GID,
    FIELD_LINK_COUNT,
    FIELD_MTIME,
    FIELD_SIZE,
    FIELD_DEVICE_MAJOR,
    FIELD_DEVICE_MINOR,
    FIELD_SPECIAL_MAJOR,
    FIELD_SPECIAL_MINOR,
    FIELD_NAME_SIZE,
    FIELD_CHECK,
    FIELD_COUNT,
};

#define MAGIC        "070701"
#define MAGIC_LENGTH 6
#define FIELD_DIGITS 8

_Static_assert(MAGIC_LENGTH + FIELD_COUNT * FIELD_DIGITS == CPIO_HEADER_SIZE, "the format's");

/* Names may be followed by zeroes, so that the content comes to begin a page: at most that many. */
#define NAME_FIELD_MAX (CPIO_NAME_MAX + 1 + 4096)

static const char *const error_texts[CPIO_ERROR_COUNT] = {
    [CPIO_OK] = "is fine",
    [CPIO_END] = "has no more entries",
    [CPIO_ABSENT] = "has no entry of that name",
    [CPIO_TRUNCATED] = "is truncated: it ends within an entry or has no trailer",
    [CPIO_MAGIC] = "is no cpio archive of the format newc, or damaged: an entry should begin here",
    [CPIO_NUMBER] = "is damaged: a number in an entry's header is not hexadecimal",
    [CPIO_NAME] = "has an entry whose name is empty, too long, not terminated, or contains \"..\"",
    [CPIO_TYPE] = "is damaged: an entry is of no known type",
    [CPIO_CONTENT] = "is damaged: a folder or device has content, or a link has no text",
};

const char *cpio_error_text(enum cpio_error error) {
    if ((unsigned)error >= CPIO_ERROR_COUNT)
        return "has an unknown error";
    return error_texts[error];
}

/* ---- Names ----------------------------------------------------------------------------------- */

struct path {
    const char *rest;
    size_t length;
};

/* Takes the next component that means something. False: there is none any more. */
static bool component_take(struct path *path, struct path *component) {
    do {
        while (path->length != 0 && *path->rest == '/') {
            path->rest++;
            path->length--;
        }
        *component = (struct path){.rest = path->rest};
        while (component->length < path->length && path->rest[component->length] != '/')
            component->length++;
        path->rest += component->length;
        path->length -= component->length;
    } while (component->length == 1 && component->rest[0] == '.');
    return component->length != 0;
}

bool cpio_same_path(const char *a, size_t a_length, const char *b, size_t b_length) {
    struct path paths[2] = {{a, a_length}, {b, b_length}}, components[2];
    for (;;) {
        bool is_more = component_take(&paths[0], &components[0]);
        if (component_take(&paths[1], &components[1]) != is_more)
            return false;
        if (!is_more)
            return true;
        if (components[0].length != components[1].length ||
            memcmp(components[0].rest, components[1].rest, components[0].length) != 0)
            return false;
    }
}

static bool climbs(const char *name, size_t length) {
    struct path path = {name, length}, component;
    while (component_take(&path, &component)) {
        if (component.length == 2 && component.rest[0] == '.' && component.rest[1] == '.')
            return true;
    }
    return false;
}

/* Drops what stands before and behind a name without meaning. */
static void name_trim(struct cpio_entry *entry) {
    struct path path = {entry->name, entry->name_length}, component;
    if (!component_take(&path, &component)) {
        entry->name_length = 0;
        return;
    }
    entry->name_length -= (size_t)(component.rest - entry->name);
    entry->name = component.rest;
    while (entry->name[entry->name_length - 1] == '/')
        entry->name_length--;
}

static bool is_trailer(const struct cpio_entry *entry) {
    return entry->name_length == sizeof(CPIO_TRAILER) - 1 &&
           memcmp(entry->name, CPIO_TRAILER, entry->name_length) == 0;
}

/* The field is `size` bytes: the name, a zero, and zeroes alone. */
static bool name_read(const char *field, size_t size, struct cpio_entry *entry) {
    size_t length = 0;
    while (length < size && field[length] != '\0')
        length++;
    for (size_t i = length; i < size; i++) {
        if (field[i] != '\0')
            return false;
    }
    if (length == 0 || length == size || length > CPIO_NAME_MAX || climbs(field, length))
        return false;
    entry->name = field;
    entry->name_length = length;
    return true;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static bool digit_read(uint8_t character, uint32_t *value) {
    if (character >= '0' && character <= '9')
        *value = character - '0';
    else if (character >= 'a' && character <= 'f')
        *value = character - 'a' + 10;
    else if (character >= 'A' && character <= 'F')
        *value = character - 'A' + 10;
    else
        return false;
    return true;
}

static bool numbers_read(const uint8_t *header, uint32_t numbers[FIELD_COUNT]) {
    const uint8_t *digit = header + MAGIC_LENGTH;
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        numbers[i] = 0;
        for (unsigned count = 0; count < FIELD_DIGITS; count++) {
            uint32_t value;
            if (!digit_read(*digit++, &value))
                return false;
            numbers[i] = numbers[i] << 4 | value;
        }
    }
    return true;
}

/* Has an entry of this type the content it should have? */
static enum cpio_error content_check(const struct cpio_archive *archive,
                                     const struct cpio_entry *entry) {
    if ((entry->mode & ~(uint32_t)(CPIO_TYPE_MASK | 07777)) != 0)
        return CPIO_TYPE;
    switch (entry->mode & CPIO_TYPE_MASK) {
    case CPIO_FILE: return CPIO_OK;
    case CPIO_LINK: {
        if (entry->size_bytes == 0 || entry->size_bytes > CPIO_NAME_MAX)
            return CPIO_CONTENT;
        const uint8_t *text = cpio_content(archive, entry);
        for (size_t i = 0; i < entry->size_bytes; i++) {
            if (text[i] == '\0')
                return CPIO_CONTENT;
        }
        return CPIO_OK;
    }
    case CPIO_DIRECTORY:
    case CPIO_FIFO:
    case CPIO_CHARACTER_DEVICE:
    case CPIO_BLOCK_DEVICE:
    case CPIO_SOCKET: return entry->size_bytes == 0 ? CPIO_OK : CPIO_CONTENT;
    default: return CPIO_TYPE;
    }
}

static void entry_fill(struct cpio_entry *entry, const uint32_t numbers[FIELD_COUNT]) {
    entry->mode = numbers[FIELD_MODE];
    entry->uid = numbers[FIELD_UID];
    entry->gid = numbers[FIELD_GID];
    entry->mtime = numbers[FIELD_MTIME];
    entry->link_count = numbers[FIELD_LINK_COUNT];
    entry->inode = numbers[FIELD_INODE];
    entry->device_major = numbers[FIELD_DEVICE_MAJOR];
    entry->device_minor = numbers[FIELD_DEVICE_MINOR];
    entry->special_major = numbers[FIELD_SPECIAL_MAJOR];
    entry->special_minor = numbers[FIELD_SPECIAL_MINOR];
    entry->size_bytes = numbers[FIELD_SIZE];
}

/* Reads the entry at `offset`, a trailer or not, and tells where the next thing begins. */
static enum cpio_error entry_read(const struct cpio_archive *archive, size_t offset,
                                  struct cpio_entry *entry, size_t *next) {
    uint32_t numbers[FIELD_COUNT];
    const uint8_t *header = archive->bytes + offset;
    size_t left = archive->size_bytes - offset;
    size_t seen = left < MAGIC_LENGTH ? left : MAGIC_LENGTH;
    if (memcmp(header, MAGIC, seen) != 0)
        return CPIO_MAGIC;
    if (left < CPIO_HEADER_SIZE)
        return CPIO_TRUNCATED;
    if (!numbers_read(header, numbers))
        return CPIO_NUMBER;
    size_t name_size = numbers[FIELD_NAME_SIZE];
    if (name_size > NAME_FIELD_MAX)
        return CPIO_NAME;
    if (name_size > left - CPIO_HEADER_SIZE)
        return CPIO_TRUNCATED;
    *entry = (struct cpio_entry){.header = offset};
    if (!name_read((const char *)header + CPIO_HEADER_SIZE, name_size, entry))
        return CPIO_NAME;
    entry_fill(entry, numbers);

    /* None of these sums can overflow: each is within 16 KiB of the archive's end. */
    entry->offset = align_up(offset + CPIO_HEADER_SIZE + name_size, 4);
    if (entry->size_bytes != 0 && (entry->offset > archive->size_bytes ||
                                   entry->size_bytes > archive->size_bytes - entry->offset))
        return CPIO_TRUNCATED;
    if (entry->offset > archive->size_bytes)
        entry->offset = archive->size_bytes;
    *next = align_up(entry->offset + entry->size_bytes, 4);
    if (*next > archive->size_bytes)
        *next = archive->size_bytes;
    if (is_trailer(entry))
        return entry->size_bytes == 0 ? CPIO_OK : CPIO_CONTENT;
    return content_check(archive, entry);
}

/* Passes over the zeroes that may stand before an archive. False: there is none any more. */
static bool archive_begin(const struct cpio_archive *archive, struct cpio_cursor *cursor) {
    size_t offset = cursor->offset;
    while (offset < archive->size_bytes && archive->bytes[offset] == 0)
        offset++;
    if (offset == archive->size_bytes)
        return false;
    /* Archives begin at a multiple of 4, or what they align would not be. */
    cursor->offset = is_aligned(offset, 4) ? offset : align_down(offset, 4);
    cursor->is_inside = true;
    cursor->part++;
    return true;
}

enum cpio_error cpio_next(const struct cpio_archive *archive, struct cpio_cursor *cursor,
                          struct cpio_entry *entry) {
    for (;;) {
        if (!cursor->is_inside && !archive_begin(archive, cursor))
            return cursor->part == 0 ? CPIO_TRUNCATED : CPIO_END;
        size_t next;
        if (cursor->offset == archive->size_bytes)
            return CPIO_TRUNCATED;
        enum cpio_error error = entry_read(archive, cursor->offset, entry, &next);
        if (error != CPIO_OK)
            return error;
        cursor->offset = next;
        if (!is_trailer(entry)) {
            entry->part = cursor->part;
            name_trim(entry);
            return CPIO_OK;
        }
        cursor->is_inside = false;
    }
}

enum cpio_error cpio_check(const struct cpio_archive *archive, size_t *offset) {
    struct cpio_cursor cursor = {0};
    struct cpio_entry entry;
    enum cpio_error error;
    do {
        error = cpio_next(archive, &cursor, &entry);
    } while (error == CPIO_OK);
    *offset = cursor.offset;
    return error == CPIO_END ? CPIO_OK : error;
}

/* ---- Finding --------------------------------------------------------------------------------- */

static bool is_linked_file(const struct cpio_entry *entry) {
    return (entry->mode & CPIO_TYPE_MASK) == CPIO_FILE && entry->link_count > 1;
}

void cpio_resolve(const struct cpio_archive *archive, struct cpio_entry *entry) {
    struct cpio_cursor cursor = {0};
    struct cpio_entry other;
    if (!is_linked_file(entry) || entry->size_bytes != 0)
        return;
    while (cpio_next(archive, &cursor, &other) == CPIO_OK && other.part <= entry->part) {
        if (other.part == entry->part && is_linked_file(&other) && other.size_bytes != 0 &&
            other.inode == entry->inode && other.device_major == entry->device_major &&
            other.device_minor == entry->device_minor) {
            entry->offset = other.offset;
            entry->size_bytes = other.size_bytes;
            return;
        }
    }
}

enum cpio_error cpio_find(const struct cpio_archive *archive, const char *path, size_t path_length,
                          struct cpio_entry *entry) {
    struct cpio_cursor cursor = {0};
    struct cpio_entry other;
    enum cpio_error error, result = CPIO_ABSENT;
    while ((error = cpio_next(archive, &cursor, &other)) == CPIO_OK) {
        if (cpio_same_path(path, path_length, other.name, other.name_length)) {
            *entry = other;
            result = CPIO_OK;
        }
    }
    if (error != CPIO_END)
        return error;
    if (result == CPIO_OK)
        cpio_resolve(archive, entry);
    return result;
}
