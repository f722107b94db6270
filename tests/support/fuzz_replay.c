/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over kept inputs, without libFuzzer: each argument is a file or a folder of
 * files. For the compilers and builds that libFuzzer does not serve.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned input_count;

static void fail(const char *path) {
    perror(path);
    exit(2);
}

static void replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    /* An allocation of exactly the input's size, so that a sanitizer sees reads beyond it. */
    uint8_t *data = malloc(size + (size == 0));
    if (file == NULL || data == NULL || fread(data, 1, size, file) != size)
        fail(path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    input_count++;
}

static void replay(const char *path);

static void replay_folder(const char *path) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        fail(path);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        if (entries[i]->d_name[0] != '.') {
            snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
            replay(inner);
        }
        free(entries[i]);
    }
    free(entries);
}

static void replay(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        fail(path);
    if (S_ISDIR(status.st_mode))
        replay_folder(path);
    else
        replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("figure: %u kept inputs replayed\n", input_count);
    if (input_count == 0)
        fprintf(stderr, "no input was found\n");
    return input_count == 0;
}
