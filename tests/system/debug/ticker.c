/* SPDX-License-Identifier: MIT */
/* Ticks for ever, and says so: something to debug. Its argument is its name. */
#include <stdio.h>
#include <time.h>

__attribute__((noinline)) void tick(unsigned long count);

static unsigned long ticks;

void tick(unsigned long count) {
    ticks = count + 1;
}

int main(int argc, char **argv) {
    const struct timespec pause = {.tv_nsec = 1000000};
    (void)argc;
    for (;;) {
        tick(ticks);
        if (ticks % 20 == 0) {
            printf("%s %lu\n", argv[1], ticks);
            fflush(stdout);
        }
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
}
