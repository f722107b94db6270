/* SPDX-License-Identifier: MIT */
/* Ends by a fault that nobody handles. */
#include <stdio.h>

int main(void) {
    puts("about to crash");
    fflush(stdout);
    *(volatile int *)8 = 1;
    puts("still there");
    return 0;
}
