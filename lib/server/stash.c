/* SPDX-License-Identifier: MIT */
/* The stash of this instance: mapped, adopted or made anew, and what lib/stash asks of it. */
#include "private.h"

#include <server/slots.h>

/* One answer is outstanding at a time; the others are forgotten late. */
#define REPLY_COUNT 16
#define REPLY_SLOTS (2 * REPLY_COUNT * AX_MESSAGE_HANDLES)

/* ---- What lib/stash asks --------------------------------------------------------------------- */

static void protect(void *context, void *address, size_t size_bytes, bool writable) {
    const struct server *server = context;
    uint32_t prot = writable ? AX_PROT_READ | AX_PROT_WRITE : AX_PROT_READ;
    ax_result result = ax_memory_protect(AX_HANDLE_NONE, (uintptr_t)address, size_bytes, prot);
    if (result < 0)
        server_log(server, "its stash cannot be protected: error %lld", (long long)result);
}

static ax_result slot_put(void *context, uint32_t slot, ax_handle handle) {
    const struct server *server = context;
    return server_slot_put(server->gifts.stash, slot, handle);
}

static void slot_close(void *context, uint32_t slot) {
    const struct server *server = context;
    server_slot_close(server->gifts.stash, slot);
}

static uint32_t slot_next(void *context, uint32_t from) {
    const struct server *server = context;
    return server_slot_next(server->gifts.stash, from);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static bool config_make(struct server *server, struct stash_config *config) {
    const struct server_program *program = server->program;
    const struct server_gifts *gifts = &server->gifts;
    struct ax_object_info info;
    ax_result result = ax_object_info(gifts->stash_memory, &info);
    if (result < 0) {
        server_log(server, "it was given no stash: error %lld", (long long)result);
        return false;
    }
    struct ax_map_request request = {.address = SERVER_STASH_ADDRESS,
                                     .size_bytes = info.memory.page_count * AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_FIXED};
    result = ax_memory_map(AX_HANDLE_NONE, gifts->stash_memory, &request);
    if (result < 0) {
        server_log(server, "its stash cannot be mapped: error %lld", (long long)result);
        return false;
    }
    void *memory = (void *)(uintptr_t)result; /* NOLINT(performance-no-int-to-ptr) */
    *config = (struct stash_config){
        .memory = memory,
        .size_bytes = request.size_bytes,
        .schema = program->schema,
        .predecessor_failed = gifts->after_failure,
        .hooks = {.slot_put = slot_put,
                  .slot_close = slot_close,
                  .slot_next = slot_next,
                  .context = server},
        .log_bytes = program->log_bytes,
        .reply_count = REPLY_COUNT,
        .slot_first = SERVER_SLOT_FIRST,
        .slot_count = REPLY_SLOTS + program->slot_max,
    };
    if (gifts->protect)
        config->hooks.protect = protect;
    return true;
}

/* Keeps a stash that cannot be used for whoever wants to know why, in place of an older one. */
static void refused_save(struct server *server, const struct stash_config *config) {
    ax_handle stash = server->gifts.stash;
    slot_close(server, SERVER_SLOT_REFUSED);
    ax_result memory = ax_memory_create(config->size_bytes / AX_PAGE_SIZE, 0, AX_PLACE_ANY);
    if (memory < 0) {
        server_log(server, "the refused stash is not kept: error %lld", (long long)memory);
        return;
    }
    struct ax_map_request request = {.size_bytes = config->size_bytes,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE,
                                     .flags = AX_MAP_POPULATE};
    ax_result address = ax_memory_map(AX_HANDLE_NONE, (ax_handle)memory, &request);
    ax_result kept = address;
    if (address >= 0) {
        /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
        memcpy((void *)(uintptr_t)address, config->memory, config->size_bytes);
        (void)ax_memory_unmap(AX_HANDLE_NONE, (uint64_t)address, config->size_bytes);
        kept = ax_handle_transfer(AX_HANDLE_NONE, (ax_handle)memory,
                                  AX_PLACE(stash, SERVER_SLOT_REFUSED), AX_RIGHT_ALL,
                                  AX_TRANSFER_MOVE);
    }
    if (kept < 0) {
        server_log(server, "the refused stash is not kept: error %lld", (long long)kept);
        (void)ax_handle_close((ax_handle)memory);
    }
}

/* The first transaction. */
static bool root_make(struct server *server) {
    struct stash *stash = &server->stash;
    stash_begin(stash);
    struct server_root *root = stash_alloc(stash, sizeof(*root));
    void *made = NULL;
    if (root != NULL && server_tables_create(server, root)) {
        server->root = root;
        made = server->program->create(server);
        STASH_SET(stash, root->program, made);
        stash_root_set(stash, root);
    }
    if (made == NULL && stash->error == STASH_OK) {
        stash_abort(stash);
        server_log(server, "its state cannot be made");
        return false;
    }
    enum stash_error error = stash_commit(stash);
    if (error != STASH_OK)
        server_log(server, "its state cannot be made: %s", stash_error_text(error));
    return error == STASH_OK;
}

bool server_stash_open(struct server *server) {
    struct stash_config config;
    if (!config_make(server, &config))
        return false;
    enum stash_verdict verdict = stash_adopt(&server->stash, &config);
    if (verdict == STASH_WENT_BACK)
        server_log(server, "the last commit is undone: two instances died of it");
    if (verdict != STASH_ADOPTED && verdict != STASH_WENT_BACK) {
        if (verdict != STASH_NEW) {
            server_log(server, "its stash is refused: %s", stash_verdict_text(verdict));
            refused_save(server, &config);
        }
        verdict = stash_format(&server->stash, &config);
        if (verdict != STASH_ADOPTED) {
            server_log(server, "a stash cannot be made: %s", stash_verdict_text(verdict));
            return false;
        }
    }
    if (stash_root(&server->stash) == NULL && !root_make(server))
        return false;
    server->root = stash_root(&server->stash);
    server->badges = server->root->badges;
    server_notes_open(server);
    return true;
}
