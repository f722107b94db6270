/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor's files share. It has one thread and no heap. What must outlive it lies in
 * its handle table and in the status page (proto/supervisor.h): when core starts it anew, its
 * memory is empty, and everything below finds what is there already.
 */
#pragma once

#include <cpio/cpio.h>
#include <crash/crash.h>
#include <load/load.h>
#include <manifest/manifest.h>
#include <proto/supervisor.h>
#include <sys/ax.h>

/* ---- Log (log.c) ----------------------------------------------------------------------------- */

/* A line of the kernel's log. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says why the machine cannot go on, and ends it. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *error_name(ax_result error);
/* What may be done about it, to be put behind all that; often nothing. */
const char *error_help(ax_result error);

/* ---- The system image (image.c) -------------------------------------------------------------- */

struct boot {
    struct ax_boot_page page;
    struct cpio_archive image;
    struct load_image personality;
    int64_t realtime_ns; /* the date when the machine's clock read 0; 0: nobody knows it */
};
extern struct boot boot;
extern struct manifest manifest;

/* Maps the boot page and the system image, checks the latter, reads the manifest. */
void image_open(void);
/* A file of the image. False: there is none. */
bool image_find(struct manifest_text path, struct load_image *file);

/* ---- The kernel's command line (command.c) --------------------------------------------------- */

/* What `realtime=NANOSECONDS` says, the last if there are several; 0: there is none. Fails if that
 * is no number. */
int64_t command_realtime(const char *line);

/* ---- Handles (slots.c) ----------------------------------------------------------------------- */

/* Learns what is in the table. */
void slots_open(void);
/* Closes what a supervisor that died had there for a moment; not the thread that calls. */
void slots_tidy(ax_handle thread);
/* The handle in a slot; AX_HANDLE_NONE: it is empty. */
ax_handle slot_handle(uint32_t slot);
/* Where a kernel call puts a handle for the slot, which is empty. */
ax_place slot_place(uint32_t slot);
/* What such a call answered; false: it failed. */
bool slot_filled(uint32_t slot, ax_result result);
void slot_close(uint32_t slot);

/* ---- Servers (server.c, watch.c) ------------------------------------------------------------- */

extern struct supervisor_status *status;

/* What the server is, by its index in the status page; init is the last. */
const struct manifest_server *server_manifest(uint32_t index);
bool server_is_init(uint32_t index);

/* What the server keeps however often it is started: account, endpoint, stash, devices. */
void server_prepare(uint32_t index);
/* The sessions of those it may call, which are prepared. */
void server_connect(uint32_t index);
/* Ends the endpoint and all sessions with it, of which their holders learn; server_start makes new
 * ones. */
void server_disconnect(uint32_t callee);
/* Gives it a new stash in place of its own. No instance is there. */
void server_forget(uint32_t index);
/* How many messages its instances have received so far. */
uint64_t server_delivered(uint32_t index);

enum server_start {
    SERVER_STARTED = 0,
    SERVER_FAILED, /* it cannot be made; logged */
    SERVER_KILLED, /* somebody ended it while it was being made; the status page has the cause */
};
/* Starts an instance; none is there. */
enum server_start server_start(uint32_t index);
/* The last instance has ended: what it died of goes to the log, if it crashed. */
void server_report(uint32_t index);

/* Watches over all servers, for ever. */
_Noreturn void watch(void);
