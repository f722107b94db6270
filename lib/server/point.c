/* SPDX-License-Identifier: MIT */
#include <server/server.h>

void server_point(const struct server *server, enum server_point point) {
    (void)server;
    (void)point;
    ax_yield_point();
}
