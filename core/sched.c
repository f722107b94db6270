/* SPDX-License-Identifier: MIT */
#include "sched.h"

#include <base/bitmap.h>

#include "kernel.h"
#include "process.h"
#include "thread.h"

/* How many threads of another CPU's queue an idle CPU looks at for one it may run. */
#define STEAL_LOOK 16

static bool may_run_on(const struct thread *thread, const struct cpu *cpu) {
    return (thread->affinity >> cpu->id & 1) != 0;
}

static bool is_held_back(const struct thread *thread) {
    return thread->process->suspended != 0;
}

/* ---- Queues ---------------------------------------------------------------------------------- */

static void enqueue(struct cpu *cpu, struct thread *thread, bool to_end) {
    ASSERT(thread->state == THREAD_READY && !thread->held);
    struct list *queue = &cpu->queues[thread->priority];
    thread->cpu = cpu;
    list_insert_before(to_end ? queue : queue->next, &thread->in_queue);
    cpu->ready_bits |= UINT64_C(1) << thread->priority;
}

static void dequeue(struct thread *thread) {
    struct cpu *cpu = thread->cpu;
    ASSERT(list_is_linked(&thread->in_queue) && (cpu->ready_bits >> thread->priority & 1) != 0);
    list_remove(&thread->in_queue);
    if (list_is_empty(&cpu->queues[thread->priority]))
        cpu->ready_bits &= ~(UINT64_C(1) << thread->priority);
}

/* The priority of the best in its queues; -1: they are empty. */
static int ready_level(const struct cpu *cpu) {
    return cpu->ready_bits != 0 ? (int)bits_highest(cpu->ready_bits) : -1;
}

/* ---- Where a thread runs soonest ------------------------------------------------------------- */

/* The priority of the best that the CPU runs or is about to run; -1: nothing. */
static int cpu_level(const struct cpu *cpu) {
    int level = ready_level(cpu);
    if (cpu->current != NULL && cpu->current->state == THREAD_RUNNING &&
        cpu->current->priority > level)
        level = cpu->current->priority;
    if (cpu->next != NULL && cpu->next->priority > level)
        level = cpu->next->priority;
    return level;
}

/* The CPU on which it would run at once: its last one, or else the one with the least to do. */
static struct cpu *choose_cpu(const struct thread *thread) {
    struct cpu *last = thread->cpu;
    if (last != NULL && last->online && may_run_on(thread, last) &&
        cpu_level(last) < thread->priority)
        return last;
    struct cpu *best = NULL;
    int best_level = 0;
    for (uint32_t id = 0; id < kernel->cpu_count; id++) {
        struct cpu *cpu = &kernel->cpus[id];
        if (!cpu->online || !may_run_on(thread, cpu))
            continue;
        int level = cpu_level(cpu);
        if (best == NULL || level < best_level || (level == best_level && cpu == last)) {
            best = cpu;
            best_level = level;
        }
    }
    return best != NULL ? best : cpu_this(); /* at boot, or a mask of CPUs that did not start */
}

void sched_kick(struct cpu *cpu) {
    if (cpu == cpu_this() || cpu->kicked || !cpu->online)
        return;
    cpu->kicked = true;
    kernel->counters.kicks++;
    hal_cpu_kick(cpu->id);
}

void sched_kick_idle(void) {
    for (uint32_t id = 0; id < kernel->cpu_count; id++) {
        if (kernel->cpus[id].online && cpu_level(&kernel->cpus[id]) < 0) {
            sched_kick(&kernel->cpus[id]);
            return;
        }
    }
}

/*
 * Queues a READY thread. Its CPU is told if it should switch, or if it runs an equal and has not
 * set its timer to the end of the slice yet, because nobody was waiting for it.
 */
static void place(struct thread *thread, bool to_end) {
    struct cpu *cpu = choose_cpu(thread);
    bool first = (cpu->ready_bits >> thread->priority & 1) == 0;
    int level = cpu_level(cpu);
    enqueue(cpu, thread, to_end);
    if (level < thread->priority || (level == thread->priority && first))
        sched_kick(cpu);
}

/* ---- What others ask for --------------------------------------------------------------------- */

void sched_ready(struct thread *thread) {
    ASSERT(thread->state != THREAD_ENDED && !list_is_linked(&thread->in_queue));
    thread->state = THREAD_READY;
    thread->held = is_held_back(thread);
    if (!thread->held)
        place(thread, true);
}

void sched_remove(struct thread *thread) {
    ASSERT(thread->state == THREAD_READY);
    if (list_is_linked(&thread->in_queue))
        dequeue(thread);
    else if (!thread->held && thread->cpu->next == thread)
        thread->cpu->next = NULL;
}

void sched_switch_to(struct thread *thread) {
    struct cpu *cpu = cpu_this();
    ASSERT(thread->state == THREAD_BLOCKED);
    /* One whose slice is over waits behind its equals, or calls to and fro would pass them all. */
    if (thread->on_cpu || thread->slice_left_ns == 0 || !may_run_on(thread, cpu) ||
        is_held_back(thread) || cpu->next != NULL) {
        sched_ready(thread);
        return;
    }
    thread->state = THREAD_READY;
    thread->cpu = cpu;
    cpu->next = thread;
}

void sched_set_priority(struct thread *thread, uint8_t priority) {
    ASSERT(priority < AX_PRIORITY_COUNT);
    bool is_queued = list_is_linked(&thread->in_queue);
    if (is_queued)
        dequeue(thread);
    thread->priority = priority;
    if (is_queued)
        place(thread, true);
    else if (thread->state == THREAD_RUNNING && ready_level(thread->cpu) >= priority)
        sched_kick(thread->cpu);
}

void sched_set_affinity(struct thread *thread, uint64_t affinity) {
    ASSERT(affinity != 0);
    thread->affinity = affinity;
    struct cpu *cpu = thread->cpu;
    if (cpu == NULL || may_run_on(thread, cpu))
        return;
    if (thread->state == THREAD_RUNNING) {
        sched_kick(cpu);
    } else if (thread->state == THREAD_READY && !thread->held) {
        sched_remove(thread);
        place(thread, true);
    }
}

void sched_hold(struct thread *thread) {
    if (thread->state == THREAD_RUNNING) {
        sched_kick(thread->cpu);
    } else if (thread->state == THREAD_READY && !thread->held) {
        sched_remove(thread);
        thread->held = true;
    }
}

void sched_release(struct thread *thread) {
    if (thread->state == THREAD_READY && thread->held)
        sched_ready(thread);
}

/* ---- A CPU's choice -------------------------------------------------------------------------- */

void sched_leave(struct cpu *cpu) {
    struct thread *thread = cpu->current;
    if (thread != NULL && thread->state == THREAD_RUNNING && is_held_back(thread)) {
        thread->state = THREAD_READY;
        thread->held = true;
    }
    if (thread == NULL || thread->state == THREAD_RUNNING)
        return;
    struct process *process = thread->process;
    sched_account(cpu);
    cpu->current = NULL;
    thread->on_cpu = false;
    ASSERT(process->running > 0);
    process->running--;
    object_ref(&process->object);
    if (thread->state == THREAD_ENDED)
        thread_left(thread);
    if (process->running == 0)
        process_thread_left(process);
    object_unref(&process->object);
}

/* The current thread, if it may go on here unless there is something better. */
static struct thread *current_check(struct cpu *cpu) {
    sched_leave(cpu);
    struct thread *current = cpu->current;
    if (current == NULL)
        return NULL;
    bool is_over = current->slice_left_ns == 0;
    bool has_equals = (cpu->ready_bits >> current->priority & 1) != 0;
    if (is_over)
        current->slice_left_ns = SLICE_NS;
    if (may_run_on(current, cpu) && !(is_over && has_equals))
        return current;
    sched_ready(current);
    sched_leave(cpu);
    return NULL;
}

/* The best thread that waits for another CPU and may run here. */
static struct thread *steal(const struct cpu *cpu) {
    struct thread *best = NULL;
    for (uint32_t id = 0; id < kernel->cpu_count; id++) {
        const struct cpu *victim = &kernel->cpus[id];
        int level = ready_level(victim);
        unsigned looked = 0;
        struct thread *thread;
        if (level <= (best != NULL ? best->priority : -1))
            continue;
        list_for_each (thread, &victim->queues[level], in_queue) {
            if (may_run_on(thread, cpu))
                best = thread;
            if (best == thread || ++looked == STEAL_LOOK)
                break;
        }
    }
    return best;
}

/* Takes out what should run instead of the current thread (NULL: of nothing); NULL: it goes on. */
static struct thread *take_better(struct cpu *cpu, const struct thread *current) {
    struct thread *next = cpu->next;
    int floor = current != NULL ? current->priority : -1;
    cpu->next = NULL;
    if (next != NULL) {
        if (next->priority > floor && next->priority >= ready_level(cpu))
            return next;
        place(next, false);
    }
    int level = ready_level(cpu);
    if (level > floor)
        next = list_entry(list_first(&cpu->queues[level]), struct thread, in_queue);
    else
        next = current == NULL ? steal(cpu) : NULL;
    if (next != NULL)
        dequeue(next);
    return next;
}

struct thread *sched_pick(struct cpu *cpu) {
    struct thread *current = current_check(cpu);
    struct thread *next = take_better(cpu, current);
    if (next == NULL)
        return current;
    ASSERT(next->state == THREAD_READY && !next->on_cpu && !is_held_back(next));
    if (current != NULL) {
        current->state = THREAD_READY;
        sched_leave(cpu);
    }
    cpu->current = next;
    next->state = THREAD_RUNNING;
    next->on_cpu = true;
    next->started_ns = hal_time_ns();
    next->cpu = cpu;
    next->process->running++;
    if (next->slice_left_ns == 0)
        next->slice_left_ns = SLICE_NS;
    if (current != NULL)
        place(current, false);
    return next;
}

uint64_t sched_slice_end(const struct cpu *cpu) {
    const struct thread *current = cpu->current;
    if (current == NULL || (cpu->ready_bits >> current->priority & 1) == 0)
        return UINT64_MAX;
    return current->started_ns + current->slice_left_ns;
}

void sched_account(struct cpu *cpu) {
    struct thread *current = cpu->current;
    uint64_t now_ns = hal_time_ns();
    ASSERT(current->on_cpu && current->started_ns <= now_ns);
    uint64_t used_ns = now_ns - current->started_ns;
    current->started_ns = now_ns;
    current->cpu_ns += used_ns;
    current->process->cpu_ns += used_ns;
    current->slice_left_ns -= used_ns < current->slice_left_ns ? used_ns : current->slice_left_ns;
}
