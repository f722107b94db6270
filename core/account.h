/* SPDX-License-Identifier: MIT */
/*
 * Who pays. A charge stays with the account that made it until the thing is freed, so an account
 * lives while it has refs or charges. Limits given to a child come out of the parent's.
 */
#pragma once

#include "object.h"

struct account {
    struct object object;
    struct account *parent; /* NULL: the root account */
    struct list corpses;    /* struct process.in_account: those it pays for, oldest first */
    uint64_t limit_bytes, used_bytes;
    uint64_t limit_objects, used_objects;
};

/* Both or neither; NULL: core itself, whom nobody charges. AX_ERR_LIMIT: the account has not that
 * much left; AX_SIGNAL_LIMIT is set. */
MUST_USE ax_result account_charge(struct account *account, uint64_t bytes, uint64_t objects);
void account_uncharge(struct account *account, uint64_t bytes, uint64_t objects);

/* A child with these limits, taken out of the parent's. One ref, the caller's. */
MUST_USE ax_result account_make(struct account *parent, uint64_t bytes, uint64_t objects,
                                struct account **account);

/* AX_HANDLE_NONE: the account of the thread's process; else a handle with AX_RIGHT_CHARGE. */
MUST_USE ax_result account_lookup(struct thread *thread, uint64_t handle, struct account **account);
