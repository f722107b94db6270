/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <image/archive.h>
#include <run/run.h>

#include "terminal.h"

static uint32_t flags_make(const struct options *options) {
    static const uint32_t terminals[] = {AX_RUN_TERMINAL_IN, AX_RUN_TERMINAL_OUT,
                                         AX_RUN_TERMINAL_ERROR};
    uint32_t flags = 0;
    for (int fd = 0; fd < 3; fd++)
        flags |= isatty(fd) == 1 ? terminals[fd] : 0;
    return flags | (options->is_verbose ? AX_RUN_VERBOSE : 0) |
           (options->has_seed ? AX_RUN_FIXED : 0);
}

static bool is_named(const struct options *options, const char *name) {
    size_t length = strlen(name);
    for (uint32_t i = 0; i < options->environment_count; i++) {
        if (strncmp(options->environment[i], name, length) == 0 &&
            options->environment[i][length] == '=')
            return true;
    }
    return false;
}

/* TERM goes along with a terminal. */
static const char **environment_make(const struct options *options, uint32_t flags,
                                     uint32_t *count) {
    static char variable[256];
    const char *term = getenv("TERM");
    const char **list = calloc((size_t)options->environment_count + 1, sizeof(*list));
    *count = options->environment_count;
    if (list == NULL)
        return NULL;
    if (*count != 0)
        memcpy(list, options->environment, *count * sizeof(*list));
    bool has_terminal =
        (flags & (AX_RUN_TERMINAL_IN | AX_RUN_TERMINAL_OUT | AX_RUN_TERMINAL_ERROR)) != 0;
    if (has_terminal && term != NULL && !is_named(options, "TERM") &&
        snprintf(variable, sizeof(variable), "TERM=%s", term) < (int)sizeof(variable))
        list[(*count)++] = variable;
    return list;
}

static const char **gets_make(const struct options *options) {
    const char **list = calloc((size_t)options->get_count + 1, sizeof(*list));
    for (uint32_t i = 0; list != NULL && i < options->get_count; i++)
        list[i] = options->gets[i].inside;
    return list;
}

static bool request_add(struct archive *archive, const struct options *options,
                        struct failure *failure) {
    struct run_request request = {.flags = flags_make(options),
                                  .directory = options->directory,
                                  .arguments.count = options->argument_count,
                                  .gets.count = options->get_count};
    terminal_size(&request.columns, &request.rows);
    const char **gets = gets_make(options);
    const char **environment = environment_make(options, request.flags, &request.environment.count);
    char *bytes = malloc(AX_RUN_REQUEST_MAX);
    bool is_added = false;
    if (gets == NULL || environment == NULL || bytes == NULL) {
        fail(failure, "there is no memory for the request");
        goto out;
    }
    size_t size = run_request_write(&request, options->arguments, environment, gets, bytes,
                                    AX_RUN_REQUEST_MAX);
    if (size > AX_RUN_REQUEST_MAX)
        fail(failure, "the command line is too long: %zu of at most %u bytes", size,
             AX_RUN_REQUEST_MAX);
    else
        is_added = archive_add_bytes(archive, AX_RUN_REQUEST_PATH, 0400, bytes, size, failure);
out:
    free(bytes);
    free(environment);
    free(gets);
    return is_added;
}

static bool archive_fill(struct archive *archive, const struct options *options,
                         struct failure *failure) {
    for (uint32_t i = 0; i < options->file_count; i++) {
        if (!archive_add_host(archive, options->files[i].outside, options->files[i].inside,
                              ARCHIVE_MODE_KEEP, failure))
            return false;
    }
    return request_add(archive, options, failure) && archive_finish(archive, failure);
}

int request_make(const struct options *options, struct failure *failure) {
    struct archive archive = {0};
    struct output output = {.path = "the memory for the files of this run",
                            .fd = memfd_create("axolotl-run", MFD_CLOEXEC)};
    bool is_made =
        output.fd >= 0 || fail(failure, "no memory for files can be had: %s", strerror(errno));
    is_made = is_made && archive_fill(&archive, options, failure) &&
              archive_write(&archive, &output, failure);
    archive_free(&archive);
    if (is_made)
        return output.fd;
    if (output.fd >= 0)
        close(output.fd);
    return -1;
}
