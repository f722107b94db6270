/* SPDX-License-Identifier: MIT */
#include "ipc_world.h"

struct ipc_world world;

static bool slow_ipc;

void ipc_set_slow(bool slow) {
    slow_ipc = slow;
}

static uint64_t frames_left(void) {
    return kernel->frames.free_count + kernel->frames.waiting_count;
}

void ipc_start(void) {
    struct driver_config config = {
        .model = {.cpu_count = 2, .table_frames = true, .irq_count = 16, .vector_bytes = 64},
        .slow_ipc = slow_ipc};
    driver_start(&config);
    world = (struct ipc_world){.processes = kernel->counters.processes,
                               .threads = kernel->counters.threads};
    world.client_account = driver_account(600 << 10, 4000);
    world.server_account = driver_account(600 << 10, 4000);
    world.small_account = driver_account(100 << 10, 30);
    world.frames = frames_left();
    world.client = driver_process_of(world.client_account);
    world.server = driver_process_of(world.server_account);
    world.one = driver_thread_with(world.client, 16, LABEL);
    world.two = driver_thread_with(world.client, 16, LABEL);
    world.sam = driver_thread(world.server);
    world.sue = driver_thread(world.server);
    world.endpoint = make(world.sam, AX_TYPE_ENDPOINT);
    world.session = session_for(world.sam, world.endpoint, BADGE, world.client);
}

/* Clones and their kind, to which perhaps nobody has a handle. */
static void find_processes(void) {
    struct object *object;
    list_for_each (object, &kernel->objects, all) {
        struct process *process = (struct process *)object;
        if (object->type == AX_TYPE_PROCESS && process != driver_root() && object->refs != 0)
            driver_handle(driver_root(), object, AX_RIGHT_ALL);
    }
}

/* Root gives up all it has not had at boot, ending the processes. */
static void root_clear(void) {
    find_processes();
    const struct handle_table *table = &driver_root()->handles;
    for (uint32_t i = AX_ROOT_HANDLE_COUNT; i < table->leaf_capacity * SLOTS_PER_LEAF; i++) {
        const struct slot *slot = handle_slot(table, i);
        if (slot == NULL || slot->object == NULL)
            continue;
        ax_handle handle = i | (uint32_t)slot->generation << AX_HANDLE_INDEX_BITS;
        if (slot->object->type == AX_TYPE_PROCESS)
            (void)root_call(AX_CALL_PROCESS_END, handle, AX_CAUSE_KILLED, 0);
        expect(root_call(AX_CALL_HANDLE_CLOSE, handle, 0, 0), AX_OK);
    }
}

void world_end(void) {
    driver_check_invariants();
    root_clear();
    driver_check_invariants();
    ck_assert_uint_eq(kernel->counters.processes, world.processes);
    ck_assert_uint_eq(kernel->counters.threads, world.threads);
    ck_assert_uint_eq(model_users(), world.threads);
    ck_assert_uint_eq(model_spaces(), world.processes);
    ck_assert_uint_eq(world.client_account->used_bytes, 0);
    ck_assert_uint_eq(world.client_account->used_objects, 0);
    ck_assert_uint_eq(world.server_account->used_bytes, 0);
    ck_assert_uint_eq(world.server_account->used_objects, 0);
    ck_assert_uint_eq(world.small_account->used_bytes, 0);
    ck_assert_uint_eq(frames_left(), world.frames);
}

void ipc_stop(void) {
    world_end();
    driver_stop();
}

TCase *ipc_case(Suite *suite, const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, ipc_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    return tcase;
}

void with_failures(void (*scenario)(void)) {
    struct driver_snapshot *snapshot = driver_snapshot();
    struct ipc_world before = world;
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        ck_assert_uint_lt(n, 1000);
        driver_restore(snapshot);
        world = before;
        driver_fail_after(n);
        scenario();
        failed = driver_has_failed();
        driver_fail_after(0);
        world_end();
    }
    driver_restore(snapshot);
    driver_snapshot_free(snapshot);
    world = before;
}

/* ---- Root ------------------------------------------------------------------------------------ */

ax_result root_call(enum ax_call number, uint64_t a, uint64_t b, uint64_t c) {
    return kcall(driver_root_thread(), number, a, b, c);
}

void end(const struct process *process, enum ax_cause cause) {
    ax_handle handle = driver_process_handle(process);
    expect(root_call(AX_CALL_PROCESS_END, handle, cause, 5), AX_OK);
}

void interrupt(struct thread *thread) {
    ax_handle handle = grant_thread(thread, driver_root(), AX_RIGHT_CONTROL);
    expect(root_call(AX_CALL_THREAD_CONTROL, handle, AX_THREAD_INTERRUPT, 0), AX_OK);
    must_close(driver_root_thread(), handle);
}

void keep(void) {
    world.kept = driver_copy(world.server, world.endpoint, driver_root(), AX_RIGHT_ALL);
}

void new_server(void) {
    world.server = driver_process_of(world.server_account);
    world.sam = driver_thread(world.server);
    world.endpoint = driver_copy(driver_root(), world.kept, world.server, AX_RIGHT_ALL);
}

void rests(struct thread *thread) {
    expect(kcall(thread, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER), DRIVER_BLOCKED);
}

void rises(struct thread *thread) {
    interrupt(thread);
    expect(driver_answer(thread), AX_ERR_INTERRUPTED);
    expect(kcall(thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE, 0), 1);
}

void crash(struct thread *thread) {
    struct hal_event event = {.kind = HAL_EVENT_FAULT, .fault = {.fault = AX_FAULT_DIVIDE}};
    driver_event(thread, &event);
}

/* ---- Objects --------------------------------------------------------------------------------- */

ax_handle make(struct thread *thread, enum ax_type type) {
    ax_result result = kcall(thread, AX_CALL_OBJECT_CREATE, type);
    ck_assert_int_gt(result, 0);
    return (ax_handle)result;
}

ax_handle weaken(struct thread *thread, ax_handle handle, uint32_t rights) {
    return driver_copy(thread->process, handle, thread->process, rights);
}

void must_close(struct thread *thread, ax_handle handle) {
    expect(kcall(thread, AX_CALL_HANDLE_CLOSE, handle), AX_OK);
}

ax_handle stale(struct thread *thread) {
    ax_handle handle = make(thread, AX_TYPE_EVENT);
    must_close(thread, handle);
    return handle;
}

struct ax_object_info info_of(struct thread *thread, ax_handle handle) {
    struct ax_object_info info;
    expect(kcall(thread, AX_CALL_OBJECT_INFO, handle), AX_OK);
    memcpy(&info, thread->page->buffer, sizeof(info));
    return info;
}

uint32_t signals_of(struct thread *thread, ax_handle handle) {
    return info_of(thread, handle).signals;
}

uint32_t handles_to(struct process *process, ax_handle handle) {
    return driver_object(process, handle)->handles;
}

bool is_handle(struct process *process, ax_handle handle) {
    struct object *object;
    return handle_lookup(process, handle, AX_TYPE_NONE, 0, &object) == AX_OK;
}

ax_handle grant(struct process *process, struct process *to, uint32_t rights) {
    return driver_handle(to, &process->object, rights);
}

ax_handle grant_thread(struct thread *thread, struct process *to, uint32_t rights) {
    return driver_handle(to, &thread->object, rights);
}

ax_handle session_for(struct thread *server, ax_handle endpoint, uint64_t badge,
                      struct process *to) {
    ax_result made = kcall(server, AX_CALL_SESSION_CREATE, endpoint, badge, 0, AX_PLACE_ANY);
    ck_assert_int_gt(made, 0);
    ax_handle handle = driver_copy(server->process, (ax_handle)made, to, AX_RIGHT_ALL);
    must_close(server, (ax_handle)made);
    return handle;
}

ax_handle endpoint_for(struct thread *server) {
    return make(server, AX_TYPE_ENDPOINT);
}

struct endpoint *endpoint_of(struct thread *thread, ax_handle endpoint) {
    return container_of(driver_object(thread->process, endpoint), struct endpoint, object);
}

struct thread *new_thread(uint8_t priority) {
    return driver_thread_with(driver_process(), priority, 0);
}

/* ---- Messages -------------------------------------------------------------------------------- */

struct ax_ipc *fresh(struct thread *thread) {
    struct ax_ipc *ipc = &thread->page->ipc;
    *ipc = (struct ax_ipc){.deadline_ns = AX_TIME_NEVER, .receive_deadline_ns = AX_TIME_NEVER};
    return ipc;
}

const struct ax_message *message(const struct thread *thread) {
    return &thread->page->ipc.message;
}

ax_result call_again(struct thread *thread, ax_handle session) {
    return kcall(thread, AX_CALL_CALL, session);
}

ax_result call(struct thread *thread, ax_handle session, uint64_t operation) {
    fresh(thread)->message.operation = operation;
    return call_again(thread, session);
}

void calls(struct thread *thread, ax_handle session, uint64_t operation) {
    expect(call(thread, session, operation), DRIVER_BLOCKED);
}

ax_result receive_until(struct thread *thread, ax_handle endpoint, uint64_t deadline_ns) {
    fresh(thread)->receive_deadline_ns = deadline_ns;
    return kcall(thread, AX_CALL_REPLY_RECEIVE, AX_HANDLE_NONE, endpoint);
}

ax_result receive(struct thread *thread, ax_handle endpoint) {
    return receive_until(thread, endpoint, AX_TIME_NEVER);
}

void waits(struct thread *thread, ax_handle endpoint) {
    expect(receive(thread, endpoint), DRIVER_BLOCKED);
}

ax_result answer_receive(struct thread *thread, ax_handle reply, ax_handle endpoint,
                         uint64_t operation) {
    fresh(thread)->message.operation = operation;
    return kcall(thread, AX_CALL_REPLY_RECEIVE, reply, endpoint);
}

ax_result answer(struct thread *thread, ax_handle reply, uint64_t operation) {
    return answer_receive(thread, reply, AX_HANDLE_NONE, operation);
}

ax_handle has_call(const struct thread *thread, uint64_t operation) {
    expect(driver_answer(thread), AX_OK);
    ck_assert_uint_eq(message(thread)->kind, AX_MESSAGE_CALL);
    ck_assert_uint_eq(message(thread)->operation, operation);
    ck_assert_uint_ne(message(thread)->reply, AX_HANDLE_NONE);
    return message(thread)->reply;
}

ax_handle takes(struct thread *thread, ax_handle endpoint, uint64_t operation) {
    expect(receive_until(thread, endpoint, NOW), AX_OK);
    return has_call(thread, operation);
}

void has_close(const struct thread *thread, uint64_t badge) {
    expect(driver_answer(thread), AX_OK);
    ck_assert_uint_eq(message(thread)->kind, AX_MESSAGE_CLOSE);
    ck_assert_uint_eq(message(thread)->badge, badge);
    ck_assert_uint_eq(message(thread)->reply, AX_HANDLE_NONE);
}

void has_event(const struct thread *thread, uint64_t cookie, uint32_t signals) {
    expect(driver_answer(thread), AX_OK);
    ck_assert_uint_eq(message(thread)->kind, AX_MESSAGE_EVENT);
    ck_assert_uint_eq(message(thread)->badge, cookie);
    ck_assert_uint_eq(message(thread)->words[0], signals);
}

void has_interrupt(const struct thread *thread, ax_handle reply) {
    expect(driver_answer(thread), AX_OK);
    ck_assert_uint_eq(message(thread)->kind, AX_MESSAGE_INTERRUPT);
    ck_assert_uint_eq(message(thread)->reply, reply);
}

void has_nothing(struct thread *thread, ax_handle endpoint) {
    expect(receive_until(thread, endpoint, NOW), AX_ERR_TIMEOUT);
}

void has_answer(const struct thread *thread, uint64_t operation) {
    expect(driver_answer(thread), AX_OK);
    ck_assert_uint_eq(message(thread)->operation, operation);
}

void is_calling(const struct thread *thread) {
    expect(driver_answer(thread), DRIVER_BLOCKED);
    ck_assert_uint_eq(thread->block, BLOCK_CALL);
}
