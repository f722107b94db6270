/* SPDX-License-Identifier: MIT */
/*
 * Committed answers. Whether one was given is not kept in the stash: the instance remembers it, and
 * a later transaction uses the entry again. A successor, which does not know, keeps all until the
 * kernel has redelivered what was not answered. An entry that stays too long does no harm, for a
 * call's id is unique for ever.
 */
#include "private.h"

static uint32_t entry_place(const struct stash *stash, unsigned index) {
    return stash->replies_at + index * (uint32_t)sizeof(struct reply_entry);
}

static const struct reply_entry *entry_at(const struct stash *stash, unsigned index) {
    return (const struct reply_entry *)(const void *)(stash->base + entry_place(stash, index));
}

/* An entry that may be used again, or -1. */
static int pick(struct stash *stash) {
    for (uint32_t i = 0; i < stash->reply_count; i++) {
        uint32_t index = (stash->reply_cursor + i) % stash->reply_count;
        if (bitmap_test(stash->kept, index))
            continue;
        stash->reply_cursor = index + 1;
        return (int)index;
    }
    return -1;
}

int stash_reply(struct stash *stash, struct ax_call_id id, const struct stash_reply *reply) {
    ASSERT(stash->log != NULL && id.caller != 0);
    ASSERT(reply->word_count <= AX_MESSAGE_WORDS && reply->handle_count <= AX_MESSAGE_HANDLES);
    if (stash->error != STASH_OK)
        return -1;
    int index = pick(stash);
    if (index < 0) {
        stash_fail(stash, STASH_ERR_REPLIES);
        return -1;
    }
    const struct reply_entry *old = entry_at(stash, (unsigned)index);
    if (old->id.caller != 0) {
        for (uint32_t i = 0; i < old->reply.handle_count; i++)
            stash_slot_mark(stash, old->reply.handles[i].slot, SLOT_FREE);
    }
    for (uint32_t i = 0; i < reply->handle_count; i++)
        stash_slot_mark(stash, reply->handles[i].slot, SLOT_OF_REPLY);

    struct reply_entry entry = {.id = id};
    size_t size = offsetof(struct reply_entry, reply.words) + reply->word_count * sizeof(uint64_t);
    if (reply->handle_count > 0)
        size = sizeof(entry);
    memcpy(&entry.reply, reply, size - offsetof(struct reply_entry, reply));
    stash_log_append(stash, entry_place(stash, (unsigned)index), (uint32_t)size, &entry);
    stash->replies_touched = true;
    if (stash->error != STASH_OK)
        return -1;
    bitmap_set(stash->kept, (unsigned)index);
    return index;
}

/* The caller has its own handles by now; the slots are freed when the entry is used again. */
static void forget(struct stash *stash, unsigned index) {
    const struct reply_entry *entry = entry_at(stash, index);
    for (uint32_t i = 0; i < entry->reply.handle_count; i++)
        stash_slot_close_now(stash, entry->reply.handles[i].slot);
    bitmap_clear(stash->kept, index);
    bitmap_clear(stash->inherited, index);
}

void stash_reply_given(struct stash *stash, int index) {
    ASSERT(stash->log == NULL && index >= 0 && (uint32_t)index < stash->reply_count);
    ASSERT(bitmap_test(stash->kept, (unsigned)index));
    forget(stash, (unsigned)index);
    stash_answered(stash);
}

int stash_reply_find(const struct stash *stash, struct ax_call_id id, struct stash_reply *reply) {
    for (unsigned index = 0; index < stash->reply_count; index++) {
        const struct reply_entry *entry = entry_at(stash, index);
        if (entry->id.caller == 0 || entry->id.caller != id.caller ||
            entry->id.sequence != id.sequence || !bitmap_test(stash->kept, index))
            continue;
        *reply = entry->reply;
        return (int)index;
    }
    return -1;
}

void stash_replies_settled(struct stash *stash) {
    ASSERT(stash->log == NULL);
    for (unsigned index = 0; index < stash->reply_count; index++) {
        if (bitmap_test(stash->inherited, index))
            forget(stash, index);
    }
}

/* Only the open transaction's own entries are in its log. */
void stash_replies_abort(struct stash *stash) {
    const struct stash_record *record;
    LOG_FOR_EACH(record, stash->log, stash->log_used) {
        if (record->at >= stash->replies_at && record->at < entry_place(stash, stash->reply_count))
            bitmap_clear(stash->kept,
                         (record->at - stash->replies_at) / sizeof(struct reply_entry));
    }
}

/* In how many places replies name the slot. */
static unsigned count_named(const struct stash *stash, uint32_t slot) {
    unsigned count = 0;
    for (unsigned index = 0; index < stash->reply_count; index++) {
        const struct stash_reply *reply = &entry_at(stash, index)->reply;
        for (uint32_t i = 0; i < reply->handle_count; i++)
            count += reply->handles[i].slot == slot;
    }
    return count;
}

/* The slots that are marked so are those that replies name, each named once. */
static bool slots_are_named(const struct stash *stash) {
    const uint8_t *states = stash->base + stash->slots_at;
    unsigned marked = 0;
    unsigned named = 0;
    for (unsigned index = 0; index < stash->reply_count; index++)
        named += entry_at(stash, index)->reply.handle_count;
    for (uint32_t i = 0; i < stash->slot_count; i++) {
        if (states[i] != SLOT_OF_REPLY)
            continue;
        if (count_named(stash, stash->slot_first + i) != 1)
            return false;
        marked++;
    }
    return marked == named;
}

bool stash_replies_are_valid(const struct stash *stash) {
    for (unsigned index = 0; index < stash->reply_count; index++) {
        const struct reply_entry *entry = entry_at(stash, index);
        if (entry->reply.word_count > AX_MESSAGE_WORDS ||
            entry->reply.handle_count > (entry->id.caller != 0 ? AX_MESSAGE_HANDLES : 0))
            return false;
    }
    return slots_are_named(stash);
}

void stash_replies_adopt(struct stash *stash) {
    for (unsigned index = 0; index < stash->reply_count; index++) {
        if (entry_at(stash, index)->id.caller == 0)
            continue;
        bitmap_set(stash->kept, index);
        bitmap_set(stash->inherited, index);
    }
}
