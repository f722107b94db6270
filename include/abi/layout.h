/* SPDX-License-Identifier: MIT */
/* The user half of an address space, the same on every machine. */
#pragma once

#include <stdint.h>

#define AX_PAGE_SHIFT 12
#define AX_PAGE_SIZE  (UINT64_C(1) << AX_PAGE_SHIFT)

/*
 *   0x0000_0000_0001_0000  programs from here (nothing is ever mapped below, so that null faults)
 *   0x0000_7ffd_ffff_0000  end of programs: the top 8 GiB belong to the machine
 *     +0                   kernel page (read and execute): the entries below
 *     +1 MiB               thread pages, one page a thread, by the thread's slot in its process
 *     +1 GiB               personality, read-only and shared; then (hosted) the stub, to the top
 *   0x0000_7fff_ffff_0000  end of user space, short of the last pages below the canonical hole
 */
#define AX_USER_START  UINT64_C(0x10000)
#define AX_PROGRAM_END UINT64_C(0x7ffdffff0000)
#define AX_USER_END    UINT64_C(0x7fffffff0000)

#define AX_KERNEL_PAGE       AX_PROGRAM_END
#define AX_THREAD_PAGES      (AX_PROGRAM_END + UINT64_C(0x100000))
#define AX_THREAD_MAX        4096 /* threads a process can have at a time */
#define AX_PERSONALITY_START (AX_PROGRAM_END + UINT64_C(0x40000000))
#define AX_PERSONALITY_END   (AX_PROGRAM_END + UINT64_C(0x80000000))

/* The kernel page's entries, called like C functions (call.h). */
#define AX_KERNEL_CALL  AX_KERNEL_PAGE
#define AX_KERNEL_CLOCK (AX_KERNEL_PAGE + 64)
#define AX_KERNEL_YIELD (AX_KERNEL_PAGE + 128)

_Static_assert(AX_THREAD_PAGES + AX_THREAD_MAX * AX_PAGE_SIZE <= AX_PERSONALITY_START,
               "thread pages end before the personality begins");
_Static_assert(AX_USER_END - AX_PROGRAM_END == UINT64_C(8) << 30, "the top 8 GiB");
