/* SPDX-License-Identifier: MIT */
/*
 * What the kernel should do, written from what include/abi/call.h promises and without regard to
 * speed: arrays, searches, and everything that can be derived derived anew. It knows processes,
 * threads, handles, endpoints, sessions, calls, events, futexes, pages and priorities; not time
 * slices, accounts (the census compares these) and where handles are put.
 */
#pragma once

#include <abi/abi.h>
#include <stdbool.h>
#include <stdint.h>

#define PROCESSES 10
#define THREADS   24
#define HANDLES   96
#define OBJECTS   256
#define PAGES     4 /* private pages a process has, and then as many shared ones */

#define REF_BLOCKED (INT64_MIN + 16) /* as the driver's */
#define REF_ENDED   (INT64_MIN + 17)

struct ref_handle {
    bool used;
    int object; /* index; replies: the object -1 - calling thread */
    uint32_t rights;
    ax_handle value;         /* 0: the kernel has not been asked yet: to_thread's message tells */
    int to_thread, to_index; /* to_index -1: the reply handle */
};

enum ref_session { REF_OPEN, REF_CLOSED, REF_ANNOUNCED, REF_OVER };

struct ref_object {
    enum ax_type type;
    void *core; /* the kernel's object, for comparing */
    uint32_t signals;
    int of;         /* process or thread: its index; session: its endpoint */
    uint64_t badge; /* session */
    enum ref_session state;
    bool delivering;     /* endpoint */
    bool kept;           /* somebody outside the world holds a handle */
    bool dead;           /* endpoint */
    int closed[OBJECTS]; /* endpoint: sessions to announce, in order */
    int closed_count;
    int receivers[THREADS]; /* endpoint: threads that wait, in order */
    int receiver_count;
    uint64_t next_order;
};

enum ref_state { REF_NONE, REF_RUNS, REF_CALLS, REF_RECEIVES, REF_WAITS, REF_FUTEX, REF_GONE };

struct ref_message {
    uint8_t kind;
    uint16_t flags;
    uint64_t operation, badge, label, sequence;
    uint64_t word;
    unsigned handle_count;
    bool has_reply;
};

struct ref_call {
    bool queued, received;
    bool redelivered, interrupted, forwarded;
    int session, holder, server; /* server -1: parked */
    unsigned deaths, handle_count, accept;
    struct ref_handle handles[2]; /* object, rights (with MOVE), value: the caller's */
    uint64_t operation, word, sequence, order;
};

struct ref_thread {
    enum ref_state state;
    int process;
    void *core;
    uint64_t label;
    int base, priority;
    bool interrupted;
    ax_result result;
    bool has_result; /* it made a call that came back */
    int serving;     /* the calling thread, or -1 */
    int endpoint;    /* of which it is a member, or -1 */
    unsigned accept;
    int object; /* it waits for, with mask */
    uint32_t mask;
    int futex_process, futex_page; /* process -1: shared */
    uint64_t waits_since, deadline;
    struct ref_call call;
    struct ref_message message;
    bool fresh; /* `message` was delivered since the last comparison */
};

struct ref_process {
    bool exists, open, ending;
    void *core;
    int object;
    unsigned cause;
    uint64_t next_sequence;
    struct ref_handle handles[HANDLES];
    bool mapped[PAGES];
    uint32_t pages[PAGES];
    int interrupts[THREADS]; /* callers of received calls to be told of, in order */
    int interrupt_count;
};

struct reference {
    struct ref_process processes[PROCESSES];
    struct ref_thread threads[THREADS];
    struct ref_object objects[OBJECTS];
    int object_count;
    uint32_t shared[PAGES];
    int work[OBJECTS]; /* objects (processes that end, endpoints that died) in order */
    int work_count;
    uint64_t clock;     /* counts waits, orders */
    bool unpredictable; /* the universe is too small for what is going on: stop here */
};

extern struct reference ref;

/* ---- Building the world ---------------------------------------------------------------------- */

void ref_reset(void);
int ref_object_new(enum ax_type type, void *core, int of);
int ref_process_new(void *core);
int ref_thread_new(int process, void *core, int base, uint64_t label);
struct ref_handle *ref_handle_new(int process, int object, uint32_t rights, ax_handle value);
struct ref_handle *ref_handle_find(int process, ax_handle value);
unsigned ref_handle_count(int object);
/* The same of all objects, found in one go. */
void ref_handle_counts(unsigned counts[OBJECTS]);
/* A handle with these rights went; what follows from it does too. */
void ref_handle_lost(int object, uint32_t rights);

/* ---- What a thread does: each answers the result, REF_BLOCKED or REF_ENDED --------------------
 */

struct ref_send {
    ax_handle session;
    uint64_t operation, word;
    unsigned handle_count, accept;
    ax_handle handles[2];
    uint32_t rights[2];
    uint64_t deadline; /* UINT64_MAX: never; 0: passed */
};
ax_result ref_call(int thread, const struct ref_send *send);
/* Answer (reply 0: none; status and handles in `send`), then receive (endpoint 0: not). */
ax_result ref_reply_receive(int thread, ax_handle reply, const struct ref_send *send,
                            ax_handle endpoint);
ax_result ref_forward(int thread, ax_handle reply, ax_handle session);
ax_result ref_serve(int thread, ax_handle reply);
ax_result ref_close(int thread, ax_handle handle);
/* The handle it makes is entered by the caller, who knows its value. */
ax_result ref_transfer(int thread, ax_handle handle, ax_handle to, bool move, uint32_t rights,
                       struct ref_handle *granted, int *to_process);
ax_result ref_session_create(int thread, ax_handle endpoint, uint64_t badge, int *endpoint_index);
ax_result ref_session_retire(int thread, ax_handle endpoint, uint64_t badge, bool end);
ax_result ref_session_signal(int thread, ax_handle endpoint, uint64_t badge, uint32_t clear,
                             uint32_t set);
ax_result ref_session_identify(int thread, ax_handle endpoint, ax_handle handle, uint64_t *badge);
ax_result ref_signal(int thread, ax_handle event, uint32_t clear, uint32_t set);
ax_result ref_wait(int thread, ax_handle object, uint32_t mask, uint64_t deadline);
ax_result ref_interrupt(int thread, ax_handle target);
ax_result ref_take(int thread);
ax_result ref_priority(int thread, int base);
ax_result ref_process_end(int thread, ax_handle process, enum ax_cause cause);
ax_result ref_thread_exit(int thread);
void ref_fault(int thread); /* a fault that nobody handles */
/* The child's process; its thread is made by the caller. */
ax_result ref_clone(int thread, int child);
ax_result ref_futex_wait(int thread, int page, uint32_t value, uint64_t deadline);
ax_result ref_futex_wake(int thread, int page, int count);
/* The deadline of a blocked thread passes. */
void ref_timeout(int thread);

/* Queued work, as the kernel does it after each entry. */
void ref_settle(void);
/* Effective priorities, from nothing. */
void ref_priorities(void);
