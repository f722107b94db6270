/* SPDX-License-Identifier: MIT */
/* What the lines of a section say. */
#include <abi/info.h>
#include <abi/layout.h>
#include <abi/object.h>
#include <base/align.h>

#include "reader.h"
#include "words.h"

_Static_assert(MANIFEST_PRIORITY_MAX == AX_PRIORITY_COUNT - 2, "all but the highest");

#define PORT_MAX          0xffff
#define LINE_MAX          0xffff
#define RESTART_LIMIT_MAX 1000000

bool name_is_reserved(struct manifest_text name) {
    static const char *const names[] = {"account", "endpoint",   "init",   "log",
                                        "process", "stash",      "stderr", "stdin",
                                        "stdout",  "supervisor", "system"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (text_is(name, names[i]))
            return true;
    }
    return false;
}

/* Names of a program's descriptors, which a session may have. */
static bool name_is_stream(struct manifest_text name) {
    return text_is(name, "stdin") || text_is(name, "stdout") || text_is(name, "stderr");
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* Takes the next word if there is one. False: a quote is wrong. */
static bool next_word(struct reader *reader, struct manifest_text *value,
                      struct manifest_text *word, bool *is_taken) {
    enum word_result result = word_take(value, word);
    *is_taken = result == WORD_TAKEN;
    if (result == WORD_QUOTE)
        return refuse(reader, "a quote (\") that does not end, or is within a word");
    return true;
}

/* The value is to be one word. */
static bool only_word(struct reader *reader, struct manifest_text value,
                      struct manifest_text *word) {
    struct manifest_text other;
    bool is_first, is_second = false;
    if (!next_word(reader, &value, word, &is_first) ||
        !next_word(reader, &value, &other, &is_second))
        return false;
    if (!is_first)
        return refuse(reader, "nothing stands behind the =");
    if (is_second)
        return refuse(reader, "\"%.*s\" is one word too many", SHOWN(other));
    return true;
}

static bool only_number(struct reader *reader, struct manifest_text value, uint64_t min,
                        uint64_t max, uint64_t *number) {
    struct manifest_text word;
    if (!only_word(reader, value, &word))
        return false;
    if (!number_read(word, number) || *number < min || *number > max)
        return refuse(reader, "\"%.*s\" is not a number from %llu to %llu", SHOWN(word),
                      (unsigned long long)min, (unsigned long long)max);
    return true;
}

static bool only_pages(struct reader *reader, struct manifest_text value, uint64_t *bytes) {
    struct manifest_text word;
    if (!only_word(reader, value, &word))
        return false;
    if (!size_read(word, bytes) || *bytes == 0)
        return refuse(reader, "\"%.*s\" is not a size such as 64K, 16M or 1G", SHOWN(word));
    if (!is_aligned(*bytes, AX_PAGE_SIZE))
        return refuse(reader, "\"%.*s\" is not a number of whole pages (4K)", SHOWN(word));
    return true;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool program_read(struct reader *reader, struct manifest_text value) {
    struct manifest_server *server = reader->server;
    for (;;) {
        struct manifest_text word;
        bool is_taken;
        if (!next_word(reader, &value, &word, &is_taken))
            return false;
        if (!is_taken)
            break;
        if (server->argument_count == MANIFEST_ARGUMENTS_MAX)
            return refuse(reader, "more than %d words", MANIFEST_ARGUMENTS_MAX);
        server->arguments[server->argument_count++] = word;
    }
    if (server->argument_count == 0)
        return refuse(reader, "nothing stands behind the =");
    struct manifest_text path = server->arguments[0];
    if (path.length < 2 || path.start[0] != '/' || path.start[path.length - 1] == '/')
        return refuse(reader, "\"%.*s\" is not the whole path of a program", SHOWN(path));
    return true;
}

static bool priority_read(struct reader *reader, struct manifest_text value) {
    uint64_t number;
    if (!only_number(reader, value, 0, MANIFEST_PRIORITY_MAX, &number))
        return false;
    reader->server->priority = (uint32_t)number;
    return true;
}

static bool memory_read(struct reader *reader, struct manifest_text value) {
    return only_pages(reader, value, &reader->server->memory_bytes);
}

static bool objects_read(struct reader *reader, struct manifest_text value) {
    return only_number(reader, value, 1, UINT32_MAX, &reader->server->object_count);
}

static bool log_read(struct reader *reader, struct manifest_text value) {
    struct manifest_text word;
    if (!only_word(reader, value, &word))
        return false;
    reader->server->has_log = text_is(word, "yes");
    if (!text_is(word, "yes") && !text_is(word, "no"))
        return refuse(reader, "\"%.*s\" is neither yes nor no", SHOWN(word));
    return true;
}

static bool system_read(struct reader *reader, struct manifest_text value) {
    static const struct {
        const char *name;
        uint32_t right;
    } rights[] = {{"read", AX_RIGHT_READ},
                  {"write", AX_RIGHT_WRITE},
                  {"control", AX_RIGHT_CONTROL},
                  {"set-label", AX_RIGHT_SET_LABEL}};
    struct manifest_text word;
    bool is_taken;
    while (next_word(reader, &value, &word, &is_taken)) {
        if (!is_taken)
            return reader->server->system_rights != 0 ||
                   refuse(reader, "nothing stands behind the =");
        uint32_t right = 0;
        for (unsigned i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
            right |= text_is(word, rights[i].name) ? rights[i].right : 0;
        if (right == 0)
            return refuse(reader, "\"%.*s\" is none of read, write, control, set-label",
                          SHOWN(word));
        reader->server->system_rights |= right;
    }
    return false;
}

/* Does the server get a handle of that name already? */
static bool has_handle(const struct manifest_server *server, struct manifest_text name) {
    for (unsigned i = 0; i < server->device_count; i++) {
        if (text_same(server->devices[i].name, name))
            return true;
    }
    for (unsigned i = 0; i < server->call_count; i++) {
        if (text_same(server->calls[i].name, name))
            return true;
    }
    return false;
}

static bool range_check(struct reader *reader, const struct manifest_device *device,
                        struct manifest_text word) {
    switch (device->kind) {
    case MANIFEST_DEVICE_PORTS:
        return device->last <= PORT_MAX ||
               refuse(reader, "\"%.*s\": ports end at 0xffff", SHOWN(word));
    case MANIFEST_DEVICE_IRQS:
        return device->last <= LINE_MAX ||
               refuse(reader, "\"%.*s\": interrupt lines end at 65535", SHOWN(word));
    case MANIFEST_DEVICE_MEMORY: break;
    }
    return (is_aligned(device->first, AX_PAGE_SIZE) && is_aligned(device->last + 1, AX_PAGE_SIZE) &&
            device->last != UINT64_MAX) ||
           refuse(reader, "\"%.*s\" are not whole pages (the last address is included)",
                  SHOWN(word));
}

static bool device_kind_read(struct manifest_text word, enum manifest_device_kind *kind) {
    if (text_is(word, "memory"))
        *kind = MANIFEST_DEVICE_MEMORY;
    else if (text_is(word, "ports"))
        *kind = MANIFEST_DEVICE_PORTS;
    else if (text_is(word, "irq"))
        *kind = MANIFEST_DEVICE_IRQS;
    else
        return false;
    return true;
}

/* NAME memory|ports|irq FIRST[-LAST] */
static bool device_read(struct reader *reader, struct manifest_text value) {
    struct manifest_server *server = reader->server;
    struct manifest_text words[4] = {0};
    unsigned count = 0;
    bool is_taken = true;
    for (; is_taken && count < 4; count += is_taken) {
        if (!next_word(reader, &value, &words[count], &is_taken))
            return false;
    }
    struct manifest_device device = {.name = words[0]};
    if (count != 3 || !device_kind_read(words[1], &device.kind))
        return refuse(reader,
                      "a device is \"NAME memory FIRST-LAST\", \"NAME ports FIRST-LAST\" or "
                      "\"NAME irq FIRST-LAST\"");
    if (!name_is_valid(device.name) || name_is_reserved(device.name))
        return refuse(reader, "\"%.*s\" cannot be a device's name", SHOWN(device.name));
    if (has_handle(server, device.name))
        return refuse(reader, "there are two handles of the name \"%.*s\"", SHOWN(device.name));
    if (!range_read(words[2], &device.first, &device.last))
        return refuse(reader, "\"%.*s\" is not a range such as 0x3f8-0x3ff", SHOWN(words[2]));
    if (!range_check(reader, &device, words[2]))
        return false;
    if (server->device_count == MANIFEST_DEVICES_MAX)
        return refuse(reader, "more than %d devices", MANIFEST_DEVICES_MAX);
    server->devices[server->device_count++] = device;
    return true;
}

/* SERVER or SERVER:ROLE */
static struct manifest_text text_until(struct manifest_text text, char end) {
    struct manifest_text part = {text.start, 0};
    while (part.length < text.length && text.start[part.length] != end)
        part.length++;
    return part;
}

/* What is behind a part of the text and the sign that ends it. */
static struct manifest_text text_behind(struct manifest_text text, struct manifest_text part) {
    uint32_t used = part.length + 1;
    return (struct manifest_text){text.start + used, text.length - used};
}

/* HANDLE=NAME:ROLE, of which the first and the last may be missing. */
static bool call_parse(struct reader *reader, struct manifest_text word,
                       struct manifest_call *call) {
    struct manifest_text handle = text_until(word, '='), rest = word;
    bool is_named = handle.length != word.length;
    if (is_named)
        rest = text_behind(word, handle);
    call->server_name = text_until(rest, ':');
    call->name = is_named ? handle : call->server_name;
    if (!name_is_valid(call->server_name) || name_is_reserved(call->server_name))
        return refuse(reader, "\"%.*s\" cannot be a server's name", SHOWN(call->server_name));
    if (is_named &&
        (!name_is_valid(handle) || (name_is_reserved(handle) && !name_is_stream(handle))))
        return refuse(reader, "\"%.*s\" cannot be a handle's name", SHOWN(handle));
    if (call->server_name.length == rest.length)
        return true;
    uint64_t role;
    if (!number_read(text_behind(rest, call->server_name), &role) || role == 0 ||
        role > MANIFEST_ROLE_MAX)
        return refuse(reader, "\"%.*s\": a role is a number from 1 to %d", SHOWN(word),
                      MANIFEST_ROLE_MAX);
    call->role = (uint32_t)role;
    return true;
}

static bool call_read(struct reader *reader, struct manifest_text word) {
    struct manifest_server *server = reader->server;
    struct manifest_call call = {.role = 1, .line = reader->line};
    if (!call_parse(reader, word, &call))
        return false;
    if (has_handle(server, call.name))
        return refuse(reader, "there are two handles of the name \"%.*s\"", SHOWN(call.name));
    for (unsigned i = 0; i < server->call_count; i++) {
        if (text_same(server->calls[i].server_name, call.server_name) &&
            server->calls[i].role == call.role)
            return refuse(reader, "\"%.*s\" is to be called twice with the role %u",
                          SHOWN(call.server_name), call.role);
    }
    if (server->call_count == MANIFEST_CALLS_MAX)
        return refuse(reader, "more than %d servers to call", MANIFEST_CALLS_MAX);
    server->calls[server->call_count++] = call;
    return true;
}

static bool calls_read(struct reader *reader, struct manifest_text value) {
    struct manifest_text word;
    bool is_taken;
    while (next_word(reader, &value, &word, &is_taken)) {
        if (!is_taken)
            return reader->server->call_count != 0 || refuse(reader, "nothing stands behind the =");
        if (!call_read(reader, word))
            return false;
    }
    return false;
}

static bool endpoint_read(struct reader *reader, struct manifest_text value) {
    struct manifest_text word;
    if (!only_word(reader, value, &word))
        return false;
    reader->server->is_kept = text_is(word, "kept");
    if (!text_is(word, "kept") && !text_is(word, "own"))
        return refuse(reader, "\"%.*s\" is neither kept nor own", SHOWN(word));
    return true;
}

static bool stash_read(struct reader *reader, struct manifest_text value) {
    return only_pages(reader, value, &reader->server->stash_bytes);
}

static bool restart_read(struct reader *reader, struct manifest_text value) {
    struct manifest_server *server = reader->server;
    struct manifest_text word;
    uint64_t limit = 0;
    if (!only_word(reader, value, &word))
        return false;
    if (text_is(word, "always"))
        server->restart = MANIFEST_RESTART_ALWAYS;
    else if (text_is(word, "never"))
        server->restart = MANIFEST_RESTART_NEVER;
    else if (number_read(word, &limit) && limit != 0 && limit <= RESTART_LIMIT_MAX)
        server->restart = MANIFEST_RESTART_LIMITED;
    else
        return refuse(reader, "\"%.*s\" is neither always nor never nor a number from 1 to %d",
                      SHOWN(word), RESTART_LIMIT_MAX);
    server->restart_limit = (uint32_t)limit;
    return true;
}

static bool duration_take(struct reader *reader, struct manifest_text word, uint64_t *value_ns) {
    if (!duration_read(word, value_ns) || *value_ns == 0)
        return refuse(reader, "\"%.*s\" is not a time such as 500us, 10ms, 2s or 1min",
                      SHOWN(word));
    return true;
}

/* FIRST LARGEST */
static bool backoff_read(struct reader *reader, struct manifest_text value) {
    struct manifest_server *server = reader->server;
    struct manifest_text first, largest;
    bool is_taken;
    if (!next_word(reader, &value, &first, &is_taken))
        return false;
    if (!is_taken)
        return refuse(reader, "nothing stands behind the =");
    if (!only_word(reader, value, &largest) || !duration_take(reader, first, &server->backoff_ns) ||
        !duration_take(reader, largest, &server->backoff_max_ns))
        return false;
    return server->backoff_ns <= server->backoff_max_ns ||
           refuse(reader, "\"%.*s\" is longer than \"%.*s\"", SHOWN(first), SHOWN(largest));
}

static bool heartbeat_read(struct reader *reader, struct manifest_text value) {
    struct manifest_text word;
    return only_word(reader, value, &word) &&
           duration_take(reader, word, &reader->server->heartbeat_ns);
}

/* ---- The table of keys ----------------------------------------------------------------------- */

enum key_flag {
    KEY_REPEATS = 1,  /* may come more than once in a section */
    KEY_OF_INIT = 2,  /* init can have it too */
    KEY_REQUIRED = 4, /* of servers */
};

static const struct key {
    const char *name;
    bool (*read)(struct reader *reader, struct manifest_text value);
    unsigned flags;
} keys[] = {
    {"program", program_read, KEY_OF_INIT | KEY_REQUIRED},
    {"priority", priority_read, KEY_OF_INIT | KEY_REQUIRED},
    {"memory", memory_read, KEY_OF_INIT | KEY_REQUIRED},
    {"objects", objects_read, KEY_OF_INIT | KEY_REQUIRED},
    {"log", log_read, KEY_OF_INIT},
    {"system", system_read, KEY_OF_INIT},
    {"calls", calls_read, KEY_OF_INIT},
    {"device", device_read, KEY_REPEATS},
    {"endpoint", endpoint_read, 0},
    {"stash", stash_read, 0},
    {"restart", restart_read, 0},
    {"backoff", backoff_read, 0},
    {"heartbeat", heartbeat_read, 0},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

bool key_read(struct reader *reader, struct manifest_text key, struct manifest_text value) {
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        if (!text_is(key, keys[i].name))
            continue;
        if (reader->is_init && (keys[i].flags & KEY_OF_INIT) == 0)
            return refuse(reader, "init cannot have \"%s\"", keys[i].name);
        if ((reader->seen & (1U << i)) != 0 && (keys[i].flags & KEY_REPEATS) == 0)
            return refuse(reader, "a second \"%s\" in one section", keys[i].name);
        reader->seen |= 1U << i;
        return keys[i].read(reader, value);
    }
    return refuse(reader, "unknown key \"%.*s\"", SHOWN(key));
}

bool keys_check(struct reader *reader) {
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        bool is_required = (keys[i].flags & KEY_REQUIRED) != 0;
        if (reader->is_init && (keys[i].read == memory_read || keys[i].read == objects_read))
            is_required = false;
        if (is_required && (reader->seen & (1U << i)) == 0) {
            reader->line = reader->server->line;
            return refuse(reader, "\"%.*s\" has no \"%s\"", SHOWN(reader->server->name),
                          keys[i].name);
        }
    }
    return true;
}
