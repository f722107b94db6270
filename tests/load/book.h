/* SPDX-License-Identifier: MIT */
/*
 * A kernel that keeps book: one process is made at a time, its mappings are kept with their bytes,
 * handles and suspensions are counted, and the Nth call can be told to fail.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/abi.h>

#define BOOK_PROCESS UINT32_C(500) /* handles the book gives out */
#define BOOK_THREAD  UINT32_C(501)
#define BOOK_IMAGE   UINT32_C(600) /* a memory object of the test's: its bytes are book_image */
#define BOOK_OWN     UINT32_C(700) /* a handle of the caller's */

struct book {
    unsigned call_count, fail_at; /* fail_at 0: never */
    /* What is there now. */
    bool process_open, process_ended, thread_open;
    uint32_t cause; /* of whose end it is, if somebody else has ended the process */
    unsigned own_mappings, closed_own;
    unsigned suspended;
    /* What the process got. */
    unsigned mapping_count, given_count;
    uint64_t thread_entry, thread_stack, thread_argument;
    uint64_t priority, label;
    bool resumed;
    struct ax_personality personality;
    uint32_t last_rights, last_flags;
};

extern struct book book;
extern uint8_t book_image[16 * 4096];

void book_start(void);
void book_end(void);

/* A byte of the process; aborts where nothing is mapped. */
uint8_t book_byte(uint64_t address);
void book_read(uint64_t address, void *to, size_t size_bytes);
/* The mapping at the address: its protection, and whether it shows the image. */
bool book_mapping(uint64_t address, uint32_t *prot, bool *is_image);
/* Whether all of it was made and mapped at once. */
bool book_is_ahead(uint64_t address);
