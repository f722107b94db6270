/* SPDX-License-Identifier: MIT */
/* What the two files of the servers' script share. */
#pragma once

#include "world.h"

/* Slots of the stash: what calls have made, by tag; tokens, by client. */
#define STASH_EFFECTS 16
#define STASH_TOKENS  40

bool job_is_wanted(const struct job *job);
void deaths_count(unsigned who);
/* What came of receiving. */
void receive_absorb(unsigned who, ax_result result);
