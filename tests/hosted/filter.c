/* SPDX-License-Identifier: MIT */
/*
 * What the filter of guest threads lets through: all numbers, all architectures, the edges of the
 * text, by an interpreter of the program that Linux is given.
 */
#include <check.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <hal/hosted/host/host.h>

#define TEXT     UINT64_C(0x7ffe80000000)
#define TEXT_END (TEXT + 0x4000)
#define LONGEST  300
#define X32      0x40000000

static struct sock_filter program[LONGEST];
static unsigned length;

static void filter_setup(void) {
    length = host_filter_make(TEXT, TEXT_END, program, LONGEST);
    ck_assert_uint_gt(length, 10);
}

/* One jump; how far it goes. */
static unsigned jump(const struct sock_filter *step, uint32_t value) {
    bool holds = false;
    switch (BPF_OP(step->code)) {
    case BPF_JA: return step->k;
    case BPF_JEQ: holds = value == step->k; break;
    case BPF_JGT: holds = value > step->k; break;
    case BPF_JGE: holds = value >= step->k; break;
    case BPF_JSET: holds = (value & step->k) != 0; break;
    default: ck_abort_msg("unknown jump %#x", step->code);
    }
    return holds ? step->jt : step->jf;
}

/* The program's verdict on a call; the instructions are those that seccomp accepts. */
static uint32_t verdict(const struct seccomp_data *data) {
    uint32_t value = 0;
    for (unsigned at = 0; at < length; at++) {
        const struct sock_filter *step = &program[at];
        switch (BPF_CLASS(step->code)) {
        case BPF_LD:
            ck_assert_uint_le(step->k, sizeof(*data) - 4);
            memcpy(&value, (const char *)data + step->k, sizeof(value));
            break;
        case BPF_ALU:
            ck_assert_int_eq(step->code, BPF_ALU | BPF_AND | BPF_K);
            value &= step->k;
            break;
        case BPF_JMP: at += jump(step, value); break;
        case BPF_RET: return step->k;
        default: ck_abort_msg("unknown instruction %#x", step->code);
        }
    }
    ck_abort_msg("the program has no end");
    return 0;
}

static struct seccomp_data call(int number) {
    return (struct seccomp_data){
        .nr = number, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = TEXT + 100};
}

static bool is_harmless(int number) {
    return number == SYS_sched_yield || number == SYS_exit;
}

START_TEST(every_number) {
    static const uint32_t architectures[] = {
        AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_AARCH64, 0, UINT32_MAX};
    for (unsigned i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++) {
        for (int number = -2000; number < 4000; number++) {
            for (int x32 = 0; x32 < 2; x32++) {
                struct seccomp_data data = call(x32 ? number | X32 : number);
                data.arch = architectures[i];
                data.args[1] = FUTEX_REQUEUE;
                bool is_allowed = i == 0 && !x32 && is_harmless(number);
                ck_assert_uint_eq(verdict(&data),
                                  is_allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
            }
        }
    }
}
END_TEST

START_TEST(futex_operations) {
    for (uint64_t op = 0; op < 2048; op++) {
        for (uint64_t timeout = 0; timeout < 2; timeout++) {
            struct seccomp_data data = call(SYS_futex);
            data.args[1] = op;
            data.args[3] = timeout;
            bool is_allowed = op == FUTEX_WAKE || (op == FUTEX_WAIT && timeout == 0);
            ck_assert_uint_eq(verdict(&data), is_allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
        }
    }
    /* All 64 bits count. */
    struct seccomp_data data = call(SYS_futex);
    data.args[1] = UINT64_C(1) << 32 | FUTEX_WAKE;
    ck_assert_uint_eq(verdict(&data), SECCOMP_RET_TRAP);
    data.args[1] = FUTEX_WAIT;
    data.args[3] = UINT64_C(1) << 32;
    ck_assert_uint_eq(verdict(&data), SECCOMP_RET_TRAP);
}
END_TEST

/* Linux tells the address behind the instruction, which lies in (text, end]. */
START_TEST(only_from_the_text) {
    static const uint64_t outside[] = {0,
                                       TEXT - 1,
                                       TEXT,
                                       TEXT_END + 1,
                                       TEXT + (UINT64_C(1) << 32),
                                       TEXT - (UINT64_C(1) << 32),
                                       TEXT & UINT32_MAX,
                                       UINT64_MAX,
                                       UINT64_C(0xffffffffff600000)};
    static const uint64_t within[] = {TEXT + 1, TEXT + 2, TEXT + 0x1000, TEXT_END - 1, TEXT_END};
    struct seccomp_data data = call(SYS_sched_yield);
    for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        data.instruction_pointer = outside[i];
        ck_assert_uint_eq(verdict(&data), SECCOMP_RET_TRAP);
    }
    for (unsigned i = 0; i < sizeof(within) / sizeof(within[0]); i++) {
        data.instruction_pointer = within[i];
        ck_assert_uint_eq(verdict(&data), SECCOMP_RET_ALLOW);
    }
}
END_TEST

START_TEST(no_room) {
    struct sock_filter few[8];
    ck_assert_uint_eq(host_filter_make(TEXT, TEXT_END, few, 8), 0);
    /* A text that is not within one half of the address is not checked right: refused. */
    ck_assert_uint_eq(host_filter_make(0x1ffffff00, 0x200000100, program, LONGEST), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("filter");
    TCase *tcase = tcase_create("filter");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, filter_setup, NULL);
    tcase_add_test(tcase, every_number);
    tcase_add_test(tcase, futex_operations);
    tcase_add_test(tcase, only_from_the_text);
    tcase_add_test(tcase, no_room);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
