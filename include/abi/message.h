/* SPDX-License-Identifier: MIT */
/*
 * What travels in a call, and the parameters of call and reply_receive. Both lie in the thread
 * page, which a hostile program may scribble over at any time: core copies once, then checks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/object.h>

#define AX_MESSAGE_WORDS   16
#define AX_MESSAGE_HANDLES 4
#define AX_MESSAGE_LOANS   2
#define AX_INLINE_MAX      65536 /* most bytes of loan 0 or loan 1 that come or go with a message */
#define AX_LOAN_MAX        (UINT64_C(1) << 47)

/*
 * A handle in a message. Outgoing: the handle, and the rights it shall have at the receiver (what
 * it lacks is not granted), with AX_HANDLE_MOVE where it shall leave the sender. It needs
 * AX_RIGHT_COPY, or AX_RIGHT_MOVE with AX_HANDLE_MOVE; a handle that is moved is named once. It
 * leaves the sender of a call when the call is answered: until then both have it, and a receiver
 * that drops the call has it all the same. Incoming: the handle in the receiver's table and its
 * rights.
 */
struct ax_message_handle {
    ax_handle handle;
    uint32_t rights;
};

/* A range of the caller's memory that the receiver may use until it replies. */
struct ax_loan {
    uint64_t address;
    uint64_t size_bytes;
};

enum ax_loan_access {
    AX_LOAN_READ = 1U << 0,  /* the receiver may read it */
    AX_LOAN_WRITE = 1U << 1, /* the receiver may write it */
};

/* A call's id: unique for ever, the same when the call is delivered again. */
struct ax_call_id {
    uint64_t caller; /* object id of the calling process, or of the stash it called as */
    uint64_t sequence;
};

enum ax_message_kind {
    AX_MESSAGE_CALL = 0,  /* a call; `reply` answers it */
    AX_MESSAGE_CLOSE,     /* the session `badge` has no handle and no open call left */
    AX_MESSAGE_INTERRUPT, /* the caller of the received call `id` asks for an early answer, or died;
                             `reply` is the handle that came with the call */
    AX_MESSAGE_EVENT,     /* the bound object `badge` (the cookie) has the signals words[0] */
};

enum ax_message_flag {
    AX_MESSAGE_REDELIVERED = 1U << 0, /* an instance of the server received it before */
    AX_MESSAGE_INTERRUPTED = 1U << 1, /* an early answer has been asked for already */
    AX_MESSAGE_RETRIED = 1U << 2,     /* delivered again after AX_REPLY_FAULT */
    AX_MESSAGE_CALLER_DEAD = 1U << 3, /* INTERRUPT: nobody waits for the answer; close `reply` */
};

struct ax_message {
    /* Both ways. A reply's operation is its status: 0, a value, or an error of the protocol. */
    uint64_t operation;
    uint64_t words[AX_MESSAGE_WORDS];
    uint8_t word_count;   /* words beyond it arrive as zero */
    uint8_t handle_count; /* calls and replies alike */
    uint8_t loan_count;   /* calls only */
    uint8_t loan_access[AX_MESSAGE_LOANS];
    uint8_t kind;   /* incoming: enum ax_message_kind */
    uint16_t flags; /* incoming: enum ax_message_flag */
    struct ax_message_handle handles[AX_MESSAGE_HANDLES];
    struct ax_loan loans[AX_MESSAGE_LOANS]; /* incoming: only size_bytes is told */

    /* Incoming only; zero in an answer. */
    struct ax_call_id id;
    uint64_t label;        /* who calls: the thread's label when it called */
    uint64_t badge;        /* through which session */
    ax_handle reply;       /* the receiver's handle for the answer */
    uint32_t inline_bytes; /* bytes of loan 0 that came along */
};

/* A change of the signals of one session of the endpoint whose call is answered. */
struct ax_signal_change {
    uint64_t badge;
    uint32_t clear;
    uint32_t set;
};

struct ax_ipc {
    struct ax_message message;

    /* Parameters of call. */
    uint64_t deadline_ns; /* when an early answer is asked for; AX_TIME_NEVER: never */
    uint64_t id_sequence; /* the call's sequence number, without AX_SEQUENCE_CORE; 0: core takes
                             the next one */
    ax_handle id_process; /* in whose name: 0, or a process with AX_RIGHT_HANDLES (the stash) */
    uint32_t accept;      /* call: handles accepted in the answer, 0 to 4;
                             reply_receive: handles accepted in a message */
    /* Parameters of reply_receive. */
    uint64_t buffer;              /* where the first bytes of loan 0 go */
    uint32_t buffer_bytes;        /* at most AX_INLINE_MAX; 0: none */
    uint32_t data_bytes;          /* bytes for the answered call's loan 1, at most AX_INLINE_MAX */
    uint64_t data;                /* where those bytes are */
    uint64_t receive_deadline_ns; /* how long to wait for a message */
    struct ax_signal_change changes[2];
    uint32_t change_count;
    /* Parameters of both, for what may come: 0, else ARGUMENT. */
    uint32_t options;
    uint64_t place; /* where accepted handles are to be put; 0: anywhere in one's own table */
};

#define AX_TIME_NEVER UINT64_MAX

/* Set in the sequence numbers that core chooses, and in no others. */
#define AX_SEQUENCE_CORE (UINT64_C(1) << 63)

_Static_assert(sizeof(struct ax_message) == 248, "shared with programs");
_Static_assert(sizeof(struct ax_ipc) == 352, "shared with programs");
_Static_assert(offsetof(struct ax_ipc, deadline_ns) == 248, "shared with programs");
