/* SPDX-License-Identifier: MIT */
#include "keeper.h"

#include <base/assert.h>
#include <lib/server/private.h>
#include <stdio.h>
#include <string.h>
#include <sys/kernel.h>

#define STASH_BYTES  (256 * 1024)
#define STASH_MEMORY 0x7777
#define ENDPOINT     0x1111

struct keeper keeper;

static _Alignas(4096) uint8_t stash_memory[STASH_BYTES];
static _Alignas(AX_PAGE_SIZE) struct ax_thread_page page;

struct ax_thread_page *ax_thread_page(void) {
    return &page;
}

uint64_t ax_clock_ns(void) {
    return 0;
}

void ax_yield_point(void) {
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static struct keeper_call *call_of(uint64_t reply) {
    ASSERT(reply > 0 && reply <= KEEPER_CALLS);
    struct keeper_call *call = &keeper.calls[reply - 1];
    ASSERT(call->is_used && call->is_received && !call->is_coming && !call->is_answered);
    return call;
}

static ax_result loan_copy(const uint64_t a[5], unsigned loan) {
    struct keeper_call *call = call_of(a[0]);
    uint64_t end = call->message.loans[loan].size_bytes;
    void *local = (void *)(uintptr_t)a[3]; /* NOLINT(performance-no-int-to-ptr) */
    ASSERT(a[1] == loan && loan == (call->message.operation == AX_STREAM_READ));
    ASSERT(a[2] <= end && a[4] <= end - a[2]);
    ax_result part = keeper_loan_part(call, a[2], a[4]);
    if (part > 0 && loan == 0)
        memcpy(local, call->loan + a[2], (size_t)part);
    else if (part > 0)
        memcpy(call->loan + a[2], local, (size_t)part);
    return part;
}

static ax_result reply_control(const uint64_t a[5]) {
    struct keeper_call *call = call_of(a[0]);
    if (call->is_dead) {
        call->is_used = false;
        return AX_ERR_CALLER_DEAD;
    }
    if (a[1] != AX_REPLY_FAULT)
        return AX_OK;
    ASSERT(a[2] == (call->message.operation == AX_STREAM_READ));
    ASSERT(a[3] < call->message.loans[a[2]].size_bytes);
    call->absent_from = UINT64_MAX;
    call->is_faulted = true;
    call->is_received = false;
    call->order = ++keeper.orders;
    return AX_OK;
}

static ax_result session_signal(uint64_t badge, uint32_t clear, uint32_t set) {
    uint32_t role = SUPERVISOR_BADGE_ROLE(badge);
    if (badge == SUPERVISOR_BADGE(role, 2)) {
        keeper.late_signals = (keeper.late_signals & ~clear) | set;
        return AX_OK;
    }
    ASSERT(badge == SUPERVISOR_BADGE(role, 1));
    if (role == 0 || role > CONSOLE_STREAMS)
        return AX_OK;
    keeper.signals[role] = (keeper.signals[role] & ~clear) | set;
    keeper.edges[role] += (set & AX_SIGNAL_READABLE) != 0;
    return AX_OK;
}

static ax_result answer(uint64_t reply, const struct ax_ipc *ipc) {
    struct keeper_call *call = call_of(reply);
    ASSERT(ipc->data_bytes == 0 && ipc->message.handle_count == 0);
    call->is_answered = true;
    call->status = (int64_t)ipc->message.operation;
    for (unsigned i = 0; i < ipc->message.word_count && i < 3; i++)
        call->words[i] = ipc->message.words[i];
    for (uint32_t i = 0; i < ipc->change_count; i++)
        (void)session_signal(ipc->changes[i].badge, ipc->changes[i].clear, ipc->changes[i].set);
    return AX_OK;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Redelivered and retried ones first, then by age. */
static struct keeper_call *call_next(bool only_again) {
    struct keeper_call *next = NULL;
    bool is_next_again = false;
    for (unsigned i = 0; i < KEEPER_CALLS; i++) {
        struct keeper_call *call = &keeper.calls[i];
        bool is_again = call->message.flags != 0;
        if (!call->is_coming || (only_again && !is_again))
            continue;
        if (next == NULL || is_again > is_next_again ||
            (is_again == is_next_again && call->order < next->order)) {
            next = call;
            is_next_again = is_again;
        }
    }
    return next;
}

static void call_receive(struct keeper_call *call, struct ax_ipc *ipc) {
    uint64_t size = call->message.loans[0].size_bytes;
    if (size > call->absent_from)
        size = call->absent_from;
    if (size > ipc->buffer_bytes)
        size = ipc->buffer_bytes;
    call->is_received = true;
    call->is_coming = call->is_to_tell = false;
    ipc->message = call->message;
    if (call->is_interrupted)
        ipc->message.flags |= AX_MESSAGE_INTERRUPTED;
    ipc->message.inline_bytes = (uint32_t)size;
    if (size > 0) /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
        memcpy((void *)(uintptr_t)ipc->buffer, call->loan, size);
}

/* Whose early answer is asked for. */
static struct keeper_call *call_to_tell(void) {
    for (unsigned i = 0; i < KEEPER_CALLS; i++) {
        struct keeper_call *call = &keeper.calls[i];
        if (call->is_used && call->is_to_tell && call->is_received && !call->is_answered)
            return call;
    }
    return NULL;
}

static ax_result receive(struct ax_ipc *ipc) {
    struct keeper_call *call = call_to_tell();
    if (call != NULL) {
        call->is_to_tell = false;
        ipc->message = (struct ax_message){.kind = AX_MESSAGE_INTERRUPT,
                                           .id = call->message.id,
                                           .reply = call->message.reply,
                                           .flags = call->is_dead ? AX_MESSAGE_CALLER_DEAD : 0};
        return AX_OK;
    }
    if (__atomic_exchange_n(&keeper.has_interrupt, false, __ATOMIC_SEQ_CST)) {
        ipc->message = (struct ax_message){
            .kind = AX_MESSAGE_EVENT, .words = {AX_SIGNAL_FIRED}, .word_count = 1};
        return AX_OK;
    }
    call = call_next(false);
    if (call == NULL) {
        keeper.is_idle = true;
        return AX_ERR_TIMEOUT;
    }
    call_receive(call, ipc);
    return AX_OK;
}

static ax_result reply_receive(const uint64_t a[5]) {
    if (a[0] != AX_HANDLE_NONE && call_of(a[0])->is_dead) {
        call_of(a[0])->is_used = false;
        return AX_ERR_CALLER_DEAD;
    }
    ax_result result = a[0] != AX_HANDLE_NONE ? answer(a[0], &page.ipc) : AX_OK;
    return a[1] != AX_HANDLE_NONE ? receive(&page.ipc) : result;
}

/* ---- The kernel page ------------------------------------------------------------------------- */

static ax_result endpoint_list(uint64_t kind, uint64_t cursor) {
    struct ax_session_info infos[CONSOLE_STREAMS + 1] = {0};
    ax_result count = 0;
    if (kind == AX_LIST_REDELIVERED)
        return call_next(true) != NULL;
    /* Of each role one, and one of a role that there is not. */
    for (uint32_t role = 1; kind == AX_LIST_LIVE && role <= CONSOLE_STREAMS + 1; role++) {
        if (SUPERVISOR_BADGE(role, 1) >= cursor)
            infos[count++].badge = SUPERVISOR_BADGE(role, 1);
    }
    memcpy(page.buffer, infos, sizeof(infos));
    return count;
}

static ax_result stash_info(uint64_t handle) {
    struct ax_object_info info = {.type = AX_TYPE_MEMORY};
    ASSERT(handle == STASH_MEMORY);
    info.memory.page_count = STASH_BYTES / AX_PAGE_SIZE;
    memcpy(page.buffer, &info, sizeof(info));
    return AX_OK;
}

static ax_result log_line(uint64_t size) {
    snprintf(keeper.said, sizeof(keeper.said), "%.*s", (int)size, (const char *)page.buffer);
    return AX_OK;
}

static ax_result handle_close(uint64_t reply) {
    call_of(reply)->is_used = false;
    keeper.is_dropped = true;
    return AX_OK;
}

static ax_result perform(uint64_t number, const uint64_t a[5]) {
    switch (number) {
    case AX_CALL_OBJECT_INFO: return stash_info(a[0]);
    case AX_CALL_MEMORY_MAP: return (ax_result)(uintptr_t)stash_memory;
    case AX_CALL_MEMORY_CREATE: return AX_ERR_LIMIT;
    case AX_CALL_HANDLE_LIST: return 0;
    case AX_CALL_HANDLE_TRANSFER: return AX_ERR_NOT_FOUND;
    case AX_CALL_HANDLE_CLOSE: return handle_close(a[0]);
    case AX_CALL_ENDPOINT_LIST: return endpoint_list(a[1], a[2]);
    case AX_CALL_SESSION_SIGNAL: return session_signal(a[1], (uint32_t)a[2], (uint32_t)a[3]);
    case AX_CALL_SYSTEM_CONTROL: return log_line(a[2]);
    case AX_CALL_LOAN_READ: return loan_copy(a, 0);
    case AX_CALL_LOAN_WRITE: return loan_copy(a, 1);
    case AX_CALL_REPLY_CONTROL: return reply_control(a);
    case AX_CALL_REPLY_RECEIVE: return reply_receive(a);
    default: ASSERT(!"a call of the kernel that the server has no use for"); return AX_ERR_STATE;
    }
}

ax_result ax_kernel(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                    uint64_t a4) {
    const uint64_t arguments[5] = {a0, a1, a2, a3, a4};
    keeper_step();
    ax_result result = perform(number, arguments);
    keeper_step();
    return result;
}

/* ---- For the test ---------------------------------------------------------------------------- */

void keeper_renew(void) {
    memset(stash_memory, 0, sizeof(stash_memory));
    memset(&keeper, 0, sizeof(keeper));
}

void keeper_serve(void) {
    for (keeper.is_idle = false; !keeper.is_idle && !keeper.server.is_over;)
        server_step(&keeper.server);
}

void keeper_start(void) {
    const struct server_gifts gifts = {.endpoint = ENDPOINT,
                                       .stash = 1,
                                       .stash_memory = STASH_MEMORY,
                                       .log = 1,
                                       .calls = keeper.records,
                                       .call_count = KEEPER_RECORDS};
    for (unsigned i = 0; i < KEEPER_CALLS; i++) {
        struct keeper_call *call = &keeper.calls[i];
        if (!call->is_used || call->is_answered || !call->is_received)
            continue;
        call->is_received = false;
        call->is_coming = !call->is_dead;
        call->is_used = !call->is_dead;
        call->message.flags |= AX_MESSAGE_REDELIVERED;
    }
    memset(&keeper.server, 0x5a, sizeof(keeper.server));
    memset(keeper.records, 0x5a, sizeof(keeper.records));
    keeper_retry();
    if (server_begin(&keeper.server, &console_program, &gifts))
        keeper_serve();
}

unsigned keeper_call_new(uint64_t stream, uint64_t operation, uint32_t flags, void *loan,
                         size_t size_bytes, uint64_t absent_from) {
    unsigned n = 0;
    while (n < KEEPER_CALLS && keeper.calls[n].is_used)
        n++;
    if (n == KEEPER_CALLS)
        return n;
    struct keeper_call *call = &keeper.calls[n];
    *call = (struct keeper_call){.is_used = true,
                                 .is_coming = true,
                                 .loan = loan,
                                 .absent_from = absent_from,
                                 .order = ++keeper.orders};
    call->message = (struct ax_message){.operation = operation,
                                        .words = {flags},
                                        .word_count = 1,
                                        .loan_count = 2,
                                        .id = {77, keeper.orders},
                                        .badge = SUPERVISOR_BADGE(stream, 1),
                                        .reply = n + 1};
    call->message.loans[operation == AX_STREAM_READ].size_bytes = size_bytes;
    return n;
}

void keeper_call_late(unsigned n) {
    struct ax_message *message = &keeper.calls[n].message;
    message->badge = SUPERVISOR_BADGE(SUPERVISOR_BADGE_ROLE(message->badge), 2);
}

void keeper_retry(void) {
    for (unsigned i = 0; i < KEEPER_CALLS; i++) {
        struct keeper_call *call = &keeper.calls[i];
        if (!call->is_used || !call->is_faulted)
            continue;
        call->is_faulted = false;
        call->is_coming = true;
        call->message.flags |= AX_MESSAGE_RETRIED;
    }
}

void keeper_interrupt(unsigned n, bool is_dead) {
    struct keeper_call *call = &keeper.calls[n];
    if (!call->is_used || call->is_answered)
        return;
    call->is_interrupted = true;
    call->is_dead = is_dead;
    call->is_to_tell = call->is_received;
    if (is_dead && !call->is_received)
        call->is_used = call->is_coming = call->is_faulted = false; /* withdrawn */
}
