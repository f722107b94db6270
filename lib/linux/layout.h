/* SPDX-License-Identifier: MIT */
/*
 * Where the personality keeps its data, behind its image and the start block. Also read by
 * entry.S.
 *
 *   AX_PERSONALITY_DATA   the task block, one a process
 *   THREAD_AREAS          a slot for each thread's area, which lies at its end: the stack for
 *                         upcalls, room for a vector state, the thread block. Nothing is mapped
 *                         below it, but for a list of descriptors that is too long for the stack.
 */
#pragma once

#define THREAD_AREAS_OFFSET 0x4000000 /* from AX_PERSONALITY_START */
#define THREAD_AREA_BYTES   0x10000
#define THREAD_LIST_AT      0x1000 /* in a slot: room for a list of all descriptors, if need be */
#define THREAD_STACK_BYTES  0x1000 /* at least: no call needs much more than half of it */
#define THREAD_VECTOR_BYTES 0x2000 /* at most */
#define THREAD_BLOCK_AT     0xfe00 /* in a slot: to its end */
