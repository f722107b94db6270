/* SPDX-License-Identifier: MIT */
/*
 * A program of the machine (ELF64, x86_64), as far as it tells what its addresses mean. Its bytes
 * are taken for hostile. Addresses are those in the file: without a load bias.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program_part {
    size_t offset, size; /* within the file; size 0: there is none */
    uint64_t address;
};

struct program {
    const uint8_t *bytes;
    size_t size;
    struct program_part text[8]; /* what can be executed */
    size_t text_count;
    struct program_part frames;         /* .eh_frame */
    struct program_part symbols, names; /* empty in one that was stripped */
    /* How much of it may still be looked at, in entries of its tables, about: several programs may
     * share that. NULL: all. Where it is used up nothing is found any more. */
    uint64_t *effort;
};

/* False: it is none, or none of ours. */
bool program_open(struct program *program, const void *bytes, size_t size);

/* Takes so much from the effort. False: there is not as much left, and now none. */
bool program_work(const struct program *program, uint64_t effort);
bool program_is_given_up(const struct program *program);

/* Bytes of the code at an address; NULL: they are not all there. */
const uint8_t *program_text(const struct program *program, uint64_t address, size_t size);

/* The function in which the address lies, and how far. NULL: nobody knows. Not terminated,
 * at most PROGRAM_NAME_MAX characters of it. */
#define PROGRAM_NAME_MAX ((size_t)256)
const char *program_function(const struct program *program, uint64_t address, size_t *length,
                             uint64_t *offset);
