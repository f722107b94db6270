/* SPDX-License-Identifier: MIT */
/* What unit.elf looks at: a program with some of everything. */
#include <stdio.h>

static _Thread_local int counter = 7;
static char zeroes[100000];

int main(void) {
    return printf("%d%s\n", counter, zeroes) < 0;
}
