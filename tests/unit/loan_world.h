/* SPDX-License-Identifier: MIT */
/* What the tests of loans share: a client that lends, and a server that received its call. */
#pragma once

#include "memory_world.h"

/* `lender` is a thread of the other process, `server` is world.one. */
struct loan_world {
    ax_handle endpoint;   /* server's */
    ax_handle session;    /* lender's */
    ax_handle reply;      /* server's, of the received call */
    uint64_t lent;        /* 100 pages of the lender, page n holding n + 1 */
    uint64_t own;         /* 100 pages of the server */
    struct thread *other; /* of the lender's process, while that waits for its answer */
};

extern struct loan_world loans;

#define lender     (world.stranger)
#define server     (world.one)
#define witness    (loans.other)
#define LENT_PAGES 100

TCase *loan_case(const char *name);

/* The lender calls with loans, and the server receives it. Access 0: no such loan. */
void lend(uint64_t address, uint64_t size_bytes, uint32_t access);
void lend_two(struct ax_loan first, uint32_t first_access, struct ax_loan second,
              uint32_t second_access);
/* The lender calls with what was set by this one before, and nobody receives yet. */
void lend_only(struct ax_loan first, uint32_t first_access);

/* The server receives with a buffer; how many bytes came along. */
uint32_t receive(uint64_t buffer, uint32_t buffer_bytes);

/* The server answers; what is to go into loan 1 is in its page already. */
ax_result answer(void);

ax_result loan_read(uint64_t loan, uint64_t offset, uint64_t address, uint64_t size_bytes);
ax_result loan_write(uint64_t loan, uint64_t offset, uint64_t address, uint64_t size_bytes);
ax_result loan_map(uint64_t loan, uint64_t offset, uint64_t size_bytes);
