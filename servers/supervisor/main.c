/* SPDX-License-Identifier: MIT */
/* The supervisor: the root task. It starts what the manifest says, and watches over it. */
#include "supervisor.h"

_Noreturn void supervisor_main(void);

/* The status page is where the last supervisor left it, or new. */
static void status_open(void) {
    struct ax_map_request request = {.size_bytes = AX_PAGE_SIZE,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE};
    if (slot_handle(SUPERVISOR_STATUS) == AX_HANDLE_NONE) {
        ax_result result = ax_memory_create(1, 0, slot_place(SUPERVISOR_STATUS));
        if (!slot_filled(SUPERVISOR_STATUS, result))
            fail("no memory for its status: %s", error_name(result));
    }
    ax_result address = ax_memory_map(AX_HANDLE_NONE, slot_handle(SUPERVISOR_STATUS), &request);
    if (address < 0)
        fail("its status cannot be mapped: %s", error_name(address));
    status = (struct supervisor_status *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
    status->magic = SUPERVISOR_MAGIC;
    status->server_count = manifest.server_count + (manifest.has_init ? 1 : 0);
}

void supervisor_main(void) {
    slots_open();
    image_open();
    status_open();
    slots_tidy((ax_handle)boot.page.thread);
    if (boot.page.root_restarts != 0)
        say("started anew, %llu times so far", (unsigned long long)boot.page.root_restarts);
    for (uint32_t index = 0; index < status->server_count; index++)
        server_prepare(index);
    for (uint32_t index = 0; index < status->server_count; index++)
        server_connect(index);
    watch();
}
