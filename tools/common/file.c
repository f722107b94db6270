/* SPDX-License-Identifier: MIT */
#include <common/file.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_all(int fd, const char *path, char *bytes, size_t size, size_t *got,
                     struct failure *failure) {
    *got = 0;
    while (*got < size) {
        ssize_t count = read(fd, bytes + *got, size - *got);
        if (count == 0)
            return true;
        if (count < 0 && errno != EINTR)
            return fail(failure, "%s cannot be read: %s", path, strerror(errno));
        if (count > 0)
            *got += (size_t)count;
    }
    return true;
}

static bool file_size(int fd, const char *path, size_t size_max, size_t *size,
                      struct failure *failure) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return fail(failure, "%s cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fail(failure, "%s is no regular file", path);
    if ((unsigned long long)status.st_size > size_max)
        return fail(failure, "%s is larger than %zu bytes", path, size_max);
    *size = (size_t)status.st_size;
    return true;
}

bool file_read(const char *path, size_t size_max, char **bytes, size_t *size,
               struct failure *failure) {
    size_t expected = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(failure, "%s cannot be opened: %s", path, strerror(errno));
    *bytes = NULL;
    bool is_read = file_size(fd, path, size_max, &expected, failure);
    if (is_read) {
        *bytes = malloc(expected + 1);
        is_read = *bytes != NULL ? read_all(fd, path, *bytes, expected, size, failure)
                                 : fail(failure, "there is no memory for %s", path);
    }
    if (is_read && *size != expected)
        is_read = fail(failure, "%s became shorter while it was read", path);
    close(fd);
    if (!is_read)
        free(*bytes);
    return is_read;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* For the signal handler: the one file that is under way. */
static char unfinished[sizeof((struct output *)NULL)->temporary];

static void interrupted(int signal) {
    unlink(unfinished);
    raise(signal); /* its action is the default again */
}

static void watch_signals(void) {
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGXCPU};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction action;
        if (sigaction(signals[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL)
            continue; /* ignored, as under nohup, or looked after by somebody else */
        action.sa_handler = interrupted;
        action.sa_flags = SA_RESETHAND;
        sigaction(signals[i], &action, NULL);
    }
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like a full disk */
}

static bool temporary_open(struct output *output, struct failure *failure) {
    const char *slash = strrchr(output->path, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - output->path);
    int length = snprintf(output->temporary, sizeof(output->temporary), "%.*s.%s.XXXXXX", folder,
                          output->path, output->path + folder);
    if (length < 0 || (size_t)length >= sizeof(output->temporary)) {
        output->temporary[0] = '\0';
        return fail(failure, "the name %.100s... is too long", output->path);
    }
    /* No signal comes between its making and the note of it. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    watch_signals();
    output->fd = mkostemp(output->temporary, O_CLOEXEC);
    int error = errno;
    if (output->fd < 0)
        output->temporary[0] = '\0';
    memcpy(unfinished, output->temporary, sizeof(unfinished));
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (output->fd < 0)
        return fail(failure, "%s cannot be made: %s", output->path, strerror(error));
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(output->fd, 0666 & ~mask) != 0)
        return fail(failure, "%s cannot be made: %s", output->path, strerror(errno));
    return true;
}

bool output_open(struct output *output, const char *path, struct failure *failure) {
    struct stat status;
    *output = (struct output){.path = path, .fd = -1};
    if (path[0] == '\0')
        return fail(failure, "the name of the file to write is empty");
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode))
        return temporary_open(output, failure);
    output->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (output->fd < 0)
        return fail(failure, "%s cannot be written: %s", path, strerror(errno));
    return true;
}

bool output_write(struct output *output, const void *bytes, size_t size, struct failure *failure) {
    const char *next = bytes;
    while (size != 0) {
        ssize_t count = write(output->fd, next, size);
        if (count < 0 && errno != EINTR)
            return fail(failure, "%s cannot be written: %s", output->path, strerror(errno));
        if (count > 0) {
            next += count;
            size -= (size_t)count;
        }
    }
    return true;
}

bool output_finish(struct output *output, struct failure *failure) {
    /* Pipes and terminals cannot be synchronised, which is no error. */
    bool is_written = fsync(output->fd) == 0 || errno == EINVAL || errno == EROFS;
    int error = errno;
    if (close(output->fd) != 0 && is_written) {
        is_written = false;
        error = errno;
    }
    output->fd = -1;
    if (is_written && output->temporary[0] != '\0' &&
        rename(output->temporary, output->path) != 0) {
        is_written = false;
        error = errno;
    }
    if (!is_written)
        return fail(failure, "%s cannot be written: %s", output->path, strerror(error));
    output->temporary[0] = unfinished[0] = '\0';
    return true;
}

void output_drop(struct output *output) {
    if (output->fd >= 0)
        close(output->fd);
    if (output->temporary[0] != '\0')
        unlink(output->temporary);
    output->fd = -1;
    output->temporary[0] = unfinished[0] = '\0';
}
