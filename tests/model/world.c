/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_AT(page) (UINT64_C(0x10000000) + (uint64_t)(page)*AX_PAGE_SIZE)

bool world_is_verbose;
static uint64_t deadlines; /* each is another one, so that never two are due at a time */

/* ---- The first moment ------------------------------------------------------------------------ */

static struct process *make_process(struct memory *shared) {
    struct process *process = driver_process();
    uint32_t prot = AX_PROT_READ | AX_PROT_WRITE;
    driver_map(process, PAGE_AT(0), PAGES, prot);
    struct region wanted = {.process = process,
                            .start = PAGE_AT(PAGES),
                            .page_count = PAGES,
                            .memory = shared,
                            .prot = prot,
                            .allowed = prot};
    kernel_lock();
    ax_result result = space_map(&wanted, false);
    kernel_unlock();
    if (result != AX_OK)
        driver_fail("space_map: %lld", (long long)result);
    int index = ref_process_new(process);
    ref.objects[ref.processes[index].object].kept = true; /* root holds a handle */
    return process;
}

/* A handle in the kernel and in the reference. */
static ax_handle give(int process, int object, uint32_t rights) {
    ax_handle value = driver_handle(ref.processes[process].core, ref.objects[object].core, rights);
    ref_handle_new(process, object, rights, value);
    return value;
}

static void make_session(int owner, int endpoint, ax_handle handle, uint64_t badge, int to) {
    struct thread *thread = ref.threads[owner * 2].core;
    struct process *process = ref.processes[owner].core;
    ax_result made = kcall(thread, AX_CALL_SESSION_CREATE, handle, badge, 0, AX_PLACE_ANY);
    int session =
        ref_object_new(AX_TYPE_SESSION, driver_object(process, (ax_handle)made), endpoint);
    uint32_t rights = AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE;
    ref.objects[session].badge = badge;
    give(to, session, rights);
    if (kcall(thread, AX_CALL_HANDLE_CLOSE, made) != AX_OK)
        driver_fail("handle_close");
}

static void populate(void) {
    struct thread *root = driver_root_thread();
    ax_result memory = kcall(root, AX_CALL_MEMORY_CREATE, PAGES, 0, AX_PLACE_ANY);
    struct memory *shared = (struct memory *)driver_object(driver_root(), (ax_handle)memory);
    /* Root sleeps for ever. */
    if (kcall(root, AX_CALL_OBJECT_WAIT_MANY, 0, AX_TIME_NEVER) != DRIVER_BLOCKED)
        driver_fail("root does not sleep");
    for (int p = 0; p < 4; p++) {
        struct process *process = make_process(shared);
        for (int t = 0; p < 3 && t < 2; t++) { /* the last one is a stash */
            uint64_t label = (uint64_t)(p * 10 + t);
            ref_thread_new(p, driver_thread_with(process, 17, label), 17, label);
        }
    }
    for (int t = 0; t < 6; t++)
        ref_object_new(AX_TYPE_THREAD, ref.threads[t].core, t);
    for (int p = 0; p < 3; p++) {
        for (int object = 0; object < ref.object_count; object++)
            give(p, object, AX_RIGHT_ALL);
    }
    for (int p = 0; p < 2; p++) {
        ax_result made =
            kcall(ref.threads[p * 2].core, AX_CALL_OBJECT_CREATE, AX_TYPE_ENDPOINT, 0, 0);
        int endpoint = ref_object_new(AX_TYPE_ENDPOINT,
                                      driver_object(ref.processes[p].core, (ax_handle)made), 0);
        ref_handle_new(p, endpoint, AX_RIGHT_ALL, (ax_handle)made);
        give(p + 1, endpoint, AX_RIGHT_ALL);
        if (p == 0)
            give(3, endpoint, AX_RIGHT_ALL); /* kept by the stash */
        for (uint64_t badge = 1; badge < 5; badge++)
            make_session(p, endpoint, (ax_handle)made, badge, (p + 1 + (int)badge) % 3);
    }
    kernel_lock();
    for (int t = 0; t < 6; t++) { /* all could run so far; from now on one process is preferred */
        struct thread *thread = ref.threads[t].core;
        ref.threads[t].base = thread->base_priority = t / 2 == 1 ? 17 : 16;
        priority_update(thread);
    }
    kernel_unlock();
    driver_settle();
}

void world_start(unsigned cpus, bool slow_ipc) {
    static struct driver_snapshot *first;
    static struct reference first_reference;
    static unsigned first_cpus;
    if (first != NULL && first_cpus == cpus) {
        driver_restore(first);
        ref = first_reference;
    } else {
        if (first != NULL) {
            driver_snapshot_free(first);
            driver_stop();
        }
        struct driver_config config = {.model = {.cpu_count = cpus,
                                                 .memory_bytes = 1 << 20,
                                                 .table_frames = true,
                                                 .vector_bytes = 64}};
        driver_start(&config);
        ref_reset();
        populate();
        first = driver_snapshot();
        first_reference = ref;
        first_cpus = cpus;
    }
    kernel->fast_ipc = !slow_ipc;
    deadlines = 0;
}

/* ---- Choices --------------------------------------------------------------------------------- */

int world_thread(const struct thread *thread) {
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].core == thread && ref.threads[t].state != REF_NONE &&
            ref.threads[t].state != REF_GONE)
            return t;
    }
    return -1;
}

/* A thread that is on a CPU, that one or the next. */
static int choose_actor(unsigned cpu) {
    for (uint32_t i = 0; i < kernel->cpu_count; i++) {
        const struct thread *thread = kernel->cpus[(cpu + i) % kernel->cpu_count].current;
        int index = thread != NULL ? world_thread(thread) : -1;
        if (index >= 0)
            return index;
    }
    return -1;
}

/* A handle of the process's table: mostly of that type, now and then none or any. */
static ax_handle choose(int process, enum ax_type type, uint16_t number) {
    struct ref_handle *handles = ref.processes[process].handles;
    unsigned odd = number >> 11; /* 0 to 31 */
    if (odd == 0)
        return number & 127;
    for (unsigned pass = odd == 1; pass < 2; pass++) {
        for (unsigned i = 0; i < HANDLES; i++) {
            const struct ref_handle *handle = &handles[(number + i) % HANDLES];
            if (!handle->used || handle->value == 0)
                continue;
            enum ax_type is = handle->object < 0 ? AX_TYPE_REPLY : ref.objects[handle->object].type;
            if (is == type || pass == 1)
                return handle->value;
        }
    }
    return 0;
}

static uint64_t choose_deadline(uint16_t number) {
    switch (number & 7) {
    case 0: return 0;
    case 1:
    case 2: return hal_time_ns() + 1000 + ++deadlines * 7;
    default: return AX_TIME_NEVER;
    }
}

static uint32_t choose_rights(uint16_t number) {
    return (number & 3) != 0 ? AX_RIGHT_ALL : AX_RIGHT_ALL & ~(1U << (number >> 2) % 20);
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* Writes what `send` says into the thread's page. */
static void write_message(int thread, const struct ref_send *send, const struct op *op) {
    struct ax_ipc *ipc = &((struct thread *)ref.threads[thread].core)->page->ipc;
    memset(ipc, 0, sizeof(*ipc));
    ipc->message.operation = send->operation;
    ipc->message.word_count = 1 + (op->d & 1) * 5; /* few, or too many for the short path */
    ipc->message.words[0] = send->word;
    ipc->message.handle_count = (uint8_t)send->handle_count;
    for (unsigned i = 0; i < send->handle_count; i++) {
        ipc->message.handles[i].handle = send->handles[i];
        ipc->message.handles[i].rights = send->rights[i];
    }
    ipc->accept = send->accept;
    ipc->deadline_ns = send->deadline;
    ipc->receive_deadline_ns = send->deadline;
}

static struct ref_send compose(int thread, const struct op *op) {
    int process = ref.threads[thread].process;
    struct ref_send send = {.session = choose(process, AX_TYPE_SESSION, op->a),
                            .operation = op->b,
                            .word = (uint64_t)op->c << 20 | op->d,
                            .accept = (op->b >> 3) % 3,
                            .deadline = choose_deadline(op->c)};
    unsigned kind = op->b >> 12; /* 0 to 15 */
    send.handle_count = kind < 10 ? 0 : kind < 14 ? 1 : 2;
    for (unsigned i = 0; i < send.handle_count; i++) {
        static const enum ax_type types[] = {AX_TYPE_SESSION, AX_TYPE_EVENT, AX_TYPE_ENDPOINT,
                                             AX_TYPE_PROCESS};
        uint16_t number = (uint16_t)(op->c * 31U + i * 977U);
        send.handles[i] = choose(process, types[(op->d + i) % 4], number);
        send.rights[i] = choose_rights((uint16_t)(op->d >> 2)) | (op->c & 16 ? AX_HANDLE_MOVE : 0);
    }
    return send;
}

static ax_result do_call(int t, const struct op *op, ax_result *predicted) {
    struct ref_send send = compose(t, op);
    write_message(t, &send, op);
    ax_result result = kcall(ref.threads[t].core, AX_CALL_CALL, send.session);
    *predicted = ref_call(t, &send);
    return result;
}

static ax_result do_reply_receive(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process;
    struct ref_send send = compose(t, op);
    ax_handle reply = 0, endpoint = 0;
    if (op->kind != OP_RECEIVE)
        reply = choose(process, AX_TYPE_REPLY, op->a);
    if (op->kind != OP_REPLY)
        endpoint = choose(process, AX_TYPE_ENDPOINT, op->d);
    if (op->kind == OP_RECEIVE)
        send.handle_count = 0;
    write_message(t, &send, op);
    ax_result result = kcall(ref.threads[t].core, AX_CALL_REPLY_RECEIVE, reply, endpoint);
    *predicted = ref_reply_receive(t, reply, &send, endpoint);
    return result;
}

/* ---- Calls that make things ------------------------------------------------------------------ */

/* The handle that the kernel's answer names, in the reference as well. */
static void enter(int process, int object, uint32_t rights, ax_result result) {
    if (result < 0)
        driver_fail("nothing was made: %lld", (long long)result);
    ref_handle_new(process, object, rights, (ax_handle)result);
}

static void *core_object(int process, ax_result handle) {
    return handle > 0 ? driver_object(ref.processes[process].core, (ax_handle)handle) : NULL;
}

static ax_result do_create(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process;
    enum ax_type type = op->kind == OP_ENDPOINT ? AX_TYPE_ENDPOINT : AX_TYPE_EVENT;
    ax_result result = kcall(ref.threads[t].core, AX_CALL_OBJECT_CREATE, type, 0, AX_PLACE_ANY);
    enter(process, ref_object_new(type, core_object(process, result), 0), AX_RIGHT_ALL, result);
    *predicted = result;
    return result;
}

static ax_result do_session(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process, endpoint = 0;
    ax_handle handle = choose(process, AX_TYPE_ENDPOINT, op->a);
    uint64_t badge = op->b % 6 + 1;
    ax_result result =
        kcall(ref.threads[t].core, AX_CALL_SESSION_CREATE, handle, badge, 0, AX_PLACE_ANY);
    *predicted = ref_session_create(t, handle, badge, &endpoint);
    if (*predicted != AX_OK)
        return result;
    int session = ref_object_new(AX_TYPE_SESSION, core_object(process, result), endpoint);
    ref.objects[session].badge = badge;
    enter(process, session, AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE, result);
    *predicted = result;
    return result;
}

static ax_result do_transfer(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process, to_process = 0;
    static const enum ax_type types[] = {AX_TYPE_SESSION, AX_TYPE_ENDPOINT, AX_TYPE_EVENT,
                                         AX_TYPE_PROCESS};
    ax_handle handle = choose(process, types[op->d % 4], op->a);
    ax_handle to = (op->b & 64) != 0 ? choose(process, AX_TYPE_PROCESS, op->b) : 0;
    bool move = (op->c & 1) != 0;
    uint32_t rights = choose_rights(op->d);
    struct ref_handle granted;
    ax_result result = kcall(ref.threads[t].core, AX_CALL_HANDLE_TRANSFER, 0, handle,
                             AX_PLACE(to, 0), rights, move ? AX_TRANSFER_MOVE : 0);
    *predicted = ref_transfer(t, handle, to, move, rights, &granted, &to_process);
    if (*predicted != AX_OK)
        return result;
    enter(to_process, granted.object, granted.rights, result);
    if (move) {
        for (int i = 0; i < HANDLES; i++) { /* the old one, not one of the same value elsewhere */
            struct ref_handle *own = &ref.processes[process].handles[i];
            if (own->used && own->value == handle) {
                own->used = false;
                ref_handle_lost(granted.object, own->rights);
                break;
            }
        }
    }
    *predicted = result;
    return result;
}

static void add_thread(int process, struct thread *thread, int base, uint64_t label, int *index) {
    *index = ref_thread_new(process, thread, base, label);
}

static ax_result do_thread(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process, index;
    (void)op;
    ax_result result = kcall(ref.threads[t].core, AX_CALL_THREAD_CREATE, 0, 0x400000, 0, 0, 0);
    struct thread *made = core_object(process, result);
    add_thread(process, made, ref.threads[t].base, ref.threads[t].label, &index);
    enter(process, ref_object_new(AX_TYPE_THREAD, made, index), AX_RIGHT_ALL, result);
    *predicted = result;
    return result;
}

static ax_result do_clone(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process, index;
    (void)op;
    ax_result result = kcall(ref.threads[t].core, AX_CALL_PROCESS_CLONE, 0x400000, 0, 0, 0);
    struct process *child = core_object(process, result);
    if (child == NULL)
        driver_fail("process_clone: %lld", (long long)result);
    int child_index = ref_process_new(child);
    *predicted = ref_clone(t, child_index);
    struct thread *first = list_entry(list_first(&child->threads), struct thread, in_process);
    add_thread(child_index, first, ref.threads[t].base, ref.threads[t].label, &index);
    enter(process, ref.processes[child_index].object, AX_RIGHT_ALL, result);
    *predicted = result;
    return result;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void do_touch(int t, const struct op *op) {
    int page = op->a % (2 * PAGES), process = ref.threads[t].process;
    bool write = op->kind == OP_WRITE;
    uint32_t value = op->b & 3;
    uint32_t *there =
        driver_touch(ref.threads[t].core, PAGE_AT(page), write ? AX_PROT_WRITE : AX_PROT_READ);
    uint32_t *word =
        page >= PAGES ? &ref.shared[page - PAGES] : &ref.processes[process].pages[page];
    if (page < PAGES && !ref.processes[process].mapped[page]) {
        if (there != NULL)
            driver_fail("an unmapped page can be touched");
        ref_fault(t);
        return;
    }
    if (there == NULL)
        driver_fail("a mapped page cannot be touched");
    if (write) {
        *there = value;
        *word = value;
    } else if (*there != *word) {
        driver_fail("page %d of process %d holds %u, not %u", page, process, *there, *word);
    }
}

static ax_result do_map(int t, const struct op *op, ax_result *predicted) {
    int page = op->a % PAGES, process = ref.threads[t].process;
    struct thread *thread = ref.threads[t].core;
    struct ref_process *it = &ref.processes[process];
    struct ax_map_request request = {PAGE_AT(page), AX_PAGE_SIZE, 0, AX_PROT_READ | AX_PROT_WRITE,
                                     AX_MAP_FIXED | AX_MAP_PRIVATE};
    if (op->kind == OP_UNMAP) {
        it->mapped[page] = false;
        *predicted = AX_OK;
        return kcall(thread, AX_CALL_MEMORY_UNMAP, 0, PAGE_AT(page), AX_PAGE_SIZE);
    }
    memcpy(thread->page->buffer, &request, sizeof(request));
    *predicted = it->mapped[page] ? (ax_result)AX_ERR_EXISTS : (ax_result)PAGE_AT(page);
    if (!it->mapped[page])
        it->pages[page] = 0;
    it->mapped[page] = true;
    return kcall(thread, AX_CALL_MEMORY_MAP, 0, 0);
}

static ax_result do_futex(int t, const struct op *op, ax_result *predicted) {
    int page = op->a % (2 * PAGES);
    uint32_t value = op->b & 3;
    if (op->kind == OP_FUTEX_WAIT) {
        uint64_t deadline = choose_deadline(op->c);
        ax_result result = kcall(ref.threads[t].core, AX_CALL_FUTEX_WAIT, PAGE_AT(page), value,
                                 UINT32_MAX, deadline);
        *predicted = ref_futex_wait(t, page, value, deadline);
        return result;
    }
    ax_result result =
        kcall(ref.threads[t].core, AX_CALL_FUTEX_WAKE, PAGE_AT(page), value + 1, UINT32_MAX);
    *predicted = ref_futex_wake(t, page, (int)value + 1);
    return result;
}

/* ---- The others ------------------------------------------------------------------------------ */

static ax_result do_session_op(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process;
    struct thread *thread = ref.threads[t].core;
    ax_handle endpoint = choose(process, AX_TYPE_ENDPOINT, op->a);
    uint64_t badge = op->b % 6 + 1;
    ax_result result;
    if (op->kind == OP_RETIRE) {
        bool end = (op->c & 3) == 0;
        result = kcall(thread, AX_CALL_SESSION_RETIRE, endpoint, badge, end ? AX_RETIRE_END : 0);
        *predicted = ref_session_retire(t, endpoint, badge, end);
    } else if (op->kind == OP_SESSION_SIGNAL) {
        result = kcall(thread, AX_CALL_SESSION_SIGNAL, endpoint, badge, op->c & 15, op->d & 15);
        *predicted = ref_session_signal(t, endpoint, badge, op->c & 15, op->d & 15);
    } else {
        ax_handle what = choose(process, AX_TYPE_SESSION, op->c);
        result = kcall(thread, AX_CALL_SESSION_IDENTIFY, endpoint, what);
        *predicted = ref_session_identify(t, endpoint, what, &badge);
        if (result == AX_OK && *predicted == AX_OK && thread->page->ipc.message.badge != badge)
            driver_fail("session_identify tells a wrong badge");
    }
    return result;
}

static ax_result do_reply_op(int t, const struct op *op, ax_result *predicted) {
    int process = ref.threads[t].process;
    ax_handle reply = choose(process, AX_TYPE_REPLY, op->a);
    ax_result result;
    if (op->kind == OP_SERVE) {
        result = kcall(ref.threads[t].core, AX_CALL_REPLY_CONTROL, reply, AX_REPLY_SERVE);
        *predicted = ref_serve(t, reply);
        return result;
    }
    ax_handle session = choose(process, AX_TYPE_SESSION, op->b);
    result = kcall(ref.threads[t].core, AX_CALL_FORWARD, reply, session);
    *predicted = ref_forward(t, reply, session);
    return result;
}

static ax_result do_signal_op(int t, const struct op *op, ax_result *predicted) {
    struct thread *thread = ref.threads[t].core;
    int process = ref.threads[t].process;
    ax_result result;
    if (op->kind == OP_SIGNAL) {
        ax_handle event = choose(process, AX_TYPE_EVENT, op->a);
        result = kcall(thread, AX_CALL_OBJECT_SIGNAL, event, op->b & 7, op->c & 7);
        *predicted = ref_signal(t, event, op->b & 7, op->c & 7);
        return result;
    }
    static const enum ax_type types[] = {AX_TYPE_EVENT, AX_TYPE_EVENT, AX_TYPE_SESSION,
                                         AX_TYPE_PROCESS};
    ax_handle object = choose(process, types[op->d % 4], op->a);
    uint32_t mask = (op->b & 15) | AX_SIGNAL_ENDED | AX_SIGNAL_PEER_CLOSED;
    uint64_t deadline = choose_deadline(op->c);
    result = kcall(thread, AX_CALL_OBJECT_WAIT, object, mask, deadline);
    *predicted = ref_wait(t, object, mask, deadline);
    return result;
}

static ax_result do_control(int t, const struct op *op, ax_result *predicted) {
    struct thread *thread = ref.threads[t].core;
    int process = ref.threads[t].process;
    ax_handle target;
    ax_result result;
    switch (op->kind) {
    case OP_INTERRUPT:
        target = choose(process, AX_TYPE_THREAD, op->a);
        if (target == 0)
            target = AX_HANDLE_INDEX_MASK; /* 0 would be itself */
        result = kcall(thread, AX_CALL_THREAD_CONTROL, target, AX_THREAD_INTERRUPT);
        *predicted = ref_interrupt(t, target);
        return result;
    case OP_TAKE:
        result = kcall(thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE);
        *predicted = ref_take(t);
        return result;
    case OP_PRIORITY:
        result = kcall(thread, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_PRIORITY, 15U + op->a % 4);
        *predicted = ref_priority(t, 15 + op->a % 4);
        return result;
    case OP_CLOSE: {
        target = choose(process, AX_TYPE_SESSION + op->b % 3, op->a);
        result = kcall(thread, AX_CALL_HANDLE_CLOSE, target);
        *predicted = ref_close(t, target);
        return result;
    }
    case OP_END: {
        target = (op->b & 3) == 0 ? 0 : choose(process, AX_TYPE_PROCESS, op->a);
        enum ax_cause cause = (enum ax_cause)(AX_CAUSE_EXIT + op->c % 4);
        result = kcall(thread, AX_CALL_PROCESS_END, target, cause, 5);
        *predicted = ref_process_end(t, target, cause);
        return result;
    }
    default:
        result = kcall(thread, AX_CALL_THREAD_EXIT, 0, 0);
        *predicted = ref_thread_exit(t);
        return result;
    }
}

/* The next deadline passes. */
static void do_time(void) {
    int first = -1;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (it->state < REF_CALLS || it->state == REF_GONE || it->deadline == UINT64_MAX)
            continue;
        if (first < 0 || it->deadline < ref.threads[first].deadline)
            first = t;
    }
    if (first < 0)
        return;
    uint64_t deadline = ref.threads[first].deadline;
    ref_timeout(first);
    driver_advance(deadline - hal_time_ns());
}

static ax_result act(int t, const struct op *op, ax_result *predicted) {
    switch (op->kind) {
    case OP_ENDPOINT:
    case OP_EVENT: return do_create(t, op, predicted);
    case OP_SESSION: return do_session(t, op, predicted);
    case OP_TRANSFER: return do_transfer(t, op, predicted);
    case OP_CALL: return do_call(t, op, predicted);
    case OP_RECEIVE:
    case OP_REPLY:
    case OP_REPLY_RECEIVE: return do_reply_receive(t, op, predicted);
    case OP_FORWARD:
    case OP_SERVE: return do_reply_op(t, op, predicted);
    case OP_RETIRE:
    case OP_SESSION_SIGNAL:
    case OP_IDENTIFY: return do_session_op(t, op, predicted);
    case OP_SIGNAL:
    case OP_WAIT: return do_signal_op(t, op, predicted);
    case OP_THREAD: return do_thread(t, op, predicted);
    case OP_CLONE: return do_clone(t, op, predicted);
    case OP_MAP:
    case OP_UNMAP: return do_map(t, op, predicted);
    case OP_FUTEX_WAIT:
    case OP_FUTEX_WAKE: return do_futex(t, op, predicted);
    default: return do_control(t, op, predicted);
    }
}

static const char *const op_names[OP_KINDS] = {
    "endpoint",  "event",   "session",  "close",     "transfer",  "call",     "receive", "reply",
    "answer",    "forward", "serve",    "retire",    "ssignal",   "identify", "signal",  "wait",
    "interrupt", "take",    "priority", "end",       "exit",      "thread",   "clone",   "write",
    "read",      "map",     "unmap",    "futexwait", "futexwake", "time",     "slice"};

bool world_step(const struct op *op) {
    int t = op->kind == OP_TIME ? -1 : choose_actor(op->cpu);
    if (world_is_verbose)
        printf("thread %d: %s %u %u %u %u\n", t, op_names[op->kind], op->a, op->b, op->c, op->d);
    if (op->kind == OP_TIME || t < 0) {
        do_time();
    } else if (op->kind == OP_SLICE) {
        driver_slice_end(((struct thread *)ref.threads[t].core)->cpu->id);
        driver_settle();
    } else if (op->kind == OP_WRITE || op->kind == OP_READ) {
        do_touch(t, op);
    } else {
        ax_result predicted = 0;
        ax_result result = act(t, op, &predicted);
        ref_settle();
        if (predicted == REF_BLOCKED && ref.threads[t].state == REF_RUNS)
            predicted = ref.threads[t].result; /* what followed ended it at once */
        if (world_is_verbose)
            printf("    -> %lld, predicted %lld\n", (long long)result, (long long)predicted);
        if (ref.unpredictable)
            return false;
        if (result != predicted)
            driver_fail("thread %d: %s gives %lld, the reference %lld", t, op_names[op->kind],
                        (long long)result, (long long)predicted);
        if (ref.threads[t].state == REF_RUNS) {
            ref.threads[t].result = result;
            ref.threads[t].has_result = true;
        }
    }
    ref_settle();
    if (ref.unpredictable)
        return false;
    world_compare();
    return !ref.unpredictable;
}
