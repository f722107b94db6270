/* SPDX-License-Identifier: MIT */
#include "children.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static void thread_list(pid_t process, const char *thread, struct children *children) {
    char path[64];
    long pid;
    snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", (int)process, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    char number[16];
    while (children->count < CHILDREN_MAX && fscanf(file, "%15s", number) == 1) {
        pid = strtol(number, NULL, 10);
        if (pid > 0)
            children->pids[children->count++] = (pid_t)pid;
    }
    fclose(file);
}

void children_list(pid_t parent, struct children *children) {
    char path[64];
    children->count = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.')
            thread_list(parent, entry->d_name, children);
    }
    if (folder != NULL)
        closedir(folder);
}

static bool has(const struct children *children, pid_t pid) {
    for (size_t i = 0; i < children->count; i++) {
        if (children->pids[i] == pid)
            return true;
    }
    return false;
}

void children_drop(struct children *children, const struct children *others) {
    size_t kept = 0;
    for (size_t i = 0; i < children->count; i++) {
        if (!has(others, children->pids[i]))
            children->pids[kept++] = children->pids[i];
    }
    children->count = kept;
}

void children_signal(const struct children *children, int signal) {
    for (size_t i = 0; i < children->count; i++)
        kill(children->pids[i], signal);
}

bool children_await(const struct children *children) {
    for (size_t i = 0; i < children->count; i++) {
        while (waitpid(children->pids[i], NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    return children->count != 0;
}
