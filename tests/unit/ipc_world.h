/* SPDX-License-Identifier: MIT */
/*
 * What the tests of IPC, processes and threads share: a machine with a client process and a server
 * process, each with an account and two threads, and a session between them.
 */
#pragma once

#include <check.h>
#include <string.h>

#include <tests/support/driver.h>

#include "account.h"
#include "endpoint.h"
#include "handle.h"

#define expect(call, wanted) ck_assert_int_eq((call), (wanted))

#define BADGE UINT64_C(7)
#define LABEL UINT64_C(0x1abe1)
#define NOW   UINT64_C(0) /* as a deadline: do not wait */

/* `one` and `two` are threads of `client`, `sam` and `sue` of `server`. */
struct ipc_world {
    struct account *client_account, *server_account;
    struct account *small_account; /* of nobody yet: 100 KiB, 30 objects */
    struct process *client, *server;
    struct thread *one, *two, *sam, *sue;
    ax_handle endpoint;                  /* of the server's, all rights */
    ax_handle session;                   /* of the client's: to that endpoint, with BADGE */
    ax_handle kept;                      /* of root's, once `keep` was called: that endpoint */
    uint64_t frames, processes, threads; /* before all this was made */
};

extern struct ipc_world world;

/* A test case of the suite, with the short path on or off as it is set now. */
TCase *ipc_case(Suite *suite, const char *name);
void ipc_set_slow(bool slow);

/* Fixtures of other test cases. The second ends every process but root and checks that all they
 * were charged came back. */
void ipc_start(void);
void ipc_stop(void);
/* The second half of ipc_stop. */
void world_end(void);

/* The scenario is run again and again from the same state, the Nth allocation failing, for N = 1,
 * 2, 3 ... until it runs through without a failure; after each, all must come back. */
void with_failures(void (*scenario)(void));

/* ---- Root, which can always run --------------------------------------------------------------
 */

ax_result root_call(enum ax_call number, uint64_t a, uint64_t b, uint64_t c);
void end(const struct process *process, enum ax_cause cause);
void interrupt(struct thread *thread);
/* Root holds the endpoint, too, from now on. */
void keep(void);
/* A new instance of the server: process, `sam`, and its handle to the kept endpoint. */
void new_server(void);
/* Blocks, until it is told to go on. */
void rests(struct thread *thread);
void rises(struct thread *thread);
/* The process dies of what its thread does. */
void crash(struct thread *thread);

/* ---- Objects ----------------------------------------------------------------------------------
 */

ax_handle make(struct thread *thread, enum ax_type type);
/* A handle of the process's with fewer rights; one of the thread's that names nothing any more. */
ax_handle weaken(struct thread *thread, ax_handle handle, uint32_t rights);
ax_handle stale(struct thread *thread);
void must_close(struct thread *thread, ax_handle handle);
struct ax_object_info info_of(struct thread *thread, ax_handle handle);
uint32_t signals_of(struct thread *thread, ax_handle handle);
/* How many handles there are to an object of which the process has this one. */
uint32_t handles_to(struct process *process, ax_handle handle);
bool is_handle(struct process *process, ax_handle handle);
/* A process handle, with these rights, for another process. */
ax_handle grant(struct process *process, struct process *to, uint32_t rights);
ax_handle grant_thread(struct thread *thread, struct process *to, uint32_t rights);

/* A session of the endpoint that the server thread's process has, with its handle in `to`. */
ax_handle session_for(struct thread *server, ax_handle endpoint, uint64_t badge,
                      struct process *to);
/* A further endpoint, of a thread's process. */
ax_handle endpoint_for(struct thread *server);
struct endpoint *endpoint_of(struct thread *thread, ax_handle endpoint);

/* A further process, without an account of its own, and threads of a priority. */
struct thread *new_thread(uint8_t priority);

/* ---- Messages --------------------------------------------------------------------------------
 */

/* The thread's parameters, set to: an empty message, no deadline, nothing accepted. */
struct ax_ipc *fresh(struct thread *thread);
const struct ax_message *message(const struct thread *thread);

/* Calls with this operation and nothing else, or with what the page holds. */
ax_result call(struct thread *thread, ax_handle session, uint64_t operation);
ax_result call_again(struct thread *thread, ax_handle session);
/* The same; it blocks. */
void calls(struct thread *thread, ax_handle session, uint64_t operation);

/* Receives, answers, answers and receives, nothing accepted, no deadline. */
ax_result receive(struct thread *thread, ax_handle endpoint);
ax_result receive_until(struct thread *thread, ax_handle endpoint, uint64_t deadline_ns);
ax_result answer(struct thread *thread, ax_handle reply, uint64_t operation);
ax_result answer_receive(struct thread *thread, ax_handle reply, ax_handle endpoint,
                         uint64_t operation);
/* Waits in receive. */
void waits(struct thread *thread, ax_handle endpoint);

/* Receives without waiting, what must be a call with this operation; its reply handle. */
ax_handle takes(struct thread *thread, ax_handle endpoint, uint64_t operation);
/* The thread has received that. */
ax_handle has_call(const struct thread *thread, uint64_t operation);
void has_close(const struct thread *thread, uint64_t badge);
void has_event(const struct thread *thread, uint64_t cookie, uint32_t signals);
void has_interrupt(const struct thread *thread, ax_handle reply);
/* There is nothing to receive. */
void has_nothing(struct thread *thread, ax_handle endpoint);
/* The thread's call was answered so. */
void has_answer(const struct thread *thread, uint64_t operation);
/* It is still in its call. */
void is_calling(const struct thread *thread);
