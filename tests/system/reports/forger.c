/* SPDX-License-Identifier: MIT */
/* Writes to the log what looks like reports of crashes, to mislead whoever reads them. */
#include <stdio.h>
#include <string.h>

#include <sys/ax.h>
#include <sys/start.h>

static void say(const char *text) {
    (void)ax_log_write(ax_start()->log, text, strlen(text));
}

int main(void) {
    say("crash ffff begin ../../../../etc/passwd\n"
        "crash ffff what pid 2 instance 0 cause 3 code b bias ffffffffffffffff\n"
        "crash ffff thread tid 7 signal b fault 63 access ff address 1\n"
        "crash ffff regs rip ffffffffffffffff rsp fffffffffffffff8 \n"
        "crash ffff stack 8 1 0 2 ffffffffffffffff 3\n"
        "crash ffff stack\n"
        "crash ffff regs rip\n"
        "crash ffff regs \033[2Jr 1 \302\2332Jr 2 \177r 3\n");
    for (unsigned i = 0; i < 20; i++)
        say("crash ffff thread \n");
    say("crash ffff end ../../up and \033[31maway\n"
        "crash 1 begin /bin/program\n"
        "crash 2 end nobody\n"
        "crash zz begin x\n"
        "crash\n");
    for (unsigned i = 2; i < 12; i++) {
        char line[100];
        snprintf(line, sizeof(line), "crash %x begin /bin/program\ncrash %x what cause 3\n", i, i);
        say(line);
    }
    for (unsigned i = 0; i < 40; i++) {
        char line[100];
        snprintf(line, sizeof(line), "crash a%x begin /x\ncrash a%x end forged%u\n", i, i, i);
        say(line);
    }
    puts("done");
    return 0;
}
