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
};

/* False: it is none, or none of ours. */
bool program_open(struct program *program, const void *bytes, size_t size);

/* Bytes of the code at an address; NULL: they are not all there. */
const uint8_t *program_text(const struct program *program, uint64_t address, size_t size);

/* The function in which the address lies, and how far. NULL: nobody knows. Not terminated. */
const char *program_function(const struct program *program, uint64_t address, size_t *length,
                             uint64_t *offset);
