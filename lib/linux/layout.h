/* SPDX-License-Identifier: MIT */
/*
 * Where the personality keeps its data, behind its image and the start block. Also read by
 * entry.S.
 *
 *   AX_PERSONALITY_DATA   the task block, one a process
 *   THREAD_AREAS          an area a thread: a page that is never mapped, the stack for upcalls,
 *                         room for a vector state, the thread block
 */
#pragma once

#define THREAD_AREAS_OFFSET 0x4000000 /* from AX_PERSONALITY_START */
#define THREAD_AREA_BYTES   0x10000
#define THREAD_GUARD_BYTES  0x1000
#define THREAD_STACK_END    0xd000 /* in an area: the stack's top */
#define THREAD_VECTOR_AT    0xd000
#define THREAD_VECTOR_BYTES 0x2000
#define THREAD_BLOCK_AT     0xf000
