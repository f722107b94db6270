/* SPDX-License-Identifier: MIT */
/*
 * Who called whom: from the registers of a thread and words of its stack, by what the compiler
 * wrote down for each instruction of a program (.eh_frame). Where it wrote nothing (libraries
 * without such tables, assembly), the nearest word that may be a return address is taken, and
 * marked as a guess.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program.h"

/* Numbers of registers as DWARF has them. */
enum unwind_register {
    UNWIND_RBX = 3,
    UNWIND_RBP = 6,
    UNWIND_RSP = 7,
    UNWIND_RIP = 16,
    UNWIND_REGISTERS = 17,
};

struct unwind_word {
    uint64_t address, value;
};

/* A frame, with addresses as they are in the program's file. */
struct unwind_frame {
    uint64_t values[UNWIND_REGISTERS];
    uint32_t known; /* bits: which of them are */
    bool is_exact;  /* rip is the instruction itself, not where a call returns to */
    bool is_guess;
};

/* What is known of a thread. */
struct unwind {
    const struct program *program;
    uint64_t bias; /* from addresses of the file to those that words and registers have */
    const struct unwind_word *words; /* ascending */
    size_t word_count;
};

/* The caller's frame takes the place of this one. False: there is none, or it is not known. */
bool unwind_step(const struct unwind *unwind, struct unwind_frame *frame);

/* The rules for an instruction, which unwind_step applies; see frames.c. */
enum rule_kind {
    RULE_SAME = 0,
    RULE_UNKNOWN,
    RULE_AT,      /* saved at the frame's address plus the number */
    RULE_IS,      /* is that address */
    RULE_IN,      /* is in the register of that number */
    RULE_FORMULA, /* saved where the formula says */
    RULE_VALUE,   /* is what it says */
};

struct rule {
    enum rule_kind kind;
    int64_t number;
    const uint8_t *formula;
    size_t formula_size;
};

struct frame_rules {
    struct rule frame; /* RULE_AT: register `reg` plus the number; RULE_VALUE: a formula */
    uint64_t reg;
    struct rule of[UNWIND_REGISTERS];
    bool is_signal; /* a handler returns there */
};

/* False: the program has none for that address, or none that can be understood. */
bool frame_rules_find(const struct program *program, uint64_t address, struct frame_rules *rules);
