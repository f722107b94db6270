/* SPDX-License-Identifier: MIT */
/* The handle table of a stash process, as lib/stash asks for it (struct stash_hooks). */
#pragma once

#include <sys/ax.h>

/* Moves a handle of the caller's there. The slot, or EXISTS and other errors. */
ax_result server_slot_put(ax_handle stash, uint32_t slot, ax_handle handle);
/* Closes what is in the slot; an empty one is fine. */
void server_slot_close(ax_handle stash, uint32_t slot);
/* The first slot from this one on that holds a handle; 0: there is none. */
uint32_t server_slot_next(ax_handle stash, uint32_t from);
