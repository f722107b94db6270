/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "calls.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

static bool account_has(const struct account *account, uint64_t bytes, uint64_t objects) {
    ASSERT(account->used_bytes <= account->limit_bytes);
    ASSERT(account->used_objects <= account->limit_objects);
    return bytes <= account->limit_bytes - account->used_bytes &&
           objects <= account->limit_objects - account->used_objects;
}

static ax_result account_refuse(struct account *account) {
    kernel->refused = account;
    object_signal(&account->object, 0, AX_SIGNAL_LIMIT);
    return AX_ERR_LIMIT;
}

static void limit_move(struct account *from, struct account *to, uint64_t bytes, uint64_t objects) {
    from->limit_bytes -= bytes;
    from->limit_objects -= objects;
    to->limit_bytes += bytes;
    to->limit_objects += objects;
}

ax_result account_charge(struct account *account, uint64_t bytes, uint64_t objects) {
    if (account == NULL)
        return AX_OK;
    if (!account_has(account, bytes, objects))
        return account_refuse(account);
    account->used_bytes += bytes;
    account->used_objects += objects;
    return AX_OK;
}

/* Objects use bytes, and frames nothing else. */
static bool account_is_used(const struct account *account) {
    ASSERT(account->used_bytes != 0 || account->used_objects == 0);
    return account->used_bytes != 0;
}

void account_uncharge(struct account *account, uint64_t bytes, uint64_t objects) {
    if (account == NULL)
        return;
    ASSERT(bytes <= account->used_bytes && objects <= account->used_objects);
    account->used_bytes -= bytes;
    account->used_objects -= objects;
    if (account->object.refs == 0 && !account->object.work_queued && !account_is_used(account))
        object_work(&account->object);
}

/* The last ref is gone, but the account lives on until the last charge is: account_uncharge puts it
 * on the work list once more then. */
void account_free(struct account *account) {
    if (account_is_used(account))
        return;
    ASSERT(account->parent != NULL);
    limit_move(account, account->parent, account->limit_bytes, account->limit_objects);
    object_free(&account->object, sizeof(*account));
}

ax_result account_make(struct account *parent, uint64_t bytes, uint64_t objects,
                       struct account **account) {
    struct account *child;
    TRY(object_make(AX_TYPE_ACCOUNT, parent, sizeof(*child), &child));
    if (!account_has(parent, bytes, objects)) {
        object_discard(&child->object, sizeof(*child));
        return account_refuse(parent);
    }
    /* The parent lives as long: it is charged for the child. */
    child->parent = parent;
    list_init(&child->corpses);
    limit_move(parent, child, bytes, objects);
    *account = child;
    return AX_OK;
}

ax_result account_lookup(struct thread *thread, uint64_t handle, struct account **account) {
    *account = thread->process->account;
    if ((ax_handle)handle == AX_HANDLE_NONE)
        return AX_OK;
    return handle_get(thread, handle, AX_TYPE_ACCOUNT, AX_RIGHT_CHARGE, account);
}

ax_result sys_account_create(struct thread *thread, const uint64_t arguments[5]) {
    struct account *parent;
    TRY(account_lookup(thread, arguments[0], &parent));
    struct place place;
    TRY(place_decode(thread, arguments[3], &place));
    struct account *child = NULL;
    ax_result result = account_make(parent, arguments[1], arguments[2], &child);
    return place_made(&place, result, child, AX_RIGHT_ALL);
}

ax_result sys_account_transfer(struct thread *thread, const uint64_t arguments[5]) {
    struct account *from, *to;
    TRY(account_lookup(thread, arguments[0], &from));
    TRY(account_lookup(thread, arguments[1], &to));
    uint64_t bytes = arguments[2], objects = arguments[3];
    if (!account_has(from, bytes, objects))
        return AX_ERR_LIMIT;
    limit_move(from, to, bytes, objects);
    object_signal(&to->object, AX_SIGNAL_LIMIT, 0);
    return AX_OK;
}
