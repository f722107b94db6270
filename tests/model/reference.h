/* SPDX-License-Identifier: MIT */
/*
 * What the kernel should do, written from what include/abi/call.h promises and without regard to
 * speed: arrays, searches, and everything that can be derived derived anew. It knows processes,
 * accounts, threads, handles, endpoints, sessions, calls, loans, events, timers, queues, bindings,
 * pages, futexes and priorities; not time slices, devices and how much each thing costs.
 */
#pragma once

#include <abi/abi.h>
#include <stdbool.h>
#include <stdint.h>

#define PROCESSES    12
#define THREADS      28
#define HANDLES      128
#define OBJECTS      640
#define PAGES        12 /* places for pages that a process has, from PAGE_AT(0) on */
#define MEMORY_PAGES 6  /* of a memory object */
#define FRAMES       224
#define MAPS         24 /* mapped loans */
#define MEMBERS      48 /* of queues */
#define QUEUE_MAX    4  /* events taken at a time */

#define PAGE_AT(page) (UINT64_C(0x10000000) + (uint64_t)(page)*AX_PAGE_SIZE)

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
    void *core;  /* the kernel's object, for comparing */
    uint64_t id; /* processes: the kernel's, which calls tell longer than the object lives */
    int account;
    uint32_t signals;
    int of;    /* process or thread: its index; session: its endpoint; account: its parent */
    bool kept; /* somebody outside the world holds a handle */

    uint64_t badge; /* session */
    enum ref_session state;
    bool delivered; /* session: somebody was answered with it, and pays for it */
    uint64_t closed_at;

    bool delivering, dead; /* endpoint */
    int instance;          /* endpoint: the process that received from it last */
    uint64_t next_order, delivered_count;

    int bound_to; /* event, timer: an endpoint, or -1 */
    uint32_t bound_mask;
    uint64_t cookie, bound_at, ready_at; /* ready_at 0: nothing to tell */
    bool renewed;
    uint64_t deadline; /* timer */

    unsigned page_count; /* memory */
    int frames[MEMORY_PAGES];
    uint64_t limit_objects; /* account */
    bool has_parts;         /* some of it has gone to other accounts, and may come back */
};

enum ref_state {
    REF_NONE,
    REF_RUNS,
    REF_CALLS,
    REF_RECEIVES,
    REF_WAITS,
    REF_FUTEX,
    REF_QUEUES,
    REF_GONE
};

struct ref_loan {
    uint64_t address, size;
    uint8_t access;
};

struct ref_message {
    uint8_t kind;
    uint16_t flags;
    uint64_t operation, badge, label, sequence;
    int caller; /* the object of the process that the id names, or -1 */
    unsigned word_count, handle_count, loan_count;
    uint64_t words[AX_MESSAGE_WORDS];
    struct ref_loan loans[AX_MESSAGE_LOANS];
    uint32_t inline_bytes;
    bool has_reply;
};

struct ref_call {
    bool queued, received;
    bool redelivered, retried, interrupted, forwarded;
    int session, holder, server; /* server -1: parked */
    unsigned deaths, accept;
    uint64_t label;                                /* the caller's when it called */
    struct ref_message message;                    /* as it was sent */
    struct ref_handle handles[AX_MESSAGE_HANDLES]; /* object, rights (with MOVE), caller's value */
    uint64_t order;
};

struct ref_wait {
    int object;
    uint32_t mask, seen;
};

struct ref_futex_key {
    int object; /* of the process or the shared memory */
    uint64_t place;
};

struct ref_thread {
    enum ref_state state, before; /* before: at the last comparison */
    int process;
    void *core;
    uint64_t label, made_at;
    int base, priority;
    bool interrupted;
    ax_result result;
    bool has_result; /* it made a call that came back */
    int serving;     /* the calling thread, or -1 */
    int endpoint;    /* of which it is a member, or -1 */
    unsigned accept; /* what it receives with */
    uint64_t buffer;
    uint32_t buffer_bytes;
    bool waits_for_many, tells_seen, tells_events;
    unsigned wait_count;
    struct ref_wait waits[3];
    struct ref_futex_key futex;
    uint32_t futex_bits;
    int queue;
    unsigned queue_max, event_count; /* events: that it got last */
    struct ax_queue_event events[QUEUE_MAX];
    uint64_t waits_since, deadline;
    struct ref_call call;
    struct ref_message message; /* the last it got */
    bool fresh;                 /* since the last comparison */
};

struct ref_page {
    bool is_mapped, is_private;
    uint32_t prot, allowed;
    int memory;     /* object, or -1 */
    unsigned index; /* which page of it */
    int frame;      /* private: its own, or -1 */
};

struct ref_process {
    bool exists, open, has_ended, is_released;
    void *core;
    int object;
    enum ax_cause cause;
    unsigned suspended;
    uint64_t next_sequence;
    struct ref_handle handles[HANDLES];
    int handle_end; /* none from here on was ever used */
    struct ref_page pages[PAGES];
    int interrupts[THREADS]; /* callers of received calls to be told of, in order */
    int interrupt_count;
};

struct ref_member {
    bool used, silent;
    int queue, object;
    uint32_t mask, mode;
    uint64_t key, data, since, ready_at; /* ready_at 0: nothing to report */
};

/* A loan that a server has mapped. */
struct ref_map {
    bool used, is_writable;
    int process, caller;
    uint64_t address;
    unsigned count;
    int frames[3];
};

struct reference {
    struct ref_process processes[PROCESSES];
    struct ref_thread threads[THREADS];
    struct ref_map maps[MAPS];
    struct ref_member members[MEMBERS];
    int work[OBJECTS]; /* objects (processes that end, endpoints that died) in order */
    int work_count;
    uint64_t clock;     /* counts waits, orders */
    bool unpredictable; /* the universe is too small for what is going on: stop here */
    int object_count;
    struct ref_object objects[OBJECTS];
    unsigned char frames[FRAMES][AX_PAGE_SIZE];
};

extern struct reference ref;

/* ---- Building the world ---------------------------------------------------------------------- */

void ref_reset(void);
int ref_object_new(enum ax_type type, void *core, int of, int account);
int ref_process_new(void *core, int account);
int ref_thread_new(int process, void *core, int base, uint64_t label);
struct ref_handle *ref_handle_new(int process, int object, uint32_t rights, ax_handle value);
struct ref_handle *ref_handle_find(int process, ax_handle value);
unsigned ref_handle_count(int object);
int ref_account_of(int process);
bool ref_is_live(int thread);
bool ref_is_blocked(int thread);
bool ref_is_waited_for(int object);
int ref_object_of_thread(int thread);
bool ref_is_over(int session);

/* ---- What a thread does: each answers the result, REF_BLOCKED or REF_ENDED --------------------
 * Calls that make a handle answer AX_OK, and whose table it goes to; their caller makes it.
 */

struct ref_send {
    ax_handle target, id_process, endpoint;
    uint64_t id_sequence;
    struct ref_message message;
    ax_handle handles[AX_MESSAGE_HANDLES];
    uint32_t rights[AX_MESSAGE_HANDLES];
    unsigned accept;
    uint64_t deadline, buffer, data; /* deadline: AX_TIME_NEVER, 0 (passed), or to come */
    uint32_t buffer_bytes, data_bytes;
    unsigned change_count;
    struct ax_signal_change changes[2];
};
ax_result ref_call(int thread, const struct ref_send *send);
/* Answer (target 0: none), then receive (endpoint 0: not). */
ax_result ref_reply_receive(int thread, const struct ref_send *send);
/* `send`: a message in place of the one that came; NULL: as it came. */
ax_result ref_forward(int thread, ax_handle reply, ax_handle session, const struct ref_send *send);
ax_result ref_serve(int thread, ax_handle reply);
ax_result ref_reply_fault(int thread, ax_handle reply, uint64_t loan, uint64_t offset);
ax_result ref_loan_copy(int thread, ax_handle reply, uint64_t loan, uint64_t offset,
                        uint64_t address, uint64_t size, bool to_lender);
/* AX_OK: *map is to be given its address. */
ax_result ref_loan_map(int thread, ax_handle reply, uint64_t loan, uint64_t offset, uint64_t size,
                       struct ref_map **map);

ax_result ref_place(int thread, uint64_t place, int *process);
ax_result ref_close(int thread, ax_handle handle);
ax_result ref_object_info(int thread, ax_handle handle, struct ref_handle **found);
ax_result ref_memory_list(int thread, ax_handle handle, int *process);
/* AX_OK: the source is *handle, of *from; a move is the caller's to finish with ref_handle_drop. */
ax_result ref_transfer(int thread, ax_handle source, uint64_t handle, uint64_t place,
                       uint32_t flags, struct ref_handle **found, int *to);
void ref_handle_drop(struct ref_handle *handle);

ax_result ref_session_create(int thread, ax_handle endpoint, uint64_t badge, uint64_t place,
                             int *endpoint_index, int *process);
ax_result ref_session_retire(int thread, ax_handle endpoint, uint64_t badge, bool end);
ax_result ref_session_signal(int thread, ax_handle endpoint, uint64_t badge, uint32_t clear,
                             uint32_t set);
ax_result ref_session_identify(int thread, ax_handle endpoint, ax_handle handle, uint64_t *badge);
ax_result ref_endpoint_list(int thread, ax_handle endpoint, enum ax_list_kind kind, uint64_t cursor,
                            struct ax_session_info *infos);
ax_result ref_endpoint_bind(int thread, ax_handle endpoint, ax_handle object, uint32_t mask,
                            uint64_t cookie);

ax_result ref_signal(int thread, ax_handle object, uint32_t clear, uint32_t set);
ax_result ref_timer_set(int thread, ax_handle timer, uint64_t deadline, bool passed);
ax_result ref_queue_control(int thread, ax_handle queue, enum ax_queue_op op, ax_handle object,
                            const struct ax_queue_request *request);
ax_result ref_queue_wait(int thread, ax_handle queue, unsigned max, uint64_t deadline);
ax_result ref_wait(int thread, const struct ax_wait_item *items, unsigned count, bool many,
                   uint64_t deadline);

ax_result ref_interrupt(int thread, ax_handle target);
ax_result ref_take(int thread);
ax_result ref_affinity(int thread, ax_handle target, bool is_empty);
ax_result ref_priority(int thread, ax_handle target, int base);
ax_result ref_thread_create(int thread, ax_handle process, uint64_t place, int *in, int *to);
ax_result ref_thread_exit(int thread, uint64_t clear_address, ax_handle handle);
ax_result ref_process_create(int thread, ax_handle account, uint64_t place, int *payer, int *to);
ax_result ref_process_end(int thread, ax_handle process, enum ax_cause cause);
ax_result ref_process_control(int thread, ax_handle process, enum ax_process_op op, uint64_t label,
                              ax_handle authority);
ax_result ref_process_thread(int thread, ax_handle process, int of, uint64_t place,
                             uint32_t *rights, int *to);
ax_result ref_clone(int thread, uint64_t place, int *to);
void ref_clone_fill(int thread, int child);
/* A fault that nobody handles, or a bounce. */
void ref_fault(int thread, enum ax_cause cause);
ax_result ref_account(int thread, ax_handle handle, int *account);
void ref_account_refuse(int account);
void ref_account_given(int account); /* a limit was moved there */

ax_result ref_memory_map(int thread, ax_handle process, ax_handle memory,
                         const struct ax_map_request *request);
ax_result ref_memory_unmap(int thread, ax_handle process, uint64_t address, unsigned count);
ax_result ref_memory_protect(int thread, ax_handle process, int page, unsigned count,
                             uint32_t prot);
ax_result ref_memory_resize(int thread, ax_handle memory, unsigned count);
ax_result ref_process_copy(int thread, ax_handle process, uint64_t address, uint64_t own,
                           uint64_t size, bool writes);
ax_result ref_futex_wait(int thread, uint64_t address, uint32_t value, uint32_t bits,
                         uint64_t deadline);
ax_result ref_futex_wake(int thread, uint64_t address, unsigned count, uint32_t bits);
ax_result ref_futex_requeue(int thread, uint64_t address, unsigned wake, uint64_t target,
                            unsigned move, uint32_t value);
/* The byte at an address, for an access by the process itself; NULL: it faults. */
unsigned char *ref_byte(int process, uint64_t address, uint32_t access);

/* How many pages the fault of a program makes ahead, of a page of the region that shows pages
 * [first, end) of the process: if the page is absent, as many as are present in a row before it, up
 * to the region's end, its memory's, or the first that is present; none over a memory of which it
 * is a private view. So it is while memory is plenty; else they are fewer, or none. */
unsigned ref_ahead(int process, uint64_t address, int first, int end);
void ref_make_ahead(int process, uint64_t address, unsigned count);

/* The same, for looking only: nothing is made present. */
const unsigned char *ref_peek(int process, uint64_t address, uint32_t access);

/* The deadline of a blocked thread passes, or a timer's. */
void ref_timeout(int thread);
void ref_timer_fire(int timer);

/* Queued work, as the kernel does it after each entry. */
void ref_settle(void);
/* Effective priorities, from nothing. */
void ref_priorities(void);
