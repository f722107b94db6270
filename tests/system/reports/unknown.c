/* SPDX-License-Identifier: MIT */
/* Makes calls that are not there. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define IO_SETUP 206
#define HIGHEST  451
#define BEYOND   100000

int main(void) {
    for (int i = 0; i < 3; i++)
        syscall(IO_SETUP, 1, 0);
    syscall(HIGHEST + 1);
    syscall(BEYOND);
    syscall(BEYOND + 1);
    puts(errno == ENOSYS ? "none of them" : "one of them");
    return 0;
}
