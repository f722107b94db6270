/* SPDX-License-Identifier: MIT */
#include "crash.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpio/cpio.h>

#include "keep.h"
#include "report.h"
#include "tell.h"

#define OPEN_MAX    4               /* reports that come at the same time */
#define LINES_BYTES ((size_t)65536) /* of one */
#define REPORTS_MAX 16              /* told and kept in one run */
#define LINKS_MAX   8
#define FILES       2
/* What all reports of a run may look at in programs' tables: about half a second. */
#define EFFORT (UINT64_C(1) << 27)

struct crash {
    uint64_t id; /* 0: no report */
    char path[256], name[64];
    char lines[LINES_BYTES];
    size_t length;
};

static struct crash *crashes[OPEN_MAX];
static unsigned oldest, report_count;
static const char *folder;
static bool is_quiet;
static int files[FILES] = {-1, -1}; /* what the run adds, and the system image: later ones first */

void crash_begin(const struct options *options, int archive) {
    folder = options->crashes;
    is_quiet = options->is_quiet;
    files[0] = fcntl(archive, F_DUPFD_CLOEXEC, 0);
    files[1] = open(options->image, O_RDONLY | O_CLOEXEC);
}

/* ---- The program's file ---------------------------------------------------------------------- */

/* Once each: what is found in it is used for as long as the run lasts. */
static bool archive_map(size_t file, struct cpio_archive *archive) {
    static struct cpio_archive mapped[FILES];
    struct stat about;
    if (mapped[file].bytes == NULL && files[file] >= 0 && fstat(files[file], &about) == 0 &&
        about.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, files[file], 0);
        if (bytes != MAP_FAILED)
            mapped[file] = (struct cpio_archive){bytes, (size_t)about.st_size};
    }
    *archive = mapped[file];
    return archive->bytes != NULL;
}

/* Follows links whose text is a whole path. */
static bool program_find(const char *path, struct program *program) {
    char current[CPIO_NAME_MAX + 1];
    snprintf(current, sizeof(current), "%s", path);
    for (unsigned links = 0; links < LINKS_MAX; links++) {
        struct cpio_archive archive;
        struct cpio_entry entry;
        bool is_found = false;
        for (size_t i = 0; i < FILES && !is_found; i++)
            is_found = archive_map(i, &archive) &&
                       cpio_find(&archive, current, strlen(current), &entry) == CPIO_OK;
        if (!is_found)
            return false;
        if ((entry.mode & CPIO_TYPE_MASK) == CPIO_FILE) {
            cpio_resolve(&archive, &entry);
            return program_open(program, cpio_content(&archive, &entry), entry.size_bytes);
        }
        const char *text = cpio_content(&archive, &entry);
        if ((entry.mode & CPIO_TYPE_MASK) != CPIO_LINK || entry.size_bytes >= sizeof(current) ||
            text[0] != '/')
            return false;
        snprintf(current, sizeof(current), "%.*s", (int)entry.size_bytes, text);
    }
    return false;
}

/* ---- A report -------------------------------------------------------------------------------- */

static void crash_tell(const struct crash *crash) {
    static uint64_t effort = EFFORT;
    struct program program;
    char *headline = NULL, *details = NULL, kept[4096];
    size_t headline_size, details_size;
    FILE *first = open_memstream(&headline, &headline_size);
    FILE *rest = open_memstream(&details, &details_size);
    if (first != NULL && rest != NULL) {
        bool is_found = program_find(crash->path, &program);
        program.effort = &effort;
        report_headline(first, crash->name, crash->lines);
        report_details(rest, crash->path, crash->lines, is_found ? &program : NULL);
    }
    if (first != NULL)
        fclose(first);
    if (rest != NULL)
        fclose(rest);
    if (headline != NULL && details != NULL) {
        tell_clean(headline, headline_size);
        tell_clean(details, details_size);
        bool is_kept = folder != NULL &&
                       keep_report(folder, crash->name, headline, details, kept, sizeof(kept));
        if (!is_quiet) {
            tell("%s", headline);
            tell_text(details + 1, strlen(details + 1));
            if (folder != NULL)
                tell(is_kept ? "the report is kept in %s" : "the report is not kept: %s", kept);
        }
    }
    free(headline);
    free(details);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static struct crash *crash_find(uint64_t id) {
    for (unsigned i = 0; i < OPEN_MAX; i++) {
        if (crashes[i] != NULL && crashes[i]->id == id)
            return crashes[i];
    }
    return NULL;
}

/* In the place of the one that has been incomplete for longest, if all are. */
static void crash_open(uint64_t id, const char *path) {
    struct crash *crash = crash_find(id);
    if (crash == NULL)
        crash = crash_find(0);
    if (crash == NULL) {
        unsigned place = oldest++ % OPEN_MAX;
        if (crashes[place] == NULL)
            crashes[place] = malloc(sizeof(*crash));
        crash = crashes[place];
    }
    if (crash == NULL)
        return;
    crash->id = id;
    crash->length = 0;
    crash->lines[0] = '\0';
    snprintf(crash->path, sizeof(crash->path), "%s", path);
}

static void crash_close(struct crash *crash, const char *name) {
    snprintf(crash->name, sizeof(crash->name), "%s", name);
    crash->id = 0;
    if (report_count++ < REPORTS_MAX)
        crash_tell(crash);
    else if (report_count == REPORTS_MAX + 1 && !is_quiet)
        tell("there are more crashes than %d: the others are not reported", REPORTS_MAX);
}

static void crash_add(struct crash *crash, const char *line) {
    size_t length = strlen(line);
    if (length + 2 > sizeof(crash->lines) - crash->length)
        return;
    memcpy(crash->lines + crash->length, line, length);
    crash->length += length;
    crash->lines[crash->length++] = '\n';
    crash->lines[crash->length] = '\0';
}

bool crash_take(const char *line) {
    uint64_t id;
    int length = 0;
    if (sscanf(line, "crash %" SCNx64 " %n", &id, &length) != 1 || length == 0 || id == 0)
        return false;
    line += length;
    struct crash *crash = crash_find(id);
    if (strncmp(line, "begin ", 6) == 0)
        crash_open(id, line + 6);
    else if (crash != NULL && strncmp(line, "end ", 4) == 0)
        crash_close(crash, line + 4);
    else if (crash != NULL)
        crash_add(crash, line);
    return true;
}
