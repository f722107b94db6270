/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

/* Tells that PROGRAM did not start. */
static bool refuse(const struct fake *fake, uint64_t how, uint64_t error, const char *text) {
    fake_send(fake, AX_RUN_ENDED, (uint64_t[RUN_WORDS]){how, error}, text, strlen(text));
    return false;
}

/* On PATH, which here is /bin. */
static bool lookup(const struct fake *fake, const char *name, struct cpio_entry *entry,
                   const void **content) {
    char path[4096] = "/bin/";
    if (strlen(name) > 4000)
        return false;
    memcpy(strchr(name, '/') != NULL ? path : path + 5, name, strlen(name) + 1);
    return fake_find(fake, path, entry, content);
}

static char **list_make(struct run_strings strings, const char *more) {
    char **list = calloc((size_t)strings.count + 2, sizeof(*list));
    if (list == NULL)
        fake_fail("no memory");
    unsigned count = 0;
    for (; count < strings.count; strings.first = run_string_next(strings.first))
        list[count++] = (char *)strings.first;
    if (more != NULL)
        list[count] = (char *)more;
    return list;
}

/* The slave's side; the master's is kept. */
static int terminal_make(struct fake *fake) {
    struct winsize size = {.ws_col = (uint16_t)fake->request.columns,
                           .ws_row = (uint16_t)fake->request.rows};
    fake->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fake->terminal < 0 || grantpt(fake->terminal) != 0 || unlockpt(fake->terminal) != 0 ||
        ioctl(fake->terminal, TIOCSWINSZ, &size) != 0)
        fake_fail("no terminal");
    fake_send(fake, AX_RUN_TERMINAL, (uint64_t[RUN_WORDS]){AX_RUN_TERMINAL_LINES}, "", 0);
    while (!fake->is_terminal_ready)
        control_read(fake);
    return open(ptsname(fake->terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static _Noreturn void program_become(const struct fake *fake, int file, int slave, int report) {
    static const uint32_t flags[] = {AX_RUN_TERMINAL_IN, AX_RUN_TERMINAL_OUT,
                                     AX_RUN_TERMINAL_ERROR};
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    if (slave >= 0)
        ioctl(slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++)
        dup2((fake->request.flags & flags[fd]) != 0 ? slave : fake->ports[fd], fd);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTTOU, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    fexecve(file, list_make(fake->request.arguments, NULL),
            list_make(fake->request.environment, "PATH=/bin"));
    int error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(1);
    _exit(0);
}

bool program_start(struct fake *fake) {
    struct cpio_entry entry;
    const void *content;
    int report[2], error = 0;
    const char *name = fake->request.arguments.count == 0 ? "sh" : fake->request.arguments.first;
    if (!lookup(fake, name, &entry, &content))
        return refuse(fake, AX_RUN_END_NOT_FOUND, 0, "");
    if ((entry.mode & CPIO_TYPE_MASK) != CPIO_FILE || (entry.mode & 0111) == 0)
        return refuse(fake, AX_RUN_END_NOT_EXECUTABLE, EACCES, "");
    if (fake->request.directory[0] != '\0' && chdir(fake->request.directory) != 0)
        return refuse(fake, AX_RUN_END_UNSTARTED, (uint64_t)errno, "");
    int file = memfd_create("program", MFD_CLOEXEC);
    if (file < 0 || write(file, content, entry.size_bytes) != (ssize_t)entry.size_bytes ||
        pipe2(report, O_CLOEXEC) != 0)
        fake_fail("no memory for the program");
    uint32_t terminals =
        fake->request.flags & (AX_RUN_TERMINAL_IN | AX_RUN_TERMINAL_OUT | AX_RUN_TERMINAL_ERROR);
    int slave = terminals != 0 ? terminal_make(fake) : -1;
    fake->program = fork();
    if (fake->program < 0)
        fake_fail("no process for the program");
    if (fake->program == 0)
        program_become(fake, file, slave, report[1]);
    close(report[1]);
    close(file);
    if (slave >= 0)
        close(slave);
    if (read(report[0], &error, sizeof(error)) > 0) {
        fake->program = 0;
        return refuse(fake, AX_RUN_END_NOT_EXECUTABLE, (uint64_t)error, "");
    }
    close(report[0]);
    return true;
}
