/* SPDX-License-Identifier: MIT */
/* What threads do with endpoints, sessions, calls and loans. */
#include <string.h>

#include "world.h"

static int process_of(int t) {
    return ref.threads[t].process;
}

static struct ax_ipc *ipc_of(int t) {
    return &((struct thread *)ref.threads[t].core)->page->ipc;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void compose_loans(struct ref_message *message, const struct op *op) {
    static const uint64_t sizes[] = {4, 8, 16, AX_PAGE_SIZE, AX_PAGE_SIZE + 8, 12, 12, 0};
    unsigned kind = op->d >> 10 & 7;
    message->loan_count = kind < 3 ? 0 : kind < 5 ? 1 : 2;
    for (unsigned i = 0; i < message->loan_count; i++) {
        uint16_t number = (uint16_t)(op->a * 7U + op->d * 3U + i * 1031U);
        message->loans[i].address = world_address(number);
        message->loans[i].size = sizes[(number >> 7) % 8];
        message->loans[i].access =
            (uint8_t)(i == 1 && (number & 6) != 0 ? AX_LOAN_WRITE : number % 3 + 1);
        if ((number >> 10) == 5)
            message->loans[i].address = AX_USER_END - 4;
    }
}

static void compose_handles(int t, struct ref_send *send, const struct op *op) {
    static const enum ax_type types[] = {AX_TYPE_SESSION, AX_TYPE_EVENT,  AX_TYPE_ENDPOINT,
                                         AX_TYPE_PROCESS, AX_TYPE_MEMORY, AX_TYPE_SESSION};
    unsigned kind = op->b >> 12; /* 0 to 15 */
    send->message.handle_count = kind < 10 ? 0 : kind < 14 ? 1 : kind == 14 ? 2 : 4;
    for (unsigned i = 0; i < send->message.handle_count; i++) {
        uint16_t number = (uint16_t)(op->c * 31U + i * 977U);
        send->handles[i] = world_choose(process_of(t), types[(op->d + i) % 6], number);
        send->rights[i] =
            world_rights((uint16_t)(op->d >> 2)) | ((op->c & 16) != 0 ? AX_HANDLE_MOVE : 0);
    }
}

/* As most messages are in life: the short path is for these. */
static bool is_plain(const struct op *op) {
    return (op->b >> 11 & 1) != 0;
}

static struct ref_send compose(int t, const struct op *op) {
    static const uint8_t accepts[] = {0, 1, 2, 4};
    struct ref_send send = {.accept = accepts[(op->b >> 3) % 4],
                            .deadline = world_deadline(op->c),
                            .buffer = world_address((uint16_t)(op->a * 5U + 3)),
                            .buffer_bytes = (op->a & 8) != 0 ? 8U + (op->a & 0x30) * 5U : 0,
                            .data = world_address((uint16_t)(op->d * 3U + 1))};
    send.message.operation = op->b;
    send.message.word_count = (op->d & 1) != 0 ? 1 + op->c % 4U : op->d % 17U;
    for (unsigned i = 0; i < send.message.word_count; i++)
        send.message.words[i] = ((uint64_t)op->c << 20 | op->d) + i;
    if (is_plain(op)) {
        send.accept = send.buffer_bytes = 0;
        send.deadline = AX_TIME_NEVER;
        send.message.word_count %= 6;
        memset(&send.message.words[send.message.word_count], 0,
               sizeof(uint64_t) * (AX_MESSAGE_WORDS - send.message.word_count));
        return send;
    }
    send.id_sequence = (op->d & 0x60) == 0x60 ? op->a + 1U : 0;
    if ((op->d & 0x7e0) == 0x7e0)
        send.id_sequence |= AX_SEQUENCE_CORE;
    if ((op->d & 0x380) == 0x380)
        send.id_process = world_choose(process_of(t), AX_TYPE_PROCESS, op->b);
    return send;
}

/* Writes what `send` says into the thread's page. */
static void write_message(int t, const struct ref_send *send) {
    struct ax_ipc ipc = {.accept = send->accept,
                         .deadline_ns = send->deadline,
                         .receive_deadline_ns = send->deadline,
                         .id_sequence = send->id_sequence,
                         .id_process = send->id_process,
                         .buffer = send->buffer,
                         .buffer_bytes = send->buffer_bytes,
                         .data = send->data,
                         .data_bytes = send->data_bytes,
                         .change_count = send->change_count};
    struct ax_message *message = &ipc.message;
    message->operation = send->message.operation;
    message->word_count = (uint8_t)send->message.word_count;
    memcpy(message->words, send->message.words, sizeof(message->words));
    message->handle_count = (uint8_t)send->message.handle_count;
    for (unsigned i = 0; i < send->message.handle_count; i++)
        message->handles[i] = (struct ax_message_handle){send->handles[i], send->rights[i]};
    message->loan_count = (uint8_t)send->message.loan_count;
    for (unsigned i = 0; i < send->message.loan_count; i++) {
        message->loans[i] =
            (struct ax_loan){send->message.loans[i].address, send->message.loans[i].size};
        message->loan_access[i] = send->message.loans[i].access;
    }
    memcpy(ipc.changes, send->changes, sizeof(ipc.changes));
    *ipc_of(t) = ipc;
}

/* Rather one that is not over. */
static ax_handle choose_session(int t, uint16_t number) {
    ax_handle chosen = world_choose(process_of(t), AX_TYPE_SESSION, number);
    for (unsigned i = 1; i < 4; i++) {
        const struct ref_handle *handle = ref_handle_find(process_of(t), chosen);
        if (chosen == 0 || handle == NULL || handle->object < 0 ||
            ref.objects[handle->object].type != AX_TYPE_SESSION || !ref_is_over(handle->object))
            break;
        chosen = world_handle(process_of(t), AX_TYPE_SESSION, number + i);
    }
    return chosen;
}

static void op_call(int t, const struct op *op) {
    struct ref_send send = compose(t, op);
    send.target = choose_session(t, op->a);
    if (!is_plain(op)) {
        compose_handles(t, &send, op);
        compose_loans(&send.message, op);
    }
    write_message(t, &send);
    ax_result result = CALL_OF(t, CALL, send.target);
    world_finish(t, result, PREDICT(result, ref_call(t, &send)));
}

static void compose_answer(int t, struct ref_send *send, const struct op *op) {
    send->target = world_choose(process_of(t), AX_TYPE_REPLY, op->a);
    if (is_plain(op))
        return;
    compose_handles(t, send, op);
    send->data_bytes = (op->c & 0x600) == 0x600 ? (op->c >> 11 & 3U) * 4 : 0;
    send->change_count = (op->c & 0xe000) == 0xe000 ? 1 + (op->b & 1U) : 0;
    for (unsigned i = 0; i < send->change_count; i++)
        send->changes[i] = (struct ax_signal_change){1 + (op->b + i) % 6U, op->d & 3, op->b & 15};
}

/* Rather the one that it received from before. */
static ax_handle choose_endpoint(int t, uint16_t number) {
    const struct ref_process *process = &ref.processes[process_of(t)];
    for (int i = 0; i < process->handle_end && (number & 0x300) != 0; i++) {
        const struct ref_handle *handle = &process->handles[i];
        if (handle->used && handle->object >= 0 && handle->object == ref.threads[t].endpoint &&
            (handle->rights & AX_RIGHT_RECEIVE) != 0)
            return handle->value;
    }
    return world_choose(process_of(t), AX_TYPE_ENDPOINT, number);
}

static void op_reply_receive(int t, const struct op *op) {
    struct ref_send send = compose(t, op);
    if (op->kind != OP_RECEIVE)
        compose_answer(t, &send, op);
    if (op->kind != OP_REPLY)
        send.endpoint = choose_endpoint(t, op->d);
    write_message(t, &send);
    ax_result result = CALL_OF(t, REPLY_RECEIVE, send.target, send.endpoint);
    world_finish(t, result, PREDICT(result, ref_reply_receive(t, &send)));
}

/* Mostly a loan that the call has, and an offset in it. */
static void choose_loan(int t, ax_handle reply, uint16_t number, uint64_t *loan, uint64_t *offset) {
    static const uint64_t offsets[] = {0, 0, 0, 4, 4, 8, AX_PAGE_SIZE, 1};
    const struct ref_handle *handle = ref_handle_find(process_of(t), reply);
    unsigned count = 0;
    if (handle != NULL && handle->used && handle->object < 0)
        count = ref.threads[-1 - handle->object].call.message.loan_count;
    *loan = (number & 15) == 0 || count == 0 ? (number >> 4) % 3U : (number >> 4) % count;
    *offset = offsets[(number >> 8) % 8];
}

static void op_reply_control(int t, const struct op *op) {
    ax_handle reply = world_choose(process_of(t), AX_TYPE_REPLY, op->a);
    ax_result result;
    if (op->kind == OP_SERVE) {
        result = CALL_OF(t, REPLY_CONTROL, reply, AX_REPLY_SERVE);
        world_finish(t, result, PREDICT(result, ref_serve(t, reply)));
        return;
    }
    if (op->kind == OP_FAULT) {
        uint64_t loan, offset;
        choose_loan(t, reply, op->b, &loan, &offset);
        result = CALL_OF(t, REPLY_CONTROL, reply, AX_REPLY_FAULT, loan, offset);
        world_finish(t, result, PREDICT(result, ref_reply_fault(t, reply, loan, offset)));
        return;
    }
    ax_handle session = world_choose(process_of(t), AX_TYPE_SESSION, op->b);
    struct ref_send send = compose(t, op);
    bool anew = (op->d & 0x10) != 0;
    if (anew && !is_plain(op))
        compose_handles(t, &send, op);
    if (anew)
        write_message(t, &send);
    result = CALL_OF(t, FORWARD, reply, session, anew ? AX_FORWARD_MESSAGE : 0);
    world_finish(t, result, PREDICT(result, ref_forward(t, reply, session, anew ? &send : NULL)));
}

/* ---- Loans ----------------------------------------------------------------------------------- */

ax_handle world_lent(int process, unsigned number) {
    const struct ref_process *it = &ref.processes[process];
    for (int i = 0; i < it->handle_end; i++) {
        const struct ref_handle *handle =
            &it->handles[((unsigned)i + number) % (unsigned)it->handle_end];
        if (handle->used && handle->object < 0 &&
            ref.threads[-1 - handle->object].call.message.loan_count > 0)
            return handle->value;
    }
    return 0;
}

static ax_handle choose_lent(int t, uint16_t number) {
    ax_handle lent = number % 8 != 0 ? world_lent(process_of(t), number) : 0;
    return lent != 0 ? lent : world_choose(process_of(t), AX_TYPE_REPLY, number);
}

static void op_loan_copy(int t, const struct op *op) {
    static const uint64_t sizes[] = {4, 4, 8, 12, AX_PAGE_SIZE, 1 << 20};
    ax_handle reply = choose_lent(t, op->a);
    uint64_t loan, offset;
    choose_loan(t, reply, op->b, &loan, &offset);
    uint64_t address = world_address(op->c), size = sizes[op->d % 6];
    bool write = (op->d & 64) != 0;
    ax_result result = world_call(t, write ? AX_CALL_LOAN_WRITE : AX_CALL_LOAN_READ,
                                  (const uint64_t[5]){reply, loan, offset, address, size});
    world_finish(t, result,
                 PREDICT(result, ref_loan_copy(t, reply, loan, offset, address, size, write)));
}

static void op_loan_map(int t, const struct op *op) {
    ax_handle reply = choose_lent(t, op->a);
    uint64_t loan, offset, size = (op->c & 6) != 0 ? 4 : (op->c & 15) + 1U;
    choose_loan(t, reply, op->b, &loan, &offset);
    struct ref_map *map = NULL;
    ax_result result = CALL_OF(t, LOAN_MAP, reply, loan, offset, size);
    ax_result predicted = PREDICT(result, ref_loan_map(t, reply, loan, offset, size, &map));
    if (predicted == AX_OK && result > 0) {
        map->address = (uint64_t)result / AX_PAGE_SIZE * AX_PAGE_SIZE;
        predicted = result;
    }
    world_finish(t, result, predicted);
}

/* ---- Endpoints and sessions ------------------------------------------------------------------ */

static void compare_list(int t, const struct ax_session_info *infos, unsigned count) {
    struct ax_session_info told[AX_BUFFER_BYTES / sizeof(struct ax_session_info)];
    memcpy(told, ((struct thread *)ref.threads[t].core)->page->buffer, sizeof(told));
    for (unsigned i = 0; i < count; i++) {
        struct ax_session_info wanted = infos[i];
        if (wanted.id.sequence != 0)
            wanted.id.caller = ref.objects[wanted.id.caller].id;
        if (memcmp(&told[i], &wanted, sizeof(wanted)) != 0)
            driver_fail("endpoint_list: entry %u is badge %llu, %u handles, %u calls; not %llu, "
                        "%u, %u",
                        i, (unsigned long long)told[i].badge, told[i].handles, told[i].calls,
                        (unsigned long long)wanted.badge, wanted.handles, wanted.calls);
    }
}

static void op_list(int t, const struct op *op) {
    struct ax_session_info infos[OBJECTS];
    ax_handle endpoint = world_choose(process_of(t), AX_TYPE_ENDPOINT, op->a);
    enum ax_list_kind kind = (enum ax_list_kind)(op->b % 3);
    uint64_t cursor = (op->c & 3) == 0 ? op->c % (kind == AX_LIST_REDELIVERED ? 40U : 5U) : 0;
    ax_result result = CALL_OF(t, ENDPOINT_LIST, endpoint, kind, cursor);
    ax_result predicted = PREDICT(result, ref_endpoint_list(t, endpoint, kind, cursor, infos));
    if (result == predicted && result > 0)
        compare_list(t, infos, (unsigned)result);
    world_finish(t, result, predicted);
}

static void op_bind(int t, const struct op *op) {
    ax_handle endpoint = world_choose(process_of(t), AX_TYPE_ENDPOINT, op->a);
    ax_handle object =
        world_choose(process_of(t), (op->d & 1) != 0 ? AX_TYPE_TIMER : AX_TYPE_EVENT, op->b);
    uint32_t mask = (op->c & 7) == 0 ? 0 : AX_SIGNAL_FIRED | (op->c & 15);
    ax_result result = CALL_OF(t, ENDPOINT_BIND, endpoint, object, mask, op->d);
    world_finish(t, result, PREDICT(result, ref_endpoint_bind(t, endpoint, object, mask, op->d)));
}

static void op_session(int t, const struct op *op) {
    ax_handle endpoint = world_choose(process_of(t), AX_TYPE_ENDPOINT, op->a);
    uint64_t badge = op->b % 7U + 1, place = world_place(process_of(t), op->c);
    int of = 0, to = 0, session = -1;
    ax_result result = CALL_OF(t, SESSION_CREATE, endpoint, badge, op->d & 7, place);
    ax_result predicted = PREDICT(result, ref_session_create(t, endpoint, badge, place, &of, &to));
    if (predicted == AX_OK) {
        session = ref_object_new(AX_TYPE_SESSION, NULL, of, ref_account_of(process_of(t)));
        ref.objects[session].badge = badge;
        ref.objects[session].signals = op->d & 7;
    }
    world_made(t, result, predicted, to, session,
               AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE);
}

static void op_session_control(int t, const struct op *op) {
    ax_handle endpoint = world_choose(process_of(t), AX_TYPE_ENDPOINT, op->a);
    uint64_t badge = op->b % 7U + 1;
    ax_result result, predicted;
    if (op->kind == OP_RETIRE) {
        bool end = (op->c & 3) == 0;
        result = CALL_OF(t, SESSION_RETIRE, endpoint, badge, end ? AX_RETIRE_END : 0);
        predicted = PREDICT(result, ref_session_retire(t, endpoint, badge, end));
    } else if (op->kind == OP_SESSION_SIGNAL) {
        result = CALL_OF(t, SESSION_SIGNAL, endpoint, badge, op->c & 15, op->d & 15);
        predicted = PREDICT(result, ref_session_signal(t, endpoint, badge, op->c & 15, op->d & 15));
    } else {
        ax_handle what = world_choose(process_of(t), AX_TYPE_SESSION, op->c);
        result = CALL_OF(t, SESSION_IDENTIFY, endpoint, what);
        predicted = PREDICT(result, ref_session_identify(t, endpoint, what, &badge));
        if (result == AX_OK && predicted == AX_OK && ipc_of(t)->message.badge != badge)
            driver_fail("session_identify tells a wrong badge");
    }
    world_finish(t, result, predicted);
}

op_function world_ipc_op(enum op_kind kind) {
    switch (kind) {
    case OP_CALL: return op_call;
    case OP_RECEIVE:
    case OP_REPLY:
    case OP_ANSWER: return op_reply_receive;
    case OP_FORWARD:
    case OP_SERVE:
    case OP_FAULT: return op_reply_control;
    case OP_LOAN_COPY: return op_loan_copy;
    case OP_LOAN_MAP: return op_loan_map;
    case OP_LIST: return op_list;
    case OP_BIND: return op_bind;
    case OP_SESSION: return op_session;
    case OP_RETIRE:
    case OP_SESSION_SIGNAL:
    case OP_IDENTIFY: return op_session_control;
    default: return NULL;
    }
}
