/* SPDX-License-Identifier: MIT */
/*
 * The kernel as the console server sees it: calls through the supervisor's sessions, which outlive
 * an instance, loans, signals, and one interrupt. lib/server runs on it. The stash is memory here;
 * steps, loans and the device are the test's.
 */
#pragma once

#include <servers/console/console.h>

#define KEEPER_CALLS   16
#define KEEPER_RECORDS 12 /* of lib/server: so many less 3 may wait */

/* A call as its client and the kernel see it. */
struct keeper_call {
    bool is_used, is_answered;
    bool is_received; /* by some instance; what is not answered is delivered again */
    bool is_faulted;  /* given back for an absent page, which is not there yet */
    bool is_coming;   /* to be received */
    bool is_interrupted, is_dead, is_to_tell;
    struct ax_message message;
    uint8_t *loan;
    uint64_t absent_from; /* the loan's pages from here on are not there, until a fault */
    int64_t status;
    uint64_t words[3];
    uint64_t order;
};

struct keeper {
    struct server server;
    struct server_call records[KEEPER_RECORDS];
    struct keeper_call calls[KEEPER_CALLS];
    uint64_t orders;
    bool has_interrupt;
    bool is_idle; /* the server has nothing to do */
    uint32_t signals[CONSOLE_STREAMS + 1];
    unsigned edges[CONSOLE_STREAMS + 1]; /* how often READABLE was set */
    uint32_t late_signals;               /* of a session that was made later */
    bool is_dropped;                     /* the server let a dead caller's call go */
    char said[128];                      /* what it logged last */
};

extern struct keeper keeper;

static inline struct console *keeper_console(void) {
    return keeper.server.context;
}

/* Nothing is kept. */
void keeper_renew(void);
/* An instance begins, with the calls that were not answered, and serves until it would wait. */
void keeper_start(void);
/* It serves until it would wait. */
void keeper_serve(void);

/* A new call, to be received; its number. KEEPER_CALLS: there is no room. */
unsigned keeper_call_new(uint64_t stream, uint64_t operation, uint32_t flags, void *loan,
                         size_t size_bytes, uint64_t absent_from);
/* It comes through a session that was made when the instance ran. */
void keeper_call_late(unsigned call);
/* The pages of given back calls are there. */
void keeper_retry(void);
/* An early answer is asked for, or the caller dies. */
void keeper_interrupt(unsigned call, bool is_dead);

/* ---- The test's ------------------------------------------------------------------------------ */

/* Before and after each kernel call. */
void keeper_step(void);
/* How much of the call's loan there is at this offset, of so many bytes; or an error. */
ax_result keeper_loan_part(const struct keeper_call *call, uint64_t offset, size_t size_bytes);
