/* SPDX-License-Identifier: MIT */
/* Flags, operations and structures of the kernel calls; the structures lie in thread_page.buffer.
 */
#pragma once

#include <stdint.h>

#include <abi/message.h>
#include <abi/object.h>
#include <abi/thread_page.h>

enum ax_transfer {
    AX_TRANSFER_MOVE = 1U << 0,       /* the source loses the handle */
    AX_TRANSFER_SLOT = 1U << 1,       /* `handle` is a slot of the source, whatever generation */
    AX_TRANSFER_NOT_CLONED = 1U << 2, /* the new handle is marked not-cloned */
};

enum ax_reply_op { AX_REPLY_FAULT = 0, AX_REPLY_SERVE = 1 };

enum ax_forward_flag { AX_FORWARD_MESSAGE = 1U << 0 };

enum ax_list_kind { AX_LIST_LIVE = 0, AX_LIST_CLOSED = 1, AX_LIST_REDELIVERED = 2 };

enum ax_retire { AX_RETIRE_END = 1U << 0 };

enum ax_memory_flag {
    AX_MEMORY_CONTIGUOUS = 1U << 0,
};

enum ax_map_flag {
    AX_MAP_PRIVATE = 1U << 0,  /* writes stay in this mapping */
    AX_MAP_FIXED = 1U << 1,    /* at exactly this address */
    AX_MAP_REPLACE = 1U << 2,  /* with AX_MAP_FIXED: unmap what is there first */
    AX_MAP_POPULATE = 1U << 3, /* make and map all pages now */
};

struct ax_map_request {
    uint64_t address; /* a wish, or with AX_MAP_FIXED an order; a multiple of the page size */
    uint64_t size_bytes;
    uint64_t offset; /* into the memory object, a multiple of the page size */
    uint32_t prot;   /* enum ax_prot */
    uint32_t flags;  /* enum ax_map_flag */
};

struct ax_region_info {
    uint64_t address;
    uint64_t size_bytes;
    uint64_t offset;
    uint64_t memory; /* object id, 0: anonymous */
    uint32_t prot;
    uint32_t flags;         /* enum ax_map_flag */
    uint64_t present_pages; /* private pages this region has of its own */
};

enum ax_process_op {
    AX_PROCESS_SUSPEND = 0,
    AX_PROCESS_RESUME,
    AX_PROCESS_LABEL,
    AX_PROCESS_PERSONALITY,
    AX_PROCESS_THREAD,
    AX_PROCESS_RELEASE,
};
#define AX_ALL_THREADS UINT64_MAX

enum ax_thread_op {
    AX_THREAD_INTERRUPT = 0,
    AX_THREAD_TAKE,
    AX_THREAD_PRIORITY,
    AX_THREAD_AFFINITY,
    AX_THREAD_GET_REGS,
    AX_THREAD_SET_REGS,
};

#define AX_PRIORITY_COUNT 64
#define AX_CPU_MAX        64

#define AX_WAIT_MAX 32
struct ax_wait_item {
    ax_handle handle;
    uint32_t mask;
    uint32_t seen;     /* out */
    uint32_t reserved; /* 0 */
};

enum ax_queue_op { AX_QUEUE_ADD = 0, AX_QUEUE_CHANGE = 1, AX_QUEUE_REMOVE = 2 };
enum ax_queue_mode {
    AX_QUEUE_EDGE = 1U << 0,      /* report each edge once; else as long as the level holds */
    AX_QUEUE_ONCE = 1U << 1,      /* after one report silent until changed */
    AX_QUEUE_EXCLUSIVE = 1U << 2, /* of several exclusive queues only one is told of an edge */
};
#define AX_QUEUE_MAX         64
#define AX_QUEUE_NESTING_MAX 5
struct ax_queue_request {
    uint64_t key;  /* names the member: unique in its queue */
    uint64_t data; /* told with its events; of any value */
    uint32_t mask; /* of signals; 0: silent */
    uint32_t mode; /* enum ax_queue_mode */
};
struct ax_queue_event {
    uint64_t key;
    uint64_t data;
    uint32_t signals;
    uint32_t reserved;
};

#define AX_LOAN_MAP_PAGES 64

enum ax_device_kind {
    AX_DEVICE_SYSTEM = 0, /* log, counters, power: no range */
    AX_DEVICE_MEMORY,     /* physical addresses, whole pages */
    AX_DEVICE_PORTS,      /* I/O ports */
    AX_DEVICE_IRQS,       /* interrupt lines */
    AX_DEVICE_KIND_COUNT,
};
#define AX_PORT_WIDTH_MASK 7U /* 1, 2 or 4 bytes */
#define AX_PORT_WRITE      8U
/* How an interrupt line is triggered. */
enum ax_irq_mode {
    AX_IRQ_DEFAULT = 0, /* as the machine found it; the only one for lines raised by messages */
    AX_IRQ_EDGE_HIGH,
    AX_IRQ_EDGE_LOW,
    AX_IRQ_LEVEL_HIGH,
    AX_IRQ_LEVEL_LOW,
    AX_IRQ_MODE_COUNT,
};
enum ax_device_memory_flag { AX_DEVICE_REGISTERS = 0, AX_DEVICE_DMA = 1 };

enum ax_system_op {
    AX_SYSTEM_LOG_WRITE = 0,
    AX_SYSTEM_LOG_READ,
    AX_SYSTEM_COUNTERS,
    AX_SYSTEM_TRACE,
    AX_SYSTEM_TRACE_READ,
    AX_SYSTEM_HALT,
    AX_SYSTEM_ENTROPY,
};

struct ax_handle_info {
    ax_handle handle;
    uint32_t type;
    uint32_t rights; /* with AX_HANDLE_NOT_CLONED */
    uint32_t slot;
    uint64_t object_id;
};

struct ax_session_info {
    uint64_t badge;
    uint32_t handles;     /* open handles; of a redelivered call: 0 */
    uint32_t calls;       /* calls not answered */
    struct ax_call_id id; /* redelivered calls only */
    uint64_t order;       /* of a redelivered call among them: the list goes on after it */
    uint64_t is_hint;     /* 1: no entry, but go on from its badge */
};

struct ax_object_info {
    uint32_t type;
    uint32_t signals;
    uint64_t object_id;
    uint64_t handle_count;
    union {
        struct {
            uint64_t page_count;
            uint64_t present_pages;
            uint64_t physical; /* contiguous and device memory, with AX_RIGHT_WRITE; else 0 */
        } memory;
        struct {
            uint32_t cause; /* enum ax_cause */
            uint32_t fault; /* enum ax_fault */
            int64_t code;
            uint64_t address; /* of the fault */
            uint32_t threads;
            uint32_t handles;
            uint64_t cpu_ns;  /* time its threads ran */
            uint64_t account; /* object id */
            uint64_t page_faults;
        } process;
        struct {
            uint32_t state;    /* enum ax_thread_state */
            uint32_t priority; /* effective */
            uint32_t base_priority;
            uint32_t slot;
            uint64_t label;
            uint64_t affinity;
            uint64_t cpu_ns;
            uint64_t waits_for; /* object id of what it waits for */
            uint64_t process;
        } thread;
        struct {
            uint64_t limit_bytes, used_bytes;
            uint64_t limit_objects, used_objects;
        } account;
        struct {
            uint64_t sessions, closed, queued, received;
            uint64_t delivered; /* messages of all kinds, since it was made; never goes back */
        } endpoint;
        struct {
            uint64_t deadline_ns;
        } timer;
        struct {
            uint64_t members, ready;
        } queue;
        struct {
            uint64_t line;
            /* Of a line raised by messages (MSI), with AX_RIGHT_ACK; else 0: what a device writes,
             * and where to. */
            uint64_t message_address, message_data;
        } irq;
        struct {
            uint64_t kind, base, size, quarantined_pages;
        } device;
    };
};

enum ax_thread_state {
    AX_THREAD_READY = 0,
    AX_THREAD_RUNNING,
    AX_THREAD_WAITING, /* for signals, a queue, a futex, or time */
    AX_THREAD_CALLING, /* its call is queued or received */
    AX_THREAD_RECEIVING,
    AX_THREAD_SUSPENDED,
    AX_THREAD_ENDED,
};

struct ax_counters {
    uint64_t kernel_entries, kernel_calls, calls_sent, calls_answered, calls_redelivered;
    uint64_t calls_fast, calls_faulted, deadlocks, page_faults, bounces, upcalls, interrupts;
    uint64_t restarts, kicks, switches, space_syncs;
    uint64_t lock_held_ns, lock_held_max_ns;
    uint64_t frames_total, frames_free, frames_waiting, heap_bytes;
    uint64_t processes, threads, root_restarts;
};

struct ax_trace_entry {
    uint64_t time_ns;
    uint16_t kind; /* enum ax_trace */
    uint16_t cpu;
    uint32_t thread; /* low bits of the thread's object id */
    uint64_t a, b;
};

enum ax_trace {
    AX_TRACE_ENTRY = 0, /* a: enum hal_event_kind, b: call number or fault address */
    AX_TRACE_RESULT,    /* a: call number, b: result */
    AX_TRACE_SWITCH,    /* b: thread that runs next */
    AX_TRACE_SEND,      /* a: operation, b: hash of the message */
    AX_TRACE_RECEIVE,   /* a: call sequence, b: hash of the message */
    AX_TRACE_ANSWER,    /* a: call sequence, b: hash of the message */
    AX_TRACE_SIGNAL,    /* a: object id, b: signals */
    AX_TRACE_END,       /* a: process, b: cause */
    AX_TRACE_COPY,      /* a part of a loan. a: its bytes, b: their hash */
    AX_TRACE_COUNT,
};

_Static_assert(sizeof(struct ax_object_info) <= AX_BUFFER_BYTES, "fits the buffer");
_Static_assert(sizeof(struct ax_wait_item) * AX_WAIT_MAX <= AX_BUFFER_BYTES, "fits the buffer");
_Static_assert(sizeof(struct ax_queue_event) * AX_QUEUE_MAX <= AX_BUFFER_BYTES, "fits the buffer");
_Static_assert(sizeof(struct ax_counters) <= AX_BUFFER_BYTES, "fits the buffer");
_Static_assert(sizeof(struct ax_trace_entry) == 32, "shared with programs");
