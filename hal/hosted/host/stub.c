/* SPDX-License-Identifier: MIT */
/* Stubs and the zygote, as Linux processes. */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As stub/layout.h has them. */
enum { FD_MEMORY = 3, FD_REPORT = 4, FD_NUMBER = 5, FD_ZYGOTE = 6, FD_ABOVE = 16 };

#define REPORT_DONE UINT64_C(1)
#define REPORT_DEAD (UINT64_C(1) << 48)
#define PREEMPTION  SIGUSR1

static int number_fd = -1, zygote_fd = -1, zygote_pid = -1;

/* ---- The zygote ------------------------------------------------------------------------------ */

static int program_load(const void *program, size_t size_bytes) {
    int fd = memfd_create("axolotl-zygote", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (write(fd, program, size_bytes) == (ssize_t)size_bytes)
        return fd;
    close(fd);
    return -1;
}

/* Puts descriptors where a stub has them. All are above these numbers, so that none is lost. */
static bool descriptors_place(int socket) {
    return dup2(host_memory_fd, FD_MEMORY) >= 0 && dup2(number_fd, FD_NUMBER) >= 0 &&
           dup2(socket, FD_ZYGOTE) >= 0 && dup2(number_fd, FD_REPORT) >= 0;
}

/* The child, until it becomes the zygote. */
static _Noreturn void zygote_become(int program, int socket) {
    char *const nothing[] = {NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    personality(ADDR_NO_RANDOMIZE); /* if it may: it only makes what the host maps predictable */
    if (descriptors_place(socket)) {
        syscall(SYS_close_range, 0, FD_MEMORY - 1, 0);
        syscall(SYS_close_range, FD_ZYGOTE + 1, program - 1, 0);
        syscall(SYS_close_range, program + 1, ~0U, 0);
        fexecve(program, nothing, nothing);
    }
    _exit(79);
}

/* A descriptor that is out of the way of those that are placed. */
static int descriptor_raise(int fd) {
    if (fd < 0)
        return -1;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
    close(fd);
    return raised;
}

/* As many descriptors as may be had: each stub takes one. */
static void limit_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

bool host_zygote_start(const void *program, size_t size_bytes) {
    limit_raise();
    int pair[2], image = descriptor_raise(program_load(program, size_bytes));
    host_memory_fd = descriptor_raise(host_memory_fd);
    number_fd = descriptor_raise(memfd_create("axolotl-numbers", MFD_CLOEXEC));
    if (image < 0 || number_fd < 0 || host_memory_fd < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    pair[0] = descriptor_raise(pair[0]);
    pair[1] = descriptor_raise(pair[1]);
    zygote_pid = fork();
    if (zygote_pid == 0)
        zygote_become(image, pair[1]);
    close(image);
    close(pair[1]);
    zygote_fd = pair[0];
    return zygote_pid > 0;
}

int host_child_status(int pid) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return 0;
    return info.si_code == CLD_EXITED ? info.si_status : 0;
}

bool host_child_is_zygote(int pid) {
    return pid == zygote_pid;
}

/* ---- Making and ending ----------------------------------------------------------------------- */

static bool request_send(uint64_t orders_offset, int report) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {&orders_offset, sizeof(orders_offset)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &report, sizeof(report));
    return sendmsg(zygote_fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(orders_offset);
}

/* The front end knows such complaints by their beginning (tools/run/log.c). The first time; whoever
 * wanted it may do without. */
static bool stub_missing(int error) {
    static bool is_told;
    errno = error;
    if (!is_told)
        dprintf(STDERR_FILENO, "axolotl: the host refuses a process for an address space: %s\n",
                host_error_text());
    is_told = true;
    return false;
}

bool host_stub_make(uint64_t orders_offset, struct host_stub *stub) {
    int64_t pid = -EPIPE;
    stub->report = eventfd(0, EFD_CLOEXEC);
    if (stub->report < 0)
        return stub_missing(errno);
    if (request_send(orders_offset, stub->report) &&
        recv(zygote_fd, &pid, sizeof(pid), 0) == (ssize_t)sizeof(pid) && pid > 0) {
        stub->pid = (int)pid;
        return true;
    }
    close(stub->report);
    /* Where the zygote has gone the watch says so, and ends the machine. */
    return pid != -EPIPE && stub_missing((int)-pid);
}

void host_stub_kill(const struct host_stub *stub) {
    kill(stub->pid, SIGKILL);
}

void host_stub_preempt(const struct host_stub *stub, int tid) {
    syscall(SYS_tgkill, stub->pid, tid, PREEMPTION);
}

void host_stub_close(const struct host_stub *stub) {
    close(stub->report);
}

void host_child_watch(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* A child that has ended, or 0. */
static int child_find(void) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) != 0 && errno != EINTR)
        host_fail("waiting for stubs: %s", strerror(errno));
    return info.si_pid;
}

int host_child_await(uint64_t deadline_ns) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (;;) {
        int pid = child_find();
        uint64_t now_ns = host_time_ns();
        if (pid != 0 || now_ns >= deadline_ns)
            return pid;
        uint64_t left_ns = deadline_ns - now_ns;
        struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000U),
                                .tv_nsec = (long)(left_ns % 1000000000U)};
        sigtimedwait(&set, NULL, &left);
    }
}

void host_child_reap(int pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- Reports --------------------------------------------------------------------------------- */

void host_stub_refused(void) {
    static _Atomic bool is_told;
    if (!atomic_exchange(&is_told, true))
        dprintf(STDERR_FILENO, "axolotl: the host refuses more threads or mappings for a process, "
                               "which was ended (ulimit -u, vm.max_map_count)\n");
}

enum host_report host_report_wait(const struct host_stub *stub) {
    uint64_t value;
    while (read(stub->report, &value, sizeof(value)) != (ssize_t)sizeof(value)) {
        if (errno != EINTR)
            host_fail("reading a mapper's report: %s", strerror(errno));
    }
    if (value >= REPORT_DEAD)
        return HOST_REPORT_DEAD;
    return value == REPORT_DONE ? HOST_REPORT_DONE : HOST_REPORT_FAILED;
}

enum host_report host_report_look(const struct host_stub *stub) {
    struct pollfd report = {.fd = stub->report, .events = POLLIN};
    return poll(&report, 1, 0) == 1 ? host_report_wait(stub) : HOST_REPORT_NONE;
}

void host_report_death(const struct host_stub *stub) {
    uint64_t value = REPORT_DEAD;
    if (write(stub->report, &value, sizeof(value)) != (ssize_t)sizeof(value))
        host_fail("telling of a stub's death: %s", strerror(errno));
}

int64_t host_number_read(void) {
    return lseek(number_fd, 0, SEEK_CUR);
}

/* ---- Watching -------------------------------------------------------------------------------- */

/* The clock of another process's CPU time (clock_getcpuclockid(3), without its system call). */
uint64_t host_stub_cpu_ns(const struct host_stub *stub) {
    clockid_t clock = (clockid_t)(~(unsigned)stub->pid << 3 | 2);
    struct timespec used = {0};
    if (clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
}

unsigned host_stub_threads(const struct host_stub *stub) {
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%d/task", stub->pid);
    return stat(path, &status) == 0 && status.st_nlink >= 2 ? (unsigned)status.st_nlink - 2 : 0;
}

/* What stands behind the key in the text of /proc/PID/status (proc(5)); 0: nothing. */
static char status_find(const char *text, const char *key) {
    const char *found = strstr(text, key);
    return found != NULL ? found[strlen(key)] : 0;
}

bool host_stub_is_held(const struct host_stub *stub) {
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/status", stub->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = 0;
    char tracer = status_find(text, "\nTracerPid:\t"), state = status_find(text, "\nState:\t");
    return (tracer != 0 && tracer != '0') || state == 'T' || state == 't';
}
