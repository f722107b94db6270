/* SPDX-License-Identifier: MIT */
/*
 * What guest threads may ask of Linux: from the stub's text, to sleep on a word, to wake others
 * that do, to yield, to exit. Everything else, from wherever, raises SIGSYS.
 *
 * libseccomp cannot look at the instruction pointer, so a range check of all its 64 bits stands
 * before the program that libseccomp makes. The pointer is that behind the instruction
 * (struct seccomp_data, linux/seccomp.h).
 */
#include "private.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POINTER_LOW  offsetof(struct seccomp_data, instruction_pointer)
#define POINTER_HIGH (POINTER_LOW + 4)
#define CHECK_LENGTH 6

/* Falls through behind its end if the pointer is in (text, text_end]. */
static void range_check(struct sock_filter check[CHECK_LENGTH], uint64_t text, uint64_t text_end) {
    struct sock_filter program[CHECK_LENGTH] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, POINTER_HIGH),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(text >> 32), 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, POINTER_LOW),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)text_end, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)text, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    memcpy(check, program, sizeof(program));
}

static bool rules_add(scmp_filter_ctx filter) {
    return seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP) == 0 &&
           seccomp_rule_add_exact(filter, SCMP_ACT_ALLOW, SCMP_SYS(futex), 2,
                                  SCMP_A1_64(SCMP_CMP_EQ, FUTEX_WAIT, 0),
                                  SCMP_A3_64(SCMP_CMP_EQ, 0, 0)) == 0 &&
           seccomp_rule_add_exact(filter, SCMP_ACT_ALLOW, SCMP_SYS(futex), 1,
                                  SCMP_A1_64(SCMP_CMP_EQ, FUTEX_WAKE, 0)) == 0 &&
           seccomp_rule_add_exact(filter, SCMP_ACT_ALLOW, SCMP_SYS(sched_yield), 0) == 0 &&
           seccomp_rule_add_exact(filter, SCMP_ACT_ALLOW, SCMP_SYS(exit), 0) == 0;
}

/* The program as libseccomp exports it; its size in bytes, 0: none. */
static size_t rules_export(scmp_filter_ctx filter, void *program, size_t most_bytes) {
    size_t size = 0;
    int fd = memfd_create("filter", 0);
    if (fd < 0)
        return 0;
    if (seccomp_export_bpf(filter, fd) == 0) {
        off_t end = lseek(fd, 0, SEEK_END);
        if (end > 0 && (size_t)end <= most_bytes && pread(fd, program, (size_t)end, 0) == end)
            size = (size_t)end;
    }
    close(fd);
    return size;
}

unsigned host_filter_make(uint64_t text, uint64_t text_end, void *program, unsigned most) {
    struct sock_filter *all = program;
    size_t size = 0;
    if (most <= CHECK_LENGTH || text >> 32 != text_end >> 32)
        return 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (filter == NULL)
        return 0;
    range_check(all, text, text_end);
    if (rules_add(filter))
        size = rules_export(filter, all + CHECK_LENGTH, (most - CHECK_LENGTH) * sizeof(*all));
    seccomp_release(filter);
    return size == 0 ? 0 : CHECK_LENGTH + (unsigned)(size / sizeof(*all));
}
