/* SPDX-License-Identifier: MIT */
/* axolotl-image: builds the system image. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <image/archive.h>

#include "check.h"
#include "list.h"

static const char help[] =
    "Usage: axolotl-image -o FILE [--root DIR] [--add HOST=/PATH] [--list FILE]... [--keep-times]\n"
    "\n"
    "Builds a system image of Axolotl: an archive in the format of cpio (newc). The same files "
    "give\n"
    "the same bytes. What is named later takes the place of what was named before it.\n"
    "\n"
    "  -o, --output FILE     where to write the image; it appears when it is complete\n"
    "      --root DIR        put in all that is in a folder of the host\n"
    "      --add HOST=/PATH  put in a file or folder of the host, as PATH\n"
    "      --list FILE       put in what the lines of a file say:\n"
    "                            file PATH HOST [MODE]   HOST: a file or folder of the host,\n"
    "                            folder PATH [MODE]            relative to the list's own folder\n"
    "                            link PATH TEXT\n"
    "                        MODE is octal; blanks separate; # begins a comment\n"
    "      --keep-times      keep the times of files (else all are 1 January 1970)\n"
    "  -h, --help            this text\n"
    "\n"
    "Modes are kept, all belongs to root (0:0), folders that are missing are made. If there comes "
    "to\n"
    "be a manifest (/etc/manifest), it must be right, and the programs that it names must be "
    "there.\n"
    "Exit status: 0, or 1 if the image could not be made, 2 if the command line is wrong.\n";

enum option_code { OPTION_ROOT = 256, OPTION_ADD, OPTION_LIST, OPTION_KEEP_TIMES };

static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                        {"root", required_argument, NULL, OPTION_ROOT},
                                        {"add", required_argument, NULL, OPTION_ADD},
                                        {"list", required_argument, NULL, OPTION_LIST},
                                        {"keep-times", no_argument, NULL, OPTION_KEEP_TIMES},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};

static bool pair_add(struct archive *archive, const char *pair, struct failure *failure) {
    const char *equals = strstr(pair, "=/");
    if (equals == NULL)
        return fail(failure, "--add takes HOST=/PATH, not %s", pair);
    char *host = strndup(pair, (size_t)(equals - pair));
    if (host == NULL)
        return fail(failure, "there is no memory for %s", pair);
    bool is_added = archive_add_host(archive, host, equals + 1, ARCHIVE_MODE_KEEP, failure);
    free(host);
    return is_added;
}

/* Puts in one thing that the command line names. */
static bool argument_add(struct archive *archive, int option, const char *argument,
                         struct failure *failure) {
    switch (option) {
    case OPTION_ROOT: return archive_add_host(archive, argument, "/", ARCHIVE_MODE_KEEP, failure);
    case OPTION_ADD: return pair_add(archive, argument, failure);
    case OPTION_LIST: return list_add(archive, argument, failure);
    default: return true;
    }
}

static bool arguments_add(struct archive *archive, int argc, char **argv, struct failure *failure) {
    int option;
    optind = 0; /* from the beginning again */
    while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (!argument_add(archive, option, optarg, failure))
            return false;
    }
    return archive_finish(archive, failure) && manifest_check(archive, failure);
}

static bool image_write(const struct archive *archive, const char *path, struct failure *failure) {
    struct output output;
    bool is_written = output_open(&output, path, failure) &&
                      archive_write(archive, &output, failure) && output_finish(&output, failure);
    if (!is_written)
        output_drop(&output);
    return is_written;
}

static int usage_error(const char *text) {
    fprintf(stderr, "axolotl-image: %s\nTry axolotl-image --help.\n", text);
    return 2;
}

int main(int argc, char **argv) {
    struct archive archive = {0};
    const char *path = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        switch (option) {
        case 'o': path = optarg; break;
        case OPTION_KEEP_TIMES: archive.keeps_times = true; break;
        case 'h': return fputs(help, stdout) < 0 || fflush(stdout) != 0;
        case '?': return usage_error("the command line is wrong");
        default: break;
        }
    }
    if (optind != argc)
        return usage_error("it takes options only");
    if (path == NULL)
        return usage_error("where to write the image? (-o FILE)");
    struct failure failure;
    bool is_made =
        arguments_add(&archive, argc, argv, &failure) && image_write(&archive, path, &failure);
    archive_free(&archive);
    if (!is_made)
        fprintf(stderr, "axolotl-image: %s\n", failure.text);
    return is_made ? 0 : 1;
}
