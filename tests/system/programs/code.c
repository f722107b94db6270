/* SPDX-License-Identifier: MIT */
/* Ends with an exit code of which only the low byte counts; what was not flushed is. */
#include <stdio.h>
#include <stdlib.h>

static void last(void) {
    puts("the last line");
}

int main(void) {
    atexit(last);
    printf("a line without its end is written all the same");
    exit(256 + 42);
}
