/* SPDX-License-Identifier: MIT */
#include "timer.h"

#include "calls.h"
#include "handle.h"
#include "kernel.h"
#include "thread.h"

static int due_compare(const void *key, const struct tree_node *node) {
    const struct due *x = key, *y = container_of(node, const struct due, node);
    if (x->deadline_ns != y->deadline_ns)
        return x->deadline_ns < y->deadline_ns ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

void due_arm(struct due *due, uint64_t deadline_ns) {
    due_disarm(due);
    due->deadline_ns = deadline_ns;
    if (deadline_ns == AX_TIME_NEVER)
        return;
    due->cpu = cpu_this();
    due->sequence = due->cpu->due_sequence++;
    tree_insert(&due->cpu->due, &due->node, due, due_compare);
}

void due_disarm(struct due *due) {
    if (due->cpu == NULL)
        return;
    tree_remove(&due->cpu->due, &due->node);
    due->cpu = NULL;
}

uint64_t due_next(const struct cpu *cpu) {
    struct tree_node *first = tree_first(&cpu->due);
    return first != NULL ? container_of(first, struct due, node)->deadline_ns : UINT64_MAX;
}

static unsigned due_fire_one(struct due *due) {
    due_disarm(due);
    if (!due->is_timer) {
        thread_timeout(container_of(due, struct thread, due));
        return 1;
    }
    struct timer *timer = container_of(due, struct timer, due);
    unsigned cost = 1 + timer->object.watch_count;
    object_signal(&timer->object, 0, AX_SIGNAL_FIRED);
    return cost;
}

bool due_fire(struct cpu *cpu) {
    uint64_t now_ns = hal_time_ns();
    for (unsigned cost = 0; cost < WORK_PORTION && due_next(cpu) <= now_ns;)
        cost += due_fire_one(container_of(tree_first(&cpu->due), struct due, node));
    return due_next(cpu) <= now_ns;
}

ax_result timer_make(struct account *account, struct object **made) {
    struct timer *timer;
    TRY(object_make(AX_TYPE_TIMER, account, sizeof(*timer), &timer));
    timer->due.is_timer = true;
    timer->due.deadline_ns = AX_TIME_NEVER;
    *made = &timer->object;
    return AX_OK;
}

void timer_free(struct timer *timer) {
    due_disarm(&timer->due);
    object_free(&timer->object, sizeof(*timer));
}

ax_result sys_timer_set(struct thread *thread, const uint64_t arguments[5]) {
    struct timer *timer;
    TRY(handle_get(thread, arguments[0], AX_TYPE_TIMER, AX_RIGHT_WRITE, &timer));
    uint64_t deadline_ns = arguments[1];
    bool passed = deadline_ns <= hal_time_ns();
    due_arm(&timer->due, passed ? AX_TIME_NEVER : deadline_ns);
    timer->due.deadline_ns = deadline_ns;
    object_signal(&timer->object, AX_SIGNAL_FIRED, passed ? AX_SIGNAL_FIRED : 0);
    return AX_OK;
}
