/* SPDX-License-Identifier: MIT */
#include "supervisor.h"

#define LIST_MAX 32
#define SLOT_END SUPERVISOR_SERVER(SUPERVISOR_SERVERS, 0)

static ax_handle handles[SLOT_END];

void slots_open(void) {
    struct ax_handle_info infos[LIST_MAX];
    uint32_t next = 0;
    for (;;) {
        ax_result count = ax_handle_list(AX_HANDLE_NONE, next, infos, LIST_MAX);
        if (count < 0)
            fail("its handles cannot be listed: %s", error_name(count));
        if (count == 0)
            return;
        for (ax_result i = 0; i < count; i++) {
            next = infos[i].slot + 1;
            if (infos[i].type != AX_TYPE_NONE && infos[i].slot < SLOT_END)
                handles[infos[i].slot] = infos[i].handle;
        }
    }
}

static bool slot_is_known(uint32_t slot) {
    const uint32_t first = SUPERVISOR_SERVER(0, 0), size = SUPERVISOR_SERVER(1, 0) - first;
    if (slot < first)
        return slot < AX_ROOT_HANDLE_COUNT || slot == SUPERVISOR_STATUS || slot == SUPERVISOR_QUEUE;
    return (slot - first) % size < SUPERVISOR_SLOTS;
}

void slots_tidy(ax_handle thread) {
    for (uint32_t slot = 0; slot < SLOT_END; slot++) {
        if (!slot_is_known(slot) && handles[slot] != thread)
            slot_close(slot);
    }
}

ax_handle slot_handle(uint32_t slot) {
    return handles[slot];
}

ax_place slot_place(uint32_t slot) {
    return AX_PLACE(AX_HANDLE_NONE, slot);
}

bool slot_filled(uint32_t slot, ax_result result) {
    if (result > 0)
        handles[slot] = (ax_handle)result;
    return result > 0;
}

void slot_close(uint32_t slot) {
    if (handles[slot] != AX_HANDLE_NONE)
        (void)ax_handle_close(handles[slot]);
    handles[slot] = AX_HANDLE_NONE;
}
