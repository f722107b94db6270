/* SPDX-License-Identifier: MIT */
/* Loans: a received call's ranges of its caller's memory. */
#pragma once

#include "call.h"

/* Copies the first bytes of loan 0 into the receiver's buffer at delivery; how many. Never fails:
 * what is not there does not come along. */
uint32_t loan_inline(struct call *call, struct thread *receiver);

/* Writes `size` bytes of the server's memory to the start of the call's loan 1, all or an error:
 * ARGUMENT (longer than the loan, or no such loan), RIGHTS, ADDRESS (own address), ABSENT, MEMORY,
 * LIMIT. */
MUST_USE ax_result loan_answer(struct call *call, struct process *server, uint64_t address,
                               uint32_t size);

/* Makes the page at the offset, which lies in the loan, present on the caller's behalf. Errors:
 * ADDRESS (it is no good), MEMORY, LIMIT, ABSENT (it takes a pager). */
MUST_USE ax_result loan_populate(struct call *call, unsigned loan, uint64_t offset);

/* Takes the frames of a mapped loan out of its memory. */
void loan_unpin(struct memory *memory);
