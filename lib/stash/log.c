/* SPDX-License-Identifier: MIT */
/*
 * The log of a transaction: for each changed range the bytes before and after. Before the commit
 * nobody looks at it; after it, it is played forwards, and kept until the next commit so that it
 * can be played backwards.
 */
#include "private.h"

struct stash_log *stash_log_at(const struct stash *stash, uint64_t number) {
    uint32_t at = stash->logs_at + (number % 2 != 0 ? stash->log_bytes : 0);
    return (struct stash_log *)(void *)(stash->base + at);
}

/* Four sums side by side, because one multiplication has to wait for the one before it. */
uint64_t stash_log_check(const struct stash_log *log) {
    const uint64_t *word = (const uint64_t *)(log + 1);
    size_t count = (log->used - sizeof(*log)) / sizeof(*word);
    uint64_t lane[4] = {log->number, log->used, 1, 2};
    for (; count >= 4; count -= 4, word += 4) {
        for (unsigned i = 0; i < 4; i++) {
            uint64_t mixed = (lane[i] ^ word[i]) * HASH_STEP;
            lane[i] = mixed ^ mixed >> 29;
        }
    }
    for (; count > 0; count--, word++)
        lane[0] = hash_mix(lane[0] ^ *word);
    return hash_mix(hash_mix(hash_mix(hash_mix(lane[0]) ^ lane[1]) ^ lane[2]) ^ lane[3]);
}

static bool record_is_valid(const struct stash *stash, const struct stash_record *record,
                            uint64_t room) {
    uint64_t size = record_size(record);
    if (size == 0 || size > stash->heap_end || record_bytes(record) > room)
        return false;
    uint64_t first = record_zeroes(record) ? stash->heap_at : STASH_LOGGED_AT;
    return record->at >= first && record->at + size <= stash->heap_end;
}

bool stash_log_is_valid(const struct stash *stash, const struct stash_log *log, uint64_t number) {
    if (log->number != number || log->used < sizeof(*log) || log->used > stash->log_bytes ||
        log->used % 8 != 0 || log->check != stash_log_check(log))
        return false;
    const struct stash_record *record;
    LOG_FOR_EACH(record, log, (uint32_t)log->used) {
        if (!record_is_valid(stash, record, log->used - at_))
            return false;
    }
    return true;
}

/*
 * Twice is as good as once, and half of it is mended by playing all. Backwards the order does not
 * matter: all bytes before are from the same moment. Memory that was free then is left as it is.
 */
void stash_log_play(const struct stash *stash, const struct stash_log *log, bool undo) {
    const struct stash_record *record;
    LOG_FOR_EACH(record, log, (uint32_t)log->used) {
        uint8_t *to = stash->base + record->at;
        if (!record_zeroes(record))
            stash_store(to, undo ? record_before(record) : record_after(record),
                        record_size(record));
        else if (!undo)
            stash_store_zero(to, record_size(record));
    }
}

/* ---- The open transaction ---------------------------------------------------------------------*/

/* Bits of the lines that a range lies in: most reads find with it that nothing was written. */
static uint64_t lines_of(uint32_t at, uint32_t size) {
    uint32_t first = at / STASH_LINE;
    uint32_t count = (at + size - 1) / STASH_LINE - first + 1;
    if (count >= 64)
        return UINT64_MAX;
    uint64_t bits = (UINT64_C(1) << count) - 1;
    unsigned turn = first % 64;
    return turn == 0 ? bits : bits << turn | bits >> (64 - turn);
}

static bool overlaps(const struct stash_record *record, uint32_t at, uint32_t size) {
    return record->at < at + size && at < record->at + record_size(record);
}

const struct stash_record *stash_log_find(const struct stash_log *log, uint32_t used, uint32_t at,
                                          uint32_t size) {
    const struct stash_record *record;
    const struct stash_record *found = NULL;
    LOG_FOR_EACH(record, log, used) {
        if (overlaps(record, at, size))
            found = record;
    }
    return found;
}

/* What the transaction wrote before is changed in its place, if nothing later touched it. */
static bool amend(const struct stash *stash, uint32_t at, uint32_t size, const void *from) {
    if ((stash->touched & lines_of(at, size)) == 0)
        return false;
    const struct stash_record *found = stash_log_find(stash->log, stash->log_used, at, size);
    if (found == NULL || record_zeroes(found) || at < found->at ||
        at + size > found->at + record_size(found))
        return false;
    stash_store((uint8_t *)stash->log + (record_after(found) - (uint8_t *)stash->log) +
                    (at - found->at),
                from, size);
    return true;
}

void stash_log_append(struct stash *stash, uint32_t at, uint32_t size, const void *from) {
    ASSERT(stash->log != NULL);
    ASSERT(size > 0 && at >= STASH_LOGGED_AT && at + size <= stash->heap_end);
    if (stash->error != STASH_OK || (from != NULL && amend(stash, at, size, from)))
        return;
    struct stash_record record = {at, from == NULL ? size | STASH_RECORD_ZERO : size};
    uint32_t padded = record_padded(&record);
    if (padded > stash->log_bytes || record_bytes(&record) > stash->log_bytes - stash->log_used) {
        stash_fail(stash, STASH_ERR_LOG);
        return;
    }
    uint8_t *to = (uint8_t *)stash->log + stash->log_used;
    if (from != NULL && size <= 8) {
        struct {
            struct stash_record record;
            uint64_t before, after;
        } small = {record, 0, 0};
        memcpy(&small.before, stash->base + at, size);
        memcpy(&small.after, from, size);
        stash_store(to, &small, sizeof(small));
    } else {
        stash_store(to, &record, sizeof(record));
        if (from != NULL) {
            stash_store(to + sizeof(record), stash->base + at, size);
            stash_store(to + sizeof(record) + padded, from, size);
        }
    }
    stash->log_used += record_bytes(&record);
    stash->touched |= lines_of(at, size);
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

void stash_log_read(const struct stash *stash, uint32_t at, uint32_t size, void *to) {
    memcpy(to, stash->base + at, size);
    if (stash->log == NULL || size == 0 || (stash->touched & lines_of(at, size)) == 0)
        return;
    const struct stash_record *record;
    LOG_FOR_EACH(record, stash->log, stash->log_used) {
        if (!overlaps(record, at, size))
            continue;
        uint32_t first = larger(at, record->at);
        uint32_t count = smaller(at + size, record->at + record_size(record)) - first;
        uint8_t *place = (uint8_t *)to + (first - at);
        if (record_zeroes(record))
            memset(place, 0, count);
        else
            memcpy(place, record_after(record) + (first - record->at), count);
    }
}
