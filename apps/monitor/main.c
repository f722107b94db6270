/* SPDX-License-Identifier: MIT */
#include "monitor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void show_help(const char *argument);

static const struct {
    const char *name;
    const char *argument;
    const char *text;
    void (*run)(const char *argument);
} commands[] = {
    {"ps", "", "processes, their threads and what these do", show_processes},
    {"servers", "", "servers: state, restarts, messages, memory", show_servers},
    {"handles", "SERVER", "what a server holds", show_handles},
    {"memory", "", "the machine's memory and who has it", show_memory},
    {"ipc", "", "the kernel's counters", show_counters},
    {"kill", "SERVER", "end a server; it grows back", kill_server},
    {"start", "SERVER", "start a server that is not started by itself", start_server},
    {"help", "", "this list", show_help},
    {"quit", "", "leave, and end the machine", NULL},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void show_help(const char *argument) {
    (void)argument;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-8s %-8s %s\n", commands[i].name, commands[i].argument, commands[i].text);
}

/* False: it was the last. */
static bool line_run(char *line) {
    char *argument;
    const char *name = strtok_r(line, " \t\n", &argument);
    const char *word = name != NULL ? strtok_r(NULL, " \t\n", &argument) : NULL;
    if (name == NULL)
        return true;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i].name) != 0)
            continue;
        if (commands[i].run == NULL)
            return false;
        if ((word != NULL) != (commands[i].argument[0] != 0))
            printf("usage: %s %s\n", name, commands[i].argument);
        else
            commands[i].run(word != NULL ? word : "");
        return true;
    }
    printf("there is no command \"%s\"; help lists them\n", name);
    return true;
}

int main(void) {
    char line[256];
    bool is_terminal = isatty(0) != 0;
    if (!monitor_open())
        return 1;
    if (is_terminal)
        printf("Axolotl. This is a monitor, not a shell yet; help lists what it can do.\n");
    for (;;) {
        if (is_terminal)
            fputs("> ", stdout);
        fflush(stdout);
        if (fgets(line, sizeof(line), stdin) == NULL || !line_run(line))
            return 0;
    }
}
