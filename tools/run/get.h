/* SPDX-License-Identifier: MIT */
/*
 * Files and folders brought back. What comes from inside is not trusted: nothing is written but at
 * the place that was named, or below it if that becomes a folder; no mode gives more than rwx.
 */
#pragma once

#include <run/run.h>

#include "options.h"

struct get;

/* One for each --get, with a check of what can be checked before the run. NULL: failed. */
struct get *get_begin(const struct options *options, struct failure *failure);
/* Takes a GET_ message. False: it makes no sense here, so that nothing that follows does. */
bool get_take(struct get *get, const struct run_message *message, struct failure *failure);
/* No more messages come: gives up what is not whole, because of `reason`, and tells each error. */
void get_end(struct get *get, const char *reason);
/* What went wrong with the nth; NULL: it is there. Only after get_end. */
const char *get_error(const struct get *get, uint32_t n);
