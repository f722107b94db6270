/* SPDX-License-Identifier: MIT */
/* A server that never serves: it faults, or hangs, three calls deep, beside threads that sleep. */
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

static volatile uint64_t turns;

[[gnu::noinline]] static int inner(const char *how) {
    while (how[0] == 'h')
        turns++;
    *(volatile int *)(uintptr_t)0x5678 = 1;
    return 0;
}

[[gnu::noinline]] static int middle(const char *how) {
    volatile char room[100];
    room[0] = how[0];
    return inner(how) + room[0];
}

[[gnu::noinline]] static int outer(const char *how) {
    volatile char room[1000];
    room[0] = how[0];
    return middle(how) + room[0];
}

/* More of them than a report tells of. */
static void *sleeper(void *nothing) {
    for (;;)
        pause();
    return nothing;
}

int main(int argc, char **argv) {
    pthread_t thread;
    for (int i = 0; i < 6; i++) {
        if (pthread_create(&thread, NULL, sleeper, NULL) != 0)
            return 2;
    }
    return outer(argc > 1 ? argv[1] : "fault") + (int)turns; /* no tail call */
}
