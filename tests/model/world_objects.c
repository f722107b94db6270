/* SPDX-License-Identifier: MIT */
/* What threads do with handles, events, timers, accounts, threads and processes. */
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "heap.h"
#include "world.h"

#define ENTRY UINT64_C(0x400000)

static int process_of(int t) {
    return ref.threads[t].process;
}

static unsigned char *buffer_of(int t) {
    return ((struct thread *)ref.threads[t].core)->page->buffer;
}

/* ---- Objects and handles --------------------------------------------------------------------- */

static void op_create(int t, const struct op *op) {
    static const enum ax_type types[] = {AX_TYPE_EVENT, AX_TYPE_TIMER, AX_TYPE_ENDPOINT,
                                         AX_TYPE_MEMORY, AX_TYPE_QUEUE};
    enum ax_type type = types[op->a % 5];
    uint64_t place = world_place(process_of(t), op->b), pages = op->c % 5U;
    uint64_t argument = type == AX_TYPE_EVENT ? op->c & 3U : 0;
    int to = 0, object = -1;
    ax_result result = type == AX_TYPE_MEMORY ? CALL_OF(t, MEMORY_CREATE, pages, 0, place)
                                              : CALL_OF(t, OBJECT_CREATE, type, argument, place);
    ax_result predicted = PREDICT(result, ref_place(t, place, &to));
    if (predicted == AX_OK) {
        object = ref_object_new(type, NULL, -1, ref_account_of(process_of(t)));
        ref.objects[object].signals = (uint32_t)argument;
        ref.objects[object].page_count = (unsigned)pages;
    }
    world_made(t, result, predicted, to, object, AX_RIGHT_ALL);
}

static void op_close(int t, const struct op *op) {
    ax_handle handle = world_choose(process_of(t), AX_TYPE_THREAD + op->b % 9U, op->a);
    ax_result result = CALL_OF(t, HANDLE_CLOSE, handle);
    world_finish(t, result, PREDICT(result, ref_close(t, handle)));
}

static void op_transfer(int t, const struct op *op) {
    static const enum ax_type types[] = {AX_TYPE_SESSION, AX_TYPE_ENDPOINT, AX_TYPE_EVENT,
                                         AX_TYPE_PROCESS, AX_TYPE_MEMORY,   AX_TYPE_TIMER,
                                         AX_TYPE_QUEUE};
    int process = process_of(t), to = 0, from = process;
    ax_handle source = (op->a & 3) == 0 ? world_choose(process, AX_TYPE_PROCESS, op->c) : 0;
    const struct ref_handle *table = source != 0 ? ref_handle_find(process, source) : NULL;
    if (table != NULL && table->object >= 0 && ref.objects[table->object].type == AX_TYPE_PROCESS)
        from = ref.objects[table->object].of;
    uint64_t handle = world_choose(from, types[op->d % 7], op->a);
    uint32_t flags = op->b & (AX_TRANSFER_MOVE | AX_TRANSFER_NOT_CLONED);
    if ((op->b & 0x70) == 0x70) {
        flags |= AX_TRANSFER_SLOT;
        handle &= AX_HANDLE_INDEX_MASK;
    }
    uint64_t place = world_place(process, (uint16_t)(op->b >> 3));
    uint32_t rights = world_rights(op->d);
    struct ref_handle *found = NULL;
    ax_result result = CALL_OF(t, HANDLE_TRANSFER, source, handle, place, rights, flags);
    ax_result predicted =
        PREDICT(result, ref_transfer(t, source, handle, place, flags, &found, &to));
    if (predicted == AX_OK && result > 0) {
        uint32_t granted = found->rights & rights;
        granted |= (flags & AX_TRANSFER_NOT_CLONED) != 0 ? AX_HANDLE_NOT_CLONED : 0;
        ref_handle_new(to, found->object, granted, (ax_handle)result);
        if ((flags & AX_TRANSFER_MOVE) != 0)
            ref_handle_drop(found);
        predicted = result;
    }
    world_finish(t, result, predicted);
}

static void op_signal(int t, const struct op *op) {
    static const enum ax_type types[] = {AX_TYPE_EVENT, AX_TYPE_EVENT, AX_TYPE_EVENT,
                                         AX_TYPE_TIMER};
    enum ax_type type = types[op->d % 4];
    ax_handle object = world_choose(process_of(t), type, op->a);
    uint32_t clear = type == AX_TYPE_TIMER && op->d % 8 != 7 ? AX_SIGNAL_FIRED : op->b & 7U;
    uint32_t set = type == AX_TYPE_TIMER && op->d % 8 != 7 ? 0 : op->c & 7U;
    ax_result result = CALL_OF(t, OBJECT_SIGNAL, object, clear, set);
    world_finish(t, result, PREDICT(result, ref_signal(t, object, clear, set)));
}

static void op_timer(int t, const struct op *op) {
    ax_handle timer = world_choose(process_of(t), AX_TYPE_TIMER, op->a);
    uint64_t deadline = world_deadline(op->c);
    ax_result result = CALL_OF(t, TIMER_SET, timer, deadline);
    world_finish(t, result, PREDICT(result, ref_timer_set(t, timer, deadline, deadline == 0)));
}

static void op_wait(int t, const struct op *op) {
    static const enum ax_type types[] = {AX_TYPE_EVENT,   AX_TYPE_EVENT, AX_TYPE_SESSION,
                                         AX_TYPE_PROCESS, AX_TYPE_TIMER, AX_TYPE_THREAD,
                                         AX_TYPE_QUEUE};
    struct ax_wait_item items[3];
    bool many = (op->d & 64) != 0;
    unsigned count = many ? op->d % 3U + 1 : 1;
    uint64_t deadline = world_deadline(op->c);
    for (unsigned i = 0; i < count; i++) {
        uint32_t mask = (op->b & 15U) | AX_SIGNAL_READABLE | AX_SIGNAL_ENDED |
                        AX_SIGNAL_PEER_CLOSED | AX_SIGNAL_FIRED;
        ax_handle handle =
            world_choose(process_of(t), types[(op->d + i * 5U) % 7], (uint16_t)(op->a + i * 37U));
        items[i] = (struct ax_wait_item){handle, mask, 0, 0};
        const struct ref_handle *found = ref_handle_find(process_of(t), handle);
        if (found != NULL && found->object >= 0 && ref.objects[found->object].type == AX_TYPE_QUEUE)
            world_fail_after(0); /* it would have been looked at all the same */
    }
    memcpy(buffer_of(t), items, sizeof(items[0]) * count);
    ax_result result = many ? CALL_OF(t, OBJECT_WAIT_MANY, count, deadline)
                            : CALL_OF(t, OBJECT_WAIT, items[0].handle, items[0].mask, deadline);
    world_finish(t, result, PREDICT(result, ref_wait(t, items, count, many, deadline)));
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void op_thread_control(int t, const struct op *op) {
    ax_handle target = world_choose(process_of(t), AX_TYPE_THREAD, op->a);
    ax_result result;
    if (op->kind == OP_INTERRUPT) {
        if (target == 0)
            target = AX_HANDLE_INDEX_MASK; /* 0 would be itself */
        result = CALL_OF(t, THREAD_CONTROL, target, AX_THREAD_INTERRUPT);
        world_finish(t, result, PREDICT(result, ref_interrupt(t, target)));
        return;
    }
    if ((op->d & 1) != 0) {
        uint64_t mask = op->c % 16U, cpus = (UINT64_C(1) << kernel->cpu_count) - 1;
        result = CALL_OF(t, THREAD_CONTROL, target, AX_THREAD_AFFINITY, mask);
        world_finish(t, result, PREDICT(result, ref_affinity(t, target, (mask & cpus) == 0)));
        return;
    }
    uint32_t priority = 15U + op->c % 4U;
    result = CALL_OF(t, THREAD_CONTROL, target, AX_THREAD_PRIORITY, priority);
    world_finish(t, result, PREDICT(result, ref_priority(t, target, (int)priority)));
}

static void op_thread(int t, const struct op *op) {
    int in = 0, to = 0, object = -1;
    ax_handle process = (op->a & 3) != 0 ? world_choose(process_of(t), AX_TYPE_PROCESS, op->b) : 0;
    uint64_t place = world_place(process_of(t), op->c);
    ax_result result = CALL_OF(t, THREAD_CREATE, process, ENTRY, 0, 0, place);
    ax_result predicted = PREDICT(result, ref_thread_create(t, process, place, &in, &to));
    if (predicted == AX_OK && result > 0) {
        int made =
            ref_thread_new(in, world_core(to, result), ref.threads[t].base, ref.threads[t].label);
        object = ref_object_new(AX_TYPE_THREAD, NULL, made, ref_account_of(in));
    }
    world_made(t, result, predicted, to, object, AX_RIGHT_ALL);
}

static void op_exit(int t, const struct op *op) {
    uint64_t clear = (op->a & 1) != 0 ? world_address(op->b) : 0;
    if ((op->a & 6) == 6) { /* an instruction that no personality takes care of */
        if (world_is_verbose)
            printf("  thread %d of process %d bounces\n", t, process_of(t));
        driver_bounce(ref.threads[t].core, 1);
        world_settle();
        ref_fault(t, AX_CAUSE_BOUNCE);
        world_finish(t, REF_ENDED, REF_ENDED);
        return;
    }
    ax_handle handle = 0;
    if ((op->a & 8) != 0)
        handle = world_choose(process_of(t), AX_TYPE_THREAD + op->d % 9U, op->c);
    ax_result result = CALL_OF(t, THREAD_EXIT, clear, 3, handle);
    world_finish(t, result, PREDICT(result, ref_thread_exit(t, clear, handle)));
}

/* ---- Processes and accounts ------------------------------------------------------------------ */

/* Accounts that can pay for much, or for nothing: what may be refused in between is not foreseen.
 */
static ax_handle choose_payer(int t, const struct op *op) {
    int account = 0;
    ax_handle chosen = (op->a & 1) != 0 ? world_choose(process_of(t), AX_TYPE_ACCOUNT, op->b) : 0;
    if (ref_account(t, chosen, &account) != AX_OK)
        return chosen;
    uint64_t limit = ref.objects[account].limit_objects;
    return limit == 0 || limit >= AMPLE ? chosen : 0;
}

static void op_process(int t, const struct op *op) {
    ax_handle account = choose_payer(t, op);
    uint64_t place = world_place(process_of(t), op->c);
    int payer = 0, to = 0, object = -1;
    ax_result result = CALL_OF(t, PROCESS_CREATE, account, place);
    ax_result predicted = PREDICT(result, ref_process_create(t, account, place, &payer, &to));
    if (predicted == AX_OK && ref.objects[payer].limit_objects == 0) {
        ref_account_refuse(payer);
        predicted = AX_ERR_LIMIT;
    }
    if (predicted == AX_OK && result > 0) {
        int made = ref_process_new(world_core(to, result), payer);
        object = ref.processes[made].object;
    }
    world_made(t, result, predicted, to, object, AX_RIGHT_PROCESS);
}

static void op_clone(int t, const struct op *op) {
    uint64_t place = world_place(process_of(t), op->c);
    int to = 0, object = -1;
    ax_result result = CALL_OF(t, PROCESS_CLONE, ENTRY, 0, 0, place);
    ax_result predicted = PREDICT(result, ref_clone(t, place, &to));
    if (predicted == AX_OK && result > 0) {
        struct process *core = world_core(to, result);
        int child = ref_process_new(core, ref_account_of(process_of(t)));
        struct thread *first = list_entry(list_first(&core->threads), struct thread, in_process);
        ref_clone_fill(t, child);
        (void)ref_thread_new(child, first, ref.threads[t].base, ref.threads[t].label);
        object = ref.processes[child].object;
    }
    world_made(t, result, predicted, to, object, AX_RIGHT_PROCESS);
}

static void op_end(int t, const struct op *op) {
    enum ax_cause cause = (enum ax_cause)(AX_CAUSE_EXIT + op->c % 4);
    ax_handle process = 0;
    if (op->kind == OP_DIE) /* while it serves a call */
        cause = (op->c & 4) != 0 ? AX_CAUSE_FAULT : AX_CAUSE_HUNG;
    else if ((op->b & 3) != 0)
        process = world_choose(process_of(t), AX_TYPE_PROCESS, op->a);
    ax_result result = CALL_OF(t, PROCESS_END, process, cause, 5);
    world_finish(t, result, PREDICT(result, ref_process_end(t, process, cause)));
}

static void op_process_control(int t, const struct op *op) {
    static const enum ax_process_op ops[] = {AX_PROCESS_SUSPEND, AX_PROCESS_RESUME,
                                             AX_PROCESS_LABEL,   AX_PROCESS_RELEASE,
                                             AX_PROCESS_LABEL,   AX_PROCESS_RESUME};
    enum ax_process_op what = ops[op->b % 6];
    ax_handle process = world_choose(process_of(t), AX_TYPE_PROCESS, op->a);
    uint64_t label = 100U + op->c % 8U;
    if (process == 0)
        process = AX_HANDLE_INDEX_MASK;
    ax_handle authority = world_choose(process_of(t), AX_TYPE_DEVICE, op->d);
    ax_result result = CALL_OF(t, PROCESS_CONTROL, process, what, AX_ALL_THREADS, label, authority);
    ax_result predicted = PREDICT(result, ref_process_control(t, process, what, label, authority));
    world_finish(t, result, predicted);
}

/* What the account could still give away, which the reference takes from the kernel. */
static bool account_has(int account, uint64_t bytes, uint64_t objects) {
    const struct account *core = ref.objects[account].core;
    return bytes <= core->limit_bytes - core->used_bytes &&
           objects <= core->limit_objects - core->used_objects;
}

static void account_give(int from, int to, uint64_t objects) {
    ref.objects[from].limit_objects -= objects;
    ref.objects[to].limit_objects += objects;
}

static void op_account(int t, const struct op *op) {
    ax_handle from = (op->a & 1) != 0 ? world_choose(process_of(t), AX_TYPE_ACCOUNT, op->b) : 0;
    uint64_t place = world_place(process_of(t), op->c), objects = op->d % 64U;
    uint64_t bytes = (op->d & 64) != 0 ? 0 : 1 << 16, cost = heap_charge(sizeof(struct account));
    int parent = 0, to = 0, child = -1;
    bool has =
        ref_account(t, from, &parent) == AX_OK && account_has(parent, bytes + cost, objects + 1);
    if (!has)
        world_fail_after(0); /* what is refused is tried again, and may end otherwise */
    ax_result result = CALL_OF(t, ACCOUNT_CREATE, from, bytes, objects, place);
    ax_result predicted = PREDICT(result, ref_process_create(t, from, place, &parent, &to));
    if (predicted == AX_OK && !has) {
        ref_account_refuse(parent);
        predicted = AX_ERR_LIMIT;
    }
    if (predicted == AX_OK && result > 0) {
        child = ref_object_new(AX_TYPE_ACCOUNT, NULL, parent, parent);
        account_give(parent, child, objects);
        ref.objects[parent].has_parts = true;
    }
    world_made(t, result, predicted, to, child, AX_RIGHT_ALL);
}

static void op_account_transfer(int t, const struct op *op) {
    ax_handle from = world_choose(process_of(t), AX_TYPE_ACCOUNT, op->a);
    ax_handle to = world_choose(process_of(t), AX_TYPE_ACCOUNT, op->b);
    int giver = 0, taker = 0;
    uint64_t objects = op->c % 64U;
    ax_result predicted = ref_account(t, from, &giver);
    if (predicted == AX_OK)
        predicted = ref_account(t, to, &taker);
    if (predicted == AX_OK && !account_has(giver, 0, objects))
        predicted = AX_ERR_LIMIT;
    ax_result result = CALL_OF(t, ACCOUNT_TRANSFER, from, to, 0, objects);
    if (predicted == AX_OK) {
        account_give(giver, taker, objects);
        ref_account_given(taker);
    }
    world_finish(t, result, predicted);
}

op_function world_object_op(enum op_kind kind) {
    switch (kind) {
    case OP_CREATE: return op_create;
    case OP_CLOSE: return op_close;
    case OP_TRANSFER: return op_transfer;
    case OP_SIGNAL: return op_signal;
    case OP_TIMER: return op_timer;
    case OP_WAIT: return op_wait;
    case OP_INTERRUPT:
    case OP_PRIORITY: return op_thread_control;
    case OP_THREAD: return op_thread;
    case OP_EXIT: return op_exit;
    case OP_PROCESS: return op_process;
    case OP_CLONE: return op_clone;
    case OP_END:
    case OP_DIE: return op_end;
    case OP_CONTROL: return op_process_control;
    case OP_ACCOUNT: return op_account;
    case OP_ACCOUNT_TRANSFER: return op_account_transfer;
    default: return NULL;
    }
}
