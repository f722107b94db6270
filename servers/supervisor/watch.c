/* SPDX-License-Identifier: MIT */
/* What becomes of instances: they end and are started again, they hang and are ended. */
#include "supervisor.h"

/* How often it looks for servers that hang. */
#define LOOK_NS  UINT64_C(250000000)
#define END_MASK AX_SIGNAL_ENDED
/* Instances that fail in a row before they have received anything: what was kept for them is to
 * blame, and what they could do about it by themselves (docs/stash.md) has not helped. */
#define EARLY_MAX 8

/* What a look found of a server: whether it has got on since. */
struct progress {
    uint64_t delivered; /* messages its endpoint has given out */
    uint64_t cpu_ns;    /* used by the instance */
    uint64_t since_ns;  /* when it last was seen to receive, or to have nothing to do */
};

static struct progress seen[SUPERVISOR_SERVERS];

/* ---- The end of an instance ------------------------------------------------------------------ */

static void end_tell(const struct supervisor_server *own) {
    switch (own->cause) {
    case AX_CAUSE_EXIT: say("%s exited with %lld", own->name, (long long)own->code); break;
    case AX_CAUSE_FAULT:
        say("%s died of fault %u at 0x%llx, code %lld", own->name, own->fault,
            (unsigned long long)own->address, (long long)own->code);
        break;
    case AX_CAUSE_HUNG: say("%s hung, and was ended", own->name); break;
    default: say("%s was ended: cause %u", own->name, own->cause); break;
    }
}

static void end_note(uint32_t index, const struct ax_object_info *info) {
    struct supervisor_server *own = &status->servers[index];
    own->cause = info->process.cause;
    own->fault = info->process.fault;
    own->code = info->process.code;
    own->address = info->process.address;
}

/* Whether it ended of itself: somebody who kills it says nothing about it. */
static bool has_failed(const struct supervisor_server *own) {
    switch (own->cause) {
    case AX_CAUSE_EXIT: return own->code != 0;
    case AX_CAUSE_FAULT:
    case AX_CAUSE_HUNG:
    case AX_CAUSE_BOUNCE: return true;
    default: return false;
    }
}

static _Noreturn void init_ended(const struct supervisor_server *own) {
    bool is_well = own->cause == AX_CAUSE_EXIT && own->code == 0;
    (void)ax_system_halt(AX_ROOT_SYSTEM, is_well ? 0 : 1);
    __builtin_trap();
}

/* When the next instance begins, if there is to be one: at once, but for those that die again and
 * again. Nobody waits for one that is not started again. */
static void next_plan(uint32_t index) {
    const struct manifest_server *server = server_manifest(index);
    struct supervisor_server *own = &status->servers[index];
    uint64_t now_ns = ax_clock_ns(), wait_ns = server->backoff_ns;
    bool is_in_row =
        own->cause != AX_CAUSE_KILLED && now_ns - own->started_ns < server->backoff_max_ns;
    own->deaths = is_in_row ? own->before.deaths + 1 : 0;
    bool is_over =
        server->restart == MANIFEST_RESTART_NEVER ||
        (server->restart == MANIFEST_RESTART_LIMITED && own->deaths >= server->restart_limit);
    for (uint32_t i = 1; i < own->deaths && wait_ns < server->backoff_max_ns; i++)
        wait_ns *= 2;
    if (wait_ns > server->backoff_max_ns)
        wait_ns = server->backoff_max_ns;
    own->due_ns = own->deaths == 0 ? now_ns : now_ns + wait_ns;
    if (is_over)
        say("%s is not started again: died %u times in a row", own->name, own->deaths);
    if (is_over || !server->is_kept)
        server_disconnect(index);
    own->state = is_over ? SUPERVISOR_ENDED : SUPERVISOR_WAITING;
}

/* What it keeps is given up where instance after instance dies of it. */
static void early_count(uint32_t index) {
    struct supervisor_server *own = &status->servers[index];
    own->early = own->before.early;
    if (server_delivered(index) != own->delivered)
        own->early = 0;
    else if (own->failed)
        own->early++;
    if (own->early < EARLY_MAX || server_manifest(index)->stash_bytes == 0)
        return;
    say("%s failed %u times before it received anything: its stash is given up", own->name,
        own->early);
    server_forget(index);
    own->early = 0;
}

static void instance_watch(uint32_t index) {
    ax_handle process = slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS));
    struct ax_queue_request request = {.key = index, .mask = END_MASK, .mode = AX_QUEUE_EDGE};
    ax_result result =
        ax_queue_control(slot_handle(SUPERVISOR_QUEUE), AX_QUEUE_ADD, process, &request);
    if (result < 0)
        fail("%s cannot be watched: %s", status->servers[index].name, error_name(result));
    seen[index] = (struct progress){.since_ns = ax_clock_ns()};
}

/* Not by itself: somebody else may hold it still. */
static void instance_forget(uint32_t index, ax_handle process) {
    struct ax_queue_request request = {.key = index};
    (void)!ax_queue_control(slot_handle(SUPERVISOR_QUEUE), AX_QUEUE_REMOVE, process, &request);
    slot_close(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS));
}

/*
 * The instance has ended, and why is known. Its handle is kept until the state says what comes
 * next: a supervisor that dies in here does it again.
 */
static void instance_over(uint32_t index) {
    struct supervisor_server *own = &status->servers[index];
    ax_handle process = slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS));
    if (own->cause != AX_CAUSE_EXIT || !server_is_init(index))
        end_tell(own);
    if (server_is_init(index))
        init_ended(own);
    own->failed = has_failed(own);
    early_count(index);
    own->restarts = own->before.restarts + 1;
    next_plan(index);
    if (process != AX_HANDLE_NONE)
        instance_forget(index, process);
}

static void instance_start(uint32_t index) {
    enum server_start outcome = server_start(index);
    if (outcome == SERVER_STARTED)
        instance_watch(index);
    else if (outcome == SERVER_KILLED)
        instance_over(index);
    else
        next_plan(index);
}

static void instance_ended(uint32_t index) {
    struct supervisor_server *own = &status->servers[index];
    ax_handle process = slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS));
    struct ax_object_info info;
    if (own->state != SUPERVISOR_RUNNING || ax_object_info(process, &info) != AX_OK ||
        info.process.cause == AX_CAUSE_NONE)
        return;
    end_note(index, &info);
    server_report(index);
    instance_over(index);
}

/* ---- Hanging --------------------------------------------------------------------------------- */

/*
 * A server hangs if somebody waits to be received and is not, or if it burns a CPU without
 * receiving, for longer than its manifest allows.
 */
static bool instance_hangs(uint32_t index, uint64_t heartbeat_ns, uint64_t now_ns) {
    struct progress *progress = &seen[index];
    struct ax_object_info endpoint, process;
    if (ax_object_info(slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_ENDPOINT)), &endpoint) !=
            AX_OK ||
        ax_object_info(slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS)), &process) !=
            AX_OK)
        return false;
    bool is_busy = process.process.cpu_ns - progress->cpu_ns >= LOOK_NS / 2;
    bool got_on = endpoint.endpoint.delivered != progress->delivered ||
                  (endpoint.endpoint.queued == 0 && !is_busy);
    progress->delivered = endpoint.endpoint.delivered;
    progress->cpu_ns = process.process.cpu_ns;
    if (got_on)
        progress->since_ns = now_ns;
    return now_ns - progress->since_ns >= heartbeat_ns;
}

static void look(uint64_t now_ns) {
    for (uint32_t index = 0; index < manifest.server_count; index++) {
        uint64_t heartbeat_ns = server_manifest(index)->heartbeat_ns;
        if (heartbeat_ns != 0 && status->servers[index].state == SUPERVISOR_RUNNING &&
            instance_hangs(index, heartbeat_ns, now_ns))
            (void)ax_process_end(slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS)),
                                 AX_CAUSE_HUNG, 0);
    }
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* Starts what is due; when the next is. */
static uint64_t start_due(void) {
    uint64_t next_ns = AX_TIME_NEVER;
    for (uint32_t i = 0; i < status->server_count; i++) {
        uint32_t index = i < manifest.server_count ? manifest.order[i] : i;
        struct supervisor_server *own = &status->servers[index];
        if (own->state == SUPERVISOR_NEVER_STARTED ||
            (own->state == SUPERVISOR_WAITING && own->due_ns <= ax_clock_ns()))
            instance_start(index);
        if (own->state == SUPERVISOR_WAITING && own->due_ns < next_ns)
            next_ns = own->due_ns;
    }
    return next_ns;
}

/*
 * What a supervisor that died left of a server: an instance that runs or has ended, which is
 * watched from now on; or one that was still being made, which is made anew.
 */
static void instance_adopt(uint32_t index) {
    struct supervisor_server *own = &status->servers[index];
    uint32_t slot = SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS);
    struct ax_object_info info;
    if (own->state != SUPERVISOR_STARTING && own->state != SUPERVISOR_RUNNING)
        return;
    if (ax_object_info(slot_handle(slot), &info) == AX_OK) {
        /* It is complete when its thread is let go, the last thing that is done. Later somebody
         * else may have suspended it, who lets it go on. */
        bool is_made = own->state == SUPERVISOR_RUNNING || info.process.cause != AX_CAUSE_NONE ||
                       (info.process.threads > 0 && (info.signals & AX_SIGNAL_SUSPENDED) == 0);
        if (is_made) {
            own->state = SUPERVISOR_RUNNING;
            instance_watch(index);
            return;
        }
        (void)ax_process_end(slot_handle(slot), AX_CAUSE_KILLED, 0);
    }
    own->due_ns = ax_clock_ns();
    own->state = SUPERVISOR_WAITING;
}

/* A new supervisor finds instances, and those that ended meanwhile. */
static void queue_open(void) {
    ax_result result = ax_object_create(AX_TYPE_QUEUE, 0, slot_place(SUPERVISOR_QUEUE));
    if (!slot_filled(SUPERVISOR_QUEUE, result))
        fail("no queue can be had: %s", error_name(result));
    for (uint32_t index = 0; index < status->server_count; index++)
        instance_adopt(index);
}

void watch(void) {
    uint64_t look_ns = ax_clock_ns() + LOOK_NS;
    slot_close(SUPERVISOR_QUEUE);
    queue_open();
    for (;;) {
        struct ax_queue_event events[8];
        uint64_t until_ns = start_due();
        until_ns = until_ns < look_ns ? until_ns : look_ns;
        ax_result count = ax_queue_wait(slot_handle(SUPERVISOR_QUEUE), events, 8, until_ns);
        for (ax_result i = 0; i < count; i++)
            instance_ended((uint32_t)events[i].key);
        uint64_t now_ns = ax_clock_ns();
        if (now_ns >= look_ns) {
            look(now_ns);
            look_ns = now_ns + LOOK_NS;
        }
    }
}
