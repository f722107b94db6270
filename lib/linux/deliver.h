/* SPDX-License-Identifier: MIT */
/* Signals to threads: sending, and what happens with those that have come. */
#pragma once

#include "task.h"

/*
 * Takes the signals that the thread has and does not block: handlers are entered by changing the
 * program frame. `is_call`: the frame's result may be one of the restart codes, which becomes EINTR
 * or the call's repetition. False: the call was ended by nothing that had a handler, and is to be
 * made again at once.
 */
bool signals_deliver(struct thread *thread, bool is_call);

/* The program faulted; the frame tells how. */
void signal_fault(struct thread *thread);

/* A signal that cannot be put off: it ends the process where it is blocked or ignored. */
void signal_force(struct thread *thread, const struct signal_info *info);

/* For one thread or for the process. Errors: EAGAIN, no room for one more real-time signal. */
int64_t signal_send_thread(struct thread *target, const struct signal_info *info);
int64_t signal_send_process(struct task *task, const struct signal_info *info);
/* For the thread of that id. ESRCH: it is not there. */
int64_t signal_send_tid(struct task *task, int64_t tid, const struct signal_info *info);

/*
 * The signals that the thread would take now. A call asks before each time it waits: what was sent
 * earlier, and unblocked or taken note of since, interrupts it no more. What is sent later does.
 */
signal_set signals_due(struct thread *thread);

/* Another mask, for as long as a call waits or for good. */
void signal_mask_set(struct thread *thread, signal_set mask);
void signal_mask_for_call(struct thread *thread, signal_set mask);

/* In handler.c: enters the handler with a frame on the program's stack. False: there is no room
 * there for it. */
[[gnu::warn_unused_result]] bool handler_enter(struct thread *thread,
                                               const struct linux_sigaction *action,
                                               const struct linux_siginfo *info);
