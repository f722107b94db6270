/* SPDX-License-Identifier: MIT */
#pragma once

#include <image/archive.h>

/* If a finished archive has a manifest, is it right, and are the programs there that it names? */
bool manifest_check(const struct archive *archive, struct failure *failure);
