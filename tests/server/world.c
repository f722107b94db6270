/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <proto/supervisor.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>

#include "account.h"
#include "endpoint.h"
#include "handle.h"
#include "ipc.h"

#define MEMORY_HANDLE 0x7777 /* the stash's memory, which the kernel here knows nothing of */
#define SCRATCH       UINT64_C(0x40000) /* in the server's space: 64 KiB, then the inline bytes */
#define SCRATCH_BYTES (64 << 10)
#define SCRATCH_IN    (SCRATCH + SCRATCH_BYTES)
#define SCRATCH_OUT   (SCRATCH_IN + SERVER_INLINE)

struct world world;

static jmp_buf leave;
enum { LEAVE_DEATH = 1, LEAVE_END = 2 };

void world_step(void) {
    if (++world.steps == world.last_step)
        longjmp(leave, LEAVE_DEATH);
}

/* ---- The kernel page ------------------------------------------------------------------------- */

struct ax_thread_page *ax_thread_page(void) {
    return world.thread->page;
}

uint64_t ax_clock_ns(void) {
    return hal_time_ns();
}

void ax_yield_point(void) {
}

static ax_result stash_info(void) {
    struct ax_object_info info = {.type = AX_TYPE_MEMORY};
    info.memory.page_count = WORLD_STASH_BYTES / AX_PAGE_SIZE;
    memcpy(world.thread->page->buffer, &info, sizeof(info));
    return AX_OK;
}

static ax_result log_line_write(uint64_t size) {
    size_t used = strlen(world.log);
    if (size < sizeof(world.log) - used)
        memcpy(world.log + used, world.thread->page->buffer, size);
    return AX_OK;
}

static ax_result loan_read(const uint64_t a[5]) {
    uint64_t size = a[4] < SCRATCH_BYTES ? a[4] : SCRATCH_BYTES;
    ax_result result = kcall(world.thread, AX_CALL_LOAN_READ, a[0], a[1], a[2], SCRATCH, size);
    if (result > 0)
        driver_read(world.thread->process, SCRATCH, (void *)(uintptr_t)a[3], (size_t)result);
    return result;
}

static ax_result loan_write(const uint64_t a[5]) {
    uint64_t size = a[4] < SCRATCH_BYTES ? a[4] : SCRATCH_BYTES;
    driver_write(world.thread->process, SCRATCH, (const void *)(uintptr_t)a[3], size);
    return kcall(world.thread, AX_CALL_LOAN_WRITE, a[0], a[1], a[2], SCRATCH, size);
}

/* The clients move until the server has something, or there is nothing left to do. */
static ax_result wait_for_clients(void) {
    ax_result result;
    while (!driver_result(world.thread, &result)) {
        world_check_signals();
        if (!world.turn())
            longjmp(leave, LEAVE_END);
    }
    return result;
}

static ax_result reply_receive(const uint64_t a[5]) {
    struct ax_ipc *ipc = &world.thread->page->ipc;
    uint64_t buffer = ipc->buffer;
    if (ipc->data_bytes > 0) {
        driver_write(world.thread->process, SCRATCH_OUT, (const void *)(uintptr_t)ipc->data,
                     ipc->data_bytes);
        ipc->data = SCRATCH_OUT;
    }
    ipc->buffer = SCRATCH_IN;
    ax_result result = kcall_array(world.thread, AX_CALL_REPLY_RECEIVE, a);
    if (result == DRIVER_BLOCKED)
        result = wait_for_clients();
    if (result == AX_OK && a[1] != AX_HANDLE_NONE && ipc->message.inline_bytes > 0)
        driver_read(world.thread->process, SCRATCH_IN, (void *)(uintptr_t)buffer,
                    ipc->message.inline_bytes);
    return result;
}

static ax_result memory_protect(const uint64_t a[5]) {
    int prot = (a[3] & AX_PROT_WRITE) != 0 ? PROT_READ | PROT_WRITE : PROT_READ;
    return mprotect((void *)(uintptr_t)a[1], a[2], prot) == 0 ? AX_OK : AX_ERR_ADDRESS;
}

static ax_result kernel_call(uint64_t number, const uint64_t a[5]) {
    switch (number) {
    case AX_CALL_OBJECT_INFO:
        return a[0] == MEMORY_HANDLE ? stash_info() : kcall_array(world.thread, number, a);
    case AX_CALL_MEMORY_MAP: return (ax_result)SERVER_STASH_ADDRESS;
    case AX_CALL_MEMORY_PROTECT: return memory_protect(a);
    case AX_CALL_MEMORY_CREATE: return AX_ERR_LIMIT;
    case AX_CALL_SYSTEM_CONTROL: return log_line_write(a[2]);
    case AX_CALL_LOAN_READ: return loan_read(a);
    case AX_CALL_LOAN_WRITE: return loan_write(a);
    case AX_CALL_REPLY_RECEIVE: return reply_receive(a);
    default: return kcall_array(world.thread, number, a);
    }
}

ax_result ax_kernel(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                    uint64_t a4) {
    const uint64_t arguments[5] = {a0, a1, a2, a3, a4};
    world_step();
    ax_result result = kernel_call(number, arguments);
    world_step();
    return result;
}

/* ---- The machine ----------------------------------------------------------------------------- */

void world_start(const struct server_program *program, bool (*turn)(void)) {
    struct driver_config config = {
        .model = {.cpu_count = 2, .table_frames = true, .irq_count = 4, .vector_bytes = 64}};
    bool protect = world.protect;
    driver_start(&config);
    world = (struct world){.program = program, .turn = turn, .protect = protect};
    void *memory = mmap((void *)(uintptr_t)SERVER_STASH_ADDRESS, WORLD_STASH_BYTES,
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ck_assert_ptr_eq(memory, (void *)(uintptr_t)SERVER_STASH_ADDRESS);
    struct thread *root = driver_root_thread();
    world.endpoint = (ax_handle)kcall(root, AX_CALL_OBJECT_CREATE, AX_TYPE_ENDPOINT, 0, 0);
    world.stash = driver_process_handle(driver_process());
}

void world_stop(void) {
    munmap((void *)(uintptr_t)SERVER_STASH_ADDRESS, WORLD_STASH_BYTES);
    driver_stop();
}

static ax_handle give(ax_handle handle, struct process *to, uint32_t rights) {
    return driver_copy(driver_root(), handle, to, rights);
}

/* An instance, which returns only where it cannot go on. */
static void instance_run(void) {
    struct process *process = driver_process();
    world.thread = driver_thread(process);
    driver_map(process, SCRATCH, SCRATCH_BYTES / AX_PAGE_SIZE + 2, AX_PROT_READ | AX_PROT_WRITE);
    ck_assert_int_eq(mprotect((void *)(uintptr_t)SERVER_STASH_ADDRESS, WORLD_STASH_BYTES,
                              PROT_READ | PROT_WRITE),
                     0);
    struct server_gifts gifts = {
        .endpoint =
            give(world.endpoint, process, AX_RIGHT_RECEIVE | AX_RIGHT_SESSIONS | AX_RIGHT_WAIT),
        .stash = give(world.stash, process, AX_RIGHT_HANDLES),
        .stash_memory = MEMORY_HANDLE,
        .log = 1,
        .after_failure = world.failed,
        .protect = world.protect,
        .calls = world.calls,
        .call_count = WORLD_CALLS,
    };
    memset(&world.server, 0xa5, sizeof(world.server));
    memset(world.calls, 0xa5, sizeof(world.calls));
    int status = server_run(&world.server, world.program, &gifts);
    ck_abort_msg("the server has returned %d: %s", status, world.log);
}

static void instance_end(enum ax_cause cause) {
    ax_handle handle = driver_process_handle(world.thread->process);
    ck_assert_int_eq(kcall(driver_root_thread(), AX_CALL_PROCESS_END, handle, cause, 0), AX_OK);
    ck_assert_int_eq(kcall(driver_root_thread(), AX_CALL_HANDLE_CLOSE, handle), AX_OK);
}

bool world_serve(uint64_t last_step) {
    volatile bool lives = true;
    world.steps = 0;
    world.last_step = last_step;
    switch (setjmp(leave)) {
    case 0: break;
    case LEAVE_DEATH:
        lives = false;
        world.deaths++;
        world.steps = 0;
        world.last_step = world.next_last_step;
        world.next_last_step = 0;
        instance_end(AX_CAUSE_KILLED);
        break;
    default: instance_end(AX_CAUSE_KILLED); return lives;
    }
    instance_run();
    return lives;
}

void world_serve_twice(uint64_t last_step, uint64_t next_last_step) {
    world.next_last_step = next_last_step;
    (void)world_serve(last_step);
}

/* What the endpoint's sessions show is what the program says of its state. */
void world_check_signals(void) {
    const struct server *server = &world.server;
    struct endpoint *endpoint = (struct endpoint *)driver_object(driver_root(), world.endpoint);
    if (world.program->signals == NULL)
        return;
    for (uint64_t badge = 0;
         (badge = stash_badge_next(&server->stash, server->badges, badge)) != 0;) {
        const struct session *session = session_find(endpoint, badge);
        void *object = stash_badge_object(&server->stash, server->badges, badge);
        if (session == NULL || (session->object.signals & AX_SIGNAL_SERVED) !=
                                   world.program->signals(&world.server, badge, object))
            ck_abort_msg("session %llx has not the signals of its state",
                         (unsigned long long)badge);
    }
}

/* ---- Clients --------------------------------------------------------------------------------- */

struct thread *world_client(uint64_t label) {
    struct process *process = driver_process();
    driver_map(process, CLIENT_MEMORY, CLIENT_PAGES, AX_PROT_READ | AX_PROT_WRITE);
    return driver_thread_with(process, 16, label);
}

ax_handle world_session(struct thread *client, uint32_t role) {
    static uint32_t caller;
    ax_handle session =
        (ax_handle)kcall(driver_root_thread(), AX_CALL_SESSION_CREATE, world.endpoint,
                         SUPERVISOR_BADGE(role, ++caller), 0, AX_PLACE_ANY);
    ck_assert_int_gt((int64_t)session, 0);
    return driver_copy(driver_root(), session, client->process, AX_RIGHT_ALL);
}

struct ax_ipc *client_message(struct thread *client, uint64_t operation) {
    struct ax_ipc *ipc = &client->page->ipc;
    memset(ipc, 0, sizeof(*ipc));
    ipc->message.operation = operation;
    ipc->deadline_ns = AX_TIME_NEVER;
    return ipc;
}

void client_call(struct thread *client, ax_handle session) {
    (void)kcall(client, AX_CALL_CALL, session);
}

bool client_is_answered(struct thread *client, ax_result *result) {
    return driver_result(client, result);
}
