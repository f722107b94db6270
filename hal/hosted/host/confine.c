/* SPDX-License-Identifier: MIT */
/*
 * What the kernel process gives up once it has all it needs: being root, and every system call that
 * it does not make. A guest that took it over could reach what it has open, and nothing else.
 */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* "nobody" in Debian: owns no file. */
#define NOBODY 65534

void host_confine_user(void) {
    pid_t parent = getppid();
    /* Where the user does not exist (a container with one user only) root is no more than that. */
    if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        host_fail("cannot become user %d: %s", NOBODY, strerror(errno));
    /* A change of user clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        host_fail("whoever started this has ended");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        host_fail("this host is too old: it lacks no_new_privs");
}

#define ANYTHING(name)       \
    {                        \
        SCMP_SYS(name), 0, { \
            {0, 0, 0, 0}, {  \
                0, 0, 0, 0   \
            }                \
        }                    \
    }
#define EQUAL(n, value) \
    { n, SCMP_CMP_EQ, value, 0 }
#define MASKED(n, mask, value) \
    { n, SCMP_CMP_MASKED_EQ, mask, value }
#define WHERE(name, condition) \
    {                          \
        SCMP_SYS(name), 1, {   \
            condition, {       \
                0, 0, 0, 0     \
            }                  \
        }                      \
    }
#define WHERE_2(name, one, other) \
    {                             \
        SCMP_SYS(name), 2, {      \
            one, other            \
        }                         \
    }

struct rule {
    int call;
    unsigned count;
    struct scmp_arg_cmp conditions[2];
};

static const struct rule rules[] = {
    /* waiting */
    ANYTHING(futex),
    ANYTHING(sched_yield),
    ANYTHING(poll),
    ANYTHING(ppoll),
    ANYTHING(clock_nanosleep),
    ANYTHING(clock_gettime),
    ANYTHING(restart_syscall),
    /* descriptors it has */
    ANYTHING(read),
    ANYTHING(write),
    ANYTHING(readv),
    ANYTHING(writev),
    ANYTHING(lseek),
    ANYTHING(close),
    ANYTHING(fallocate),
    ANYTHING(fstat),
    ANYTHING(ioctl),
    /* stubs */
    ANYTHING(eventfd2),
    ANYTHING(sendmsg),
    ANYTHING(recvfrom),
    ANYTHING(waitid),
    ANYTHING(wait4),
    WHERE(kill, EQUAL(1, SIGKILL)),
    WHERE(tgkill, EQUAL(2, SIGUSR1)),
    WHERE(tgkill, EQUAL(2, SIGABRT)),
    ANYTHING(sched_setaffinity),
    /* what /proc tells of them */
    WHERE(openat, MASKED(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
    ANYTHING(newfstatat),
    /* threads and memory of its own */
    WHERE(clone, MASKED(0, CLONE_THREAD, CLONE_THREAD)),
    WHERE(mmap, MASKED(2, PROT_EXEC, 0)),
    WHERE(mprotect, MASKED(2, PROT_EXEC, 0)),
    ANYTHING(munmap),
    ANYTHING(madvise),
    ANYTHING(brk),
    ANYTHING(set_robust_list),
    ANYTHING(rseq),
    ANYTHING(gettid),
    ANYTHING(getpid),
    ANYTHING(getrandom),
    ANYTHING(rt_sigaction),
    ANYTHING(rt_sigprocmask),
    ANYTHING(rt_sigtimedwait),
    ANYTHING(rt_sigreturn),
    ANYTHING(exit),
    ANYTHING(exit_group),
};

void host_confine_calls(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    /* The C library goes on with clone, whose flags can be looked at. */
    bool is_made = filter != NULL &&
                   seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && is_made; i++)
        is_made = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].count,
                                         rules[i].conditions) == 0;
    if (!is_made || seccomp_load(filter) != 0)
        host_fail("this host lets no process confine itself (seccomp)");
    seccomp_release(filter);
}
