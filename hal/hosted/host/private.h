/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. */
#pragma once

#include "host.h"

extern int host_memory_fd; /* guest RAM and what stubs share with the kernel process */
