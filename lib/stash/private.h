/* SPDX-License-Identifier: MIT */
/*
 * What lies in a stash, and what the files of the library use of each other. Places are offsets in
 * bytes from the beginning; 0 is no place of anything.
 *
 *     header   fixed part, checksummed; the state word, whose store is the commit; the root
 *     slots    a byte each
 *     replies
 *     heap
 *     logs     two, used in turn; from here on not protected in development builds
 *     seal     the last 8 bytes: the format is complete
 */
#pragma once

#include <base/align.h>
#include <base/assert.h>
#include <base/bitmap.h>
#include <base/hash.h>
#include <base/memory.h>
#include <stash/stash.h>

#include "store.h"

#define STASH_MAGIC   UINT64_C(0x3168736174737861) /* "axstash1" */
#define STASH_SEAL    UINT64_C(0x6c6165732d687361) /* "ash-seal" */
#define STASH_VERSION 2

#define STASH_LINE 64
#define STASH_PAGE 4096

/* Blocks are 2^order bytes, at multiples of that from the heap's beginning. */
#define STASH_ORDER_MIN 5
#define STASH_ORDER_MAX 30

struct stash_header {
    uint64_t magic;
    uint32_t version;
    uint32_t schema;
    uint64_t address;
    uint64_t size_bytes;
    uint32_t log_bytes;
    uint32_t reply_count;
    uint32_t slot_first;
    uint32_t slot_count;
    uint64_t check; /* of all before it */
    uint64_t state; /* see below */
    uint64_t blame; /* see below */
    /* From here on changed by transactions. */
    uint64_t root; /* a pointer */
    uint32_t free[STASH_ORDER_MAX + 1];
};

#define STASH_LOGGED_AT ((uint32_t)offsetof(struct stash_header, root))

/*
 * The state word: one store changes all of it.
 *
 *     63..56  check of the other bits
 *     55..5   number of the last commit; its log is log number % 2
 *     4       UNDONE: the state before that commit holds
 *     3       STARTED: an instance adopted it and has not answered yet
 *     2..0    deaths of such instances
 */
#define STASH_DEATHS       UINT64_C(7)
#define STASH_STARTED      (UINT64_C(1) << 3)
#define STASH_UNDONE       (UINT64_C(1) << 4)
#define STASH_NUMBER_SHIFT 5
#define STASH_CHECK_SHIFT  56

#define STASH_DEATHS_BACK  2 /* so many: from the previous commit */
#define STASH_DEATHS_EMPTY 4 /* so many: from nothing */

/*
 * Who is to blame for deaths before the first answer: the calls that were being served, until there
 * are too many of them. Any value is harmless.
 *
 *     63..56  different calls in a row of which instances died
 *     55..28  the last of them
 *     27..0   the one being served; 0: none
 *
 * Calls are hashes of their ids.
 */
#define STASH_BLAME_BITS  28
#define STASH_BLAME_MASK  ((UINT64_C(1) << STASH_BLAME_BITS) - 1)
#define STASH_BLAME_SHIFT (2 * STASH_BLAME_BITS)
#define STASH_BLAME_MAX   8 /* so many: the state is to blame after all, as by two deaths */

static inline uint64_t state_make(uint64_t number, uint64_t flags) {
    uint64_t value = number << STASH_NUMBER_SHIFT | flags;
    return value | hash_mix(value) >> STASH_CHECK_SHIFT << STASH_CHECK_SHIFT;
}

static inline uint64_t state_number(uint64_t state) {
    return (state & ((UINT64_C(1) << STASH_CHECK_SHIFT) - 1)) >> STASH_NUMBER_SHIFT;
}

static inline bool state_is_valid(uint64_t state) {
    uint64_t flags = state & ((UINT64_C(1) << STASH_NUMBER_SHIFT) - 1);
    return state_make(state_number(state), flags) == state;
}

/* ---- The log ----------------------------------------------------------------------------------*/

struct stash_log {
    uint64_t number; /* of the commit */
    uint64_t used;   /* bytes, with this */
    uint64_t check;  /* of all after it, and of the two above */
    /* records */
};

/* Followed by the bytes before and after, each padded to 8; nothing follows if it zeroes. */
struct stash_record {
    uint32_t at;
    uint32_t size; /* with STASH_RECORD_ZERO */
};
#define STASH_RECORD_ZERO (UINT32_C(1) << 31)

static inline uint32_t record_size(const struct stash_record *record) {
    return record->size & ~STASH_RECORD_ZERO;
}

static inline bool record_zeroes(const struct stash_record *record) {
    return (record->size & STASH_RECORD_ZERO) != 0;
}

static inline uint32_t record_padded(const struct stash_record *record) {
    return (uint32_t)align_up(record_size(record), 8);
}

static inline const uint8_t *record_before(const struct stash_record *record) {
    return (const uint8_t *)(record + 1);
}

static inline const uint8_t *record_after(const struct stash_record *record) {
    return record_before(record) + record_padded(record);
}

static inline uint32_t record_bytes(const struct stash_record *record) {
    uint32_t payload = record_zeroes(record) ? 0 : 2 * record_padded(record);
    return (uint32_t)sizeof(*record) + payload;
}

/* The record at or after this place in a valid log; NULL at its end. */
static inline const struct stash_record *log_record(const struct stash_log *log, uint32_t used,
                                                    uint32_t at) {
    return at < used ? (const struct stash_record *)(const void *)((const uint8_t *)log + at)
                     : NULL;
}

#define LOG_FOR_EACH(record, log, used)                                                            \
    for (uint32_t at_ = sizeof(struct stash_log); ((record) = log_record(log, used, at_)) != NULL; \
         at_ += record_bytes(record))

struct stash_log *stash_log_at(const struct stash *stash, uint64_t number);
uint64_t stash_log_check(const struct stash_log *log);
bool stash_log_is_valid(const struct stash *stash, const struct stash_log *log, uint64_t number);
void stash_log_play(const struct stash *stash, const struct stash_log *log, bool undo);

/* Notes the change of the open transaction; `from` NULL: zeroes, only in memory that was free. */
void stash_log_append(struct stash *stash, uint32_t at, uint32_t size, const void *from);

/* As the open transaction has it. */
void stash_log_read(const struct stash *stash, uint32_t at, uint32_t size, void *to);

/* The last record that touches the range; NULL: none does. */
const struct stash_record *stash_log_find(const struct stash_log *log, uint32_t used, uint32_t at,
                                          uint32_t size);

/* ---- Parts ------------------------------------------------------------------------------------*/

struct stash_block {
    uint16_t check; /* of its place, order and state */
    uint8_t order;
    uint8_t state;           /* enum block_state */
    uint32_t next, previous; /* free: in its list */
    uint32_t requested;
};

enum block_state { BLOCK_FREE = 1, BLOCK_USED = 2, BLOCK_LEAVING = 3 };

/* What a slot's byte says. */
enum slot_state { SLOT_FREE = 0, SLOT_USED = 1, SLOT_OF_REPLY = 2 };

struct reply_entry {
    struct ax_call_id id; /* of caller 0: none */
    struct stash_reply reply;
};

_Static_assert(sizeof(struct stash_block) == 16, "kept");
_Static_assert(sizeof(struct stash_header) == 208, "kept");
_Static_assert(sizeof(struct reply_entry) == 192, "kept");
_Static_assert(sizeof(struct stash_log) == 24 && sizeof(struct stash_record) == 8, "kept");

static inline void stash_fail(struct stash *stash, enum stash_error error) {
    if (stash->error == STASH_OK)
        stash->error = error;
}

/* All but the logs, in development builds. */
static inline void stash_protect(const struct stash *stash, bool writable) {
    if (stash->hooks.protect != NULL)
        stash->hooks.protect(stash->hooks.context, stash->base, stash->logs_at, writable);
}

void stash_heap_format(const struct stash *stash);
bool stash_heap_is_valid(const struct stash *stash);
void stash_heap_free_leaving(struct stash *stash);

void stash_slots_adopt(struct stash *stash);
bool stash_slots_are_valid(const struct stash *stash);
void stash_slots_close(struct stash *stash, const struct stash_log *log, uint32_t used,
                       bool committed);
void stash_slot_mark(struct stash *stash, uint32_t slot, enum slot_state state);
void stash_slot_close_now(const struct stash *stash, uint32_t slot);

void stash_replies_adopt(struct stash *stash);
bool stash_replies_are_valid(const struct stash *stash);
void stash_replies_abort(struct stash *stash);
