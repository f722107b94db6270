/* SPDX-License-Identifier: MIT */
/*
 * Calls that need memory, one after the other: whichever of their allocations fails, or if there is
 * nothing left in the account that pays, they have had no effect, and the same call goes well
 * later.
 */
#include "process_tests.h"

#define REGISTERS UINT64_C(0xfe000000)
#define SLOT      2000 /* for which the table of handles has to grow */
#define A_HANDLE  INT64_MAX

static struct {
    struct thread *thread;
    enum ax_call number;
    uint64_t arguments[5];
    ax_result wanted;       /* when it goes well; A_HANDLE: some handle */
    struct account *payer;  /* of what it needs */
    enum ax_error at_limit; /* what it says when that has nothing left */
    ax_place place;
    unsigned failures;
} tried;

static uint64_t there, here; /* four pages of the server's and of the client's; the first is made */

static void failures_start(void) {
    ipc_start();
    there = driver_map(world.server, 0x1000000, 4, RW);
    here = driver_map(world.client, 0x2000000, 4, RW);
    driver_write(world.server, there, "server", 6);
    driver_write(world.client, here, "client", 6);
}

/* ---- The calls ------------------------------------------------------------------------------- */

/* By a thread, with these arguments, of which the account pays for what is needed. */
#define try(by, account, result, call, ...)                    \
    do {                                                       \
        const uint64_t arguments[5] = {__VA_ARGS__};           \
        tried.thread = (by);                                   \
        tried.payer = (account);                               \
        tried.wanted = (result);                               \
        tried.number = (call);                                 \
        tried.at_limit = AX_ERR_LIMIT;                         \
        memcpy(tried.arguments, arguments, sizeof(arguments)); \
    } while (0)

static ax_handle device(ax_handle of_root) {
    return driver_copy(driver_root(), of_root, world.client, AX_RIGHT_ALL);
}

/* The client has called with a loan of one of its pages, and the server has received that. */
static ax_handle lent(uint64_t address) {
    struct ax_ipc *ipc = fresh(world.two);
    ipc->message.operation = 1;
    ipc->message.loan_count = 1;
    ipc->message.loan_access[0] = AX_LOAN_READ | AX_LOAN_WRITE;
    ipc->message.loans[0] = (struct ax_loan){address, AX_PAGE_SIZE};
    expect(call_again(world.two, world.session), DRIVER_BLOCKED);
    return takes(world.sue, world.endpoint, 1);
}

static void try_process_copy_write(void) {
    ax_handle process = grant(world.server, world.client, AX_RIGHT_CHANGE);
    try(world.one, world.server_account, 6, AX_CALL_PROCESS_COPY, process, there + AX_PAGE_SIZE,
        here, 6, 1);
}

static void try_process_copy_read(void) {
    ax_handle process = grant(world.server, world.client, AX_RIGHT_INSPECT);
    try(world.one, world.client_account, 6, AX_CALL_PROCESS_COPY, process, there,
        here + AX_PAGE_SIZE, 6, 0);
}

static void try_loan_read(void) {
    try(world.sam, world.server_account, 6, AX_CALL_LOAN_READ, lent(here), 0, 0,
        there + AX_PAGE_SIZE, 6);
}

static void try_loan_write(void) {
    try(world.sam, world.client_account, 6, AX_CALL_LOAN_WRITE, lent(here + AX_PAGE_SIZE), 0, 0,
        there, 6);
    tried.at_limit = AX_ERR_ABSENT;
}

static void try_process_control(void) {
    try(world.one, world.client_account, SLOT, AX_CALL_PROCESS_CONTROL, 0, AX_PROCESS_THREAD,
        world.two->slot, AX_PLACE(0, SLOT));
}

static void try_endpoint_bind(void) {
    ax_handle endpoint = make(world.one, AX_TYPE_ENDPOINT), event = make(world.one, AX_TYPE_EVENT);
    try(world.one, world.client_account, AX_OK, AX_CALL_ENDPOINT_BIND, endpoint, event, 1, 1);
}

static void try_queue_control(void) {
    ax_handle queue = make(world.one, AX_TYPE_QUEUE), event = make(world.one, AX_TYPE_EVENT);
    struct ax_queue_request request = {.key = 1, .data = 2, .mask = 1};
    memcpy(world.one->page->buffer, &request, sizeof(request));
    try(world.one, world.client_account, AX_OK, AX_CALL_QUEUE_CONTROL, queue, AX_QUEUE_ADD, event);
}

static void try_object_wait_many(void) {
    struct ax_wait_item items[2] = {{.handle = make(world.one, AX_TYPE_EVENT), .mask = 1},
                                    {.handle = make(world.one, AX_TYPE_EVENT), .mask = 1}};
    memcpy(world.one->page->buffer, items, sizeof(items));
    try(world.one, world.client_account, DRIVER_BLOCKED, AX_CALL_OBJECT_WAIT_MANY, 2,
        AX_TIME_NEVER);
}

static void try_futex_wait(void) {
    try(world.one, world.client_account, DRIVER_BLOCKED, AX_CALL_FUTEX_WAIT, here + AX_PAGE_SIZE, 0,
        1, AX_TIME_NEVER);
}

static void try_memory_unmap(void) {
    try(world.one, world.client_account, AX_OK, AX_CALL_MEMORY_UNMAP, 0, here + AX_PAGE_SIZE,
        AX_PAGE_SIZE);
}

static void try_memory_protect(void) {
    try(world.one, world.client_account, AX_OK, AX_CALL_MEMORY_PROTECT, 0, here + AX_PAGE_SIZE,
        AX_PAGE_SIZE, AX_PROT_READ);
}

static void try_thread_exit(void) {
    try(world.one, world.client_account, DRIVER_ENDED, AX_CALL_THREAD_EXIT, here + AX_PAGE_SIZE, 5);
}

static void try_account_create(void) {
    try(world.one, world.client_account, A_HANDLE, AX_CALL_ACCOUNT_CREATE, 0, 1000, 10,
        tried.place);
}

static void try_process_create(void) {
    try(world.one, world.client_account, A_HANDLE, AX_CALL_PROCESS_CREATE, 0, tried.place);
}

static void try_device_create(void) {
    try(world.one, world.client_account, A_HANDLE, AX_CALL_DEVICE_CREATE,
        device(AX_ROOT_DEVICE_MEMORY), AX_DEVICE_MEMORY, REGISTERS, AX_PAGE_SIZE, tried.place);
}

static void try_irq_create(void) {
    try(world.one, world.client_account, A_HANDLE, AX_CALL_IRQ_CREATE, device(AX_ROOT_DEVICE_IRQS),
        3, AX_IRQ_DEFAULT, tried.place);
}

static void (*const all[])(void) = {
    try_process_copy_write, try_process_copy_read, try_loan_read,      try_loan_write,
    try_process_control,    try_endpoint_bind,     try_queue_control,  try_object_wait_many,
    try_futex_wait,         try_memory_unmap,      try_memory_protect, try_thread_exit,
    try_account_create,     try_process_create,    try_device_create,  try_irq_create,
};
#define CALLS ((int)(sizeof(all) / sizeof(all[0])))

/* ---- What must stay as it was ---------------------------------------------------------------- */

struct state {
    uint64_t bytes, objects, limit_bytes, limit_objects; /* of the account */
    uint64_t regions, handles, promised, threads, irqs;
    uint64_t slots, tables, watches;
};

static uint64_t watches_of(const struct process *process) {
    uint64_t count = 0;
    for (uint32_t i = 1; i < process->handles.leaf_capacity * SLOTS_PER_LEAF; i++) {
        const struct slot *slot = handle_slot(&process->handles, i);
        if (slot != NULL && slot->object != NULL)
            count += slot->object->watch_count;
    }
    return count;
}

static struct state state_of(const struct process *process) {
    struct state state = {
        .bytes = process->account->used_bytes,
        .objects = process->account->used_objects,
        .limit_bytes = process->account->limit_bytes,
        .limit_objects = process->account->limit_objects,
        .regions = process->space.region_count,
        .handles = process->handles.used,
        .promised = process->handles.promised,
        .threads = process->live_threads,
        .slots = process->handles.slot_count + process->handles.leaf_capacity,
        .tables = process->space.table_pages,
        .watches = watches_of(process),
    };
    for (unsigned line = 0; line < IRQ_MAX; line++)
        state.irqs += kernel->irqs[line] != NULL;
    return state;
}

/* But for room in its tables, which it may keep for the next time. */
static void is_unchanged(const struct process *process, const struct state *before) {
    struct state now = state_of(process);
    if (now.slots == before->slots)
        ck_assert_uint_eq(now.bytes - now.tables * AX_PAGE_SIZE,
                          before->bytes - before->tables * AX_PAGE_SIZE);
    ck_assert_uint_eq(now.objects, before->objects);
    ck_assert_uint_eq(now.limit_bytes, before->limit_bytes);
    ck_assert_uint_eq(now.limit_objects, before->limit_objects);
    ck_assert_uint_eq(now.regions, before->regions);
    ck_assert_uint_eq(now.handles, before->handles);
    ck_assert_uint_eq(now.promised, before->promised);
    ck_assert_uint_eq(now.threads, before->threads);
    ck_assert_uint_eq(now.irqs, before->irqs);
    ck_assert_uint_eq(now.watches, before->watches);
}

static ax_result make_call(void) {
    return kcall_array(tried.thread, tried.number, tried.arguments);
}

static void goes_well(ax_result result) {
    if (tried.wanted == A_HANDLE)
        ck_assert_int_gt(result, 0);
    else
        expect(result, tried.wanted);
}

static void call_and_call_again(void) {
    struct state client = state_of(world.client), of_server = state_of(world.server);
    ax_result result = make_call();
    if (result == AX_ERR_MEMORY) {
        tried.failures++;
        is_unchanged(world.client, &client);
        is_unchanged(world.server, &of_server);
        driver_check_invariants();
        result = make_call();
    }
    goes_well(result);
}

START_TEST(whatever_allocation_fails_there_is_no_effect) {
    tried.place = AX_PLACE(0, SLOT);
    tried.failures = 0;
    all[_i]();
    with_failures(call_and_call_again);
    ck_assert_uint_ge(tried.failures, 1);
}
END_TEST

START_TEST(what_the_account_cannot_pay_for_has_no_effect) {
    /* Of handles there is room, but not of what is to be made. */
    tried.place = AX_PLACE_ANY;
    all[_i]();
    struct state client = state_of(world.client), of_server = state_of(world.server);
    struct account before = *tried.payer;
    tried.payer->limit_bytes = before.used_bytes;
    tried.payer->limit_objects = before.used_objects;
    expect(make_call(), tried.at_limit);
    tried.payer->limit_bytes = before.limit_bytes;
    tried.payer->limit_objects = before.limit_objects;
    is_unchanged(world.client, &client);
    is_unchanged(world.server, &of_server);
    goes_well(make_call());
}
END_TEST

/* ---- reply_control FAULT ----------------------------------------------------------------------
 */

static ax_handle faulted; /* the reply */

/* The page is the caller's: it is there and the call comes again, or the call ends with that. */
static void fault(enum ax_error error) {
    struct state client = state_of(world.client), of_server = state_of(world.server);
    expect(kcall(world.sue, AX_CALL_REPLY_CONTROL, faulted, AX_REPLY_FAULT, 0, 0), AX_OK);
    ck_assert(!is_handle(world.server, faulted));
    if (driver_answer(world.two) == DRIVER_BLOCKED) {
        faulted = takes(world.sue, world.endpoint, 1);
        ck_assert_uint_eq(message(world.sue)->flags, AX_MESSAGE_RETRIED);
        expect(answer(world.sue, faulted, 2), AX_OK);
        has_answer(world.two, 2);
        return;
    }
    tried.failures++;
    expect(driver_answer(world.two), error);
    has_nothing(world.sue, world.endpoint);
    is_unchanged(world.client, &client);
    of_server.handles--; /* the reply */
    is_unchanged(world.server, &of_server);
}

static void fault_without_memory(void) {
    ax_handle before = faulted;
    fault(AX_ERR_MEMORY);
    faulted = before;
}

START_TEST(a_page_of_a_loan_that_cannot_be_made_ends_the_call) {
    tried.failures = 0;
    faulted = lent(here + AX_PAGE_SIZE);
    with_failures(fault_without_memory);
    ck_assert_uint_ge(tried.failures, 1);
}
END_TEST

START_TEST(a_page_of_a_loan_that_the_caller_cannot_pay_for_ends_the_call) {
    tried.failures = 0;
    faulted = lent(here + AX_PAGE_SIZE);
    uint64_t limit_bytes = world.client_account->limit_bytes;
    world.client_account->limit_bytes = world.client_account->used_bytes;
    fault(AX_ERR_LIMIT);
    world.client_account->limit_bytes = limit_bytes;
    ck_assert_uint_eq(tried.failures, 1);
}
END_TEST

void call_failures_tests(Suite *suite) {
    TCase *tcase = tcase_create("call_failures");
    tcase_add_checked_fixture(tcase, failures_start, ipc_stop);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, whatever_allocation_fails_there_is_no_effect, 0, CALLS);
    tcase_add_loop_test(tcase, what_the_account_cannot_pay_for_has_no_effect, 0, CALLS);
    tcase_add_test(tcase, a_page_of_a_loan_that_cannot_be_made_ends_the_call);
    tcase_add_test(tcase, a_page_of_a_loan_that_the_caller_cannot_pay_for_ends_the_call);
}
