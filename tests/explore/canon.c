/* SPDX-License-Identifier: MIT */
/*
 * What matters of a state, as bytes: objects by their role, times relative to now, orders as
 * sequences. Left out: addresses, ids, slots and generations of handles, counters, what is in
 * thread pages (scripts took in what they read), and on one CPU which thread has it and which is
 * next.
 */
#include <string.h>

#include <base/hash.h>
#include <hal/model/machine.h>

#include "handle.h"
#include "world.h"

static struct {
    uint8_t bytes[4096];
    size_t size;
} out;

static void put(uint64_t value) {
    MUST(out.size < sizeof(out.bytes));
    out.bytes[out.size++] = (uint8_t)value;
}

static void put_word(uint64_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        put(value >> shift);
}

/* ---- Roles ----------------------------------------------------------------------------------- */

static unsigned endpoint_index(const struct endpoint *endpoint) {
    unsigned index = 0;
    while (index < ENDPOINTS && setting.endpoint[index] != endpoint)
        index++;
    return endpoint == NULL ? NOBODY : index;
}

static unsigned session_role(const struct session *session) {
    return session == NULL ? NOBODY
                           : (unsigned)(endpoint_index(session->endpoint) << 4 | session->badge);
}

static unsigned reply_role(const struct reply *reply) {
    return reply == NULL ? NOBODY : reply->caller == NULL ? 0xfe : who_is(reply->caller);
}

/* Type and name of an object; events that calls made have no name: their slot tells. */
static uint32_t role(const struct object *object) {
    unsigned name = 0;
    switch ((enum ax_type)object->type) {
    case AX_TYPE_PROCESS: name = whose((const struct process *)object); break;
    case AX_TYPE_THREAD: name = who_is((const struct thread *)object); break;
    case AX_TYPE_ENDPOINT: name = endpoint_index((const struct endpoint *)object); break;
    case AX_TYPE_SESSION: name = session_role((const struct session *)object); break;
    case AX_TYPE_REPLY: name = reply_role((const struct reply *)object); break;
    case AX_TYPE_EVENT:
        for (unsigned i = 0; i < 2; i++)
            name += object == setting.token[i] && object->id == setting.token_id[i] ? i + 1 : 0;
        name += object == setting.go ? 3 : 0;
        name += object == setting.event ? 4 : 0;
        break;
    default: break;
    }
    return (uint32_t)object->type << 8 | name;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

/* The deadline, in hundreds of nanoseconds from now on. */
static void put_due(const struct due *due) {
    if (due->cpu == NULL)
        put(0);
    else
        put(due->deadline_ns <= hal_time_ns() ? 1 : 2 + (due->deadline_ns - hal_time_ns()) / 100);
}

static void put_call(const struct call *call) {
    put(call->state);
    if (call->state == CALL_IDLE)
        return;
    put((unsigned)call->redelivered | (unsigned)call->retried << 1 |
        (unsigned)call->interrupted << 2 |
        (unsigned)list_is_linked(&call->reply->in_interrupts) << 3 | (unsigned)call->deaths << 4);
    put(call->priority);
    put((unsigned)call->handle_count << 4 | call->accept);
    put(session_role(call->session));
    put(whose(call->reply->holder));
    put(who_is(call->reply->server));
    for (unsigned i = 0; i < call->handle_count; i++)
        put_word(role(call->handles[i].object) << 16 ^ call->handles[i].rights);
}

/*
 * Which thread has a CPU, and which waits for it in what order. With one CPU it makes no
 * difference, but that with each change some of the work that is pending is done.
 */
static bool runs_matter(void) {
    return kernel->cpu_count > 1 || WORK_PORTION < 64;
}

static void put_run(const struct thread *thread) {
    bool one = !runs_matter();
    unsigned state = one && thread->state == THREAD_RUNNING ? THREAD_READY : thread->state;
    put(state | (unsigned)thread->block << 4);
    if (one || thread->state == THREAD_ENDED)
        put(thread->state == THREAD_ENDED && thread->on_cpu);
    else
        put((unsigned)thread->on_cpu | (thread->cpu != NULL ? thread->cpu->id + 1 : 0) << 1);
}

static void put_thread(const struct thread *thread) {
    put_run(thread);
    put((unsigned)thread->interrupted | (unsigned)thread->restarting << 1 |
        (unsigned)thread->held << 2);
    put(thread->base_priority);
    put(thread->priority);
    put(reply_role(thread->serving));
    put(endpoint_index(thread->endpoint));
    put_due(&thread->due);
    put_call(&thread->call);
}

static void put_table(const struct process *process) {
    const struct handle_table *table = &process->handles;
    bool by_slot = whose(process) == STASH;
    uint32_t roles[64], count = 0;
    for (uint32_t i = 1, seen = 0; seen < table->used; i++) {
        const struct slot *slot = handle_slot(table, i);
        MUST(slot != NULL && count < 64);
        if (slot->object == NULL)
            continue;
        seen++;
        uint32_t value = role(slot->object) << 16 ^ slot->rights ^ (by_slot ? i << 8 : 0);
        uint32_t at = count++;
        for (; at > 0 && roles[at - 1] > value; at--)
            roles[at] = roles[at - 1];
        roles[at] = value;
    }
    put(count);
    put(table->promised);
    for (uint32_t i = 0; i < count; i++)
        put_word(roles[i]);
}

/* Of calls whose callers are dead only how many: where they are in the order is all the same. */
static void put_received(const struct process *process) {
    unsigned orphans = 0;
    for (const struct tree_node *node = tree_first(&process->received); node != NULL;
         node = tree_next(node)) {
        const struct reply *reply = container_of(node, const struct reply, in_holder);
        if (reply->caller != NULL)
            put(reply_role(reply));
        else
            orphans++;
    }
    put(NOBODY);
    put(orphans);
}

/* Of the last call with this id; one is known once it was received. */
static unsigned tag_of_id(const struct ax_call_id *id) {
    unsigned tag = 1;
    while (tag < TAGS &&
           (names.id[tag].sequence != id->sequence || names.id[tag].caller != id->caller))
        tag++;
    return tag;
}

static void put_process(const struct process *process) {
    const struct reply *reply;
    put((unsigned)process->state);
    put(process->object.signals >> 24);
    put(process->suspended);
    put(runs_matter() ? process->running : 0);
    put((unsigned)process->object.work_queued);
    put_received(process);
    list_for_each (reply, &process->interrupts, in_interrupts)
        put(reply->caller != NULL ? who_is(reply->caller) : 0x80U + tag_of_id(&reply->id));
    put(NOBODY);
    put_table(process);
}

static void put_sessions(const struct endpoint *endpoint) {
    for (const struct tree_node *node = tree_first(&endpoint->sessions); node != NULL;
         node = tree_next(node)) {
        const struct session *session = container_of(node, const struct session, node);
        put(session->badge);
        put((unsigned)session->state | session->object.handles << 2 |
            (unsigned)session->delivered << 7);
        put(session->calls);
    }
    put(NOBODY);
}

/* The callers whose calls are at the endpoint, by their order. */
static void put_order(const struct endpoint *endpoint) {
    uint64_t before = 0;
    for (bool first = true;; first = false) {
        unsigned found = NOBODY;
        uint64_t order = UINT64_MAX;
        for (unsigned who = 0; who < ACTORS; who++) {
            const struct thread *thread = setting.thread[who];
            if (thread == NULL || thread->call.state == CALL_IDLE ||
                thread->call.session->endpoint != endpoint)
                continue;
            uint64_t own = thread->call.order;
            if ((first || own > before) && own < order) {
                order = own;
                found = who;
            }
        }
        put(found);
        if (found == NOBODY)
            return;
        before = order;
    }
}

static void put_endpoint(unsigned index) {
    const struct endpoint *endpoint = setting.endpoint[index];
    if (endpoint == NULL || !endpoint_lives(index)) {
        put(0);
        return;
    }
    put(1U | (unsigned)endpoint->dead << 1 | (unsigned)endpoint->object.work_queued << 2 |
        endpoint->receive_handles << 3);
    put(endpoint->object.signals >> 24);
    for (const struct tree_node *node = tree_first(&endpoint->calls); node != NULL;
         node = tree_next(node)) {
        const struct call *call = container_of(node, const struct call, node);
        put(who_is(container_of(call, const struct thread, call)));
    }
    put(NOBODY);
    const struct thread *thread;
    list_for_each (thread, &endpoint->receivers, in_receivers)
        put(who_is(thread));
    put(NOBODY);
    const struct session *session;
    list_for_each (session, &endpoint->closed, in_closed)
        put(session->badge);
    put(NOBODY);
    put((unsigned)list_is_empty(&endpoint->ready_bindings));
    for (unsigned who = 0; who < PROCESSES; who++) {
        if (setting.process[who] != NULL && setting.process[who]->instance == endpoint->instance)
            put(who);
    }
    put_order(endpoint);
    put_sessions(endpoint);
}

/* What runs there, and what waits to, in order: who is next matters to what the other CPU meets. */
static void put_cpu(const struct cpu *cpu) {
    put(who_is(cpu->current));
    put((unsigned)model->cpus[cpu->id].kicked | (unsigned)cpu->kicked << 1 |
        (unsigned)cpu->poll << 2 |
        (unsigned)(model->cpus[cpu->id].deadline_ns <= hal_time_ns()) << 3);
    for (unsigned priority = 0; priority < AX_PRIORITY_COUNT; priority++) {
        const struct thread *thread;
        if ((cpu->ready_bits >> priority & 1) == 0)
            continue;
        list_for_each (thread, &cpu->queues[priority], in_queue)
            put(who_is(thread));
    }
}

struct hash canon_hash(void) {
    out.size = 0;
    for (unsigned who = 0; who < ACTORS; who++) {
        if (setting.thread[who] != NULL)
            put_thread(setting.thread[who]);
    }
    for (unsigned who = 0; who < PROCESSES; who++) {
        if (setting.process[who] != NULL && whose(setting.process[who]) == who)
            put_process(setting.process[who]);
    }
    for (unsigned i = 0; i < ENDPOINTS; i++)
        put_endpoint(i);
    for (uint32_t cpu = 0; runs_matter() && cpu < kernel->cpu_count; cpu++)
        put_cpu(&kernel->cpus[cpu]);
    const struct object *object;
    list_for_each (object, &kernel->work, work)
        put_word(role(object));
    put_word(setting.event->signals);
    put_word(setting.go->signals);
    uint64_t seed = hash_bytes(&world, sizeof(world), out.size);
    return (struct hash){.low = hash_bytes(out.bytes, out.size, seed),
                         .high = hash_bytes(out.bytes, out.size, ~seed * HASH_STEP)};
}
