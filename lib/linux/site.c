/* SPDX-License-Identifier: MIT */
#include "site.h"

#include <base/memory.h>

/* It is left to the trap: unwinders know a signal's return by these very bytes. */
#define NUMBER_SIGRETURN 15

#define OPCODE_MOV_EAX 0xb8
#define OPCODE_JUMP    0xe9
#define PREFIX_OPERAND 0x66
#define PREFIX_FS      0x64
#define PREFIX_GS      0x65
#define ESCAPE         0x0f
#define OPCODE_LEA     0x8d

/* Opcodes that have a ModRM byte and a constant: of four bytes, and of one. */
static bool has_long_constant(uint8_t opcode) {
    return opcode == 0x69 || opcode == 0x81 || opcode == 0xc7 || opcode == 0xf7;
}
static bool has_short_constant(uint8_t opcode) {
    return opcode == 0x6b || opcode == 0x80 || opcode == 0x83 || opcode == 0xc0 || opcode == 0xc1 ||
           opcode == 0xc6 || opcode == 0xf6;
}

/* Opcodes after the escape byte that have no ModRM byte: syscall, ud2, rdtsc, cpuid, jumps. */
static bool is_escaped_alone(uint8_t opcode) {
    return opcode == 0x05 || opcode == 0x0b || opcode == 0x31 || opcode == 0xa2 ||
           (opcode & 0xf0) == 0x80;
}

/* REX with the bit that makes r8 to r15 of a base register, or of the one in the opcode. */
static bool is_rex_base(uint8_t byte) {
    return (byte & 0xf1) == 0x41;
}

/* How many bytes a ModRM byte takes with all that belongs to it (Intel SDM vol. 2A, 2.1). */
static unsigned operand_bytes(const uint8_t *at) {
    unsigned mode = at[0] >> 6, base = at[0] & 7, bytes = 1;
    if (mode == 3)
        return bytes;
    if (base == 4) {
        base = at[1] & 7;
        bytes++;
    }
    if (mode == 1)
        return bytes + 1;
    return mode == 2 || base == 5 ? bytes + 4 : bytes;
}

/* Could an opcode at `at` be that of an instruction with a constant, or with more than one byte of
 * opcode, that is `whole` bytes long from there? */
static bool has_length(const uint8_t *at, unsigned whole) {
    unsigned plain = 1 + operand_bytes(at + 1);
    if (has_long_constant(at[0]) &&
        (plain + 4 == whole || (at[-1] == PREFIX_OPERAND && plain + 2 == whole)))
        return true;
    if (has_short_constant(at[0]) && plain + 1 == whole)
        return true;
    bool is_escaped = at[-1] == ESCAPE ? !is_escaped_alone(at[0])
                                       : at[-2] == ESCAPE && (at[-1] == 0x38 || at[-1] == 0x3a);
    bool is_vector = at[-2] == 0xc5 || at[-3] == 0xc4 || at[-4] == 0x62;
    return (is_escaped || is_vector) && (plain == whole || plain + 1 == whole);
}

/*
 * Could the five bytes at `mov`, which read as a mov to eax of what eax now has, be the end of a
 * longer instruction? Code cannot be read backwards for sure, so all is refused that might be. An
 * access to memory relative to eax is not: it would have been in the first page, and have faulted.
 */
static bool is_end_of_longer(const uint8_t *mov) {
    if (is_rex_base(mov[-1])) /* mov $number,%r8d */
        return true;
    /* b8 as the ModRM byte: lea, bases other than rax, segments; as the SIB byte. */
    if (mov[-1] == OPCODE_LEA || is_rex_base(mov[-2]) || mov[-2] == PREFIX_FS ||
        mov[-2] == PREFIX_GS || mov[-3] == PREFIX_FS || mov[-3] == PREFIX_GS ||
        (mov[-1] & 0xc7) == 0x84)
        return true;
    /* In a constant, or an address, of eight bytes. */
    if (((mov[-5] & 0xf8) == 0x48 && (mov[-4] & 0xf8) == 0xb8) || (mov[-4] & 0xfc) == 0xa0)
        return true;
    for (unsigned distance = 1; distance <= 6; distance++) {
        if (has_length(mov - distance, distance + SITE_JUMP_BYTES))
            return true;
    }
    return false;
}

static bool is_number(const uint8_t *mov, uint64_t number) {
    uint32_t constant;
    memcpy(&constant, mov + 1, sizeof(constant));
    return mov[0] == OPCODE_MOV_EAX && constant == number && number != NUMBER_SIGRETURN &&
           !is_end_of_longer(mov);
}

/* The end of glibc's syscall(), which is written in assembly and the same everywhere. */
static const uint8_t load_bytes[SITE_WINDOW] = {
    0x48, 0x89, 0xf8,             /* mov %rdi,%rax */
    0x48, 0x89, 0xf7,             /* mov %rsi,%rdi */
    0x48, 0x89, 0xd6,             /* mov %rdx,%rsi */
    0x48, 0x89, 0xca,             /* mov %rcx,%rdx */
    0x4d, 0x89, 0xc2,             /* mov %r8,%r10 */
    0x4d, 0x89, 0xc8,             /* mov %r9,%r8 */
    0x4c, 0x8b, 0x4c, 0x24, 0x08, /* mov 8(%rsp),%r9 */
    0x0f, 0x05,                   /* syscall */
};

enum site_kind site_decode(const uint8_t window[SITE_WINDOW], uint64_t number) {
    const uint8_t *site = window + SITE_WINDOW - SITE_BYTES;
    if (site[SITE_JUMP_BYTES] != 0x0f || site[SITE_JUMP_BYTES + 1] != 0x05)
        return SITE_NONE;
    if (memcmp(window, load_bytes, sizeof(load_bytes)) == 0)
        return SITE_LOAD;
    return is_number(site, number) ? SITE_NUMBER : SITE_NONE;
}

bool site_jump(uint64_t site, uint64_t target, uint8_t jump[SITE_JUMP_BYTES]) {
    int64_t distance = (int64_t)(target - (site + SITE_JUMP_BYTES));
    int32_t encoded = (int32_t)distance;
    if (encoded != distance)
        return false;
    jump[0] = OPCODE_JUMP;
    memcpy(jump + 1, &encoded, sizeof(encoded));
    return true;
}
