/* SPDX-License-Identifier: MIT */
/*
 * Handle slots: a byte each says who owns the slot of the stash process's handle table.
 *
 * A handle is moved into its slot before the commit and closed after it. So an instance that dies
 * leaves at worst handles in slots that are free by the last commit: the next one closes these.
 * A slot freed by the last commit is not used again before the next: going back would otherwise
 * find another handle in it.
 */
#include "private.h"

static uint32_t slot_at(const struct stash *stash, uint32_t slot) {
    ASSERT(slot >= stash->slot_first && slot - stash->slot_first < stash->slot_count);
    return stash->slots_at + (slot - stash->slot_first);
}

static enum slot_state slot_state(const struct stash *stash, uint32_t slot) {
    uint8_t state;
    stash_log_read(stash, slot_at(stash, slot), sizeof(state), &state);
    return (enum slot_state)state;
}

void stash_slot_mark(struct stash *stash, uint32_t slot, enum slot_state state) {
    uint8_t byte = (uint8_t)state;
    ASSERT(state != SLOT_OF_REPLY || slot_state(stash, slot) == SLOT_USED);
    stash_log_append(stash, slot_at(stash, slot), sizeof(byte), &byte);
    stash->slots_touched = true;
}

void stash_slot_close_now(const struct stash *stash, uint32_t slot) {
    stash->hooks.slot_close(stash->hooks.context, slot);
}

static bool slot_is_free(const struct stash *stash, uint32_t at) {
    return stash->base[at] == SLOT_FREE &&
           stash_log_find(stash->log, stash->log_used, at, 1) == NULL &&
           (stash->last == NULL ||
            stash_log_find(stash->last, (uint32_t)stash->last->used, at, 1) == NULL);
}

uint32_t stash_slot_reserve(struct stash *stash) {
    ASSERT(stash->log != NULL);
    for (uint32_t i = 0; i < stash->slot_count && stash->error == STASH_OK; i++) {
        uint32_t slot = stash->slot_first + (stash->slot_cursor + i) % stash->slot_count;
        if (!slot_is_free(stash, slot_at(stash, slot)))
            continue;
        stash_slot_mark(stash, slot, SLOT_USED);
        stash->slot_cursor = slot - stash->slot_first + 1;
        return stash->error == STASH_OK ? slot : 0;
    }
    stash_fail(stash, STASH_ERR_SLOTS);
    return 0;
}

uint32_t stash_slot_put(struct stash *stash, ax_handle handle) {
    uint32_t slot = stash_slot_reserve(stash);
    if (slot == 0)
        return 0;
    ax_result result = stash->hooks.slot_put(stash->hooks.context, slot, handle);
    if (result == AX_ERR_EXISTS) { /* left by an abort that could not close it: nobody's */
        stash_slot_close_now(stash, slot);
        result = stash->hooks.slot_put(stash->hooks.context, slot, handle);
    }
    if (result >= 0)
        return slot;
    stash->handle_error = result;
    stash_fail(stash, STASH_ERR_HANDLE);
    return 0;
}

void stash_slot_free(struct stash *stash, uint32_t slot) {
    ASSERT(stash->log != NULL);
    if (stash->error != STASH_OK)
        return;
    ASSERT(slot_state(stash, slot) == SLOT_USED);
    stash_slot_mark(stash, slot, SLOT_FREE);
}

/*
 * After the transaction's end: closes what it has freed or, if it was aborted, what it had put
 * there. The handles of a reply were closed when the reply was given.
 */
void stash_slots_close(struct stash *stash, const struct stash_log *log, uint32_t used,
                       bool committed) {
    const struct stash_record *record;
    LOG_FOR_EACH(record, log, used) {
        if (record->at < stash->slots_at || record->at >= stash->slots_at + stash->slot_count)
            continue;
        uint8_t before = *record_before(record);
        uint8_t after = *record_after(record);
        if (committed ? after == SLOT_FREE && before != SLOT_OF_REPLY : before == SLOT_FREE)
            stash_slot_close_now(stash, stash->slot_first + (record->at - stash->slots_at));
    }
}

bool stash_slots_are_valid(const struct stash *stash) {
    for (uint32_t i = 0; i < stash->slot_count; i++) {
        if (stash->base[stash->slots_at + i] > SLOT_OF_REPLY)
            return false;
    }
    return true;
}

void stash_slots_adopt(struct stash *stash) {
    if (stash->slot_count == 0)
        return;
    const struct stash_hooks *hooks = &stash->hooks;
    ASSERT(hooks->slot_put != NULL && hooks->slot_close != NULL && hooks->slot_next != NULL);
    const uint8_t *states = stash->base + stash->slots_at;
    for (uint32_t i = 0; i < stash->slot_count; i++)
        stash->slots_missing += states[i] == SLOT_USED;

    uint32_t from = stash->slot_first;
    uint32_t end = stash->slot_first + stash->slot_count;
    while (from < end) {
        uint32_t slot = hooks->slot_next(hooks->context, from);
        if (slot == 0 || slot >= end)
            break;
        ASSERT(slot >= from);
        uint8_t state = states[slot - stash->slot_first];
        if (state == SLOT_FREE) {
            stash_slot_close_now(stash, slot);
            stash->slots_closed++;
        }
        stash->slots_missing -= state == SLOT_USED;
        from = slot + 1;
    }
}
