/* SPDX-License-Identifier: MIT */
/* What the files of IPC share with each other and with nobody else. */
#pragma once

#include "call.h"
#include "endpoint.h"

/* Looks up the message's handles with the rights to send them; nothing is referenced. `moves`: what
 * may be marked so: AX_HANDLE_MOVE, or 0. */
MUST_USE ax_result message_hold(struct process *process, const struct ax_message *message,
                                uint32_t moves, struct held_handle *held);

/* Operation and words become the message's; the handles of it that are held behind those that the
 * record has already become the record's, too. */
void call_fill(struct call *call, const struct ax_message *message);

/* The IDLE record becomes that of a new call; loans, and what the answer may bring, are left. */
void call_start(struct call *call, const struct ax_message *message, struct session *session);

/* The session is listed no more: retired, ended, or its endpoint is gone. */
void session_forget(struct session *session);

/* The record belongs to the session from now on, or no longer, which may close then. */
void call_enter(struct call *call, struct session *session);
void call_leave(struct call *call);

/* QUEUED to IDLE, the record kept. */
void call_unqueue(struct call *call);

/* Its holder was told of the wish for an early answer, or of the caller's death; or need not be. */
void reply_forget_interrupt(struct reply *reply);

/*
 * Answers the call of a reply handle with the thread's page. On success and on CALLER_DEAD the
 * handle is gone.
 */
MUST_USE ax_result reply_answer(struct thread *thread, ax_handle handle);

/* The process holds the reply from now on; the call has its order. */
void reply_enter(struct reply *reply, struct process *holder);

/* A receiver takes a QUEUED call: fills its page. False: the call failed instead. */
bool reply_begin(struct call *call, struct thread *server);

/*
 * The short path (ipc_fast.c): at most 4 words, no handles, no loans, the receiver waiting and fit
 * for this CPU, no change of inheritance but the plain one. False: it does not apply and nothing
 * happened.
 */
bool ipc_fast_call(struct thread *thread, ax_handle handle, ax_result *result);
bool ipc_fast_reply_receive(struct thread *thread, ax_handle reply, ax_handle endpoint,
                            ax_result *result);
