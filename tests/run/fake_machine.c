/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PATIENCE_SECONDS 2

static int signals = -1, timer = -1;

void fake_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    dprintf(STDERR_FILENO, "axolotl: ");
    vdprintf(STDERR_FILENO, format, arguments);
    dprintf(STDERR_FILENO, "\n");
    va_end(arguments);
    _exit(125);
}

bool fake_has(const struct fake *fake, const char *fault, const char **more) {
    size_t length = strlen(fault);
    bool has = strncmp(fake->fault, fault, length) == 0 &&
               (fake->fault[length] == ':' || fake->fault[length] == '\0');
    if (has && more != NULL)
        *more = fake->fault + length + (fake->fault[length] == ':');
    return has;
}

static bool put(int fd, const char *bytes, size_t size) {
    while (size != 0) {
        ssize_t count = write(fd, bytes, size);
        if (count < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        }
    }
    return true;
}

void fake_send(const struct fake *fake, uint32_t kind, const uint64_t words[RUN_WORDS],
               const char *text, size_t length) {
    static char bytes[RUN_MESSAGE_MAX];
    struct run_message message = {.kind = kind, .text = text, .text_length = length};
    memcpy(message.words, words, sizeof(message.words));
    size_t size = run_message_write(&message, bytes);
    if (!put(fake->ports[PORT_CONTROL], bytes, size))
        fake_fail("nobody is there");
}

bool fake_find(const struct fake *fake, const char *path, struct cpio_entry *entry,
               const void **content) {
    for (unsigned i = fake->image_count; i-- > 0;) {
        if (cpio_find(&fake->images[i], path, strlen(path), entry) == CPIO_OK) {
            *content = cpio_content(&fake->images[i], entry);
            return true;
        }
    }
    return false;
}

/* ---- Options --------------------------------------------------------------------------------- */

static struct cpio_archive file_load(const char *path) {
    struct stat status;
    int fd = strncmp(path, "fd:", 3) == 0 ? atoi(path + 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        fake_fail("%s: %s", path, strerror(errno));
    if (status.st_size == 0)
        fake_fail("%s is empty", path);
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        fake_fail("%s: %s", path, strerror(errno));
    close(fd);
    return (struct cpio_archive){bytes, (size_t)status.st_size};
}

static void port_open(struct fake *fake, const char *text) {
    static const char *const names[PORT_COUNT] = {"stdin=", "stdout=", "stderr=", "control="};
    for (unsigned i = 0; i < PORT_COUNT; i++) {
        if (strncmp(text, names[i], strlen(names[i])) == 0) {
            fake->ports[i] = atoi(text + strlen(names[i]));
            return;
        }
    }
    fake_fail("port %s", text);
}

static void options_read(struct fake *fake, int argc, char **argv) {
    static const struct option names[] = {
        {"root", required_argument, NULL, 'r'},    {"image", required_argument, NULL, 'i'},
        {"cpus", required_argument, NULL, 'c'},    {"memory", required_argument, NULL, 'm'},
        {"port", required_argument, NULL, 'p'},    {"log", required_argument, NULL, 'l'},
        {"command", required_argument, NULL, 't'}, {"seed", required_argument, NULL, 's'},
        {"trace", required_argument, NULL, 'a'},   {0},
    };
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'r': file_load(optarg); break;
        case 'i': fake->images[fake->image_count++] = file_load(optarg); break;
        case 'c': fake->cpus = (unsigned)atoi(optarg); break;
        case 'm': fake->memory_bytes = strtoull(optarg, NULL, 10) << 10; break;
        case 'p': port_open(fake, optarg); break;
        case 's': fake->seed = optarg; break;
        case 't': fake->command = optarg; break;
        case 'a': fake->trace = atoi(optarg); break;
        case 'l': fake->log = atoi(optarg); break;
        default: exit(125);
        }
    }
}

static void request_load(struct fake *fake) {
    struct cpio_entry entry;
    const void *content;
    if (!fake_find(fake, AX_RUN_REQUEST_PATH, &entry, &content))
        fake_fail("there is no request");
    enum run_error error = run_request_read(content, entry.size_bytes, &fake->request);
    if (error != RUN_OK)
        fake_fail("the request %s", run_error_text(error));
    /* Archives are whole pages, for the next to be aligned. */
    for (unsigned i = 0; i < fake->image_count; i++) {
        size_t offset;
        if (fake->images[i].size_bytes % 4096 != 0 ||
            cpio_check(&fake->images[i], &offset) != CPIO_OK)
            fake_fail("image %u is damaged", i);
    }
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

static void fault_early(const struct fake *fake) {
    const char *more;
    if (fake_has(fake, "complain", &more))
        fake_fail("%s", more);
    if (fake_has(fake, "log", &more))
        dprintf(fake->log, "%s\n", more);
    if (fake_has(fake, "warn", &more))
        dprintf(STDERR_FILENO, "axolotl: %s\n", more);
    if (fake_has(fake, "refuse", &more)) {
        dprintf(STDERR_FILENO, "axolotl: %s\n", more);
        for (;;)
            pause();
    }
    if (fake_has(fake, "flood", NULL)) {
        for (int i = 0; i < 20000; i++)
            dprintf(fake->log, "line %d of many\n", i);
    }
    if (fake_has(fake, "halt", &more)) {
        dprintf(fake->log, "supervisor: the manifest is damaged\n");
        _exit(atoi(more));
    }
    if (fake_has(fake, "mute", &more))
        _exit(atoi(more));
    if (fake_has(fake, "abort", NULL)) {
        for (int i = 0; i < 30; i++)
            dprintf(fake->log, "line %d\n", i);
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    if (fake_has(fake, "garbage", NULL))
        put(fake->ports[PORT_CONTROL], "\377\377\377\377\377\377\377\377", 8);
    if (fake_has(fake, "note", NULL))
        fake_send(fake, AX_RUN_NOTE, (uint64_t[RUN_WORDS]){0}, "unknown call 999: 3 times", 25);
    if (fake_has(fake, "describe", NULL))
        dprintf(fake->log, "cpus %u memory %llu seed %s\n", fake->cpus,
                (unsigned long long)fake->memory_bytes, fake->seed == NULL ? "-" : fake->seed);
    if (fake->trace >= 0)
        dprintf(fake->trace, "traced\n");
}

/* ---- The run --------------------------------------------------------------------------------- */

static void stop_take(struct fake *fake, uint64_t reason) {
    static const char report[] = "thread 1 of probe waits for a signal\n";
    if (fake_has(fake, "deaf", NULL))
        return;
    if (reason == AX_RUN_STOP_TIMEOUT)
        fake_send(fake, AX_RUN_REPORT, (uint64_t[RUN_WORDS]){1}, report, sizeof(report) - 1);
    if (fake->program <= 0)
        return;
    kill(fake->program, SIGTERM);
    kill(fake->program, SIGCONT);
    timerfd_settime(timer, 0, &(struct itimerspec){.it_value.tv_sec = PATIENCE_SECONDS}, NULL);
}

void control_read(struct fake *fake) {
    static char bytes[RUN_MESSAGE_MAX];
    static size_t size;
    struct run_message message;
    size_t taken;
    enum run_error error;
    ssize_t count = read(fake->ports[PORT_CONTROL], bytes + size, sizeof(bytes) - size);
    if (count <= 0)
        fake_fail("control: the front end is gone");
    size += (size_t)count;
    while ((error = run_message_read(bytes, size, RUN_FROM_OUTSIDE, &message, &taken)) == RUN_OK) {
        if (message.kind == AX_RUN_STOP)
            stop_take(fake, message.words[0]);
        else if (message.kind == AX_RUN_TERMINAL_READY)
            fake->is_terminal_ready = true;
        else if (fake->terminal >= 0)
            ioctl(fake->terminal, TIOCSWINSZ,
                  &(struct winsize){.ws_col = (uint16_t)message.words[0],
                                    .ws_row = (uint16_t)message.words[1]});
        size -= taken;
        memmove(bytes, bytes + taken, size);
    }
    if (error != RUN_MORE)
        fake_fail("control: a message %s", run_error_text(error));
}

/* Some bytes from one to the other. False: there are no more. */
static bool pass(int from, int to) {
    char bytes[4096];
    ssize_t count = read(from, bytes, sizeof(bytes));
    return count > 0 && put(to, bytes, (size_t)count);
}

/* Whether PROGRAM has ended, which it tells. */
static bool program_has_ended(const struct fake *fake) {
    struct signalfd_siginfo info;
    int status;
    if (read(signals, &info, sizeof(info)) < 0 || fake->program <= 0 ||
        waitpid(fake->program, &status, WNOHANG) != fake->program)
        return false;
    uint64_t words[RUN_WORDS] = {AX_RUN_END_EXIT, (uint64_t)WEXITSTATUS(status)};
    if (WIFSIGNALED(status)) {
        words[0] = AX_RUN_END_SIGNAL;
        words[1] = (uint64_t)WTERMSIG(status);
    }
    if (!fake_has(fake, "no-end", NULL))
        fake_send(fake, AX_RUN_ENDED, words, "", 0);
    return true;
}

/* What the terminal still has goes out; its slave's side is closed, so there is an end. */
static void terminal_drain(const struct fake *fake, int out) {
    while (fake->terminal >= 0 && pass(fake->terminal, out))
        continue;
}

static void program_attend(struct fake *fake) {
    bool has_input = (fake->request.flags & AX_RUN_TERMINAL_IN) != 0;
    int out = (fake->request.flags & AX_RUN_TERMINAL_OUT) != 0 ? fake->ports[PORT_STDOUT]
                                                               : fake->ports[PORT_STDERR];
    for (;;) {
        struct pollfd polls[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = fake->ports[PORT_CONTROL], .events = POLLIN},
            {.fd = timer, .events = POLLIN},
            {.fd = fake->terminal, .events = POLLIN},
            {.fd = has_input ? fake->ports[PORT_STDIN] : -1, .events = POLLIN},
        };
        if (poll(polls, sizeof(polls) / sizeof(polls[0]), -1) < 0)
            continue;
        if (polls[1].revents != 0)
            control_read(fake);
        if (polls[2].revents != 0) {
            uint64_t count;
            if (read(timer, &count, sizeof(count)) > 0)
                kill(fake->program, SIGKILL);
        }
        if (polls[3].revents != 0)
            pass(fake->terminal, out);
        if (polls[4].revents != 0)
            has_input = pass(fake->ports[PORT_STDIN], fake->terminal);
        if (polls[0].revents != 0 && program_has_ended(fake))
            break;
    }
    terminal_drain(fake, out);
}

/* Something that only the parent-death signal, or whoever adopts it, ends. */
static void child_make(void) {
    pid_t parent = getpid();
    if (fork() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    for (int fd = 0; fd < 64; fd++)
        close(fd);
    while (getppid() == parent)
        pause();
    _exit(0);
}

static void watches_make(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (signals < 0 || timer < 0)
        fake_fail("no descriptors");
}

int main(int argc, char **argv) {
    static struct fake fake = {.ports = {-1, -1, -1, -1}, .trace = -1, .log = -1, .terminal = -1};
    fake.fault = getenv("AX_FAKE") != NULL ? getenv("AX_FAKE") : "";
    options_read(&fake, argc, argv);
    request_load(&fake);
    watches_make();
    child_make();
    fault_early(&fake);
    fake_send(&fake, AX_RUN_READY, (uint64_t[RUN_WORDS]){AX_RUN_VERSION}, "", 0);
    const char *more;
    if (fake_has(&fake, "refuse-later", &more))
        dprintf(STDERR_FILENO, "axolotl: %s\n", more);
    if (fake_has(&fake, "hang", &more)) {
        dprintf(fake.log, "%s\n", *more != '\0' ? more : "hanging");
        for (;;)
            pause();
    }
    if (program_start(&fake))
        program_attend(&fake);
    for (int port = PORT_STDIN; port <= PORT_STDERR; port++)
        close(fake.ports[port]);
    files_send(&fake);
    fake_send(&fake, AX_RUN_DONE, (uint64_t[RUN_WORDS]){0}, "", 0);
    if (fake_has(&fake, "chatter", NULL))
        fake_send(&fake, AX_RUN_DONE, (uint64_t[RUN_WORDS]){0}, "", 0);
    while (fake_has(&fake, "linger", NULL))
        pause();
    return 0;
}
