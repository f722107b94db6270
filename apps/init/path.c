/* SPDX-License-Identifier: MIT */
/* Paths in the system image, which is all the file system there is yet. */
#include "init.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX 40

/* Joins a link's text with the folder it lies in, or takes its place. False: too long. */
static bool path_join(char *path, size_t folder_length, const char *text, size_t text_length,
                      const char *rest) {
    char joined[CPIO_NAME_MAX + 1];
    int size = text_length > 0 && text[0] == '/'
                   ? snprintf(joined, sizeof(joined), "%.*s%s", (int)text_length, text, rest)
                   : snprintf(joined, sizeof(joined), "%.*s/%.*s%s", (int)folder_length, path,
                              (int)text_length, text, rest);
    if (size < 0 || (size_t)size >= sizeof(joined))
        return false;
    memcpy(path, joined, (size_t)size + 1);
    return true;
}

/* Takes "." and ".." out of an absolute path. */
static void path_clean(char *path) {
    char *to = path, *next;
    for (char *part = path; *part != 0; part = next) {
        part += strspn(part, "/");
        size_t length = strcspn(part, "/");
        next = part + length;
        if (length == 0 || (length == 1 && part[0] == '.'))
            continue;
        if (length == 2 && part[0] == '.' && part[1] == '.') {
            while (to > path && *--to != '/')
                ;
            continue;
        }
        *to++ = '/';
        memmove(to, part, length);
        to += length;
    }
    *to = 0;
}

/* The first component that is a link becomes what it names; 0: none is. */
static int link_follow(char *path) {
    struct cpio_entry entry;
    for (size_t end = 1;; end++) {
        end += strcspn(path + end, "/");
        if (cpio_find(&init.image, path, end, &entry) == CPIO_OK &&
            (entry.mode & CPIO_TYPE_MASK) == CPIO_LINK) {
            size_t folder = end;
            while (folder > 0 && path[folder - 1] != '/')
                folder--;
            char rest[CPIO_NAME_MAX + 1];
            memcpy(rest, path + end, strlen(path + end) + 1);
            return path_join(path, folder > 0 ? folder - 1 : 0, cpio_content(&init.image, &entry),
                             entry.size_bytes, rest)
                       ? 1
                       : -ENAMETOOLONG;
        }
        if (path[end] == 0)
            return 0;
    }
}

int path_find(const char *path, struct cpio_entry *entry) {
    char at[CPIO_NAME_MAX + 1];
    size_t length = strlen(path);
    if (length > CPIO_NAME_MAX)
        return ENAMETOOLONG;
    memcpy(at, path, length + 1);
    for (unsigned links = 0;; links++) {
        path_clean(at);
        int followed = at[0] == 0 ? 0 : link_follow(at);
        if (followed < 0)
            return -followed;
        if (followed == 0)
            break;
        if (links == LINKS_MAX)
            return ELOOP;
    }
    if (cpio_find(&init.image, at, strlen(at), entry) != CPIO_OK)
        return ENOENT;
    cpio_resolve(&init.image, entry);
    return 0;
}

/* ---- Programs -------------------------------------------------------------------------------- */

/* Can it be run? 0, or why not. */
static int program_check(const char *path, struct cpio_entry *entry) {
    int error = path_find(path, entry);
    if (error != 0)
        return error;
    if ((entry->mode & CPIO_TYPE_MASK) != CPIO_FILE || (entry->mode & 0111) == 0)
        return EACCES;
    return 0;
}

static const char *path_variable(void) {
    for (const char **variable = init.environment; *variable != NULL; variable++) {
        if (strncmp(*variable, "PATH=", 5) == 0)
            return *variable + 5;
    }
    return "";
}

/* The path as seen from the working directory. */
static int path_absolute(const char *name, char *path) {
    const char *directory = name[0] == '/' ? "" : init.request.directory;
    int size =
        snprintf(path, CPIO_NAME_MAX + 1, "%s%s%s", directory, name[0] == '/' ? "" : "/", name);
    return size < 0 || size > CPIO_NAME_MAX ? ENAMETOOLONG : 0;
}

int program_find(const char *name, char *found, struct cpio_entry *entry) {
    int worst = ENOENT;
    if (strchr(name, '/') != NULL) {
        int error = path_absolute(name, found);
        return error != 0 ? error : program_check(found, entry);
    }
    for (const char *at = path_variable();; at++) {
        size_t length = strcspn(at, ":");
        char folder[CPIO_NAME_MAX + 1];
        int size = snprintf(folder, sizeof(folder), "%.*s/%s", (int)length, at, name);
        if (length > 0 && size > 0 && size <= CPIO_NAME_MAX && path_absolute(folder, found) == 0) {
            int error = program_check(found, entry);
            if (error == 0)
                return 0;
            if (error == EACCES)
                worst = error;
        }
        at += length;
        if (*at == 0)
            return worst;
    }
}
