/* SPDX-License-Identifier: MIT */
/* What a program asks the system about itself and the machine. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "say.h"

static void test_identity(void) {
    struct utsname name;
    CHECK(uname(&name) == 0);
    CHECK(strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "x86_64") == 0);
    CHECK(getpid() > 0 && getppid() >= 0);
    CHECK(getuid() == geteuid() && getgid() == getegid());
    CHECK(getpgid(0) == getpgrp());
    CHECK(getpgid(getpid()) == getpgrp());
    CHECK_ERROR(uname(bad_pointer()), EFAULT);
    puts("identity");
}

static void test_random(void) {
    unsigned char a[300], b[300];
    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    CHECK(getrandom(a, sizeof(a), 0) == sizeof(a));
    CHECK(getrandom(b, sizeof(b), GRND_NONBLOCK) == sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    int counts[256] = {0}, most = 0;
    for (unsigned i = 0; i < sizeof(a); i++)
        most = ++counts[a[i]] > most ? counts[a[i]] : most;
    CHECK(most < 20);
    CHECK_ERROR(getrandom(a, 1, 0x100), EINVAL);
    CHECK_ERROR(getrandom(bad_pointer(), 1, 0), EFAULT);
    CHECK(getrandom(a, 0, 0) == 0);
    puts("random numbers");
}

static void test_limits(void) {
    struct rlimit limit, wish = {100, 50};
    struct sysinfo info;
    CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 1 << 20);
    CHECK_ERROR(setrlimit(RLIMIT_CORE, &wish), EINVAL);
    CHECK_ERROR(syscall(SYS_getrlimit, 99, &limit), EINVAL);
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0);
    CHECK(sysinfo(&info) == 0 && info.totalram > 0 && info.mem_unit > 0);
    CHECK(sysconf(_SC_PAGESIZE) == 4096);
    puts("limits");
}

static void test_unknown(void) {
    CHECK_ERROR(syscall(1000), ENOSYS);
    CHECK_ERROR(syscall(0x40000000 + SYS_getpid), ENOSYS); /* x32 */
    CHECK_ERROR(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
    puts("unknown calls");
}

/* The thread pointer can be asked for, and set. */
static void test_thread_pointer(void) {
    unsigned long fs = 0, self;
    CHECK(syscall(SYS_arch_prctl, 0x1003, &fs) == 0);
    __asm__("movq %%fs:0, %0" : "=r"(self));
    CHECK(fs == self && fs != 0);
    CHECK(syscall(SYS_arch_prctl, 0x1002, fs) == 0);
    puts("the thread pointer");
}

int main(void) {
    test_identity();
    test_random();
    test_limits();
    test_unknown();
    test_thread_pointer();
    return 0;
}
