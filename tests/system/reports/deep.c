/* SPDX-License-Identifier: MIT */
/* Crashes three calls deep, in the way that its argument says; with `cat` it waits for the end of
 * its input and is well. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int zero;

/* The C library's own frames lie between. */
static void handler(int number) {
    (void)number;
    abort();
}

__attribute__((noinline)) static int inner(const char *how) {
    volatile char room[300];
    room[0] = how[0];
    switch (how[0]) {
    case 'w': *(volatile int *)(uintptr_t)0x1234 = 1; break;
    case 'd': zero = room[0] / zero; break;
    case 'j': ((void (*)(void))(uintptr_t)0x4321)(); break;
    case 'a': abort();
    case 'u': __builtin_trap();
    case 'h':
        signal(SIGUSR1, handler);
        raise(SIGUSR1);
        break;
    case 'q': raise(SIGQUIT); break;
    case 't': raise(SIGTERM); break;
    case 'o': return inner(how) + room[1]; /* its stack ends */
    default: break;
    }
    return room[0];
}

__attribute__((noinline)) static int middle(const char *how) {
    char large[9000];
    memset(large, how[0], sizeof(large));
    return inner(how) + large[zero];
}

__attribute__((noinline)) static int outer(const char *how) {
    _Alignas(64) volatile char aligned[64]; /* so that its frame is found by rbp */
    aligned[0] = how[0];
    return middle(how) + aligned[0];
}

static void *thread(void *how) {
    return (void *)(intptr_t)(outer(how) + zero);
}

int main(int argc, char **argv) {
    pthread_t id;
    if (argc < 2)
        return 2;
    if (strcmp(argv[1], "cat") == 0) {
        char byte;
        puts("ready");
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) == 1)
            continue;
        return 0;
    }
    if (argc > 2) { /* in a thread */
        pthread_create(&id, NULL, thread, argv[1]);
        pthread_join(id, NULL);
        return 0;
    }
    return outer(argv[1]) + zero; /* no tail call */
}
