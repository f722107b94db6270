/* SPDX-License-Identifier: MIT */
/*
 * The monitor: what runs when nobody says what else should. It looks at what the supervisor holds
 * and at the kernel's counters, and can end servers and have them started.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <abi/abi.h>
#include <proto/supervisor.h>

/* The supervisor's process (AX_RIGHT_HANDLES, AX_RIGHT_INSPECT), its status page, and the system
 * device. */
struct monitor {
    ax_handle supervisor, system;
    struct supervisor_status *status;
};

extern struct monitor monitor;

/* False: init did not hand over what the monitor needs, and that is said. */
bool monitor_open(void);

/* The process of a server's instance; AX_HANDLE_NONE: there is none. To be closed. */
ax_handle server_process(uint32_t index, uint32_t rights);
/* The server of that name; its index, or -1. */
int server_find(const char *name);

/* The commands, each with its argument or "". */
void show_processes(const char *argument);
void show_servers(const char *argument);
void show_handles(const char *argument);
void show_memory(const char *argument);
void show_counters(const char *argument);
void kill_server(const char *argument);
void start_server(const char *argument);
