/* SPDX-License-Identifier: MIT */
/* Reads .eh_frame (DWARF's call frame information). Every byte is checked against its end. */
#include <string.h>

#include "unwind.h"

#define REMEMBERED_MAX 8
/* No number is longer, and no text of letters; each entry is read again for those that share it. */
#define NUMBER_BYTES 10
#define TEXT_BYTES   16
/* For a length; an instruction is worth one. */
#define ENTRY_EFFORT 4

/* What is left to read; `is_bad`: it ended too early. */
struct reader {
    const uint8_t *at, *end;
    bool is_bad;
};

struct common {
    uint64_t code_unit;
    int64_t data_unit;
    uint8_t encoding;
    bool has_sizes, is_signal;
    struct reader program;
};

struct machine {
    const struct common *common;
    struct frame_rules now, first, remembered[REMEMBERED_MAX];
    unsigned remembered_count;
    uint64_t address, wanted;
};

/* ---- Numbers --------------------------------------------------------------------------------- */

static uint64_t take(struct reader *reader, size_t size) {
    uint64_t value = 0;
    if ((size_t)(reader->end - reader->at) < size) {
        reader->is_bad = true;
        reader->at = reader->end;
        return 0;
    }
    memcpy(&value, reader->at, size);
    reader->at += size;
    return value;
}

static uint64_t take_unsigned(struct reader *reader) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * NUMBER_BYTES; shift += 7) {
        uint64_t byte = take(reader, 1);
        value |= (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    reader->is_bad = true;
    return 0;
}

static int64_t take_signed(struct reader *reader) {
    uint64_t value = 0;
    for (unsigned shift = 7; shift <= 7 * NUMBER_BYTES; shift += 7) {
        uint64_t byte = take(reader, 1);
        value |= (byte & 0x7f) << (shift - 7);
        if ((byte & 0x80) != 0)
            continue;
        if (shift < 64 && (byte & 0x40) != 0)
            value |= ~UINT64_C(0) << shift;
        return (int64_t)value;
    }
    reader->is_bad = true;
    return 0;
}

static struct reader take_block(struct reader *reader) {
    uint64_t size = take_unsigned(reader);
    struct reader block = {reader->at, reader->at, false};
    if (size > (uint64_t)(reader->end - reader->at))
        reader->is_bad = true;
    else
        reader->at = block.end = reader->at + size;
    return block;
}

/* `here`: the address of the number itself. */
static uint64_t take_pointer(struct reader *reader, uint8_t encoding, uint64_t here) {
    uint64_t value;
    switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c: value = take(reader, 8); break;
    case 0x03: value = take(reader, 4); break;
    case 0x0b: value = (uint64_t)(int64_t)(int32_t)take(reader, 4); break;
    case 0x02: value = take(reader, 2); break;
    case 0x0a: value = (uint64_t)(int64_t)(int16_t)take(reader, 2); break;
    default: reader->is_bad = true; return 0;
    }
    switch (encoding & 0x70) {
    case 0x00: return value;
    case 0x10: return value + here;
    default: reader->is_bad = true; return 0;
    }
}

/* ---- Entries --------------------------------------------------------------------------------- */

static uint64_t address_of(const struct program *program, const uint8_t *at) {
    return program->frames.address + (uint64_t)(at - program->bytes) - program->frames.offset;
}

static void augmentation_read(const struct program *program, const char *text,
                              struct reader *reader, struct common *common) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case 'R': common->encoding = (uint8_t)take(reader, 1); break;
        case 'L': take(reader, 1); break;
        case 'S': common->is_signal = true; break;
        case 'P': {
            uint8_t encoding = (uint8_t)take(reader, 1);
            take_pointer(reader, encoding & 0x7f, address_of(program, reader->at));
            break;
        }
        default: reader->is_bad = true; return;
        }
    }
}

/* The entry that others share, without its length. */
static bool common_read(const struct program *program, struct reader reader,
                        struct common *common) {
    *common = (struct common){0};
    uint64_t id = take(&reader, 4), version = take(&reader, 1);
    const char *text = (const char *)reader.at;
    size_t left = (size_t)(reader.end - reader.at);
    const void *end = memchr(reader.at, 0, left < TEXT_BYTES ? left : TEXT_BYTES);
    if (id != 0 || (version != 1 && version != 3) || end == NULL)
        return false;
    reader.at = (const uint8_t *)end + 1;
    common->code_unit = take_unsigned(&reader);
    common->data_unit = take_signed(&reader);
    uint64_t back = version == 1 ? take(&reader, 1) : take_unsigned(&reader);
    if (text[0] == 'z') {
        struct reader block = take_block(&reader);
        common->has_sizes = true;
        augmentation_read(program, text + 1, &block, common);
        reader.is_bad |= block.is_bad;
    } else if (text[0] != '\0') {
        return false;
    }
    common->program = reader;
    return back == UNWIND_RIP && !reader.is_bad;
}

/* The next entry without its length; `at` goes behind it. */
static bool entry_next(const struct program *program, const uint8_t **at, struct reader *entry) {
    const uint8_t *begin = program->bytes + program->frames.offset;
    struct reader reader = {*at, begin + program->frames.size, false};
    uint64_t size = 0;
    /* A zero ends what one object file gave. */
    while (size == 0 && !reader.is_bad && program_work(program, ENTRY_EFFORT))
        size = take(&reader, 4);
    if (size == 0 || reader.is_bad || size > (uint64_t)(reader.end - reader.at))
        return false;
    *entry = (struct reader){reader.at, reader.at + size, false};
    *at = entry->end;
    return true;
}

/* Whether the entry is that of the function in which the address lies. */
static bool entry_covers(const struct program *program, struct reader *entry, uint64_t address,
                         struct common *common, uint64_t *start) {
    const uint8_t *begin = program->bytes + program->frames.offset, *own = entry->at;
    uint64_t back = take(entry, 4);
    if (entry->is_bad || back == 0 || back > (uint64_t)(own - begin))
        return false;
    const uint8_t *at = own - back;
    struct reader shared;
    if (!entry_next(program, &at, &shared) || !common_read(program, shared, common))
        return false;
    *start = take_pointer(entry, common->encoding, address_of(program, entry->at));
    uint64_t size = take_pointer(entry, common->encoding & 0x0f, 0);
    if (common->has_sizes)
        take_block(entry);
    return !entry->is_bad && address >= *start && address - *start < size;
}

/* ---- Rules ----------------------------------------------------------------------------------- */

static void rule_set(struct machine *machine, uint64_t reg, enum rule_kind kind, int64_t number) {
    if (reg < UNWIND_REGISTERS)
        machine->now.of[reg] = (struct rule){.kind = kind, .number = number};
}

/* A number of units. What is nonsense anyhow may wrap. */
static int64_t times(uint64_t number, int64_t unit) {
    return (int64_t)(number * (uint64_t)unit);
}

static void formula_set(struct rule *rule, struct reader *reader, enum rule_kind kind) {
    struct reader block = take_block(reader);
    *rule = (struct rule){kind, 0, block.at, (size_t)(block.end - block.at)};
}

static void formula_of(struct machine *machine, struct reader *reader, enum rule_kind kind) {
    struct rule unused;
    uint64_t reg = take_unsigned(reader);
    formula_set(reg < UNWIND_REGISTERS ? &machine->now.of[reg] : &unused, reader, kind);
}

static void frame_set(struct machine *machine, uint64_t reg, int64_t number) {
    machine->now.reg = reg;
    machine->now.frame = (struct rule){.kind = RULE_AT, .number = number};
}

static void restore(struct machine *machine, uint64_t reg) {
    if (reg < UNWIND_REGISTERS)
        machine->now.of[reg] = machine->first.of[reg];
}

static void remember(struct machine *machine, struct reader *reader, bool puts) {
    if (puts && machine->remembered_count < REMEMBERED_MAX)
        machine->remembered[machine->remembered_count++] = machine->now;
    else if (!puts && machine->remembered_count > 0)
        machine->now = machine->remembered[--machine->remembered_count];
    else
        reader->is_bad = true;
}

/* Those of the long instructions that are about registers and the frame's address. */
static void rule_read(struct machine *machine, struct reader *reader, uint64_t code) {
    int64_t unit = machine->common->data_unit;
    uint64_t reg;
    switch (code) {
    case 0x00: break;
    case 0x05:
        reg = take_unsigned(reader);
        rule_set(machine, reg, RULE_AT, times(take_unsigned(reader), unit));
        break;
    case 0x06: restore(machine, take_unsigned(reader)); break;
    case 0x07: rule_set(machine, take_unsigned(reader), RULE_UNKNOWN, 0); break;
    case 0x08: rule_set(machine, take_unsigned(reader), RULE_SAME, 0); break;
    case 0x09:
        reg = take_unsigned(reader);
        rule_set(machine, reg, RULE_IN, (int64_t)take_unsigned(reader));
        break;
    case 0x0a: remember(machine, reader, true); break;
    case 0x0b: remember(machine, reader, false); break;
    case 0x0c:
        reg = take_unsigned(reader);
        frame_set(machine, reg, (int64_t)take_unsigned(reader));
        break;
    case 0x0d: machine->now.reg = take_unsigned(reader); break;
    case 0x0e: machine->now.frame.number = (int64_t)take_unsigned(reader); break;
    case 0x0f: formula_set(&machine->now.frame, reader, RULE_VALUE); break;
    case 0x10: formula_of(machine, reader, RULE_FORMULA); break;
    case 0x11:
        reg = take_unsigned(reader);
        rule_set(machine, reg, RULE_AT, times((uint64_t)take_signed(reader), unit));
        break;
    case 0x12:
        reg = take_unsigned(reader);
        frame_set(machine, reg, times((uint64_t)take_signed(reader), unit));
        break;
    case 0x13: machine->now.frame.number = times((uint64_t)take_signed(reader), unit); break;
    case 0x14:
        reg = take_unsigned(reader);
        rule_set(machine, reg, RULE_IS, times(take_unsigned(reader), unit));
        break;
    case 0x15:
        reg = take_unsigned(reader);
        rule_set(machine, reg, RULE_IS, times((uint64_t)take_signed(reader), unit));
        break;
    case 0x16: formula_of(machine, reader, RULE_VALUE); break;
    case 0x2e: take_unsigned(reader); break; /* the size of arguments */
    default: reader->is_bad = true;
    }
}

/* Up to the instruction that is looked for. False: something is not understood. */
static bool rules_run(struct machine *machine, struct reader reader) {
    uint64_t unit = machine->common->code_unit;
    while (reader.at < reader.end && !reader.is_bad) {
        uint64_t code = take(&reader, 1), low = code & 0x3f, steps = 0;
        switch (code & 0xc0) {
        case 0x40: steps = low; break;
        case 0x80:
            rule_set(machine, low, RULE_AT,
                     times(take_unsigned(&reader), machine->common->data_unit));
            break;
        case 0xc0: restore(machine, low); break;
        default:
            if (code >= 0x02 && code <= 0x04)
                steps = take(&reader, (size_t)1 << (code - 2));
            else
                rule_read(machine, &reader, code);
        }
        machine->address += steps * unit;
        if (machine->address > machine->wanted)
            break;
    }
    return !reader.is_bad;
}

static uint64_t bytes_of(const struct reader *reader) {
    return (uint64_t)(reader->end - reader->at);
}

bool frame_rules_find(const struct program *program, uint64_t address, struct frame_rules *rules) {
    static struct machine machine; /* too large for the stack */
    struct common common;
    struct reader entry;
    const uint8_t *at = program->bytes + program->frames.offset;
    uint64_t start;
    if (program->frames.size == 0)
        return false;
    while (entry_next(program, &at, &entry)) {
        if (!entry_covers(program, &entry, address, &common, &start))
            continue;
        machine = (struct machine){.common = &common, .address = start, .wanted = address};
        if (!program_work(program, bytes_of(&common.program) + bytes_of(&entry)) ||
            !rules_run(&machine, common.program))
            return false;
        machine.address = start;
        machine.first = machine.now;
        if (!rules_run(&machine, entry))
            return false;
        *rules = machine.now;
        rules->is_signal = common.is_signal;
        return true;
    }
    return false;
}
