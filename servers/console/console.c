/* SPDX-License-Identifier: MIT */
/* The driver as a server. */
#include "console.h"

static void *create(struct server *server) {
    return stash_alloc(&server->stash, sizeof(struct console_kept));
}

/* A device that is of no use is told to each caller. */
static void adopt(struct server *server, void *root) {
    static struct console console;
    uint64_t physical;
    console = (struct console){.server = server, .kept = root};
    server->context = &console;
    void *memory = device_open(&console, &physical);
    if (memory == NULL) {
        server_give_up(server);
        return;
    }
    ports_place(&console, memory, physical);
    streams_begin(&console);
    (void)ports_start(&console);
    streams_update(&console);
}

static uint32_t role_signals(struct server *server, uint32_t role) {
    const struct console *console = server->context;
    return role <= CONSOLE_STREAMS ? console->streams[role].signals : 0;
}

static void serve(struct server_call *call) {
    uint32_t role;
    if (!server_is_role(call, &role) || role == 0 || role > CONSOLE_STREAMS)
        server_refuse(call, AX_ERR_NOT_FOUND);
    else
        stream_serve(call, role);
}

/* The device interrupted. */
static void event(struct server *server, uint64_t cookie, uint32_t signals) {
    struct console *console = server->context;
    (void)cookie;
    (void)signals;
    uint32_t why = console->has_failed ? 0 : virtio_interrupts_take(&console->transport);
    if ((why & VIRTIO_INTERRUPT_CONFIG) != 0 && !virtio_is_running(&console->transport)) {
        server_log(server, "the device has to be reset: %s", virtio_result_text(VIRTIO_BROKEN));
        console->is_reset = true;
    } else {
        /* First what is said of ports: bytes that are there then came before it. */
        ports_update(console);
    }
    device_acknowledge(console);
}

static void committed(struct server *server) {
    struct console *console = server->context;
    if (console->is_reset) {
        console->is_reset = false;
        (void)ports_start(console);
    }
    ports_publish(console);
    streams_update(console);
}

const struct server_program console_program = {
    .name = "console",
    .schema = 2,
    .log_bytes = 65536,
    .note_max = 64,
    .create = create,
    .adopt = adopt,
    .role_signals = role_signals,
    .call = serve,
    .event = event,
    .committed = committed,
};
