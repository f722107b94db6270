/* SPDX-License-Identifier: MIT */
/* Any bytes as a manifest: what is accepted must be as manifest.h says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <abi/layout.h>
#include <base/align.h>
#include <base/assert.h>
#include <manifest/manifest.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct manifest manifest;
static const char *text, *text_end;

static void check_text(struct manifest_text word) {
    ASSERT(word.start >= text && word.start <= text_end);
    ASSERT(word.length <= (size_t)(text_end - word.start));
    ASSERT(memchr(word.start, '\n', word.length) == NULL);
}

static void check_name(struct manifest_text name) {
    check_text(name);
    ASSERT(name.length >= 1 && name.length <= MANIFEST_NAME_MAX);
}

static void check_server(const struct manifest_server *server) {
    check_name(server->name);
    ASSERT(server->argument_count >= 1 && server->argument_count <= MANIFEST_ARGUMENTS_MAX);
    for (unsigned i = 0; i < server->argument_count; i++)
        check_text(server->arguments[i]);
    ASSERT(server->arguments[0].start[0] == '/');
    ASSERT(server->priority <= MANIFEST_PRIORITY_MAX);
    ASSERT(is_aligned(server->memory_bytes | server->stash_bytes, AX_PAGE_SIZE));
    ASSERT(server->device_count <= MANIFEST_DEVICES_MAX);
    for (unsigned i = 0; i < server->device_count; i++) {
        check_name(server->devices[i].name);
        ASSERT(server->devices[i].first <= server->devices[i].last);
    }
    ASSERT(server->call_count <= MANIFEST_CALLS_MAX);
    for (unsigned i = 0; i < server->call_count; i++) {
        check_name(server->calls[i].name);
        ASSERT(server->calls[i].server < manifest.server_count);
        ASSERT(server->calls[i].role >= 1 && server->calls[i].role <= MANIFEST_ROLE_MAX);
    }
    ASSERT(server->backoff_ns <= server->backoff_max_ns);
}

static void check_order(void) {
    uint32_t placed = 0;
    for (unsigned place = 0; place < manifest.server_count; place++) {
        uint32_t which = manifest.order[place];
        ASSERT(which < manifest.server_count && (placed & (1U << which)) == 0);
        const struct manifest_server *server = &manifest.servers[which];
        for (unsigned i = 0; i < server->call_count; i++)
            ASSERT((placed & (1U << server->calls[i].server)) != 0);
        placed |= 1U << which;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct manifest_error error;
    text = (const char *)data;
    text_end = text + size;
    if (!manifest_read(text, size, &manifest, &error)) {
        ASSERT(memchr(error.text, '\0', sizeof(error.text)) != NULL && error.text[0] != '\0');
        ASSERT(error.line <= size + 1);
        return 0;
    }
    ASSERT(manifest.server_count <= MANIFEST_SERVERS_MAX);
    ASSERT(manifest.server_count != 0 || manifest.has_init);
    for (unsigned i = 0; i < manifest.server_count; i++) {
        check_server(&manifest.servers[i]);
        ASSERT(manifest.servers[i].memory_bytes != 0 && manifest.servers[i].object_count != 0);
    }
    if (manifest.has_init)
        check_server(&manifest.init);
    check_order();
    return 0;
}
