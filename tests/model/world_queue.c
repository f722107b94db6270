/* SPDX-License-Identifier: MIT */
/* What threads do with queues. */
#include <string.h>

#include "thread.h"
#include "world.h"

static void op_control(int t, const struct op *op) {
    static const enum ax_type types[] = {AX_TYPE_EVENT,   AX_TYPE_EVENT, AX_TYPE_SESSION,
                                         AX_TYPE_TIMER,   AX_TYPE_QUEUE, AX_TYPE_PROCESS,
                                         AX_TYPE_SESSION, AX_TYPE_QUEUE};
    static const enum ax_queue_op ops[] = {AX_QUEUE_ADD, AX_QUEUE_ADD, AX_QUEUE_CHANGE,
                                           AX_QUEUE_REMOVE};
    static const uint32_t modes[] = {0,
                                     AX_QUEUE_EDGE,
                                     AX_QUEUE_ONCE,
                                     AX_QUEUE_EXCLUSIVE,
                                     AX_QUEUE_EXCLUSIVE | AX_QUEUE_EDGE,
                                     0,
                                     AX_QUEUE_EDGE | AX_QUEUE_ONCE,
                                     AX_QUEUE_EXCLUSIVE | AX_QUEUE_ONCE};
    int process = ref.threads[t].process;
    ax_handle queue = world_choose(process, AX_TYPE_QUEUE, op->a);
    ax_handle object = world_choose(process, types[op->d % 8], op->b);
    enum ax_queue_op what = ops[op->c % 4];
    struct ax_queue_request request = {.key = op->b % 5U,
                                       .data = op->d % 3U,
                                       .mask = (op->d >> 3 & 15U) | 0x0f000001, /* not PENDING */
                                       .mode = modes[(op->c >> 2) % 8]};
    if ((op->c & 0x60) == 0)
        request.mask = 0;
    memcpy(((struct thread *)ref.threads[t].core)->page->buffer, &request, sizeof(request));
    ax_result result = CALL_OF(t, QUEUE_CONTROL, queue, what, object);
    world_finish(t, result, PREDICT(result, ref_queue_control(t, queue, what, object, &request)));
}

static void op_wait(int t, const struct op *op) {
    ax_handle queue = world_choose(ref.threads[t].process, AX_TYPE_QUEUE, op->a);
    unsigned max = op->b % QUEUE_MAX + 1U;
    uint64_t deadline = world_deadline(op->c);
    ax_result result = CALL_OF(t, QUEUE_WAIT, queue, max, deadline);
    world_finish(t, result, PREDICT(result, ref_queue_wait(t, queue, max, deadline)));
}

op_function world_queue_op(enum op_kind kind) {
    return kind == OP_QUEUE ? op_control : kind == OP_QUEUE_WAIT ? op_wait : NULL;
}
