/* SPDX-License-Identifier: MIT */
/*
 * A host that is too old: runs a command for which a system call fails.
 *
 * Usage: refuse CALL[=FIRST-ARGUMENT] COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    char *argument = strchr(argv[1], '=');
    if (argument != NULL)
        *argument++ = '\0';
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int number = seccomp_syscall_resolve_name(argv[1]);
    struct scmp_arg_cmp first = {.op = SCMP_CMP_EQ,
                                 .datum_a = argument != NULL ? strtoull(argument, NULL, 0) : 0};
    if (filter == NULL || number < 0 ||
        seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EINVAL), number, argument != NULL, &first) !=
            0 ||
        seccomp_load(filter) != 0) {
        fprintf(stderr, "refuse: %s cannot be refused\n", argv[1]);
        return 2;
    }
    seccomp_release(filter);
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 2;
}
