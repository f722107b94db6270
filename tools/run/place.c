/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define TRIES 100
/* How long the reader of a FIFO may take to come. */
#define READER_US       500000
#define READER_AGAIN_US 50000

/* How many characters of the path are its folder, with the slash. */
static int folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (int)(slash + 1 - path);
}

/* A name beside the path that nobody else uses. */
static char *name_beside(const char *path, unsigned try) {
    int folder = folder_length(path);
    char *name;
    if (asprintf(&name, "%.*s.%s.%d-%u", folder, path, path + folder, (int)getpid(), try) < 0)
        return NULL;
    return name;
}

static int open_nameless(const char *path) {
    int folder = folder_length(path);
    char *name;
    if (asprintf(&name, "%.*s", folder == 0 ? 1 : folder, folder == 0 ? "." : path) < 0)
        return -1;
    int fd = open(name, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    int error = errno;
    free(name);
    errno = error;
    return fd;
}

static int open_beside(struct place *place) {
    for (unsigned try = 0; try < TRIES; try++) {
        char *name = name_beside(place->path, try);
        if (name == NULL)
            return -1;
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (fd >= 0) {
            place->temporary = name;
            return fd;
        }
        int error = errno;
        free(name);
        errno = error;
        if (error != EEXIST)
            return -1;
    }
    return -1;
}

/* /dev/stdout may well be a file, which must not be replaced. */
static bool is_system(const char *path) {
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
}

static void alarm_take(int number) {
    (void)number;
}

/* Waits for a FIFO's reader, who may just be being started: not for ever. */
static int open_waiting(const char *path, int flags) {
    const struct sigaction take = {.sa_handler = alarm_take};
    /* Again and again, for the first may come before the wait. */
    const struct itimerval limit = {{0, READER_AGAIN_US}, {0, READER_US}}, never = {{0}, {0}};
    struct sigaction action_before;
    sigset_t alarms, mask_before;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigaction(SIGALRM, &take, &action_before);
    sigprocmask(SIG_UNBLOCK, &alarms, &mask_before);
    setitimer(ITIMER_REAL, &limit, NULL);
    int fd = open(path, flags);
    int error = errno == EINTR ? ENXIO : errno;
    setitimer(ITIMER_REAL, &never, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    sigaction(SIGALRM, &action_before, NULL);
    errno = error;
    return fd;
}

static int open_direct(const char *path) {
    const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY;
    int fd = open(path, flags | O_NONBLOCK);
    if (fd < 0)
        return errno == ENXIO ? open_waiting(path, flags) : -1;
    if (fcntl(fd, F_SETFL, flags & ~O_CLOEXEC) == 0)
        return fd;
    close(fd);
    return -1;
}

bool place_open(struct place *place, const char *path, struct failure *failure) {
    struct stat status;
    *place = (struct place){.path = path, .fd = -1};
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
        return fail(failure, "%s cannot be written: it is a folder", path);
    place->is_direct = exists && (!S_ISREG(status.st_mode) || is_system(path));
    /* What a link points to is replaced, not the link. */
    if (exists && !place->is_direct)
        place->path = place->resolved = realpath(path, NULL);
    if (exists && !place->is_direct && place->path == NULL)
        return fail(failure, "%s cannot be written: %s", path, strerror(errno));
    if (place->is_direct)
        place->fd = open_direct(path);
    else
        place->fd = open_nameless(place->path);
    if (place->fd < 0 && !place->is_direct && (errno == EOPNOTSUPP || errno == EISDIR))
        place->fd = open_beside(place);
    if (place->fd < 0 && exists && S_ISFIFO(status.st_mode) && errno == ENXIO)
        return fail(failure,
                    "%s cannot be written: it is a pipe that nobody reads: start its "
                    "reader first",
                    path);
    if (place->fd < 0)
        return fail(failure, "%s cannot be written: %s", path, strerror(errno));
    return true;
}

bool place_write(struct place *place, const void *bytes, size_t size, struct failure *failure) {
    const char *next = bytes;
    while (size != 0) {
        ssize_t count = write(place->fd, next, size);
        if (count < 0 && errno != EINTR)
            return fail(failure, "%s cannot be written: %s", place->path, strerror(errno));
        if (count > 0) {
            next += count;
            size -= (size_t)count;
        }
    }
    return true;
}

/* Gives what has no name its own, or, where somebody has it, one beside, from where it is moved. */
static bool name_give(struct place *place) {
    char self[32];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", place->fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, place->path, AT_SYMLINK_FOLLOW) == 0)
        return true;
    for (unsigned try = 0; errno == EEXIST && try < TRIES; try++) {
        char *name = name_beside(place->path, try);
        if (name == NULL)
            return false;
        if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
            place->temporary = name;
            return rename(name, place->path) == 0;
        }
        int error = errno;
        free(name);
        errno = error;
    }
    return false;
}

bool place_finish(struct place *place, mode_t mode, struct failure *failure) {
    bool is_done = place->is_direct || mode == (mode_t)-1 || fchmod(place->fd, mode) == 0;
    if (is_done && !place->is_direct)
        is_done = place->temporary == NULL ? name_give(place)
                                           : rename(place->temporary, place->path) == 0;
    int error = errno;
    if (is_done) {
        free(place->temporary);
        place->temporary = NULL;
    }
    /* Some file systems tell only now that there was no room. */
    if (close(place->fd) != 0 && is_done) {
        is_done = false;
        error = errno;
    }
    place->fd = -1;
    if (!is_done)
        return fail(failure, "%s cannot be written: %s", place->path, strerror(error));
    return true;
}

void place_drop(struct place *place) {
    if (place->fd >= 0)
        close(place->fd);
    if (place->temporary != NULL)
        unlink(place->temporary);
    free(place->temporary);
    free(place->resolved);
    *place = (struct place){.fd = -1};
}
