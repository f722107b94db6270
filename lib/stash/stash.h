/* SPDX-License-Identifier: MIT */
/*
 * A server's state in memory that outlives the server: a heap at a fixed address whose changes are
 * made in transactions. Whenever the server dies, its successor finds the state of the last commit.
 * docs/stash.md tells how it works.
 *
 * One instance uses a stash at a time, and one thread of it at a time: who has more locks. The
 * memory is mapped at the same address in each instance, so pointers into it may be kept in it.
 * Reading through a pointer shows the last commit; what the open transaction wrote is seen with
 * stash_read and STASH_GET.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/error.h>
#include <abi/message.h>
#include <abi/object.h>

#define STASH_REPLIES_MAX 512
#define STASH_SLOTS_MAX   65536
#define STASH_SIZE_MAX    (UINT32_C(1) << 31)

/* What adopting found. */
enum stash_verdict {
    STASH_ADOPTED = 0, /* the state of the last commit */
    STASH_WENT_BACK,   /* the state before the last commit: instances died of that one */
    STASH_NEW,         /* nothing was ever kept here: format it */
    /* Not usable; nothing was stored. Save it if you want to look at it, then format it. */
    STASH_BAD_CONFIG,  /* the memory described is too small, too large, or at an odd address */
    STASH_BAD_MAGIC,   /* this is not a stash */
    STASH_BAD_LAYOUT,  /* of another version of this library */
    STASH_BAD_SCHEMA,  /* of another version of the server's own structures */
    STASH_BAD_CHECK,   /* the header's checksum is wrong */
    STASH_BAD_ADDRESS, /* made for another address */
    STASH_BAD_SIZE,    /* its parts do not fit, or the memory has another size than it had */
    STASH_BAD_STATE,   /* the word that says what was committed last is damaged */
    STASH_BAD_LOG,     /* the last commit's log is damaged */
    STASH_BAD_DEATHS,  /* four instances died of it before they answered anything */
    /* Not usable, but the last commit's log was played. */
    STASH_BAD_HEAP,  /* blocks and free lists do not fit together */
    STASH_BAD_TABLE, /* the root, a slot's state or a reply makes no sense */
    STASH_VERDICT_COUNT,
};

/* Why a transaction failed. */
enum stash_error {
    STASH_OK = 0,
    STASH_ERR_LOG = -1,     /* it changes more than the log has room for */
    STASH_ERR_HEAP = -2,    /* no block of that size is free */
    STASH_ERR_REPLIES = -3, /* too many answers are committed and not given */
    STASH_ERR_SLOTS = -4,   /* no handle slot is free */
    STASH_ERR_HANDLE = -5,  /* the kernel did not move the handle: stash.handle_error */
    STASH_ERR_BADGES = -6,  /* the table of badges is full */
};

/* What the library asks of its surroundings; all may be NULL where there are no handle slots. */
struct stash_hooks {
    /* Development builds: makes whole pages read-only, or writable again. */
    void (*protect)(void *context, void *address, size_t size_bytes, bool writable);
    /* Moves a handle of the server to a slot of the stash process: handle_transfer to AX_PLACE. */
    ax_result (*slot_put)(void *context, uint32_t slot, ax_handle handle);
    /* Closes what is in the slot; an empty one is fine. */
    void (*slot_close)(void *context, uint32_t slot);
    /* The first slot from this one on that holds a handle (handle_list); 0: there is none. */
    uint32_t (*slot_next)(void *context, uint32_t from);
    void *context;
};

struct stash_config {
    void *memory;      /* at a multiple of the page size, the same in each instance */
    size_t size_bytes; /* at most STASH_SIZE_MAX */
    uint32_t schema;   /* version of what the server keeps here */
    /* Did the previous instance die of itself (fault, hang)? One that was ended from outside, for
     * an update or by a test, is not counted against the stash. */
    bool predecessor_failed;
    struct stash_hooks hooks;
    /* For stash_format only; a stash that exists keeps what it was made with. */
    size_t log_bytes;     /* most that one transaction changes, see docs/stash.md; there are two */
    uint32_t reply_count; /* answers that are committed and not yet given, at most */
    uint32_t slot_first;  /* handle slots of the stash process that are the library's */
    uint32_t slot_count;
};

struct stash_log;
struct stash_header;

/* An instance's view of its stash. Private but for what is said to be readable. */
struct stash {
    uint8_t *base;
    struct stash_header *header;
    struct stash_hooks hooks;
    uint64_t state; /* the header's, which nobody else changes */
    uint32_t slots_at, replies_at, heap_at, heap_end, logs_at, log_bytes;
    uint32_t slot_first, slot_count, reply_count;
    /* The open transaction. */
    struct stash_log *log;        /* NULL: none is open */
    const struct stash_log *last; /* of the last commit; NULL: there was none */
    uint32_t log_used;
    uint32_t leaving; /* first of the blocks to be freed at the commit; 0: none */
    uint64_t touched; /* filter: lines of 64 bytes that may have been written */
    bool slots_touched, replies_touched;
    enum stash_error error; /* readable: why the open or last transaction fails */
    ax_result handle_error; /* readable: what slot_put answered, with STASH_ERR_HANDLE */
    /* Tables. */
    uint32_t slot_cursor, reply_cursor;
    uint32_t slots_closed;  /* readable: handles that adopting closed, since nobody owned them */
    uint32_t slots_missing; /* readable: slots in use that hold no handle (after going back) */
    uint64_t kept[STASH_REPLIES_MAX / 64];      /* replies that must not be forgotten yet */
    uint64_t inherited[STASH_REPLIES_MAX / 64]; /* of those: from before this instance */
};

/* ---- Beginning --------------------------------------------------------------------------------*/

/* Takes over what earlier instances left. Usable only if the verdict is one of the first two. */
[[gnu::warn_unused_result]] enum stash_verdict stash_adopt(struct stash *stash,
                                                           const struct stash_config *config);

/* Makes an empty stash, whatever is there. STASH_BAD_CONFIG, or STASH_ADOPTED: it can be used. */
[[gnu::warn_unused_result]] enum stash_verdict stash_format(struct stash *stash,
                                                            const struct stash_config *config);

const char *stash_verdict_text(enum stash_verdict verdict);
const char *stash_error_text(enum stash_error error);

/*
 * The instance has answered a call: deaths before that are forgotten. Call it after each answer;
 * stash_reply_given does it. Not inside a transaction.
 */
void stash_answered(struct stash *stash);

/*
 * The instance takes up this call, or (NULL) leaves it unanswered and goes on. Until it has
 * answered something, its death while it serves a call is the call's doing, for which the kernel
 * answers the caller, and does not count against the stash; but eight such calls in a row do, as
 * two deaths would. Not inside a transaction.
 */
void stash_serving(struct stash *stash, const struct ax_call_id *id);

/* ---- Transactions -----------------------------------------------------------------------------*/

/*
 * What is written need not be checked on the way: once something has failed, the rest of the
 * transaction does nothing, and the commit aborts it and returns why. Only what stash_alloc
 * returned must be looked at before it is used.
 */
void stash_begin(struct stash *stash);
[[gnu::warn_unused_result]] enum stash_error stash_commit(struct stash *stash);
void stash_abort(struct stash *stash);

/* Has the open transaction anything to commit, an error included? */
bool stash_is_changed(const struct stash *stash);

/* Writes to memory that was allocated in the stash. */
void stash_write(struct stash *stash, void *to, const void *from, size_t size_bytes);

/* Reads as the open transaction will leave it; also usable outside of one. */
void stash_read(const struct stash *stash, void *to, const void *from, size_t size_bytes);

/* STASH_SET(stash, pipe->count, 3); count = STASH_GET(stash, pipe->count); */
#define STASH_SET(stash, member, value)                                         \
    do {                                                                        \
        __typeof__(member) stash_new_ = (value);                                \
        stash_write(stash, (void *)&(member), &stash_new_, sizeof(stash_new_)); \
    } while (0)
/* The comma takes the qualifiers off the member's type. */
#define STASH_GET(stash, member)                                           \
    __extension__({                                                        \
        __typeof__(((void)0, (member))) stash_value_;                      \
        stash_read(stash, &stash_value_, &(member), sizeof(stash_value_)); \
        stash_value_;                                                      \
    })

/* Zeroed memory at a multiple of 16; NULL: there is none, and the transaction has failed. */
void *stash_alloc(struct stash *stash, size_t size_bytes);

/* It can still be read until the commit, and is not allocated again before it. NULL is fine. */
void stash_free(struct stash *stash, void *memory);

/* The object from which all others are found. */
void stash_root_set(struct stash *stash, void *root);
void *stash_root(const struct stash *stash);

/* ---- Answers ----------------------------------------------------------------------------------*/

/*
 * An answer with the slots of the handles it carries. A slot that is named here belongs to the
 * reply from now on: it is closed and freed with it. Bytes for loan 1 are not kept: write them into
 * the loan before the commit, then they are where they belong if the call is delivered again.
 */
struct stash_reply {
    uint64_t operation; /* status */
    uint32_t word_count;
    uint32_t handle_count;
    uint64_t words[AX_MESSAGE_WORDS];
    struct {
        uint32_t slot;
        uint32_t rights;
    } handles[AX_MESSAGE_HANDLES];
};

/*
 * In a transaction: remembers the answer to this call, as many calls as one likes. Returns the
 * reply's index for stash_reply_given, or -1 if the transaction has failed.
 */
int stash_reply(struct stash *stash, struct ax_call_id id, const struct stash_reply *reply);

/* The caller has the answer (the kernel took it), or is dead: it may be forgotten. */
void stash_reply_given(struct stash *stash, int index);

/* For calls that are delivered again: the committed answer and its index, or -1: do the call. */
int stash_reply_find(const struct stash *stash, struct ax_call_id id, struct stash_reply *reply);

/*
 * All calls that were waiting to be redelivered have been received, and those with a reply found
 * were answered: the other replies of earlier instances have been given.
 */
void stash_replies_settled(struct stash *stash);

/* ---- Handle slots -----------------------------------------------------------------------------*/

/* In a transaction: moves a handle to a free slot of the stash process. 0: the transaction failed.
 */
uint32_t stash_slot_put(struct stash *stash, ax_handle handle);

/* The same for what a kernel call makes: the caller makes it at AX_PLACE(stash process, slot). */
uint32_t stash_slot_reserve(struct stash *stash);

/* In a transaction: the handle is closed when it is committed. */
void stash_slot_free(struct stash *stash, uint32_t slot);

/* ---- Badges -----------------------------------------------------------------------------------*/

/*
 * A table of objects; a badge is an index and how often it was used, never 0. The object keeps its
 * own badge for the way back.
 */
struct stash_badges;

struct stash_badges *stash_badges_create(struct stash *stash, uint32_t capacity);

/* 0: the table is full, and the transaction has failed. */
uint64_t stash_badge_new(struct stash *stash, struct stash_badges *badges, void *object);
void stash_badge_free(struct stash *stash, struct stash_badges *badges, uint64_t badge);

/* NULL: no object has that badge, or not any more. */
void *stash_badge_object(const struct stash *stash, const struct stash_badges *badges,
                         uint64_t badge);

/* Goes through all badges in use: begin with 0; 0 comes after the last. */
uint64_t stash_badge_next(const struct stash *stash, const struct stash_badges *badges,
                          uint64_t badge);

/* ---- Looking inside ---------------------------------------------------------------------------*/

struct stash_block_info {
    void *memory; /* what stash_alloc returned */
    uint32_t requested_bytes;
    uint32_t block_bytes;
    bool used;
};

/* The block after this one; from NULL the first. False: there is none. Outside of transactions. */
bool stash_block_next(const struct stash *stash, const void *after, struct stash_block_info *info);
