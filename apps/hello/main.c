/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int main(void) {
    return puts("hello") < 0 || fflush(stdout) != 0;
}
