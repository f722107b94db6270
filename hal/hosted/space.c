/* SPDX-License-Identifier: MIT */
/*
 * Address spaces. The truth is in translation tables of four levels in frames of core's, as
 * hardware would have them; a stub's mappings are the copy of it that Linux uses. Each entry says
 * whether the stub is behind, and the space keeps a short list of ranges where that is so
 * (changes.c brings the stub up to date).
 *
 * Tables are changed with the kernel lock and the space's; changes.c looks at them with the latter
 * alone.
 */
#include "machine.h"

#include <base/memory.h>

#define LEVELS        4
#define LEVEL_BITS    9
#define TABLE_ENTRIES 512
#define LEAF_BYTES    (TABLE_ENTRIES * AX_PAGE_SIZE)

static struct space spaces[SPACE_MAX];

struct space *space_at(uint64_t index) {
    return &spaces[index];
}

struct space *space_of(const struct hal_space *hal) {
    return space_at(hal->machine[0]);
}

uint32_t space_index(const struct space *space) {
    return (uint32_t)(space - spaces);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static unsigned level_shift(unsigned level) {
    return AX_PAGE_SHIFT + level * LEVEL_BITS;
}

static uint64_t *table_entry(uint64_t table, uint64_t address, unsigned level) {
    uint64_t *entries = hal_window(table);
    return &entries[(address >> level_shift(level)) & (TABLE_ENTRIES - 1)];
}

/* Tables that one hal_space_map made: a run meets at most two of each level. */
struct made {
    unsigned count;
    uint64_t *entries[2 * LEVELS];
};

/* The entry of a page; its tables are made if need be. NULL: there is no memory for one. */
static uint64_t *entry_make(struct hal_space *hal, uint64_t address, struct made *made) {
    uint64_t table = space_of(hal)->root;
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        uint64_t *entry = table_entry(table, address, level);
        if (*entry == 0) {
            uint64_t frame = core_table_alloc(hal);
            if (frame == 0)
                return NULL;
            *entry = frame | ENTRY_PRESENT;
            made->entries[made->count++] = entry;
        }
        table = ENTRY_FRAME(*entry);
    }
    return table_entry(table, address, 0);
}

/* The last made goes first: it lies in the others. */
static void made_free(struct hal_space *hal, struct made *made) {
    while (made->count > 0) {
        uint64_t *entry = made->entries[--made->count];
        core_table_free(hal, ENTRY_FRAME(*entry));
        *entry = 0;
    }
}

/* The page's entry, or NULL and how far there is none. */
static uint64_t *entry_find(const struct space *space, uint64_t address, uint64_t *next) {
    uint64_t table = space->root;
    for (unsigned level = LEVELS - 1;; level--) {
        uint64_t *entry = table_entry(table, address, level);
        uint64_t span = UINT64_C(1) << level_shift(level);
        *next = (address & ~(span - 1)) + span;
        if (level == 0)
            return entry;
        if (*entry == 0)
            return NULL;
        table = ENTRY_FRAME(*entry);
    }
}

uint64_t space_entry(struct space *space, uint64_t address) {
    uint64_t next;
    spin_lock(&space->lock);
    const uint64_t *entry = address < AX_USER_END ? entry_find(space, address, &next) : NULL;
    uint64_t value = entry != NULL ? *entry : 0;
    spin_unlock(&space->lock);
    return value;
}

bool space_is_current(struct space *space, uint64_t address) {
    return (space_entry(space, address) & ENTRY_STALE) == 0;
}

uint64_t space_walk(struct space *space, uint64_t first, uint64_t end,
                    bool (*visit)(void *context, uint64_t address, uint64_t *entry),
                    void *context) {
    uint64_t next, *entry = NULL;
    for (uint64_t address = first; address < end; address = next) {
        /* Neighbours lie in the same table. */
        bool is_neighbour = entry != NULL && address % LEAF_BYTES != 0;
        next = address + AX_PAGE_SIZE;
        entry = is_neighbour ? entry + 1 : entry_find(space, address, &next);
        if (entry != NULL && *entry != 0 && !visit(context, address, entry))
            return address;
    }
    return end;
}

/* Notes a range; too many become one. */
static void change_note(struct space *space, uint64_t first, uint64_t end) {
    for (unsigned i = 0; i < space->change_count; i++) {
        struct change *change = &space->changes[i];
        if (first > change->end || end < change->first)
            continue;
        change->first = first < change->first ? first : change->first;
        change->end = end > change->end ? end : change->end;
        return;
    }
    if (space->change_count == CHANGES_MAX) {
        space->changes[0] = (struct change){0, AX_USER_END};
        space->change_count = 1;
        return;
    }
    space->changes[space->change_count++] = (struct change){first, end};
}

static void space_change(struct space *space, uint64_t address) {
    change_note(space, address, address + AX_PAGE_SIZE);
    space->is_behind = true;
}

/* What is new there is for a thread to come, as a rule, and that begins with a list of orders: its
 * page, and what the personality will need for it. Who looks before finds it late. */
static bool may_be_late(uint64_t address) {
    return (address >= AX_THREAD_PAGES &&
            address < AX_THREAD_PAGES + (uint64_t)AX_THREAD_MAX * AX_PAGE_SIZE) ||
           (address >= AX_PERSONALITY_START && address < AX_PERSONALITY_END);
}

bool space_catch_up(struct space *space, uint64_t address, uint32_t access) {
    uint64_t wanted = ENTRY_PRESENT | ENTRY_PROT(access & AX_PROT_ALL);
    if (!may_be_late(address))
        return false;
    space->is_behind = true;
    return (space_entry(space, address) & wanted) == wanted;
}

/* ---- The contract ---------------------------------------------------------------------------- */

bool hal_space_create(struct hal_space *space) {
    uint32_t index = 0;
    while (index < SPACE_MAX && spaces[index].used)
        index++;
    if (index == SPACE_MAX)
        return false;
    space->machine[0] = index;
    uint64_t root = core_table_alloc(space);
    if (root == 0)
        return false;
    spaces[index] = (struct space){.used = true, .root = root};
    return true;
}

static void map_one(struct space *space, uint64_t address, uint64_t *entry, uint64_t wanted) {
    if (*entry == wanted || *entry == (wanted | ENTRY_STALE))
        return;
    bool may_wait = *entry == 0 && may_be_late(address);
    *entry = wanted | ENTRY_STALE;
    if (may_wait)
        change_note(space, address, address + AX_PAGE_SIZE);
    else
        space_change(space, address);
}

bool hal_space_map(struct hal_space *space, uint64_t address, uint64_t physical, size_t page_count,
                   uint32_t prot) {
    struct space *own = space_of(space);
    struct made made = {0};
    bool has_tables = true;
    spin_lock(&own->lock);
    for (size_t page = 0; page < page_count && has_tables; page++)
        has_tables = entry_make(space, address + page * AX_PAGE_SIZE, &made) != NULL;
    for (size_t page = 0; page < page_count && has_tables; page++) {
        uint64_t at = address + page * AX_PAGE_SIZE;
        map_one(own, at, entry_make(space, at, &made),
                (physical + page * AX_PAGE_SIZE) | ENTRY_PRESENT | ENTRY_PROT(prot & AX_PROT_ALL));
    }
    if (!has_tables)
        made_free(space, &made);
    spin_unlock(&own->lock);
    return has_tables;
}

static bool unmap_one(void *context, uint64_t address, uint64_t *entry) {
    if ((*entry & ENTRY_PRESENT) != 0) {
        *entry = ENTRY_STALE;
        space_change(context, address);
    }
    return true;
}

void hal_space_unmap(struct hal_space *space, uint64_t address, size_t page_count) {
    struct space *own = space_of(space);
    spin_lock(&own->lock);
    space_walk(own, address, address + page_count * AX_PAGE_SIZE, unmap_one, own);
    spin_unlock(&own->lock);
}

struct protection {
    struct space *space;
    uint32_t prot;
};

static bool protect_one(void *context, uint64_t address, uint64_t *entry) {
    const struct protection *protection = context;
    if ((*entry & ENTRY_PRESENT) != 0)
        map_one(protection->space, address, entry,
                ENTRY_FRAME(*entry) | ENTRY_PRESENT | ENTRY_PROT(protection->prot));
    return true;
}

void hal_space_protect(struct hal_space *space, uint64_t address, size_t page_count,
                       uint32_t prot) {
    struct protection protection = {space_of(space), prot & AX_PROT_ALL};
    spin_lock(&protection.space->lock);
    space_walk(protection.space, address, address + page_count * AX_PAGE_SIZE, protect_one,
               &protection);
    spin_unlock(&protection.space->lock);
}

/* ---- The end --------------------------------------------------------------------------------- */

static uint64_t *entry_first(uint64_t table) {
    uint64_t *entries = hal_window(table);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        if (entries[i] != 0)
            return &entries[i];
    }
    return NULL;
}

/* Gives back all tables, each before the one that it is in; false: the budget is used up. */
static bool tables_free(struct hal_space *hal, uint64_t root, unsigned *budget) {
    for (;;) {
        uint64_t table = root, *parent = NULL, *entry;
        for (unsigned level = LEVELS - 1; level > 0 && (entry = entry_first(table)) != NULL;
             level--) {
            parent = entry;
            table = ENTRY_FRAME(*entry);
        }
        if (*budget == 0)
            return false;
        --*budget;
        core_table_free(hal, table);
        if (parent == NULL)
            return true;
        *parent = 0;
    }
}

bool hal_space_destroy(struct hal_space *space, unsigned *budget) {
    struct space *own = space_of(space);
    if (own->stub != NULL) {
        if (!stub_leave(own->stub))
            return false;
        own->stub = NULL;
    }
    if (!tables_free(space, own->root, budget))
        return false;
    own->used = false;
    return true;
}

void hal_space_sync(struct hal_space *space) {
    struct space *own = space_of(space);
    mutex_lock(&own->orders);
    if (own->stub != NULL)
        changes_apply(own);
    mutex_unlock(&own->orders);
}
