/* SPDX-License-Identifier: MIT */
/* The event loop: what each event does, work, timers, interrupts. */
#include <setjmp.h>

#include "cpu_world.h"
#include "timer.h"

START_TEST(kick_changes_nothing) {
    machine_start(1);
    struct thread *thread = driver_thread(driver_process());
    struct ax_regs regs = thread->user.regs;
    driver_step(0);
    ck_assert(runs(thread));
    ck_assert_int_eq(memcmp(&regs, &thread->user.regs, sizeof(regs)), 0);
    machine_stop();
}
END_TEST

START_TEST(lost_thread_ends_its_process) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    driver_thread(process);
    driver_event(thread, &(struct hal_event){.kind = HAL_EVENT_LOST});
    ck_assert_uint_eq(info_of(process).process.cause, AX_CAUSE_MACHINE);
    ck_assert_int_eq(process->state, PROCESS_CORPSE);
    machine_stop();
}
END_TEST

START_TEST(interrupt_signals_its_owner) {
    machine_start(2);
    struct process *process = driver_process();
    ax_handle device = driver_copy(driver_root(), AX_ROOT_DEVICE_IRQS, process, AX_RIGHT_ALL);
    struct thread *thread = driver_thread(process);
    ax_result irq = kcall(thread, AX_CALL_IRQ_CREATE, device, 3);
    ck_assert_int_gt(irq, 0);
    expect(kcall(thread, AX_CALL_OBJECT_SIGNAL, (uint64_t)irq, AX_SIGNAL_FIRED, 0), AX_OK);
    expect(kcall(thread, AX_CALL_OBJECT_WAIT, (uint64_t)irq, AX_SIGNAL_FIRED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    uint64_t before = kernel->counters.interrupts;
    model_irq_raise(3, 1); /* at a CPU that is idle */
    driver_settle();
    ck_assert_uint_eq(kernel->counters.interrupts, before + 1);
    expect(driver_answer(thread), AX_SIGNAL_FIRED);
    ck_assert(model_irq_is_masked(3));
    machine_stop();
}
END_TEST

START_TEST(interrupt_preempts_a_busy_cpu) {
    machine_start(1);
    struct process *process = driver_process();
    ax_handle device = driver_copy(driver_root(), AX_ROOT_DEVICE_IRQS, process, AX_RIGHT_ALL);
    struct thread *thread = driver_thread_with(process, 20, 0);
    ax_result irq = kcall(thread, AX_CALL_IRQ_CREATE, device, 3);
    expect(kcall(thread, AX_CALL_OBJECT_SIGNAL, (uint64_t)irq, AX_SIGNAL_FIRED, 0), AX_OK);
    expect(kcall(thread, AX_CALL_OBJECT_WAIT, (uint64_t)irq, AX_SIGNAL_FIRED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    struct thread *busy = driver_thread_with(process, 10, 0);
    ck_assert(runs(busy));
    model_irq_raise(3, 0);
    driver_settle();
    ck_assert(runs(thread));
    machine_stop();
}
END_TEST

START_TEST(unowned_interrupts_are_counted) {
    machine_start(1);
    uint64_t before = kernel->counters.interrupts;
    hal_irq_unmask(7);
    model_irq_raise(7, 0);
    driver_settle();
    ck_assert_uint_eq(kernel->counters.interrupts, before + 1);
    ck_assert(model_irq_is_masked(7));
    machine_stop();
}
END_TEST

/* ---- Timers ---------------------------------------------------------------------------------- */

START_TEST(idle_cpu_sleeps_until_the_first_deadline) {
    machine_start(1);
    struct process *process = driver_process();
    struct thread *late = driver_thread(process), *soon = driver_thread(process);
    uint64_t now_ns = hal_time_ns();
    expect(kcall(late, AX_CALL_OBJECT_WAIT_MANY, 0, now_ns + 5000), DRIVER_BLOCKED);
    expect(kcall(soon, AX_CALL_OBJECT_WAIT_MANY, 0, now_ns + 3000), DRIVER_BLOCKED);
    ck_assert_uint_eq(model_deadline(0), now_ns + 3000);
    driver_advance(2999);
    expect(driver_answer(soon), DRIVER_BLOCKED);
    driver_advance(1);
    expect(driver_answer(soon), AX_ERR_TIMEOUT);
    ck_assert_uint_eq(model_deadline(0), now_ns + 5000);
    driver_advance(2000);
    expect(driver_answer(late), AX_ERR_TIMEOUT);
    ck_assert_uint_ge(model_deadline(0), now_ns + 5000 + 1); /* the two share the CPU now */
    machine_stop();
}
END_TEST

/* More are due than one portion: none is forgotten. */
START_TEST(very_many_are_due_at_once) {
    enum { COUNT = 3 * WORK_PORTION };
    machine_start(1);
    struct process *process = driver_process();
    static ax_handle timers[COUNT];
    struct thread *thread = driver_thread(process);
    uint64_t due_ns = hal_time_ns() + 1000;
    for (unsigned i = 0; i < COUNT; i++) {
        timers[i] = (ax_handle)kcall(thread, AX_CALL_OBJECT_CREATE, AX_TYPE_TIMER);
        expect(kcall(thread, AX_CALL_TIMER_SET, timers[i], due_ns), AX_OK);
    }
    model_time_advance(1000);
    driver_step(0);
    unsigned fired = 0;
    for (unsigned i = 0; i < COUNT; i++)
        fired += (driver_object(process, timers[i])->signals & AX_SIGNAL_FIRED) != 0;
    ck_assert_uint_le(fired, WORK_PORTION);
    driver_settle();
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert((driver_object(process, timers[i])->signals & AX_SIGNAL_FIRED) != 0);
    machine_stop();
}
END_TEST

/* ---- Work ------------------------------------------------------------------------------------ */

/* A process with many handles: its end takes several portions. */
static struct process *big_process(void) {
    struct process *process = driver_process();
    struct thread *thread = driver_thread(process);
    for (unsigned i = 0; i < 5 * WORK_PORTION; i++)
        ck_assert_int_gt(kcall(thread, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT), 0);
    return process;
}

static void end_now(struct process *process) {
    kernel_lock();
    process_end(process, AX_CAUSE_KILLED, 0, 0, 0);
    kernel_unlock();
}

START_TEST(idle_cpu_works) {
    machine_start_manual(1);
    struct process *process = big_process();
    end_now(process);
    unsigned steps = 0;
    while (process->state != PROCESS_CORPSE) {
        driver_step(0);
        steps++;
        ck_assert(process->state == PROCESS_CORPSE || kernel->cpus[0].poll);
    }
    ck_assert_uint_gt(steps, 3);
    machine_stop();
}
END_TEST

/* A busy CPU takes its share: a portion at each entry, the next entry before long. */
START_TEST(busy_cpu_works_on_the_side) {
    machine_start_manual(1);
    struct process *process = big_process();
    struct thread *busy = driver_thread_with(driver_process(), 30, 0);
    driver_run(busy);
    end_now(process);
    driver_step(0);
    ck_assert(runs(busy));
    ck_assert(work_is_pending());
    ck_assert_uint_eq(model_deadline(0), hal_time_ns() + WORK_GAP_NS);
    while (process->state != PROCESS_CORPSE) {
        model_time_advance(WORK_GAP_NS);
        ck_assert(model_cpu_is_pending(0));
        driver_step(0);
        ck_assert(runs(busy));
    }
    driver_settle();
    ck_assert_uint_eq(model_deadline(0), UINT64_MAX);
    machine_stop();
}
END_TEST

START_TEST(idle_cpu_is_called_to_work) {
    machine_start_manual(2);
    struct process *process = big_process();
    struct thread *busy = driver_thread_with(driver_process(), 30, 0);
    pin(busy, 1);
    driver_run(busy);
    driver_settle();
    ck_assert(runs_on(busy, 0));
    end_now(process);
    driver_settle(); /* first its thread has to leave its CPU */
    process = driver_process();
    kernel_lock();
    for (unsigned i = 0; i < 3 * WORK_PORTION; i++) {
        ck_assert_int_eq(handle_promise(process, 1), AX_OK);
        handle_put_promised(process, &process->object, 0);
    }
    process_end(process, AX_CAUSE_KILLED, 0, 0, 0);
    kernel_unlock();
    ck_assert(!model_cpu_is_pending(1));
    driver_step(0);
    ck_assert(model_cpu_is_pending(1));
    while (process->state != PROCESS_CORPSE)
        driver_step(1);
    machine_stop();
}
END_TEST

/* ---- The loop itself ------------------------------------------------------------------------- */

static jmp_buf loop_end;
static unsigned loop_entries;
static uint32_t started;

/* A user mode that makes a kernel call each time, and ends the test at some time. */
static bool loop_user(void *context, uint32_t cpu, struct hal_user *user, struct hal_event *event) {
    (void)context;
    (void)cpu;
    (void)user;
    if (++loop_entries == 100)
        longjmp(loop_end, 1); /* NOLINT: the loop never returns */
    *event = (struct hal_event){.kind = HAL_EVENT_CALL, .call = {.number = UINT64_MAX}};
    return true;
}

static bool loop_start(void *context, uint32_t cpu) {
    (void)context;
    started |= 1U << cpu;
    return cpu != 2;
}

static char loop_text[1024];
static void loop_console(void *context, const char *text, size_t size) {
    (void)context;
    strncat(loop_text, text, size);
}

START_TEST(core_runs_for_ever) {
    static const struct ax_root_image image = {
        .magic = AX_ROOT_MAGIC,
        .entry = 0x400000,
        .segment_count = 1,
        .segments = {{.address = 0x400000, .size_bytes = 1, .prot = AX_PROT_EXECUTE}}};
    struct model_config config = {
        .cpu_count = 4,
        .modules = {&image},
        .module_bytes = {sizeof(image)},
        .module_count = 1,
        .hooks = {.user = loop_user, .start = loop_start, .console = loop_console}};
    model_create(&config);
    if (setjmp(loop_end) == 0) /* NOLINT */
        core_start();
    ck_assert_uint_eq(started, 0xe);
    ck_assert_ptr_nonnull(strstr(loop_text, "CPU 2 does not start"));
    ck_assert(kernel->cpus[0].online && !kernel->cpus[1].online);
    ck_assert_uint_ge(kernel->counters.kernel_calls, 99);
    struct thread *root =
        list_entry(list_first(&kernel->root.process->threads), struct thread, in_process);
    ck_assert_int_eq((int64_t)root->user.regs.rax, AX_ERR_NO_CALL);
    model_destroy();
}
END_TEST

TCase *cpu_loop_tests(void) {
    TCase *tcase = tcase_create("cpu_loop");
    tcase_add_test(tcase, kick_changes_nothing);
    tcase_add_test(tcase, lost_thread_ends_its_process);
    tcase_add_test(tcase, interrupt_signals_its_owner);
    tcase_add_test(tcase, interrupt_preempts_a_busy_cpu);
    tcase_add_test(tcase, unowned_interrupts_are_counted);
    tcase_add_test(tcase, idle_cpu_sleeps_until_the_first_deadline);
    tcase_add_test(tcase, very_many_are_due_at_once);
    tcase_add_test(tcase, idle_cpu_works);
    tcase_add_test(tcase, busy_cpu_works_on_the_side);
    tcase_add_test(tcase, idle_cpu_is_called_to_work);
    tcase_add_test(tcase, core_runs_for_ever);
    return tcase;
}
