/* SPDX-License-Identifier: MIT */
/* Builds a scenario's world: the root task is the keeper, everything else it is handed at boot. */
#include <stdio.h>
#include <string.h>

#include <base/align.h>

#include "handle.h"
#include "world.h"

#define MEMORY_BYTES (UINT64_C(256) << 10)
#define PRIORITY     16

/* An image with no byte of its own: the scripts need none. */
static const struct ax_root_image *image(void) {
    static const struct ax_root_image made = {
        .magic = AX_ROOT_MAGIC,
        .entry = 0x400000,
        .segment_count = 1,
        .segments = {{.address = 0x400000,
                      .size_bytes = AX_PAGE_SIZE,
                      .prot = AX_PROT_READ | AX_PROT_EXECUTE}},
    };
    return &made;
}

static void machine_start(const struct scenario *scenario) {
    struct driver_config config = {
        .model = {.cpu_count = scenario->cpus,
                  .memory_bytes = MEMORY_BYTES,
                  .translations = 128,
                  .tlb_entries = 1,
                  .modules = {image()},
                  .module_bytes = {sizeof(struct ax_root_image)},
                  .module_count = 1,
                  .hooks = {.user = machine_user}},
        .slow_ipc = scenario->slow,
        .manual = true,
    };
    driver_start(&config);
}

/* The keeper makes a kernel call while nothing else runs. */
static ax_result keeper_call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3) {
    struct hal_event event;
    struct thread *keeper = setting.thread[KEEPER];
    event_call(&event, number, a0, a1, a2, a3);
    machine_meet(keeper->cpu->id, &event);
    ax_result result = driver_answer(keeper);
    if (result < 0)
        explore_fail("setting the scenario up: call %llu: %lld", (unsigned long long)number,
                     (long long)result);
    return result;
}

static ax_handle give(unsigned who, ax_handle handle, uint32_t rights) {
    return driver_copy(driver_root(), handle, setting.process[who], rights);
}

/* A session of an endpoint for one of them; the keeper keeps no handle to it. */
static ax_handle session_give(unsigned who, ax_handle endpoint, uint64_t badge) {
    ax_handle handle = (ax_handle)keeper_call(AX_CALL_SESSION_CREATE, endpoint, badge, 0, 0);
    ax_handle given = give(who, handle, AX_RIGHT_ALL);
    keeper_call(AX_CALL_HANDLE_CLOSE, handle, 0, 0, 0);
    return given;
}

static ax_handle endpoint_make_at(unsigned index) {
    ax_handle handle = (ax_handle)keeper_call(AX_CALL_OBJECT_CREATE, AX_TYPE_ENDPOINT, 0, 0, 0);
    struct object *object = driver_object(driver_root(), handle);
    setting.endpoint[index] = (struct endpoint *)object;
    setting.endpoint_id[index] = object->id;
    return handle;
}

static ax_handle event_make_at(struct object **object) {
    ax_handle handle = (ax_handle)keeper_call(AX_CALL_OBJECT_CREATE, AX_TYPE_EVENT, 0, 0, 0);
    *object = driver_object(driver_root(), handle);
    return handle;
}

static bool takes_part(const struct scenario *scenario, unsigned who) {
    return who != LOWER || scenario->lower;
}

static void processes_make(const struct scenario *scenario) {
    for (unsigned who = 0; who < PROCESSES; who++) {
        if (who == KEEPER || !takes_part(scenario, who))
            continue;
        if (who == S2 && scenario->shared) {
            setting.process[S2] = setting.process[S1];
            names.process[S2] = names.process[S1];
            continue;
        }
        setting.process[who] = driver_process();
        names.process[who] = driver_process_handle(setting.process[who]);
    }
}

/* ---- What each is handed --------------------------------------------------------------------- */

static void clients_furnish(ax_handle endpoint) {
    for (unsigned who = C1; who <= C2; who++) {
        ax_handle token = event_make_at(&setting.token[who]);
        names.session[who] = session_give(who, endpoint, BADGE_C1 + who);
        names.token[who] = give(who, token, AX_RIGHT_ALL);
        keeper_call(AX_CALL_HANDLE_CLOSE, token, 0, 0, 0);
        setting.token_id[who] = setting.token[who]->id;
        world.tokens_at[who][who] = 1;
        world.actors[who].client.has_session = 1;
        world.actors[who].client.has_token = 1;
        if (setting.scenario->lends)
            driver_map(setting.process[who], LENT_ADDRESS, 1, AX_PROT_READ | AX_PROT_WRITE);
    }
}

static void server_furnish(unsigned who, ax_handle endpoint) {
    names.endpoint[who] = give(who, endpoint, AX_RIGHT_RECEIVE | AX_RIGHT_SESSIONS);
    names.stash[who] = give(who, names.process[STASH], AX_RIGHT_HANDLES);
    names.go[who] = give(who, names.go[KEEPER], AX_RIGHT_WAIT);
    world.actors[who].server.exits = who == S1;
    world.actors[who].server.pc = who == S2 ? SERVER_GO : SERVER_IDLE;
}

static void servers_furnish(const struct scenario *scenario, ax_handle endpoint) {
    ax_handle forward =
        (ax_handle)keeper_call(AX_CALL_SESSION_CREATE, endpoint, BADGE_FORWARD, 0, 0);
    for (unsigned who = S1; who <= S2; who++) {
        server_furnish(who, endpoint);
        names.forward[who] = give(who, forward, AX_RIGHT_ALL);
    }
    if (scenario->two_servers)
        world.actors[S2].server.pc = SERVER_IDLE;
    if (!scenario->lower)
        return;
    ax_handle lower = endpoint_make_at(ENDPOINT_F);
    server_furnish(LOWER, lower);
    names.session[LOWER] = session_give(LOWER, endpoint, BADGE_BACK);
    ax_handle sub = (ax_handle)keeper_call(AX_CALL_SESSION_CREATE, lower, BADGE_SUB, 0, 0);
    names.session[S1] = give(S1, sub, AX_RIGHT_ALL);
    names.session[S2] = give(S2, sub, AX_RIGHT_ALL);
}

static void furnish(const struct scenario *scenario) {
    ax_handle endpoint = endpoint_make_at(ENDPOINT_E);
    struct keeper *keeper = &world.actors[KEEPER].keeper;
    names.endpoint[KEEPER] = endpoint;
    names.go[KEEPER] = event_make_at(&setting.go);
    names.event = event_make_at(&setting.event);
    clients_furnish(endpoint);
    servers_furnish(scenario, endpoint);
    if (scenario->event)
        keeper_call(AX_CALL_ENDPOINT_BIND, endpoint, names.event, 3, 99);
    keeper->went = scenario->two_servers;
    keeper->closed = scenario->unkept;
    if (scenario->unkept)
        keeper_call(AX_CALL_HANDLE_CLOSE, endpoint, 0, 0, 0);
}

static void threads_make(const struct scenario *scenario) {
    for (unsigned who = 0; who < ACTORS; who++) {
        if (!takes_part(scenario, who))
            continue;
        uint8_t priority = scenario->priority[who] != 0 ? scenario->priority[who] : PRIORITY;
        world.actors[who].exists = 1;
        if (who == KEEPER) {
            keeper_call(AX_CALL_THREAD_CONTROL, AX_HANDLE_NONE, AX_THREAD_PRIORITY, priority, 0);
            continue;
        }
        setting.thread[who] = driver_thread_with(setting.process[who], priority, 0x100 + who);
        names.thread[who] =
            driver_handle(driver_root(), &setting.thread[who]->object, AX_RIGHT_ALL);
    }
}

void world_start(const struct scenario *scenario) {
    memset(&world, 0, sizeof(world));
    memset(&names, 0, sizeof(names));
    memset(&setting, 0, sizeof(setting));
    setting.scenario = scenario;
    machine_start(scenario);
    driver_settle();
    setting.process[KEEPER] = driver_root();
    setting.thread[KEEPER] = driver_root_thread();
    processes_make(scenario);
    furnish(scenario);
    threads_make(scenario);
    driver_settle();
}

void world_stop(void) {
    driver_stop();
}
