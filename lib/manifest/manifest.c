/* SPDX-License-Identifier: MIT */
#include <manifest/manifest.h>

#include <stdarg.h>

#include <base/format.h>

#include "reader.h"
#include "words.h"

#define TEXT_BYTES_MAX ((size_t)1 << 20)

#define BACKOFF_NS     UINT64_C(10000000)
#define BACKOFF_MAX_NS UINT64_C(1000000000)

bool refuse(struct reader *reader, const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    format_list(reader->error->text, sizeof(reader->error->text), pattern, arguments);
    va_end(arguments);
    reader->error->line = reader->line;
    return false;
}

const struct manifest_server *manifest_find(const struct manifest *manifest, const char *name,
                                            size_t length) {
    struct manifest_text wanted = {name, (uint32_t)length};
    for (unsigned i = 0; length <= MANIFEST_NAME_MAX && i < manifest->server_count; i++) {
        if (text_same(manifest->servers[i].name, wanted))
            return &manifest->servers[i];
    }
    return NULL;
}

static bool init_begin(struct reader *reader, struct manifest_text name) {
    struct manifest *manifest = reader->manifest;
    if (manifest->has_init)
        return refuse(reader, "a second section [init]; the first is in line %u",
                      manifest->init.line);
    manifest->has_init = reader->is_init = true;
    reader->server = &manifest->init;
    *reader->server = (struct manifest_server){
        .name = name, .line = reader->line, .restart = MANIFEST_RESTART_NEVER};
    return true;
}

static bool server_begin(struct reader *reader, struct manifest_text name) {
    struct manifest *manifest = reader->manifest;
    if (!name_is_valid(name))
        return refuse(reader,
                      "\"%.*s\" cannot be a server's name: these are 1 to %d of a-z, 0-9 and -, a "
                      "letter first",
                      SHOWN(name), MANIFEST_NAME_MAX);
    if (name_is_reserved(name))
        return refuse(reader, "\"%.*s\" cannot be a server's name: it means something else",
                      SHOWN(name));
    const struct manifest_server *same = manifest_find(manifest, name.start, name.length);
    if (same != NULL)
        return refuse(reader, "a second server \"%.*s\"; the first is in line %u", SHOWN(name),
                      same->line);
    if (manifest->server_count == MANIFEST_SERVERS_MAX)
        return refuse(reader, "more than %d servers", MANIFEST_SERVERS_MAX);
    reader->is_init = false;
    reader->server = &manifest->servers[manifest->server_count++];
    *reader->server = (struct manifest_server){.name = name,
                                               .line = reader->line,
                                               .is_kept = true,
                                               .restart = MANIFEST_RESTART_ALWAYS,
                                               .backoff_ns = BACKOFF_NS,
                                               .backoff_max_ns = BACKOFF_MAX_NS};
    return true;
}

/* [server NAME] or [init], alone in its line. */
static bool section_read(struct reader *reader, struct manifest_text line) {
    struct manifest_text inside = {line.start + 1, 0}, rest, words[3];
    while (inside.length < line.length - 1 && inside.start[inside.length] != ']')
        inside.length++;
    bool is_closed = inside.length < line.length - 1;
    rest = (struct manifest_text){inside.start + inside.length + is_closed,
                                  line.length - 1 - inside.length - is_closed};
    unsigned count = 0;
    while (count < 3 && word_take(&inside, &words[count]) == WORD_TAKEN)
        count++;
    if (!is_closed || inside.length != 0 || word_take(&rest, &words[2]) != WORD_NONE)
        return refuse(reader, "a section begins with a line [server NAME] or [init]");
    if (reader->server != NULL && !keys_check(reader))
        return false;
    reader->seen = 0;
    if (count == 1 && text_is(words[0], "init"))
        return init_begin(reader, words[0]);
    if (count == 2 && text_is(words[0], "server"))
        return server_begin(reader, words[1]);
    return refuse(reader, "a section begins with a line [server NAME] or [init]");
}

static bool line_check(struct reader *reader, struct manifest_text line) {
    for (uint32_t i = 0; i < line.length; i++) {
        unsigned char character = (unsigned char)line.start[i];
        if ((character < ' ' && character != '\t') || character == 0x7f)
            return refuse(reader, "a character that does not belong in a text (0x%02x)", character);
    }
    return true;
}

/* What stands before the = without the blanks around it. */
static struct manifest_text key_of(struct manifest_text line, uint32_t equals) {
    struct manifest_text key = {line.start, equals};
    while (key.length != 0 && is_blank(key.start[key.length - 1]))
        key.length--;
    return key;
}

static bool line_read(struct reader *reader, struct manifest_text line) {
    if (!line_check(reader, line))
        return false;
    while (line.length != 0 && is_blank(*line.start))
        line = (struct manifest_text){line.start + 1, line.length - 1};
    if (line.length == 0 || *line.start == '#')
        return true;
    if (*line.start == '[')
        return section_read(reader, line);
    uint32_t equals = 0;
    while (equals < line.length && line.start[equals] != '=')
        equals++;
    if (equals == line.length)
        return refuse(reader, "neither \"key = value\" nor [server NAME] nor [init]");
    if (reader->server == NULL)
        return refuse(reader, "a key before the first section");
    return key_read(reader, key_of(line, equals),
                    (struct manifest_text){line.start + equals + 1, line.length - equals - 1});
}

bool manifest_read(const char *text, size_t length, struct manifest *manifest,
                   struct manifest_error *error) {
    struct reader reader = {.manifest = manifest, .error = error};
    struct manifest_text left = {text, (uint32_t)length}, line;
    manifest->server_count = 0;
    manifest->has_init = false;
    if (length > TEXT_BYTES_MAX)
        return refuse(&reader, "it is larger than 1 MiB");
    while (line_take(&left, &line)) {
        reader.line++;
        if (!line_read(&reader, line))
            return false;
    }
    if (reader.server == NULL) {
        reader.line = 0;
        return refuse(&reader, "it describes no server and no init");
    }
    return keys_check(&reader) && calls_resolve(&reader) && devices_check(&reader) &&
           order_find(&reader);
}
