/* SPDX-License-Identifier: MIT */
/* Uses up its stack: only the program ends. */
#include <stdio.h>

static volatile int sink, bottom = -1; /* which is never reached */

__attribute__((noinline)) static int dig(int depth) {
    volatile char room[8192];
    room[0] = (char)depth;
    int below = depth == bottom ? 0 : dig(depth + 1);
    sink += room[0];
    return below + room[0];
}

int main(void) {
    puts("digging");
    fflush(stdout);
    return dig(0);
}
