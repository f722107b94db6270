/* SPDX-License-Identifier: MIT */
/* The first program: a line, and an exit code that says whether it was written. */
#include <stdio.h>

int main(void) {
    return puts("hello") < 0;
}
