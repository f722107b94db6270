/* SPDX-License-Identifier: MIT */
/* What the tests of memory share, beside the world of objects. */
#pragma once

#include "calls.h"
#include "frame.h"
#include "memory.h"
#include "object_world.h"
#include "space.h"

#define RW          (AX_PROT_READ | AX_PROT_WRITE)
#define PAGE        AX_PAGE_SIZE
#define RIGHTS_NONE (AX_RIGHT_COPY | AX_RIGHT_MOVE)
#define NOT_A_BYTE  (-1)

/* memory_map with that request in the buffer; of anonymous pages and of an object, which must go
 * well, with flags beside. */
ax_result map_with(struct thread *thread, ax_handle process, ax_handle memory,
                   struct ax_map_request request);
uint64_t map_pages(struct thread *thread, uint64_t page_count, uint32_t prot);
uint64_t map_at(struct thread *thread, uint64_t address, uint64_t page_count, uint32_t prot);
uint64_t map_memory(struct thread *thread, ax_handle memory, uint64_t page_count, uint32_t prot,
                    uint32_t flags);
ax_handle memory_new(struct thread *thread, uint64_t page_count);
struct memory *memory_of(struct thread *thread, ax_handle memory);
void unmap(struct thread *thread, uint64_t address, uint64_t page_count);

/* User mode writes or reads a byte, which must go well. */
void poke(struct thread *thread, uint64_t address, uint8_t byte);
uint8_t peek(struct thread *thread, uint64_t address);
/* Writes byte `first + i` to each of the pages. */
void poke_pages(struct thread *thread, uint64_t address, uint64_t page_count, uint8_t first);

/* What fault an access of user mode meets (enum ax_fault), AX_FAULT_NONE for none. The process goes
 * on. */
uint32_t fault_of(struct thread *thread, uint64_t address, uint32_t access);

/* `one` keeps to CPU 0 and `two` to CPU 1, so that each has a TLB. */
void spread(void);

/* Regions of the thread's own process from an address on. */
size_t regions(struct thread *thread, uint64_t address, struct ax_region_info infos[42]);

/* Memory of device registers that begin at physical address REGISTERS, a handle of `one`'s. */
#define REGISTERS UINT64_C(0xfe000000)
ax_handle registers_new(uint64_t page_count);

/* Frames that are neither free nor waiting. */
uint64_t frames_used(void);
