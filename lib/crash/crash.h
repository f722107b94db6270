/* SPDX-License-Identifier: MIT */
/*
 * What a process died of, for people: whoever watches over it reads what is left of it and writes
 * that to the machine's log, from which the front end outside makes a report with names
 * (tools/run/crash.c). Freestanding.
 *
 * A report is lines of words, each beginning "crash ID ", where ID is the process's object id, so
 * that several reports can mix:
 *
 *     crash 17 begin /bin/pipe             the program's path
 *     crash 17 end NAME                    whose report is complete: a name for people
 *
 * and between these, in pairs of a word and a number:
 *
 *     crash 17 what pid 0 instance 2 cause 3 code 11 fault 1 ... bias 0 first 400000 last 4a8000
 *     crash 17 thread tid 1 signal 11 fault 1 access 2 address 10 inside 0
 *     crash 17 regs rax 0 rbx 7f ...       of the thread before
 *     crash 17 stack 18 401234 20 ...      offset from rsp, and the word there: those that may be
 *                                          addresses of the program or of the stack
 *
 * All numbers are hexadecimal. Nothing in it is to be trusted: a program can write what it likes to
 * the log, and to its own memory.
 */
#pragma once

#include <stdint.h>

#include <abi/object.h>

struct crash_subject {
    ax_handle process; /* it has ended; AX_RIGHT_INSPECT */
    ax_handle log;     /* the system device, to write to; AX_HANDLE_NONE: there is no report */
    const char *name;  /* for people, and where its program is in the image */
    const char *path;
    uint32_t pid;      /* 0: none */
    uint32_t instance; /* of a server, from 1 on; 0: it is none */
};

/* Writes a report if that was a crash: a fault, a hang, or a signal of which Linux dumps core. */
void crash_report(const struct crash_subject *subject);
