/* SPDX-License-Identifier: MIT */
/*
 * Linked into the supervisor: its first instance dies while it counts the end of an instance, when
 * the count has gone up and the state does not say yet what comes next.
 */
#include "supervisor.h"

const struct manifest_server *__real_server_manifest(uint32_t index); /* NOLINT: of --wrap */
const struct manifest_server *__wrap_server_manifest(uint32_t index); /* NOLINT: of --wrap */

const struct manifest_server *__wrap_server_manifest(uint32_t index) { /* NOLINT: of --wrap */
    bool is_counting = status != NULL && status->servers[index].restarts != 0 &&
                       status->servers[index].state == SUPERVISOR_RUNNING;
    if (is_counting && boot.page.root_restarts == 0)
        __builtin_trap();
    return __real_server_manifest(index);
}
