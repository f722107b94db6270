/* SPDX-License-Identifier: MIT */
/*
 * The parent of all stubs: a process with nothing in it but the stub's code and a stack, which
 * forks itself when the kernel process asks. It never runs guest code. What all stubs have in
 * common is set up here once, and inherited.
 */
#include "stub.h"

/* Host calls and their constants (x86_64). */
enum {
    HOST_MMAP = 9,
    HOST_MUNMAP = 11,
    HOST_SIGACTION = 13,
    HOST_SIGPROCMASK = 14,
    HOST_DUP3 = 292,
    HOST_CLOSE = 3,
    HOST_SENDTO = 44,
    HOST_RECVMSG = 47,
    HOST_SETPGID = 109,
    HOST_GETPPID = 110,
    HOST_CAPSET = 126,
    HOST_PRCTL = 157,
    HOST_SETRLIMIT = 160,
    HOST_EXIT_GROUP = 231,
};

enum {
    PROT_READ = 1,
    MAP_SHARED_FIXED = 0x11,
    CLONE_PARENT = 0x8000,
    SIGNAL_KILL = 9,
    SIGNAL_CHILD = 17,
    PR_SET_PDEATHSIG = 1,
    PR_SET_TSC = 26,
    PR_TSC_SIGSEGV = 2,
    PR_SET_NO_NEW_PRIVS = 38,
    RLIMIT_CORE = 4,
    SA_FLAGS = 0x4c000004, /* SIGINFO | ONSTACK | NODEFER | RESTORER */
    CAPABILITY_VERSION_3 = 0x20080522,
    MSG_NOSIGNAL = 0x4000,
};

struct host_sigaction {
    const char *handler;
    uint64_t flags;
    const char *restorer;
    uint64_t mask;
};

struct host_iovec {
    void *base;
    uint64_t size_bytes;
};

struct host_msghdr {
    void *name;
    uint64_t name_bytes;
    struct host_iovec *iov;
    uint64_t iov_count;
    void *control;
    uint64_t control_bytes;
    uint64_t flags;
};

struct host_descriptor_message {
    uint64_t size_bytes;
    int32_t level, type;
    int32_t descriptor, padding;
};

#define CALL(number, a, b, c, d) stub_host(number, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static _Noreturn void leave(int status) {
    for (;;)
        CALL(HOST_EXIT_GROUP, status, 0, 0, 0);
}

static void expect(long result, int status) {
    if (result < 0)
        leave(status);
}

static void capabilities_drop(void) {
    uint32_t header[2] = {CAPABILITY_VERSION_3, 0}, none[6] = {0};
    expect(CALL(HOST_CAPSET, header, none, 0, 0), 88);
}

static void signals_set(void) {
    static const uint8_t caught[] = {31, 11, 7, 4, 8, 5, 10}; /* SYS SEGV BUS ILL FPE TRAP USR1 */
    uint64_t all = UINT64_MAX;
    expect(CALL(HOST_SIGPROCMASK, 2, &all, 0, 8), 89);
    for (unsigned i = 0; i < sizeof(caught); i++) {
        struct host_sigaction action = {stub_signal_entry, SA_FLAGS, stub_exit, 0};
        expect(CALL(HOST_SIGACTION, caught[i], &action, 0, 8), 90);
    }
}

/* The child: a mapper from here on. */
static _Noreturn void stub_begin(const struct zygote_request *request, int report, long parent) {
    expect(CALL(HOST_PRCTL, PR_SET_PDEATHSIG, SIGNAL_KILL, 0, 0), 91);
    if (CALL(HOST_GETPPID, 0, 0, 0, 0) != parent)
        leave(92); /* it died before */
    expect(CALL(HOST_DUP3, report, STUB_FD_REPORT, 0, 0), 93);
    CALL(HOST_CLOSE, report, 0, 0, 0);
    CALL(HOST_CLOSE, STUB_FD_ZYGOTE, 0, 0, 0);
    expect(stub_host(HOST_MMAP, (long)STUB_ORDERS, STUB_ORDERS_BYTES, PROT_READ, MAP_SHARED_FIXED,
                     STUB_FD_MEMORY, (long)request->orders),
           94);
    stub_mapper(0);
}

/* One request; false: the kernel process is gone. */
static bool request_serve(long parent) {
    struct zygote_request request;
    struct host_descriptor_message attached = {0};
    struct host_iovec iov = {&request, sizeof(request)};
    struct host_msghdr header = {
        .iov = &iov, .iov_count = 1, .control = &attached, .control_bytes = sizeof(attached)};
    long size = CALL(HOST_RECVMSG, STUB_FD_ZYGOTE, &header, 0, 0);
    if (size != (long)sizeof(request) || header.control_bytes == 0)
        return false;
    int64_t pid = CALL(HOST_CLONE, CLONE_PARENT | SIGNAL_CHILD, 0, 0, 0);
    if (pid == 0)
        stub_begin(&request, attached.descriptor, parent);
    CALL(HOST_CLOSE, attached.descriptor, 0, 0, 0);
    return stub_host(HOST_SENDTO, STUB_FD_ZYGOTE, (long)&pid, sizeof(pid), MSG_NOSIGNAL, 0, 0) ==
           (long)sizeof(pid);
}

void zygote_main(void) {
    const struct stub_constants *constants = (const void *)STUB_CONSTANTS;
    uint64_t no_core[2] = {0, 0};
    long parent = CALL(HOST_GETPPID, 0, 0, 0, 0);
    expect(CALL(HOST_MUNMAP, 0, START_END, 0, 0), 83);
    expect(CALL(HOST_SETPGID, 0, 0, 0, 0), 84);
    capabilities_drop();
    expect(CALL(HOST_PRCTL, PR_SET_PDEATHSIG, SIGNAL_KILL, 0, 0), 91);
    if (CALL(HOST_GETPPID, 0, 0, 0, 0) != parent)
        leave(92);
    expect(CALL(HOST_PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0), 95);
    expect(CALL(HOST_SETRLIMIT, RLIMIT_CORE, no_core, 0, 0), 96);
    if (constants->is_seeded != 0)
        expect(CALL(HOST_PRCTL, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0), ZYGOTE_NO_TSC);
    signals_set();
    while (request_serve(parent))
        ;
    leave(0);
}
