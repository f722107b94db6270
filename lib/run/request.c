/* SPDX-License-Identifier: MIT */
#include <run/run.h>

#include <base/memory.h>

static size_t length_of(const char *string) {
    size_t length = 0;
    while (string[length] != '\0')
        length++;
    return length;
}

const char *run_string_next(const char *string) {
    return string + length_of(string) + 1;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* How many strings lie there, all of them ended. */
static bool strings_count(const char *strings, size_t size, uint64_t *count) {
    *count = 0;
    for (size_t i = 0; i < size; i++)
        *count += strings[i] == '\0';
    return size != 0 && strings[size - 1] == '\0';
}

static struct run_strings strings_take(const char **at, uint32_t count) {
    struct run_strings strings = {*at, count};
    for (uint32_t i = 0; i < count; i++)
        *at = run_string_next(*at);
    return strings;
}

static bool is_absolute(const char *path) {
    return path[0] == '/';
}

static bool is_variable(const char *text) {
    size_t length = 0;
    while (text[length] != '\0' && text[length] != '=')
        length++;
    return length != 0 && text[length] == '=';
}

static bool all_are(struct run_strings strings, bool (*is)(const char *)) {
    for (uint32_t i = 0; i < strings.count; i++, strings.first = run_string_next(strings.first)) {
        if (!is(strings.first))
            return false;
    }
    return true;
}

static bool texts_are_possible(const struct run_request *request) {
    if (request->directory[0] != '\0' && !is_absolute(request->directory))
        return false;
    if (request->arguments.count != 0 && request->arguments.first[0] == '\0')
        return false;
    return all_are(request->environment, is_variable) && all_are(request->gets, is_absolute);
}

enum run_error run_request_read(const void *bytes, size_t size, struct run_request *request) {
    struct ax_run_request header;
    const char *strings = (const char *)bytes + sizeof(header);
    uint64_t count;
    if (size < sizeof(header))
        return RUN_TRUNCATED;
    memcpy(&header, bytes, sizeof(header));
    if (header.magic != AX_RUN_REQUEST_MAGIC)
        return RUN_MAGIC;
    if (header.version != AX_RUN_VERSION)
        return RUN_VERSION;
    if (size > AX_RUN_REQUEST_MAX)
        return RUN_SIZE;
    if (header.string_bytes != size - sizeof(header) ||
        !strings_count(strings, header.string_bytes, &count))
        return RUN_TRUNCATED;
    if (count != UINT64_C(1) + header.argument_count + header.environment_count + header.get_count)
        return RUN_TRUNCATED;
    if ((header.flags & ~(uint32_t)AX_RUN_FLAGS) != 0 || header.columns > UINT16_MAX ||
        header.rows > UINT16_MAX)
        return RUN_VALUE;
    *request = (struct run_request){.flags = header.flags,
                                    .columns = header.columns,
                                    .rows = header.rows,
                                    .directory = strings};
    strings = run_string_next(strings);
    request->arguments = strings_take(&strings, header.argument_count);
    request->environment = strings_take(&strings, header.environment_count);
    request->gets = strings_take(&strings, header.get_count);
    return texts_are_possible(request) ? RUN_OK : RUN_TEXT;
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct writer {
    char *bytes;
    size_t size, room;
};

static void put(struct writer *writer, const void *bytes, size_t size) {
    if (writer->size <= writer->room && size <= writer->room - writer->size)
        memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += size;
}

static void put_strings(struct writer *writer, const char *const *strings, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        put(writer, strings[i], length_of(strings[i]) + 1);
}

size_t run_request_write(const struct run_request *request, const char *const *arguments,
                         const char *const *environment, const char *const *gets, void *buffer,
                         size_t room) {
    struct writer writer = {.bytes = buffer, .room = room};
    struct ax_run_request header = {
        .magic = AX_RUN_REQUEST_MAGIC,
        .version = AX_RUN_VERSION,
        .flags = request->flags,
        .columns = request->columns,
        .rows = request->rows,
        .argument_count = request->arguments.count,
        .environment_count = request->environment.count,
        .get_count = request->gets.count,
    };
    put(&writer, &header, sizeof(header));
    put_strings(&writer, &request->directory, 1);
    put_strings(&writer, arguments, request->arguments.count);
    put_strings(&writer, environment, request->environment.count);
    put_strings(&writer, gets, request->gets.count);
    if (writer.size <= room && writer.size <= AX_RUN_REQUEST_MAX) {
        header.string_bytes = (uint32_t)(writer.size - sizeof(header));
        memcpy(buffer, &header, sizeof(header));
    }
    return writer.size;
}
