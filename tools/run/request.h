/* SPDX-License-Identifier: MIT */
/* What one run adds to the system image. */
#pragma once

#include "options.h"

/* An archive with --file's files and the request, in memory that has a descriptor; -1: failed. */
int request_make(const struct options *options, struct failure *failure);
