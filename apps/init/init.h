/* SPDX-License-Identifier: MIT */
/*
 * Pid 1: it runs the program that the front end asks for and tells it how that ended
 * (proto/run.h). One thread, which waits for the program and for messages.
 */
#pragma once

#include <cpio/cpio.h>
#include <load/load.h>
#include <run/run.h>
#include <sys/ax.h>

/* ---- What is to be run (request.c) ----------------------------------------------------------- */

struct init {
    struct cpio_archive image;
    ax_handle image_memory;
    struct load_image personality;
    struct run_request request;
    const char **arguments;   /* each ends with NULL */
    const char **environment; /* the request's, and what is there by default */
};

extern struct init init;

/* Maps the image and reads the request. Fails by die. */
void request_open(void);

/* ---- Files of the image (path.c) ------------------------------------------------------------- */

/*
 * Looks a path up, following links. 0, or Linux's error number. `path` is absolute.
 */
[[gnu::warn_unused_result]] int path_find(const char *path, struct cpio_entry *entry);
/* The program of that name, which without a slash is looked for on PATH; `found` has room for
 * CPIO_NAME_MAX + 1 bytes. 0, ENOENT, or why what is there cannot be run. */
[[gnu::warn_unused_result]] int program_find(const char *name, char *found,
                                             struct cpio_entry *entry);

/* ---- The front end (control.c) --------------------------------------------------------------- */

/* The session with it; AX_HANDLE_NONE: nobody is there, and messages go nowhere. */
extern ax_handle control;

void control_open(void);
void control_send(uint32_t kind, const uint64_t *words, const char *text, size_t length);
/* Waits until all that was written to a stream is outside. */
void stream_drain(ax_handle stream);
/* The next message that is there already. False: none is, or nobody is there any more. */
bool control_take(struct run_message *message);

/* ---- The rest -------------------------------------------------------------------------------- */

/* Sends the files that were asked for (get.c). */
void gets_send(void);
/* Sends what all threads of the machine are doing (report.c). */
void report_send(void);
/* The name of a Linux call; NULL: there is none of that number. */
const char *call_name(uint32_t number);
/* Runs the program to its end, and tells how it ended (program.c). */
void program_run(void);
/* Says on the log why init cannot go on, and ends. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
