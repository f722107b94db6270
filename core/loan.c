/* SPDX-License-Identifier: MIT */
#include "loan.h"

#include <base/align.h>

#include "calls.h"
#include "frame.h"
#include "memory.h"
#include "process.h"
#include "thread.h"

/* A part of a received call's loan that its receiver asks for. */
struct lent {
    struct reply *reply;
    struct process *lender;
    uint64_t address; /* in the lender's space, at the offset asked for */
    uint64_t left;    /* bytes from there to the loan's end */
    uint8_t access;
};

/* Errors: those of the reply handle, CALLER_DEAD, ARGUMENT, RIGHTS. */
static ax_result lent_lookup(struct thread *thread, const uint64_t arguments[5], uint8_t access,
                             struct lent *lent) {
    TRY(handle_get(thread, arguments[0], AX_TYPE_REPLY, 0, &lent->reply));
    if (lent->reply->caller == NULL)
        return AX_ERR_CALLER_DEAD;
    const struct call *call = &lent->reply->caller->call;
    uint64_t loan = arguments[1], offset = arguments[2];
    if (loan >= call->loan_count || offset > call->loans[loan].size_bytes)
        return AX_ERR_ARGUMENT;
    if ((call->loan_access[loan] & access) != access)
        return AX_ERR_RIGHTS;
    lent->lender = lent->reply->caller->process;
    lent->address = call->loans[loan].address + offset;
    lent->left = call->loans[loan].size_bytes - offset;
    lent->access = call->loan_access[loan];
    return AX_OK;
}

/*
 * What the receiver is told when the lender's side fails: a bad address, a page that needs its
 * pager and a lender that cannot pay are all settled by reply_control FAULT.
 */
static ax_result lent_error(ax_result result) {
    return result == AX_ERR_ADDRESS || result == AX_ERR_LIMIT ? AX_ERR_ABSENT : result;
}

static ax_result loan_copy(struct thread *thread, const uint64_t arguments[5], bool to_lender) {
    struct lent lent;
    TRY(lent_lookup(thread, arguments, to_lender ? AX_LOAN_WRITE : AX_LOAN_READ, &lent));
    /* Made again, the call may find another one's reply by the same handle. */
    uint64_t *id = &thread->progress[1];
    if (*id != 0 && *id != lent.reply->object.id)
        return AX_ERR_HANDLE;
    *id = lent.reply->object.id;
    uint64_t size = arguments[4] < lent.left ? arguments[4] : lent.left;
    bool is_lenders = false;
    ax_result result = user_copy_portion(thread, arguments[3], lent.lender, lent.address, size,
                                         to_lender, false, &is_lenders);
    return is_lenders ? lent_error(result) : result;
}

ax_result sys_loan_read(struct thread *thread, const uint64_t arguments[5]) {
    return loan_copy(thread, arguments, false);
}

ax_result sys_loan_write(struct thread *thread, const uint64_t arguments[5]) {
    return loan_copy(thread, arguments, true);
}

uint32_t loan_inline(struct call *call, struct thread *receiver) {
    if (call->loan_count == 0 || (call->loan_access[0] & AX_LOAN_READ) == 0)
        return 0;
    uint64_t size = receiver->buffer_bytes;
    if (call->loans[0].size_bytes < size)
        size = call->loans[0].size_bytes;
    unsigned portion = WORK_PORTION;
    int side;
    ax_result copied = user_copy(receiver->process, receiver->buffer, call_thread(call)->process,
                                 call->loans[0].address, size, false, &portion, &side);
    return copied > 0 ? (uint32_t)copied : 0;
}

ax_result loan_answer(struct call *call, struct process *server, uint64_t address, uint32_t size) {
    if (call->loan_count < 2 || size > call->loans[1].size_bytes)
        return AX_ERR_ARGUMENT;
    if ((call->loan_access[1] & AX_LOAN_WRITE) == 0)
        return AX_ERR_RIGHTS;
    for (uint64_t done = 0; done < size;) {
        unsigned portion = WORK_PORTION; /* more than all of it takes */
        int side;
        ax_result copied = user_copy(call_thread(call)->process, call->loans[1].address + done,
                                     server, address + done, size - done, false, &portion, &side);
        if (copied < 0)
            return side == 1 ? lent_error(copied) : copied;
        done += (uint64_t)copied;
    }
    return AX_OK;
}

ax_result loan_populate(struct call *call, unsigned loan, uint64_t offset) {
    uint32_t access = call->loan_access[loan] & AX_LOAN_WRITE ? AX_PROT_WRITE : AX_PROT_READ;
    struct frame *frame;
    return page_resolve(call_thread(call)->process, call->loans[loan].address + offset, access,
                        false, &frame);
}

/* ---- Mapped loans ---------------------------------------------------------------------------- */

/*
 * The lender's frame for a page, to be pinned. Of private memory it is made the lender's own even
 * for reading, so that nobody who shared it can come to write it while it is lent, and what the
 * lender writes is seen: a pinned frame has no other owner.
 */
static ax_result lent_frame(const struct lent *lent, uint64_t address, struct frame **frame) {
    uint32_t access = (lent->access & AX_LOAN_WRITE) != 0 ? AX_PROT_WRITE : AX_PROT_READ;
    ax_result result = page_resolve(lent->lender, address, access, false, frame);
    if (result == AX_OK && space_find(lent->lender, address)->is_private)
        result = page_resolve(lent->lender, address, AX_PROT_WRITE, true, frame);
    if (result != AX_OK)
        return lent_error(result);
    return (*frame)->pins == UINT16_MAX ? AX_ERR_LIMIT : AX_OK;
}

void loan_unpin(struct memory *memory) {
    for (uint64_t page = 0; page < memory->page_count; page++) {
        struct frame *frame = memory_remove(memory, page);
        if (frame == NULL)
            continue;
        ASSERT(frame->pins > 0);
        frame->pins--;
        frame_unref(frame);
    }
}

static ax_result pages_pin(const struct lent *lent, uint64_t address, struct memory *memory) {
    for (uint64_t page = 0; page < memory->page_count; page++) {
        struct frame *frame;
        TRY(lent_frame(lent, address + page * AX_PAGE_SIZE, &frame));
        TRY(memory_insert(memory, page, frame));
        frame_ref(frame);
        frame->pins++;
    }
    return AX_OK;
}

ax_result sys_loan_map(struct thread *thread, const uint64_t arguments[5]) {
    struct lent lent;
    TRY(lent_lookup(thread, arguments, 0, &lent));
    uint64_t size = arguments[3];
    if (size == 0 || size > lent.left)
        return AX_ERR_ARGUMENT;
    uint64_t first = align_down(lent.address, AX_PAGE_SIZE);
    uint64_t page_count = (align_up(lent.address + size, AX_PAGE_SIZE) - first) / AX_PAGE_SIZE;
    if (page_count > AX_LOAN_MAP_PAGES || lent.reply->map_count == REPLY_MAPS_MAX)
        return AX_ERR_LIMIT;
    struct process *process = thread->process;
    struct region wanted = {.process = process, .page_count = page_count, .reply = lent.reply};
    TRY(space_place(process, page_count, &thread->progress[0], &wanted.start));
    TRY(memory_make(process->account, page_count, &wanted.memory));
    wanted.prot = lent.access & AX_LOAN_WRITE ? AX_PROT_READ | AX_PROT_WRITE : AX_PROT_READ;
    wanted.allowed = wanted.prot;
    ax_result result = pages_pin(&lent, first, wanted.memory);
    if (result == AX_OK)
        result = space_map(&wanted);
    if (result != AX_OK) {
        loan_unpin(wanted.memory);
        object_discard(&wanted.memory->object, sizeof(*wanted.memory));
        return result;
    }
    object_unref(&wanted.memory->object); /* the region's now */
    /* What cannot be shown now shows when it is touched. */
    uint64_t next = wanted.start;
    result = space_populate(process, &next, next + page_count * AX_PAGE_SIZE, AX_PROT_READ);
    ASSERT(result == AX_OK || result == AX_ERR_MEMORY || result == AX_ERR_LIMIT);
    return (ax_result)(wanted.start + lent.address % AX_PAGE_SIZE);
}
