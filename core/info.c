/* SPDX-License-Identifier: MIT */
#include <base/memory.h>

#include "account.h"
#include "calls.h"
#include "device.h"
#include "endpoint.h"
#include "frame.h"
#include "irq.h"
#include "memory.h"
#include "process.h"
#include "queue.h"
#include "thread.h"

static void info_memory(struct ax_object_info *info, const struct memory *memory, uint32_t rights) {
    info->memory.page_count = memory->page_count;
    info->memory.present_pages = memory->present;
    if ((rights & AX_RIGHT_WRITE) == 0)
        return;
    if (memory->registers)
        info->memory.physical = memory->physical;
    else if ((memory->flags & AX_MEMORY_CONTIGUOUS) != 0)
        info->memory.physical = frame_physical(memory_find(memory, 0));
}

static void info_process(struct ax_object_info *info, const struct process *process) {
    info->process.cause = process->cause;
    info->process.fault = process->fault;
    info->process.code = process->code;
    info->process.address = process->fault_address;
    info->process.threads = process->live_threads;
    info->process.handles = process->handles.used;
    info->process.cpu_ns = process->cpu_ns;
    info->process.account = process->account->object.id;
    info->process.page_faults = process->page_faults;
}

static enum ax_thread_state info_state(const struct thread *thread) {
    switch ((enum thread_state)thread->state) {
    case THREAD_READY: return thread->held ? AX_THREAD_SUSPENDED : AX_THREAD_READY;
    case THREAD_RUNNING: return AX_THREAD_RUNNING;
    case THREAD_ENDED: return AX_THREAD_ENDED;
    case THREAD_BLOCKED: break;
    }
    if (thread->block == BLOCK_CALL)
        return AX_THREAD_CALLING;
    return thread->block == BLOCK_RECEIVE ? AX_THREAD_RECEIVING : AX_THREAD_WAITING;
}

/* The id of what a blocked thread waits for: of several objects the first; 0: time, or nothing. */
static uint64_t info_waits_for(const struct thread *thread) {
    const struct object *object = thread->watch.object;
    switch ((enum block_kind)thread->block) {
    case BLOCK_WAIT:
        if (thread->wait_count > 0)
            object = thread->watches[0].object;
        return object != NULL ? object->id : 0;
    case BLOCK_QUEUE: return thread->queue->object.id;
    case BLOCK_FUTEX: return thread->futex_key.object;
    case BLOCK_CALL: return thread->call.session->object.id;
    case BLOCK_RECEIVE: return thread->endpoint->object.id;
    default: return 0;
    }
}

static void info_thread(struct ax_object_info *info, const struct thread *thread) {
    info->thread.state = info_state(thread);
    info->thread.priority = thread->priority;
    info->thread.base_priority = thread->base_priority;
    info->thread.slot = thread->slot;
    info->thread.label = thread->label;
    info->thread.affinity = thread->affinity;
    info->thread.cpu_ns = thread->cpu_ns;
    info->thread.waits_for = info_waits_for(thread);
    info->thread.process = thread->process->object.id;
}

static void info_account(struct ax_object_info *info, const struct account *account) {
    info->account.limit_bytes = account->limit_bytes;
    info->account.used_bytes = account->used_bytes;
    info->account.limit_objects = account->limit_objects;
    info->account.used_objects = account->used_objects;
}

static void info_endpoint(struct ax_object_info *info, const struct endpoint *endpoint) {
    info->endpoint.sessions = endpoint->session_count;
    info->endpoint.closed = endpoint->closed_count;
    info->endpoint.queued = endpoint->queued_count;
    info->endpoint.received = endpoint->received_count;
    info->endpoint.delivered = endpoint->delivered_count;
}

static void info_queue(struct ax_object_info *info, const struct queue *queue) {
    info->queue.members = queue->member_count;
    info->queue.ready = queue->ready_count;
}

static void info_device(struct ax_object_info *info, const struct device *device) {
    info->device.kind = device->kind;
    info->device.base = device->base;
    info->device.size = device->size;
    info->device.quarantined_pages = device->quarantined_pages;
}

static void info_irq(struct ax_object_info *info, const struct irq *irq, uint32_t rights) {
    info->irq.line = irq->line;
    if (irq->line >= hal_boot()->irq_wired && (rights & AX_RIGHT_ACK) != 0)
        hal_irq_message(irq->line, &info->irq.message_address, &info->irq.message_data);
}

static void info_fill(struct ax_object_info *info, const struct object *object, uint32_t rights) {
    if ((object->type == AX_TYPE_PROCESS || object->type == AX_TYPE_THREAD) &&
        (rights & AX_RIGHT_INSPECT) == 0)
        return;
    switch ((enum ax_type)object->type) {
    case AX_TYPE_MEMORY: info_memory(info, (const struct memory *)object, rights); break;
    case AX_TYPE_PROCESS: info_process(info, (const struct process *)object); break;
    case AX_TYPE_THREAD: info_thread(info, (const struct thread *)object); break;
    case AX_TYPE_ACCOUNT: info_account(info, (const struct account *)object); break;
    case AX_TYPE_ENDPOINT: info_endpoint(info, (const struct endpoint *)object); break;
    case AX_TYPE_TIMER:
        info->timer.deadline_ns = ((const struct timer *)object)->due.deadline_ns;
        break;
    case AX_TYPE_QUEUE: info_queue(info, (const struct queue *)object); break;
    case AX_TYPE_DEVICE: info_device(info, (const struct device *)object); break;
    case AX_TYPE_IRQ: info_irq(info, (const struct irq *)object, rights); break;
    default: break; /* nothing but what all objects have */
    }
}

ax_result sys_object_info(struct thread *thread, const uint64_t arguments[5]) {
    struct object *object;
    uint32_t rights;
    TRY(handle_lookup_rights(thread->process, (ax_handle)arguments[0], AX_TYPE_NONE, 0, &object,
                             &rights));
    unsigned portion = WORK_PORTION;
    struct ax_object_info info;
    memset(&info, 0, sizeof(info));
    info.type = object->type;
    info.signals = object_signals(object, &portion);
    info.object_id = object->id;
    info.handle_count = object->handles;
    info_fill(&info, object, rights);
    memcpy(thread->page->buffer, &info, sizeof(info));
    return AX_OK;
}
