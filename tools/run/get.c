/* SPDX-License-Identifier: MIT */
#include "get.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"
#include "tell.h"

#define MODE_MAX 0777U

/* A folder gets its mode when all is in it: it may be one that lets nothing in. */
struct folder {
    char *path; /* below the root */
    mode_t mode;
    struct folder *next;
};

struct item {
    const char *inside, *outside;
    bool is_begun, is_ended;
    int root;             /* the folder, if it is one; else -1 */
    struct place file;    /* if it is a file */
    int fd;               /* of the file within the folder; -1: none is open */
    mode_t mode;          /* of what is open */
    bool is_link;         /* what is open, and has its text in `text` */
    uint64_t size, taken; /* of what is open */
    char path[PATH_MAX];  /* below the root */
    char text[PATH_MAX];
    size_t text_length;
    struct folder *folders;
    bool has_failed;
    struct failure failure;
};

struct get {
    uint32_t count;
    struct item items[];
};

/* The first error is kept; the rest of what comes is then passed over. */
static void item_fail(struct item *item, const char *what, const char *why) {
    if (item->has_failed)
        return;
    item->has_failed = true;
    fail(&item->failure, "%s%s%s", what, *why == '\0' ? "" : " ", why);
}

static void item_fail_below(struct item *item, const char *why) {
    char whole[2 * PATH_MAX];
    snprintf(whole, sizeof(whole), "%s%s%s cannot be written:", item->outside,
             item->path[0] == '\0' ? "" : "/", item->path);
    item_fail(item, whole, why);
}

/* ---- Before ---------------------------------------------------------------------------------- */

/* Whether something can be made there, as far as one can tell. What is no file is written to as it
 * is, and a folder stays. */
static bool place_check(const char *path, struct failure *failure) {
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return S_ISDIR(status.st_mode) || access(path, W_OK) == 0 ||
               fail(failure, "%s cannot be written: %s", path, strerror(errno));
    const char *end = path + strlen(path);
    while (end > path + 1 && end[-1] == '/')
        end--;
    while (end > path && end[-1] != '/')
        end--;
    char *folder = end == path ? strdup(".") : strndup(path, (size_t)(end - path));
    if (folder == NULL)
        return fail(failure, "there is no memory for %s", path);
    bool is_fine = access(folder, W_OK | X_OK) == 0 ||
                   fail(failure, "%s cannot be written: %s", path, strerror(errno));
    free(folder);
    return is_fine;
}

struct get *get_begin(const struct options *options, struct failure *failure) {
    struct get *get = calloc(1, sizeof(*get) + options->get_count * sizeof(get->items[0]));
    if (get == NULL) {
        fail(failure, "there is no memory for the files to bring back");
        return NULL;
    }
    get->count = options->get_count;
    for (uint32_t i = 0; i < get->count; i++) {
        struct item *item = &get->items[i];
        *item = (struct item){.inside = options->gets[i].inside,
                              .outside = options->gets[i].outside,
                              .root = -1,
                              .fd = -1,
                              .file.fd = -1};
        if (!place_check(item->outside, failure)) {
            free(get);
            return NULL;
        }
    }
    return get;
}

/* ---- Below a folder -------------------------------------------------------------------------- */

/* The folder that the entry lies in, by way of folders alone; *name is what is left. -1: there is
 * none. */
static int parent_open(const struct item *item, const char *path, char name[NAME_MAX + 1]) {
    int folder = fcntl(item->root, F_DUPFD_CLOEXEC, 3);
    const char *slash;
    for (; folder >= 0; path = slash + 1) {
        slash = strchrnul(path, '/');
        if (slash - path > NAME_MAX) {
            close(folder);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path, (size_t)(slash - path));
        name[slash - path] = '\0';
        if (*slash == '\0')
            return folder;
        int next = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        close(folder);
        errno = error;
        folder = next;
    }
    return -1;
}

static void folder_note(struct item *item, mode_t mode) {
    struct folder *folder = malloc(sizeof(*folder));
    char *path = strdup(item->path);
    if (folder == NULL || path == NULL) {
        free(folder);
        free(path);
        item_fail_below(item, strerror(ENOMEM));
        return;
    }
    folder->path = path;
    folder->mode = mode;
    folder->next = item->folders;
    item->folders = folder;
}

/* One that is there may let nothing in; it gets its mode in the end. */
static bool folder_make(int parent, const char *name) {
    struct stat status;
    if (mkdirat(parent, name, 0700) == 0)
        return true;
    if (errno != EEXIST || fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(status.st_mode))
        return false;
    (void)!fchmodat(parent, name, 0700, 0); /* another's stays as it is */
    return true;
}

/* A file, link or folder within the folder begins. */
static void inner_begin(struct item *item, mode_t mode) {
    char name[NAME_MAX + 1];
    int parent = parent_open(item, item->path, name);
    bool is_made = parent >= 0;
    if (is_made && S_ISDIR(mode)) {
        is_made = folder_make(parent, name);
        if (is_made)
            folder_note(item, mode & MODE_MAX);
    } else if (is_made) {
        is_made = unlinkat(parent, name, 0) == 0 || errno == ENOENT;
        if (is_made && S_ISREG(mode)) {
            item->fd =
                openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
            is_made = item->fd >= 0;
        }
    }
    if (!is_made)
        item_fail_below(item, strerror(errno));
    if (parent >= 0)
        close(parent);
}

static void inner_link(struct item *item) {
    char name[NAME_MAX + 1];
    int parent = parent_open(item, item->path, name);
    if (parent < 0 || symlinkat(item->text, parent, name) != 0)
        item_fail_below(item, strerror(errno));
    if (parent >= 0)
        close(parent);
}

/* The last that was begun first, so that those within come before what they lie in. */
static void folders_finish(struct item *item) {
    while (item->folders != NULL) {
        struct folder *folder = item->folders;
        char name[NAME_MAX + 1];
        if (folder->path[0] == '\0') {
            if (fchmod(item->root, folder->mode) != 0)
                item_fail(item, item->outside, strerror(errno));
        } else {
            int parent = parent_open(item, folder->path, name);
            if (parent < 0 || fchmodat(parent, name, folder->mode, 0) != 0)
                item_fail(item, folder->path, strerror(errno));
            if (parent >= 0)
                close(parent);
        }
        item->folders = folder->next;
        free(folder->path);
        free(folder);
    }
}

/* ---- Entries --------------------------------------------------------------------------------- */

/* The thing itself begins. */
static void outer_begin(struct item *item, mode_t mode) {
    struct failure failure = {0};
    if (S_ISLNK(mode)) {
        item_fail(item, item->inside, "is a link");
        return;
    }
    if (S_ISREG(mode)) {
        if (!place_open(&item->file, item->outside, &failure))
            item_fail(item, failure.text, "");
        return;
    }
    if (mkdir(item->outside, 0700) != 0 && errno != EEXIST) {
        item_fail_below(item, strerror(errno));
        return;
    }
    item->root = open(item->outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (item->root < 0) {
        item_fail_below(item, strerror(errno));
        return;
    }
    (void)!fchmod(item->root, 0700); /* as in folder_make */
    folder_note(item, mode & MODE_MAX);
}

static void entry_begin(struct item *item, const struct run_message *message) {
    mode_t mode = (mode_t)message->words[1];
    item->mode = mode & MODE_MAX;
    item->is_link = S_ISLNK(mode);
    item->size = message->words[2];
    item->taken = item->text_length = 0;
    if (item->has_failed)
        return;
    if (message->text_length >= sizeof(item->path)) {
        item_fail(item, item->inside, "has a path in it that is too long");
        return;
    }
    memcpy(item->path, message->text, message->text_length);
    item->path[message->text_length] = '\0';
    if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
        item_fail(item, item->inside, "has something in it that is no file, folder or link");
    else if (item->path[0] == '\0')
        outer_begin(item, mode);
    else
        inner_begin(item, mode);
}

/* What is open is complete. */
static void entry_finish(struct item *item) {
    struct failure failure = {0};
    if (item->is_link && !item->has_failed) {
        item->text[item->text_length] = '\0';
        inner_link(item);
    }
    item->is_link = false;
    if (item->fd >= 0) {
        bool is_done = fchmod(item->fd, item->mode) == 0;
        is_done = close(item->fd) == 0 && is_done;
        item->fd = -1;
        if (!is_done)
            item_fail_below(item, strerror(errno));
    }
    if (item->file.fd >= 0 && !item->has_failed && !place_finish(&item->file, item->mode, &failure))
        item_fail(item, failure.text, "");
}

static void data_take(struct item *item, const char *bytes, size_t size) {
    item->taken += size;
    if (item->has_failed)
        return;
    if (item->is_link) {
        if (size >= sizeof(item->text) - item->text_length) {
            item_fail(item, item->inside, "has a link in it whose text is too long");
            return;
        }
        memcpy(item->text + item->text_length, bytes, size);
        item->text_length += size;
        return;
    }
    struct failure failure = {0};
    struct place inner = {.path = item->path, .fd = item->fd};
    if (!place_write(item->fd >= 0 ? &inner : &item->file, bytes, size, &failure))
        item_fail_below(item, strerror(errno));
}

static void item_end(struct item *item, uint32_t error, const char *where, size_t length) {
    char whole[2 * PATH_MAX];
    item->is_ended = true;
    if (error != 0) {
        snprintf(whole, sizeof(whole), "%s%s%.*s cannot be read:", item->inside,
                 length == 0 ? "" : "/", (int)length, where);
        item_fail(item, whole, strerror((int)error));
    } else if (!item->is_begun) {
        item_fail(item, item->inside, "did not come");
    }
    folders_finish(item);
    place_drop(&item->file);
}

bool get_take(struct get *get, const struct run_message *message, struct failure *failure) {
    uint64_t index = message->words[0];
    if (index >= get->count || get->items[index].is_ended)
        return fail(failure, "the machine sent a file that nobody waits for");
    struct item *item = &get->items[index];
    bool is_open = item->taken < item->size;
    if (message->kind == AX_RUN_GET_DATA) {
        if (message->text_length > item->size - item->taken)
            return fail(failure, "the machine sent more of %s than there is", item->inside);
        data_take(item, message->text, message->text_length);
        if (is_open && item->taken == item->size)
            entry_finish(item);
        return true;
    }
    if (is_open && message->kind == AX_RUN_GET_ENTRY)
        return fail(failure, "the machine sent only a part of %s", item->inside);
    if (is_open)
        item_fail(item, item->inside, "changed while it was read");
    if (message->kind == AX_RUN_GET_END) {
        item_end(item, (uint32_t)message->words[1], message->text, message->text_length);
        return true;
    }
    /* The thing itself comes first, once; other things only if it is a folder. */
    if (item->is_begun == (message->text_length == 0) ||
        (item->is_begun && item->root < 0 && !item->has_failed))
        return fail(failure, "the machine sent something that %s cannot have in it", item->inside);
    item->is_begun = true;
    entry_begin(item, message);
    if (item->size == 0)
        entry_finish(item);
    return true;
}

/* ---- Afterwards ------------------------------------------------------------------------------ */

void get_end(struct get *get, const char *reason) {
    for (uint32_t i = 0; i < get->count; i++) {
        struct item *item = &get->items[i];
        if (!item->is_ended) {
            char what[PATH_MAX + 64];
            snprintf(what, sizeof(what), "%s was not brought back:", item->inside);
            item_fail(item, what, reason);
        }
        if (item->fd >= 0)
            close(item->fd);
        item->fd = -1;
        folders_finish(item);
        place_drop(&item->file);
        if (item->root >= 0)
            close(item->root);
        item->root = -1;
        if (item->has_failed)
            tell("%s", item->failure.text);
    }
}

const char *get_error(const struct get *get, uint32_t n) {
    return get->items[n].has_failed ? get->items[n].failure.text : NULL;
}
