/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <base/memory.h>

static struct manifest_text text_skip(struct manifest_text text, uint32_t count) {
    return (struct manifest_text){text.start + count, text.length - count};
}

bool text_same(struct manifest_text a, struct manifest_text b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.start, b.start, a.length) == 0);
}

bool text_is(struct manifest_text text, const char *other) {
    uint32_t length = 0;
    while (other[length] != '\0')
        length++;
    return text_same(text, (struct manifest_text){other, length});
}

bool line_take(struct manifest_text *text, struct manifest_text *line) {
    if (text->length == 0)
        return false;
    *line = (struct manifest_text){text->start, 0};
    while (line->length < text->length && text->start[line->length] != '\n')
        line->length++;
    bool has_end = line->length < text->length;
    *text = text_skip(*text, line->length + has_end);
    return true;
}

static enum word_result quoted_take(struct manifest_text *line, struct manifest_text *word) {
    *line = text_skip(*line, 1);
    *word = (struct manifest_text){line->start, 0};
    while (word->length < line->length && line->start[word->length] != '"')
        word->length++;
    if (word->length == line->length)
        return WORD_QUOTE;
    *line = text_skip(*line, word->length + 1);
    return line->length == 0 || is_blank(*line->start) ? WORD_TAKEN : WORD_QUOTE;
}

enum word_result word_take(struct manifest_text *line, struct manifest_text *word) {
    while (line->length != 0 && is_blank(*line->start))
        *line = text_skip(*line, 1);
    if (line->length == 0 || *line->start == '#')
        return WORD_NONE;
    if (*line->start == '"')
        return quoted_take(line, word);
    *word = (struct manifest_text){line->start, 0};
    while (word->length < line->length && !is_blank(line->start[word->length])) {
        if (line->start[word->length] == '"')
            return WORD_QUOTE;
        word->length++;
    }
    *line = text_skip(*line, word->length);
    return WORD_TAKEN;
}

bool name_is_valid(struct manifest_text word) {
    if (word.length == 0 || word.length > MANIFEST_NAME_MAX)
        return false;
    for (uint32_t i = 0; i < word.length; i++) {
        char character = word.start[i];
        bool is_letter = character >= 'a' && character <= 'z';
        bool is_other = (character >= '0' && character <= '9') || character == '-';
        if (!is_letter && (!is_other || i == 0))
            return false;
    }
    return true;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* What a digit is worth; 16: it is none. */
static unsigned digit_value(char character) {
    if (character >= '0' && character <= '9')
        return (unsigned)(character - '0');
    if (character >= 'a' && character <= 'f')
        return (unsigned)(character - 'a' + 10);
    if (character >= 'A' && character <= 'F')
        return (unsigned)(character - 'A' + 10);
    return 16;
}

/* Takes the digits at the front; false: there is none, or they are too many. */
static bool digits_take(struct manifest_text *word, uint64_t *value) {
    unsigned base = 10;
    if (word->length > 2 && word->start[0] == '0' && word->start[1] == 'x') {
        *word = text_skip(*word, 2);
        base = 16;
    }
    if (word->length == 0 || digit_value(*word->start) >= base)
        return false;
    *value = 0;
    while (word->length != 0 && digit_value(*word->start) < base) {
        if (__builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, digit_value(*word->start), value))
            return false;
        *word = text_skip(*word, 1);
    }
    return true;
}

bool number_read(struct manifest_text word, uint64_t *value) {
    return digits_take(&word, value) && word.length == 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool unit_read(struct manifest_text word, const struct unit *units, unsigned count,
                      uint64_t *value) {
    if (!digits_take(&word, value))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (text_is(word, units[i].name))
            return !__builtin_mul_overflow(*value, units[i].factor, value);
    }
    return false;
}

bool size_read(struct manifest_text word, uint64_t *bytes) {
    static const struct unit units[] = {
        {"", 1}, {"K", UINT64_C(1) << 10}, {"M", UINT64_C(1) << 20}, {"G", UINT64_C(1) << 30}};
    return unit_read(word, units, sizeof(units) / sizeof(units[0]), bytes);
}

bool duration_read(struct manifest_text word, uint64_t *value) {
    static const struct unit units[] = {
        {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"min", UINT64_C(60000000000)}};
    return unit_read(word, units, sizeof(units) / sizeof(units[0]), value) && *value <= INT64_MAX;
}

bool range_read(struct manifest_text word, uint64_t *first, uint64_t *last) {
    if (!digits_take(&word, first))
        return false;
    *last = *first;
    if (word.length == 0)
        return true;
    if (*word.start != '-')
        return false;
    word = text_skip(word, 1);
    return digits_take(&word, last) && word.length == 0 && *first <= *last;
}
