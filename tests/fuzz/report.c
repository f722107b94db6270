/* SPDX-License-Identifier: MIT */
/* Any bytes as a report of a crash and the file of the program that crashed: the first zero is
 * between the two. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/assert.h>
#include <tools/run/report.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct program program;
    char *text = NULL;
    size_t text_size, lines_size = strnlen((const char *)data, size);
    char *lines = strndup((const char *)data, lines_size);
    size_t begin = lines_size < size ? lines_size + 1 : size;
    /* A copy of its own, so that reading beyond its end is seen. */
    uint8_t *file = malloc(size - begin + 1);
    FILE *stream = open_memstream(&text, &text_size);
    ASSERT(lines != NULL && file != NULL && stream != NULL);
    file = realloc(file, size - begin != 0 ? size - begin : 1);
    memcpy(file, data + begin, size - begin);
    uint64_t effort = UINT64_C(1) << 20;
    bool is_program = program_open(&program, file, size - begin);
    program.effort = &effort;
    report_headline(stream, "fuzzed", lines);
    report_details(stream, "/bin/fuzzed", lines, is_program ? &program : NULL);
    fclose(stream);
    ASSERT(text_size > 0);
    free(text);
    free(lines);
    free(file);
    return 0;
}
