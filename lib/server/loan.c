/* SPDX-License-Identifier: MIT */
/* Bytes that callers lend. */
#include "private.h"

/* The copy failed there: how the call ends is settled. */
static void loan_failed(struct server_call *call, uint32_t loan, uint64_t offset, ax_result error) {
    struct server *server = call->server;
    if (error == AX_ERR_ABSENT) {
        server->outcome = OUTCOME_FAULT;
        server->fault_loan = loan;
        server->fault_offset = offset;
    } else if (error == AX_ERR_CALLER_DEAD) {
        server->outcome = OUTCOME_DEAD;
    } else {
        server_refuse(call, error);
    }
}

bool server_loan_read(struct server_call *call, uint64_t offset, void *to, size_t size_bytes) {
    if (call->has_inline && offset + size_bytes <= call->message.inline_bytes) {
        memcpy(to, call->server->inline_data + offset, size_bytes);
        return true;
    }
    for (size_t done = 0; done < size_bytes;) {
        ax_result result = ax_loan_read(call->message.reply, 0, offset + done, (uint8_t *)to + done,
                                        size_bytes - done);
        if (result <= 0) {
            loan_failed(call, 0, offset + done, result == 0 ? (ax_result)AX_ERR_ARGUMENT : result);
            return false;
        }
        done += (size_t)result;
    }
    return true;
}

size_t server_loan_write(struct server_call *call, uint64_t offset, const void *from,
                         size_t size_bytes) {
    size_t done = 0;
    while (done < size_bytes) {
        ax_result result = ax_loan_write(call->message.reply, 1, offset + done,
                                         (const uint8_t *)from + done, size_bytes - done);
        if (result <= 0) {
            if (offset + done == 0)
                loan_failed(call, 1, 0, result == 0 ? (ax_result)AX_ERR_ARGUMENT : result);
            break;
        }
        done += (size_t)result;
    }
    return done;
}
