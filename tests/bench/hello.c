/* SPDX-License-Identifier: MIT */
/* The least that a program can do and be seen. */
#include <stdio.h>

int main(void) {
    puts("hello");
    return 0;
}
