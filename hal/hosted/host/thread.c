/* SPDX-License-Identifier: MIT */
#include "private.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct start {
    void (*run)(void *);
    void *argument;
    uint32_t host_cpu;
};

static void *thread_begin(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    host_cpu_move(0, start.host_cpu);
    start.run(start.argument);
    return NULL;
}

bool host_thread_start(void (*run)(void *), void *argument, uint32_t host_cpu) {
    struct start *start = malloc(sizeof(*start));
    pthread_t thread;
    if (start == NULL)
        return false;
    *start = (struct start){run, argument, host_cpu};
    int error = pthread_create(&thread, NULL, thread_begin, start);
    if (error != 0) {
        free(start);
        errno = error;
        return false;
    }
    pthread_detach(thread);
    return true;
}

uint32_t host_cpu_choose(uint32_t n) {
    static cpu_set_t allowed;
    static uint32_t first;
    static bool known;
    if (!known) {
        if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
            host_fail("the host does not tell which CPUs there are");
        int here = sched_getcpu();
        first = here >= 0 && here < CPU_SETSIZE ? (uint32_t)here : 0;
        known = true;
    }
    uint32_t cpu = first;
    n %= (uint32_t)CPU_COUNT(&allowed);
    for (;; cpu = (cpu + 1) % CPU_SETSIZE) {
        if (CPU_ISSET(cpu, &allowed) && n-- == 0)
            return cpu;
    }
}

void host_cpu_move(int tid, uint32_t host_cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(host_cpu, &set);
    sched_setaffinity(tid, sizeof(set), &set);
}
