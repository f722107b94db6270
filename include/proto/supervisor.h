/* SPDX-License-Identifier: MIT */
/*
 * Where the supervisor keeps what it holds, so that it finds it again when core starts it anew, and
 * so that a tool which may look into its table (AX_RIGHT_HANDLES on the root task) finds it too.
 */
#pragma once

#include <stdint.h>

#include <abi/layout.h>
#include <abi/object.h>

#define SUPERVISOR_SERVERS 33 /* the manifest's, and init behind the last */
#define SUPERVISOR_CALLS   16
#define SUPERVISOR_DEVICES 8

/* Slots of the supervisor's handle table. */
#define SUPERVISOR_STATUS              64 /* memory: struct supervisor_status */
#define SUPERVISOR_QUEUE               65 /* the ends of servers; key: the server's index */
#define SUPERVISOR_SERVER(index, what) (128U + 64U * (uint32_t)(index) + (uint32_t)(what))

enum supervisor_slot {
    SUPERVISOR_ENDPOINT = 0,
    SUPERVISOR_ACCOUNT,
    SUPERVISOR_STASH,        /* the process without threads */
    SUPERVISOR_STASH_MEMORY, /* what is mapped of it */
    SUPERVISOR_PROCESS,      /* the instance */
    SUPERVISOR_SESSION,      /* of those that it may call, in the manifest's order */
    SUPERVISOR_DEVICE = SUPERVISOR_SESSION + SUPERVISOR_CALLS,
    SUPERVISOR_SLOTS = SUPERVISOR_DEVICE + SUPERVISOR_DEVICES,
};

/*
 * Badges of sessions that the supervisor makes, for servers that may call others: they outlive the
 * caller's instances, and are never closed. A server's own badges have bit 63 clear.
 */
#define SUPERVISOR_BADGE(role, caller) \
    (UINT64_C(1) << 63 | (uint64_t)(role) << 32 | (uint64_t)(caller))
#define SUPERVISOR_BADGE_ROLE(badge) ((uint32_t)((badge) >> 32) & 0xffU)

enum supervisor_state {
    SUPERVISOR_NEVER_STARTED = 0,
    SUPERVISOR_STARTING, /* its process is being made */
    SUPERVISOR_RUNNING,
    SUPERVISOR_WAITING, /* until it is started again */
    SUPERVISOR_ENDED,   /* and is not started again */
};

struct supervisor_server {
    char name[24];
    uint32_t state;
    uint32_t restarts;
    uint32_t deaths; /* in a row, each soon after the start */
    uint32_t failed; /* 1: the last instance ended of itself: a fault, an error, or hanging */
    uint32_t early;  /* failures in a row before the instance had received anything */
    uint32_t reserved;
    /* The three counts when its last instance was started. What its end makes of them is computed
     * from these, so that it may be done twice. */
    struct {
        uint32_t restarts, deaths, early, reserved;
    } before;
    /* How the last instance ended. */
    uint32_t cause, fault;
    int64_t code;
    uint64_t address;
    uint64_t started_ns; /* when the last instance was started */
    uint64_t due_ns;     /* when the next one is */
    uint64_t delivered;  /* messages that earlier instances had received when it was started */
};

#define SUPERVISOR_MAGIC UINT64_C(0x3170757374617473) /* "statsup1" */

struct supervisor_status {
    uint64_t magic;
    uint32_t server_count; /* init is the last */
    uint32_t reserved;
    struct supervisor_server servers[SUPERVISOR_SERVERS];
};

_Static_assert(SUPERVISOR_SLOTS <= 64, "slots of the next server begin there");
_Static_assert(sizeof(struct supervisor_status) <= AX_PAGE_SIZE, "one page");
