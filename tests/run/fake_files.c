/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART 40000

static void entry_send(const struct fake *fake, uint64_t index, uint64_t mode, const char *path,
                       size_t length, const char *content, uint64_t size) {
    fake_send(fake, AX_RUN_GET_ENTRY, (uint64_t[RUN_WORDS]){index, mode, size}, path, length);
    for (uint64_t at = 0; at < size;) {
        uint64_t part = size - at < PART ? size - at : PART;
        if (fake_has(fake, "die-in-get", NULL))
            kill(getpid(), SIGKILL);
        fake_send(fake, AX_RUN_GET_DATA, (uint64_t[RUN_WORDS]){index}, content + at, part);
        at += part;
    }
}

static void end_send(const struct fake *fake, uint64_t index, uint64_t error, const char *path) {
    fake_send(fake, AX_RUN_GET_END, (uint64_t[RUN_WORDS]){index, error}, path, strlen(path));
}

/* Everything below, as it stands in the images. */
static void below_send(const struct fake *fake, uint64_t index, const char *path, size_t length) {
    for (unsigned i = 0; i < fake->image_count; i++) {
        struct cpio_cursor cursor = {0};
        struct cpio_entry entry;
        while (cpio_next(&fake->images[i], &cursor, &entry) == CPIO_OK) {
            if (entry.name_length > length + 1 && memcmp(entry.name, path, length) == 0 &&
                entry.name[length] == '/')
                entry_send(fake, index, entry.mode, entry.name + length + 1,
                           entry.name_length - length - 1, cpio_content(&fake->images[i], &entry),
                           entry.size_bytes);
        }
    }
}

/* What a machine that is somebody else's would try. */
static bool attack(const struct fake *fake, uint64_t index) {
    const char *to;
    if (fake_has(fake, "get-through-link", &to)) {
        entry_send(fake, index, 040755, "", 0, NULL, 0);
        entry_send(fake, index, 0120777, "out", 3, to, strlen(to));
        entry_send(fake, index, 0100644, "out/file", 8, "bad", 3);
        end_send(fake, index, 0, "");
        return true;
    }
    if (fake_has(fake, "get-setuid", NULL)) {
        entry_send(fake, index, 0106755, "", 0, "bad", 3);
        end_send(fake, index, 0, "");
        return true;
    }
    if (fake_has(fake, "get-link", NULL)) {
        entry_send(fake, index, 0120777, "", 0, "/tmp", 4);
        end_send(fake, index, 0, "");
        return true;
    }
    if (fake_has(fake, "get-device", NULL)) {
        entry_send(fake, index, 0020666, "", 0, NULL, 0);
        end_send(fake, index, 0, "");
        return true;
    }
    if (fake_has(fake, "get-error", NULL)) {
        entry_send(fake, index, 040755, "", 0, NULL, 0);
        entry_send(fake, index, 0100644, "good", 4, "good", 4);
        end_send(fake, index, EIO, "bad");
        return true;
    }
    if (fake_has(fake, "get-more", NULL)) {
        fake_send(fake, AX_RUN_GET_ENTRY, (uint64_t[RUN_WORDS]){index, 0100644, 2}, "", 0);
        fake_send(fake, AX_RUN_GET_DATA, (uint64_t[RUN_WORDS]){index}, "bad", 3);
        return true;
    }
    if (fake_has(fake, "get-less", NULL)) {
        fake_send(fake, AX_RUN_GET_ENTRY, (uint64_t[RUN_WORDS]){index, 0100644, 2}, "", 0);
        fake_send(fake, AX_RUN_GET_DATA, (uint64_t[RUN_WORDS]){index}, "b", 1);
        end_send(fake, index, 0, "");
        return true;
    }
    if (fake_has(fake, "get-other", NULL)) {
        entry_send(fake, index + 1, 0100644, "", 0, "bad", 3);
        return true;
    }
    return false;
}

/* One that names something beside it. */
static void link_follow(const struct fake *fake, struct cpio_entry *entry, const void **content) {
    char path[CPIO_NAME_MAX + 1];
    size_t folder = entry->name_length;
    if ((entry->mode & CPIO_TYPE_MASK) != CPIO_LINK)
        return;
    while (folder > 0 && entry->name[folder - 1] != '/')
        folder--;
    snprintf(path, sizeof(path), "%.*s%.*s", (int)folder, entry->name, (int)entry->size_bytes,
             (const char *)*content);
    if (!fake_find(fake, path, entry, content))
        fake_fail("a link to nothing");
}

void files_send(const struct fake *fake) {
    const char *path = fake->request.gets.first;
    for (uint64_t i = 0; i < fake->request.gets.count; i++, path = run_string_next(path)) {
        struct cpio_entry entry;
        const void *content;
        if (attack(fake, i))
            continue;
        if (!fake_find(fake, path, &entry, &content)) {
            end_send(fake, i, ENOENT, "");
            continue;
        }
        link_follow(fake, &entry, &content);
        entry_send(fake, i, entry.mode, "", 0, content, entry.size_bytes);
        if ((entry.mode & CPIO_TYPE_MASK) == CPIO_DIRECTORY)
            below_send(fake, i, entry.name, entry.name_length);
        end_send(fake, i, 0, "");
    }
}
