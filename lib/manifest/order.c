/* SPDX-License-Identifier: MIT */
/* What concerns several servers: whom they call, what they share, and their order. */
#include <base/format.h>

#include "reader.h"
#include "words.h"

static bool server_calls_resolve(struct reader *reader, struct manifest_server *server) {
    for (unsigned i = 0; i < server->call_count; i++) {
        struct manifest_call *call = &server->calls[i];
        const struct manifest_server *called =
            manifest_find(reader->manifest, call->server_name.start, call->server_name.length);
        reader->line = call->line;
        if (called == NULL)
            return refuse(reader, "no section describes the server \"%.*s\"",
                          SHOWN(call->server_name));
        call->server = (uint32_t)(called - reader->manifest->servers);
    }
    return true;
}

bool calls_resolve(struct reader *reader) {
    struct manifest *manifest = reader->manifest;
    for (unsigned i = 0; i < manifest->server_count; i++) {
        if (!server_calls_resolve(reader, &manifest->servers[i]))
            return false;
    }
    return !manifest->has_init || server_calls_resolve(reader, &manifest->init);
}

/* Refuses a device of which a server before `count` has some, or the same server before it. */
static bool device_check(struct reader *reader, unsigned count, unsigned index) {
    const struct manifest *manifest = reader->manifest;
    const struct manifest_device *device = &manifest->servers[count].devices[index];
    for (unsigned i = 0; i <= count; i++) {
        const struct manifest_server *server = &manifest->servers[i];
        unsigned before = i == count ? index : server->device_count;
        for (unsigned j = 0; j < before; j++) {
            const struct manifest_device *other = &server->devices[j];
            if (other->kind != device->kind || other->last < device->first ||
                other->first > device->last)
                continue;
            reader->line = manifest->servers[count].line;
            return refuse(reader,
                          "\"%.*s\" of \"%.*s\" and \"%.*s\" of \"%.*s\" are the same device",
                          SHOWN(other->name), SHOWN(server->name), SHOWN(device->name),
                          SHOWN(manifest->servers[count].name));
        }
    }
    return true;
}

bool devices_check(struct reader *reader) {
    for (unsigned i = 0; i < reader->manifest->server_count; i++) {
        for (unsigned j = 0; j < reader->manifest->servers[i].device_count; j++) {
            if (!device_check(reader, i, j))
                return false;
        }
    }
    return true;
}

/* Is there anybody among `left` whom the server calls? Gives one if so. */
static bool calls_one_of(const struct manifest_server *server, uint32_t left, unsigned *callee) {
    for (unsigned i = 0; i < server->call_count; i++) {
        if ((left & (1U << server->calls[i].server)) != 0) {
            *callee = server->calls[i].server;
            return true;
        }
    }
    return false;
}

/* Each of `left` calls another of them, so that following the calls leads around. */
static bool circle_tell(struct reader *reader, uint32_t left) {
    const struct manifest_server *servers = reader->manifest->servers;
    char names[MANIFEST_SERVERS_MAX * (MANIFEST_NAME_MAX + 4) + MANIFEST_NAME_MAX + 1];
    size_t length = 0;
    uint32_t passed = 0;
    unsigned server = (unsigned)__builtin_ctz(left);
    while ((passed & (1U << server)) == 0) {
        passed |= 1U << server;
        calls_one_of(&servers[server], left, &server);
    }
    unsigned first = server;
    do {
        length +=
            format(names + length, sizeof(names) - length, "%.*s -> ", SHOWN(servers[server].name));
        calls_one_of(&servers[server], left, &server);
    } while (server != first);
    format(names + length, sizeof(names) - length, "%.*s", SHOWN(servers[first].name));
    reader->line = servers[first].calls[0].line;
    return refuse(reader, "these servers would call each other in a circle: %s", names);
}

/* Again and again the first of those that call only servers which are in order already. */
bool order_find(struct reader *reader) {
    struct manifest *manifest = reader->manifest;
    uint32_t left = (uint32_t)((UINT64_C(1) << manifest->server_count) - 1);
    for (unsigned place = 0; place < manifest->server_count; place++) {
        unsigned server = 0, callee;
        while (server < manifest->server_count &&
               ((left & (1U << server)) == 0 ||
                calls_one_of(&manifest->servers[server], left, &callee)))
            server++;
        if (server == manifest->server_count)
            return circle_tell(reader, left);
        left &= ~(1U << server);
        manifest->order[place] = server;
    }
    return true;
}

_Static_assert(MANIFEST_SERVERS_MAX <= 32, "sets of servers are words of 32 bits");
