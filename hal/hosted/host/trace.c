/* SPDX-License-Identifier: MIT */
/* The trace's descriptor. Records are many and small, so they go there in large pieces. */
#include "private.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 65536U

static int trace_fd = -1;
static char buffer[BUFFER_BYTES];
static size_t buffered_bytes;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the buffer; CPUs take turns, an end
                                                              may come between */

void host_trace_open(int descriptor) {
    trace_fd = descriptor;
}

bool host_trace_is_open(void) {
    return trace_fd >= 0;
}

/* Empties the buffer; 0, or an error of Linux's. */
static int buffer_write(void) {
    const char *text = buffer;
    size_t left_bytes = buffered_bytes;
    buffered_bytes = 0;
    while (trace_fd >= 0 && left_bytes > 0) {
        ssize_t written = write(trace_fd, text, left_bytes);
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            text += written;
            left_bytes -= (size_t)written;
        }
    }
    return 0;
}

static void write_check(int error) {
    if (error == 0)
        return;
    trace_fd = -1;
    host_fail("the trace cannot be written: %s", strerror(error));
}

void host_trace_flush(void) {
    pthread_mutex_lock(&mutex);
    int error = buffer_write();
    pthread_mutex_unlock(&mutex);
    write_check(error);
}

void host_trace_write(const char *text, size_t size_bytes) {
    int error = 0;
    pthread_mutex_lock(&mutex);
    if (size_bytes > BUFFER_BYTES - buffered_bytes)
        error = buffer_write();
    memcpy(buffer + buffered_bytes, text, size_bytes);
    buffered_bytes += size_bytes;
    pthread_mutex_unlock(&mutex);
    write_check(error);
}
