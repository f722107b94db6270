/* SPDX-License-Identifier: MIT */
#include "keep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "place.h"

#define NAME_MAX_KEPT 32
#define STAMP         "%Y%m%d-%H%M%S"

/* Names that are made here: the time comes first. */
static int is_report(const struct dirent *entry) {
    const char *name = entry->d_name;
    for (int i = 0; i < 15; i++) {
        if (i == 8 ? name[i] != '-' : !isdigit((unsigned char)name[i]))
            return 0;
    }
    size_t length = strlen(name);
    return length > 20 && strcmp(name + length - 4, ".txt") == 0;
}

static void old_remove(const char *folder) {
    struct dirent **entries;
    char path[4096];
    int count = scandir(folder, &entries, is_report, alphasort);
    for (int i = 0; i < count; i++) {
        int size = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (i + KEPT_MAX < count && size < (int)sizeof(path))
            unlink(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* FOLDER/TIME-PROCESS.NUMBER-NAME.txt */
static bool path_make(const char *folder, const char *name, char *path, size_t size) {
    static unsigned number;
    char stamp[32], plain[NAME_MAX_KEPT + 1];
    time_t now = time(NULL);
    struct tm parts;
    size_t length = 0;
    for (; length < NAME_MAX_KEPT && name[length] != '\0'; length++) {
        unsigned char c = (unsigned char)name[length];
        plain[length] = isalnum(c) || c == '-' || c == '_' || c == '.' ? (char)c : '_';
    }
    plain[length] = '\0';
    if (localtime_r(&now, &parts) == NULL || strftime(stamp, sizeof(stamp), STAMP, &parts) == 0)
        return false;
    return snprintf(path, size, "%s/%s-%d.%u-%s.txt", folder, stamp, (int)getpid(), number++,
                    plain) < (int)size;
}

bool keep_report(const char *folder, const char *name, const char *first, const char *rest,
                 char *kept, size_t kept_size) {
    char path[4096];
    struct place place = {.fd = -1};
    struct failure failure = {0};
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        snprintf(kept, kept_size, "%s cannot be made: %s", folder, strerror(errno));
        return false;
    }
    bool is_kept = path_make(folder, name, path, sizeof(path)) &&
                   place_open(&place, path, &failure) &&
                   place_write(&place, first, strlen(first), &failure) &&
                   place_write(&place, rest, strlen(rest), &failure) &&
                   place_finish(&place, (mode_t)-1, &failure);
    place_drop(&place);
    snprintf(kept, kept_size, "%s", is_kept ? path : failure.text);
    if (is_kept)
        old_remove(folder);
    return is_kept;
}
