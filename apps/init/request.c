/* SPDX-License-Identifier: MIT */
#include "init.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/start.h>

struct init init;

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char line[512];
    int size = vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size > sizeof(line) - 2)
        size = (int)sizeof(line) - 2;
    line[size++] = '\n';
    (void)ax_log_write(ax_start()->log, line, (size_t)size);
    exit(1);
}

static const void *image_map(uint64_t *size_bytes) {
    struct ax_object_info info;
    init.image_memory = ax_start_handle("image");
    if (ax_object_info(init.image_memory, &info) != AX_OK)
        die("init has no system image");
    *size_bytes = info.memory.page_count * AX_PAGE_SIZE;
    struct ax_map_request request = {.size_bytes = *size_bytes, .prot = AX_PROT_READ};
    ax_result address = ax_memory_map(AX_HANDLE_NONE, init.image_memory, &request);
    if (address < 0)
        die("the system image cannot be mapped: error %lld", (long long)address);
    return (const void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr): an answer */
}

static bool file_find(const char *path, struct load_image *file) {
    struct cpio_entry entry;
    if (path_find(path, &entry) != 0)
        return false;
    *file = (struct load_image){init.image_memory, entry.offset, cpio_content(&init.image, &entry),
                                entry.size_bytes};
    return true;
}

/* NULL-terminated pointers to the strings, with room for `extra` more. */
static const char **strings_list(const struct run_strings *strings, unsigned extra) {
    const char **list = calloc(strings->count + extra + 1, sizeof(*list));
    if (list == NULL)
        die("init has no memory for the request");
    const char *string = strings->first;
    for (uint32_t i = 0; i < strings->count; i++, string = run_string_next(string))
        list[i] = string;
    return list;
}

static bool is_named(const char *const *environment, const char *variable) {
    size_t length = (size_t)(strchr(variable, '=') - variable) + 1;
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, variable, length) == 0)
            return true;
    }
    return false;
}

static void environment_complete(uint32_t count) {
    static const char *const defaults[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/",
                                           "USER=root", "LOGNAME=root", "SHELL=/bin/sh"};
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (!is_named(init.environment, defaults[i]))
            init.environment[count++] = defaults[i];
    }
}

void request_open(void) {
    struct load_image file;
    uint64_t size_bytes;
    init.image.bytes = image_map(&size_bytes);
    init.image.size_bytes = size_bytes;
    if (!file_find("/lib/personality", &init.personality))
        die("/lib/personality is missing in the system image");
    if (!file_find(AX_RUN_REQUEST_PATH, &file))
        die("%s is missing: nobody said what to run", AX_RUN_REQUEST_PATH);
    enum run_error error = run_request_read(file.bytes, file.size_bytes, &init.request);
    if (error != RUN_OK)
        die("%s %s", AX_RUN_REQUEST_PATH, run_error_text(error));
    init.arguments = strings_list(&init.request.arguments, 0);
    init.environment = strings_list(&init.request.environment, 8);
    environment_complete(init.request.environment.count);
}
