/* SPDX-License-Identifier: MIT */
/*
 * The kernel calls. A call is made by calling the kernel page's first byte like a C function
 *
 *     ax_result kernel(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
 *                      uint64_t a4);
 *
 * which preserves what a C function preserves. At AX_KERNEL_CLOCK lies
 *
 *     uint64_t clock_ns(void);
 *
 * the machine's clock in nanoseconds, which needs no kernel call and never goes back. At
 * AX_KERNEL_YIELD lies
 *
 *     void yield_point(void);
 *
 * which programs and libraries call as often as they like, where another thread may well run in
 * between. It returns at once, but on a machine that plays a seeded run: this one lets others of
 * the thread's priority run first, now and then, as by object_wait_many(0, 0). Both preserve what a
 * C function preserves.
 *
 * Errors that every call can give are not repeated below: AX_ERR_HANDLE, AX_ERR_TYPE and
 * AX_ERR_RIGHTS of each handle it takes, AX_ERR_ARGUMENT (also for what is reserved and not 0), and
 * AX_ERR_MEMORY or AX_ERR_LIMIT where it makes something. Arguments beyond those that a call takes
 * are not looked at. A call that fails has had no effect.
 *
 * "Place" is an ax_place (object.h); the call answers the new handle. Another process's needs
 * AX_RIGHT_HANDLES on that process. A slot that is taken is AX_ERR_EXISTS, one that no table has
 * AX_ERR_ARGUMENT, a process that ends or has ended AX_ERR_ENDED.
 *
 * "Deadline" is absolute, in nanoseconds of the machine's clock; one that has passed means "do not
 * block" and is answered AX_ERR_TIMEOUT; AX_TIME_NEVER waits for ever. "Buffer" is
 * thread_page.buffer; structures of it are in info.h. A call that blocks is ended by
 * thread_control's INTERRUPT with AX_ERR_INTERRUPTED and no effect, unless said otherwise. An
 * interrupt that is pending when such a call begins has the same result at once.
 */
#pragma once

#include <stdint.h>

#define AX_CALL_LIST(X)                        \
    /* handles and signals */                  \
    X(HANDLE_CLOSE, handle_close)              \
    X(HANDLE_TRANSFER, handle_transfer)        \
    X(HANDLE_LIST, handle_list)                \
    X(OBJECT_INFO, object_info)                \
    X(OBJECT_CREATE, object_create)            \
    X(OBJECT_WAIT, object_wait)                \
    X(OBJECT_WAIT_MANY, object_wait_many)      \
    X(OBJECT_SIGNAL, object_signal)            \
    /* IPC */                                  \
    X(CALL, call)                              \
    X(REPLY_RECEIVE, reply_receive)            \
    X(FORWARD, forward)                        \
    X(REPLY_CONTROL, reply_control)            \
    X(LOAN_READ, loan_read)                    \
    X(LOAN_WRITE, loan_write)                  \
    X(LOAN_MAP, loan_map)                      \
    X(ENDPOINT_LIST, endpoint_list)            \
    X(ENDPOINT_BIND, endpoint_bind)            \
    X(SESSION_CREATE, session_create)          \
    X(SESSION_RETIRE, session_retire)          \
    X(SESSION_SIGNAL, session_signal)          \
    X(SESSION_IDENTIFY, session_identify)      \
    /* memory */                               \
    X(MEMORY_CREATE, memory_create)            \
    X(MEMORY_RESIZE, memory_resize)            \
    X(MEMORY_MAP, memory_map)                  \
    X(MEMORY_UNMAP, memory_unmap)              \
    X(MEMORY_PROTECT, memory_protect)          \
    X(MEMORY_LIST, memory_list)                \
    X(FUTEX_WAIT, futex_wait)                  \
    X(FUTEX_WAKE, futex_wake)                  \
    X(FUTEX_REQUEUE, futex_requeue)            \
    /* processes and threads */                \
    X(ACCOUNT_CREATE, account_create)          \
    X(ACCOUNT_TRANSFER, account_transfer)      \
    X(PROCESS_CREATE, process_create)          \
    X(PROCESS_CLONE, process_clone)            \
    X(PROCESS_END, process_end)                \
    X(PROCESS_CONTROL, process_control)        \
    X(PROCESS_COPY, process_copy)              \
    X(THREAD_CREATE, thread_create)            \
    X(THREAD_EXIT, thread_exit)                \
    X(THREAD_CONTROL, thread_control)          \
    X(RESUME, resume)                          \
    /* events, queues, devices, the machine */ \
    X(TIMER_SET, timer_set)                    \
    X(QUEUE_CONTROL, queue_control)            \
    X(QUEUE_WAIT, queue_wait)                  \
    X(DEVICE_CREATE, device_create)            \
    X(DEVICE_PORT, device_port)                \
    X(DEVICE_MEMORY, device_memory)            \
    X(DEVICE_RESET, device_reset)              \
    X(IRQ_CREATE, irq_create)                  \
    X(SYSTEM_CONTROL, system_control)

enum ax_call {
#define X(upper, lower) AX_CALL_##upper,
    AX_CALL_LIST(X)
#undef X
        AX_CALL_COUNT,
};

/* ---- Handles and signals ---------------------------------------------------------------------

handle_close(handle)
    Closes it. A reply handle: the call is answered AX_ERR_DROPPED. The last handle of a session:
    its close is queued at the endpoint before this returns.

handle_transfer(source process, handle, place, rights, enum ax_transfer flags)
    Copies a handle of the source's table (AX_HANDLE_NONE: the caller's; else a process with
    AX_RIGHT_HANDLES, which may have no threads) to a place, with at most `rights`; with
    AX_TRANSFER_MOVE it leaves the source in the same step. Needs AX_RIGHT_COPY or AX_RIGHT_MOVE on
    the handle. A reply handle cannot be transferred (AX_ERR_TYPE). Answers the new handle.
    Errors: NOT_FOUND (with AX_TRANSFER_SLOT: the slot is empty), ENDED (also the source's process).

handle_list(process, first slot)
    Lists the process's handles (AX_RIGHT_HANDLES; AX_HANDLE_NONE: the caller's) from the first slot
    on into the buffer as struct ax_handle_info. Answers how many; 0: none are left. One call looks
    at a bounded number of slots: the last entry may be a hint of type AX_TYPE_NONE: go on after
    its slot.

object_info(handle)
    Fills struct ax_object_info in the buffer. Any handle will do; what tells of a process's or
    thread's inside needs AX_RIGHT_INSPECT and reads zero without.

object_create(type, argument, place)
    Makes an endpoint, event (argument: its first signals), timer or queue, with all rights. The
    argument is 0 but for events, whose signals are of AX_SIGNAL_SERVED.

object_wait(handle, mask, deadline)
    Waits (AX_RIGHT_WAIT) until the object has a signal of the mask, which is not 0; answers those
    it has, also when an interrupt is pending or the deadline has passed. The wait holds the object:
    closing the handle meanwhile does not end it. Blocks. Errors: TIMEOUT, INTERRUPTED, LIMIT (too
    many wait for this object).

object_wait_many(count, deadline)
    The same for up to AX_WAIT_MAX struct ax_wait_item in the buffer; answers the index of the first
    that is ready, and sets `seen` in each. With count 0 it sleeps until the deadline and answers
    TIMEOUT; with a deadline in the past besides, it lets other threads of its priority run first.

object_signal(handle, clear, set)
    Event (AX_RIGHT_SIGNAL): clears, then sets bits, each set bit a new edge; no server is asked
    and nothing is buffered but the bits. Irq (AX_RIGHT_ACK): clearing AX_SIGNAL_FIRED acknowledges
    and unmasks. Timer (AX_RIGHT_WRITE): clearing AX_SIGNAL_FIRED. No other bits of these two.

---- IPC ----------------------------------------------------------------------------------------

call(session)
    Sends thread_page.ipc.message through the session (AX_RIGHT_CALL) and blocks until it is
    answered; the answer takes its place. Everything is copied and resolved before it blocks:
    handles (copies; those marked move leave the caller when the call is answered), loans (ranges
    below AX_USER_END; the pages need not be there).
    Answers 0 when the server replied. Errors before anything was sent: PEER_CLOSED, DEADLOCK,
    INTERRUPTED, TIMEOUT, ADDRESS (a loan outside user space), LIMIT (no room for the accepted
    handles). After: DROPPED, FAULTED, PEER_CLOSED, ADDRESS (the server met a bad address in a
    loan), MEMORY and LIMIT (a page of a loan cannot be paid for), ACCEPT (the receiver takes fewer
    handles; nothing was delivered), LIMIT (the caller cannot be charged for a session that it was
    answered with, and the answer is lost).
    Interrupt and deadline: not yet received, it is withdrawn (INTERRUPTED, TIMEOUT, no effect);
    received, the server is asked to answer soon and the caller waits on.

reply_receive(reply, endpoint)
    Answers `reply` (AX_HANDLE_NONE: nothing to answer) with thread_page.ipc.message and the reply
    parameters, then receives from `endpoint` (AX_RIGHT_RECEIVE; AX_HANDLE_NONE: does not receive,
    answers 0). The call the thread was serving and did not answer becomes parked. Room for the
    reply handle and `accept` handles is reserved before it blocks, so that a delivery cannot fail.
    Errors of the reply, in which case nothing was received and the reply handle stays: CALLER_DEAD
    (the handle is closed all the same), ABSENT (a page of loan 1 is not there: reply_control
    FAULT), ADDRESS (loan 1 or `data` is bad), NOT_FOUND (no session has a change's badge), ACCEPT
    (the caller takes fewer handles). LIMIT: too many threads share the endpoint.
    Delivered in this order: interrupts and deaths of the callers of received calls, closes, bound
events, calls by priority and age, redelivered ones first. Blocks; errors, each with the reply done:
TIMEOUT, INTERRUPTED, PEER_CLOSED (no handle with AX_RIGHT_RECEIVE is left).

forward(reply, session, enum ax_forward_flag flags)
    Passes a received call on to the endpoint of a session of the caller (AX_RIGHT_CALL): as it
    came, or with AX_FORWARD_MESSAGE with operation and words of thread_page.ipc.message, and with
    the handles of that added, as copies, to those that came (ARGUMENT: more than
    AX_MESSAGE_HANDLES in all, or one is to be moved; errors of the handles as in a call). The
    receiver sees that session's badge, the first caller's label, id and loans. For interrupts and
    deadlines the call stays a received one, which is not withdrawn, also while it waits to be
    received there: the forwarder may have had an effect. The reply handle is gone. Errors:
    CALLER_DEAD (handle closed), PEER_CLOSED, DEADLOCK; the handle stays.

reply_control(reply, enum ax_reply_op, loan, offset)
    AX_REPLY_FAULT: gives the call back because a page of a loan at this offset is absent; core
    makes it present on the caller's behalf and delivers the call again, same id, its handles once
    more, AX_MESSAGE_RETRIED; a bad address ends the call with ADDRESS, a caller that cannot pay for
    the page with MEMORY or LIMIT. AX_REPLY_SERVE: the thread takes up a parked call (STATE: another
    serves it): it inherits the caller's priority and its death counts against the call. Errors:
    CALLER_DEAD (handle closed), ARGUMENT.

loan_read(reply, loan, offset, address, size)   loan_write(reply, loan, offset, address, size)
    Copies from or to the lent range into or out of the caller's own memory. Never waits. Answers
    the bytes copied: fewer than asked for at the loan's end, or before a page that fails, which the
    next call from there then tells. Errors: CALLER_DEAD, ARGUMENT (no such loan, beyond its end),
    RIGHTS (the loan's access), ADDRESS (own address bad), ABSENT (the lent page needs its pager, is
    a bad address, or its process cannot pay for it: reply_control FAULT).

loan_map(reply, loan, offset, size)
    Maps whole pages that cover that part of the loan into the caller's space, populated and pinned;
    answers the address of the first byte. They stay until memory_unmap or the reply (which unmaps
    them), whatever the lender does. Readable, and writable if the loan is. At most
    AX_LOAN_MAP_PAGES a map and 8 maps a call (LIMIT). Errors: CALLER_DEAD, ARGUMENT (no such loan,
    nothing to map, beyond its end), ABSENT (as loan_read).

endpoint_list(endpoint, enum ax_list_kind, cursor)
    Lists (AX_RIGHT_SESSIONS) into the buffer as struct ax_session_info, ascending by badge from the
    cursor on: live sessions, closed ones not yet retired; or the calls waiting to be redelivered,
    ascending by `order` from the cursor on. Answers how many entries.

endpoint_bind(endpoint, object, mask, cookie)
    Signals of the mask of an event, timer or irq (AX_RIGHT_WAIT) come as messages to the endpoint
    (AX_RIGHT_RECEIVE) with the cookie as badge; a new instance gets each of them once. The binding
    takes from the event the bits it delivers (for irq and timer they stay until acknowledged). One
    binding an object (EXISTS); mask 0 unbinds (NOT_FOUND: it is not bound to this endpoint). To a
    new instance words[0] may be 0: whatever the last one was told and did not finish is not known.

session_create(endpoint, badge, signals, place)
    A session with that badge (AX_RIGHT_SESSIONS) and first signals. EXISTS: the badge is live or
    not retired. PEER_CLOSED: the endpoint is gone. Rights of the handle: CALL, WAIT, COPY, MOVE.
    The charge passes, once, to a process that is answered with the session by who pays for it; a
    session in a call stays charged as it is.

session_retire(endpoint, badge, enum ax_retire flags)
    Forgets a closed session (STATE if it is still open; NOT_FOUND). AX_RETIRE_END: ends an open
    one: its holders see AX_SIGNAL_PEER_CLOSED, their calls PEER_CLOSED, queued ones too; nothing is
    announced. Received calls are still answered.

session_signal(endpoint, badge, clear, set)   AX_RIGHT_SESSIONS. Errors: NOT_FOUND.

session_identify(endpoint, handle)
    Is this handle (any rights) a session of this endpoint (AX_RIGHT_SESSIONS)? thread_page.ipc.
    message.badge tells which. NOT_FOUND: it is something else.

---- Memory -------------------------------------------------------------------------------------

memory_create(page count, enum ax_memory_flag, place)
    Zero-filled pages, made at first touch and charged to the process that touches them; one that
    goes through them in order may be charged for some that it has yet to come to
    (AX_MEMORY_CONTIGUOUS: at once, in one run, by the caller; LIMIT: more than 16 MiB). May begin
    with no page at all. All rights. LIMIT: more than 2^36 pages.

memory_resize(memory, page count)
    AX_RIGHT_RESIZE. Pages cut off vanish from every mapping, private copies too; touching them is
    AX_FAULT_BEYOND, and they are zero when the object grows again. STATE: contiguous or device
    memory.

memory_map(process, memory)
    Maps with struct ax_map_request in the buffer, into `process` (AX_HANDLE_NONE: self; else
    AX_RIGHT_SPACE). AX_HANDLE_NONE as memory: fresh private zero pages. Sizes are rounded up to
    whole pages. Answers the address.
    The access asked for needs the same rights on the memory, writing READ as well, for it includes
    reading; AX_MAP_PRIVATE: only READ, and writes stay private (copy on write; ARGUMENT for device
    registers). Write with execute: ARGUMENT, as all that lies outside of programs' and the
    personality's part of user space, and AX_MAP_REPLACE without AX_MAP_FIXED. A mapping may reach
    beyond the memory's end. EXISTS: the range is taken (AX_MAP_FIXED; a wish that is taken is
passed over). LIMIT: no range is free. AX_MAP_REPLACE puts the new pages where others were, from
the first to the last; if it fails for memory, some may have been replaced or emptied.
AX_MAP_POPULATE goes as far as it can: what cannot be made now is made, or faults, when it is
touched. ENDED: the process has ended.

memory_unmap(process, address, size)
    Unmaps what is mapped in the range, whole pages; of a mapped loan, all. MEMORY and LIMIT are
    possible where one mapping becomes two. ENDED: the process has ended.
memory_protect(process, address, size, prot)
    NOT_FOUND: a page of the range is not mapped (pages before it have changed, as with mprotect).
    RIGHTS: more than the mapping's handle allowed, or a mapped loan (pages before it have changed).
    MEMORY and LIMIT are possible where one mapping becomes more. ENDED: the process has ended.
memory_list(process, address)
    Regions from the one at the address on, into the buffer as struct ax_region_info; answers how
    many (AX_RIGHT_INSPECT, AX_HANDLE_NONE: self).

futex_wait(address, value, bits, deadline)
    Blocks while the 32-bit word there holds the value. AGAIN: it holds another, whatever else is
the case. ARGUMENT (of all three): an address that is no multiple of 4, bits 0. ADDRESS: nothing is
    mapped there, or it cannot be read.
futex_wake(address, count, bits)   Wakes up to count waiters of which a bit matches; how many.
futex_requeue(address, wake count, target, move count, value)
    If the word still holds the value (AGAIN), wakes, then moves waiters to the end of the target's
    line; how many in all. ARGUMENT: the target is the same word.

---- Processes and threads ----------------------------------------------------------------------

account_create(account, bytes, objects, place)
    A new account; its limits come out of the given one (AX_RIGHT_CHARGE; AX_HANDLE_NONE: the
    caller's own), which also pays for the account itself, and go back to it at the end: when the
    last handle and the last charge are gone. LIMIT: it has not that much left. All rights.
account_transfer(from, to, bytes, objects)
    Moves unused limit (AX_RIGHT_CHARGE on both; AX_HANDLE_NONE: the caller's own), and clears
    AX_SIGNAL_LIMIT of `to`, also where nothing is moved. LIMIT: `from` has not that much left.

process_create(account, place)   An empty process that the account (AX_HANDLE_NONE: own) pays for.

process_clone(entry, stack, argument, place)
    A copy of the calling process with one thread (label, priority, affinity and thread-page slot of
    the caller; fs_base, thread_page.user, personality_stack and `inside` too, other registers as
    for thread_create): private memory copy-on-write, shared memory shared, handles at the same
    index and generation except replies, devices and not-cloned ones. Loans mapped here are not, nor
    is a pending interrupt. Answers the child's process handle.

process_end(process, enum ax_cause, code)
    Ends it (AX_RIGHT_CONTROL; AX_HANDLE_NONE: the caller's own, does not return). Its received
    calls go back, its handles close, then AX_SIGNAL_ENDED; memory and registers stay readable until
    the last process handle is closed, or its account has nothing left. The cause is one of EXIT to
    HUNG. ENDED: it ends, or has ended, already.

process_control(process, enum ax_process_op, a, b, authority)
    SUSPEND, RESUME (CONTROL; counted; a suspended process's blocked calls go on, but nothing of it
    runs), LABEL (CONTROL; a: thread slot or AX_ALL_THREADS, b: label; authority: a
    device of kind AX_DEVICE_SYSTEM with SET_LABEL), PERSONALITY (THREADS; struct ax_personality in
    the buffer), THREAD (INSPECT; a: slot, b: place; answers a handle to that thread with the rights
    that the process handle has), RELEASE (CONTROL: gives the corpse's memory back now). NOT_FOUND:
    no such thread. STATE: it is not suspended (RESUME), or no corpse (RELEASE). ENDED: the process
    has ended (all but THREAD and RELEASE).

process_copy(process, address, own address, size, direction)
    Reads (0; AX_RIGHT_INSPECT) or writes (1; AX_RIGHT_CHANGE, also to read-only private pages, as a
    debugger must) another process's memory. Answers bytes copied; if none, what the first page
    fails with: ADDRESS, or MEMORY or LIMIT where it has to be made, which the process that it is of
    pays for. ENDED: the memory of the ended process was given back.

thread_create(process, entry, stack, argument, place)
    A thread in `process` (AX_HANDLE_NONE: self; else AX_RIGHT_THREADS), with the caller's label and
    priority, runnable. LIMIT: AX_THREAD_MAX. ENDED: the process has ended.
thread_exit(clear address, code, handle)
    Closes the handle (AX_HANDLE_NONE: none; a thread's own, as a rule) and ends the calling thread;
    when it can no longer touch its stack, its page is cleared, and core writes a 32-bit zero to the
    address (0: none) and wakes one futex waiter there. The last thread's exit ends the process.
    MEMORY, LIMIT: the address's page would have to be made or copied; nothing was closed. HANDLE:
    the thread goes on, and that page has been made or copied.
thread_control(thread, enum ax_thread_op, value)
    On AX_HANDLE_NONE (self) or a thread (CONTROL; registers: INSPECT, CHANGE). INTERRUPT, TAKE
    (answers 1 and forgets a pending interrupt; self only), PRIORITY (0 lowest to 63; not above the
    caller's own base priority, so one that lowers itself does not come back by itself; the root
task begins with 63), AFFINITY (mask of CPUs), GET_REGS, SET_REGS (struct ax_regs in the buffer;
STATE while it runs or is inside a call). ENDED: the thread has ended (all but GET_REGS).

resume(frame)
    Loads every register from thread_page.program (0) or .recovery (1), checked, and goes on there.
    Does not return. With an interrupt pending and frame 0, delivers it at once instead.

---- Events, queues, devices, the machine -------------------------------------------------------

timer_set(timer, deadline)
    AX_RIGHT_WRITE. AX_TIME_NEVER disarms. Clears AX_SIGNAL_FIRED; a deadline that has passed sets
    it again at once.

queue_control(queue, enum ax_queue_op, handle)
    With struct ax_queue_request in the buffer: AX_QUEUE_ADD (handle: AX_RIGHT_WAIT), CHANGE (data,
    mask and mode), REMOVE a member, known by its key (EXISTS, NOT_FOUND); queue: AX_RIGHT_WRITE.
    Its data is told with its events, and need not be unique. Mask 0: silent. The queue holds the
object weakly: a member goes when the last handle to its object is closed. A member that has a
signal of the mask when it is added or changed is reported. EXCLUSIVE goes neither with ONCE, nor
with a queue as member, nor with CHANGE (ARGUMENT). LIMIT: nesting deeper than AX_QUEUE_NESTING_MAX,
or too many queues in each other; DEADLOCK: a cycle. queue_wait(queue, max, deadline) AX_RIGHT_READ.
Up to max (1 to AX_QUEUE_MAX) struct ax_queue_event in the buffer; answers how many. Blocks. An edge
is handed to one of the threads that wait, a level to all.

device_create(device, enum ax_device_kind, base, size, place)
    A part of a device's range (AX_RIGHT_WRITE on it), of the same kind; memory in whole pages.
device_port(device, port, width | direction, value)
    Port input (0: READ), which it answers, and output (1: WRITE).
device_memory(device, page count or offset, flags, place)
    AX_RIGHT_WRITE. AX_DEVICE_REGISTERS: memory of the device's registers, from the offset to the
    end of its range (ARGUMENT: some of that is RAM, or the kernel). AX_DEVICE_DMA (any kind but
    SYSTEM): a contiguous, pinned run of RAM, whose physical address object_info tells; not reused
    before device_reset.
device_reset(device)   The device was reset: freed DMA memory may be used again. (WRITE)
irq_create(device, line, enum ax_irq_mode, place)
    An interrupt line in the device's range (WRITE), unmasked. Lines below ax_boot_page.irq_wired
    are wires; from there on they are raised by messages, which object_info tells, and have no other
    mode than AX_IRQ_DEFAULT. EXISTS: it is in use.

system_control(device, enum ax_system_op, a, b)
    On the device of kind AX_DEVICE_SYSTEM. WRITE: LOG_WRITE (a bytes of the buffer). READ: LOG_READ
    (from position a; answers bytes), TRACE_READ (from position a; answers entries), COUNTERS,
    ENTROPY (a bytes into the buffer). CONTROL: TRACE (a: mask), HALT (a: code). Positions count
    from the machine's start; one that is lost already means the oldest there is; where to read on
    is told in thread_page.ipc.message.badge. STATE: the machine keeps no trace.

---------------------------------------------------------------------------------------------- */
