/* SPDX-License-Identifier: MIT */
/* Transactions. */
#include "stash.h"

#include "private.h"

void stash_begin(struct stash *stash) {
    ASSERT(stash->log == NULL);
    stash->log = stash_log_at(stash, state_number(stash->state) + 1);
    stash->log_used = sizeof(struct stash_log);
    stash->leaving = 0;
    stash->touched = 0;
    stash->slots_touched = false;
    stash->replies_touched = false;
    stash->error = STASH_OK;
    stash->handle_error = AX_OK;
}

/*
 * The log is complete before the store of the state word, and nothing but the log was stored. After
 * it the log is played; if the instance dies on the way, its successor plays it.
 */
enum stash_error stash_commit(struct stash *stash) {
    ASSERT(stash->log != NULL);
    stash_heap_free_leaving(stash);
    if (stash->error != STASH_OK) {
        stash_abort(stash);
        return stash->error;
    }
    struct stash_log *log = stash->log;
    stash->log = NULL;
    if (stash->log_used == sizeof(*log))
        return STASH_OK;
    uint64_t number = state_number(stash->state) + 1;
    stash_store(log, &(struct stash_log){.number = number, .used = stash->log_used},
                offsetof(struct stash_log, check));
    uint64_t check = stash_log_check(log);
    stash_store(&log->check, &check, sizeof(check));
    stash->state = state_make(number, stash->state & (STASH_STARTED | STASH_DEATHS));

    stash_protect(stash, true);
    stash_store_word(&stash->header->state, stash->state); /* the commit */
    stash_log_play(stash, log, false);
    stash_protect(stash, false);
    stash->last = log;
    if (stash->slots_touched)
        stash_slots_close(stash, log, stash->log_used, true);
    return STASH_OK;
}

void stash_abort(struct stash *stash) {
    ASSERT(stash->log != NULL);
    const struct stash_log *log = stash->log;
    if (stash->replies_touched)
        stash_replies_abort(stash);
    stash->log = NULL;
    if (stash->slots_touched)
        stash_slots_close(stash, log, stash->log_used, false);
}

bool stash_is_changed(const struct stash *stash) {
    ASSERT(stash->log != NULL);
    return stash->log_used > sizeof(struct stash_log) || stash->leaving != 0 ||
           stash->error != STASH_OK;
}

/* Where in the heap this memory is: anything else is a mistake of the caller. */
static uint32_t place_in_heap(const struct stash *stash, const void *memory, size_t size_bytes) {
    uintptr_t at = (uintptr_t)memory - (uintptr_t)stash->base;
    ASSERT(at >= stash->heap_at && at <= stash->heap_end && size_bytes <= stash->heap_end - at);
    return (uint32_t)at;
}

void stash_write(struct stash *stash, void *to, const void *from, size_t size_bytes) {
    if (stash->error != STASH_OK || size_bytes == 0)
        return;
    stash_log_append(stash, place_in_heap(stash, to, size_bytes), (uint32_t)size_bytes, from);
}

void stash_read(const struct stash *stash, void *to, const void *from, size_t size_bytes) {
    stash_log_read(stash, place_in_heap(stash, from, size_bytes), (uint32_t)size_bytes, to);
}

void stash_root_set(struct stash *stash, void *root) {
    uint64_t value = (uintptr_t)root;
    if (root != NULL)
        (void)place_in_heap(stash, root, 1);
    stash_log_append(stash, STASH_LOGGED_AT, sizeof(value), &value);
}

void *stash_root(const struct stash *stash) {
    uint64_t root;
    stash_log_read(stash, STASH_LOGGED_AT, sizeof(root), &root);
    return root == 0 ? NULL : stash->base + (root - (uintptr_t)stash->base);
}

const char *stash_error_text(enum stash_error error) {
    switch (error) {
    case STASH_OK: return "done";
    case STASH_ERR_LOG: return "the transaction changes more than the stash's log can hold";
    case STASH_ERR_HEAP: return "no block of that size is free in the stash";
    case STASH_ERR_REPLIES: return "too many answers in the stash have not been given";
    case STASH_ERR_SLOTS: return "no handle slot of the stash is free";
    case STASH_ERR_HANDLE: return "the handle could not be moved to the stash";
    case STASH_ERR_BADGES: return "the table of badges is full";
    }
    return "unknown error";
}
