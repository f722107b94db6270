/* SPDX-License-Identifier: MIT */
/* A server: what it keeps, what an instance is given, how an instance is started. */
#include <base/memory.h>

#include "supervisor.h"

#define HANDLES_MAX (SUPERVISOR_CALLS + SUPERVISOR_DEVICES + 4)

/* Memory and objects of the root account that are not init's: what the supervisor itself uses. */
#define RESERVE_BYTES   (UINT64_C(4) << 20)
#define RESERVE_OBJECTS UINT64_C(2000)

struct supervisor_status *status;

bool server_is_init(uint32_t index) {
    return index == manifest.server_count;
}

const struct manifest_server *server_manifest(uint32_t index) {
    return server_is_init(index) ? &manifest.init : &manifest.servers[index];
}

static void text_copy(char *to, size_t room, struct manifest_text text) {
    size_t length = text.length < room - 1 ? text.length : room - 1;
    memcpy(to, text.start, length);
    to[length] = 0;
}

/* ---- What is kept ---------------------------------------------------------------------------- */

static _Noreturn void prepare_fail(uint32_t index, const char *what, ax_result error) {
    fail("%s cannot have %s: %s%s", status->servers[index].name, what, error_name(error),
         error_help(error));
}

static void account_prepare(uint32_t index) {
    const struct manifest_server *server = server_manifest(index);
    uint32_t slot = SUPERVISOR_SERVER(index, SUPERVISOR_ACCOUNT);
    uint64_t bytes = server->memory_bytes, objects = server->object_count;
    struct ax_object_info info;
    if (slot_handle(slot) != AX_HANDLE_NONE)
        return;
    if (bytes == 0 && ax_object_info(AX_ROOT_ACCOUNT, &info) == AX_OK) {
        uint64_t left = info.account.limit_bytes - info.account.used_bytes;
        bytes = left > RESERVE_BYTES ? left - RESERVE_BYTES : 0;
        left = info.account.limit_objects - info.account.used_objects;
        objects = left > RESERVE_OBJECTS ? left - RESERVE_OBJECTS : 0;
    }
    ax_result result = ax_account_create(AX_ROOT_ACCOUNT, bytes, objects, slot_place(slot));
    if (!slot_filled(slot, result))
        prepare_fail(index, "its memory", result);
}

static void endpoint_prepare(uint32_t index) {
    uint32_t slot = SUPERVISOR_SERVER(index, SUPERVISOR_ENDPOINT);
    if (slot_handle(slot) != AX_HANDLE_NONE)
        return;
    ax_result result = ax_object_create(AX_TYPE_ENDPOINT, 0, slot_place(slot));
    if (!slot_filled(slot, result))
        prepare_fail(index, "an endpoint", result);
}

static void stash_prepare(uint32_t index) {
    uint64_t page_count = server_manifest(index)->stash_bytes / AX_PAGE_SIZE;
    uint32_t slot = SUPERVISOR_SERVER(index, SUPERVISOR_STASH);
    ax_result result = 1;
    if (page_count == 0)
        return;
    if (slot_handle(slot) == AX_HANDLE_NONE) {
        ax_handle account = slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_ACCOUNT));
        result = ax_process_create(account, slot_place(slot));
        if (!slot_filled(slot, result))
            prepare_fail(index, "a stash", result);
    }
    slot = SUPERVISOR_SERVER(index, SUPERVISOR_STASH_MEMORY);
    if (slot_handle(slot) == AX_HANDLE_NONE) {
        result = ax_memory_create(page_count, 0, slot_place(slot));
        if (!slot_filled(slot, result))
            prepare_fail(index, "a stash", result);
    }
}

static void devices_prepare(uint32_t index) {
    static const struct {
        ax_handle whole;
        enum ax_device_kind kind;
    } kinds[] = {
        [MANIFEST_DEVICE_MEMORY] = {AX_ROOT_DEVICE_MEMORY, AX_DEVICE_MEMORY},
        [MANIFEST_DEVICE_PORTS] = {AX_ROOT_DEVICE_PORTS, AX_DEVICE_PORTS},
        [MANIFEST_DEVICE_IRQS] = {AX_ROOT_DEVICE_IRQS, AX_DEVICE_IRQS},
    };
    const struct manifest_server *server = server_manifest(index);
    for (unsigned i = 0; i < server->device_count; i++) {
        const struct manifest_device *device = &server->devices[i];
        uint32_t slot = SUPERVISOR_SERVER(index, SUPERVISOR_DEVICE + i);
        if (slot_handle(slot) != AX_HANDLE_NONE)
            continue;
        ax_result result =
            ax_device_create(kinds[device->kind].whole, kinds[device->kind].kind, device->first,
                             device->last - device->first + 1, slot_place(slot));
        if (!slot_filled(slot, result))
            prepare_fail(index, "a device", result);
    }
}

static bool server_is_over(uint32_t index) {
    return status->servers[index].state == SUPERVISOR_ENDED;
}

void server_prepare(uint32_t index) {
    text_copy(status->servers[index].name, sizeof(status->servers[index].name),
              server_manifest(index)->name);
    account_prepare(index);
    devices_prepare(index);
    if (server_is_init(index) || server_is_over(index))
        return;
    endpoint_prepare(index);
    stash_prepare(index);
}

void server_forget(uint32_t index) {
    slot_close(SUPERVISOR_SERVER(index, SUPERVISOR_STASH));
    slot_close(SUPERVISOR_SERVER(index, SUPERVISOR_STASH_MEMORY));
    stash_prepare(index);
}

void server_connect(uint32_t index) {
    const struct manifest_server *server = server_manifest(index);
    for (unsigned i = 0; i < server->call_count; i++) {
        const struct manifest_call *call = &server->calls[i];
        uint32_t slot = SUPERVISOR_SERVER(index, SUPERVISOR_SESSION + i);
        if (slot_handle(slot) != AX_HANDLE_NONE || server_is_over(call->server))
            continue;
        ax_result result =
            ax_session_create(slot_handle(SUPERVISOR_SERVER(call->server, SUPERVISOR_ENDPOINT)),
                              SUPERVISOR_BADGE(call->role, index), 0, slot_place(slot));
        if (!slot_filled(slot, result))
            prepare_fail(index, "a session", result);
    }
}

void server_disconnect(uint32_t callee) {
    for (uint32_t index = 0; index < status->server_count; index++) {
        const struct manifest_server *server = server_manifest(index);
        for (unsigned i = 0; i < server->call_count; i++) {
            if (server->calls[i].server == callee)
                slot_close(SUPERVISOR_SERVER(index, SUPERVISOR_SESSION + i));
        }
    }
    slot_close(SUPERVISOR_SERVER(callee, SUPERVISOR_ENDPOINT));
}

uint64_t server_delivered(uint32_t index) {
    struct ax_object_info info;
    ax_handle endpoint = slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_ENDPOINT));
    return ax_object_info(endpoint, &info) == AX_OK ? info.endpoint.delivered : 0;
}

/* ---- An instance ----------------------------------------------------------------------------- */

struct gifts {
    size_t count;
    struct load_handle handles[HANDLES_MAX];
    char names[HANDLES_MAX][AX_START_NAME];
};

static void give(struct gifts *gifts, struct manifest_text name, ax_handle handle,
                 uint32_t rights) {
    if (handle == AX_HANDLE_NONE)
        return;
    text_copy(gifts->names[gifts->count], AX_START_NAME, name);
    gifts->handles[gifts->count] = (struct load_handle){
        .name = gifts->names[gifts->count], .handle = handle, .rights = rights};
    gifts->count++;
}

static void give_slot(struct gifts *gifts, const char *name, uint32_t slot, uint32_t rights) {
    struct manifest_text text = {name, 0};
    while (name[text.length] != 0)
        text.length++;
    give(gifts, text, slot_handle(slot), rights);
}

static void gifts_gather(uint32_t index, struct gifts *gifts) {
    const struct manifest_server *server = server_manifest(index);
    const uint32_t passing = AX_RIGHT_COPY | AX_RIGHT_MOVE;
    gifts->count = 0;
    if (!server_is_init(index)) {
        give_slot(gifts, "endpoint", SUPERVISOR_SERVER(index, SUPERVISOR_ENDPOINT),
                  AX_RIGHT_RECEIVE | AX_RIGHT_SESSIONS | AX_RIGHT_WAIT);
        give_slot(gifts, "stash", SUPERVISOR_SERVER(index, SUPERVISOR_STASH), AX_RIGHT_HANDLES);
        give_slot(gifts, "stash-memory", SUPERVISOR_SERVER(index, SUPERVISOR_STASH_MEMORY),
                  AX_RIGHT_READ | AX_RIGHT_WRITE);
    }
    uint32_t copying = server_is_init(index) ? AX_RIGHT_COPY : 0;
    if (server->system_rights != 0)
        give_slot(gifts, "system", AX_ROOT_SYSTEM, server->system_rights | copying);
    /* Who may end the machine may as well look into the supervisor's table, and end servers. */
    if ((server->system_rights & AX_RIGHT_CONTROL) != 0)
        give_slot(gifts, "supervisor", AX_ROOT_PROCESS,
                  AX_RIGHT_HANDLES | AX_RIGHT_INSPECT | copying);
    for (unsigned i = 0; i < server->call_count; i++)
        give(gifts, server->calls[i].name,
             slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_SESSION + i)),
             AX_RIGHT_CALL | AX_RIGHT_WAIT | passing);
    for (unsigned i = 0; i < server->device_count; i++)
        give(gifts, server->devices[i].name,
             slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_DEVICE + i)),
             AX_RIGHT_READ | AX_RIGHT_WRITE | AX_RIGHT_WAIT | passing);
    if (server_is_init(index))
        give_slot(gifts, "image", AX_ROOT_IMAGE, AX_RIGHT_READ | AX_RIGHT_EXECUTE | passing);
}

/* Arguments as the program wants them, which the manifest does not terminate. */
static const char *const *arguments_make(const struct manifest_server *server) {
    static char text[AX_PAGE_SIZE];
    static const char *arguments[MANIFEST_ARGUMENTS_MAX + 1];
    size_t used = 0;
    for (unsigned i = 0; i < server->argument_count; i++) {
        arguments[i] = text + used;
        text_copy(text + used, sizeof(text) - used, server->arguments[i]);
        used += server->arguments[i].length + 1;
        if (used >= sizeof(text))
            used = sizeof(text) - 1;
    }
    arguments[server->argument_count] = NULL;
    return arguments;
}

static const char *program_path(uint32_t index) {
    return arguments_make(server_manifest(index))[0];
}

static ax_result instance_load(uint32_t index, struct load_result *result) {
    static struct gifts gifts;
    const struct manifest_server *server = server_manifest(index);
    struct supervisor_server *own = &status->servers[index];
    uint32_t slot = SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS);
    gifts_gather(index, &gifts);
    struct load_request request = {
        .arguments = arguments_make(server),
        .account = slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_ACCOUNT)),
        .account_rights = server_is_init(index) ? AX_RIGHT_ALL : 0,
        .personality = boot.personality,
        .log = server->has_log ? AX_ROOT_SYSTEM : AX_HANDLE_NONE,
        .handles = gifts.handles,
        .handle_count = gifts.count,
        .priority = (int)server->priority,
        .cpu_count = (uint32_t)boot.page.cpu_count,
        .memory_bytes = boot.page.memory_bytes,
        .realtime_ns = boot.realtime_ns,
        .pid = server_is_init(index) ? 1 : 0,
        .place = slot_place(slot),
        .flags = own->failed != 0 ? AX_START_AFTER_FAILURE : 0,
    };
    request.path = request.arguments[0];
    *result = (struct load_result){.failed = "is missing in the system image"};
    if (!image_find(server->arguments[0], &request.program))
        return AX_ERR_NOT_FOUND;
    ax_result error = ax_system_entropy(AX_ROOT_SYSTEM, request.entropy, sizeof(request.entropy));
    result->failed = "gets no random numbers";
    if (error == AX_OK)
        error = load_process(&request, result);
    if (error != AX_OK)
        return error;
    (void)ax_handle_close(result->thread);
    (void)slot_filled(slot, result->process);
    return AX_OK;
}

enum server_start server_start(uint32_t index) {
    struct supervisor_server *own = &status->servers[index];
    struct load_result result;
    slot_close(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS));
    own->state = SUPERVISOR_STARTING;
    own->before.restarts = own->restarts;
    own->before.deaths = own->deaths;
    own->before.early = own->early;
    if (!server_is_init(index) &&
        slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_ENDPOINT)) == AX_HANDLE_NONE) {
        endpoint_prepare(index);
        for (uint32_t caller = 0; caller < status->server_count; caller++)
            server_connect(caller);
    }
    own->delivered = server_delivered(index);
    own->started_ns = ax_clock_ns();
    ax_result error = instance_load(index, &result);
    if (error == AX_OK) {
        own->state = SUPERVISOR_RUNNING;
        return SERVER_STARTED;
    }
    own->cause = result.cause;
    own->fault = 0;
    own->code = 0;
    own->address = 0;
    if (result.cause != AX_CAUSE_NONE)
        return SERVER_KILLED;
    /* What no later start could make good, or nobody could live without. */
    bool is_image = error == AX_ERR_NOT_FOUND || error == AX_ERR_ARGUMENT;
    if (server_is_init(index) || is_image)
        fail("%s cannot be started: %s: %s (%s)%s", own->name, program_path(index), result.failed,
             error_name(error), is_image ? "; build the system image again" : error_help(error));
    say("%s %s: %s", own->name, result.failed, error_name(error));
    return SERVER_FAILED;
}

void server_report(uint32_t index) {
    struct crash_subject subject = {
        .process = slot_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS)),
        .log = AX_ROOT_SYSTEM,
        .name = status->servers[index].name,
        .path = program_path(index),
        .pid = server_is_init(index) ? 1 : 0,
        .instance = status->servers[index].before.restarts + 1,
    };
    crash_report(&subject);
}
