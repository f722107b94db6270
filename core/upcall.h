/* SPDX-License-Identifier: MIT */
/* Upcalls: how a thread comes to its process's personality, and how frames are loaded back. */
#pragma once

#include <hal/hal.h>

#include "types.h"

/* A syscall instruction outside the kernel page. */
void upcall_bounce(struct thread *thread);
/* An exception, or a page fault that could not be resolved. Ends the process where it must. */
void upcall_fault(struct thread *thread, uint32_t fault, uint64_t address, uint32_t access);
/* Before a thread enters user mode: delivers a pending interrupt if it may be delivered now. */
void upcall_interrupt(struct thread *thread);
