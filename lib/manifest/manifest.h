/* SPDX-License-Identifier: MIT */
/*
 * Reads the manifest: which servers a system has, what each of them gets and whom it may call.
 * docs/manifest.md describes the text. Nothing is copied: what a manifest points to lies in the
 * text, which must stay.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_PATH "/etc/manifest" /* in the system image */

#define MANIFEST_SERVERS_MAX   32
#define MANIFEST_NAME_MAX      23 /* characters of a server's name, or of a handle's */
#define MANIFEST_ARGUMENTS_MAX 16 /* with the program's path */
#define MANIFEST_CALLS_MAX     16
#define MANIFEST_DEVICES_MAX   8
#define MANIFEST_ROLE_MAX      255
#define MANIFEST_PRIORITY_MAX  62 /* 63 is the supervisor's */

struct manifest_text {
    const char *start; /* not terminated */
    uint32_t length;
};

enum manifest_device_kind { MANIFEST_DEVICE_MEMORY, MANIFEST_DEVICE_PORTS, MANIFEST_DEVICE_IRQS };

/* A range of one of the machine's devices: physical addresses, ports or interrupt lines. */
struct manifest_device {
    struct manifest_text name; /* of the handle */
    enum manifest_device_kind kind;
    uint64_t first, last; /* both included */
};

/* A session with another server. */
struct manifest_call {
    struct manifest_text name; /* of the handle: the server's, unless the text gives another */
    struct manifest_text server_name;
    uint32_t server; /* index in manifest.servers */
    uint32_t role;   /* 1 to MANIFEST_ROLE_MAX: what the server is told of this client */
    unsigned line;
};

enum manifest_restart { MANIFEST_RESTART_ALWAYS, MANIFEST_RESTART_NEVER, MANIFEST_RESTART_LIMITED };

struct manifest_server {
    struct manifest_text name;
    unsigned line; /* where its section begins */

    unsigned argument_count; /* at least 1: the first is the program's path in the image */
    struct manifest_text arguments[MANIFEST_ARGUMENTS_MAX];
    uint32_t priority;

    uint64_t memory_bytes; /* limits of its account; 0, of init alone: what is left */
    uint64_t object_count;
    bool has_log;           /* the handle "log" */
    uint32_t system_rights; /* of the handle "system" (enum ax_right); 0: it gets none */
    unsigned device_count;
    struct manifest_device devices[MANIFEST_DEVICES_MAX];
    unsigned call_count;
    struct manifest_call calls[MANIFEST_CALLS_MAX];

    /* Not of init. */
    bool is_kept;         /* its endpoint outlives an instance */
    uint64_t stash_bytes; /* whole pages; 0: it has no stash */
    enum manifest_restart restart;
    uint32_t restart_limit;              /* deaths in a row after which it stays dead */
    uint64_t backoff_ns, backoff_max_ns; /* before the first restart; doubled up to this */
    uint64_t heartbeat_ns;               /* longest it may go without receiving; 0: for ever */
};

struct manifest {
    unsigned server_count;
    struct manifest_server servers[MANIFEST_SERVERS_MAX]; /* in the order of the text */
    uint32_t order[MANIFEST_SERVERS_MAX]; /* indices: whoever is called before who calls */
    bool has_init;
    struct manifest_server init;
};

struct manifest_error {
    unsigned line;   /* 0: it concerns no single line */
    char text[1200]; /* what is wrong */
};

/* False: `error` says why, and the manifest cannot be used. It is large: not for a small stack. */
[[gnu::warn_unused_result]] bool manifest_read(const char *text, size_t length,
                                               struct manifest *manifest,
                                               struct manifest_error *error);

/* The server of that name, or NULL. */
const struct manifest_server *manifest_find(const struct manifest *manifest, const char *name,
                                            size_t length);
