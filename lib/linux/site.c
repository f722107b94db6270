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

/* ---- lea ------------------------------------------------------------------------------------- */

#define ADDRESS_BYTES 7
#define PLACE(name)   (offsetof(struct ax_regs, name) / sizeof(uint64_t))

/* A register by its number in instructions: its place in struct ax_regs. */
static uint8_t register_place(unsigned number) {
    static const uint8_t first[] = {PLACE(rax), PLACE(rcx), PLACE(rdx), PLACE(rbx),
                                    PLACE(rsp), PLACE(rbp), PLACE(rsi), PLACE(rdi)};
    return number < 8 ? first[number] : (uint8_t)(PLACE(r8) + number - 8);
}

static uint64_t register_get(const struct site *site, const struct ax_regs *regs) {
    return site->from == PLACE(rip) ? site->behind - SITE_SYSCALL_BYTES
                                    : ((const uint64_t *)regs)[site->from];
}

static uint64_t address_of(const struct site *site, const struct ax_regs *regs) {
    return register_get(site, regs) + (uint64_t)(int64_t)(int32_t)site->value;
}

/* A lea of seven bytes: REX.W, 8d, a ModRM byte with a displacement of four bytes. That its
 * register has the address shows that it is one. The trampoline needs rcx, and the call rax and
 * rsp. */
static bool address_decode(const uint8_t *lea, const struct ax_regs *regs, struct site *site) {
    unsigned mode = lea[2] >> 6, base = lea[2] & 7;
    bool is_relative = mode == 0 && base == 5;
    if ((lea[0] & 0xfa) != 0x48 || lea[1] != OPCODE_LEA ||
        (!is_relative && (mode != 2 || base == 4)))
        return false;
    site->kind = SITE_ADDRESS;
    site->length = ADDRESS_BYTES;
    site->to = register_place((lea[2] >> 3 & 7) | (lea[0] & 4) << 1);
    site->from = is_relative ? PLACE(rip) : register_place(base | (lea[0] & 1) << 3);
    memcpy(&site->value, lea + 3, sizeof(site->value));
    return site->to != PLACE(rax) && site->to != PLACE(rcx) && site->to != PLACE(rsp) &&
           site->from != PLACE(rcx) && site->from != site->to &&
           ((const uint64_t *)regs)[site->to] == address_of(site, regs);
}

/* ---- All of them ----------------------------------------------------------------------------- */

bool site_decode(const uint8_t window[SITE_WINDOW], const struct ax_regs *regs, struct site *site) {
    const uint8_t *syscall = window + SITE_WINDOW - SITE_SYSCALL_BYTES;
    uint64_t number = (uint32_t)regs->rax;
    *site = (struct site){.behind = regs->rip, .length = SITE_JUMP_BYTES};
    if (syscall[0] != 0x0f || syscall[1] != 0x05)
        return false;
    if (memcmp(window, load_bytes, sizeof(load_bytes)) == 0) {
        site->kind = SITE_LOAD;
    } else if (is_number(syscall - SITE_JUMP_BYTES, number)) {
        site->kind = SITE_NUMBER;
        site->value = (uint32_t)number;
    } else {
        return number != NUMBER_SIGRETURN && address_decode(syscall - ADDRESS_BYTES, regs, site);
    }
    return true;
}

void site_apply(const struct site *site, struct ax_regs *regs) {
    if (site->kind == SITE_NUMBER)
        regs->rax = site->value;
    else if (site->kind == SITE_ADDRESS)
        ((uint64_t *)regs)[site->to] = address_of(site, regs);
}

bool site_jump(uint64_t address, uint64_t target, uint8_t jump[SITE_JUMP_BYTES]) {
    int64_t distance = (int64_t)(target - (address + SITE_JUMP_BYTES));
    int32_t encoded = (int32_t)distance;
    if (encoded != distance)
        return false;
    jump[0] = OPCODE_JUMP;
    memcpy(jump + 1, &encoded, sizeof(encoded));
    return true;
}
