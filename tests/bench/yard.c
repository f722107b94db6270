/* SPDX-License-Identifier: MIT */
/*
 * Yardsticks: what the host's own primitives cost, measured the way a benchmark in the machine
 * measures ours. scripts/bench runs both in turns, on the same CPU.
 *
 *   bench_yard GROUP               prints the yardsticks of a group
 *   bench_yard start NAME N CMD... how long it takes to start a command and to wait for its end
 *   bench_yard burn                uses all the CPU time it gets, until it is killed
 */
#include "yard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void die(const char *what) {
    perror(what);
    exit(1);
}

/* fork and exec, and not the vfork inside posix_spawn: that is what the yardstick is called. */
static pid_t command_start(char **command) {
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        execv(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    return pid;
}

/* The output is the command's own; its status must be 0. */
void yard_start(const char *name, unsigned count, char **command) {
    uint64_t start_ns = now_ns();
    for (unsigned i = 0; i < count; i++) {
        int status;
        pid_t pid = command_start(command);
        if (waitpid(pid, &status, 0) != pid)
            die("waitpid");
        if (status != 0) {
            fprintf(stderr, "%s ended with status 0x%x\n", command[0], (unsigned)status);
            exit(1);
        }
    }
    figure_time(name, now_ns() - start_ns, count);
}

static _Noreturn void burn(void) {
    for (volatile unsigned i = 0;; i++)
        ;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } groups[] = {{"calls", yard_calls},
                  {"ipc", yard_ipc},
                  {"loan", yard_loan},
                  {"memory", yard_memory},
                  {"threads", yard_threads}};
    if (argc == 2 && strcmp(argv[1], "burn") == 0)
        burn();
    if (argc >= 5 && strcmp(argv[1], "start") == 0) {
        yard_start(argv[2], (unsigned)strtoul(argv[3], NULL, 10), argv + 4);
        return 0;
    }
    for (size_t i = 0; argc == 2 && i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strcmp(argv[1], groups[i].name) == 0) {
            groups[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: bench_yard GROUP | start NAME COUNT COMMAND... | burn\n");
    return 2;
}
