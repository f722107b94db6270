/* SPDX-License-Identifier: MIT */
#pragma once

#include <server/server.h>

extern const struct server_program counter_program;
