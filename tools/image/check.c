/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <abi/layout.h>
#include <cpio/cpio.h>
#include <elf/elf.h>
#include <manifest/manifest.h>

#define MANIFEST_BYTES_MAX ((size_t)1 << 20)
#define PROGRAM_BYTES_MAX  ((size_t)1 << 30)

static bool is_file(const struct archive_entry *entry) {
    return (entry->mode & CPIO_TYPE_MASK) == CPIO_FILE;
}

/* Can the program be loaded, as far as one can tell here? */
static bool program_load(const struct archive_entry *entry, struct failure *failure) {
    /* Any bias of a large alignment: the supervisor will choose another. */
    static const struct elf_place place = {
        .start = AX_USER_START, .end = AX_PROGRAM_END, .bias = UINT64_C(1) << 40};
    struct elf_plan plan;
    char *bytes;
    size_t size;
    if (!archive_read(entry, PROGRAM_BYTES_MAX, &bytes, &size, failure))
        return false;
    enum elf_error error = elf_plan(bytes, size, &place, &plan);
    free(bytes);
    return error == ELF_OK || fail(failure, "it %s", elf_error_text(error));
}

static bool program_check(const struct archive *archive, const char *path,
                          struct failure *failure) {
    const struct archive_entry *entry = archive_find(archive, path);
    if (entry == NULL)
        return fail(failure, "it is not in the image");
    if (!is_file(entry))
        return fail(failure, "it is not a file itself");
    if ((entry->mode & 0111) == 0)
        return fail(failure, "its mode does not let it be executed");
    return program_load(entry, failure);
}

/* An error names the manifest, the line of the section, and the program. */
static bool server_check(const struct archive *archive, const struct manifest_server *server,
                         struct failure *failure) {
    struct failure inner = {0};
    char *path = strndup(server->arguments[0].start, server->arguments[0].length);
    if (path == NULL)
        return fail(failure, "there is no memory for the names of programs");
    bool is_fine = program_check(archive, path, &inner);
    if (!is_fine)
        fail(failure, "%s: line %u: the program %s of \"%.*s\" cannot be started: %s",
             MANIFEST_PATH, server->line, path, (int)server->name.length, server->name.start,
             inner.text);
    free(path);
    return is_fine;
}

static bool servers_check(const struct archive *archive, const struct manifest *manifest,
                          struct failure *failure) {
    for (unsigned i = 0; i < manifest->server_count; i++) {
        if (!server_check(archive, &manifest->servers[i], failure))
            return false;
    }
    return !manifest->has_init || server_check(archive, &manifest->init, failure);
}

bool manifest_check(const struct archive *archive, struct failure *failure) {
    static struct manifest manifest;
    struct manifest_error error;
    char *text;
    size_t length;
    const struct archive_entry *entry = archive_find(archive, MANIFEST_PATH);
    if (entry == NULL)
        return true;
    if (!is_file(entry))
        return fail(failure, "%s is not a file", MANIFEST_PATH);
    if (!archive_read(entry, MANIFEST_BYTES_MAX, &text, &length, failure))
        return false;
    bool is_fine = manifest_read(text, length, &manifest, &error);
    if (is_fine)
        is_fine = servers_check(archive, &manifest, failure);
    else if (error.line == 0)
        fail(failure, "%s: %s", MANIFEST_PATH, error.text);
    else
        fail(failure, "%s: line %u: %s", MANIFEST_PATH, error.line, error.text);
    free(text);
    return is_fine;
}
