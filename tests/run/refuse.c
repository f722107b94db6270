/* SPDX-License-Identifier: MIT */
/*
 * A host that is too old: runs a command for which a system call fails.
 *
 * Usage: refuse CALL[=FIRST-ARGUMENT] COMMAND [ARGUMENT...]
 *        refuse O_TMPFILE COMMAND [ARGUMENT...]  files always have a name
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool call_refuse(scmp_filter_ctx filter, const char *name, const char *argument) {
    int number = seccomp_syscall_resolve_name(name);
    struct scmp_arg_cmp first = {.op = SCMP_CMP_EQ,
                                 .datum_a = argument != NULL ? strtoull(argument, NULL, 0) : 0};
    return number >= 0 && seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EINVAL), number,
                                                 argument != NULL, &first) == 0;
}

static bool nameless_refuse(scmp_filter_ctx filter) {
    struct scmp_arg_cmp flags = {
        .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = O_TMPFILE, .datum_b = O_TMPFILE};
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(openat), 1,
                                  &flags) == 0;
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    char *argument = strchr(argv[1], '=');
    if (argument != NULL)
        *argument++ = '\0';
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool is_refused = filter != NULL &&
                      (strcmp(argv[1], "O_TMPFILE") == 0 ? nameless_refuse(filter)
                                                         : call_refuse(filter, argv[1], argument));
    if (!is_refused || seccomp_load(filter) != 0) {
        fprintf(stderr, "refuse: %s cannot be refused\n", argv[1]);
        return 2;
    }
    seccomp_release(filter);
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 2;
}
