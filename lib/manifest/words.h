/* SPDX-License-Identifier: MIT */
/* The small parts of a manifest's text. */
#pragma once

#include "manifest.h"

enum word_result {
    WORD_TAKEN,
    WORD_NONE,  /* the line is at its end, or a comment begins */
    WORD_QUOTE, /* a quote that does not end, or is within a word */
};

static inline bool is_blank(char character) {
    return character == ' ' || character == '\t';
}

bool text_is(struct manifest_text text, const char *other);
bool text_same(struct manifest_text a, struct manifest_text b);

/* Takes what comes up to the end of a line. False: there is no line any more. */
bool line_take(struct manifest_text *text, struct manifest_text *line);

/*
 * Takes the next word: what lies between blanks, or between two quotes, which hold anything but a
 * quote. A # before a word begins a comment.
 */
enum word_result word_take(struct manifest_text *line, struct manifest_text *word);

/* Is it a name: 1 to MANIFEST_NAME_MAX lower-case letters, digits and hyphens, a letter first? */
bool name_is_valid(struct manifest_text word);

/* These answer false if it is none of that kind, or too large. */
bool number_read(struct manifest_text word, uint64_t *value);   /* decimal, or 0x and hexadecimal */
bool size_read(struct manifest_text word, uint64_t *bytes);     /* K, M or G may follow */
bool duration_read(struct manifest_text word, uint64_t *value); /* us, ms, s or min follows */
/* "first-last", or one number that is both. */
bool range_read(struct manifest_text word, uint64_t *first, uint64_t *last);
