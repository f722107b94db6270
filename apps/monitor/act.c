/* SPDX-License-Identifier: MIT */
/* What the monitor is given, and what it does to servers. */
#include "monitor.h"

#include <stdio.h>
#include <string.h>

#include <sys/ax.h>
#include <sys/start.h>

struct monitor monitor;

bool monitor_open(void) {
    monitor.supervisor = ax_start_handle("supervisor");
    monitor.system = ax_start_handle("system");
    ax_result memory = ax_handle_transfer(monitor.supervisor, SUPERVISOR_STATUS, AX_PLACE_ANY,
                                          AX_RIGHT_READ | AX_RIGHT_WRITE, AX_TRANSFER_SLOT);
    struct ax_map_request request = {.size_bytes = AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE};
    ax_result address =
        memory > 0 ? ax_memory_map(AX_HANDLE_NONE, (ax_handle)memory, &request) : memory;
    if (monitor.system == AX_HANDLE_NONE || address < 0) {
        fprintf(stderr, "monitor: it may not look at the system\n");
        return false;
    }
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): an answer */
    monitor.status = (struct supervisor_status *)(uintptr_t)address;
    return true;
}

int server_find(const char *name) {
    for (uint32_t index = 0; index < monitor.status->server_count; index++) {
        if (strcmp(monitor.status->servers[index].name, name) == 0)
            return (int)index;
    }
    printf("there is no server \"%s\"\n", name);
    return -1;
}

void kill_server(const char *argument) {
    int index = server_find(argument);
    if (index < 0)
        return;
    ax_handle process = server_process((uint32_t)index, AX_RIGHT_CONTROL);
    ax_result result = process != AX_HANDLE_NONE ? ax_process_end(process, AX_CAUSE_KILLED, 0)
                                                 : (ax_result)AX_ERR_ENDED;
    if (result != AX_OK)
        printf("%s is not running\n", argument);
    if (process != AX_HANDLE_NONE)
        (void)ax_handle_close(process);
}

/* The supervisor looks at the page now and then, and starts what is due. */
void start_server(const char *argument) {
    int index = server_find(argument);
    if (index < 0)
        return;
    struct supervisor_server *server = &monitor.status->servers[index];
    if (server->state != SUPERVISOR_ENDED) {
        printf("%s is started by itself\n", argument);
        return;
    }
    server->due_ns = 0;
    server->state = SUPERVISOR_WAITING;
}
