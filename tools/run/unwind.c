/* SPDX-License-Identifier: MIT */
#include "unwind.h"

#define FORMULA_DEPTH 8

/* Where the registers of an interrupted program lie above the handler's return address. */
#define CONTEXT_RBP 120
#define CONTEXT_RBX 128
#define CONTEXT_RSP 160
#define CONTEXT_RIP 168

static bool word_get(const struct unwind *unwind, uint64_t address, uint64_t *value) {
    size_t first = 0, end = unwind->word_count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (unwind->words[middle].address == address) {
            *value = unwind->words[middle].value;
            return true;
        }
        if (unwind->words[middle].address < address)
            first = middle + 1;
        else
            end = middle;
    }
    return false;
}

static bool register_get(const struct unwind_frame *frame, uint64_t number, uint64_t *value) {
    if (number >= UNWIND_REGISTERS || (frame->known >> number & 1) == 0)
        return false;
    *value = frame->values[number];
    return true;
}

static void register_set(struct unwind_frame *frame, unsigned number, bool is_known,
                         uint64_t value) {
    frame->values[number] = value;
    frame->known = (frame->known & ~(1U << number)) | (uint32_t)is_known << number;
}

/* ---- Formulas -------------------------------------------------------------------------------- */

static bool number_take(const uint8_t **at, const uint8_t *end, bool is_signed, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; *at < end && shift < 64;) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if ((byte & 0x80) != 0)
            continue;
        if (is_signed && shift < 64 && (byte & 0x40) != 0)
            *value |= ~UINT64_C(0) << shift;
        return true;
    }
    return false;
}

/* What compilers use to find a frame that was aligned: registers, sums, and what lies there. */
static bool formula_compute(const struct unwind *unwind, const struct unwind_frame *frame,
                            const struct rule *rule, uint64_t *value) {
    const uint8_t *at = rule->formula, *end = at + rule->formula_size;
    uint64_t stack[FORMULA_DEPTH], number;
    unsigned depth = 0;
    if (!program_work(unwind->program, rule->formula_size))
        return false;
    while (at < end) {
        uint8_t code = *at++;
        if (code >= 0x70 && code < 0x90 && depth < FORMULA_DEPTH) { /* a register and a number */
            if (!number_take(&at, end, true, &number) ||
                !register_get(frame, code - 0x70U, &stack[depth]))
                return false;
            stack[depth++] += number;
        } else if (code == 0x06 && depth > 0) { /* what lies there */
            if (!word_get(unwind, stack[depth - 1], &stack[depth - 1]))
                return false;
        } else if (code == 0x23 && depth > 0) { /* and a number */
            if (!number_take(&at, end, false, &number))
                return false;
            stack[depth - 1] += number;
        } else if (code == 0x22 && depth > 1) { /* a sum */
            depth--;
            stack[depth - 1] += stack[depth];
        } else {
            return false;
        }
    }
    if (depth == 0)
        return false;
    *value = stack[depth - 1];
    return true;
}

/* ---- A step ---------------------------------------------------------------------------------- */

static bool rule_apply(const struct unwind *unwind, const struct unwind_frame *frame,
                       const struct rule *rule, unsigned number, uint64_t base, uint64_t *value) {
    switch (rule->kind) {
    case RULE_SAME: return register_get(frame, number, value);
    case RULE_AT: return word_get(unwind, base + (uint64_t)rule->number, value);
    case RULE_IS: *value = base + (uint64_t)rule->number; return true;
    case RULE_IN: return register_get(frame, (uint64_t)rule->number, value);
    case RULE_VALUE: return formula_compute(unwind, frame, rule, value);
    case RULE_FORMULA:
        return formula_compute(unwind, frame, rule, value) && word_get(unwind, *value, value);
    default: return false;
    }
}

/* False: something is not known; the frame stays as it is. */
static bool step_by_rules(const struct unwind *unwind, struct unwind_frame *frame,
                          const struct frame_rules *rules) {
    struct unwind_frame next = {0};
    uint64_t base, value = 0;
    if (rules->frame.kind == RULE_VALUE) {
        if (!formula_compute(unwind, frame, &rules->frame, &base))
            return false;
    } else if (!register_get(frame, rules->reg, &base)) {
        return false;
    } else {
        base += (uint64_t)rules->frame.number;
    }
    for (unsigned i = 0; i < UNWIND_REGISTERS; i++) {
        bool is_known = rule_apply(unwind, frame, &rules->of[i], i, base, &value);
        register_set(&next, i, is_known, value);
    }
    if (rules->of[UNWIND_RSP].kind == RULE_SAME)
        register_set(&next, UNWIND_RSP, true, base);
    if (rules->of[UNWIND_RIP].kind == RULE_SAME || (next.known >> UNWIND_RIP & 1) == 0)
        return false;
    *frame = next;
    return true;
}

/* The handler of a signal returns to what was interrupted, with all its registers. */
static bool step_to_interrupted(const struct unwind *unwind, struct unwind_frame *frame) {
    static const struct {
        unsigned number, offset;
    } saved[] = {{UNWIND_RBP, CONTEXT_RBP},
                 {UNWIND_RBX, CONTEXT_RBX},
                 {UNWIND_RSP, CONTEXT_RSP},
                 {UNWIND_RIP, CONTEXT_RIP}};
    struct unwind_frame next = {.is_exact = true};
    uint64_t context, value = 0;
    if (!register_get(frame, UNWIND_RSP, &context))
        return false;
    for (unsigned i = 0; i < sizeof(saved) / sizeof(saved[0]); i++) {
        bool is_known = word_get(unwind, context + saved[i].offset, &value);
        register_set(&next, saved[i].number, is_known, value);
    }
    *frame = next;
    return (next.known >> UNWIND_RIP & 1) != 0;
}

/* Does a call end there? */
static bool is_return_address(const struct unwind *unwind, uint64_t address) {
    const uint8_t *before = program_text(unwind->program, address - unwind->bias - 7, 7);
    if (before == NULL)
        return false;
    if (before[2] == 0xe8)
        return true;
    for (unsigned size = 2; size <= 7; size++) {
        const uint8_t *at = before + 7 - size;
        if (at[0] == 0xff && (at[1] & 0x38) == 0x10)
            return true;
    }
    return false;
}

static bool step_by_guess(const struct unwind *unwind, struct unwind_frame *frame) {
    uint64_t stack;
    if (!register_get(frame, UNWIND_RSP, &stack))
        return false;
    for (size_t i = 0; i < unwind->word_count; i++) {
        const struct unwind_word *word = &unwind->words[i];
        if (word->address < stack || !is_return_address(unwind, word->value))
            continue;
        register_set(frame, UNWIND_RIP, true, word->value);
        register_set(frame, UNWIND_RSP, true, word->address + 8);
        frame->is_exact = false;
        frame->is_guess = true;
        return true;
    }
    return false;
}

bool unwind_step(const struct unwind *unwind, struct unwind_frame *frame) {
    struct frame_rules rules;
    uint64_t stack_before = 0, stack = 0;
    bool has_stack = register_get(frame, UNWIND_RSP, &stack_before);
    uint64_t at = frame->values[UNWIND_RIP] - unwind->bias - (frame->is_exact ? 0 : 1);
    if (!frame_rules_find(unwind->program, at, &rules))
        return !program_is_given_up(unwind->program) && step_by_guess(unwind, frame);
    if (rules.is_signal)
        return step_to_interrupted(unwind, frame);
    if (rules.of[UNWIND_RIP].kind == RULE_UNKNOWN)
        return false; /* nobody called it */
    if (!step_by_rules(unwind, frame, &rules))
        return step_by_guess(unwind, frame);
    return frame->values[UNWIND_RIP] != 0 &&
           (!has_stack || (register_get(frame, UNWIND_RSP, &stack) && stack > stack_before));
}
