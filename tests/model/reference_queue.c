/* SPDX-License-Identifier: MIT */
/* Queues in the reference. */
#include "reference_private.h"

static bool is_weakly_gone(const struct ref_member *member) {
    return ref_handle_count(member->object) == 0;
}

/* ---- What is ready --------------------------------------------------------------------------- */

/* The ready member that is looked at first, or NULL. */
static struct ref_member *first_ready(int queue) {
    struct ref_member *first = NULL;
    for (int m = 0; m < MEMBERS; m++) {
        struct ref_member *it = &ref.members[m];
        if (it->used && it->queue == queue && it->ready_at != 0 &&
            (first == NULL || it->ready_at < first->ready_at))
            first = it;
    }
    return first;
}

static void make_ready(struct ref_member *member) {
    if (member->ready_at == 0)
        member->ready_at = ref.clock++;
    ref.objects[member->queue].signals |= AX_SIGNAL_READABLE;
}

static void unready(struct ref_member *member) {
    member->ready_at = 0;
    if (first_ready(member->queue) == NULL)
        ref.objects[member->queue].signals &= ~(uint32_t)AX_SIGNAL_READABLE;
}

static uint32_t report(const struct ref_member *member) {
    if (member->silent || is_weakly_gone(member))
        return 0;
    return ref_signals(member->object) & member->mask;
}

/* A queue is readable if the first of its ready members that still has something is one. */
uint32_t ref_signals(int object) {
    struct ref_member *first;
    if (ref.objects[object].type != AX_TYPE_QUEUE)
        return ref.objects[object].signals;
    while ((first = first_ready(object)) != NULL && report(first) == 0)
        unready(first);
    return ref.objects[object].signals;
}

static unsigned collect(int queue, struct ref_thread *thread, unsigned max) {
    unsigned ready = 0, count = 0;
    for (int m = 0; m < MEMBERS; m++)
        ready +=
            ref.members[m].used && ref.members[m].queue == queue && ref.members[m].ready_at != 0;
    for (; ready > 0 && count < max; ready--) {
        struct ref_member *member = first_ready(queue);
        uint32_t signals = report(member);
        if (signals == 0) {
            unready(member);
            continue;
        }
        thread->events[count++] = (struct ax_queue_event){member->key, member->data, signals, 0};
        member->silent |= (member->mode & AX_QUEUE_ONCE) != 0;
        if ((member->mode & (AX_QUEUE_EDGE | AX_QUEUE_ONCE)) != 0)
            unready(member);
        else
            member->ready_at = ref.clock++; /* a level: behind all others */
    }
    thread->event_count = count;
    thread->tells_events = count > 0;
    return count;
}

/* ---- Who is told ----------------------------------------------------------------------------- */

static int first_waiter(int queue) {
    int first = -1;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (it->state == REF_QUEUES && it->queue == queue &&
            (first < 0 || it->waits_since < ref.threads[first].waits_since))
            first = t;
    }
    return first;
}

static bool serve(int queue) {
    int thread = first_waiter(queue);
    if (thread < 0)
        return false;
    unsigned count = collect(queue, &ref.threads[thread], ref.threads[thread].queue_max);
    if (count == 0)
        return false;
    ref_wake(thread, count);
    return true;
}

/* True: a thread that waited for the queue has it. */
bool ref_member_tell(struct ref_member *member) {
    if (member->silent || is_weakly_gone(member))
        return false;
    make_ready(member);
    bool taken = serve(member->queue);
    if (first_ready(member->queue) == NULL)
        return taken;
    if (first_waiter(member->queue) >= 0)
        ref_work_add(member->queue);
    ref_set_signals(member->queue, 0, AX_SIGNAL_READABLE);
    return taken;
}

/* A level that holds is told to each who waits. */
void ref_queue_work(int queue) {
    while (first_waiter(queue) >= 0 && first_ready(queue) != NULL)
        (void)serve(queue);
}

static void drop(struct ref_member *member) {
    unready(member);
    member->used = false;
}

void ref_members_drop(int object) {
    for (int m = 0; m < MEMBERS; m++) {
        if (ref.members[m].used && ref.members[m].object == object)
            drop(&ref.members[m]);
    }
}

/* Those of queues that nobody can reach and nobody waits for. */
void ref_queues_collect(void) {
    for (int m = 0; m < MEMBERS; m++) {
        struct ref_member *it = &ref.members[m];
        if (it->used && ref_handle_count(it->queue) == 0 && first_waiter(it->queue) < 0 &&
            !ref_is_waited_for(it->queue))
            it->used = false;
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static struct ref_member *find(int queue, uint64_t key) {
    for (int m = 0; m < MEMBERS; m++) {
        struct ref_member *it = &ref.members[m];
        if (!it->used || it->queue != queue || it->key != key)
            continue;
        if (!is_weakly_gone(it))
            return it;
        drop(it);
    }
    return NULL;
}

static unsigned depth(int queue, int wanted, bool *met) {
    unsigned deepest = 0;
    *met |= queue == wanted;
    for (int m = 0; m < MEMBERS; m++) {
        const struct ref_member *it = &ref.members[m];
        if (!it->used || it->queue != queue || ref.objects[it->object].type != AX_TYPE_QUEUE)
            continue;
        unsigned below = depth(it->object, wanted, met);
        deepest = below > deepest ? below : deepest;
    }
    return deepest + 1;
}

static unsigned height(int queue) {
    unsigned highest = 0;
    for (int m = 0; m < MEMBERS; m++) {
        if (!ref.members[m].used || ref.members[m].object != queue)
            continue;
        unsigned above = height(ref.members[m].queue);
        highest = above > highest ? above : highest;
    }
    return highest + 1;
}

static void begin(struct ref_member *member) {
    member->silent = false;
    if (report(member) != 0)
        (void)ref_member_tell(member);
}

static ax_result add(const struct ref_member *wanted) {
    bool is_queue = ref.objects[wanted->object].type == AX_TYPE_QUEUE, cycle = false;
    if ((wanted->mode & AX_QUEUE_EXCLUSIVE) != 0 &&
        (is_queue || (wanted->mode & AX_QUEUE_ONCE) != 0))
        return AX_ERR_ARGUMENT;
    if (find(wanted->queue, wanted->key) != NULL)
        return AX_ERR_EXISTS;
    unsigned deep = is_queue ? depth(wanted->object, wanted->queue, &cycle) : 0;
    if (cycle)
        return AX_ERR_DEADLOCK;
    if (is_queue && deep + height(wanted->queue) > AX_QUEUE_NESTING_MAX)
        return AX_ERR_LIMIT;
    for (int m = 0; m < MEMBERS; m++) {
        if (ref.members[m].used)
            continue;
        ref.members[m] = *wanted;
        ref.members[m].since = ref.clock++;
        begin(&ref.members[m]);
        return AX_OK;
    }
    ref.unpredictable = true;
    return AX_OK;
}

ax_result ref_queue_control(int thread, ax_handle queue, enum ax_queue_op op, ax_handle object,
                            const struct ax_queue_request *request) {
    struct ref_handle *handle, *what;
    TRY_REF(ref_look(thread, queue, AX_TYPE_QUEUE, AX_RIGHT_WRITE, &handle));
    struct ref_member wanted = {.used = true,
                                .queue = handle->object,
                                .mask = request->mask,
                                .mode = request->mode,
                                .key = request->key,
                                .data = request->data};
    if (op == AX_QUEUE_ADD) {
        TRY_REF(ref_look(thread, object, AX_TYPE_NONE, AX_RIGHT_WAIT, &what));
        wanted.object = what->object;
        return add(&wanted);
    }
    struct ref_member *member = find(handle->object, request->key);
    if (member == NULL)
        return AX_ERR_NOT_FOUND;
    if (op == AX_QUEUE_REMOVE) {
        drop(member);
        return AX_OK;
    }
    if (((request->mode | member->mode) & AX_QUEUE_EXCLUSIVE) != 0)
        return AX_ERR_ARGUMENT;
    member->data = request->data;
    member->mode = request->mode;
    member->mask = request->mask;
    begin(member);
    return AX_OK;
}

ax_result ref_queue_wait(int thread, ax_handle queue, unsigned max, uint64_t deadline) {
    struct ref_thread *it = &ref.threads[thread];
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, queue, AX_TYPE_QUEUE, AX_RIGHT_READ, &handle));
    unsigned count = collect(handle->object, it, max);
    if (count > 0)
        return count;
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (deadline == 0)
        return AX_ERR_TIMEOUT;
    it->queue = handle->object;
    it->queue_max = max;
    ref_block(thread, REF_QUEUES, deadline);
    return REF_BLOCKED;
}
