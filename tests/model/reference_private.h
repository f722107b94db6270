/* SPDX-License-Identifier: MIT */
/* Between the files of the reference. */
#pragma once

#include "reference.h"

/* A handle goes; what follows from it (closes, dropped calls, dead endpoints) does too. */
void ref_handle_drop(int process, struct ref_handle *handle);

void ref_check_closed(int session);
void ref_deliver(int endpoint);
/* Takes what is there for a thread that receives; false: nothing. */
bool ref_receive(int endpoint, int thread);

void ref_wake(int thread, ax_result result);
void ref_queue(int caller);
/* The record is emptied; `move`: handles marked so leave the caller's table. */
void ref_call_clear(int caller, bool move);
void ref_call_fail(int caller, ax_result error);
/* Interrupted, or out of time. */
void ref_call_ask_early(int caller, ax_result error);
/* A received call is in its holder's hands no more; `handle`: its reply handle goes as well. */
void ref_detach(int caller, bool handle);
void ref_unserve(int thread);
void ref_set_signals(int object, uint32_t clear, uint32_t set);
void ref_end_process(int process, enum ax_cause cause);
void ref_end_thread(int thread);
void ref_leave(int thread);
