/* SPDX-License-Identifier: MIT */
/* A server that ends itself where that is most telling: in one of so many visits, by chance. */
#include <base/random.h>
#include <server/server.h>

#define ONE_OF 48

void server_point(const struct server *server, enum server_point point) {
    static struct random random;
    static bool is_seeded;
    (void)server;
    if (!is_seeded)
        random_seed(&random, ax_clock_ns());
    is_seeded = true;
    uint64_t bound = point == SERVER_ADOPTED ? 8 : ONE_OF;
    if (random_below(&random, bound) == 0)
        (void)ax_process_end(AX_HANDLE_NONE, AX_CAUSE_KILLED, 0);
}
