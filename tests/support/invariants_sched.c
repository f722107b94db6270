/* SPDX-License-Identifier: MIT */
/* Threads are where their state says, CPUs and time agree with them. */
#include "census.h"

static void thread_check(const struct thread *thread, uint64_t *dues, uint64_t *futexes) {
    const struct object *of = &thread->object;
    bool queued = list_is_linked(&thread->in_queue);
    bool is_next = thread->cpu != NULL && thread->cpu->next == thread;
    bool is_current = thread->cpu != NULL && thread->cpu->current == thread;
    INVARIANT_OF(of, !(queued && is_next));
    INVARIANT_OF(of, thread->on_cpu == is_current);
    INVARIANT_OF(of, thread->state == THREAD_BLOCKED || thread->block == BLOCK_NONE);
    INVARIANT_OF(of, thread->due.cpu == NULL || thread->state == THREAD_BLOCKED);
    switch ((enum thread_state)thread->state) {
    case THREAD_READY:
        INVARIANT_OF(of, thread->held ? !queued && !is_next : queued || is_next);
        INVARIANT_OF(of, thread->held == (thread->process->suspended != 0));
        INVARIANT_OF(of, !is_current);
        break;
    case THREAD_RUNNING: INVARIANT_OF(of, is_current && !queued); break;
    case THREAD_BLOCKED: INVARIANT_OF(of, !queued && !is_next && !is_current); break;
    case THREAD_ENDED:
        INVARIANT_OF(of, !queued && !is_next && !thread->restarting);
        INVARIANT_OF(of, is_current == thread->user_created);
        break;
    }
    INVARIANT_OF(of, tree_node_is_linked(&thread->futex_node) == (thread->block == BLOCK_FUTEX));
    *futexes += thread->block == BLOCK_FUTEX;
    *dues += thread->due.cpu != NULL;
    INVARIANT_OF(of, thread->priority >= thread->base_priority);
}

static void cpu_check(const struct cpu *cpu) {
    for (unsigned priority = 0; priority < AX_PRIORITY_COUNT; priority++) {
        const struct list *queue = &cpu->queues[priority];
        const struct thread *thread;
        INVARIANT((cpu->ready_bits >> priority & 1) == !list_is_empty(queue));
        list_for_each (thread, queue, in_queue) {
            INVARIANT_OF(&thread->object, thread->state == THREAD_READY && !thread->held);
            INVARIANT_OF(&thread->object, thread->priority == priority && thread->cpu == cpu);
        }
    }
    const struct thread *current = cpu->current;
    if (current != NULL)
        INVARIANT_OF(&current->object, current->state == THREAD_RUNNING ||
                                           (current->state == THREAD_ENDED && cpu->kicked));
    /* Someone better waits here only while the CPU has not answered its kick. */
    bool better =
        cpu->ready_bits != 0 && (current == NULL || cpu->ready_bits >> current->priority > 1);
    INVARIANT(!better || cpu->kicked || cpu->poll || !cpu->online);
    if (cpu->online && current == NULL && cpu->ready_bits == 0 && !cpu->poll)
        INVARIANT(!work_is_pending() || kernel->cpu_count > 1 || cpu->kicked);
}

static uint64_t tree_size(const struct tree *tree) {
    uint64_t size = 0;
    for (const struct tree_node *node = tree_first(tree); node != NULL; node = tree_next(node))
        size++;
    return size;
}

void invariants_check_sched(void) {
    uint64_t dues = 0, futexes = 0;
    const struct object *object;
    list_for_each (object, &kernel->objects, all) {
        if (object->type == AX_TYPE_THREAD)
            thread_check((const struct thread *)object, &dues, &futexes);
        else if (object->type == AX_TYPE_TIMER)
            dues += ((const struct timer *)object)->due.cpu != NULL;
    }
    for (uint32_t id = 0; id < kernel->cpu_count; id++) {
        cpu_check(&kernel->cpus[id]);
        dues -= tree_size(&kernel->cpus[id].due);
    }
    INVARIANT(dues == 0);
    INVARIANT(futexes == tree_size(&kernel->futexes));
    INVARIANT(atomic_load(&kernel->lock) == 0);
}
