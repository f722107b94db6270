/* SPDX-License-Identifier: MIT */
/* How an instance begins: from what is there, or from nothing. */
#include "private.h"

/* Where the parts lie follows from these numbers alone. */
static bool lay_out(struct stash *stash, uint64_t size_bytes, uint64_t log_bytes,
                    uint64_t reply_count, uint64_t slot_first, uint64_t slot_count) {
    if (size_bytes > STASH_SIZE_MAX || size_bytes % STASH_PAGE != 0 || log_bytes > size_bytes ||
        log_bytes % STASH_LINE != 0 || log_bytes < STASH_PAGE || reply_count > STASH_REPLIES_MAX ||
        slot_count > STASH_SLOTS_MAX || slot_first > AX_HANDLE_INDEX_MASK ||
        slot_first + slot_count > AX_HANDLE_INDEX_MASK || (slot_count > 0 && slot_first == 0))
        return false;
    uint64_t logs = 2 * log_bytes + STASH_LINE;
    uint64_t slots_at = align_up(sizeof(struct stash_header), STASH_LINE);
    uint64_t replies_at = align_up(slots_at + slot_count, STASH_LINE);
    uint64_t heap_at = align_up(replies_at + reply_count * sizeof(struct reply_entry), STASH_LINE);
    if (logs > size_bytes || heap_at + STASH_PAGE > align_down(size_bytes - logs, STASH_PAGE))
        return false;
    stash->slots_at = (uint32_t)slots_at;
    stash->replies_at = (uint32_t)replies_at;
    stash->heap_at = (uint32_t)heap_at;
    stash->heap_end = (uint32_t)align_down(size_bytes - logs, STASH_PAGE);
    stash->logs_at = stash->heap_end;
    /* The heap is whole blocks of the smallest order. */
    stash->heap_end -= (stash->heap_end - stash->heap_at) % (1U << STASH_ORDER_MIN);
    stash->log_bytes = (uint32_t)log_bytes;
    stash->reply_count = (uint32_t)reply_count;
    stash->slot_first = (uint32_t)slot_first;
    stash->slot_count = (uint32_t)slot_count;
    return true;
}

static bool prepare(struct stash *stash, const struct stash_config *config) {
    *stash = (struct stash){.base = config->memory, .hooks = config->hooks};
    stash->header = (struct stash_header *)config->memory;
    return is_aligned((uintptr_t)config->memory, STASH_PAGE) && config->memory != NULL &&
           config->size_bytes >= STASH_PAGE && config->size_bytes <= STASH_SIZE_MAX &&
           config->size_bytes % STASH_PAGE == 0;
}

static uint64_t *seal_of(const struct stash *stash, size_t size_bytes) {
    return (uint64_t *)(void *)(stash->base + size_bytes - sizeof(uint64_t));
}

static uint64_t header_check(const struct stash_header *header) {
    return hash_bytes(header, offsetof(struct stash_header, check), STASH_VERSION);
}

/* What keeps the wrong memory, version or size from being taken for ours. */
static enum stash_verdict check_header(struct stash *stash, const struct stash_config *config) {
    const struct stash_header *header = stash->header;
    bool sealed = *seal_of(stash, config->size_bytes) == STASH_SEAL;
    bool marked = header->magic == STASH_MAGIC;
    bool checked = marked && header->check == header_check(header);
    /* No seal: never formatted to the end, unless the memory had another size then. */
    if (!sealed && !(checked && header->size_bytes != config->size_bytes))
        return STASH_NEW;
    if (!marked)
        return STASH_BAD_MAGIC;
    if (header->version != STASH_VERSION)
        return STASH_BAD_LAYOUT;
    if (!checked)
        return STASH_BAD_CHECK;
    if (header->address != (uintptr_t)stash->base)
        return STASH_BAD_ADDRESS;
    if (header->size_bytes != config->size_bytes ||
        !lay_out(stash, header->size_bytes, header->log_bytes, header->reply_count,
                 header->slot_first, header->slot_count))
        return STASH_BAD_SIZE;
    return header->schema == config->schema ? STASH_ADOPTED : STASH_BAD_SCHEMA;
}

static enum stash_verdict check_state(struct stash *stash) {
    uint64_t state = stash->header->state;
    uint64_t number = state_number(state);
    if (!state_is_valid(state))
        return STASH_BAD_STATE;
    stash->state = state;
    if (number == 0)
        return STASH_ADOPTED;
    stash->last = stash_log_at(stash, number);
    return stash_log_is_valid(stash, stash->last, number) ? STASH_ADOPTED : STASH_BAD_LOG;
}

/* So many deaths count against the state: one, or what so many calls in a row come to. */
static uint64_t count_blame(uint64_t *blame, uint64_t deaths) {
    uint64_t serving = *blame & STASH_BLAME_MASK;
    uint64_t last = *blame >> STASH_BLAME_BITS & STASH_BLAME_MASK;
    uint64_t calls = *blame >> STASH_BLAME_SHIFT;
    if (serving == 0)
        return deaths + 1;
    calls += serving != last ? 1 : 0;
    bool is_over = calls >= STASH_BLAME_MAX;
    *blame = is_over ? 0 : calls << STASH_BLAME_SHIFT | serving << STASH_BLAME_BITS;
    if (!is_over)
        return deaths;
    return deaths < STASH_DEATHS_BACK ? STASH_DEATHS_BACK : STASH_DEATHS_EMPTY;
}

/*
 * Counts the predecessor's death, if it is one that counts, and decides by it. Decision and count
 * are in the word that says what is committed, so there is no moment between them.
 */
static enum stash_verdict count_death(const struct stash *stash, bool failed, uint64_t *state,
                                      uint64_t *blame) {
    uint64_t number = state_number(stash->state);
    uint64_t undone = stash->state & STASH_UNDONE;
    uint64_t before = stash->state & STASH_DEATHS, deaths = before;
    *blame = stash->header->blame;
    if (failed && (stash->state & STASH_STARTED) != 0 && deaths < STASH_DEATHS)
        deaths = count_blame(blame, deaths);
    /* Also what was committed since it went back: nothing of it was answered. */
    if (deaths > before && deaths >= STASH_DEATHS_BACK && number != 0)
        undone = STASH_UNDONE;
    *blame &= ~STASH_BLAME_MASK;
    *state = state_make(number, undone | STASH_STARTED | deaths);
    return deaths >= STASH_DEATHS_EMPTY ? STASH_BAD_DEATHS : STASH_ADOPTED;
}

static void set_state(struct stash *stash, uint64_t state) {
    if (stash->state != state)
        stash_store_word(&stash->header->state, state);
    stash->state = state;
}

static void set_blame(struct stash *stash, uint64_t blame) {
    if (stash->header->blame == blame)
        return;
    stash_protect(stash, true);
    stash_store_word(&stash->header->blame, blame);
    stash_protect(stash, false);
}

static bool root_is_valid(const struct stash *stash) {
    uint64_t root = stash->header->root;
    uint64_t base = (uintptr_t)stash->base;
    return root == 0 || (root >= base + stash->heap_at && root < base + stash->heap_end);
}

static enum stash_verdict take_over(struct stash *stash) {
    bool undone = (stash->state & STASH_UNDONE) != 0;
    if (stash->last != NULL)
        stash_log_play(stash, stash->last, undone);
    if (!stash_heap_is_valid(stash))
        return STASH_BAD_HEAP;
    if (!root_is_valid(stash) || !stash_slots_are_valid(stash) || !stash_replies_are_valid(stash))
        return STASH_BAD_TABLE;
    stash_replies_adopt(stash);
    stash_slots_adopt(stash);
    return undone ? STASH_WENT_BACK : STASH_ADOPTED;
}

enum stash_verdict stash_adopt(struct stash *stash, const struct stash_config *config) {
    uint64_t state, blame;
    if (!prepare(stash, config))
        return STASH_BAD_CONFIG;
    enum stash_verdict verdict = check_header(stash, config);
    if (verdict == STASH_ADOPTED)
        verdict = check_state(stash);
    if (verdict == STASH_ADOPTED)
        verdict = count_death(stash, config->predecessor_failed, &state, &blame);
    if (verdict != STASH_ADOPTED)
        return verdict;
    set_blame(stash, blame);
    stash_protect(stash, true);
    set_state(stash, state);
    verdict = take_over(stash);
    stash_protect(stash, false);
    return verdict;
}

/* The seal goes first and comes last: in between nothing is there. */
enum stash_verdict stash_format(struct stash *stash, const struct stash_config *config) {
    if (!prepare(stash, config) ||
        !lay_out(stash, config->size_bytes, config->log_bytes, config->reply_count,
                 config->slot_first, config->slot_count))
        return STASH_BAD_CONFIG;
    stash_protect(stash, true);
    uint64_t *seal = seal_of(stash, config->size_bytes);
    stash_store_word(seal, 0);
    struct stash_header header = {
        .magic = STASH_MAGIC,
        .version = STASH_VERSION,
        .schema = config->schema,
        .address = (uintptr_t)stash->base,
        .size_bytes = config->size_bytes,
        .log_bytes = stash->log_bytes,
        .reply_count = stash->reply_count,
        .slot_first = stash->slot_first,
        .slot_count = stash->slot_count,
        .state = state_make(0, STASH_STARTED),
    };
    header.check = header_check(&header);
    stash->state = header.state;
    stash_store(stash->header, &header, sizeof(header));
    stash_store_zero(stash->base + stash->slots_at, stash->heap_at - stash->slots_at);
    stash_heap_format(stash);
    stash_store_word(seal, STASH_SEAL);
    stash_slots_adopt(stash);
    stash_protect(stash, false);
    return STASH_ADOPTED;
}

void stash_answered(struct stash *stash) {
    ASSERT(stash->log == NULL);
    set_blame(stash, 0);
    if ((stash->state & (STASH_STARTED | STASH_DEATHS)) == 0)
        return;
    stash_protect(stash, true);
    set_state(stash, state_make(state_number(stash->state), stash->state & STASH_UNDONE));
    stash_protect(stash, false);
}

void stash_serving(struct stash *stash, const struct ax_call_id *id) {
    ASSERT(stash->log == NULL);
    if ((stash->state & STASH_STARTED) == 0)
        return;
    uint64_t serving = 0;
    if (id != NULL)
        serving = (hash_mix(hash_mix(id->caller) + id->sequence) & STASH_BLAME_MASK) | 1;
    set_blame(stash, (stash->header->blame & ~STASH_BLAME_MASK) | serving);
}

const char *stash_verdict_text(enum stash_verdict verdict) {
    static const char *const texts[STASH_VERDICT_COUNT] = {
        [STASH_ADOPTED] = "adopted",
        [STASH_WENT_BACK] = "adopted as it was before the last commit",
        [STASH_NEW] = "new",
        [STASH_BAD_CONFIG] = "the memory given for it cannot hold a stash",
        [STASH_BAD_MAGIC] = "not a stash",
        [STASH_BAD_LAYOUT] = "written by another version of lib/stash",
        [STASH_BAD_SCHEMA] = "written by another version of this server",
        [STASH_BAD_CHECK] = "its header is damaged",
        [STASH_BAD_ADDRESS] = "made for another address",
        [STASH_BAD_SIZE] = "its parts do not fit into its memory",
        [STASH_BAD_STATE] = "its state word is damaged",
        [STASH_BAD_LOG] = "the log of the last commit is damaged",
        [STASH_BAD_DEATHS] = "too many instances died of it",
        [STASH_BAD_HEAP] = "its heap is damaged",
        [STASH_BAD_TABLE] = "its root, a slot or a reply is damaged",
    };
    return (unsigned)verdict < STASH_VERDICT_COUNT ? texts[verdict] : "unknown verdict";
}
