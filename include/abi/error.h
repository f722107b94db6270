/* SPDX-License-Identifier: MIT */
/*
 * The one error type. Kernel calls answer zero or a positive value for success and one of these,
 * negative, for failure. The personality turns them into errno at its edge and nowhere else.
 */
#pragma once

#include <stdint.h>

enum ax_error {
    AX_OK = 0,
    AX_ERR_NO_CALL = -1,      /* no kernel call has this number */
    AX_ERR_ARGUMENT = -2,     /* a value is out of range, or a flag is unknown */
    AX_ERR_HANDLE = -3,       /* the handle names nothing (never did, or was closed) */
    AX_ERR_TYPE = -4,         /* the handle names an object of another type */
    AX_ERR_RIGHTS = -5,       /* the handle lacks a right that the call needs */
    AX_ERR_ADDRESS = -6,      /* a user address is not mapped, or not with that access */
    AX_ERR_MEMORY = -7,       /* the machine has no memory left */
    AX_ERR_LIMIT = -8,        /* the account, the handle table or a fixed limit is exhausted */
    AX_ERR_EXISTS = -9,       /* the slot, badge, address range or member is taken */
    AX_ERR_NOT_FOUND = -10,   /* no such slot, badge, region, member or waiter */
    AX_ERR_STATE = -11,       /* the object is in a state in which this makes no sense */
    AX_ERR_TIMEOUT = -12,     /* the deadline passed; nothing happened */
    AX_ERR_INTERRUPTED = -13, /* interrupted; nothing happened */
    AX_ERR_AGAIN = -14,       /* would block, or the futex word had another value */
    AX_ERR_PEER_CLOSED = -15, /* the endpoint is gone, and nobody kept it */
    AX_ERR_DROPPED = -16,     /* the server closed the reply unanswered */
    AX_ERR_FAULTED = -17,     /* two instances of the server died of this call */
    AX_ERR_DEADLOCK = -18,    /* the call would close a cycle of calls */
    AX_ERR_CALLER_DEAD = -19, /* the caller died; the reply handle is of no more use */
    AX_ERR_ABSENT = -20,      /* a lent page is not there yet: answer with AX_REPLY_FAULT */
    AX_ERR_ENDED = -21,       /* the process or thread has ended */
    AX_ERR_ACCEPT = -22,      /* the receiver does not accept that many handles */
    AX_ERR_LAST = -22,
};

/* A result: an enum ax_error when negative, else a value whose meaning the call defines. */
typedef int64_t ax_result;
