/* SPDX-License-Identifier: MIT */
#pragma once

#include <image/archive.h>

/* Adds what the lines of a list say (axolotl-image --help); an error names the line. */
bool list_add(struct archive *archive, const char *path, struct failure *failure);
