/* SPDX-License-Identifier: MIT */
/* Our constants and structures are those of this host's own headers. All of it is checked when it
 * is compiled. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "lib/linux/errors.h"
#include "lib/linux/numbers.h"
#include "lib/linux/structures.h"

#define SAME(ours, theirs) _Static_assert((long)(ours) == (long)(theirs), #theirs)

#define X(number, name) SAME(number, SYS_##name);
LINUX_CALL_LIST(X)
#undef X

#define ERROR(name) SAME(L_##name, name)
ERROR(EPERM);
ERROR(ENOENT);
ERROR(ESRCH);
ERROR(EINTR);
ERROR(EIO);
ERROR(E2BIG);
ERROR(EBADF);
ERROR(EAGAIN);
ERROR(ENOMEM);
ERROR(EACCES);
ERROR(EFAULT);
ERROR(EEXIST);
ERROR(ENODEV);
ERROR(EINVAL);
ERROR(EMFILE);
ERROR(ENOTTY);
ERROR(ESPIPE);
ERROR(EPIPE);
ERROR(ERANGE);
ERROR(EDEADLK);
ERROR(ENAMETOOLONG);
ERROR(ENOSYS);
ERROR(EOVERFLOW);
ERROR(EOPNOTSUPP);
ERROR(ETIMEDOUT);

SAME(L_MAP_FIXED_NOREPLACE, MAP_FIXED_NOREPLACE);
SAME(L_MAP_POPULATE, MAP_POPULATE);
SAME(L_MAP_HUGETLB, MAP_HUGETLB);
SAME(L_MAP_32BIT, MAP_32BIT);
SAME(L_MADV_FREE, MADV_FREE);
SAME(L_MADV_POPULATE_WRITE, MADV_POPULATE_WRITE);
SAME(L_CLONE_CHILD_SETTID, CLONE_CHILD_SETTID);
SAME(L_CLONE_CHILD_CLEARTID, CLONE_CHILD_CLEARTID);
SAME(L_CLONE_SETTLS, CLONE_SETTLS);
SAME(L_FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE);
SAME(L_FUTEX_WAIT_BITSET, FUTEX_WAIT_BITSET);
SAME(L_FUTEX_CLOCK_REALTIME, FUTEX_CLOCK_REALTIME);
SAME(L_FUTEX_OWNER_DIED, FUTEX_OWNER_DIED);
SAME(L_FUTEX_TID_MASK, FUTEX_TID_MASK);
SAME(L_CLOCK_BOOTTIME, CLOCK_BOOTTIME);
SAME(L_ARCH_SET_FS, ARCH_SET_FS);
SAME(L_PR_SET_NAME, PR_SET_NAME);
SAME(L_O_NONBLOCK, O_NONBLOCK);
SAME(L_O_CLOEXEC, O_CLOEXEC);
SAME(L_F_DUPFD_CLOEXEC, F_DUPFD_CLOEXEC);
SAME(L_AT_EMPTY_PATH, AT_EMPTY_PATH);
SAME(L_POLLRDNORM, POLLRDNORM);
SAME(L_POLLWRNORM, POLLWRNORM);
SAME(L_RLIMIT_NOFILE, RLIMIT_NOFILE);
SAME(L_RLIMIT_SIGPENDING, RLIMIT_SIGPENDING);
SAME(L_VECTOR_MAGIC, FP_XSTATE_MAGIC1);
SAME(L_VECTOR_END, FP_XSTATE_MAGIC2);

#define SIZE(ours, theirs)        SAME(sizeof(ours), sizeof(theirs))
#define FIELD(ours, a, theirs, b) SAME(offsetof(ours, a), offsetof(theirs, b))
SIZE(struct linux_stat, struct stat);
FIELD(struct linux_stat, special, struct stat, st_rdev);
FIELD(struct linux_stat, modified, struct stat, st_mtime);
SIZE(struct linux_statx, struct statx);
FIELD(struct linux_statx, mode, struct statx, stx_mode);
FIELD(struct linux_statx, modified, struct statx, stx_mtime);
FIELD(struct linux_statx, device_minor, struct statx, stx_dev_minor);
SIZE(struct linux_clone_args, struct clone_args);
FIELD(struct linux_clone_args, tls, struct clone_args, tls);
SIZE(struct linux_sigcontext, struct sigcontext);
FIELD(struct linux_sigcontext, rip, struct sigcontext, rip);
FIELD(struct linux_sigcontext, error, struct sigcontext, err);
FIELD(struct linux_sigcontext, vector, struct sigcontext, fpstate);
SIZE(struct linux_vector_mark, struct _fpx_sw_bytes);
FIELD(struct linux_vector_mark, state_bytes, struct _fpx_sw_bytes, xstate_size);
SAME(L_VECTOR_MARK_AT, offsetof(struct _fpstate, sw_reserved));
SIZE(struct linux_robust_head, struct robust_list_head);
FIELD(struct linux_robust_head, pending, struct robust_list_head, list_op_pending);
SIZE(struct linux_rusage, struct rusage);
FIELD(struct linux_rusage, minor_faults, struct rusage, ru_minflt);
SIZE(struct linux_rlimit, struct rlimit);
SIZE(struct linux_sysinfo, struct sysinfo);
FIELD(struct linux_sysinfo, unit_bytes, struct sysinfo, mem_unit);
SIZE(struct linux_utsname, struct utsname);
SIZE(struct linux_iovec, struct iovec);
SIZE(struct linux_pollfd, struct pollfd);
