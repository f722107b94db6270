/* SPDX-License-Identifier: MIT */
/*
 * A program that the tests of scripts/run run, on any machine: it tells what it finds, and does
 * what programs do to their streams. Usage: probe WHAT [ARGUMENT...]
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int arguments;
static char **argument;

static _Noreturn void wrong(const char *what) {
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(99);
}

/* False: nobody reads it. */
static bool put(int fd, const char *bytes, size_t size) {
    while (size != 0) {
        ssize_t count = write(fd, bytes, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EPIPE)
            return false;
        if (count < 0)
            wrong("write");
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

static void say(const char *text) {
    put(STDOUT_FILENO, text, strlen(text));
}

static long number(void) {
    return arguments > 0 ? strtol(argument[0], NULL, 10) : 0;
}

static void do_hello(void) {
    say("hello\n");
}

static void do_exit(void) {
    exit((int)number());
}

static void do_signal(void) {
    raise((int)number());
}

/* Everything from stdin to stdout. */
static void do_cat(void) {
    static char bytes[1 << 16];
    ssize_t count;
    while ((count = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
        if (count < 0 && errno != EINTR)
            wrong("read");
        if (count > 0 && !put(STDOUT_FILENO, bytes, (size_t)count))
            exit(98);
    }
}

static void do_yes(void) {
    while (put(STDOUT_FILENO, "y\n", 2))
        continue;
}

/* As yes, but tells of the broken pipe instead of dying of it. */
static void do_pipe(void) {
    signal(SIGPIPE, SIG_IGN);
    do_yes();
    put(STDERR_FILENO, "EPIPE\n", 6);
}

static void do_both(void) {
    put(STDOUT_FILENO, "to stdout\n", 10);
    put(STDERR_FILENO, "to stderr\n", 10);
}

static void do_arguments(void) {
    for (int i = 0; i < arguments; i++) {
        say(argument[i]);
        say("\n");
    }
}

static void do_environment(void) {
    for (char **variable = environ; *variable != NULL; variable++) {
        say(*variable);
        say("\n");
    }
}

/* The date, in nanoseconds since 1970, as the clock and as the older call tell it. */
static void do_date(void) {
    struct timespec now;
    struct timeval before;
    char text[64];
    if (gettimeofday(&before, NULL) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
        wrong("the clock");
    snprintf(text, sizeof(text), "%lld %lld\n",
             (long long)before.tv_sec * 1000000000 + before.tv_usec * 1000LL,
             (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    say(text);
}

static void do_directory(void) {
    char path[4096];
    say(getcwd(path, sizeof(path)) == NULL ? "?" : path);
    say("\n");
}

/* Which of 0, 1, 2 are terminals; on stderr if that is none, for it to be seen. */
static void do_terminals(void) {
    char text[32];
    snprintf(text, sizeof(text), "%d%d%d\n", isatty(0), isatty(1), isatty(2));
    put(arguments > 0 ? (int)number() : STDOUT_FILENO, text, strlen(text));
}

static void size_say(void) {
    struct winsize size;
    char text[32];
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0)
        wrong("TIOCGWINSZ");
    snprintf(text, sizeof(text), "%ux%u\n", size.ws_col, size.ws_row);
    say(text);
}

static void on_size(int signal) {
    (void)signal;
    size_say();
}

/* The terminal's size, and again whenever it changes. */
static void do_sizes(void) {
    signal(SIGWINCH, on_size);
    size_say();
    for (;;)
        pause();
}

/* The keys as they come, until a q. */
static void do_keys(void) {
    struct termios settings;
    char key = 0, text[8];
    if (tcgetattr(STDIN_FILENO, &settings) != 0)
        wrong("tcgetattr");
    cfmakeraw(&settings);
    if (tcsetattr(STDIN_FILENO, TCSANOW, &settings) != 0)
        wrong("tcsetattr");
    say("ready ");
    while (key != 'q' && read(STDIN_FILENO, &key, 1) == 1) {
        snprintf(text, sizeof(text), "<%02x>", (unsigned char)key);
        say(text);
    }
}

static void on_term(int signal) {
    (void)signal;
    say("TERM\n");
    _exit(7);
}

/* Waits for ever; ends by itself when it is asked to. */
static void do_wait(void) {
    signal(SIGTERM, on_term);
    say("ready\n");
    for (;;)
        pause();
}

/* Waits for ever, and ends only by force. */
static void do_defy(void) {
    signal(SIGTERM, SIG_IGN);
    say("ready\n");
    for (;;)
        pause();
}

static void do_plain(void) {
    say("ready\n");
    for (;;)
        pause();
}

static const struct {
    const char *name;
    void (*run)(void);
} things[] = {
    {"hello", do_hello},
    {"exit", do_exit},
    {"signal", do_signal},
    {"cat", do_cat},
    {"yes", do_yes},
    {"pipe", do_pipe},
    {"both", do_both},
    {"arguments", do_arguments},
    {"environment", do_environment},
    {"date", do_date},
    {"directory", do_directory},
    {"terminals", do_terminals},
    {"sizes", do_sizes},
    {"keys", do_keys},
    {"wait", do_wait},
    {"defy", do_defy},
    {"plain", do_plain},
};

int main(int argc, char **argv) {
    arguments = argc > 2 ? argc - 2 : 0;
    argument = argv + 2;
    for (size_t i = 0; argc > 1 && i < sizeof(things) / sizeof(things[0]); i++) {
        if (strcmp(things[i].name, argv[1]) == 0) {
            things[i].run();
            return 0;
        }
    }
    fprintf(stderr, "probe: what is %s?\n", argc > 1 ? argv[1] : "nothing");
    return 99;
}
