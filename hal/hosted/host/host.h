/* SPDX-License-Identifier: MIT */
/*
 * What the hosted machine asks of Linux, in plain C: the one door between the files that see core's
 * contract and those that see Linux's headers. Times are nanoseconds of CLOCK_MONOTONIC. Unless
 * said otherwise any thread may call a function, and none fails but of what its comment names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_NEVER UINT64_MAX

/* ---- Ending ---------------------------------------------------------------------------------- */

/* Why the last host_* function failed, as far as Linux says, and what may help. */
const char *host_error_text(void);
/* Says on the log what failed, and that the machine has failed; its processes end with it. */
_Noreturn void host_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the kernel process with the status, and everything that belongs to it. */
_Noreturn void host_exit(int status);

/* ---- Confinement ----------------------------------------------------------------------------- */

/* Gives up root, and binds the process's life to its parent's. Before any other thread. */
void host_confine_user(void);
/* Leaves the process no system calls but those it makes. Before any other thread; not undone. */
void host_confine_calls(void);

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Sparse shared memory of the size, zeroed, mapped here; -1: cannot be had, errno tells why. */
int host_memory_create(uint64_t size_bytes, void **window);
/* Makes pages of it present at once, which costs less than one by one; if it may. */
void host_memory_populate(void *window, uint64_t size_bytes);
/* Zeroed private memory, never given back. NULL: none. */
void *host_allocate(size_t size_bytes);
/* Unmaps what was mapped from a file. */
void host_file_drop(const void *bytes, uint64_t size_bytes);
/* Gives a part of the shared memory back to the host; it reads zero afterwards. */
void host_memory_punch(uint64_t offset, uint64_t size_bytes);

/* ---- Time and chance ------------------------------------------------------------------------- */

uint64_t host_time_ns(void);
/* What the host takes for the date at that time, a little while ago: nanoseconds since 1970. */
uint64_t host_date_ns(uint64_t time_ns);
/* The processor's time stamp counter and host_time_ns at the same moment. */
void host_time_pair(uint64_t *counter, uint64_t *time_ns);
/* False: the counter does not run evenly on all CPUs. */
bool host_counter_is_steady(void);
void host_entropy(void *buffer, size_t size_bytes);

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Sleeps while the word in shared memory is the value, until woken or the time has come. May return
 * at any time. */
void host_wait(const uint32_t *word, uint32_t value, uint64_t deadline_ns);
/* Wakes whoever sleeps on the word. */
void host_wake(const uint32_t *word);
void host_yield(void);

/* ---- Threads of the kernel process ----------------------------------------------------------- */

/* A thread that calls run(argument), which must not return, on this host CPU. False: none. */
bool host_thread_start(void (*run)(void *), void *argument, uint32_t host_cpu);
/* The nth of the host CPUs that this process may use, beginning with the one that it is on. */
uint32_t host_cpu_choose(uint32_t n);
/* Moves a thread, this one with 0, to a host CPU; that it may be too late does not matter. */
void host_cpu_move(int tid, uint32_t host_cpu);

/* ---- Stubs ----------------------------------------------------------------------------------- */

struct host_stub {
    int pid;
    int report; /* eventfd that its mapper writes */
};

enum host_report { HOST_REPORT_NONE, HOST_REPORT_DONE, HOST_REPORT_FAILED, HOST_REPORT_DEAD };

/* Starts the parent of all stubs from its program. Once, before any other thread. */
bool host_zygote_start(const void *program, size_t size_bytes);
/* A new stub whose orders lie at the offset; waits for the zygote. False: none can be had. */
bool host_stub_make(uint64_t orders_offset, struct host_stub *stub);
/* Says, once, that the host refused what a stub needs, so that this is ended. */
void host_stub_refused(void);
/* Waits for the mapper's report, or host_report_death. */
enum host_report host_report_wait(const struct host_stub *stub);
/* The same without waiting: NONE. */
enum host_report host_report_look(const struct host_stub *stub);
void host_report_death(const struct host_stub *stub);
/* The number that came with a report; callers take turns from the order to here. */
int64_t host_number_read(void);
/* The caller knows that the process has not been reaped. */
void host_stub_kill(const struct host_stub *stub);
/* Sends the preemption signal to one of its threads. */
void host_stub_preempt(const struct host_stub *stub, int tid);
/* Gives up what is left of a stub whose process was reaped, and of which nobody waits. */
void host_stub_close(const struct host_stub *stub);
/* CPU time that the process has used. */
uint64_t host_stub_cpu_ns(const struct host_stub *stub);
/* How many threads the process has, its mapper included; 0: it ends. */
unsigned host_stub_threads(const struct host_stub *stub);
/* Whether somebody outside holds the process: a debugger, or it was stopped. */
bool host_stub_is_held(const struct host_stub *stub);
/* Waits for the end of any child until the time has come; its pid, which stays taken until it is
 * reaped, or 0. One thread only, which begins with host_child_watch before there is another. */
void host_child_watch(void);
int host_child_await(uint64_t deadline_ns);
void host_child_reap(int pid);
bool host_child_is_zygote(int pid);
/* With which status a child has ended by itself; 0: otherwise. It stays to be reaped. */
int host_child_status(int pid);

/* The filter of guest threads: which calls they may make from the text. Answers the count of
 * 8-byte instructions, at most `most`; 0: it cannot be made. */
unsigned host_filter_make(uint64_t text, uint64_t text_end, void *program, unsigned most);

/* ---- Console --------------------------------------------------------------------------------- */

/* Where the log goes: a descriptor; nowhere before. */
void host_log_open(int descriptor);
void host_log_write(const char *text, size_t size_bytes);

/* ---- Trace ----------------------------------------------------------------------------------- */

/* Where the trace goes: a descriptor. Before any other thread. */
void host_trace_open(int descriptor);
bool host_trace_is_open(void);
/* Up to 4096 bytes, kept until there are enough of them. One thread at a time. */
void host_trace_write(const char *text, size_t size_bytes);
/* Writes what was kept. Ends by host_fail if it cannot be. */
void host_trace_flush(void);

/* ---- Ports: named descriptors ---------------------------------------------------------------- */

#define HOST_PORTS     8
#define HOST_PORT_NAME 32

enum host_way {
    HOST_IN = 1,
    HOST_OUT = 2,
    HOST_GONE = 4, /* only to wait for: nobody reads it any more */
};

/* A part of memory, as Linux's struct iovec has it. */
struct host_vector {
    void *base;
    size_t size_bytes;
};
#define HOST_VECTORS 64

#define HOST_AGAIN  (-1) /* nothing now */
#define HOST_BROKEN (-2) /* nothing ever again: nobody is there, or it failed, which was said */

/* Adds NAME=FD[:in|out|inout], and its index. Before any other thread. Bad text ends by host_fail.
 */
unsigned host_port_open(const char *text);
unsigned host_port_count(void);
const char *host_port_name(unsigned port);
uint32_t host_port_ways(unsigned port); /* enum host_way */
/* Whether it is a terminal, and how large; 0 where it does not say. */
bool host_port_is_terminal(unsigned port, uint16_t *columns, uint16_t *rows);

/* How many bytes came, 0: the end; or went; or one of the above. Only after host_ports_wait has
 * said so. Up to HOST_VECTORS parts. One thread only. */
int64_t host_port_read(unsigned port, const struct host_vector *parts, unsigned count);
int64_t host_port_write(unsigned port, const struct host_vector *parts, unsigned count);

/* Sleeps until a port can do one of what is wanted of it, or host_ports_wake; what each can do
 * takes the wish's place. One thread only. */
void host_ports_wait(uint32_t wanted[HOST_PORTS]);
/* Any thread; does not block. */
void host_ports_wake(void);

/* For a run that depends on no time of the host: from now on a write waits until all has gone.
 * Ports that are only read must be files. A reader that goes, and what else cannot be, ends by
 * host_fail. */
void host_ports_complete(void);
/* As host_ports_wait, but does not sleep: ports of one way can do what they are for; nobody has
 * gone; of others it is as it is now. */
void host_ports_look(uint32_t wanted[HOST_PORTS]);

/* ---- What the machine offers to main --------------------------------------------------------- */

#define MACHINE_MODULES 2

struct machine_options {
    uint64_t memory_bytes;
    uint32_t cpu_count;
    const void *modules[MACHINE_MODULES]; /* root image, system image; NULL from the first that is
                                             not there */
    uint64_t module_bytes[MACHINE_MODULES];
    const char *command_line;
    bool is_seeded; /* a run that can be repeated, from the seed; one CPU */
    uint64_t seed;
    bool is_confined; /* false: for sanitizers and debuggers, which need more of Linux */
};

/* Makes the machine and runs core on it. The calling thread, which is the first, watches over the
 * stubs. What fails ends by host_fail. */
_Noreturn void machine_run(const struct machine_options *options);
