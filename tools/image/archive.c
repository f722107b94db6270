/* SPDX-License-Identifier: MIT */
#include <image/archive.h>

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpio/cpio.h>

#define MODE_MASK 07777U

static void entry_drop(struct archive_entry *entry) {
    free(entry->path);
    free(entry->host);
    free(entry->bytes);
}

void archive_free(struct archive *archive) {
    for (size_t i = 0; i < archive->entry_count; i++)
        entry_drop(&archive->entries[i]);
    free(archive->entries);
    *archive = (struct archive){0};
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool component_is_fine(const char *component, size_t length, const char *path,
                              struct failure *failure) {
    if (length == 2 && memcmp(component, "..", 2) == 0)
        return fail(failure, "the path %s climbs with \"..\"", path);
    if (length > 255)
        return fail(failure, "the path %.300s... has a name of more than 255 characters", path);
    return true;
}

/* As entries have it: without slashes that mean nothing and without ".". Empty: the root. */
static char *path_clean(const char *path, struct failure *failure) {
    if (path[0] != '/') {
        fail(failure, "the path \"%s\" does not begin with a slash", path);
        return NULL;
    }
    if (strlen(path) > CPIO_NAME_MAX) {
        fail(failure, "the path %.300s... is too long", path);
        return NULL;
    }
    char *clean = malloc(strlen(path) + 1), *end = clean;
    if (clean == NULL) {
        fail(failure, "there is no memory for %s", path);
        return NULL;
    }
    for (const char *next = path; *next != '\0';) {
        size_t length = strcspn(next, "/");
        if (!component_is_fine(next, length, path, failure)) {
            free(clean);
            return NULL;
        }
        if (length != 0 && !(length == 1 && *next == '.')) {
            if (end != clean)
                *end++ = '/';
            memcpy(end, next, length);
            end += length;
        }
        next += length + (next[length] == '/');
    }
    *end = '\0';
    if (strcmp(clean, CPIO_TRAILER) == 0) {
        fail(failure, "the path %s cannot be used: the format ends archives with it", path);
        free(clean);
        return NULL;
    }
    return clean;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

/* Takes over what the entry points to, also when it fails. */
static bool entry_put(struct archive *archive, struct archive_entry entry,
                      struct failure *failure) {
    if (archive->entry_count == archive->entry_room) {
        size_t room = archive->entry_room == 0 ? 64 : archive->entry_room * 2;
        struct archive_entry *entries = reallocarray(archive->entries, room, sizeof(*entries));
        if (entries == NULL) {
            entry_drop(&entry);
            return fail(failure, "there is no memory for the list of files");
        }
        archive->entries = entries;
        archive->entry_room = room;
    }
    entry.order = archive->next_order++;
    archive->entries[archive->entry_count++] = entry;
    return true;
}

/* Takes over `entry.host`; copies `bytes`. */
static bool entry_add(struct archive *archive, const char *path, struct archive_entry entry,
                      const void *bytes, struct failure *failure) {
    entry.path = path_clean(path, failure);
    if (entry.path == NULL) {
        entry_drop(&entry);
        return false;
    }
    if (entry.path[0] == '\0' && !S_ISDIR(entry.mode)) {
        entry_drop(&entry);
        return fail(failure, "the path %s is the root, which is a folder", path);
    }
    if (bytes != NULL) {
        entry.bytes = malloc(entry.size_bytes + 1);
        if (entry.bytes == NULL) {
            entry_drop(&entry);
            return fail(failure, "there is no memory for %s", path);
        }
        memcpy(entry.bytes, bytes, entry.size_bytes);
    }
    return entry_put(archive, entry, failure);
}

bool archive_add_bytes(struct archive *archive, const char *path, uint32_t mode, const void *bytes,
                       size_t size, struct failure *failure) {
    if (size > UINT32_MAX)
        return fail(failure, "%s is too large for the format (4 GiB)", path);
    return entry_add(
        archive, path,
        (struct archive_entry){.mode = CPIO_FILE | (mode & MODE_MASK), .size_bytes = size}, bytes,
        failure);
}

bool archive_add_folder(struct archive *archive, const char *path, uint32_t mode,
                        struct failure *failure) {
    return entry_add(archive, path,
                     (struct archive_entry){.mode = CPIO_DIRECTORY | (mode & MODE_MASK)}, NULL,
                     failure);
}

bool archive_add_link(struct archive *archive, const char *path, const char *text,
                      struct failure *failure) {
    size_t length = strlen(text);
    if (length == 0 || length > CPIO_NAME_MAX)
        return fail(failure, "the link %s has a text that is empty or too long", path);
    return entry_add(archive, path,
                     (struct archive_entry){.mode = CPIO_LINK | 0777, .size_bytes = length}, text,
                     failure);
}

static uint32_t seconds_of(const struct archive *archive, const struct stat *status) {
    if (!archive->keeps_times || status->st_mtime < 0)
        return 0;
    return status->st_mtime > UINT32_MAX ? UINT32_MAX : (uint32_t)status->st_mtime;
}

static bool host_link_add(struct archive *archive, const char *host, const char *path,
                          struct archive_entry entry, struct failure *failure) {
    char text[CPIO_NAME_MAX + 1];
    ssize_t length = readlink(host, text, sizeof(text));
    if (length < 0)
        return fail(failure, "%s cannot be read: %s", host, strerror(errno));
    if (length == 0 || length > CPIO_NAME_MAX)
        return fail(failure, "the link %s has a text that is empty or too long", host);
    entry.mode = CPIO_LINK | 0777;
    entry.size_bytes = (size_t)length;
    return entry_add(archive, path, entry, text, failure);
}

/* One thing of the host, whatever it is. */
static bool host_entry_add(struct archive *archive, const char *host, const char *path,
                           const struct stat *status, uint32_t mode, struct failure *failure) {
    struct archive_entry entry = {.mtime = seconds_of(archive, status)};
    uint32_t kept = (mode == ARCHIVE_MODE_KEEP ? status->st_mode : mode) & MODE_MASK;
    if (S_ISDIR(status->st_mode)) {
        entry.mode = CPIO_DIRECTORY | kept;
        return entry_add(archive, path, entry, NULL, failure);
    }
    if (S_ISLNK(status->st_mode))
        return host_link_add(archive, host, path, entry, failure);
    if (!S_ISREG(status->st_mode))
        return fail(failure, "%s is neither a file nor a folder nor a link", host);
    if (status->st_size > UINT32_MAX)
        return fail(failure, "%s is too large for the format (4 GiB)", host);
    entry.mode = CPIO_FILE | kept;
    entry.size_bytes = (size_t)status->st_size;
    entry.host = strdup(host);
    if (entry.host == NULL)
        return fail(failure, "there is no memory for %s", host);
    return entry_add(archive, path, entry, NULL, failure);
}

/* What the walk has come to, at the same place below `path` as it has below the walk's start. */
static bool walk_add(struct archive *archive, const FTSENT *found, const char *path,
                     size_t start_length, uint32_t mode, struct failure *failure) {
    switch (found->fts_info) {
    case FTS_DP: return true; /* the folder a second time */
    case FTS_NS:
    case FTS_DNR:
    case FTS_ERR:
        return fail(failure, "%s cannot be read: %s", found->fts_path, strerror(found->fts_errno));
    case FTS_SLNONE:
        return fail(failure, "%s cannot be read: it is a link to nothing", found->fts_path);
    case FTS_DC: return fail(failure, "%s is a folder within itself", found->fts_path);
    default: break;
    }
    if (found->fts_info == FTS_D && found->fts_level == 0 && strspn(path, "/") == strlen(path))
        return true; /* what is in it becomes the root; its own mode is of no concern there */
    const char *rest = found->fts_path + start_length;
    char *whole;
    if (asprintf(&whole, "%s%s%s", path, *rest == '\0' ? "" : "/", rest) < 0)
        return fail(failure, "there is no memory for %s", found->fts_path);
    bool is_added = host_entry_add(archive, found->fts_path, whole, found->fts_statp,
                                   found->fts_level == 0 ? mode : ARCHIVE_MODE_KEEP, failure);
    free(whole);
    return is_added;
}

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

bool archive_add_host(struct archive *archive, const char *host, const char *path, uint32_t mode,
                      struct failure *failure) {
    if (host[0] == '\0')
        return fail(failure, "the name of the file for %s is empty", path);
    char *start = strdup(host);
    if (start == NULL)
        return fail(failure, "there is no memory for %s", host);
    char *roots[] = {start, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    bool is_added = walk != NULL || fail(failure, "%s cannot be read: %s", host, strerror(errno));
    FTSENT *found;
    /* Sorted, so that of several errors the same is told. */
    while (is_added && (errno = 0, found = fts_read(walk)) != NULL)
        is_added = walk_add(archive, found, path, strlen(start), mode, failure);
    if (is_added && errno != 0)
        is_added = fail(failure, "%s cannot be read: %s", host, strerror(errno));
    if (walk != NULL)
        fts_close(walk);
    free(start);
    return is_added;
}

/* ---- Putting in order ------------------------------------------------------------------------ */

/* By path; what counts comes last: not what is implied, then what was added last. */
static int entry_compare(const void *a_pointer, const void *b_pointer) {
    const struct archive_entry *a = a_pointer, *b = b_pointer;
    int order = strcmp(a->path, b->path);
    if (order != 0)
        return order;
    if (a->is_implied != b->is_implied)
        return a->is_implied ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Every folder that something lies in, as often as something does. */
static bool parents_add(struct archive *archive, struct failure *failure) {
    size_t count = archive->entry_count;
    for (size_t i = 0; i < count; i++) {
        for (size_t length = strlen(archive->entries[i].path); length > 0; length--) {
            if (archive->entries[i].path[length] != '/')
                continue;
            struct archive_entry parent = {.mode = CPIO_DIRECTORY | 0755,
                                           .is_implied = true,
                                           .path = strndup(archive->entries[i].path, length)};
            if (parent.path == NULL)
                return fail(failure, "there is no memory for the list of files");
            if (!entry_put(archive, parent, failure))
                return false;
        }
    }
    return true;
}

static bool is_double(const struct archive *archive, size_t i) {
    return i != 0 && strcmp(archive->entries[i - 1].path, archive->entries[i].path) == 0;
}

static bool doubles_check(const struct archive *archive, struct failure *failure) {
    for (size_t i = 0; i < archive->entry_count; i++) {
        const struct archive_entry *entry = &archive->entries[i];
        if (is_double(archive, i) && S_ISDIR(entry[-1].mode) != S_ISDIR(entry->mode))
            return fail(failure, "/%s would be a folder and something else", entry->path);
    }
    return true;
}

/* Of several entries of one path the last stays. */
static void doubles_drop(struct archive *archive) {
    size_t kept = 0;
    for (size_t i = 0; i < archive->entry_count; i++) {
        bool is_replaced = i + 1 < archive->entry_count && is_double(archive, i + 1);
        if (is_replaced)
            entry_drop(&archive->entries[i]);
        else
            archive->entries[kept++] = archive->entries[i];
    }
    archive->entry_count = kept;
}

bool archive_finish(struct archive *archive, struct failure *failure) {
    if (!parents_add(archive, failure))
        return false;
    if (archive->entry_count != 0)
        qsort(archive->entries, archive->entry_count, sizeof(*archive->entries), entry_compare);
    if (!doubles_check(archive, failure))
        return false;
    doubles_drop(archive);
    return true;
}

const struct archive_entry *archive_find(const struct archive *archive, const char *path) {
    for (size_t i = 0; i < archive->entry_count; i++) {
        const struct archive_entry *entry = &archive->entries[i];
        if (cpio_same_path(entry->path, strlen(entry->path), path, strlen(path)))
            return entry;
    }
    return NULL;
}
