/* SPDX-License-Identifier: MIT */
/* On which CPU threads run: spreading, affinity, stealing, kicks, direct switches. */
#include "cpu_world.h"

START_TEST(threads_spread_over_cpus) {
    machine_start(4);
    struct process *process = driver_process();
    struct thread *threads[5];
    for (unsigned i = 0; i < 5; i++)
        threads[i] = driver_thread(process);
    for (unsigned i = 0; i < 4; i++)
        ck_assert(runs(threads[i]));
    ck_assert(!runs(threads[4]));
    machine_stop();
}
END_TEST

START_TEST(woken_thread_goes_where_it_was) {
    machine_start(4);
    struct process *process = driver_process();
    struct thread *threads[3];
    for (unsigned i = 0; i < 3; i++)
        threads[i] = driver_thread(process);
    uint32_t cpu = threads[2]->cpu->id;
    sleep_for_ever(threads[2]);
    sleep_for_ever(threads[0]);
    with_lock(thread_interrupt, threads[2]);
    ck_assert_int_eq(threads[2]->state, THREAD_READY);
    ck_assert_uint_eq(threads[2]->cpu->id, cpu); /* waits there, unless it is stolen */
    machine_stop();
}
END_TEST

START_TEST(better_thread_takes_the_least_important_cpu) {
    machine_start(3);
    struct process *process = driver_process();
    struct thread *a = driver_thread_with(process, 12, 0);
    struct thread *b = driver_thread_with(process, 10, 0);
    struct thread *c = driver_thread_with(process, 11, 0);
    uint32_t cpu = b->cpu->id;
    struct thread *d = driver_thread_with(process, 20, 0);
    ck_assert(runs_on(d, cpu));
    ck_assert(runs(a) && runs(c) && !runs(b));
    machine_stop();
}
END_TEST

START_TEST(affinity_is_kept) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *a = driver_thread(process);
    struct thread *b = driver_thread(process);
    pin(a, 2);
    pin(b, 2);
    driver_settle();
    ck_assert(runs_on(a, 1) != runs_on(b, 1));
    ck_assert_ptr_null(kernel->cpus[0].current); /* idle, but may steal neither */
    machine_stop();
}
END_TEST

START_TEST(running_thread_moves_when_its_affinity_changes) {
    machine_start(2);
    struct thread *a = driver_thread(driver_process());
    for (unsigned i = 0; i < 4; i++) {
        pin(a, i % 2 != 0 ? 1 : 2);
        driver_step(0);
        driver_settle();
        ck_assert(runs_on(a, i % 2 != 0 ? 0 : 1));
    }
    machine_stop();
}
END_TEST

/* Also when it gives way before its CPU has been told. */
START_TEST(thread_that_gives_way_goes_where_it_may) {
    machine_start_manual(2);
    struct process *process = driver_process();
    struct thread *a = driver_thread(process), *b = driver_thread(process);
    pin(a, 2);
    pin(b, 2);
    struct thread *current = runs(a) ? a : b;
    ck_assert(runs_on(current, 1));
    kernel_lock();
    sched_set_affinity(current, 1);
    kernel_unlock();
    driver_yield_late(current);
    ck_assert_uint_eq(current->cpu->id, 0);
    driver_settle();
    ck_assert(runs_on(current, 0));
    machine_stop();
}
END_TEST

START_TEST(queued_thread_moves_when_its_affinity_changes) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *a = driver_thread(process);
    struct thread *b = driver_thread(process);
    pin(a, 1);
    pin(b, 1);
    driver_settle();
    struct thread *waits = runs(a) ? b : a;
    ck_assert(!runs(waits));
    pin(waits, 3);
    ck_assert(!runs(waits)); /* it may stay where it is, and nobody was told ... */
    pin(waits, 2);
    ck_assert(runs_on(waits, 1)); /* ... but now it may not */
    machine_stop();
}
END_TEST

START_TEST(blocked_thread_wakes_within_its_affinity) {
    machine_start(2);
    struct thread *a = driver_thread(driver_process());
    uint32_t cpu = a->cpu->id;
    sleep_for_ever(a);
    pin(a, UINT64_C(1) << (1 - cpu));
    with_lock(thread_interrupt, a);
    driver_settle();
    ck_assert(runs_on(a, 1 - cpu));
    machine_stop();
}
END_TEST

START_TEST(affinity_call_checks_its_mask) {
    machine_start(2);
    struct thread *a = driver_thread(driver_process());
    expect(kcall(a, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 0), AX_ERR_ARGUMENT);
    expect(kcall(a, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 4), AX_ERR_ARGUMENT);
    expect(kcall(a, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 6), AX_OK);
    driver_settle();
    ck_assert(runs_on(a, 1));
    machine_stop();
}
END_TEST

/* A CPU that has nothing to do takes what waits for another one. */
START_TEST(idle_cpu_steals) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *threads[4];
    for (unsigned i = 0; i < 4; i++)
        threads[i] = driver_thread(process);
    struct thread *last = threads[3];
    for (unsigned i = 0; i < 3; i++)
        sleep_for_ever(threads[i]);
    ck_assert(runs(last));
    with_lock(thread_interrupt, threads[0]);
    with_lock(thread_interrupt, threads[1]);
    driver_settle();
    ck_assert_int_eq(runs(last) + runs(threads[0]) + runs(threads[1]), 2);
    struct thread *on_first = kernel->cpus[0].current;
    sleep_for_ever(on_first);
    ck_assert_ptr_nonnull(kernel->cpus[0].current);
    ck_assert_ptr_nonnull(kernel->cpus[1].current);
    machine_stop();
}
END_TEST

START_TEST(thief_takes_the_best_it_may_run) {
    machine_start(2);
    struct process *process = driver_process();
    struct thread *busy[2];
    for (unsigned i = 0; i < 2; i++)
        busy[i] = driver_thread_with(process, 30, 0);
    struct thread *on_first = runs_on(busy[0], 0) ? busy[0] : busy[1];
    struct thread *on_second = runs_on(busy[0], 0) ? busy[1] : busy[0];
    pin(on_first, 1);
    struct thread *low = driver_thread_with(process, 5, 0);
    struct thread *pinned = driver_thread_with(process, 20, 0);
    struct thread *high = driver_thread_with(process, 20, 0);
    pin(low, 1);
    pin(pinned, 1);
    pin(high, 1);
    low->affinity = high->affinity = 3;
    ck_assert(!runs(low) && !runs(pinned) && !runs(high));
    sleep_for_ever(on_second);
    ck_assert(runs_on(high, 1));
    machine_stop();
}
END_TEST

static void make_ready_there(struct thread *thread) {
    thread->affinity = 2;
    sched_remove(thread);
    sched_ready(thread);
}

START_TEST(kicks_are_counted_and_not_repeated) {
    machine_start_manual(2);
    struct process *process = driver_process();
    struct thread *low = driver_thread_with(process, 10, 0);
    pin(low, 2);
    driver_settle();
    struct thread *better[3];
    for (unsigned i = 0; i < 3; i++) {
        better[i] = driver_thread_with(process, 5, 0);
        better[i]->priority = better[i]->base_priority = 5;
        pin(better[i], 2);
    }
    driver_settle();
    ck_assert(runs_on(low, 1));
    uint64_t kicks = kernel->counters.kicks;
    for (unsigned i = 0; i < 3; i++) {
        kernel_lock();
        sched_set_priority(better[i], (uint8_t)(20 + i));
        kernel_unlock();
    }
    ck_assert_uint_eq(kernel->counters.kicks, kicks + 1); /* it has not answered yet */
    driver_settle();
    ck_assert(runs_on(better[2], 1));
    with_lock(make_ready_there, better[0]);
    ck_assert_uint_eq(kernel->counters.kicks, kicks + 1); /* not better than what runs */
    for (unsigned i = 0; i < 3; i++)
        set_priority(better[i], 5);
    machine_stop();
}
END_TEST

START_TEST(cpus_that_did_not_start_get_nothing) {
    struct driver_config config = {.model = {.cpu_count = 3}};
    driver_start(&config);
    kernel->cpus[2].online = false;
    struct process *process = driver_process();
    sleep_for_ever(driver_root_thread());
    for (unsigned i = 0; i < 5; i++)
        driver_thread(process);
    ck_assert_ptr_null(kernel->cpus[2].current);
    ck_assert_uint_eq(kernel->cpus[2].ready_bits, 0);
    driver_stop();
}
END_TEST

/* A session and its server, which receives. */
struct service {
    struct thread *client, *server;
    ax_handle endpoint, session;
};

static struct service service_start(uint8_t client_priority, uint8_t server_priority) {
    struct service service;
    struct process *servers = driver_process(), *clients = driver_process();
    service.server = driver_thread_with(servers, server_priority, 0);
    service.endpoint = (ax_handle)kcall(service.server, AX_CALL_OBJECT_CREATE, AX_TYPE_ENDPOINT);
    ax_result session = kcall(service.server, AX_CALL_SESSION_CREATE, service.endpoint, 1);
    ck_assert_int_gt(session, 0);
    service.session = driver_copy(servers, (ax_handle)session, clients, AX_RIGHT_ALL);
    service.server->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    expect(kcall(service.server, AX_CALL_REPLY_RECEIVE, 0, service.endpoint), DRIVER_BLOCKED);
    service.client = driver_thread_with(clients, client_priority, 0);
    service.client->page->ipc.deadline_ns = AX_TIME_NEVER;
    return service;
}

/* Call and answer stay on one CPU; the other one is not woken. */
START_TEST(call_switches_to_the_server_directly) {
    machine_start(2);
    struct service service = service_start(16, 16);
    uint32_t cpu = service.client->cpu->id;
    uint64_t kicks = kernel->counters.kicks;
    expect(kcall(service.client, AX_CALL_CALL, service.session), DRIVER_BLOCKED);
    ck_assert(runs_on(service.server, cpu));
    ax_handle reply = service.server->page->ipc.message.reply;
    service.server->page->ipc.message.operation = 0;
    expect(kcall(service.server, AX_CALL_REPLY_RECEIVE, reply, service.endpoint), DRIVER_BLOCKED);
    ck_assert(runs_on(service.client, cpu));
    expect(driver_answer(service.client), AX_OK);
    ck_assert_uint_eq(kernel->counters.kicks, kicks);
    machine_stop();
}
END_TEST

START_TEST(call_does_not_pass_a_better_thread) {
    machine_start(1);
    struct service service = service_start(16, 16);
    struct process *process = driver_process();
    ck_assert(runs(service.client));
    /* A thread of higher priority becomes ready in the same kernel entry: by a higher server. */
    struct thread *equal = driver_thread_with(process, 16, 0);
    expect(kcall(service.client, AX_CALL_CALL, service.session), DRIVER_BLOCKED);
    ck_assert(runs(service.server)); /* before its equals */
    ck_assert(!runs(equal));
    machine_stop();
}
END_TEST

START_TEST(switch_respects_affinity) {
    machine_start(2);
    struct service service = service_start(16, 16);
    uint32_t cpu = service.client->cpu->id;
    pin(service.server, UINT64_C(1) << (1 - cpu));
    pin(service.client, UINT64_C(1) << cpu);
    expect(kcall(service.client, AX_CALL_CALL, service.session), DRIVER_BLOCKED);
    ck_assert(runs_on(service.server, 1 - cpu));
    machine_stop();
}
END_TEST

/* The client's call is handled, but its CPU has not chosen the next thread yet. */
static void call_handled(const struct service *service) {
    struct hal_event event = {.kind = HAL_EVENT_CALL,
                              .call = {.number = AX_CALL_CALL, .arguments = {service->session}}};
    struct cpu *cpu = service->client->cpu;
    ck_assert(runs(service->client));
    model_cpu_set(cpu->id);
    kernel_lock();
    cpu_handle(cpu, &event);
    kernel_unlock();
    ck_assert_ptr_eq(cpu->next, service->server);
}

static void prepare_now(struct cpu *cpu) {
    kernel_lock();
    cpu_prepare(cpu);
    kernel_unlock();
    model_cpu_set(0);
    driver_settle();
}

START_TEST(next_thread_may_end_before_it_runs) {
    machine_start_manual(1);
    struct service service = service_start(16, 16);
    driver_settle();
    call_handled(&service);
    kernel_lock();
    thread_end(service.server, AX_CAUSE_KILLED, 0);
    kernel_unlock();
    ck_assert_ptr_null(kernel->cpus[0].next);
    prepare_now(&kernel->cpus[0]);
    ck_assert(runs(service.client)); /* nobody is left to answer */
    expect(driver_answer(service.client), AX_ERR_PEER_CLOSED);
    machine_stop();
}
END_TEST

START_TEST(next_thread_may_be_suspended_before_it_runs) {
    machine_start_manual(1);
    struct service service = service_start(16, 16);
    driver_settle();
    call_handled(&service);
    struct process *process = service.server->process;
    process->suspended++;
    with_lock(sched_hold, service.server);
    prepare_now(&kernel->cpus[0]);
    ck_assert(service.server->held);
    process->suspended--;
    with_lock(sched_release, service.server);
    driver_settle();
    ck_assert(runs(service.server));
    machine_stop();
}
END_TEST

START_TEST(next_thread_gives_way_to_a_better_one) {
    machine_start_manual(1);
    struct service service = service_start(16, 16);
    driver_settle();
    call_handled(&service);
    struct thread *better = driver_thread_with(driver_process(), 30, 0);
    prepare_now(&kernel->cpus[0]);
    ck_assert(runs(better));
    struct thread *equal = driver_thread_with(driver_process(), 16, 0);
    sleep_for_ever(better);
    ck_assert(runs(service.server)); /* still the first of its equals */
    ck_assert(!runs(equal));
    machine_stop();
}
END_TEST

START_TEST(next_thread_may_get_another_priority) {
    machine_start_manual(1);
    struct service service = service_start(16, 16);
    struct thread *between = driver_thread_with(driver_process(), 10, 0);
    driver_settle();
    call_handled(&service);
    kernel_lock();
    sched_set_priority(service.server, 5);
    kernel_unlock();
    prepare_now(&kernel->cpus[0]);
    ck_assert(runs(between));
    kernel_lock();
    sched_set_priority(service.server, 16);
    kernel_unlock();
    driver_settle();
    ck_assert(runs(service.server));
    machine_stop();
}
END_TEST

/* A server that only answers goes on itself; its client finds another CPU, or waits. */
START_TEST(answer_alone_does_not_preempt) {
    machine_start((uint32_t)_i);
    struct service service = service_start(16, 16);
    expect(kcall(service.client, AX_CALL_CALL, service.session), DRIVER_BLOCKED);
    ck_assert(runs(service.server));
    ax_handle reply = service.server->page->ipc.message.reply;
    service.server->page->ipc.message.operation = 0;
    expect(kcall(service.server, AX_CALL_REPLY_RECEIVE, reply, 0), AX_OK);
    ck_assert(runs(service.server));
    ck_assert_int_eq(runs(service.client), _i > 1);
    expect(driver_answer(service.client), AX_OK);
    machine_stop();
}
END_TEST

/* The call that the service's running thread makes next. */
static struct hal_event service_event(const struct service *service) {
    struct hal_event event = {.kind = HAL_EVENT_CALL};
    if (service->client->on_cpu) {
        event.call.number = AX_CALL_CALL;
        event.call.arguments[0] = service->session;
        return event;
    }
    struct ax_message *message = &service->server->page->ipc.message;
    message->operation = 0;
    event.call.number = AX_CALL_REPLY_RECEIVE;
    event.call.arguments[0] = message->reply;
    event.call.arguments[1] = service->endpoint;
    return event;
}

/* Threads that wake each other directly use up their slices like any other, though each is in a
 * call by the time that its slice is over. */
START_TEST(calls_to_and_fro_share_with_equals) {
    machine_start(1);
    struct service service = service_start(16, 16);
    struct thread *equal = driver_thread_with(service.client->process, 16, 0);
    struct cpu *cpu = &kernel->cpus[0];
    kernel_lock();
    for (unsigned turn = 0; !equal->on_cpu; turn++) {
        ck_assert_uint_lt(turn, 8);
        struct hal_event event = service_event(&service);
        model_time_advance(SLICE_NS);
        cpu_handle(cpu, &event);
        cpu_prepare(cpu);
    }
    kernel_unlock();
    machine_stop();
}
END_TEST

START_TEST(suspended_client_is_answered) {
    machine_start(1);
    struct service service = service_start(16, 16);
    expect(kcall(service.client, AX_CALL_CALL, service.session), DRIVER_BLOCKED);
    expect(control(service.client->process, AX_PROCESS_SUSPEND), AX_OK);
    ax_handle reply = service.server->page->ipc.message.reply;
    service.server->page->ipc.message.operation = 0;
    expect(kcall(service.server, AX_CALL_REPLY_RECEIVE, reply, service.endpoint), DRIVER_BLOCKED);
    ck_assert(service.client->held);
    expect(driver_answer(service.client), AX_OK);
    expect(control(service.client->process, AX_PROCESS_RESUME), AX_OK);
    ck_assert(runs(service.client));
    machine_stop();
}
END_TEST

/* A thief looks at a bounded number of threads. */
START_TEST(thief_does_not_look_for_ever) {
    machine_start(3);
    struct process *process = driver_process();
    struct thread *pinned = driver_thread_with(process, 30, 0);
    pin(pinned, 1);
    for (unsigned i = 0; i < 20; i++) {
        struct thread *thread = driver_thread_with(process, 20, 0);
        pin(thread, 1);
    }
    driver_settle();
    ck_assert(runs_on(pinned, 0));
    struct thread *last = driver_thread_with(process, 10, 0); /* to be stolen at once ... */
    ck_assert(runs(last));
    pin(last, 1);
    last->affinity = UINT64_MAX; /* ... but hidden behind so many that may not be */
    driver_step(1);
    driver_step(2);
    ck_assert(!runs(last));
    machine_stop();
}
END_TEST

TCase *sched_place_tests(void) {
    TCase *tcase = tcase_create("sched_place");
    tcase_add_test(tcase, threads_spread_over_cpus);
    tcase_add_test(tcase, woken_thread_goes_where_it_was);
    tcase_add_test(tcase, better_thread_takes_the_least_important_cpu);
    tcase_add_test(tcase, affinity_is_kept);
    tcase_add_test(tcase, running_thread_moves_when_its_affinity_changes);
    tcase_add_test(tcase, thread_that_gives_way_goes_where_it_may);
    tcase_add_test(tcase, queued_thread_moves_when_its_affinity_changes);
    tcase_add_test(tcase, blocked_thread_wakes_within_its_affinity);
    tcase_add_test(tcase, affinity_call_checks_its_mask);
    tcase_add_test(tcase, idle_cpu_steals);
    tcase_add_test(tcase, thief_takes_the_best_it_may_run);
    tcase_add_test(tcase, kicks_are_counted_and_not_repeated);
    tcase_add_test(tcase, cpus_that_did_not_start_get_nothing);
    tcase_add_test(tcase, call_switches_to_the_server_directly);
    tcase_add_test(tcase, call_does_not_pass_a_better_thread);
    tcase_add_test(tcase, switch_respects_affinity);
    tcase_add_test(tcase, next_thread_may_end_before_it_runs);
    tcase_add_test(tcase, next_thread_may_be_suspended_before_it_runs);
    tcase_add_test(tcase, next_thread_gives_way_to_a_better_one);
    tcase_add_test(tcase, next_thread_may_get_another_priority);
    tcase_add_loop_test(tcase, answer_alone_does_not_preempt, 1, 3);
    tcase_add_test(tcase, calls_to_and_fro_share_with_equals);
    tcase_add_test(tcase, suspended_client_is_answered);
    tcase_add_test(tcase, thief_does_not_look_for_ever);
    return tcase;
}
