/* SPDX-License-Identifier: MIT */
/* Which bytes are a call site, and which only look like one. */
#include <string.h>

#include "world.h"

#define GETPID 39
#define BEHIND 0x401000

/* What text that ends so is for a call with these registers. */
static enum site_kind decode_with(const char *bytes, size_t count, const struct ax_regs *regs,
                                  struct site *site) {
    uint8_t window[SITE_WINDOW];
    memset(window, 0x90, sizeof(window)); /* nop */
    memcpy(window + SITE_WINDOW - count, bytes, count);
    return site_decode(window, regs, site) ? (enum site_kind)site->kind : SITE_NONE;
}

static enum site_kind decode(const char *bytes, size_t count, uint64_t number) {
    struct site site;
    struct ax_regs regs = {.rax = number, .rip = BEHIND};
    return decode_with(bytes, count, &regs, &site);
}
#define DECODE(bytes) decode(bytes, sizeof(bytes) - 1, GETPID)

#define MOV_EAX "\xb8\x27\0\0\0" /* mov $39,%eax */
#define SYSCALL "\x0f\x05"

START_TEST(a_number_and_a_syscall_are_a_site) {
    ck_assert_int_eq(DECODE(MOV_EAX SYSCALL), SITE_NUMBER);
    ck_assert_int_eq(DECODE("\x48\x89\xc7" MOV_EAX SYSCALL), SITE_NUMBER);     /* mov %rax,%rdi */
    ck_assert_int_eq(DECODE("\xbe\1\0\0\0" MOV_EAX SYSCALL), SITE_NUMBER);     /* mov $1,%esi */
    ck_assert_int_eq(DECODE("\x31\xff" MOV_EAX SYSCALL), SITE_NUMBER);         /* xor %edi,%edi */
    ck_assert_int_eq(DECODE("\x48\x83\xec\x18" MOV_EAX SYSCALL), SITE_NUMBER); /* sub $24,%rsp */
    ck_assert_int_eq(DECODE(SYSCALL MOV_EAX SYSCALL), SITE_NUMBER);
    ck_assert_int_eq(DECODE("\x74\x05" MOV_EAX SYSCALL), SITE_NUMBER); /* je */
}
END_TEST

START_TEST(other_instructions_before_a_syscall_are_none) {
    ck_assert_int_eq(DECODE("\x31\xc0" SYSCALL), SITE_NONE);             /* xor %eax,%eax */
    ck_assert_int_eq(DECODE("\xbf\x27\0\0\0" SYSCALL), SITE_NONE);       /* mov $39,%edi */
    ck_assert_int_eq(DECODE(MOV_EAX "\x0f\x34"), SITE_NONE);             /* sysenter */
    ck_assert_int_eq(DECODE(MOV_EAX "\x89\xfa" SYSCALL), SITE_NONE);     /* mov %edi,%edx */
    ck_assert_int_eq(DECODE("\x4c\x8b\x4c\x24\x08" SYSCALL), SITE_NONE); /* mov 8(%rsp),%r9 */
}
END_TEST

START_TEST(the_number_must_be_what_was_called) {
    ck_assert_int_eq(decode(MOV_EAX SYSCALL, 7, 40), SITE_NONE);
    ck_assert_int_eq(decode("\xb8\x27\0\1\0" SYSCALL, 7, GETPID), SITE_NONE);
    ck_assert_int_eq(decode("\xb8\xff\xff\xff\xff" SYSCALL, 7, UINT32_MAX), SITE_NUMBER);
}
END_TEST

START_TEST(the_return_of_a_signal_is_left_for_unwinders) {
    ck_assert_int_eq(decode("\xb8\x0f\0\0\0" SYSCALL, 7, 15), SITE_NONE);
}
END_TEST

/* Each of these is one instruction that ends with the bytes of a mov to eax. */
START_TEST(the_end_of_a_longer_instruction_is_no_site) {
    ck_assert_int_eq(DECODE("\x41" MOV_EAX SYSCALL), SITE_NONE);         /* mov $39,%r8d */
    ck_assert_int_eq(DECODE("\xc7\x45" MOV_EAX SYSCALL), SITE_NONE);     /* movl $39,-72(%rbp) */
    ck_assert_int_eq(DECODE("\xc7\x44\x24" MOV_EAX SYSCALL), SITE_NONE); /* movl $39,-72(%rsp) */
    ck_assert_int_eq(DECODE("\x48\xc7\x45" MOV_EAX SYSCALL), SITE_NONE); /* movq */
    ck_assert_int_eq(DECODE("\xc7\x04" MOV_EAX SYSCALL), SITE_NONE); /* movl $39,(%rax,%rdi,4) */
    ck_assert_int_eq(DECODE("\xf7\x45" MOV_EAX SYSCALL), SITE_NONE); /* testl $39,-72(%rbp) */
    ck_assert_int_eq(DECODE("\x81\x7d" MOV_EAX SYSCALL), SITE_NONE); /* cmpl $39,-72(%rbp) */
    ck_assert_int_eq(DECODE("\x69\x45" MOV_EAX SYSCALL), SITE_NONE); /* imul $39,-72(%rbp),%eax */
    ck_assert_int_eq(DECODE("\x8d" MOV_EAX SYSCALL), SITE_NONE);     /* lea 39(%rax),%edi */
    ck_assert_int_eq(DECODE("\x41\x8b" MOV_EAX SYSCALL), SITE_NONE); /* mov 39(%r8),%edi */
    ck_assert_int_eq(DECODE("\x64\x8b" MOV_EAX SYSCALL), SITE_NONE); /* mov %fs:39(%rax),%edi */
    ck_assert_int_eq(DECODE("\x8b\x84" MOV_EAX SYSCALL), SITE_NONE); /* mov 39(%rax,%rdi,4),%eax */
    ck_assert_int_eq(DECODE("\xc7\x85\0\0\xff" MOV_EAX SYSCALL), SITE_NONE); /* far from rbp */
    ck_assert_int_eq(DECODE("\xc6\x87" MOV_EAX SYSCALL), SITE_NONE);       /* movb $0,10168(%rdi) */
    ck_assert_int_eq(DECODE("\x80\x3d" MOV_EAX SYSCALL), SITE_NONE);       /* cmpb $0,10168(%rip) */
    ck_assert_int_eq(DECODE("\x66\xc7\x87\0" MOV_EAX SYSCALL), SITE_NONE); /* movw $0,far(%rdi) */
    ck_assert_int_eq(DECODE("\x48\xbf\0\0\0" MOV_EAX SYSCALL), SITE_NONE); /* movabs to rdi */
    ck_assert_int_eq(DECODE("\x48\xa1\0\0\0" MOV_EAX SYSCALL), SITE_NONE); /* movabs from memory */
    ck_assert_int_eq(DECODE("\x0f\x18" MOV_EAX SYSCALL), SITE_NONE);       /* prefetch */
    ck_assert_int_eq(DECODE("\xc5\xf9\x70\x87" MOV_EAX SYSCALL), SITE_NONE); /* vpshufd $0,far */
}
END_TEST

START_TEST(the_c_librarys_syscall_function_is_one) {
    ck_assert_int_eq(DECODE("\x48\x89\xf8\x48\x89\xf7\x48\x89\xd6\x48\x89\xca\x4d\x89\xc2"
                            "\x4d\x89\xc8\x4c\x8b\x4c\x24\x08" SYSCALL),
                     SITE_LOAD);
}
END_TEST

/* That the register has the address is what tells a lea from the end of something else. */
START_TEST(a_lea_whose_register_has_the_address_is_one) {
    static const char lea[] = "\x48\x8d\xb3\xf0\x08\0\0" SYSCALL;      /* lea 0x8f0(%rbx),%rsi */
    static const char high[] = "\x4d\x8d\x85\xff\xff\xff\xff" SYSCALL; /* lea -1(%r13),%r8 */
    static const char relative[] = "\x48\x8d\x35\0\x10\0\0" SYSCALL;   /* lea 0x1000(%rip),%rsi */
    struct site site;
    struct ax_regs regs = {.rax = 14, .rbx = 0x1000, .rsi = 0x18f0, .rip = BEHIND};
    ck_assert_int_eq(decode_with(lea, 9, &regs, &site), SITE_ADDRESS);
    ck_assert_uint_eq(site_start(&site), BEHIND - 9);
    regs.rsi = 5;
    ck_assert_int_eq(decode_with(lea, 9, &regs, &site), SITE_NONE);
    regs.rbx = 0x2000;
    site_apply(&site, &regs);
    ck_assert_uint_eq(regs.rsi, 0x28f0);

    regs = (struct ax_regs){.rax = 14, .r13 = 0x1000, .r8 = 0xfff, .rip = BEHIND};
    ck_assert_int_eq(decode_with(high, 9, &regs, &site), SITE_ADDRESS);
    regs = (struct ax_regs){.rax = 14, .rsi = BEHIND - 2 + 0x1000, .rip = BEHIND};
    ck_assert_int_eq(decode_with(relative, 9, &regs, &site), SITE_ADDRESS);
    regs.rsi = 0;
    site_apply(&site, &regs);
    ck_assert_uint_eq(regs.rsi, BEHIND - 2 + 0x1000);
}
END_TEST

/* The trampoline has rcx, and a call its number in rax; what adds to itself cannot be done twice.
 */
START_TEST(a_lea_with_registers_that_are_needed_is_none) {
    struct site site;
    struct ax_regs regs = {.rax = 14, .rcx = 14, .rsi = 14, .rip = BEHIND};
    ck_assert_int_eq(decode_with("\x48\x8d\xb1\0\0\0\0" SYSCALL, 9, &regs, &site), SITE_NONE);
    ck_assert_int_eq(decode_with("\x48\x8d\x8e\0\0\0\0" SYSCALL, 9, &regs, &site), SITE_NONE);
    ck_assert_int_eq(decode_with("\x48\x8d\x86\0\0\0\0" SYSCALL, 9, &regs, &site), SITE_NONE);
    ck_assert_int_eq(decode_with("\x48\x8d\xb6\0\0\0\0" SYSCALL, 9, &regs, &site), SITE_NONE);
}
END_TEST

START_TEST(jumps_go_both_ways_and_not_too_far) {
    uint8_t jump[SITE_JUMP_BYTES];
    ck_assert(site_jump(0x400000, 0x3ff010, jump));
    ck_assert_mem_eq(jump, "\xe9\x0b\xf0\xff\xff", 5);
    ck_assert(site_jump(0x400000, 0x400005, jump));
    ck_assert_mem_eq(jump, "\xe9\0\0\0\0", 5);
    ck_assert(site_jump(0x90000000, 0x10000005, jump));
    ck_assert(!site_jump(0x90000000, 0x10000004, jump));
    ck_assert(site_jump(0x400000, 0x80400004, jump));
    ck_assert(!site_jump(0x400000, 0x80400005, jump));
}
END_TEST

TCase *linux_site_tests(void) {
    TCase *tests = tcase_create("site");
    tcase_add_test(tests, a_number_and_a_syscall_are_a_site);
    tcase_add_test(tests, other_instructions_before_a_syscall_are_none);
    tcase_add_test(tests, the_number_must_be_what_was_called);
    tcase_add_test(tests, the_return_of_a_signal_is_left_for_unwinders);
    tcase_add_test(tests, the_end_of_a_longer_instruction_is_no_site);
    tcase_add_test(tests, the_c_librarys_syscall_function_is_one);
    tcase_add_test(tests, a_lea_whose_register_has_the_address_is_one);
    tcase_add_test(tests, a_lea_with_registers_that_are_needed_is_none);
    tcase_add_test(tests, jumps_go_both_ways_and_not_too_far);
    return tests;
}
