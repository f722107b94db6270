/* SPDX-License-Identifier: MIT */
/* Structures and constants of Linux's interface for x86_64, as it documents them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* ---- Memory ---------------------------------------------------------------------------------- */

enum {
    L_PROT_READ = 1,
    L_PROT_WRITE = 2,
    L_PROT_EXEC = 4,
    L_PROT_SEM = 8,
    L_PROT_KNOWN = 15,

    L_MAP_SHARED = 0x01,
    L_MAP_PRIVATE = 0x02,
    L_MAP_TYPE = 0x0f,
    L_MAP_FIXED = 0x10,
    L_MAP_ANONYMOUS = 0x20,
    L_MAP_32BIT = 0x40,
    L_MAP_GROWSDOWN = 0x100,
    L_MAP_POPULATE = 0x8000,
    L_MAP_HUGETLB = 0x40000,
    L_MAP_FIXED_NOREPLACE = 0x100000,

    L_MREMAP_MAYMOVE = 1,
    L_MREMAP_FIXED = 2,
    L_MREMAP_DONTUNMAP = 4,
};

enum linux_advice {
    L_MADV_NORMAL = 0,
    L_MADV_RANDOM = 1,
    L_MADV_SEQUENTIAL = 2,
    L_MADV_WILLNEED = 3,
    L_MADV_DONTNEED = 4,
    L_MADV_FREE = 8,
    L_MADV_HUGEPAGE = 14,
    L_MADV_NOHUGEPAGE = 15,
    L_MADV_DONTDUMP = 16,
    L_MADV_DODUMP = 17,
    L_MADV_COLD = 20,
    L_MADV_PAGEOUT = 21,
    L_MADV_POPULATE_READ = 22,
    L_MADV_POPULATE_WRITE = 23,
};

/* ---- Threads and futexes --------------------------------------------------------------------- */

enum {
    L_CLONE_VM = 0x00000100,
    L_CLONE_FS = 0x00000200,
    L_CLONE_FILES = 0x00000400,
    L_CLONE_SIGHAND = 0x00000800,
    L_CLONE_THREAD = 0x00010000,
    L_CLONE_SYSVSEM = 0x00040000,
    L_CLONE_SETTLS = 0x00080000,
    L_CLONE_PARENT_SETTID = 0x00100000,
    L_CLONE_CHILD_CLEARTID = 0x00200000,
    L_CLONE_DETACHED = 0x00400000, /* ignored since long ago */
    L_CLONE_CHILD_SETTID = 0x01000000,
    L_CLONE_EXIT_SIGNAL = 0xff,
};

struct linux_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};
#define L_CLONE_ARGS_FIRST 64 /* the size of the structure's first version */

struct linux_robust_head {
    uint64_t first;
    int64_t futex_offset;
    uint64_t pending;
};

enum {
    L_FUTEX_WAIT = 0,
    L_FUTEX_WAKE = 1,
    L_FUTEX_REQUEUE = 3,
    L_FUTEX_CMP_REQUEUE = 4,
    L_FUTEX_WAKE_OP = 5,
    L_FUTEX_WAIT_BITSET = 9,
    L_FUTEX_WAKE_BITSET = 10,
    L_FUTEX_PRIVATE = 128,
    L_FUTEX_CLOCK_REALTIME = 256,
};
#define L_FUTEX_WAITERS    UINT32_C(0x80000000)
#define L_FUTEX_OWNER_DIED UINT32_C(0x40000000)
#define L_FUTEX_TID_MASK   UINT32_C(0x3fffffff)

/* ---- Time ------------------------------------------------------------------------------------ */

struct linux_timespec {
    int64_t seconds;
    int64_t nanoseconds;
};
struct linux_timeval {
    int64_t seconds;
    int64_t microseconds;
};
struct linux_timezone {
    int32_t minutes_west;
    int32_t dst_time;
};
struct linux_tms {
    int64_t user, system, child_user, child_system;
};

struct linux_itimerval {
    struct linux_timeval interval, value;
};
struct linux_itimerspec {
    struct linux_timespec interval, value;
};
struct linux_sigevent {
    uint64_t value;
    int32_t signal;
    int32_t notify;
    int32_t tid;
    int32_t reserved[11];
};
enum {
    L_ITIMER_REAL = 0,
    L_ITIMER_PROF = 2,
    L_SIGEV_SIGNAL = 0,
    L_SIGEV_NONE = 1,
    L_SIGEV_THREAD_ID = 4,
};

enum {
    L_CLOCK_REALTIME = 0,
    L_CLOCK_MONOTONIC = 1,
    L_CLOCK_PROCESS_CPUTIME = 2,
    L_CLOCK_THREAD_CPUTIME = 3,
    L_CLOCK_MONOTONIC_RAW = 4,
    L_CLOCK_REALTIME_COARSE = 5,
    L_CLOCK_MONOTONIC_COARSE = 6,
    L_CLOCK_BOOTTIME = 7,
    L_CLOCK_TAI = 11,
    L_TIMER_ABSTIME = 1,
};

/* ---- Signals --------------------------------------------------------------------------------- */

enum {
    L_SIGHUP = 1,
    L_SIGINT = 2,
    L_SIGQUIT = 3,
    L_SIGILL = 4,
    L_SIGTRAP = 5,
    L_SIGABRT = 6,
    L_SIGBUS = 7,
    L_SIGFPE = 8,
    L_SIGKILL = 9,
    L_SIGSEGV = 11,
    L_SIGPIPE = 13,
    L_SIGALRM = 14,
    L_SIGCHLD = 17,
    L_SIGCONT = 18,
    L_SIGSTOP = 19,
    L_SIGTSTP = 20,
    L_SIGTTIN = 21,
    L_SIGTTOU = 22,
    L_SIGURG = 23,
    L_SIGXCPU = 24,
    L_SIGXFSZ = 25,
    L_SIGWINCH = 28,
    L_SIGSYS = 31,
    L_SIGRTMIN = 32,
    L_SIGNAL_MAX = 64,

    L_SIG_BLOCK = 0,
    L_SIG_UNBLOCK = 1,
    L_SIG_SETMASK = 2,

    L_SS_ONSTACK = 1,
    L_SS_DISABLE = 2,
    L_MINSIGSTKSZ = 2048,
};
#define L_SIG_DFL UINT64_C(0)
#define L_SIG_IGN UINT64_C(1)

#define L_SA_SIGINFO    UINT64_C(0x00000004)
#define L_SA_RESTORER   UINT64_C(0x04000000)
#define L_SA_ONSTACK    UINT64_C(0x08000000)
#define L_SA_RESTART    UINT64_C(0x10000000)
#define L_SA_NODEFER    UINT64_C(0x40000000)
#define L_SA_RESETHAND  UINT64_C(0x80000000)
#define L_SA_KNOWN      UINT64_C(0xdc000007)
#define L_SS_AUTODISARM (UINT32_C(1) << 31)

enum {
    L_SI_USER = 0,
    L_SI_KERNEL = 0x80,
    L_SI_QUEUE = -1,
    L_SI_TIMER = -2,
    L_SI_TKILL = -6,
    L_ILL_ILLOPN = 2,
    L_FPE_INTDIV = 1,
    L_FPE_FLTDIV = 3,
    L_FPE_FLTOVF = 4,
    L_FPE_FLTUND = 5,
    L_FPE_FLTRES = 6,
    L_FPE_FLTINV = 7,
    L_SEGV_MAPERR = 1,
    L_SEGV_ACCERR = 2,
    L_BUS_ADRALN = 1,
    L_BUS_ADRERR = 2,
    L_TRAP_TRACE = 2,
};

struct linux_siginfo {
    int32_t signal;
    int32_t error;
    int32_t code;
    int32_t reserved;
    union {
        struct {
            uint32_t pid, uid;
            uint64_t value;
        };
        uint64_t address;
        uint64_t words[14];
    };
};

struct linux_sigaction {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct linux_stack {
    uint64_t start;
    uint32_t flags;
    uint32_t reserved;
    uint64_t size_bytes;
};

struct linux_sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
    uint64_t rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trap, old_mask, address;
    uint64_t vector; /* address of the vector state, 0: none */
    uint64_t reserved[8];
};

struct linux_ucontext {
    uint64_t flags;
    uint64_t link;
    struct linux_stack stack;
    struct linux_sigcontext context;
    uint64_t mask;
};
#define L_UC_XSTATE 1 /* the vector state is in XSAVE's format */
#define L_UC_SS     6 /* ss is there, and is to be restored as it stands */

struct linux_signal_frame {
    uint64_t return_address;
    struct linux_ucontext ucontext;
    struct linux_siginfo info;
};

/* In bytes 464 to 511 of the vector state: that it goes on behind FXSAVE's part, and how. */
struct linux_vector_mark {
    uint32_t magic;
    uint32_t size_bytes; /* with the end mark */
    uint64_t mask;
    uint32_t state_bytes;
    uint32_t reserved[7];
};
#define L_VECTOR_MARK_AT 464
#define L_VECTOR_MAGIC   UINT32_C(0x46505853)
#define L_VECTOR_END     UINT32_C(0x46505845) /* behind the state */

/* ---- Files ----------------------------------------------------------------------------------- */

struct linux_iovec {
    uint64_t address;
    uint64_t size_bytes;
};
#define L_IOV_MAX 1024
#define L_RW_MAX  UINT64_C(0x7ffff000)

struct linux_stat {
    uint64_t device, inode, links;
    uint32_t mode, uid, gid, reserved0;
    uint64_t special;
    int64_t size_bytes, block_bytes, blocks;
    struct linux_timespec accessed, modified, changed;
    int64_t reserved[3];
};

struct linux_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};
struct linux_statx {
    uint32_t mask, block_bytes;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, reserved0;
    uint64_t inode, size_bytes, blocks, attributes_mask;
    struct linux_statx_time accessed, created, changed, modified;
    uint32_t special_major, special_minor, device_major, device_minor;
    uint64_t reserved[14];
};
#define L_STATX_BASIC UINT32_C(0x7ff)

enum {
    L_S_IFIFO = 0010000,
    L_S_IFCHR = 0020000,
    L_AT_EMPTY_PATH = 0x1000,
    L_AT_FDCWD = -100,
    L_O_RDONLY = 0,
    L_O_WRONLY = 1,
    L_O_RDWR = 2,
    L_O_APPEND = 02000,
    L_O_NONBLOCK = 04000,
    L_O_CLOEXEC = 02000000,
    L_F_DUPFD = 0,
    L_F_GETFD = 1,
    L_F_SETFD = 2,
    L_F_GETFL = 3,
    L_F_SETFL = 4,
    L_F_DUPFD_CLOEXEC = 1030,
    L_FD_CLOEXEC = 1,
    L_TCGETS = 0x5401,
    L_TIOCGWINSZ = 0x5413,
    L_FIONBIO = 0x5421,
    L_FIONCLEX = 0x5450,
    L_FIOCLEX = 0x5451,
    L_POLLIN = 1,
    L_POLLOUT = 4,
    L_POLLERR = 8,
    L_POLLHUP = 16,
    L_POLLNVAL = 32,
    L_POLLRDNORM = 64,
    L_POLLWRNORM = 256,
};

struct linux_pollfd {
    int32_t fd;
    int16_t events;
    int16_t seen;
};

struct linux_winsize {
    uint16_t rows, columns, width, height;
};

/* What TCGETS fills in: the kernel's struct termios. */
struct linux_termios {
    uint32_t input, output, control, local;
    uint8_t line;
    uint8_t characters[19];
};

#define L_FD_SETSIZE 1024
struct linux_fd_set {
    uint64_t words[L_FD_SETSIZE / 64];
};
struct linux_pselect_mask {
    uint64_t mask, size_bytes;
};
enum { L_CLOSE_RANGE_UNSHARE = 2, L_CLOSE_RANGE_CLOEXEC = 4 };
enum { L_MS_ASYNC = 1, L_MS_INVALIDATE = 2, L_MS_SYNC = 4 };

/* ---- The rest -------------------------------------------------------------------------------- */

struct linux_rlimit {
    uint64_t current, maximum;
};
#define L_RLIM_INFINITY UINT64_MAX
enum {
    L_RLIMIT_STACK = 3,
    L_RLIMIT_CORE = 4,
    L_RLIMIT_NPROC = 6,
    L_RLIMIT_NOFILE = 7,
    L_RLIMIT_MEMLOCK = 8,
    L_RLIMIT_SIGPENDING = 11,
    L_RLIMIT_MSGQUEUE = 12,
    L_RLIMIT_NICE = 13,
    L_RLIMIT_RTPRIO = 14,
    L_RLIMIT_COUNT = 16,
};

struct linux_rusage {
    struct linux_timeval user, system;
    int64_t max_resident, shared, data, stack;
    int64_t minor_faults, major_faults, swaps, blocks_in, blocks_out;
    int64_t messages_sent, messages_received, signals, voluntary, involuntary;
};
enum { L_RUSAGE_SELF = 0, L_RUSAGE_CHILDREN = -1, L_RUSAGE_THREAD = 1 };

struct linux_utsname {
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

struct linux_sysinfo {
    int64_t uptime;
    uint64_t loads[3];
    uint64_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    uint16_t processes, reserved0;
    uint32_t reserved1;
    uint64_t total_high, free_high;
    uint32_t unit_bytes, reserved2;
};

enum {
    L_ARCH_SET_GS = 0x1001,
    L_ARCH_SET_FS = 0x1002,
    L_ARCH_GET_FS = 0x1003,
    L_ARCH_GET_GS = 0x1004,
    L_PR_GET_DUMPABLE = 3,
    L_PR_SET_NAME = 15,
    L_PR_GET_NAME = 16,
    L_PR_SET_NO_NEW_PRIVS = 38,
    L_PR_GET_NO_NEW_PRIVS = 39,
    L_GRND_KNOWN = 7, /* NONBLOCK, RANDOM, INSECURE: all the same here */
};

_Static_assert(sizeof(struct linux_siginfo) == 128, "Linux's");
_Static_assert(sizeof(struct linux_sigcontext) == 256, "Linux's");
_Static_assert(sizeof(struct linux_ucontext) == 304, "Linux's");
_Static_assert(sizeof(struct linux_signal_frame) == 440, "Linux's");
_Static_assert(sizeof(struct linux_vector_mark) == 48, "Linux's");
_Static_assert(sizeof(struct linux_stat) == 144, "Linux's");
_Static_assert(sizeof(struct linux_statx) == 256, "Linux's");
_Static_assert(sizeof(struct linux_termios) == 36, "Linux's");
_Static_assert(sizeof(struct linux_rusage) == 144, "Linux's");
_Static_assert(sizeof(struct linux_utsname) == 390, "Linux's");
_Static_assert(sizeof(struct linux_sysinfo) == 112, "Linux's");
_Static_assert(sizeof(struct linux_sigevent) == 64, "Linux's");
_Static_assert(sizeof(struct linux_clone_args) == 88, "Linux's");
