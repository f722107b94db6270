/* SPDX-License-Identifier: MIT */
/* The root task grows back. */
#include "cpu_world.h"

#define SECOND UINT64_C(1000000000)
#define DATA   UINT64_C(0x600000) /* of the driver's image */

static void die(struct thread *thread) {
    struct hal_event event = {.kind = HAL_EVENT_FAULT};
    event.fault.fault = AX_FAULT_DIVIDE;
    driver_event(thread, &event);
}

static void die_again(void *context) {
    (void)context;
    die(driver_root_thread());
}

static void die_and_settle(void *context) {
    die_again(context);
    driver_settle();
}

START_TEST(root_starts_anew) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    uint64_t id = root->object.id;
    root->user.regs.rip += 100;
    *(uint32_t *)driver_touch(root, DATA, AX_PROT_WRITE) = 0x12345678;
    uint64_t mapped = driver_map(driver_root(), 0x10000000, 3, AX_PROT_READ);
    die(root);
    root = driver_root_thread();
    ck_assert_uint_ne(root->object.id, id);
    ck_assert(runs(root));
    ck_assert_uint_eq(root->user.regs.rip, 0x400000);
    ck_assert_uint_eq(*(uint32_t *)driver_touch(root, DATA, AX_PROT_READ), 0x5a5a5a5a);
    ck_assert_ptr_null(space_find(driver_root(), mapped));
    ck_assert_uint_eq(kernel->root.page->root_restarts, 1);
    ck_assert_uint_eq(kernel->counters.root_restarts, 1);
    ck_assert_ptr_nonnull(strstr(driver_console(), "root task died"));
    ck_assert(!root_is_restarting(driver_root()));
    machine_stop();
}
END_TEST

START_TEST(handles_are_kept) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    ax_result event = kcall(root, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    ck_assert_int_gt(event, 0);
    die(root);
    root = driver_root_thread();
    expect(kcall(root, AX_CALL_OBJECT_SIGNAL, (uint64_t)event, 0, 4), AX_OK);
    ck_assert_ptr_eq(driver_object(driver_root(), AX_ROOT_THREAD), &root->object);
    expect(kcall(root, AX_CALL_THREAD_CONTROL, AX_ROOT_THREAD, AX_THREAD_GET_REGS), AX_OK);
    machine_stop();
}
END_TEST

START_TEST(nothing_is_lost_over_many_restarts) {
    driver_start(NULL);
    uint64_t bytes = 0, objects = 0, free_count = 0;
    for (unsigned i = 0; i < 6; i++) {
        die(driver_root_thread());
        if (i == 1) {
            bytes = kernel->root_account->used_bytes;
            objects = kernel->root_account->used_objects;
            free_count = kernel->frames.free_count;
        }
        driver_advance(SECOND);
    }
    ck_assert_uint_eq(kernel->root_account->used_bytes, bytes);
    ck_assert_uint_eq(kernel->root_account->used_objects, objects);
    ck_assert_uint_eq(kernel->frames.free_count, free_count);
    ck_assert_uint_eq(kernel->root.page->root_restarts, 6);
    machine_stop();
}
END_TEST

START_TEST(second_death_within_a_second_halts) {
    int code = 0;
    driver_start(NULL);
    die(driver_root_thread());
    driver_advance(SECOND - 1);
    ck_assert(driver_halts(die_again, NULL, &code));
    ck_assert_int_eq(code, 1);
    ck_assert_ptr_nonnull(strstr(driver_console(), "died twice within a second"));
    driver_stop();
}
END_TEST

START_TEST(death_a_second_later_is_survived) {
    int code = 0;
    driver_start(NULL);
    die(driver_root_thread());
    driver_advance(SECOND);
    ck_assert(!driver_halts(die_again, NULL, &code));
    ck_assert_uint_eq(kernel->root.page->root_restarts, 2);
    machine_stop();
}
END_TEST

/* The first death may come at any time, the very first nanosecond included. */
START_TEST(first_death_at_once_is_survived) {
    driver_start(NULL);
    ck_assert_uint_eq(hal_time_ns(), 0);
    die(driver_root_thread());
    ck_assert_uint_eq(kernel->root.page->root_restarts, 1);
    machine_stop();
}
END_TEST

static void exit_root(void *context) {
    (void)context;
    kcall(driver_root_thread(), AX_CALL_PROCESS_END, 0, AX_CAUSE_EXIT, 0);
}

static void exit_root_thread(void *context) {
    (void)context;
    kcall(driver_root_thread(), AX_CALL_THREAD_EXIT, 0, 0);
}

static void bounce_root(void *context) {
    (void)context;
    driver_bounce(driver_root_thread(), 60);
}

/* However it ends, it starts anew. */
START_TEST(root_that_exits_starts_anew) {
    static void (*const ends[])(void *) = {exit_root, exit_root_thread, bounce_root};
    int code = 0;
    driver_start(NULL);
    uint64_t id = driver_root_thread()->object.id;
    ends[_i](NULL);
    ck_assert_uint_eq(kernel->root.page->root_restarts, 1);
    ck_assert_uint_ne(driver_root_thread()->object.id, id);
    ck_assert(runs(driver_root_thread()));
    ck_assert(driver_halts(ends[_i], NULL, &code));
    driver_stop();
}
END_TEST

START_TEST(all_threads_end) {
    driver_start(NULL);
    struct process *root = driver_root();
    struct thread *running = driver_thread_with(root, 32, 0);
    struct thread *blocked = driver_thread_with(root, 40, 0);
    struct thread *ready = driver_thread_with(root, 1, 0);
    sleep_for_ever(blocked);
    ck_assert(runs(running) && !runs(ready));
    die(driver_root_thread());
    ck_assert_uint_eq(root->live_threads, 1);
    ck_assert(runs(driver_root_thread()));
    ck_assert_uint_lt(driver_root_thread()->slot, 4); /* their places are free again */
    machine_stop();
}
END_TEST

START_TEST(restart_waits_for_other_cpus) {
    struct driver_config config = {.model = {.cpu_count = 2}, .manual = true};
    driver_start(&config);
    struct process *root = driver_root();
    struct thread *first = driver_root_thread();
    pin(first, 1);
    struct thread *other = driver_thread_with(root, 32, 0);
    pin(other, 2);
    driver_settle();
    ck_assert(runs_on(first, 0) && runs_on(other, 1));
    die(first);
    for (unsigned i = 0; i < 10; i++)
        driver_step(0);
    ck_assert(root_is_restarting(root));
    ck_assert_int_eq(other->state, THREAD_ENDED);
    ck_assert(other->on_cpu);
    driver_step(1);
    driver_settle();
    ck_assert(!root_is_restarting(root));
    ck_assert_uint_eq(root->live_threads, 1);
    machine_stop();
}
END_TEST

/* Two threads of one instance: it died once. */
START_TEST(second_thread_dies_as_well) {
    struct driver_config config = {.model = {.cpu_count = 2}, .manual = true};
    driver_start(&config);
    struct thread *first = driver_root_thread();
    pin(first, 1);
    for (unsigned i = 0; i < 2 * WORK_PORTION; i++) /* so that ending them takes a while */
        driver_thread_with(driver_root(), 1, 0);
    struct thread *other = driver_thread_with(driver_root(), 32, 0);
    pin(other, 2);
    driver_settle();
    ck_assert(runs_on(first, 0) && runs_on(other, 1));
    die(first);
    ck_assert(root_is_restarting(driver_root()));
    ck_assert(runs_on(other, 1));
    struct hal_event event = {.kind = HAL_EVENT_FAULT};
    event.fault.fault = AX_FAULT_DIVIDE;
    model_cpu_set(1);
    kernel_lock();
    cpu_handle(&kernel->cpus[1], &event);
    kernel_unlock();
    ck_assert_ptr_null(kernel->cpus[1].current);
    kernel_lock();
    cpu_prepare(&kernel->cpus[1]);
    kernel_unlock();
    model_cpu_set(0);
    driver_settle();
    ck_assert_uint_eq(kernel->root.page->root_restarts, 1);
    ck_assert_uint_eq(driver_root()->live_threads, 1);
    machine_stop();
}
END_TEST

/* The new thread's handle lies where the first one was, unless something else lies there. */
START_TEST(thread_slot_was_closed) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    struct thread *other = driver_thread_with(driver_process(), 1, 0);
    expect(kcall(root, AX_CALL_HANDLE_CLOSE, AX_ROOT_THREAD), AX_OK);
    ax_result there = 0;
    if (_i == 1)
        there = kcall(root, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, AX_PLACE(0, AX_ROOT_THREAD));
    if (_i == 2) { /* another process's thread */
        there = driver_handle(driver_root(), &other->object, AX_RIGHT_ALL);
        ck_assert_uint_eq((uint64_t)there & AX_HANDLE_INDEX_MASK, AX_ROOT_THREAD);
    }
    struct object *kept = _i > 0 ? driver_object(driver_root(), (ax_handle)there) : NULL;
    die(root);
    ax_handle told = (ax_handle)kernel->root.page->thread;
    ck_assert_ptr_eq(driver_object(driver_root(), told), &driver_root_thread()->object);
    if (_i == 0)
        ck_assert_uint_eq(told & AX_HANDLE_INDEX_MASK, AX_ROOT_THREAD);
    else
        ck_assert_ptr_eq(driver_object(driver_root(), (ax_handle)there), kept);
    machine_stop();
}
END_TEST

/* Core goes on telling of restarts in the page, whoever still has it. */
START_TEST(boot_page_was_closed) {
    driver_start(NULL);
    const struct frame *frame = frame_of_window(kernel->root.page);
    expect(kcall(driver_root_thread(), AX_CALL_HANDLE_CLOSE, AX_ROOT_BOOT), AX_OK);
    driver_settle();
    ck_assert_int_eq(frame->state, FRAME_USED);
    die(driver_root_thread());
    ck_assert_uint_eq(kernel->root.page->root_restarts, 1);
    machine_stop();
}
END_TEST

static void root_kills(const struct process *process) {
    ax_handle handle = driver_process_handle(process);
    expect(kcall(driver_root_thread(), AX_CALL_PROCESS_END, handle, AX_CAUSE_KILLED, 0), AX_OK);
}

/* What root had is on its way back, and corpses have more. */
START_TEST(restart_waits_for_memory) {
    enum { PAGES = 300 };
    int code = 0;
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    struct account *account = kernel->root_account;
    struct process *owner = _i == 0 ? driver_root() : driver_process();
    struct thread *toucher = _i == 0 ? root : driver_thread_with(owner, 33, 0);
    uint64_t start = driver_map(owner, 0x10000000, PAGES, AX_PROT_READ | AX_PROT_WRITE);
    for (uint64_t i = 0; i < PAGES; i++)
        ck_assert_ptr_nonnull(driver_touch(toucher, start + i * AX_PAGE_SIZE, AX_PROT_WRITE));
    if (_i == 1) /* only a corpse has memory to give */
        root_kills(owner);
    uint64_t left =
        account->limit_bytes - account->used_bytes - heap_charge(sizeof(struct account));
    ck_assert_int_gt(kcall(root, AX_CALL_ACCOUNT_CREATE, 0, left, 1000, 0), 0);
    ck_assert(!driver_halts(die_and_settle, NULL, &code));
    ck_assert(runs(driver_root_thread()));
    machine_stop();
}
END_TEST

/* One that can give way as a corpse, or one whose memory is on its way back for a while. */
static void make_dying(bool is_corpse) {
    struct process *process = driver_process();
    ax_handle handle = driver_process_handle(process);
    for (uint64_t i = 0; i < 1000 && !is_corpse; i++)
        driver_map(process, 0x10000000 + 2 * i * AX_PAGE_SIZE, 1, AX_PROT_READ);
    driver_set_manual(!is_corpse);
    root_kills(process);
    if (!is_corpse)
        expect(kcall(driver_root_thread(), AX_CALL_HANDLE_CLOSE, handle), AX_OK);
}

/* With each allocation of the restart failing once. */
START_TEST(restart_survives_failures) {
    driver_start(NULL);
    int code = 0;
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        driver_map(driver_root(), 0x10000000, 3, AX_PROT_READ);
        make_dying(_i == 0);
        driver_fail_after(n);
        ck_assert(!driver_halts(die_and_settle, NULL, &code));
        driver_set_manual(false);
        failed = driver_has_failed();
        driver_fail_after(0);
        ck_assert(!root_is_restarting(driver_root()));
        driver_advance(SECOND);
    }
    ck_assert_uint_gt(n, 5);
    machine_stop();
}
END_TEST

/* A new instance is told of bound events, once. */
START_TEST(bound_events_come_anew) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    ax_result endpoint = kcall(root, AX_CALL_OBJECT_CREATE, AX_TYPE_ENDPOINT);
    ax_result event = kcall(root, AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT);
    expect(kcall(root, AX_CALL_ENDPOINT_BIND, (uint64_t)endpoint, (uint64_t)event, 1, 77), AX_OK);
    expect(kcall(root, AX_CALL_OBJECT_SIGNAL, (uint64_t)event, 0, 1), AX_OK);
    for (unsigned i = 0; i < 2; i++) {
        root = driver_root_thread();
        root->page->ipc.receive_deadline_ns = 0;
        expect(kcall(root, AX_CALL_REPLY_RECEIVE, 0, (uint64_t)endpoint), AX_OK);
        ck_assert_int_eq(root->page->ipc.message.kind, AX_MESSAGE_EVENT);
        ck_assert_uint_eq(root->page->ipc.message.badge, 77);
        expect(kcall(root, AX_CALL_REPLY_RECEIVE, 0, (uint64_t)endpoint), AX_ERR_TIMEOUT);
        die(root);
        driver_advance(SECOND);
    }
    machine_stop();
}
END_TEST

/* A call it had received is given to its next instance; at the second death of it, it ends. */
START_TEST(received_calls_are_given_back) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    ax_result endpoint = kcall(root, AX_CALL_OBJECT_CREATE, AX_TYPE_ENDPOINT);
    ax_result session = kcall(root, AX_CALL_SESSION_CREATE, (uint64_t)endpoint, 5);
    struct process *process = driver_process();
    ax_handle own = driver_copy(driver_root(), (ax_handle)session, process, AX_RIGHT_ALL);
    struct thread *client = driver_thread_with(process, 32, 0);
    client->page->ipc.deadline_ns = AX_TIME_NEVER;
    client->page->ipc.message.operation = 77;
    expect(kcall(client, AX_CALL_CALL, own), DRIVER_BLOCKED);
    root->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    expect(kcall(root, AX_CALL_REPLY_RECEIVE, 0, (uint64_t)endpoint), AX_OK);
    ck_assert_uint_eq(root->page->ipc.message.operation, 77);
    uint64_t sequence = root->page->ipc.message.id.sequence;
    die(root);
    expect(driver_answer(client), DRIVER_BLOCKED);
    root = driver_root_thread();
    root->page->ipc.receive_deadline_ns = AX_TIME_NEVER;
    expect(kcall(root, AX_CALL_REPLY_RECEIVE, 0, (uint64_t)endpoint), AX_OK);
    ck_assert_uint_eq(root->page->ipc.message.operation, 77);
    ck_assert_uint_eq(root->page->ipc.message.id.sequence, sequence);
    ck_assert(root->page->ipc.message.flags & AX_MESSAGE_REDELIVERED);
    if (_i == 1) {
        driver_advance(SECOND);
        die(root);
        expect(driver_answer(client), AX_ERR_FAULTED);
        machine_stop();
        return;
    }
    root->page->ipc.message.operation = 88;
    expect(kcall(root, AX_CALL_REPLY_RECEIVE, root->page->ipc.message.reply, 0), AX_OK);
    expect(driver_answer(client), AX_OK);
    ck_assert_uint_eq(client->page->ipc.message.operation, 88);
    machine_stop();
}
END_TEST

START_TEST(personality_is_forgotten) {
    driver_start(NULL);
    struct thread *root = driver_root_thread();
    driver_root()->personality = (struct ax_personality){.entry = 0x400000};
    root->page->personality_stack = UINT64_MAX; /* its upcall cannot be delivered */
    die(root);
    ck_assert_uint_eq(driver_root()->personality.entry, 0);
    ck_assert_uint_eq(kernel->root.page->root_restarts, 1);
    machine_stop();
}
END_TEST

/* Much memory is cleared, and loaded, in portions. */
START_TEST(restart_is_cut_in_portions) {
    struct driver_config config = {.model = {.memory_bytes = UINT64_C(16) << 20}, .manual = true};
    driver_start(&config);
    struct thread *root = driver_root_thread();
    for (uint64_t i = 0; i < 500; i++)
        driver_map(driver_root(), 0x10000000 + 2 * i * AX_PAGE_SIZE, 1, AX_PROT_READ);
    die(root);
    unsigned steps = 0;
    while (root_is_restarting(driver_root())) {
        driver_check_invariants();
        driver_step(0);
        steps++;
    }
    ck_assert_uint_ge(steps, 500 / WORK_PORTION);
    machine_stop();
}
END_TEST

/* So is a large image. */
START_TEST(large_image_is_loaded_in_portions) {
    enum { PAGES = 3 * WORK_PORTION };
    static union {
        struct ax_root_image header;
        char bytes[(PAGES + 1) * AX_PAGE_SIZE];
    } image;
    memset(&image, 0x33, sizeof(image));
    image.header = (struct ax_root_image){.magic = AX_ROOT_MAGIC,
                                          .entry = 0x400000,
                                          .segment_count = 1,
                                          .segments = {{.address = 0x400000,
                                                        .offset = AX_PAGE_SIZE,
                                                        .file_bytes = PAGES * AX_PAGE_SIZE,
                                                        .size_bytes = PAGES * AX_PAGE_SIZE,
                                                        .prot = AX_PROT_READ | AX_PROT_EXECUTE}}};
    struct driver_config config = {.model = {.memory_bytes = UINT64_C(8) << 20}, .manual = true};
    config.model.modules[0] = &image;
    config.model.module_bytes[0] = sizeof(image);
    config.model.module_count = 1;
    driver_start(&config);
    die(driver_root_thread());
    unsigned steps = 0;
    for (; root_is_restarting(driver_root()); steps++)
        driver_step(0);
    ck_assert_uint_ge(steps, PAGES / WORK_PORTION - 1);
    char last = 0;
    driver_read(driver_root(), 0x400000 + PAGES * AX_PAGE_SIZE - 1, &last, 1);
    ck_assert_int_eq(last, 0x33);
    machine_stop();
}
END_TEST

TCase *boot_restart_tests(void) {
    TCase *tcase = tcase_create("boot_restart");
    tcase_add_test(tcase, root_starts_anew);
    tcase_add_test(tcase, handles_are_kept);
    tcase_add_test(tcase, nothing_is_lost_over_many_restarts);
    tcase_add_test(tcase, second_death_within_a_second_halts);
    tcase_add_test(tcase, death_a_second_later_is_survived);
    tcase_add_test(tcase, first_death_at_once_is_survived);
    tcase_add_loop_test(tcase, root_that_exits_starts_anew, 0, 3);
    tcase_add_test(tcase, all_threads_end);
    tcase_add_test(tcase, restart_waits_for_other_cpus);
    tcase_add_test(tcase, second_thread_dies_as_well);
    tcase_add_loop_test(tcase, thread_slot_was_closed, 0, 3);
    tcase_add_test(tcase, boot_page_was_closed);
    tcase_add_loop_test(tcase, restart_waits_for_memory, 0, 2);
    tcase_add_loop_test(tcase, restart_survives_failures, 0, 2);
    tcase_add_test(tcase, bound_events_come_anew);
    tcase_add_loop_test(tcase, received_calls_are_given_back, 0, 2);
    tcase_add_test(tcase, personality_is_forgotten);
    tcase_add_test(tcase, restart_is_cut_in_portions);
    tcase_add_test(tcase, large_image_is_loaded_in_portions);
    return tcase;
}
