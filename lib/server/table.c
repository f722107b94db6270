/* SPDX-License-Identifier: MIT */
/* Tables in the stash: what of a call is done, and what is held for a label. */
#include "private.h"

bool server_tables_create(struct server *server, struct server_root *root) {
    const struct server_program *program = server->program;
    struct stash *stash = &server->stash;
    ASSERT(program->note_max <= SERVER_NOTES_MAX);
    struct server_root made = {
        .badges = stash_badges_create(stash, program->session_max),
        .notes = stash_alloc(stash, program->note_max * sizeof(struct server_note)),
        .labels = stash_alloc(stash, program->label_max * sizeof(struct server_label)),
        .note_max = program->note_max,
        .label_max = program->label_max,
    };
    stash_write(stash, root, &made, sizeof(made));
    return stash->error == STASH_OK;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

void server_notes_open(struct server *server) {
    memset(server->notes_used, 0, sizeof(server->notes_used));
    for (uint32_t i = 0; i < server->root->note_max; i++) {
        if (server->root->notes[i].id.caller != 0)
            bitmap_set(server->notes_used, i);
    }
}

void server_note_find(struct server_call *call) {
    const struct server_root *root = call->server->root;
    const struct ax_call_id *id = &call->message.id;
    for (uint32_t i = 0; i < root->note_max; i++) {
        const struct server_note *note = &root->notes[i];
        if (note->id.caller != id->caller || note->id.sequence != id->sequence || id->caller == 0)
            continue;
        call->note_index = (int)i;
        call->note = call->note_kept = note->note;
    }
}

void server_note(struct server_call *call, uint64_t note) {
    struct server *server = call->server;
    struct server_root *root = server->root;
    ASSERT(note != 0);
    if (call->note_index < 0) {
        uint32_t i = 0;
        while (i < root->note_max && bitmap_test(server->notes_used, i))
            i++;
        if (i == root->note_max) {
            server->is_unsettled = server->notes_full = true;
            server_refuse(call, AX_ERR_LIMIT);
            return;
        }
        bitmap_set(server->notes_used, i);
        call->note_index = (int)i;
    }
    call->note = note;
    struct server_note entry = {.id = call->message.id, .note = note};
    stash_write(&server->stash, &root->notes[call->note_index], &entry, sizeof(entry));
}

void server_note_drop(struct server_call *call) {
    struct server *server = call->server;
    static const struct server_note none;
    if (call->note_index >= 0)
        stash_write(&server->stash, &server->root->notes[call->note_index], &none, sizeof(none));
    call->note = 0;
}

void server_note_settled(struct server_call *call, bool committed) {
    if (committed)
        call->note_kept = call->note;
    else
        call->note = call->note_kept;
    if (call->note_index >= 0 && call->note == 0) {
        bitmap_clear(call->server->notes_used, (unsigned)call->note_index);
        call->note_index = -1;
    }
}

static bool note_is_wanted(const struct server *server, uint32_t index) {
    for (uint32_t i = 0; i < server->calls_begun; i++) {
        const struct server_call *call = &server->gifts.calls[i];
        if (call->state != CALL_FREE && call->note_index == (int)index)
            return true;
    }
    return false;
}

/*
 * Safe only when every call that is to come again is here. One at a time, for a transaction has its
 * limits; there are none but after an unlucky death.
 */
void server_notes_sweep(struct server *server) {
    static const struct server_note none;
    for (uint32_t i = 0; i < server->root->note_max; i++) {
        if (!bitmap_test(server->notes_used, i) || note_is_wanted(server, i))
            continue;
        stash_begin(&server->stash);
        stash_write(&server->stash, &server->root->notes[i], &none, sizeof(none));
        if (server_commit(server, "an old note"))
            bitmap_clear(server->notes_used, i);
    }
}

/* ---- Labels ---------------------------------------------------------------------------------- */

static struct server_label *label_find(const struct server *server, uint64_t label) {
    const struct server_root *root = server->root;
    for (uint32_t i = 0; i < root->label_max; i++) {
        struct server_label entry = STASH_GET(&server->stash, root->labels[i]);
        if (entry.used != 0 && entry.label == label)
            return &root->labels[i];
    }
    return NULL;
}

static struct server_label *label_free(const struct server *server) {
    const struct server_root *root = server->root;
    for (uint32_t i = 0; i < root->label_max; i++) {
        if (STASH_GET(&server->stash, root->labels[i].used) == 0)
            return &root->labels[i];
    }
    return NULL;
}

bool server_hold(struct server *server, uint64_t label, uint32_t units) {
    struct server_label *entry = label_find(server, label);
    uint64_t used = entry != NULL ? STASH_GET(&server->stash, entry->used) : 0;
    if (entry == NULL)
        entry = label_free(server);
    if (entry == NULL || used + units > server->program->label_limit)
        return false;
    struct server_label changed = {.label = label, .used = used + units};
    stash_write(&server->stash, entry, &changed, sizeof(changed));
    return true;
}

void server_release(struct server *server, uint64_t label, uint32_t units) {
    struct server_label *entry = label_find(server, label);
    ASSERT(entry != NULL);
    uint64_t used = STASH_GET(&server->stash, entry->used);
    ASSERT(used >= units);
    STASH_SET(&server->stash, entry->used, used - units);
}
