/* SPDX-License-Identifier: MIT */
/* What threads ask the kernel about things, which must be what the reference knows of them. */
#include <string.h>

#include "world.h"

static int process_of(int t) {
    return ref.threads[t].process;
}

static unsigned char *buffer_of(int t) {
    return ((struct thread *)ref.threads[t].core)->page->buffer;
}

static void expect(uint64_t told, uint64_t wanted, const char *what) {
    if (told != wanted)
        driver_fail("object_info: %s is %llu, not %llu", what, (unsigned long long)told,
                    (unsigned long long)wanted);
}

/* ---- Objects --------------------------------------------------------------------------------- */

static void check_process(const struct ax_object_info *info, int process) {
    const struct ref_process *it = &ref.processes[process];
    unsigned threads = 0, handles = 0;
    for (int t = 0; t < THREADS; t++)
        threads += ref.threads[t].process == process && ref_is_live(t);
    for (int i = 0; i < it->handle_end; i++)
        handles += it->handles[i].used;
    expect(info->process.cause, it->open ? AX_CAUSE_NONE : it->cause, "cause");
    expect(info->process.threads, threads, "threads");
    expect(info->process.handles, handles, "handles");
}

static void check_thread(const struct ax_object_info *info, int thread) {
    static const uint32_t states[] = {
        [REF_CALLS] = AX_THREAD_CALLING,  [REF_RECEIVES] = AX_THREAD_RECEIVING,
        [REF_WAITS] = AX_THREAD_WAITING,  [REF_FUTEX] = AX_THREAD_WAITING,
        [REF_QUEUES] = AX_THREAD_WAITING, [REF_GONE] = AX_THREAD_ENDED};
    const struct ref_thread *it = &ref.threads[thread];
    if (it->state != REF_RUNS)
        expect(info->thread.state, states[it->state], "state");
    if (it->state == REF_GONE)
        return;
    expect(info->thread.priority, (uint64_t)it->priority, "priority");
    expect(info->thread.base_priority, (uint64_t)it->base, "base priority");
    expect(info->thread.label, it->label, "label");
}

static void check_endpoint(const struct ax_object_info *info, int endpoint) {
    uint64_t sessions = 0, closed = 0, queued = 0, received = 0;
    for (int s = 0; s < ref.object_count; s++) {
        const struct ref_object *it = &ref.objects[s];
        if (it->type != AX_TYPE_SESSION || it->of != endpoint)
            continue;
        sessions += it->state == REF_OPEN;
        closed += it->state == REF_CLOSED || it->state == REF_ANNOUNCED;
    }
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        queued += call->queued && ref.objects[call->session].of == endpoint;
        received += call->received && ref.objects[call->session].of == endpoint;
    }
    expect(info->endpoint.sessions, sessions, "sessions");
    expect(info->endpoint.closed, closed, "closed sessions");
    expect(info->endpoint.queued, queued, "queued calls");
    expect(info->endpoint.received, received, "received calls");
    expect(info->endpoint.delivered, ref.objects[endpoint].delivered_count, "delivered messages");
}

static void check_object(const struct ax_object_info *info, int object, uint32_t rights) {
    const struct ref_object *it = &ref.objects[object];
    bool inspects = (rights & AX_RIGHT_INSPECT) != 0;
    expect(info->type, it->type, "type");
    expect(info->signals & ~(uint32_t)AX_SIGNAL_PENDING, it->signals, "signals");
    expect(info->object_id, ((struct object *)it->core)->id, "id");
    expect(info->handle_count, ref_handle_count(object), "handle count");
    if (it->type == AX_TYPE_PROCESS && inspects)
        check_process(info, it->of);
    if (it->type == AX_TYPE_THREAD && inspects)
        check_thread(info, it->of);
    if (it->type == AX_TYPE_ENDPOINT)
        check_endpoint(info, object);
    if (it->type == AX_TYPE_MEMORY)
        expect(info->memory.page_count, it->page_count, "pages");
}

static void op_info(int t, const struct op *op) {
    ax_handle handle = world_choose(process_of(t), AX_TYPE_PROCESS + op->b % AX_TYPE_QUEUE, op->a);
    struct ref_handle *found = NULL;
    struct ax_object_info info;
    ax_result predicted = ref_object_info(t, handle, &found);
    ax_result result = CALL_OF(t, OBJECT_INFO, handle);
    memcpy(&info, buffer_of(t), sizeof(info));
    if (result == AX_OK && predicted == AX_OK && found->object >= 0)
        check_object(&info, found->object, found->rights);
    world_finish(t, result, predicted);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void op_handle_list(int t, const struct op *op) {
    struct ax_handle_info infos[AX_BUFFER_BYTES / sizeof(struct ax_handle_info)];
    int process = process_of(t);
    unsigned first = op->a % 40U, wanted = 0;
    ax_result result = CALL_OF(t, HANDLE_LIST, 0, first);
    memcpy(infos, buffer_of(t), sizeof(infos));
    for (int i = 0; i < HANDLES; i++) {
        const struct ref_handle *handle = &ref.processes[process].handles[i];
        wanted += handle->used && (handle->value & AX_HANDLE_INDEX_MASK) >= first;
    }
    if (wanted > sizeof(infos) / sizeof(infos[0]))
        wanted = sizeof(infos) / sizeof(infos[0]);
    for (ax_result i = 0; i < result; i++) {
        const struct ref_handle *handle = ref_handle_find(process, infos[i].handle);
        if (handle == NULL || handle->rights != infos[i].rights ||
            (i > 0 && infos[i].slot <= infos[i - 1].slot))
            driver_fail("handle_list: entry %lld is wrong", (long long)i);
    }
    world_finish(t, result, wanted);
}

static void check_region(int process, const struct ax_region_info *info) {
    for (unsigned i = 0; i < PAGES; i++) {
        const struct ref_page *page = &ref.processes[process].pages[i];
        if (PAGE_AT(i) < info->address || PAGE_AT(i) >= info->address + info->size_bytes)
            continue;
        uint64_t offset = page->index * AX_PAGE_SIZE;
        uint64_t memory =
            page->memory >= 0 ? ((struct object *)ref.objects[page->memory].core)->id : 0;
        if (!page->is_mapped || info->prot != page->prot ||
            ((info->flags & AX_MAP_PRIVATE) != 0) != page->is_private || info->memory != memory ||
            (memory != 0 && info->offset + PAGE_AT(i) - info->address != offset))
            driver_fail("memory_list tells of page %u otherwise", i);
    }
}

static void op_memory_list(int t, const struct op *op) {
    struct ax_region_info infos[AX_BUFFER_BYTES / sizeof(struct ax_region_info)];
    int process = process_of(t);
    ax_handle handle = (op->a & 3) == 0 ? world_choose(process, AX_TYPE_PROCESS, op->b) : 0;
    ax_result predicted = ref_memory_list(t, handle, &process);
    ax_result result = CALL_OF(t, MEMORY_LIST, handle, PAGE_AT(0));
    memcpy(infos, buffer_of(t), sizeof(infos));
    if (result >= 0 && predicted == AX_OK) { /* how many depends on what was joined */
        for (ax_result i = 0; i < result && ref.processes[process].open; i++)
            check_region(process, &infos[i]);
        predicted = result;
    }
    world_finish(t, result, predicted);
}

op_function world_info_op(enum op_kind kind) {
    switch (kind) {
    case OP_INFO: return op_info;
    case OP_HANDLE_LIST: return op_handle_list;
    case OP_MEMORY_LIST: return op_memory_list;
    default: return NULL;
    }
}
