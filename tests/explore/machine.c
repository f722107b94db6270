/* SPDX-License-Identifier: MIT */
/*
 * Steps of the machine. With one CPU a step runs until the CPU is in user mode or idle again; with
 * two, what is pending for a CPU is a step of its own, so that anything may come before it, a
 * kernel call of the thread that is in user mode there as well. Any READY thread may be the next to
 * run, on any CPU, as if slices and affinities were set so.
 */
#include "process.h"
#include "sched.h"
#include "timer.h"
#include "world.h"

/* What user mode does next on a CPU. */
static struct {
    const struct hal_event *event;
    uint32_t cpu;
} next;

bool machine_user(void *context, uint32_t cpu, struct hal_user *user, struct hal_event *event) {
    (void)context;
    (void)user;
    if (next.event == NULL || next.cpu != cpu)
        return false;
    *event = *next.event;
    next.event = NULL;
    return true;
}

void machine_meet(uint32_t cpu, const struct hal_event *event) {
    next.event = event;
    next.cpu = cpu;
    driver_step_late(cpu);
    MUST(next.event == NULL);
}

static bool cpu_is_busy(uint32_t cpu) {
    return model_cpu_is_pending(cpu) || kernel->cpus[cpu].poll;
}

static void settle(void) {
    for (unsigned steps = 0; kernel->cpu_count == 1 && cpu_is_busy(0); steps++) {
        MUST(steps < 1000);
        driver_step(0);
    }
}

/* ---- A thread gets a CPU --------------------------------------------------------------------- */

static void thread_move(struct thread *thread, uint32_t cpu) {
    model_cpu_set(cpu);
    kernel_lock();
    sched_set_affinity(thread, UINT64_C(1) << cpu);
    sched_set_affinity(thread, UINT64_MAX);
    kernel_unlock();
    model_cpu_set(0);
}

/* The CPU leaves user mode because the slice is over, or the wait, for no reason. */
static void cpu_switch(struct cpu *cpu) {
    static const struct hal_event over = {.kind = HAL_EVENT_TIMER};
    if (cpu->current == NULL || cpu_is_busy(cpu->id)) {
        driver_step(cpu->id);
        return;
    }
    cpu->current->slice_left_ns = 0;
    machine_meet(cpu->id, &over);
}

/* False: it ended before. */
static bool thread_run(struct thread *thread, uint32_t cpu) {
    if (thread->state == THREAD_READY && thread->cpu->id != cpu)
        thread_move(thread, cpu);
    for (unsigned i = 0; thread->state == THREAD_READY; i++) {
        if (i == 32)
            explore_fail("%s is ready and gets no CPU", who_name(who_is(thread)));
        cpu_switch(&kernel->cpus[cpu]);
    }
    return thread->state == THREAD_RUNNING && !thread->cpu->poll;
}

/* ---- Which steps there are ------------------------------------------------------------------- */

/* The best priority that runs or waits on the CPU. */
static int cpu_level(const struct cpu *cpu) {
    int level = cpu->current != NULL ? cpu->current->priority : -1;
    for (int priority = AX_PRIORITY_COUNT - 1; priority > level; priority--) {
        if ((cpu->ready_bits >> priority & 1) != 0)
            return priority;
    }
    return level;
}

static bool may_run(const struct thread *thread, const struct cpu *cpu) {
    if (thread->state == THREAD_RUNNING)
        return thread->cpu == cpu && !cpu->poll;
    return thread->state == THREAD_READY && !thread->held && !cpu_is_busy(cpu->id) &&
           thread->priority >= cpu_level(cpu);
}

static unsigned steps_of_script(unsigned who, struct step *steps, unsigned count) {
    const struct thread *thread = setting.thread[who];
    struct moves moves;
    script_moves(who, &moves);
    for (uint32_t cpu = 0; moves.count > 0 && cpu < kernel->cpu_count; cpu++) {
        if (!may_run(thread, &kernel->cpus[cpu]))
            continue;
        for (unsigned i = 0; i < moves.count; i++) {
            MUST(count < STEPS_MAX);
            steps[count++] = (struct step){.kind = STEP_SCRIPT,
                                           .who = (uint8_t)who,
                                           .cpu = (uint8_t)cpu,
                                           .move = moves.all[i]};
        }
    }
    return count;
}

static uint64_t due_first(void) {
    uint64_t first_ns = UINT64_MAX;
    for (uint32_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
        uint64_t due_ns = due_next(&kernel->cpus[cpu]);
        first_ns = due_ns < first_ns ? due_ns : first_ns;
    }
    return first_ns;
}

unsigned machine_steps(struct step steps[STEPS_MAX]) {
    unsigned count = 0;
    for (unsigned who = 0; who < ACTORS; who++)
        count = steps_of_script(who, steps, count);
    for (uint32_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
        const struct thread *current = kernel->cpus[cpu].current;
        MUST(count < STEPS_MAX - 2);
        if (cpu_is_busy(cpu))
            steps[count++] = (struct step){.kind = STEP_CPU, .cpu = (uint8_t)cpu, .who = NOBODY};
        if (current != NULL && current->state == THREAD_ENDED && !kernel->cpus[cpu].poll)
            steps[count++] = (struct step){
                .kind = STEP_LATE, .cpu = (uint8_t)cpu, .who = (uint8_t)who_is(current)};
    }
    uint64_t due_ns = due_first();
    if (due_ns != UINT64_MAX && due_ns > hal_time_ns())
        steps[count++] = (struct step){.kind = STEP_TIME, .who = NOBODY};
    return count;
}

/* ---- Taking one ------------------------------------------------------------------------------ */

static void step_script(struct step *step) {
    struct thread *thread = setting.thread[step->who];
    struct hal_event event;
    step->result = DRIVER_ENDED;
    if (!thread_run(thread, step->cpu))
        return;
    script_begin(step->who, step->move, &event);
    machine_meet(thread->cpu->id, &event);
    step->result = driver_answer(thread);
}

/* Early answers are asked for of calls whose deadline passes now. */
static void step_time(void) {
    uint64_t due_ns = due_first();
    model_time_advance(due_ns - hal_time_ns());
    for (unsigned who = C1; who <= C2; who++) {
        const struct due *due = &setting.thread[who]->due;
        if (due->cpu != NULL && due->deadline_ns <= due_ns && world.actors[who].in_call)
            world.records[tag_of_call(who)].asked = 1;
    }
}

void machine_step(struct step *step) {
    static const struct hal_event late = {
        .kind = HAL_EVENT_CALL,
        .call = {.number = AX_CALL_OBJECT_CREATE, .arguments = {AX_TYPE_EVENT}}};
    switch ((enum step_kind)step->kind) {
    case STEP_SCRIPT: step_script(step); break;
    case STEP_CPU: driver_step(step->cpu); break;
    case STEP_TIME: step_time(); break;
    case STEP_LATE: machine_meet(step->cpu, &late); break;
    }
    core_log_show(); /* at once: how far it is makes no difference to anybody */
    settle();
    scripts_absorb();
}
