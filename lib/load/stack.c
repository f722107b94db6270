/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <base/align.h>
#include <base/memory.h>

/* Keys of the auxiliary vector, as the System V ABI and Linux number them. */
enum aux {
    AUX_NULL = 0,
    AUX_PHDR = 3,
    AUX_PHENT = 4,
    AUX_PHNUM = 5,
    AUX_PAGESZ = 6,
    AUX_BASE = 7,
    AUX_FLAGS = 8,
    AUX_ENTRY = 9,
    AUX_UID = 11,
    AUX_EUID = 12,
    AUX_GID = 13,
    AUX_EGID = 14,
    AUX_PLATFORM = 15,
    AUX_HWCAP = 16,
    AUX_CLKTCK = 17,
    AUX_SECURE = 23,
    AUX_RANDOM = 25,
    AUX_HWCAP2 = 26,
    AUX_EXECFN = 31,
    AUX_MINSIGSTKSZ = 51,
};
#define AUX_COUNT    20
#define RANDOM_BYTES 16

static const char platform[] = "x86_64";

/* With its end. */
static size_t string_bytes(const char *string) {
    size_t length = 0;
    while (string[length] != '\0')
        length++;
    return length + 1;
}

/* Adds a list's strings; false: more than there may be. */
static bool strings_measure(const char *const *strings, size_t *count, size_t *total) {
    *count = 0;
    for (; strings != NULL && strings[*count] != NULL; ++*count) {
        if (!size_add(*total, string_bytes(strings[*count]), total) || *total > LOAD_STRINGS_MAX)
            return false;
    }
    return true; /* each has a byte at least: so many strings at most */
}

ax_result stack_measure(const struct load_request *request, struct stack_image *image) {
    const char *const path[] = {request->path, NULL};
    size_t one;
    *image = (struct stack_image){0};
    if (!strings_measure(request->arguments, &image->argument_count, &image->string_bytes) ||
        !strings_measure(request->environment, &image->environment_count, &image->string_bytes) ||
        !strings_measure(path, &one, &image->string_bytes))
        return AX_ERR_LIMIT;
    image->string_bytes += sizeof(platform) + RANDOM_BYTES;
    /* argc, the ends of argv and envp, and a last word of zero, as Linux leaves it. */
    size_t words = 4 + image->argument_count + image->environment_count + 2 * (size_t)AUX_COUNT;
    image->size_bytes = align_up(image->string_bytes + words * sizeof(uint64_t), 16);
    return AX_OK;
}

/* Where the next word and the next string go. */
struct builder {
    uint64_t *words;
    char *strings;
    uint64_t address; /* of the next string, in the program */
};

static void put_word(struct builder *builder, uint64_t word) {
    *builder->words++ = word;
}

static void put_aux(struct builder *builder, enum aux key, uint64_t value) {
    put_word(builder, key);
    put_word(builder, value);
}

/* Answers where the program will see them. */
static uint64_t put_bytes(struct builder *builder, const void *bytes, size_t size_bytes) {
    uint64_t address = builder->address;
    memcpy(builder->strings, bytes, size_bytes);
    builder->strings += size_bytes;
    builder->address += size_bytes;
    return address;
}

static uint64_t put_string(struct builder *builder, const char *string) {
    return put_bytes(builder, string, string_bytes(string));
}

static void put_list(struct builder *builder, const char *const *strings, size_t count) {
    for (size_t i = 0; i < count; i++)
        put_word(builder, put_string(builder, strings[i]));
    put_word(builder, 0);
}

void stack_build(const struct load_request *request, const struct elf_plan *plan,
                 const struct stack_image *image, const struct ax_start *start, uint64_t top,
                 void *to) {
    size_t strings_at = image->size_bytes - sizeof(uint64_t) - image->string_bytes;
    struct builder builder = {to, (char *)to + strings_at, top - image->size_bytes + strings_at};
    put_word(&builder, image->argument_count);
    put_list(&builder, request->arguments, image->argument_count);
    put_list(&builder, request->environment, image->environment_count);
    if (plan->headers != 0)
        put_aux(&builder, AUX_PHDR, plan->headers);
    put_aux(&builder, AUX_PHENT, plan->header_size);
    put_aux(&builder, AUX_PHNUM, plan->headers != 0 ? plan->header_count : 0);
    put_aux(&builder, AUX_PAGESZ, AX_PAGE_SIZE);
    put_aux(&builder, AUX_BASE, 0);
    put_aux(&builder, AUX_FLAGS, 0);
    put_aux(&builder, AUX_ENTRY, plan->entry);
    put_aux(&builder, AUX_UID, 0);
    put_aux(&builder, AUX_EUID, 0);
    put_aux(&builder, AUX_GID, 0);
    put_aux(&builder, AUX_EGID, 0);
    put_aux(&builder, AUX_SECURE, 0);
    put_aux(&builder, AUX_HWCAP, start->cpu.features);
    put_aux(&builder, AUX_HWCAP2, 0);
    put_aux(&builder, AUX_CLKTCK, 100);
    put_aux(&builder, AUX_MINSIGSTKSZ, start->signal_bytes);
    put_aux(&builder, AUX_RANDOM, put_bytes(&builder, request->entropy, RANDOM_BYTES));
    put_aux(&builder, AUX_PLATFORM, put_bytes(&builder, platform, sizeof(platform)));
    put_aux(&builder, AUX_EXECFN, put_string(&builder, request->path));
    put_aux(&builder, AUX_NULL, 0);
}
