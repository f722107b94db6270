/* SPDX-License-Identifier: MIT */
#include "seeds.h"

int main(int argc, char **argv) {
    const char *role = argc > 1 ? argv[1] : "";
    if (strcmp(role, "work") == 0 && argc == 4)
        return work(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    if (strcmp(role, "kill") == 0 && argc == 3)
        return kill_servers((unsigned)strtoul(argv[2], NULL, 10));
    if (strcmp(role, "order") == 0 && argc == 2)
        return order();
    if (strcmp(role, "counter") == 0 && argc == 2)
        return counter();
    printf("FAILED: usage: seeds work NAME PIPES | kill KILLS | order | counter\n");
    return 2;
}
