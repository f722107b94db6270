/* SPDX-License-Identifier: MIT */
#include <server/slots.h>

#define LIST_MAX (AX_BUFFER_BYTES / sizeof(struct ax_handle_info))

ax_result server_slot_put(ax_handle stash, uint32_t slot, ax_handle handle) {
    return ax_handle_transfer(AX_HANDLE_NONE, handle, AX_PLACE(stash, slot), AX_RIGHT_ALL,
                              AX_TRANSFER_MOVE);
}

/* A handle of another table is closed by moving it here first. */
void server_slot_close(ax_handle stash, uint32_t slot) {
    ax_result handle = ax_handle_transfer(stash, slot, AX_PLACE_ANY, AX_RIGHT_ALL,
                                          AX_TRANSFER_MOVE | AX_TRANSFER_SLOT);
    if (handle > 0)
        (void)ax_handle_close((ax_handle)handle);
}

uint32_t server_slot_next(ax_handle stash, uint32_t from) {
    struct ax_handle_info infos[LIST_MAX];
    for (;;) {
        ax_result count = ax_handle_list(stash, from, infos, LIST_MAX);
        if (count <= 0)
            return 0;
        for (ax_result i = 0; i < count; i++) {
            if (infos[i].type != AX_TYPE_NONE)
                return infos[i].slot;
        }
        from = infos[count - 1].slot + 1;
    }
}
