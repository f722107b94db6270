/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES_MAX ((size_t)16 << 20)
#define WORDS_MAX      4

/* Splits in place; one word more than there may be shows that there are too many. */
static size_t line_split(char *line, char *words[WORDS_MAX + 1]) {
    size_t count = 0;
    char *comment = strchr(line, '#');
    if (comment != NULL)
        *comment = '\0';
    for (;;) {
        line += strspn(line, " \t\r");
        if (*line == '\0' || count == WORDS_MAX + 1)
            return count;
        words[count++] = line;
        line += strcspn(line, " \t\r");
        if (*line != '\0')
            *line++ = '\0';
    }
}

/* An absent one is `otherwise`. */
static bool mode_read(const char *word, uint32_t otherwise, uint32_t *mode,
                      struct failure *failure) {
    *mode = otherwise;
    if (word == NULL)
        return true;
    if (strlen(word) > 5 || word[strspn(word, "01234567")] != '\0' ||
        (*mode = (uint32_t)strtoul(word, NULL, 8)) > 07777)
        return fail(failure, "the mode %s is not octal, 0 to 7777", word);
    return true;
}

/* A host file is relative to the folder of the list. */
static bool host_add(struct archive *archive, const char *list, char **words,
                     struct failure *failure) {
    uint32_t mode;
    const char *slash = strrchr(list, '/');
    int folder = slash == NULL || words[2][0] == '/' ? 0 : (int)(slash + 1 - list);
    char *host;
    if (!mode_read(words[3], ARCHIVE_MODE_KEEP, &mode, failure))
        return false;
    if (asprintf(&host, "%.*s%s", folder, list, words[2]) < 0)
        return fail(failure, "there is no memory for %s", words[2]);
    bool is_added = archive_add_host(archive, host, words[1], mode, failure);
    free(host);
    return is_added;
}

static bool line_add(struct archive *archive, const char *list, char *line,
                     struct failure *failure) {
    char *words[WORDS_MAX + 1] = {0};
    size_t count = line_split(line, words);
    uint32_t mode;
    if (count == 0)
        return true;
    if (strcmp(words[0], "file") == 0 && (count == 3 || count == 4))
        return host_add(archive, list, words, failure);
    if (strcmp(words[0], "folder") == 0 && (count == 2 || count == 3))
        return mode_read(words[2], 0755, &mode, failure) &&
               archive_add_folder(archive, words[1], mode, failure);
    if (strcmp(words[0], "link") == 0 && count == 3)
        return archive_add_link(archive, words[1], words[2], failure);
    return fail(failure,
                "neither \"file PATH HOST [MODE]\" nor \"folder PATH [MODE]\" nor \"link PATH "
                "TEXT\"");
}

bool list_add(struct archive *archive, const char *path, struct failure *failure) {
    char *text;
    size_t size;
    if (!file_read(path, LIST_BYTES_MAX, &text, &size, failure))
        return false;
    text[size] = '\0'; /* file_read leaves room */
    bool is_added = strlen(text) == size || fail(failure, "%s is not a text", path);
    unsigned number = 1;
    for (char *line = text; is_added && line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        struct failure inner = {0};
        if (!line_add(archive, path, line, &inner))
            is_added = fail(failure, "%s:%u: %s", path, number, inner.text);
        line = end;
    }
    free(text);
    return is_added;
}
