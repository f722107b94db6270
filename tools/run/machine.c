/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "terminal.h"

/* The kernel process's descriptors, once they are in their places. */
enum {
    FD_COMPLAINTS = 2,
    FD_ROOT = 3,
    FD_IMAGE,
    FD_RUN,
    FD_STDIN,
    FD_STDOUT,
    FD_STDERR,
    FD_CONTROL,
    FD_LOG,
    FD_TRACE,
    FD_ABOVE = 32,
    FD_NEEDED = 64,
};

#define ARGUMENTS_MAX 32

/* Its ends of everything, here, all of them from FD_ABOVE on. */
struct ends {
    int root, image, run, input, output, error, control, log, complaints, trace;
};

#define ENDS_COUNT (sizeof(struct ends) / sizeof(int))

static struct children strangers;

/* Each of the machine's processes needs some, so that all there may be are asked for. */
static bool limits_raise(struct failure *failure) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    if (limit.rlim_max < FD_NEEDED)
        return fail(failure, "the limit of open files is %llu, at least %d are needed: ulimit -n",
                    (unsigned long long)limit.rlim_max, FD_NEEDED);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return true;
}

bool machine_prepare(struct failure *failure) {
    children_list(getpid(), &strangers);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return limits_raise(failure);
}

/* ---- The child ------------------------------------------------------------------------------- */

struct arguments {
    const char *list[ARGUMENTS_MAX];
    char cpus[24], memory[24], seed[24];
};

static void arguments_make(const struct options *options, bool has_trace,
                           struct arguments *arguments) {
    unsigned count = 0;
    const char *const fixed[] = {
        options->kernel, "--root", "fd:3",         "--image",    "fd:4",
        "--image",       "fd:5",   "--port",       "stdin=6:in", "--port",
        "stdout=7:out",  "--port", "stderr=8:out", "--port",     "control=9:inout",
        "--log",         "10",
    };
    for (; count < sizeof(fixed) / sizeof(fixed[0]); count++)
        arguments->list[count] = fixed[count];
    snprintf(arguments->cpus, sizeof(arguments->cpus), "%u", options->cpu_count);
    snprintf(arguments->memory, sizeof(arguments->memory), "%" PRIu64 "K",
             options->memory_bytes >> 10);
    snprintf(arguments->seed, sizeof(arguments->seed), "%" PRIu64, options->seed);
    arguments->list[count++] = "--cpus";
    arguments->list[count++] = arguments->cpus;
    arguments->list[count++] = "--memory";
    arguments->list[count++] = arguments->memory;
    if (options->has_seed) {
        arguments->list[count++] = "--seed";
        arguments->list[count++] = arguments->seed;
    }
    if (has_trace) {
        arguments->list[count++] = "--trace";
        arguments->list[count++] = "11";
    }
    arguments->list[count] = NULL;
}

/* All of them are above these numbers, so that none is lost. */
static bool ends_place(const struct ends *ends) {
    int nothing = open("/dev/null", O_RDONLY);
    return nothing >= 0 && dup2(nothing, 0) == 0 && dup2(ends->complaints, 1) == 1 &&
           dup2(ends->complaints, FD_COMPLAINTS) == FD_COMPLAINTS &&
           dup2(ends->log, FD_LOG) == FD_LOG && dup2(ends->root, FD_ROOT) == FD_ROOT &&
           dup2(ends->image, FD_IMAGE) == FD_IMAGE && dup2(ends->run, FD_RUN) == FD_RUN &&
           dup2(ends->input, FD_STDIN) == FD_STDIN && dup2(ends->output, FD_STDOUT) == FD_STDOUT &&
           dup2(ends->error, FD_STDERR) == FD_STDERR &&
           dup2(ends->control, FD_CONTROL) == FD_CONTROL &&
           (ends->trace < 0 || dup2(ends->trace, FD_TRACE) == FD_TRACE) &&
           syscall(SYS_close_range, ends->trace < 0 ? FD_TRACE : FD_TRACE + 1, FD_ABOVE - 1, 0) ==
               0;
}

/* A group of its own keeps the terminal's signals away from it. It may write to the terminal from
 * there even if that is forbidden to others (stty tostop). */
static _Noreturn void kernel_become(const char *const *arguments, const struct ends *ends,
                                    pid_t parent, int report) {
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (getppid() == parent && ends_place(ends) &&
        syscall(SYS_close_range, FD_ABOVE, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        execv(arguments[0], (char *const *)arguments);
    int error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(125);
}

/* ---- Starting it ----------------------------------------------------------------------------- */

/* The same, out of the way of those that are placed; -1 stays. */
static int raised(int fd) {
    if (fd < 0)
        return -1;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
    close(fd);
    return above;
}

static bool file_open(const char *path, int *fd, struct failure *failure) {
    *fd = raised(open(path, O_RDONLY | O_CLOEXEC));
    if (*fd < 0)
        return fail(failure, "%s cannot be opened: %s", path, strerror(errno));
    struct stat about;
    if (fstat(*fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == 0)
        return fail(failure, "%s is empty: build it again", path);
    return true;
}

static void ends_close(const struct ends *ends) {
    int all[ENDS_COUNT];
    memcpy(all, ends, sizeof(all));
    for (size_t i = 0; i < ENDS_COUNT; i++) {
        if (all[i] >= 0)
            close(all[i]);
    }
}

/* A copy of a standard stream, which must be open that way. */
static int stream_copy(int fd, int forbidden, const char *name, const char *what,
                       struct failure *failure) {
    int flags = fcntl(fd, F_GETFL);
    int copy = flags >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE) : -1;
    if (copy < 0)
        fail(failure, "%s cannot be used: %s", name, strerror(errno));
    else if ((flags & O_ACCMODE) == forbidden) {
        fail(failure, "%s is not open for %s", name, what);
        close(copy);
        copy = -1;
    }
    return copy;
}

/* A pipe that is read here, without waiting. */
static bool voice_make(int *reads, int *writes) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) != 0)
        return false;
    *reads = pair[0];
    *writes = raised(pair[1]);
    return *writes >= 0 && fcntl(*reads, F_SETFL, O_NONBLOCK) == 0;
}

static bool streams_make(struct machine *machine, struct ends *ends, struct failure *failure) {
    int control[2], keys[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
        return fail(failure, "no channel to the machine can be had: %s", strerror(errno));
    machine->control = control[0];
    ends->control = raised(control[1]);
    if (ends->control < 0 || !voice_make(&machine->log, &ends->log) ||
        !voice_make(&machine->complaints, &ends->complaints))
        return fail(failure, "no channel to the machine can be had: %s", strerror(errno));
    ends->output = stream_copy(STDOUT_FILENO, O_RDONLY, "stdout", "writing", failure);
    ends->error = stream_copy(STDERR_FILENO, O_RDONLY, "stderr", "writing", failure);
    if (!terminal_exists()) {
        ends->input = stream_copy(STDIN_FILENO, O_WRONLY, "stdin", "reading", failure);
    } else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, keys) != 0) {
        return fail(failure, "no channel to the machine can be had: %s", strerror(errno));
    } else {
        ends->input = raised(keys[1]);
        machine->keys = keys[0];
    }
    return ends->input >= 0 && ends->output >= 0 && ends->error >= 0;
}

/* Whether the child has become the kernel; if not, why. */
static bool start_await(struct machine *machine, int report, const char *kernel,
                        struct failure *failure) {
    int error = 0;
    ssize_t count;
    while ((count = read(report, &error, sizeof(error))) < 0 && errno == EINTR)
        continue;
    if (count == 0)
        return true;
    waitpid(machine->pid, &machine->wait_status, 0);
    machine->pid = 0;
    return fail(failure, "%s cannot be started: %s", kernel, strerror(error));
}

/* What this program keeps of a stream would keep the other side from seeing its end. */
static void streams_leave(void) {
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0)
        return;
    if (!terminal_exists())
        dup2(nothing, STDIN_FILENO);
    if (isatty(STDOUT_FILENO) != 1)
        dup2(nothing, STDOUT_FILENO);
    if (nothing > STDERR_FILENO)
        close(nothing);
}

bool machine_start(struct machine *machine, const struct options *options, int run, int trace,
                   struct failure *failure) {
    struct arguments arguments;
    struct ends ends = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    int report[2] = {-1, -1};
    bool is_started = false;
    *machine = (struct machine){.control = -1, .log = -1, .complaints = -1, .keys = -1};
    ends.run = raised(run);
    ends.trace = trace < 0 ? -1 : fcntl(trace, F_DUPFD_CLOEXEC, FD_ABOVE);
    arguments_make(options, trace >= 0, &arguments);
    if (!file_open(options->root, &ends.root, failure) ||
        !file_open(options->image, &ends.image, failure) || !streams_make(machine, &ends, failure))
        goto out;
    if (pipe2(report, O_CLOEXEC) != 0) {
        fail(failure, "no channel to the machine can be had: %s", strerror(errno));
        goto out;
    }
    report[1] = raised(report[1]);
    pid_t parent = getpid();
    machine->pid = fork();
    if (machine->pid == 0)
        kernel_become(arguments.list, &ends, parent, report[1]);
    close(report[1]);
    if (machine->pid < 0)
        fail(failure, "no process for the machine can be had: %s (ulimit -u)", strerror(errno));
    else
        is_started = start_await(machine, report[0], options->kernel, failure);
    close(report[0]);
out:
    ends_close(&ends);
    if (is_started)
        streams_leave();
    return is_started;
}

/* ---- Afterwards ------------------------------------------------------------------------------ */

void machine_kill(const struct machine *machine) {
    if (machine->pid > 0)
        kill(machine->pid, SIGKILL);
}

/* The kernel process first, so that it makes no more of them. */
void machine_freeze(const struct machine *machine) {
    struct children children;
    if (machine->pid <= 0)
        return;
    kill(machine->pid, SIGSTOP);
    children_list(machine->pid, &children);
    children_signal(&children, SIGSTOP);
}

void machine_thaw(const struct machine *machine) {
    struct children children;
    if (machine->pid <= 0)
        return;
    children_list(machine->pid, &children);
    children_signal(&children, SIGCONT);
    kill(machine->pid, SIGCONT);
}

bool machine_has_ended(struct machine *machine) {
    if (machine->pid > 0 && waitpid(machine->pid, &machine->wait_status, WNOHANG) == machine->pid)
        machine->pid = 0;
    return machine->pid == 0;
}

void machine_clean(void) {
    struct children left;
    do {
        children_list(getpid(), &left);
        children_drop(&left, &strangers);
        children_signal(&left, SIGKILL);
    } while (children_await(&left));
}
