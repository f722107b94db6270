/* SPDX-License-Identifier: MIT */
/* axolotl-root: the root task's image (abi/root.h) from its ELF file. */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/layout.h>
#include <abi/root.h>
#include <base/align.h>
#include <common/file.h>
#include <elf/elf.h>

#define ELF_BYTES_MAX ((size_t)64 << 20)

static const char help[] =
    "Usage: axolotl-root ELF -o FILE\n"
    "\n"
    "Makes the image of Axolotl's root task, the machine's first boot module, from its program: a\n"
    "static ELF file at a fixed address that needs no C library. The same program gives the same\n"
    "bytes.\n"
    "\n"
    "  -o, --output FILE  where to write the image; it appears when it is complete\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0, or 1 if the image could not be made, 2 if the command line is wrong.\n";

/* Everything core will check, and what only the program's author can have meant otherwise. */
static bool plan_check(const struct elf_plan *plan, const char *path, struct failure *failure) {
    if (plan->is_dyn)
        return fail(failure, "%s is position-independent: link it with -no-pie", path);
    if (plan->tls.memory_bytes != 0)
        return fail(failure, "%s has thread-local variables, for which the root task has no place",
                    path);
    if (plan->segment_count > AX_ROOT_SEGMENTS)
        return fail(failure, "%s has %u segments to load, of which a root task can have %d", path,
                    plan->segment_count, AX_ROOT_SEGMENTS);
    return true;
}

/* The header, with each segment's place behind it. */
static struct ax_root_image header_make(const struct elf_plan *plan) {
    struct ax_root_image image = {
        .magic = AX_ROOT_MAGIC, .entry = plan->entry, .segment_count = plan->segment_count};
    uint64_t offset = align_up(sizeof(image), AX_PAGE_SIZE);
    for (unsigned i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        image.segments[i] = (struct ax_root_segment){.address = segment->address,
                                                     .offset = offset,
                                                     .file_bytes = segment->file_bytes,
                                                     .size_bytes = segment->size_bytes,
                                                     .prot = segment->prot};
        offset += align_up(segment->file_bytes, AX_PAGE_SIZE);
    }
    return image;
}

/* Bytes, then zeroes up to a whole page. */
static bool pages_write(struct output *output, const void *bytes, size_t size,
                        struct failure *failure) {
    static const char zeroes[AX_PAGE_SIZE];
    return output_write(output, bytes, size, failure) &&
           output_write(output, zeroes, align_up(size, AX_PAGE_SIZE) - size, failure);
}

static bool image_write(const struct elf_plan *plan, const char *elf, const char *path,
                        struct failure *failure) {
    struct ax_root_image image = header_make(plan);
    struct output output;
    bool is_written =
        output_open(&output, path, failure) && pages_write(&output, &image, sizeof(image), failure);
    for (unsigned i = 0; is_written && i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        is_written = pages_write(&output, elf + segment->offset, segment->file_bytes, failure);
    }
    is_written = is_written && output_finish(&output, failure);
    if (!is_written)
        output_drop(&output);
    return is_written;
}

static bool image_make(const char *elf_path, const char *path, struct failure *failure) {
    /* The root task's stack ends where programs do (core/root.c). The bias is only there for a
     * position-independent program to be recognised as such. */
    const struct elf_place place = {.start = AX_USER_START,
                                    .end = AX_PROGRAM_END - AX_ROOT_STACK_PAGES * AX_PAGE_SIZE,
                                    .bias = UINT64_C(1) << 30};
    struct elf_plan plan;
    char *elf;
    size_t size;
    if (!file_read(elf_path, ELF_BYTES_MAX, &elf, &size, failure))
        return false;
    enum elf_error error = elf_plan(elf, size, &place, &plan);
    bool is_made = error == ELF_OK ? plan_check(&plan, elf_path, failure) &&
                                         image_write(&plan, elf, path, failure)
                                   : fail(failure, "%s %s", elf_path, elf_error_text(error));
    free(elf);
    return is_made;
}

static int usage_error(const char *text) {
    fprintf(stderr, "axolotl-root: %s\nTry axolotl-root --help.\n", text);
    return 2;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *path = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        switch (option) {
        case 'o': path = optarg; break;
        case 'h': return fputs(help, stdout) < 0 || fflush(stdout) != 0;
        default: return usage_error("the command line is wrong");
        }
    }
    if (optind != argc - 1)
        return usage_error("it takes one program");
    if (path == NULL)
        return usage_error("where to write the image? (-o FILE)");
    struct failure failure;
    if (!image_make(argv[optind], path, &failure)) {
        fprintf(stderr, "axolotl-root: %s\n", failure.text);
        return 1;
    }
    return 0;
}
