/* SPDX-License-Identifier: MIT */
/* Badges: an entry's index in the low half, the number of its use in the high one. */
#include "private.h"

struct badge_entry {
    uint32_t use;    /* counts from 1; 0 was never used */
    uint32_t next;   /* free: index + 1 of the next free entry */
    uint8_t *object; /* NULL: free */
};

struct stash_badges {
    uint32_t capacity;
    uint32_t begun; /* entries from here on were never used */
    uint32_t free;  /* index + 1 of the first free one before that; 0: none */
    uint32_t reserved;
    struct badge_entry entries[];
};

struct stash_badges *stash_badges_create(struct stash *stash, uint32_t capacity) {
    size_t size = sizeof(struct stash_badges) + (size_t)capacity * sizeof(struct badge_entry);
    struct stash_badges *badges = stash_alloc(stash, size);
    if (badges != NULL)
        STASH_SET(stash, badges->capacity, capacity);
    return badges;
}

uint64_t stash_badge_new(struct stash *stash, struct stash_badges *badges, void *object) {
    ASSERT(stash->log != NULL && object != NULL);
    if (stash->error != STASH_OK)
        return 0;
    uint32_t begun = STASH_GET(stash, badges->begun);
    uint32_t index = STASH_GET(stash, badges->free);
    if (index == 0 && begun == badges->capacity) {
        stash_fail(stash, STASH_ERR_BADGES);
        return 0;
    }
    if (index == 0) {
        index = begun;
        STASH_SET(stash, badges->begun, begun + 1);
    } else {
        index--;
        STASH_SET(stash, badges->free, STASH_GET(stash, badges->entries[index].next));
    }
    struct badge_entry entry = STASH_GET(stash, badges->entries[index]);
    uint32_t use = entry.use + 1 != 0 ? entry.use + 1 : 1;
    entry = (struct badge_entry){.use = use, .object = object};
    STASH_SET(stash, badges->entries[index], entry);
    return stash->error == STASH_OK ? (uint64_t)use << 32 | index : 0;
}

void *stash_badge_object(const struct stash *stash, const struct stash_badges *badges,
                         uint64_t badge) {
    uint32_t index = (uint32_t)badge;
    if (index >= STASH_GET(stash, badges->begun))
        return NULL;
    struct badge_entry entry = STASH_GET(stash, badges->entries[index]);
    return entry.use == badge >> 32 ? entry.object : NULL;
}

void stash_badge_free(struct stash *stash, struct stash_badges *badges, uint64_t badge) {
    ASSERT(stash->log != NULL);
    if (stash->error != STASH_OK)
        return;
    ASSERT(stash_badge_object(stash, badges, badge) != NULL);
    uint32_t index = (uint32_t)badge;
    uint32_t next = STASH_GET(stash, badges->free);
    struct badge_entry entry = {.use = (uint32_t)(badge >> 32), .next = next};
    STASH_SET(stash, badges->entries[index], entry);
    STASH_SET(stash, badges->free, index + 1);
}

uint64_t stash_badge_next(const struct stash *stash, const struct stash_badges *badges,
                          uint64_t badge) {
    uint32_t begun = STASH_GET(stash, badges->begun);
    for (uint32_t index = badge == 0 ? 0 : (uint32_t)badge + 1; index < begun; index++) {
        struct badge_entry entry = STASH_GET(stash, badges->entries[index]);
        if (entry.object != NULL)
            return (uint64_t)entry.use << 32 | index;
    }
    return 0;
}
