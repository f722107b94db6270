/* SPDX-License-Identifier: MIT */
/* Between the files of the reference. */
#pragma once

#include "reference.h"

#define TRY_REF(expression)                  \
    do {                                     \
        ax_result try_result = (expression); \
        if (try_result != AX_OK)             \
            return try_result;               \
    } while (0)

/* A handle of the thread's process, with these rights. */
ax_result ref_look(int thread, ax_handle value, enum ax_type type, uint32_t rights,
                   struct ref_handle **found);
/* The process that a handle names, or the thread's own (0). */
ax_result ref_look_process(int thread, ax_handle value, uint32_t rights, int *process);
/* The caller of a received call by its reply handle, dead or not. */
ax_result ref_look_reply(int thread, ax_handle value, int *caller);

/* What follows from a handle with these rights being gone. */
void ref_handle_lost(int object, uint32_t rights);

void ref_work_add(int object);
void ref_block(int thread, enum ref_state state, uint64_t deadline);
void ref_wake(int thread, ax_result result);
void ref_set_signals(int object, uint32_t clear, uint32_t set);
void ref_end_process(int process, enum ax_cause cause);
void ref_end_thread(int thread);

void ref_check_closed(int session);
unsigned ref_open_calls(int session);
/* Gives what is there to threads that wait for it. */
void ref_deliver(int endpoint);
/* Takes what is there for a thread that receives; false: nothing. */
bool ref_receive(int endpoint, int thread);
int ref_first_call(int endpoint);
void ref_queue(int caller);
/* The record is emptied; `move`: handles marked so leave the caller's table. */
void ref_call_clear(int caller, bool move);
void ref_call_fail(int caller, ax_result error);
/* Interrupted, or out of time. */
void ref_call_ask_early(int caller, ax_result error);
/* A received call is in its holder's hands no more; `handle`: its reply handle goes as well. */
void ref_detach(int caller, bool handle);
/* It was taken from its holder: it goes back to the endpoint. */
void ref_give_back(int caller, bool died);
/* Who holds the call is to be told of its caller's interrupt or death, or not any more. */
void ref_tell_holder(int caller);
void ref_forget_interrupt(int caller);
void ref_unserve(int thread);
/* Sessions among them that this account pays for are charged to the receiver (-1: none are). */
void ref_deliver_handles(int thread, const struct ref_handle *held, unsigned count, int payer);

/* The signals of an object; of a queue, what it has to report is looked at first. */
uint32_t ref_signals(int object);
bool ref_member_tell(struct ref_member *member);
void ref_members_drop(int object);
void ref_queue_work(int queue);
void ref_queues_collect(void);

bool ref_binding_take(int endpoint, int thread);
bool ref_binding_is_ready(int endpoint);
void ref_binding_renew(int endpoint);
void ref_binding_remove_all(int endpoint);

/* A frame of an address; -1: it is bad. */
int ref_resolve(int process, uint64_t address, uint32_t access, bool force);
/* Answers bytes copied, or ADDRESS if none; *side: 1, the destination's fault, 0: the source's. */
ax_result ref_copy(int to, uint64_t to_address, int from, uint64_t from_address, uint64_t size,
                   bool force, int *side);
void ref_unmap_loans(int process, int caller);
void ref_clone_pages(int from, int to);
void ref_clear_word(int process, uint64_t address);
